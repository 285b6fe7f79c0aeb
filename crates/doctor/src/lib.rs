//! Doctor: everything that can be wrong with an installation, looked at once, each with what to do.
//!
//! **In** come a configuration as it was read, and a way to open its store; or the address of a deployment. **Out** go findings,
//! as text or as JSON. Nothing is changed: a store that would have to be made or migrated is left as it is.

mod connections;
mod deployment;
mod issuers;
mod organizations;
mod ports;
mod store;
mod upstreams;

use std::fmt::Write as _;
use std::sync::Arc;

use narthex_config::{DeclaredOrganization, Paint, Reading, StoreLocation};
use narthex_directory::{Directory, NewOrganization};
use narthex_terminal::{OutputStyle, Tone, escape_line, escape_lines};
use serde::Serialize;

/// Result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    /// `configuration`, `issuer`, `organization`, `upstream`, `store`, `connection`, `assertion`, `port` or
    /// `deployment`.
    area: &'static str,
    /// Subject that was examined.
    name: String,
    state: State,
    /// Finding, and advice on how to solve it.
    message: String,
}

/// Outcome of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// Good.
    Good,
    /// Absent, which is not a problem.
    Absent,
    /// Works, but the operator should look at it.
    Warning,
    /// Does not work.
    Problem,
}

impl Finding {
    fn new(area: &'static str, name: impl Into<String>, state: State, message: impl Into<String>) -> Self {
        Self {
            area,
            name: name.into(),
            state,
            message: message.into(),
        }
    }
}

/// Results of all checks, in the order of their areas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

/// Gives the declared organizations the ids that they get if they are not there yet, at a time in milliseconds.
pub type DeclareOrganizations = fn(&[DeclaredOrganization], i64) -> anyhow::Result<Vec<NewOrganization>>;

/// Examines the deployment at an address whose path needs a token, with a token if there is one.
///
/// # Errors
///
/// An address that is none, or a deployment that does not answer at all.
pub async fn deployment(url: &str, token: Option<&str>) -> anyhow::Result<Findings> {
    deployment::look(url, token).await.map(Findings)
}

/// Looks at everything that belongs to the installation with this configuration, which is called `name`.
///
/// `open` opens its store beside a server that may run. It is called only if that changes nothing.
pub async fn installation<O>(
    name: &str,
    reading: Reading,
    open: O,
    declare: DeclareOrganizations,
    now_ms: i64,
) -> Findings
where
    O: AsyncFnOnce(&StoreLocation) -> anyhow::Result<Arc<dyn Directory>>,
{
    let mut findings = Vec::new();
    let warnings = reading.warnings();
    match reading.into_config(Paint::Plain) {
        Err(_) => {
            let message = "it cannot be used, so nothing else was checked; `narthex config check` shows its problems";
            findings.push(Finding::new("configuration", name, State::Problem, message));
        }
        Ok(config) => {
            let about = format!(
                "{}, {}, {}",
                count(config.issuers.len(), "issuer"),
                count(config.organizations.len(), "declared organization"),
                count(config.route_settings.len(), "route")
            );
            let (state, about) = match warnings {
                0 => (State::Good, about),
                _ => (
                    State::Warning,
                    format!("{about}; {}: see `narthex config check`", count(warnings, "warning")),
                ),
            };
            findings.push(Finding::new("configuration", name, state, about));
            let seen = store::look(&config, open, declare, now_ms).await;
            findings.extend(seen.organizations);
            findings.extend(issuers::look(&config.issuers, &config.limits, &seen.key_sets, now_ms).await);
            findings.extend(upstreams::look(&config.route_settings, &config.listen, &config.limits).await);
            findings.extend(seen.findings);
            findings.extend(ports::look(&config.listen).await);
        }
    }
    Findings(findings)
}

impl Findings {
    /// Tests whether nothing is wrong. A warning is not.
    pub fn are_healthy(&self) -> bool {
        self.0.iter().all(|finding| finding.state != State::Problem)
    }

    /// Returns the findings as JSON, for programs.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "healthy": self.are_healthy(),
            "findings": self.0,
        })
    }

    /// Returns the findings as text, for people.
    pub fn to_text(&self, style: OutputStyle) -> String {
        text(&self.0, style)
    }
}

fn text(findings: &[Finding], style: OutputStyle) -> String {
    let mut text = String::new();
    let mut area = "";
    for finding in findings {
        if finding.area != area {
            area = finding.area;
            let title = match area {
                "issuer" => "Issuers",
                "organization" => "Organizations",
                "upstream" => "Upstreams",
                "store" => "Store",
                "connection" => "Held connections",
                "port" => "Ports",
                "deployment" => "Deployment, from outside",
                "assertion" => "Assertion keys",
                _ => "Configuration",
            };
            let blank = if text.is_empty() { "" } else { "\n" };
            // Writing to a string cannot fail, here and below.
            let _ = writeln!(text, "{blank}{}", style.paint(Tone::Strong, title));
        }
        let beside = findings.iter().filter(|other| other.area == area);
        let width = beside.map(|other| other.name.chars().count()).max().unwrap_or(0);
        let mark = match finding.state {
            State::Good => style.paint(Tone::Good, "✓"),
            State::Absent => style.paint(Tone::Faint, "–"),
            State::Warning => style.paint(Tone::Odd, "!"),
            State::Problem => style.paint(Tone::Bad, "✗"),
        };
        let (name, message) = (escape_line(&finding.name), escape_lines(&finding.message));
        let _ = writeln!(text, "  {mark} {name:<width$}  {message}");
    }
    let of = |state| findings.iter().filter(|finding| finding.state == state).count();
    let summary = match (of(State::Problem), of(State::Warning)) {
        (0, 0) => style.paint(Tone::Good, "nothing is wrong"),
        (0, warnings) => style.paint(Tone::Odd, count(warnings, "warning")),
        (problems, 0) => style.paint(Tone::Bad, count(problems, "problem")),
        (problems, warnings) => style.paint(
            Tone::Bad,
            format!("{}, {}", count(problems, "problem"), count(warnings, "warning")),
        ),
    };
    let _ = writeln!(text, "\n{summary}");
    text
}

/// `1 issuer`, `2 issuers`.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
