//! `cargo xtask order`: sees which functions run until a node is ready, and writes their names where the binary's build
//! script has the linker put them beside each other.
//!
//! The list may be older than the code: a function that it does not know lies with the others, and a name that is no more
//! is passed over. So it is made again before a release, not with every change.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::command::{self, program, root, succeeds};

/// Where the names are kept.
const NAMES: &str = "crates/cli/start.txt";
const HEAD: &str = "\
# Functions that run until a node is ready. Written by `cargo xtask order`, read by build.rs beside this file.
";
const BINARY: &str = "target/dist/narthex";
const FOLDER: &str = "target/order";
/// The demo's ports begin here; its issuer is the one whose keys are fetched.
const DEMO_PORT: u16 = 18_740;
const ISSUER_PORT: u16 = DEMO_PORT + 2;
const PUBLIC_PORT: u16 = DEMO_PORT + 4;
const ADMIN_PORT: u16 = DEMO_PORT + 5;
/// Between two looks whether something has come about, and how many of them: watched, a program runs some fifty times as long.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const LOOKS: u32 = 900;
/// What a node does by itself when it has nothing to do, it does within this.
const IDLE: Duration = Duration::from_secs(10);

/// Builds what is shipped, watches it start, and writes what ran.
pub(crate) fn run() -> Result<()> {
    if !succeeds(&mut program("valgrind", &["--version"])) {
        bail!("valgrind watches the start; install it (`apt-get install valgrind`)");
    }
    // The names of functions, which a release is stripped of.
    let build = "rustc --locked --profile dist --package narthex-cli --bin narthex -- -C strip=none";
    command::run(&mut program("cargo", &build.split(' ').collect::<Vec<_>>()))?;
    let names = names(&watch_a_start()?);
    if names.len() < 1_000 {
        bail!("only {} functions were seen, a start has thousands", names.len());
    }
    let mut text = HEAD.to_owned();
    for name in &names {
        text.push_str(name);
        text.push('\n');
    }
    fs::write(root().join(NAMES), text).with_context(|| format!("while writing {NAMES}"))?;
    println!("{NAMES}: {} functions", names.len());
    Ok(())
}

/// Starts a node that fetches its issuer's keys, asks whether it is ready, leaves it alone and stops it. Gives what
/// callgrind wrote.
fn watch_a_start() -> Result<String> {
    let folder = root().join(FOLDER);
    // Only whether it can be made anew matters.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| format!("while making {FOLDER}"))?;
    fs::write(folder.join("narthex.toml"), configuration())?;
    let port = DEMO_PORT.to_string();
    let mut demo = Started::new(program(BINARY, &["demo", "--port", &port]).stdout(Stdio::null()))?;
    demo.wait(|| TcpStream::connect(("127.0.0.1", ISSUER_PORT)).is_ok())?;
    let watcher = [
        "--tool=callgrind",
        // Or one thread may wait for seconds while another runs.
        "--fair-sched=try",
        "--demangle=no",
        "--compress-strings=no",
        "--callgrind-out-file=target/order/callgrind.out",
    ];
    let mut node = Started::new(
        program("valgrind", &watcher)
            .args([BINARY, "serve", "--config"])
            .arg(folder.join("narthex.toml")),
    )?;
    node.wait(ready)?;
    sleep(IDLE);
    node.stop()?;
    fs::read_to_string(folder.join("callgrind.out")).context("callgrind wrote nothing")
}

fn configuration() -> String {
    format!(
        "[listen]\npublic = \"127.0.0.1:{PUBLIC_PORT}\"\nadmin = \"127.0.0.1:{ADMIN_PORT}\"\n\
         [store]\npath = \"narthex.db\"\n\
         [[issuer]]\nname = \"idp\"\nissuer = \"http://127.0.0.1:{ISSUER_PORT}\"\ndiscovery = true\n\
         audiences = [\"narthex\"]\n[issuer.mapping.user]\nemail = \"{{{{payload.email}}}}\"\n\
         [issuer.tags]\nclaim = \"groups\"\n\
         [[route]]\npath = \"/{{*rest}}\"\nrequire = \"authenticated\"\n"
    )
}

