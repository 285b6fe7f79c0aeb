//! Has the linker put the functions that a start runs beside each other.
//!
//! The system brings a program into memory by the neighbourhood. What runs until a node is ready is a quarter of the code,
//! but as the compiler leaves it, something of it is in nearly every neighbourhood. Why, and what it gives:
//! docs/decisions/0007-order-of-code.md. The names are from `cargo xtask order`.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The functions, each with `*` for what differs from build to build.
const NAMES: &str = "start.txt";
/// The profile of what is shipped, which names the folder that it is built in: `target/dist/build/narthex-cli-…/out`.
const SHIPPED: &str = "dist";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={NAMES}");
    let Some(folder) = env::var_os("OUT_DIR").map(PathBuf::from) else {
        return Err(io::Error::other("cargo names no folder for what is built"));
    };
    // Only what is shipped: other builds are linked often, by whatever linker somebody likes best, and not every linker
    // knows such a script (`mold` and those of other systems do not).
    let profile = folder.ancestors().nth(3).and_then(Path::file_name);
    if profile.is_none_or(|profile| profile != SHIPPED) || !is("CARGO_CFG_TARGET_OS", "linux") {
        return Ok(());
    }
    let path = folder.join("start.ld");
    fs::write(&path, script(&fs::read_to_string(NAMES)?))?;
    println!("cargo::rustc-link-arg-bins=-Wl,--script={}", path.display());
    Ok(())
}

/// What cargo says about the build, which it does in the environment.
fn is(name: &str, value: &str) -> bool {
    env::var_os(name).is_some_and(|found| found == value)
}

/// A piece of a linker script, which adds to the linker's own. A name that is not there is no error.
fn script(names: &str) -> String {
    let mut script = String::from("SECTIONS {\n  .text.start : {\n    *(\n");
    for name in names.lines().filter(|line| !line.starts_with('#')) {
        // The compiler keeps apart what it takes to be unlikely.
        for kind in [".text.", ".text.unlikely."] {
            script.extend(["      ", kind, name, "\n"]);
        }
    }
    script.push_str("    )\n  }\n}\nINSERT BEFORE .text;\n");
    script
}
