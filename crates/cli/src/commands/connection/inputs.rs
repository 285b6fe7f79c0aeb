//! Sources of a connection's document, parameters and data.

use std::path::Path;

use narthex_clock::random_bytes;
use narthex_connection::{Connection, Inputs, Limits};
use serde_json::{Map, Value as Json};

use crate::args::{ConnectionInputs, ConnectionParameters};
use crate::commands::input::{argument_or_stdin, file, secret_file_of, usage_error};
use crate::commands::tell;
use narthex_config::Environment;

/// The document as it is written, and compiled. `None` if it cannot be understood; standard error says everything that is
/// wrong with it.
pub(in crate::commands) fn document(path: &Path) -> anyhow::Result<Option<(String, Connection)>> {
    let (source, name) = if path == Path::new("-") {
        (argument_or_stdin("-".to_owned())?, "standard input".to_owned())
    } else {
        let bytes = file("FILE", path)?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| usage_error(format!("the document `{}` is not UTF-8 text", path.display())))?;
        (text.to_owned(), path.display().to_string())
    };
    match Connection::compile(&source, &Limits::default()) {
        Ok(connection) => Ok(Some((source, connection))),
        Err(problems) => {
            tell(&problems.render(&name));
            Ok(None)
        }
    }
}

/// The parameters and the common data that the options name.
pub(in crate::commands) fn parameters(
    args: &ConnectionParameters,
) -> anyhow::Result<(Map<String, Json>, Map<String, Json>)> {
    let mut parameters = Members::new("parameter");
    for text in &args.param {
        let (name, value) = pair("--param", text)?;
        parameters.add(name, value.to_owned())?;
    }
    for text in &args.param_file {
        let (name, path) = pair("--param-file", text)?;
        parameters.add(name, text_of_file("--param-file", path)?)?;
    }
    for text in &args.param_env {
        let (name, variable) = pair("--param-env", text)?;
        parameters.add(name, text_of_variable(variable)?)?;
    }
    let mut common = Members::new("member of the common data");
    for text in &args.common {
        let (name, value) = pair("--common", text)?;
        common.add(name, value.to_owned())?;
    }
    for text in &args.common_file {
        let (name, path) = pair("--common-file", text)?;
        common.add(name, text_of_file("--common-file", path)?)?;
    }
    Ok((parameters.members, common.members))
}

/// Everything that the document's templates read.
pub(super) fn inputs(args: &ConnectionInputs) -> anyhow::Result<Inputs> {
    let (parameters, common) = parameters(&args.parameters)?;
    if let Some(name) = args.show.iter().find(|name| !parameters.contains_key(*name)) {
        return Err(usage_error(format!(
            "`--show {name}`: there is no parameter of that name"
        )));
    }
    Ok(Inputs {
        parameters,
        common,
        data: args.data.as_deref().map(data).transpose()?.unwrap_or_default(),
        environment: Json::Null,
        shown: args.show.iter().cloned().collect(),
    })
}

/// Fills a buffer from the operating system.
pub(super) fn fill(buffer: &mut [u8]) {
    for chunk in buffer.chunks_mut(CHUNK) {
        // INVARIANT: asked for once before, so it is there; a system that takes it back leaves zeros in a sketch.
        let bytes = random_bytes::<CHUNK>().unwrap_or_default();
        chunk.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    }
}

/// Members that may be given only once, by whichever option.
struct Members {
    what: &'static str,
    members: Map<String, Json>,
}

impl Members {
    fn new(what: &'static str) -> Self {
        Self {
            what,
            members: Map::new(),
        }
    }

    fn add(&mut self, name: &str, value: String) -> anyhow::Result<()> {
        if self.members.insert(name.to_owned(), Json::String(value)).is_some() {
            return Err(usage_error(format!("the {} `{name}` is given twice", self.what)));
        }
        Ok(())
    }
}

/// SECURITY: what has no name before a `=` may be a secret, so it is not repeated.
fn pair<'t>(option: &str, text: &'t str) -> anyhow::Result<(&'t str, &'t str)> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name, value)),
        _ => Err(usage_error(format!("`{option}` wants a name, `=` and a value"))),
    }
}

fn text_of_file(option: &str, path: &str) -> anyhow::Result<String> {
    let bytes = secret_file_of(option, Path::new(path))?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| usage_error(format!("the file of `{option}`, `{path}`, is not UTF-8 text")))?;
    Ok(text.to_owned())
}

fn text_of_variable(name: &str) -> anyhow::Result<String> {
    Environment::of_process(Path::new("."))
        .variable(name)
        .ok_or_else(|| usage_error(format!("`--param-env`: there is no environment variable `{name}`")))?
        .into_string()
        .map_err(|_| usage_error(format!("`--param-env`: the variable `{name}` is not UTF-8 text")))
}

fn data(path: &Path) -> anyhow::Result<Map<String, Json>> {
    let bytes = file("--data", path)?;
    match serde_json::from_slice(&bytes) {
        Ok(Json::Object(members)) => Ok(members),
        // SECURITY: the parser's own message may repeat what it found.
        Ok(_) | Err(_) => Err(usage_error(format!(
            "the data `{}` is not a JSON object, as `connection run --json` prints it under `data`",
            path.display()
        ))),
    }
}

const CHUNK: usize = 32;
