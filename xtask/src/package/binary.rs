//! The binary that is shipped: the `dist` profile, static, with the list of its dependencies inside.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail};

use super::{argument, tools};
use crate::command::{self, output, program, root};

/// Builds the binary in a target directory.
pub(super) fn build(target: &Path) -> Result<PathBuf> {
    let mut command = program(
        "cargo",
        &[
            "auditable",
            "build",
            "--locked",
            "--profile",
            "dist",
            "--package",
            "narthex-cli",
        ],
    );
    command.args(["--target", tools::TARGET]);
    prepare(&mut command, target)?;
    command::run(&mut command)?;
    let binary = target.join(tools::TARGET).join("dist/narthex");
    look(&binary)?;
    Ok(binary)
}

/// Sets the environment in which two machines build the same bytes: each path of this one is written as another.
fn prepare(command: &mut Command, target: &Path) -> Result<()> {
    let home = home()?;
    // The last one that fits counts, and the target directory is inside of the repository.
    let paths = [(root(), "/narthex"), (home, "/cargo"), (target.to_owned(), "/target")];
    let rust = paths
        .iter()
        .map(|(path, name)| format!("--remap-path-prefix={}={name}", path.display()));
    let c = paths
        .iter()
        .map(|(path, name)| format!("-ffile-prefix-map={}={name}", path.display()));
    command
        .env("CARGO_TARGET_DIR", target)
        // Separated by the unit separator: a path may have a space in it.
        .env("CARGO_ENCODED_RUSTFLAGS", rust.collect::<Vec<_>>().join("\u{1f}"))
        .env("CFLAGS_x86_64_unknown_linux_musl", c.collect::<Vec<_>>().join(" "))
        .env("PATH", with_tools()?);
    Ok(())
}

/// Cargo's home, where the sources of the dependencies are.
fn home() -> Result<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    match home.or_else(|| env::home_dir().map(|home| home.join(".cargo"))) {
        Some(home) => Ok(home),
        None => bail!("this user has no home directory; set `CARGO_HOME`"),
    }
}

/// `PATH` with the installed tools first: `cargo auditable` looks for its program there.
pub(super) fn with_tools() -> Result<std::ffi::OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let tools = root().join("target/tools/bin");
    Ok(env::join_paths([tools].into_iter().chain(env::split_paths(&path)))?)
}

/// Looks at what was built: static, stripped, and without a path of this machine.
fn look(binary: &Path) -> Result<()> {
    let path = argument(binary);
    let headers = output(&mut program(
        "readelf",
        &["--program-headers", "--sections", "--wide", &path],
    ))?;
    if headers.contains("INTERP") {
        bail!("{path} asks for a dynamic linker, so it is not static");
    }
    if headers.contains(".symtab") {
        bail!("{path} is not stripped");
    }
    if !headers.contains(".dep-v0") {
        bail!("{path} has no list of its dependencies; `cargo auditable` adds it");
    }
    let texts = output(&mut program("strings", &["--bytes=8", &path]))?;
    let here = [argument(&root()), argument(&home()?)];
    match texts.lines().find(|line| here.iter().any(|path| line.contains(path))) {
        None => Ok(()),
        Some(line) => bail!("{path} has a path of this machine in it: {line}"),
    }
}
