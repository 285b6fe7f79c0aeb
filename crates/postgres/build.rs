//! The migrations are embedded by a macro, whose file names cargo does not see.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
