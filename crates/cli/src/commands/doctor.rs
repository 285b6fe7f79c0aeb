//! `narthex doctor`: everything that can be wrong with an installation, looked at once, each with what to do.

use std::path::Path;

use anyhow::Context as _;
use narthex_clock::Clock;
use narthex_config::Paint;
use narthex_doctor::Findings;
use narthex_server::assemble;
use narthex_server::store::{self, Purpose};

use super::terminal::OutputStyle;
use super::{Answer, print, tell};
use crate::args::DoctorArgs;

/// Looks at the installation, or at a deployment, and prints what was found.
pub(super) async fn run(args: DoctorArgs) -> anyhow::Result<Answer> {
    let (findings, report) = match &args.url {
        Some(url) => {
            let token = match &args.token_file {
                Some(path) => Some(token(path)?),
                None => None,
            };
            (narthex_doctor::deployment(url, token.as_deref()).await?, None)
        }
        None => installation(&args.config.path).await?,
    };
    if args.output.json {
        print(&format!("{}\n", findings.to_json()))?;
    } else {
        if let Some(report) = report {
            tell(&report);
        }
        print(&findings.to_text(OutputStyle::of_stdout()))?;
    }
    Ok(if findings.are_healthy() {
        Answer::Yes
    } else {
        Answer::No
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
async fn installation(path: &Path) -> anyhow::Result<(Findings, Option<String>)> {
    let reading = narthex_config::read(path)?;
    let is_clean = reading.warnings() == 0 && reading.is_usable();
    let report = (!is_clean).then(|| reading.report(Paint::of_stderr()));
    let open = async |location: &_| store::open(location, Purpose::Command).await;
    let name = path.display().to_string();
    let now_ms = Clock::system().now_ms();
    let findings = narthex_doctor::installation(&name, reading, open, assemble::new_organizations, now_ms).await;
    Ok((findings, report))
}
