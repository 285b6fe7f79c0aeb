//! A second build and a second packaging, which have to make the same bytes.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result, bail};

use super::{Release, archive, binary, empty_folder, folder, make};

/// Builds and packages again, in another target directory, and compares.
pub(super) fn check(release: &Release, built: &Path) -> Result<()> {
    let first = digests(&release.out)?;
    let again = binary::build(&folder("build-again")?)?;
    if archive::digest(built)? != archive::digest(&again)? {
        bail!(
            "two builds of one commit differ: {} and {}; `diffoscope` shows where",
            built.display(),
            again.display()
        );
    }
    let second = Release {
        out: empty_folder("out-again")?,
        ..release.clone()
    };
    make(&second, built)?;
    compare(&first, &digests(&second.out)?)?;
    println!("\nA second build and a second packaging made the same bytes.");
    Ok(())
}

/// Names and digests of `SHA256SUMS`.
fn digests(folder: &Path) -> Result<BTreeMap<String, String>> {
    let list = fs::read_to_string(folder.join("SHA256SUMS"))?;
    let line = |line: &str| {
        let (digest, name) = line.split_once("  ").context("a line of SHA256SUMS has no digest")?;
        Ok((name.to_owned(), digest.to_owned()))
    };
    list.lines().map(line).collect()
}

fn compare(first: &BTreeMap<String, String>, second: &BTreeMap<String, String>) -> Result<()> {
    if first.keys().ne(second.keys()) {
        bail!("two packagings made different files");
    }
    let differ: Vec<&str> = first
        .iter()
        .filter(|(name, digest)| second.get(*name) != Some(*digest))
        .map(|(name, _)| name.as_str())
        .collect();
    if differ.is_empty() {
        return Ok(());
    }
    bail!("two packagings of one binary differ in {}", differ.join(", "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_differs_is_named() {
        let list = |digest: &str| BTreeMap::from([("a.deb".to_owned(), digest.to_owned())]);
        assert!(compare(&list("1"), &list("1")).is_ok());
        let error = compare(&list("1"), &list("2")).unwrap_err();
        assert!(error.to_string().contains("a.deb"), "{error}");
        assert!(compare(&list("1"), &BTreeMap::new()).is_err());
    }
}
