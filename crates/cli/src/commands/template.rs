//! `narthex template eval`: a template, a context, a value.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use narthex_clock::{Clock, fill_random, random_bytes};
use narthex_mint::Jwt;
use narthex_template::{Document, Names, Scope, Template, Value, Zone};
use serde_json::{Map, Value as Json};

use super::input::{argument_or_stdin, file, misused};
use super::{Answer, print};
use crate::args::TemplateCommand;

/// Runs it.
pub(super) fn run(command: TemplateCommand) -> anyhow::Result<Answer> {
    let TemplateCommand::Eval(args) = command;
    let context = args.context.as_deref().map(context).transpose()?.unwrap_or_default();
    let zone = Zone::named(&args.timezone).ok_or_else(|| {
        misused(format!(
            "`{}` is no time zone of the tz database; write one such as `Europe/Prague`",
            args.timezone
        ))
    })?;
    // Randomness must not fail half-way: whether the system has any is asked before.
    random_bytes::<1>()?;
    let scope = Scope::new(args.at.unwrap_or_else(|| Clock::system().now_ms()))
        .with_members(&context)
        .with_zone(zone)
        .with_random(&fill_random);
    let source = argument_or_stdin(args.template)?;
    let names = names(&context);
    let value = if args.document {
        let json = serde_json::from_str(&source).context("the document is not JSON")?;
        document(&json, &names, &scope)
    } else {
        template(&source, &names, &scope)
    };
    match value.map(|value| value.to_json_text()) {
        Err(report) => {
            super::tell(&report);
            Ok(Answer::No)
        }
        Ok(None) => Ok(Answer::Nothing),
        Ok(Some(json)) => print(&format!("{json}\n")).map(|()| Answer::Yes),
    }
}

/// The value, or what was wrong with a caret under the place.
fn template(source: &str, names: &Names, scope: &Scope<'_>) -> Result<Value, String> {
    let template = Template::compile(source, names).map_err(|error| error.render())?;
    template.evaluate(scope).map_err(|error| error.render())
}

/// The same, of a JSON document whose strings are templates.
fn document(json: &Json, names: &Names, scope: &Scope<'_>) -> Result<Value, String> {
    let document = Document::compile(json, names).map_err(|error| error.render())?;
    document.evaluate(scope).map_err(|error| error.render())
}

/// The names a template may use: what the context holds, to the letter. `headers` is looked up as headers are, whatever
/// the case.
fn names(context: &Map<String, Json>) -> Names {
    let plain = Names::new(context.keys().filter(|name| *name != HEADERS));
    let all = if context.contains_key(HEADERS) {
        plain.with_folded_root(HEADERS)
    } else {
        plain
    };
    all.with_function(Arc::new(Jwt::new()))
}

fn context(path: &Path) -> anyhow::Result<Map<String, Json>> {
    let bytes = file("--context", path)?;
    let refuse = |problem: String| misused(format!("the context `{}` {problem}", path.display()));
    match serde_json::from_slice(&bytes) {
        Ok(Json::Object(members)) => Ok(members),
        Ok(_) => Err(refuse(
            "is not a JSON object; its members are the names that a template may use".to_owned(),
        )),
        Err(error) => Err(refuse(format!("is not JSON: {error}"))),
    }
}

const HEADERS: &str = "headers";
