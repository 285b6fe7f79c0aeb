//! The checker of markup: npm `html-validate`, by the HTML standard and WCAG.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::process::run;
use crate::repository;

/// Checks every page of a folder (`*.html`), and returns their number.
///
/// # Errors
///
/// Each rule that a page breaks, with its line.
pub fn check(folder: &Path) -> Result<usize> {
    let mut pages: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "html") {
            pages.push(path);
        }
    }
    pages.sort();
    let count = pages.len();
    pages.insert(0, repository().join("e2e/node/check-pages.mjs"));
    run("node", &pages).context("the pages are not clean, or `cargo xtask setup` has not run")?;
    Ok(count)
}
