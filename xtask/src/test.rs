//! `cargo xtask test`: every check there is, the quick ones first, stopping at the first that fails.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::{
    command::{self, program, succeeds},
    fuzz::{self, Plan},
    setup,
};

/// How much to run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it, installing what is missing.
    Everything,
    /// What needs neither the network nor another program.
    Quick,
}

/// One check; an error when it does not hold.
type Step = fn() -> Result<()>;

/// Runs the steps in order and prints how long each took.
fn run_steps(steps: &[(&str, Step)]) -> Result<()> {
    let mut taken = Vec::new();
    for (name, step) in steps {
        let start = now();
        step().with_context(|| format!("step `{name}`"))?;
        taken.push((name, now().saturating_sub(start)));
    }
    println!("\nAll of it passed:");
    for (name, duration) in taken {
        println!("  {name:<10} {:>5} s", duration.as_secs());
    }
    Ok(())
}

/// Runs every test of the chosen extent.
pub(crate) fn run(extent: Extent) -> Result<()> {
    match extent {
        Extent::Everything => run_steps(&[
            ("format", format),
            ("setup", setup::run),
            ("lints", lints),
            ("tests", tests),
            ("doctests", doctests),
            ("documents", documents),
            ("fuzz", fuzz),
        ]),
        Extent::Quick => run_steps(&[("format", format), ("lints", lints), ("units", units)]),
    }
}

fn format() -> Result<()> {
    command::run(&mut program("cargo", &["fmt", "--all", "--check"]))
}

fn lints() -> Result<()> {
    command::run(&mut program(
        "cargo",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ],
    ))
}

fn tests() -> Result<()> {
    if succeeds(&mut program("cargo", &["nextest", "--version"])) {
        return command::run(&mut program("cargo", &["nextest", "run", "--workspace", "--locked"]));
    }
    println!("\ncargo-nextest is not installed: `cargo test` runs the same tests, more slowly");
    command::run(&mut program(
        "cargo",
        &[
            "test",
            "--workspace",
            "--locked",
            "--lib",
            "--bins",
            "--tests",
            "--no-fail-fast",
        ],
    ))
}

fn units() -> Result<()> {
    command::run(&mut program(
        "cargo",
        &["test", "--workspace", "--locked", "--lib", "--bins"],
    ))
}

fn doctests() -> Result<()> {
    command::run(&mut program("cargo", &["test", "--workspace", "--locked", "--doc"]))
}

fn documents() -> Result<()> {
    command::run(program("cargo", &["doc", "--workspace", "--locked", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

fn fuzz() -> Result<()> {
    fuzz::run(&Plan::smoke())
}

/// Time since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "how long a step took is for the reader of the log only"
)]
pub(crate) fn now() -> Duration {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default()
}
