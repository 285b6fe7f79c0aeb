//! Scenarios: files that say a configuration, organizations, tokens in order, and what the answers and the directory
//! must be after each; played against the running binary over HTTP. The format is described in
//! `crates/cli/tests/scenarios/README.md`.

mod check;
mod file;
mod play;

use std::path::Path;

use anyhow::{Context as _, Result};

pub use self::file::Scenario;

impl Scenario {
    /// Reads a scenario file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is no scenario", path.display()))
    }

    /// Reads the text of one.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(toml::from_str(text)?)
    }

    /// Plays it against the binary at `narthex`. The error says which step did not hold, and why.
    pub async fn play(&self, narthex: &Path) -> Result<()> {
        play::play(self, narthex).await
    }
}
