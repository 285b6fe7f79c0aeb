//! What the tests of this crate share.

use narthex_connection::{Connection, Facts, Inputs, Limits, Outcome, Request, Response, Run, Step};
use narthex_template::Zone;

/// 2023-11-14T22:13:20.123Z
pub(crate) const NOW_MS: i64 = 1_700_000_000_123;

pub(crate) fn facts(zone: &Zone) -> Facts<'_> {
    Facts {
        now_ms: NOW_MS,
        zone,
        random: &|buffer| buffer.fill(7),
    }
}

/// What a run did, as text: every request as it is sent and as it is shown, every wait, and the end.
pub(crate) fn transcript(source: &str, inputs: Inputs, responses: &[Response]) -> String {
    let connection = match Connection::compile(source, &Limits::default()) {
        Ok(connection) => connection,
        Err(problems) => return problems.render("connection.json"),
    };
    let zone = Zone::utc();
    let mut run = Run::new(&connection, inputs);
    let mut lines = Vec::new();
    let mut responses = responses.iter();
    let end = loop {
        match run.next(&facts(&zone)) {
            Ok(Step::Send(request)) => {
                lines.extend(sent(&request));
            }
            Ok(Step::Wait { delay_ms }) => {
                lines.push(format!("wait {delay_ms}\n"));
                continue;
            }
            Ok(Step::Done(outcome)) => {
                lines.extend(given(*outcome));
                break "done".to_owned();
            }
            Err(error) => break told(&error),
        }
        let Some(response) = responses.next() else {
            break "no answer".to_owned();
        };
        let answered = run.answer(response, &facts(&zone));
        if let Some(shown) = run.redacted_response() {
            lines.push(format!("shown response {}", shown.status));
            lines.extend(shown.headers.iter().map(|(name, value)| format!("{name}: {value}")));
            lines.extend(shown.body.iter().map(|body| format!("\n{body}")));
            lines.push(String::new());
        }
        if let Err(error) = answered {
            break told(&error);
        }
    };
    lines.push(end);
    for minted in run.minted() {
        lines.push(format!(
            "minted {} header {} claims {} sha256 {}",
            minted.algorithm,
            minted.header_names.join(","),
            minted.claim_names.join(","),
            minted.sha256
        ));
    }
    lines.join("\n")
}

fn sent(request: &Request) -> Vec<String> {
    let mut lines = Vec::new();
    lines.push(format!("send {} {}", request.method, request.url));
    lines.extend(request.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    let options = [
        (request.gzip, "gzip"),
        (!request.follow_redirects, "no-redirects"),
        (request.ca.is_some(), "ca"),
    ];
    let options: Vec<&str> = options
        .iter()
        .filter(|(is_on, _)| *is_on)
        .map(|(_, name)| *name)
        .collect();
    if !options.is_empty() {
        lines.push(format!("options {}", options.join(" ")));
    }
    if !request.body.is_empty() {
        lines.push(format!("\n{}", String::from_utf8_lossy(&request.body)));
    }
    lines.push(format!("\nshown {}", request.redacted()));
    lines
}

fn given(outcome: Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(outcome.uid.map(|uid| format!("uid {uid}")));
    lines.extend(
        outcome
            .metadata
            .map(|(kind, label)| format!("metadata {} {label}", kind.name())),
    );
    if !outcome.data.is_empty() {
        lines.push(format!("data {}", serde_json::Value::Object(outcome.data)));
    }
    lines.extend(outcome.expires_at_ms.map(|ms| format!("expires {ms}")));
    lines.extend(outcome.output.map(|output| format!("output {output}")));
    lines
}

fn told(error: &narthex_connection::RunError) -> String {
    match error {
        narthex_connection::RunError::Judged { kind, message, status } => {
            format!("error {kind} (status {status}): {message}")
        }
        other => format!("failed {}", other.render()),
    }
}
