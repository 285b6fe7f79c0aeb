//! `e2e/node/sign-many.mjs`, asked in batches.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use narthex_template::Value;
use serde_json::{Value as Json, json};

use super::Case;

/// What the library made of a case.
#[derive(Debug)]
pub(crate) enum Answer {
    Token(String),
    Error {
        text: String,
        /// Whether it is OpenSSL's or JavaScript's own, not the library's.
        inner: bool,
    },
}

/// The running script.
pub(crate) struct Node {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Drop for Node {
    fn drop(&mut self) {
        // Its input is closed with it, which ends the script.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

impl Node {
    pub(crate) fn start() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../e2e/node");
        let needs: PathBuf = folder.join("node_modules/jsonwebtoken");
        assert!(
            needs.exists(),
            "`{}` is missing: run `cargo xtask setup`",
            needs.display()
        );
        let mut child = Command::new("node")
            .arg(folder.join("sign-many.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node could not be started: run `cargo xtask setup`");
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    pub(crate) fn sign(&mut self, cases: &[Case]) -> Vec<Answer> {
        let answers = self.ask(&cases.iter().map(request).collect::<Vec<_>>());
        answers
            .iter()
            .map(|answer| match answer["token"].as_str() {
                Some(token) => Answer::Token(token.to_owned()),
                None => Answer::Error {
                    text: answer["error"].as_str().unwrap().to_owned(),
                    inner: answer["inner"].as_bool().unwrap(),
                },
            })
            .collect()
    }

    /// Whether tokens verify: number, token, algorithm, the secret they were signed with.
    pub(crate) fn verify(&mut self, tokens: &[(usize, String, String, Value)]) -> Vec<(usize, bool)> {
        let requests: Vec<String> = tokens
            .iter()
            .map(|(_, token, algorithm, secret)| {
                let mut line = format!(r#"{{"verify":"{token}","algorithm":"{algorithm}","secret":"#);
                write(secret, &mut line);
                line.push('}');
                line
            })
            .collect();
        let answers = self.ask(&requests);
        tokens
            .iter()
            .zip(answers)
            .map(|((number, ..), answer)| (*number, answer["valid"].as_bool().unwrap()))
            .collect()
    }

    fn ask(&mut self, requests: &[String]) -> Vec<Json> {
        let input: &mut ChildStdin = self.child.stdin.as_mut().unwrap();
        let output = &mut self.output;
        std::thread::scope(|scope| {
            // Both ends at once: pipes are not endless.
            scope.spawn(move || {
                for request in requests {
                    writeln!(input, "{request}").unwrap();
                }
                input.flush().unwrap();
            });
            output
                .lines()
                .take(requests.len())
                .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
                .collect()
        })
    }
}

/// A case as the script reads it. Written here by hand, since what it shows must not depend on what it tests.
pub(crate) fn request(case: &Case) -> String {
    let mut line = String::from("{\"payload\":");
    write(&case.payload, &mut line);
    line.push_str(",\"secret\":");
    write(&case.secret, &mut line);
    line.push_str(",\"options\":");
    write(&case.options, &mut line);
    line.push_str(&format!(",\"now\":{}}}", case.now_ms));
    line
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Undefined => out.push_str(r#"{"$":"undefined"}"#),
        Value::Number(number) if !number.is_finite() => {
            let text = if number.is_nan() {
                "NaN"
            } else if *number > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            };
            out.push_str(&json!({ "$": "number", "text": text }).to_string());
        }
        Value::Number(number) => out.push_str(&format!("{number:e}")),
        Value::BigInteger(integer) => out.push_str(&integer.to_string()),
        Value::Binary(bytes) => {
            let hex = bytes
                .iter()
                .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
            out.push_str(&json!({ "$": "bytes", "hex": hex }).to_string());
        }
        Value::Date(ms) => out.push_str(&json!({ "$": "date", "ms": ms }).to_string()),
        Value::Text(text) => out.push_str(&Json::from(text.as_str()).to_string()),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (at, (name, value)) in members.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&Json::from(name.as_str()).to_string());
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        other => out.push_str(&other.to_json_text().unwrap()),
    }
}
