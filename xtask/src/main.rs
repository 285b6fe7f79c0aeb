//! The project's own chores, so that no other task runner has to be installed.
//!
//! `cargo xtask test` is the one command that runs every test there is; `.ci/run` calls nothing else.

mod command;
mod fuzz;
mod generate;
mod package;
mod screenshots;
mod setup;
mod test;
mod verify;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask CHORE

  test            install what the tests need, then formatting, lints, every test and the documents
  test --quick    formatting, lints and unit tests only: no installation, no processes, no network
  verify [PART]…  everything that is too long for `test`: the tests, a million random inputs for each fuzz target, the
                  packages, and every bench that has a bar; three hours, before an issue is resolved or a release is made.
                  A part is `tests`, `fuzz`, `package` or a bar (`P1`): only these run
  fuzz [--smoke] [TARGET] [--runs N]
                  throw a million random inputs at each libFuzzer target, or at one; findings go to target/fuzz
  generate URL|FILE [--users N] [--organizations N] [--tags N]
                  fill an empty PostgreSQL database or a new SQLite file with a million users, or with N
  package         build the binary that a release ships, make every package of it, and test each; as root, because the
                  image is tried in a chroot. Files go to target/package/out. The first run takes twenty minutes
  package --all   also build a second time, which has to give the same bytes, and go from each package to a first
                  decision in a clean Debian root
  screenshots     take the pictures of the documents (docs/images) anew, from the demo in a real browser
  setup           only install what the tests need (Debian packages, npm packages, Python packages)
  setup node|postgresql|envoy
                  only install what a bench compares with; the benches call this themselves
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["test"] => test::run(test::Extent::Everything),
        ["test", "--quick"] => test::run(test::Extent::Quick),
        ["verify", parts @ ..] => verify::run(parts),
        ["setup"] => setup::run(),
        ["setup", name] if let Some(peer) = setup::Peer::named(name) => peer.install(),
        ["fuzz", rest @ ..] => fuzz::Plan::read(rest).and_then(|plan| fuzz::run(&plan)),
        ["package"] => package::run(package::Extent::Packages),
        ["package", "--all"] => package::run(package::Extent::Everything),
        ["screenshots"] => screenshots::run(),
        ["generate", rest @ ..] => generate::run(rest),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
