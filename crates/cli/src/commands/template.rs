//! `narthex template eval`: a template, a context, a value.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use narthex_clock::{Clock, fill_random, random_bytes};
use narthex_mint::Jwt;
use narthex_template::{CompileError, Document, Names, Problem, ProblemKind, Scope, Template, Value, Zone};
use serde_json::{Map, Value as Json};

use super::input::{argument_or_stdin, file, usage_error};
use super::{Answer, print};
use crate::args::TemplateCommand;

/// Runs it.
pub(super) fn run(command: TemplateCommand) -> anyhow::Result<Answer> {
    let TemplateCommand::Eval(args) = command;
    let given = args.context.as_deref().map(context).transpose()?;
    let help = if given.is_some() { "" } else { NO_CONTEXT };
    let context = given.unwrap_or_default();
    let zone = Zone::named(&args.timezone).ok_or_else(|| {
        usage_error(format!(
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
        document(&json, &names, &scope, help)
    } else {
        template(&source, &names, &scope, help)
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

/// The value, or what was wrong with a caret under the place. `help` follows where a name is unknown.
fn template(source: &str, names: &Names, scope: &Scope<'_>, help: &str) -> Result<Value, String> {
    let template = Template::compile(source, names).map_err(|error| {
        let help = if lacks_a_name(&error) { help } else { "" };
        error.render() + help
    })?;
    template.evaluate(scope).map_err(|error| error.render())
}

/// The same, of a JSON document whose strings are templates.
fn document(json: &Json, names: &Names, scope: &Scope<'_>, help: &str) -> Result<Value, String> {
    let document = Document::compile(json, names).map_err(|error| {
        let lacks = error.templates.iter().any(|(_, error)| lacks_a_name(error));
        error.render() + if lacks { help } else { "" }
    })?;
    document.evaluate(scope).map_err(|error| error.render())
}

fn lacks_a_name(error: &CompileError) -> bool {
    let is_name = |problem: &Problem| matches!(problem.kind, ProblemKind::UnknownName { .. });
    error.problems().iter().any(is_name)
}

/// Help for a template that is given no context.
const NO_CONTEXT: &str =
    "\nhelp: `--context FILE` gives a template its names: FILE holds a JSON object, and its members are the names";

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
    let refuse = |problem: String| usage_error(format!("the context `{}` {problem}", path.display()));
    match serde_json::from_slice(&bytes) {
        Ok(Json::Object(members)) => Ok(members),
        Ok(_) => Err(refuse(
            "is not a JSON object; its members are the names that a template may use".to_owned(),
        )),
        Err(error) => Err(refuse(format!("is not JSON: {error}"))),
    }
}

const HEADERS: &str = "headers";
