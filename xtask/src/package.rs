//! `cargo xtask package`: everything that a release ships, from one static binary, and a test of each package.
//!
//! Files come out in `target/package/out`. Two runs on one commit make the same bytes: every time is that of the commit,
//! archives are sorted and owned by root, and paths of this machine are replaced in the binary.

mod archive;
mod binary;
mod image;
mod packages;
mod reproducible;
mod roots;
mod smoke;
mod stage;
mod tools;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::command::{output, program, root};

/// Facts about the release that every package repeats.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    /// Version of the workspace.
    version: String,
    /// Time of the commit, in seconds since 1970: `SOURCE_DATE_EPOCH` of <https://reproducible-builds.org>.
    epoch: String,
    /// Folder of the finished packages.
    out: PathBuf,
}

/// Files of a release.
#[derive(Debug)]
pub(crate) struct Packages {
    tarball: PathBuf,
    deb: PathBuf,
    rpm: PathBuf,
    image: PathBuf,
    chart: PathBuf,
}

/// Extent of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Build and a short test of each package.
    Packages,
    /// Also a second build, which has to make the same bytes, and the first hour of a user in clean roots.
    Everything,
}

impl Release {
    /// Reads the version and the time of the commit.
    fn read() -> Result<Self> {
        let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
        let version = workspace_version(&manifest).context("Cargo.toml has no version in [workspace.package]")?;
        let epoch = output(&mut program("git", &["log", "-1", "--format=%ct"]))?;
        if epoch.is_empty() || !epoch.bytes().all(|byte| byte.is_ascii_digit()) {
            bail!("`git log` gives no time of the last commit; package from a clone that has its history");
        }
        Ok(Self {
            version: version.to_owned(),
            epoch,
            out: folder("out")?,
        })
    }
}

/// The value of the first `version = "…"` of a manifest.
fn workspace_version(manifest: &str) -> Option<&str> {
    let line = manifest.lines().find_map(|line| line.strip_prefix("version = \""))?;
    line.strip_suffix('"')
}

/// A folder of `target/package`, created if it is missing.
fn folder(name: &str) -> Result<PathBuf> {
    let folder = root().join("target/package").join(name);
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    Ok(folder)
}

/// An empty folder of `target/package`.
fn empty_folder(name: &str) -> Result<PathBuf> {
    let path = folder(name)?;
    fs::remove_dir_all(&path).with_context(|| format!("emptying {}", path.display()))?;
    folder(name)
}

/// Path as an argument of a command.
fn argument(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Builds and tests all packages.
pub(crate) fn run(extent: Extent) -> Result<()> {
    tools::install()?;
    empty_folder("out")?;
    let release = Release::read()?;
    let built = binary::build(&folder("build")?)?;
    let packages = make(&release, &built)?;
    smoke::run(&release, &packages)?;
    if extent == Extent::Everything {
        reproducible::check(&release, &built)?;
        roots::run(&release, &packages)?;
    }
    println!(
        "\nPackages of version {} are in {}:",
        release.version,
        release.out.display()
    );
    print!("{}", fs::read_to_string(release.out.join("SHA256SUMS"))?);
    Ok(())
}

/// Makes every package of a binary, and the list of their digests.
fn make(release: &Release, built: &Path) -> Result<Packages> {
    let stage = stage::fill(built)?;
    let packages = Packages {
        tarball: packages::tarball(release, &stage)?,
        deb: packages::deb(release)?,
        rpm: packages::rpm(release)?,
        image: image::write(release, built)?,
        chart: packages::chart(release)?,
    };
    packages::bill_of_materials(release)?;
    archive::digests(&release.out)?;
    Ok(packages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_workspace() {
        let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
        let version = workspace_version(&manifest).unwrap();
        assert!(version.split('.').count() == 3, "{version}");
        assert_eq!(workspace_version("[package]\nname = \"x\"\n"), None);
    }
}
