//! For benches: they have what they compare with installed, where a test says what to do and fails.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::repository;

/// Has `cargo xtask setup` put something in place (`node`, `postgresql`, `envoy`). It says what it does, and does nothing where
/// nothing is missing.
pub fn install(what: &str) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["xtask", "setup", what])
        .current_dir(repository())
        .status()
        .context("Cargo could not be started")?;
    ensure!(status.success(), "`cargo xtask setup {what}` failed ({status})");
    Ok(())
}
