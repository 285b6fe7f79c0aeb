//! `narthex connection run|headers`: a document from a file, its parameters, a request, a judgement.

pub(super) mod inputs;

use narthex_clock::{Clock, random_bytes};
use narthex_connection::{Connection, ErrorType, Facts, Minted, Outcome, Request, Run, RunError, Step};
use narthex_fetch::outbound::{ConnectionError, Policy, Sender, drive};
use narthex_template::Zone;
use serde_json::{Map, Value as Json, json};

use super::input::usage_error;
use super::terminal::{escape_line, escape_lines, moment};
use super::{Answer, print, tell};
use crate::args::{ConnectionHeadersArgs, ConnectionInputs, ConnectionRunArgs};

/// Sends the requests of a document, or shows the first one.
pub(super) async fn run(args: ConnectionRunArgs) -> anyhow::Result<Answer> {
    if args.dry_run {
        dry_run(&args)
    } else {
        send(&args).await
    }
}

/// A run that is ready to begin, and what it may know of the world.
struct PreparedRun {
    connection: Connection,
    run: Run,
    zone: Zone,
    at_ms: Option<i64>,
    given: Vec<String>,
}

impl PreparedRun {
    /// `None` if the document cannot be understood; standard error says why.
    fn new(args: &ConnectionInputs) -> anyhow::Result<Option<Self>> {
        let zone = Zone::named(&args.timezone).ok_or_else(|| {
            usage_error(format!(
                "`{}` is no time zone of the tz database; write one such as `Europe/Prague`",
                args.timezone
            ))
        })?;
        // Randomness must not fail half-way: whether the system has any is asked before.
        random_bytes::<1>()?;
        let Some(connection) = inputs::document(&args.file)?.map(|(_, connection)| connection) else {
            return Ok(None);
        };
        let inputs = inputs::inputs(args)?;
        let given = inputs.parameters.keys().cloned().collect();
        Ok(Some(Self {
            run: Run::new(&connection, inputs),
            connection,
            zone,
            at_ms: args.at,
            given,
        }))
    }

    /// The first request; `None` if there is none, or if it cannot be made: standard error says why.
    fn first(&mut self) -> Option<Box<Request>> {
        let facts = facts(&self.zone, self.at_ms);
        match self.run.next(&facts) {
            Ok(Step::Send(request)) => Some(request),
            Ok(Step::Wait { .. } | Step::Done(_)) => {
                tell("no request is sent: every `condition` of the document is false");
                None
            }
            Err(error) => {
                tell(&error.render());
                self.tell_missing();
                None
            }
        }
    }

    /// A parameter that was not given is the usual reason for a failure, and seldom what the failure says.
    fn tell_missing(&self) {
        let missing: Vec<String> = self
            .connection
            .parameter_names()
            .filter(|name| !self.given.iter().any(|given| given == name))
            .map(|name| format!("`{name}`"))
            .collect();
        if !missing.is_empty() {
            tell(&format!(
                "note: the document reads parameters that were not given: {}",
                missing.join(", ")
            ));
        }
    }
}

fn facts(zone: &Zone, at_ms: Option<i64>) -> Facts<'_> {
    Facts {
        now_ms: at_ms.unwrap_or_else(|| Clock::system().now_ms()),
        zone,
        random: &inputs::fill,
    }
}

/// Prints the headers of a document's first request.
pub(super) fn headers(args: &ConnectionHeadersArgs) -> anyhow::Result<Answer> {
    let Some(mut prepared) = PreparedRun::new(&args.inputs)? else {
        return Ok(Answer::UsageError);
    };
    let Some(request) = prepared.first() else {
        return Ok(Answer::No);
    };
    let text = if args.output.json {
        json_line(&Json::Object(header_members(&request.headers)))
    } else {
        lines(&request.headers)
    };
    print(&text).map(|()| Answer::Yes)
}

fn dry_run(args: &ConnectionRunArgs) -> anyhow::Result<Answer> {
    let Some(mut prepared) = PreparedRun::new(&args.inputs)? else {
        return Ok(Answer::UsageError);
    };
    let Some(request) = prepared.first() else {
        return Ok(Answer::No);
    };
    // SECURITY: what may be shown, never the request itself.
    let request = request.redacted();
    let text = if args.output.json {
        json_line(&json!({
            "method": request.method,
            "url": request.url,
            "headers": header_members(&request.headers),
            "body": request.body,
        }))
    } else {
        escape_lines(&request.to_string())
    };
    let count = prepared.connection.request_count();
    if count > 1 {
        tell(&format!(
            "note: this is the first of {count} requests; what follows depends on its answer"
        ));
    }
    print(&text).map(|()| Answer::Yes)
}

