//! `cargo xtask generate`: a full directory to try things in. The work is done by an example of the store, built with
//! optimizations; building it here would make every chore wait for two database drivers.

use anyhow::Result;

use crate::command::{self, program};

/// Fills what the arguments name.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let mut command = program(
        "cargo",
        &[
            "run",
            "--profile",
            "bench",
            "--locked",
            "--package",
            "narthex-store",
            "--features",
            "population",
            "--example",
            "populate",
            "--",
        ],
    );
    command.args(arguments);
    command::run(&mut command)
}
