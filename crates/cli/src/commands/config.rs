//! `narthex config check|default|schema`

use std::io::{self, Write};

use super::{Answer, print};
use crate::args::{ConfigCommand, Output};
use narthex_config::Paint;

/// Runs it.
pub(super) fn run(command: ConfigCommand) -> anyhow::Result<Answer> {
    match command {
        ConfigCommand::Check { config, file, output } => check(&file.unwrap_or(config.path), output),
        ConfigCommand::Default => print(&narthex_config::default_file()).map(|()| Answer::Yes),
        ConfigCommand::Schema => print(&narthex_config::schema()).map(|()| Answer::Yes),
    }
}

fn check(path: &std::path::Path, output: Output) -> anyhow::Result<Answer> {
    let reading = narthex_config::read(path)?;
    if output.json {
        print(&format!("{}\n", serde_json::to_string_pretty(&reading.rows())?))?;
    } else {
        let paint = Paint::of_stderr();
        // Ignored: there is no other way to report it.
        let _ = io::stderr().lock().write_all(reading.report(paint).as_bytes());
    }
    Ok(if reading.is_usable() { Answer::Yes } else { Answer::No })
}
