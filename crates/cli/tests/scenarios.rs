//! Plays every file of `tests/scenarios/` against the binary: one test each, under the file's name.
//!
//! A new scenario is a new file and nothing else; `tests/scenarios/README.md` describes the format.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use libtest_mimic::{Arguments, Failed, Trial};
use narthex_testkit::Scenario;

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::from_args();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    anyhow::ensure!(!files.is_empty(), "there are no scenarios in {}", folder.display());
    files.sort();
    let trials = files.into_iter().map(|file| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Trial::test(name, move || play(&file))
    });
    Ok(libtest_mimic::run(&arguments, trials.collect()).exit_code())
}

fn play(file: &Path) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let binary = Path::new(env!("CARGO_BIN_EXE_narthex"));
    let outcome = Scenario::read(file).map(|scenario| runtime.block_on(scenario.play(binary)));
    outcome
        .and_then(|played| played)
        .map_err(|error| format!("{error:#}").into())
}
