//! Archives whose bytes depend on nothing but their contents, and digests.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::{Release, argument};
use crate::command::{self, output, program};

/// Permissions of files that every user may read, and run if their owner may.
pub(super) const READABLE: &str = "u=rwX,go=rX";

/// Part of an archive: what `folder` has under `names`, owned by `owner`.
pub(super) struct Part<'p> {
    pub(super) folder: &'p Path,
    pub(super) names: &'p [&'p str],
    /// User and group, by number.
    pub(super) owner: &'p str,
    /// Permissions as `chmod` takes them, so that the umask of the machine does not count.
    pub(super) mode: &'p str,
}

/// Writes an archive: sorted, with the time of the commit, and with numbers instead of the names of users.
pub(super) fn tar(release: &Release, path: &Path, parts: &[Part<'_>]) -> Result<()> {
    if path.exists() {
        fs::remove_file(path).with_context(|| format!("removing {}", path.display()))?;
    }
    for (index, part) in parts.iter().enumerate() {
        let mut command = program("tar", &[if index == 0 { "--create" } else { "--append" }]);
        command
            .args(["--format=ustar", "--sort=name", "--numeric-owner"])
            .args([
                format!("--file={}", argument(path)),
                format!("--mtime=@{}", release.epoch),
                format!("--mode={}", part.mode),
                format!("--owner={}", part.owner),
                format!("--group={}", part.owner),
                format!("--directory={}", argument(part.folder)),
            ])
            .args(part.names);
        command::run(&mut command)?;
    }
    Ok(())
}

/// Compresses a file; the time and the name of the original stay out. Returns the path of the result.
pub(super) fn gzip(path: &Path) -> Result<PathBuf> {
    command::run(&mut program(
        "gzip",
        &["--force", "--no-name", "--best", &argument(path)],
    ))?;
    let mut name = path.as_os_str().to_owned();
    name.push(".gz");
    Ok(PathBuf::from(name))
}

/// SHA-256 of a file, in hex.
pub(super) fn digest(path: &Path) -> Result<String> {
    let line = output(&mut program("sha256sum", &[&argument(path)]))?;
    let digest = line.split_whitespace().next().context("`sha256sum` printed nothing")?;
    Ok(digest.to_owned())
}

/// Writes `SHA256SUMS` beside the files of a folder.
pub(super) fn digests(folder: &Path) -> Result<()> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .context("a file has a name")?
            .to_string_lossy()
            .into_owned();
        if name != "SHA256SUMS" {
            lines.push(format!("{}  {name}\n", digest(&path)?));
        }
    }
    // By name, as the file is read by people.
    lines.sort_unstable_by(|one, other| one.get(64..).cmp(&other.get(64..)));
    fs::write(folder.join("SHA256SUMS"), lines.concat())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(folder: &Path) -> Release {
        Release {
            version: "1.2.3".to_owned(),
            epoch: "1700000000".to_owned(),
            out: folder.to_owned(),
        }
    }

    #[test]
    fn an_archive_depends_on_its_contents_only() {
        let folder = tempfile::tempdir().unwrap();
        let mut digests = Vec::new();
        for (run, names) in [("one", ["b", "a"]), ("two", ["a", "b"])] {
            let source = folder.path().join(run);
            fs::create_dir_all(source.join("d")).unwrap();
            for name in names {
                fs::write(source.join("d").join(name), name).unwrap();
            }
            let archive = folder.path().join(format!("{run}.tar"));
            let part = Part {
                folder: &source,
                names: &["d"],
                owner: "0",
                mode: READABLE,
            };
            tar(&release(folder.path()), &archive, &[part]).unwrap();
            digests.push(digest(&gzip(&archive).unwrap()).unwrap());
        }
        assert_eq!(digests[0], digests[1]);
    }

    #[test]
    fn the_list_of_digests_names_every_file_once() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.deb", "a.rpm"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        digests(folder.path()).unwrap();
        digests(folder.path()).unwrap();
        let list = fs::read_to_string(folder.path().join("SHA256SUMS")).unwrap();
        let names: Vec<&str> = list.lines().filter_map(|line| line.split("  ").nth(1)).collect();
        assert_eq!(names, ["a.rpm", "b.deb"]);
    }
}