/// Whether the node says so.
fn ready() -> bool {
    let ask = || -> std::io::Result<Vec<u8>> {
        let mut door = TcpStream::connect(("127.0.0.1", ADMIN_PORT))?;
        door.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        door.read_to_end(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200"))
}

/// A process that does not outlive the chore.
struct Started(Child);

impl Started {
    fn new(command: &mut Command) -> Result<Self> {
        let name = Path::new(command.get_program()).display().to_string();
        let child = command
            .spawn()
            .with_context(|| format!("`{name}` could not be started"))?;
        Ok(Self(child))
    }

    /// Waits until it does what is expected of it.
    fn wait(&mut self, until: impl Fn() -> bool) -> Result<()> {
        for _ in 0..LOOKS {
            if until() {
                return Ok(());
            }
            if let Some(status) = self.0.try_wait()? {
                bail!("it ended instead of answering ({status})");
            }
            sleep(LOOK_EVERY);
        }
        bail!("nothing answers after {} s", (LOOKS * LOOK_EVERY).as_secs())
    }

    /// Asks it to end, and waits until it has.
    fn stop(&mut self) -> Result<()> {
        command::run(&mut program("kill", &["-TERM", &self.0.id().to_string()]))?;
        self.0.wait().context("while waiting for its end")?;
        Ok(())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It has ended already when it was stopped.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The functions of the binary that callgrind saw, as patterns of a linker script.
fn names(callgrind: &str) -> BTreeSet<String> {
    let mut ours = false;
    let mut names = BTreeSet::new();
    for line in callgrind.lines() {
        if let Some(object) = line.strip_prefix("ob=") {
            // Of what lies in a section of its own, as the functions of the list do, callgrind does not say whose it is.
            ours = object.ends_with(BINARY) || object == "???";
        } else if let Some(name) = line.strip_prefix("fn=")
            && ours
        {
            names.extend(pattern(name));
        }
    }
    names
}

/// A symbol without what changes with the compiler, the profile and the version of a crate; nothing for what is not the
/// name of a function.
fn pattern(symbol: &str) -> Option<String> {
    let mut pattern = match symbol.rsplit_once("17h") {
        Some((path, hash)) if symbol.starts_with("_ZN") && hash.len() > 16 => format!("{path}17h*"),
        _ => symbol.to_owned(),
    };
    if symbol.starts_with("_R") {
        pattern = without_crates_hashes(&pattern);
    }
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_.$*".contains(letter);
    let named = symbol.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    (named && pattern.chars().all(plain)).then_some(pattern)
}

/// In the newer names, `Cs` HASH `_` stands before each crate's name.
fn without_crates_hashes(symbol: &str) -> String {
    let mut pieces = symbol.split("Cs");
    let mut pattern = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        pattern.push_str("Cs");
        match piece.split_once('_') {
            Some((hash, rest)) if hash.chars().all(|letter| letter.is_ascii_alphanumeric()) => {
                pattern.push_str("*_");
                pattern.push_str(rest);
            }
            _ => pattern.push_str(piece),
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_loses_what_changes_from_build_to_build() {
        let cases = [
            ("_ZN5tokio3net3new17h0123456789abcdefE", Some("_ZN5tokio3net3new17h*")),
            (
                "_ZN5tokio3net3new17h0123456789abcdefE.llvm.12",
                Some("_ZN5tokio3net3new17h*"),
            ),
            ("_RNvNtCs1aZ_3std2rt10lang_start", Some("_RNvNtCs*_3std2rt10lang_start")),
            ("sqlite3_open_v2", Some("sqlite3_open_v2")),
            ("0x00000000004e6cc0", None),
            ("(below main)", None),
        ];
        for (symbol, expected) in cases {
            assert_eq!(pattern(symbol).as_deref(), expected, "{symbol}");
        }
    }

    #[test]
    fn only_functions_of_the_binary_are_named() {
        let written = "ob=/lib/libc.so.6\nfn=malloc\n0 3\nob=/src/target/dist/narthex\nfn=main\n0 5\ncfn=never\nfn=sqlite3_open\n\
                       ob=???\nfn=listed\nob=/lib/libc.so.6\nfn=free\n";
        assert_eq!(Vec::from_iter(names(written)), ["listed", "main", "sqlite3_open"]);
    }
}
