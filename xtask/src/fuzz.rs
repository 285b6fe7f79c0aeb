//! `cargo xtask fuzz`: builds the targets of `fuzz/` for libFuzzer and runs them.
//!
//! The compiler's own coverage pass feeds libFuzzer, so the installed toolchain is enough and nothing else has to be
//! installed. There is no sanitizer: what is fuzzed forbids `unsafe`, and what it must not do is panic, hang, or break what
//! the targets assert.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::command::{self, output, program, root};

/// The targets, with the folders of seeds that each begins from.
const TARGETS: [(&str, &[&str]); 6] = [
    ("template_compile", &["crates/template/tests/cases"]),
    ("template_eval", &["crates/template/tests/cases"]),
    ("token_verify", &["fuzz/seeds/token_verify"]),
    ("mint_options", &["fuzz/seeds/mint_options"]),
    ("connection_document", &["crates/connection/tests/cases"]),
    ("proxy_header", &["fuzz/seeds/proxy_header"]),
];

const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table";
const RUNS: u64 = 1_000_000;
const SMOKE_RUNS: u64 = 30_000;
/// Some executions sign with RSA, so that their number alone does not bound the time.
const SMOKE_SECONDS: u64 = 8;

/// What to run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Every target if none is named.
    target: Option<String>,
    runs: u64,
    seconds: Option<u64>,
}

impl Plan {
    /// Reads `[--smoke] [TARGET] [--runs N]`.
    pub(crate) fn read(arguments: &[&str]) -> Result<Self> {
        let mut plan = Self {
            target: None,
            runs: RUNS,
            seconds: None,
        };
        let mut left = arguments.iter();
        while let Some(argument) = left.next() {
            match *argument {
                "--smoke" => {
                    plan = Self {
                        target: plan.target,
                        ..Self::smoke()
                    }
                }
                "--runs" => {
                    let runs = left.next().context("`--runs` needs a number")?;
                    plan.runs = runs.parse().with_context(|| format!("`{runs}` is no number of runs"))?;
                }
                name if TARGETS.iter().any(|(target, _)| *target == name) => plan.target = Some(name.to_owned()),
                other => bail!("`{other}` is no target; there are {}", names()),
            }
        }
        Ok(plan)
    }

    /// A short look at every target.
    pub(crate) const fn smoke() -> Self {
        Self {
            target: None,
            runs: SMOKE_RUNS,
            seconds: Some(SMOKE_SECONDS),
        }
    }
}

fn names() -> String {
    TARGETS.map(|(target, _)| target).join(", ")
}

/// Builds all targets and runs those of the plan, one after the other. A finding is a failure that names its file.
pub(crate) fn run(plan: &Plan) -> Result<()> {
    let version = output(&mut program("rustc", &["-vV"]))?;
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("`rustc -vV` names no host")?;
    // A target is named so that the flags do not reach build scripts.
    command::run(
        program(
            "cargo",
            &["build", "--manifest-path", "fuzz/Cargo.toml", "--release", "--locked"],
        )
        .args(["--target", host, "--target-dir", "target/fuzz"])
        .env("RUSTFLAGS", FLAGS),
    )?;
    for (target, seeds) in TARGETS {
        if plan.target.as_deref().is_none_or(|wanted| wanted == target) {
            run_target(host, target, seeds, plan)?;
        }
    }
    Ok(())
}

fn run_target(host: &str, target: &str, seeds: &[&str], plan: &Plan) -> Result<()> {
    let corpus = format!("target/fuzz/corpus/{target}");
    let findings = format!("target/fuzz/findings/{target}/");
    for folder in [&corpus, &findings] {
        let folder = root().join(folder);
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let mut command = program(&format!("target/fuzz/{host}/release/{target}"), &[]);
    command
        .arg(&corpus)
        .args(seeds)
        .arg(format!("-artifact_prefix={findings}"))
        .arg(format!("-runs={}", plan.runs))
        .args([
            "-max_len=4096",
            "-timeout=10",
            "-rss_limit_mb=1024",
            "-verbosity=0",
            "-print_final_stats=1",
        ]);
    if target.starts_with("template") {
        command.arg("-dict=fuzz/template.dict");
    }
    if let Some(seconds) = plan.seconds {
        command.arg(format!("-max_total_time={seconds}"));
    }
    command::run(&mut command).with_context(|| {
        format!("`{target}` found something: its input is in {findings}; mend it, and make a test of it")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_in_any_order() {
        let plan = Plan::read(&["--runs", "5", "token_verify"]).unwrap();
        assert_eq!(
            plan,
            Plan {
                target: Some("token_verify".to_owned()),
                runs: 5,
                seconds: None
            }
        );
        assert_eq!(Plan::read(&["--smoke"]).unwrap(), Plan::smoke());
        assert_eq!(Plan::read(&[]).unwrap().runs, RUNS);
        for wrong in [&["nothing"][..], &["--runs"], &["--runs", "many"]] {
            assert!(Plan::read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn every_target_has_its_program_and_its_seeds() {
        let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
        assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
        for (target, seeds) in TARGETS {
            assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
            for folder in seeds {
                assert!(fs::read_dir(root().join(folder)).unwrap().next().is_some(), "{folder}");
            }
        }
    }
}
