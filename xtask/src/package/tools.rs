//! Programs that packaging needs, in versions that do not change under a release.

use anyhow::{Context as _, Result, bail};

use crate::command::{output, program, root, run_with_retries, succeeds};

/// Programs from crates.io, with their versions.
const CRATES: [(&str, &str); 4] = [
    ("cargo-deb", "3.8.0"),
    ("cargo-generate-rpm", "0.21.1"),
    ("cargo-auditable", "0.7.7"),
    ("cargo-cyclonedx", "0.5.9"),
];

/// Programs of the system: how to see that each is there, and the Debian package that has it.
const SYSTEM: [(&[&str], &str); 9] = [
    (&["musl-gcc", "--version"], "musl-tools"),
    (&["tar", "--version"], "tar"),
    (&["gzip", "--version"], "gzip"),
    (&["dpkg-deb", "--version"], "dpkg"),
    (&["rpm2cpio", "--version"], "rpm"),
    (&["cpio", "--version"], "cpio"),
    (&["readelf", "--version"], "binutils"),
    (&["strings", "--version"], "binutils"),
    (&["sha256sum", "--version"], "coreutils"),
];

/// Target of the binary: one file that runs on every Linux with this processor.
pub(super) const TARGET: &str = "x86_64-unknown-linux-musl";

/// Installs the crates into `target/tools` and the compiler's part for the target, and looks for the rest.
pub(super) fn install() -> Result<()> {
    for (probe, package) in SYSTEM {
        let (name, arguments) = probe.split_first().context("a tool has a name")?;
        // `rpm2cpio` knows no option and fails on a file that does not exist.
        let there = succeeds(&mut program(name, arguments)) || succeeds(&mut program("which", &[*name]));
        if !there {
            bail!("`{name}` is missing; run `apt-get install {package}` and then this again");
        }
    }
    let installed = output(&mut program("rustup", &["target", "list", "--installed"]))?;
    if !installed.lines().any(|line| line == TARGET) {
        run_with_retries(|| program("rustup", &["target", "add", TARGET]))?;
    }
    let tools = root().join("target/tools");
    let tools = tools.to_string_lossy();
    let list = output(&mut program("cargo", &["install", "--list", "--root", &tools])).unwrap_or_default();
    for (name, version) in CRATES {
        if is_installed(&list, name, version) {
            continue;
        }
        let wanted = format!("{name}@{version}");
        run_with_retries(|| {
            let mut command = program("cargo", &["install", "--locked", "--root", &tools, &wanted]);
            command.env("CARGO_TARGET_DIR", root().join("target/tools/build"));
            command
        })?;
    }
    Ok(())
}

/// Path of a program that [`install`] put in place.
pub(super) fn path(name: &str) -> String {
    root()
        .join("target/tools/bin")
        .join(name)
        .to_string_lossy()
        .into_owned()
}

/// Tests whether `cargo install --list` names this version.
fn is_installed(list: &str, name: &str, version: &str) -> bool {
    let line = format!("{name} v{version}:");
    list.lines().any(|found| found == line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_wanted_version_counts_as_installed() {
        let list = "cargo-deb v3.8.0:\n    cargo-deb\ncargo-auditable v0.7.6:\n    cargo-auditable\n";
        assert!(is_installed(list, "cargo-deb", "3.8.0"));
        assert!(!is_installed(list, "cargo-auditable", "0.7.7"));
    }
}
