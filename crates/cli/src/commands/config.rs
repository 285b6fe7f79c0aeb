//! `narthex config check|default|schema`

use std::io::{self, Write};

use super::{Answer, print};
use crate::args::ConfigCommand;
use crate::config::{self, Paint};

/// Runs it.
pub(super) fn run(command: ConfigCommand) -> anyhow::Result<Answer> {
    match command {
        ConfigCommand::Check { config, file } => check(&file.unwrap_or(config.path)),
        ConfigCommand::Default => print(&config::default_file()).map(|()| Answer::Yes),
        ConfigCommand::Schema => print(&config::schema()).map(|()| Answer::Yes),
    }
}

fn check(path: &std::path::Path) -> anyhow::Result<Answer> {
    let reading = config::read(path)?;
    let paint = Paint::of_stderr();
    // Nobody is left to tell if this fails.
    let _ = io::stderr().lock().write_all(reading.report(paint).as_bytes());
    Ok(if reading.is_usable() { Answer::Yes } else { Answer::No })
}
