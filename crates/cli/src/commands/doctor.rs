//! `narthex doctor`: everything that can be wrong with an installation, looked at once, each with what to do.

mod connections;
mod deployment;
mod issuers;
mod organizations;
mod ports;
mod store;
mod upstreams;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use narthex_clock::Clock;
use serde::Serialize;

use super::terminal::{OutputStyle, Tone, escape_line, escape_lines};
use super::{Answer, print, tell};
use crate::args::DoctorArgs;
use narthex_config::Paint;

/// Result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
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
pub(super) enum State {
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
    pub(super) fn new(area: &'static str, name: impl Into<String>, state: State, message: impl Into<String>) -> Self {
        Self {
            area,
            name: name.into(),
            state,
            message: message.into(),
        }
    }
}

/// Looks at the installation, or at a deployment, and prints what was found.
pub(super) async fn run(args: DoctorArgs) -> anyhow::Result<Answer> {
    let (findings, report) = match &args.url {
        Some(url) => {
            let token = match &args.token_file {
                Some(path) => Some(token(path)?),
                None => None,
            };
            (deployment::look(url, token.as_deref()).await?, None)
        }
        None => installation(&args.config.path).await?,
    };
    if args.output.json {
        print(&format!(
            "{}\n",
            serde_json::json!({
                "healthy": worst(&findings) != State::Problem,
                "findings": findings,
            })
        ))?;
    } else {
        if let Some(report) = report {
            tell(&report);
        }
        print(&text(&findings, OutputStyle::of_stdout()))?;
    }
    Ok(if worst(&findings) == State::Problem {
        Answer::No
    } else {
        Answer::Yes
    })
}

/// Reads a token from a file.
fn token(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("while reading `{}`", path.display()))?;
    let token = text.trim();
    let is_word = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    anyhow::ensure!(is_word, "`{}` does not hold one token", path.display());
    Ok(token.to_owned())
}

/// Looks at everything that belongs to an installation. Returns the report on its configuration, if there is anything in it.
async fn installation(path: &Path) -> anyhow::Result<(Vec<Finding>, Option<String>)> {
    let name = path.display().to_string();
    let reading = narthex_config::read(path)?;
    let mut findings = Vec::new();
    let report = reading.report(Paint::of_stderr());
    let warnings = reading.warnings();
    let usable = reading.is_usable();
    match reading.into_config(Paint::Plain) {
        Err(_) => {
            let message = "it cannot be used, so nothing else was checked; `narthex config check` shows its problems";
            findings.push(Finding::new("configuration", &name, State::Problem, message));
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
            findings.push(Finding::new("configuration", &name, state, about));
            let now_ms = Clock::system().now_ms();
            let seen = store::look(&config, now_ms).await;
            findings.extend(seen.organizations);
            findings.extend(issuers::look(&config.issuers, &config.limits, &seen.key_sets, now_ms).await);
            findings.extend(upstreams::look(&config.route_settings, &config.listen, &config.limits).await);
            findings.extend(seen.findings);
            findings.extend(ports::look(&config.listen).await);
        }
    }
    Ok((findings, (warnings > 0 || !usable).then_some(report)))
}

fn worst(findings: &[Finding]) -> State {
    if findings.iter().any(|finding| finding.state == State::Problem) {
        State::Problem
    } else if findings.iter().any(|finding| finding.state == State::Warning) {
        State::Warning
    } else {
        State::Good
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
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
