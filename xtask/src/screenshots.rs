//! `cargo xtask screenshots`: the pictures of the documents, taken by the test that looks whether they can be.

use anyhow::Result;

use crate::command::{self, program};

/// Name of the test in `crates/cli/tests/it/browser/screenshots.rs`.
const TEST: &str = "browser::screenshots::the_pictures_of_the_documents_show_the_demo";

/// Takes them and writes `docs/images`.
pub(crate) fn run() -> Result<()> {
    let arguments = ["test", "--locked", "--package", "narthex-cli", "--test", "it", TEST];
    command::run(program("cargo", &arguments).env("UPDATE", "1"))
}
