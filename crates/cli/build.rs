//! Has the linker put the functions that a start runs beside each other.
//!
//! The system brings a program into memory by the neighbourhood. What runs until a node is ready is a quarter of the code,
//! but as the compiler leaves it, something of it is in nearly every neighbourhood. Why, and what it gives:
//! docs/decisions/0007-order-of-code.md. The names are from `cargo xtask order`.

use std::{env, fs, io, path::PathBuf};

/// The functions, each with `*` for what differs from build to build.
const NAMES: &str = "start.txt";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={NAMES}");
    // A build for debugging is linked often and its code lies otherwise; other systems' linkers know no such script.
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_OS", "linux") {
        return Ok(());
    }
    let Some(folder) = env::var_os("OUT_DIR") else {
        return Err(io::Error::other("cargo names no folder for what is built"));
    };
    let path = PathBuf::from(folder).join("start.ld");
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
