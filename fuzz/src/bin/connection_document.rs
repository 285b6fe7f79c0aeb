//! Any text as a connection document, and any answer to what it sends: it compiles or every problem is told, the run ends,
//! and no secret of it is in what is shown.
//!
//! An input is a document, or a file of `crates/connection/tests/cases`, of which the document and the body of the first
//! response are taken.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use narthex_connection::{Connection, Facts, Inputs, Limits, Response, Run, Step};
use narthex_fuzz::NOW_MS;
use narthex_template::Zone;
use serde_json::json;

/// What the parameters of every run hold.
const SECRET: &str = "qJ7vX2mB9tR4wL8zK3nD";
const STEPS_MOST: usize = 50;

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(data) else {
        return Corpus::Reject;
    };
    if text.contains(SECRET) {
        return Corpus::Reject;
    }
    let (document, rest) = text.split_once("\n--- ").unwrap_or((text, ""));
    let connection = match Connection::compile(document, &Limits::default()) {
        Ok(connection) => connection,
        Err(problems) => {
            assert!(!problems.problems().is_empty());
            assert!(!problems.render("document.json").is_empty());
            return Corpus::Keep;
        }
    };
    let mut inputs = Inputs::default();
    for name in ["key", "clientId", "clientSecret", "apiKey"] {
        inputs.parameters.insert(name.to_owned(), json!(SECRET));
    }
    let mut run = Run::new(&connection, inputs);
    let zone = Zone::utc();
    let facts = Facts {
        now_ms: NOW_MS,
        zone: &zone,
        random: &|buffer| buffer.fill(7),
    };
    let response = Response {
        status: 200,
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: rest
            .split_once("\n\n")
            .map_or(rest, |(_, body)| body)
            .as_bytes()
            .to_vec(),
    };
    for _ in 0..STEPS_MOST {
        let answered = match run.next(&facts) {
            Ok(Step::Send(request)) => {
                let lines = request.headers.iter().flat_map(|(name, value)| [name, value]);
                assert!(
                    lines
                        .chain([&request.url])
                        .all(|line| !line.contains(['\r', '\n', '\0']))
                );
                hidden(&format!("{request:?}"));
                run.answer(&response, &facts)
            }
            Ok(Step::Wait { .. }) => Ok(()),
            Ok(Step::Done(_)) => break,
            Err(error) => Err(error),
        };
        hidden(&format!("{:?} {:?} {run:?}", run.redacted_request(), run.redacted_response()));
        if let Err(error) = answered {
            hidden(&format!("{error} {error:?} {}", error.render()));
            break;
        }
    }
    Corpus::Keep
});

fn hidden(shown: &str) {
    assert!(!shown.contains(SECRET), "a secret is shown: {shown}");
}
