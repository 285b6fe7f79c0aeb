//! `narthex token sign`: what npm `jsonwebtoken` would make.

use narthex_clock::Clock;
use narthex_mint::{Algorithms, Key, sign};
use narthex_template::{Object, Value};
use serde_json::Value as Json;

use crate::args::SignArgs;
use crate::commands::input::{argument_or_stdin, file, secret_file, usage_error};
use crate::commands::{Answer, print, tell};

/// Signs, and prints the token; or the library's message, alone, on standard error.
pub(super) fn run(args: SignArgs) -> anyhow::Result<Answer> {
    let key = match (&args.secret_file, &args.key) {
        (Some(path), _) => secret_file(path, args.secret_format)?,
        (None, Some(path)) => file("--key", path)?,
        (None, None) => return Err(usage_error("give the key with `--secret-file` or `--key`")),
    };
    let options = options(args.options.as_deref(), args.algorithm)?;
    let now_ms = args.at.unwrap_or_else(|| Clock::system().now_ms());
    let payload = json("the payload", &argument_or_stdin(args.payload)?)?;
    let made = sign(
        &payload,
        &Key::from_bytes(&key),
        &options,
        Algorithms::OfLibrary,
        now_ms,
    );
    match made {
        Ok(token) => print(&format!("{token}\n")).map(|()| Answer::Yes),
        Err(error) => {
            tell(&error.to_string());
            Ok(Answer::No)
        }
    }
}

/// `--options`, with `--algorithm` in place of their own `algorithm`.
fn options(written: Option<&str>, algorithm: Option<String>) -> anyhow::Result<Value> {
    let options = written.map_or(Ok(Value::Undefined), |written| json("`--options`", written))?;
    let Some(algorithm) = algorithm else { return Ok(options) };
    let mut members = match options {
        Value::Object(members) => members,
        other if other.is_truthy() => return Ok(other),
        _ => Object::new(),
    };
    members.insert("algorithm".to_owned(), Value::Text(algorithm));
    Ok(Value::Object(members))
}

fn json(what: &str, text: &str) -> anyhow::Result<Value> {
    let json: Json = serde_json::from_str(text).map_err(|error| usage_error(format!("{what} is not JSON: {error}")))?;
    Ok(Value::from(json))
}
