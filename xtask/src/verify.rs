//! `cargo xtask verify`: everything that is too long for `cargo xtask test`, before an issue is resolved or a release is made.
//!
//! It runs the tests, one of them with all its events, a long look of the fuzzer, every package in a clean root, and every bench that has a bar. A step that fails does not hide the next one:
//! all of them run, and the last lines say what each came to. A bench prints `met` or `MISSED` beside its bar; a bar that is
//! missed is a failure. `cargo xtask verify fuzz P7` runs these parts only, to repeat what failed.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    command::{self, program},
    fuzz::{self, Plan},
    package, setup,
    test::{self, Extent},
};

/// Random inputs for each target of the fuzzer.
const FUZZ_RUNS: &str = "1000000";

/// Variable with the number of events that the test of webhooks sends.
const WEBHOOK_EVENTS: &str = "NARTHEX_WEBHOOK_EVENTS";

/// The benches that have a bar, and what `cargo bench` is told for each.
const BENCHES: [(&str, &[&str]); 9] = [
    ("P1", &["-p", "narthex-token"]),
    (
        "P2, P3",
        &["--profile", "dist", "-p", "narthex-cli", "--bench", "doors"],
    ),
    ("P4", &["-p", "narthex-store", "--", "p4"]),
    ("P5", &["-p", "narthex-store", "--", "p5"]),
    ("P6", &["-p", "narthex-store", "--", "p6"]),
    ("P7", &["-p", "narthex-cli", "--bench", "proxy"]),
    ("P8", &["-p", "narthex-mint"]),
    ("P9, P10", &["-p", "narthex-cli", "--bench", "memory"]),
    ("P13", &["-p", "narthex-cli", "--bench", "console"]),
];

/// Runs the named parts, or everything if none is named.
pub(crate) fn run(parts: &[&str]) -> Result<()> {
    let chosen = choose(parts)?;
    setup::run()?;
    let mut outcomes = Vec::new();
    for part in chosen {
        let outcome = match part {
            TESTS => test::run(Extent::Everything).map(|()| Vec::new()),
            LONG => long().map(|()| Vec::new()),
            FUZZ => Plan::read(&["--runs", FUZZ_RUNS])
                .and_then(|plan| fuzz::run(&plan))
                .map(|()| Vec::new()),
            PACKAGE => package::run(package::Extent::Everything).map(|()| Vec::new()),
            bars => match BENCHES.iter().find(|(name, _)| *name == bars) {
                Some((_, arguments)) => bench(arguments),
                None => bail!("there is no bench `{bars}`"),
            },
        };
        outcomes.push((part, outcome));
    }
    report(&outcomes)
}

const TESTS: &str = "tests";
const LONG: &str = "long";
const FUZZ: &str = "fuzz";
const PACKAGE: &str = "package";

/// Returns the named parts in the order in which they run; all of them if none is named. A bench is named by one of its bars.
fn choose(named: &[&str]) -> Result<Vec<&'static str>> {
    let all: Vec<&'static str> = [TESTS, LONG, FUZZ, PACKAGE]
        .into_iter()
        .chain(BENCHES.map(|(bars, _)| bars))
        .collect();
    let is = |part: &str, name: &str| part.split(", ").any(|word| word.eq_ignore_ascii_case(name));
    if let Some(unknown) = named.iter().find(|name| !all.iter().any(|part| is(part, name))) {
        bail!("`{unknown}` is no part of it; the parts are {}", all.join(", "));
    }
    let chosen = all
        .into_iter()
        .filter(|part| named.is_empty() || named.iter().any(|name| is(part, name)));
    Ok(chosen.collect())
}

/// Runs the tests that the other run makes shorter.
fn long() -> Result<()> {
    let mut tests = program("cargo", &["nextest", "run", "--locked", "-p", "narthex-cli"]);
    tests
        .args(["-E", "test(webhooks_survive)"])
        .env(WEBHOOK_EVENTS, "10000");
    command::run(&mut tests)
}

/// Runs a bench and gives the lines about its bars.
fn bench(arguments: &[&str]) -> Result<Vec<String>> {
    let mut command = program("cargo", &["bench", "--locked"]);
    command.args(arguments);
    judge(echoed(&mut command)?)
}

/// The lines about bars among those that a bench printed.
///
/// # Errors
///
/// When there is none, or a bar was missed.
fn judge(lines: Vec<String>) -> Result<Vec<String>> {
    let bars: Vec<String> = lines
        .into_iter()
        .filter(|line| line.ends_with(": met") || line.ends_with(": MISSED"))
        .collect();
    if bars.is_empty() {
        bail!("it said nothing of a bar");
    }
    if bars.iter().any(|line| line.ends_with(": MISSED")) {
        bail!("{}", bars.join("\n"));
    }
    Ok(bars)
}

/// Runs a command whose lines are printed as they come, and gives them.
fn echoed(command: &mut Command) -> Result<Vec<String>> {
    println!("\n$ cargo {:?}", command.get_args().collect::<Vec<_>>());
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo could not be started")?;
    let output = child.stdout.take().context("the command has no output")?;
    let mut lines = Vec::new();
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        lines.push(line.trim_end().to_owned());
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("it failed ({status})");
    }
    Ok(lines)
}

/// Prints what every step came to.
///
/// # Errors
///
/// When any of them failed.
fn report(outcomes: &[(&str, Result<Vec<String>>)]) -> Result<()> {
    println!("\nWhat it came to:");
    let mut failed = Vec::new();
    for (name, outcome) in outcomes {
        match outcome {
            Ok(lines) if lines.is_empty() => println!("  {name}: passed"),
            Ok(lines) => lines.iter().for_each(|line| println!("  {line}")),
            Err(error) => {
                println!("  {name}: FAILED: {error:#}");
                failed.push(*name);
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!("failed: {}", failed.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_that_is_missed_or_not_spoken_of_fails() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let met = "compiling\nP1 1.1 (bar 1.2): met\nP2 1.2 (bar 1.3): met";
        assert_eq!(judge(lines(met)).unwrap().len(), 2);
        let missed = judge(lines("P1 1.3 (bar 1.2): MISSED\nP2 1.2 (bar 1.3): met")).unwrap_err();
        assert!(missed.to_string().contains("P1 1.3"), "{missed}");
        assert!(judge(lines("nothing to say")).is_err());
    }

    #[test]
    fn a_command_is_heard_and_its_failure_told() {
        let mut command = Command::new("sh");
        assert_eq!(
            echoed(command.args(["-c", "echo one; echo two"])).unwrap(),
            ["one", "two"]
        );
        assert!(echoed(Command::new("sh").args(["-c", "echo one; exit 3"])).is_err());
    }

    #[test]
    fn parts_are_chosen_by_name() {
        assert_eq!(choose(&[]).unwrap().len(), 4 + BENCHES.len());
        assert_eq!(choose(&["P10", "fuzz"]).unwrap(), ["fuzz", "P9, P10"]);
        assert!(choose(&["P99"]).unwrap_err().to_string().contains("P2, P3"));
    }

    #[test]
    fn one_failed_step_fails_the_whole() {
        let passed = || Ok(vec!["P1: met".to_owned()]);
        assert!(report(&[("P1", passed()), ("fuzz", Ok(Vec::new()))]).is_ok());
        let failed = report(&[("P1", passed()), ("fuzz", Err(anyhow::anyhow!("a panic")))]).unwrap_err();
        assert_eq!(failed.to_string(), "failed: fuzz");
    }
}
