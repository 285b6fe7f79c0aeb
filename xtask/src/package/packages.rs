//! Tarball, Debian package, RPM package, Helm chart and bill of materials.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{
    Release,
    archive::{self, Part},
    argument, binary, empty_folder, tools,
};
use crate::command::{self, program, root};

/// Writes the tarball: everything of the stage, under one folder with the version in its name.
pub(super) fn tarball(release: &Release, stage: &Path) -> Result<PathBuf> {
    let name = format!("narthex-{}-x86_64-linux", release.version);
    let parent = empty_folder("tarball")?;
    let folder = parent.join(&name);
    for (from, to) in [
        ("bin", "bin"),
        ("man1", "share/man/man1"),
        ("completions", "share/completions"),
        ("narthex.service", "share/narthex.service"),
        ("narthex.toml", "share/narthex.toml"),
        ("README", "README"),
        ("CHANGELOG.md", "CHANGELOG.md"),
        ("LICENSE-MIT", "LICENSE-MIT"),
        ("LICENSE-APACHE", "LICENSE-APACHE"),
    ] {
        let to = folder.join(to);
        fs::create_dir_all(to.parent().context("the tarball has a folder")?)?;
        command::run(&mut program(
            "cp",
            &["-R", &argument(&stage.join(from)), &argument(&to)],
        ))?;
    }
    let path = release.out.join(format!("{name}.tar"));
    let part = Part {
        folder: &parent,
        names: &[name.as_str()],
        owner: "0",
        mode: archive::READABLE,
    };
    archive::tar(release, &path, &[part])?;
    archive::gzip(&path)
}

/// Writes the Debian package, as `[package.metadata.deb]` of `crates/cli/Cargo.toml` describes it.
pub(super) fn deb(release: &Release) -> Result<PathBuf> {
    let path = release.out.join(format!("narthex_{}_amd64.deb", release.version));
    let mut command = tool(release, "cargo-deb", &[])?;
    command
        .args(["--package", "narthex-cli", "--no-build", "--no-strip", "--locked"])
        .args(["--target", tools::TARGET, "--profile", "dist"])
        .args(["--output", &argument(&path)]);
    command::run(&mut command)?;
    Ok(path)
}

/// Writes the RPM package, as `[package.metadata.generate-rpm]` of `crates/cli/Cargo.toml` describes it.
pub(super) fn rpm(release: &Release) -> Result<PathBuf> {
    let path = release.out.join(format!("narthex-{}.x86_64.rpm", release.version));
    let mut command = tool(release, "cargo-generate-rpm", &["generate-rpm"])?;
    command
        .args([
            "--package",
            "crates/cli",
            "--target",
            tools::TARGET,
            "--profile",
            "dist",
        ])
        .args([
            "--arch",
            "x86_64",
            "--auto-req",
            "disabled",
            "--source-date",
            &release.epoch,
        ])
        .args(["--output", &argument(&path)]);
    command::run(&mut command)?;
    Ok(path)
}

/// Writes the chart as Helm expects it: one folder, compressed.
pub(super) fn chart(release: &Release) -> Result<PathBuf> {
    let path = release.out.join(format!("narthex-chart-{}.tar", release.version));
    let part = Part {
        folder: &root().join("deploy/helm"),
        names: &["narthex"],
        owner: "0",
        mode: archive::READABLE,
    };
    archive::tar(release, &path, &[part])?;
    let compressed = archive::gzip(&path)?;
    let named = release.out.join(format!("narthex-chart-{}.tgz", release.version));
    fs::rename(&compressed, &named)?;
    Ok(named)
}

/// Writes the bill of materials: every crate of the binary with its version, licence and digest, as CycloneDX.
pub(super) fn bill_of_materials(release: &Release) -> Result<PathBuf> {
    let name = format!("narthex-{}.cdx", release.version);
    let mut command = tool(release, "cargo-cyclonedx", &["cyclonedx"])?;
    command
        .args([
            "--manifest-path",
            "crates/cli/Cargo.toml",
            "--format",
            "json",
            "--spec-version",
            "1.5",
        ])
        .args(["--target", tools::TARGET, "--override-filename", &name]);
    command::run(&mut command)?;
    // It writes one beside the manifest of every member of the workspace.
    let file = format!("{name}.json");
    for folder in members()? {
        let written = folder.join(&file);
        if !written.exists() {
            continue;
        }
        if folder.ends_with("crates/cli") {
            fs::copy(&written, release.out.join(&file))?;
        }
        fs::remove_file(&written)?;
    }
    let path = release.out.join(&file);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    // The path of the repository is no part of a component's name.
    fs::write(&path, text.replace(&argument(&root()), "/narthex"))?;
    Ok(path)
}

/// Folders of the members of the workspace.
fn members() -> Result<Vec<PathBuf>> {
    let mut folders = vec![root().join("xtask")];
    for entry in fs::read_dir(root().join("crates"))? {
        folders.push(entry?.path());
    }
    Ok(folders)
}

/// A tool of [`tools::install`], with the time of the commit as its clock.
fn tool(release: &Release, name: &str, arguments: &[&str]) -> Result<Command> {
    let mut command = program(&tools::path(name), arguments);
    command
        .env("SOURCE_DATE_EPOCH", &release.epoch)
        .env("CARGO_TARGET_DIR", root().join("target/package/build"))
        .env("PATH", binary::with_tools()?);
    Ok(command)
}
