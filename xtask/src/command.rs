//! Starting other programs, from the root of the repository, and saying so.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// A program to start in the root of the repository.
pub(crate) fn program(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(root());
    command
}

/// Runs `command`, its output going where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = rendered(command);
    println!("\n$ {line}");
    let status = command
        .status()
        .with_context(|| format!("`{line}` could not be started"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Runs what `make` gives up to three times: registries and mirrors hiccup.
pub(crate) fn run_with_retries(make: impl Fn() -> Command) -> Result<()> {
    let mut wait_seconds = 5;
    for attempt in 1..3 {
        match run(&mut make()) {
            Ok(()) => return Ok(()),
            Err(error) => {
                eprintln!("xtask: {error:#}; attempt {attempt} of 3, again in {wait_seconds} s");
            }
        }
        sleep(Duration::from_secs(wait_seconds));
        wait_seconds *= 4;
    }
    run(&mut make())
}

/// Whether `command` starts and ends well. Its output is discarded.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// What `command` prints, trimmed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let line = rendered(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("`{line}` could not be started"))?;
    if !output.status.success() {
        bail!("`{line}` failed ({})", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn rendered(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_is_an_error_that_names_it() {
        let error = run(&mut program("false", &["--x"])).unwrap_err();
        assert!(error.to_string().starts_with("`false --x` failed"), "{error}");
    }

    #[test]
    fn a_missing_program_is_an_error_that_names_it() {
        let error = run(&mut program("no-such-program", &[])).unwrap_err();
        assert!(error.to_string().contains("`no-such-program` could not be started"));
    }
}