async fn send(args: &ConnectionRunArgs) -> anyhow::Result<Answer> {
    let Some(mut prepared) = PreparedRun::new(&args.inputs)? else {
        return Ok(Answer::UsageError);
    };
    let (zone, at_ms) = (prepared.zone.clone(), prepared.at_ms);
    let sender = Sender::new(Policy::open());
    let result = drive(&mut prepared.run, &sender, || facts(&zone, at_ms)).await;
    match result {
        Ok(outcome) => {
            let text = if args.output.json {
                json_line(&outcome_json(&outcome, prepared.run.minted()))
            } else {
                outcome_lines(&outcome)
            };
            print(&text).map(|()| Answer::Yes)
        }
        Err(error) => {
            if args.output.json {
                print(&json_line(&json!({ "error": error_json(&error) })))?;
            }
            tell(&escape_lines(&error_text(&error)));
            if !matches!(error, ConnectionError::Outbound { .. }) {
                prepared.tell_missing();
            }
            Ok(Answer::No)
        }
    }
}

fn error_text(error: &ConnectionError) -> String {
    match error {
        ConnectionError::Run(RunError::Judged { kind, message, status }) => {
            format!("{kind} (status {status}): {message}")
        }
        ConnectionError::Run(error) => error.render(),
        other @ ConnectionError::Outbound { .. } => other.to_string(),
    }
}

fn error_json(error: &ConnectionError) -> Json {
    match error {
        ConnectionError::Run(RunError::Judged { kind, message, status }) => {
            json!({ "type": kind.name(), "message": message, "status": status })
        }
        ConnectionError::Outbound { message, .. } => {
            json!({ "type": ErrorType::Connection.name(), "message": message })
        }
        other @ ConnectionError::Run(_) => json!({ "type": ErrorType::Runtime.name(), "message": other.to_string() }),
    }
}

fn outcome_lines(outcome: &Outcome) -> String {
    let mut lines = Vec::new();
    lines.extend(
        outcome
            .uid
            .as_deref()
            .map(|uid| format!("uid       {}", escape_line(uid))),
    );
    if let Some((kind, label)) = &outcome.metadata {
        lines.push(format!("metadata  {} ({})", escape_line(label), kind.name()));
    }
    lines.extend(
        outcome
            .expires_at_ms
            .map(|at_ms| format!("expires   {}", moment(at_ms))),
    );
    if !outcome.data.is_empty() {
        // SECURITY: names only; values are what a connection keeps secret.
        let names: Vec<String> = outcome.names.iter().map(|name| escape_line(name)).collect();
        lines.push(format!("data      {}", names.join(", ")));
    }
    if lines.is_empty() {
        lines.push("done".to_owned());
    }
    lines.join("\n") + "\n"
}

fn outcome_json(outcome: &Outcome, minted: &[Minted]) -> Json {
    let minted: Vec<Json> = minted
        .iter()
        .map(|token| {
            json!({
                "algorithm": token.algorithm,
                "header": token.header_names,
                "claims": token.claim_names,
                "sha256": token.sha256,
            })
        })
        .collect();
    let metadata = outcome.metadata.as_ref();
    json!({
        "uid": outcome.uid,
        "metadata": metadata.map(|(kind, label)| json!({ "type": kind.name(), "value": label })),
        "expires_at_ms": outcome.expires_at_ms,
        "data": outcome.data,
        "output": outcome.output,
        "minted": minted,
    })
}

/// A list for a header that is sent several times.
fn header_members(headers: &[(String, String)]) -> Map<String, Json> {
    let mut members = Map::new();
    for (name, value) in headers {
        match members.get_mut(name) {
            Some(Json::Array(values)) => values.push(Json::from(value.as_str())),
            Some(first) => *first = json!([first.clone(), value]),
            None => {
                members.insert(name.clone(), Json::from(value.as_str()));
            }
        }
    }
    members
}

fn lines(headers: &[(String, String)]) -> String {
    headers.iter().fold(String::new(), |mut text, (name, value)| {
        text.push_str(&format!("{name}: {value}\n"));
        text
    })
}

fn json_line(json: &Json) -> String {
    format!("{json}\n")
}
