//! Bars P9 and P10 through the program itself: how much memory it takes idle, and with a million users in SQLite after a
//! hundred thousand distinct decisions; and how long it takes from its start until it is ready.
//!
//! `cargo bench -p narthex-cli --bench memory`
//!
//! Memory is the process's own (`RssAnon` in `/proc/PID/status`). Idle is measured with what is shipped, which is built for it
//! first. Each decision is made for another user with a token of its own.

mod door;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use narthex_store::Options;
use narthex_store::population::Population;
use narthex_testkit::{IdentityProvider, Narthex, TestIssuer, TestKey};
use tokio::time::Instant;

use crate::door::Door;

const POPULATION: Population = Population::MILLION;
const DECISIONS: u64 = 100_000;
const CONNECTIONS: u64 = 32;
const STARTS: usize = 7;
/// What the other bars are measured with.
const BENCHED: &str = env!("CARGO_BIN_EXE_narthex");

fn main() -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(measure())
}

async fn measure() -> Result<()> {
    let provider = IdentityProvider::start(&[TestKey::P256])?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("narthex.db");
    let config = |store: &str| {
        format!(
            "[listen]\ntrusted_proxies = [\"127.0.0.1\"]\n[log]\nlevel = \"warn\"\n{store}\
             [[issuer]]\nname = \"idp\"\nrealm = \"main\"\nissuer = \"{}\"\ndiscovery = true\naudiences = [\"narthex\"]\n\
             algorithms = [\"ES256\"]\n[issuer.mapping.user]\nemail = \"{{{{payload.email}}}}\"\n\
             name = \"{{{{payload.name}}}}\"\n[issuer.tags]\nclaim = \"groups\"\n\
             [[route]]\npath = \"/{{*rest}}\"\nrequire = \"authenticated\"\n",
            provider.url()
        )
    };
    let start = async |binary: &Path, store: &str| Narthex::builder(binary).config(&config(store))?.start().await;
    let benched = Path::new(BENCHED);
    for (binary, what) in [(shipped()?.as_path(), "as shipped"), (benched, "as benched")] {
        let idle = start(binary, "").await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let own = own_mib(&idle)?;
        println!("P9 idle, {what}: {own:.1} MiB (bar 10): {}", verdict(own <= 10.0));
    }

    let mut progress = |_| {};
    narthex_store::population::fill_sqlite(POPULATION, &Options::new(&file), &mut progress)?;
    let mut narthex = start(benched, &format!("[store]\npath = \"{}\"\n", file.display())).await?;
    let mut waits = Vec::new();
    for _ in 0..STARTS {
        narthex.terminate().await?;
        let begun = Instant::now();
        narthex.start_again().await?;
        waits.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    waits.sort_by(f64::total_cmp);
    let wait = *waits.get(STARTS / 2).context("a median")?;
    println!(
        "P10 start to ready with 1,000,000 users in SQLite: {wait:.0} ms (bar 150): {}",
        verdict(wait <= 150.0)
    );
    println!("P9 ready with 1,000,000 users: {:.1} MiB", own_mib(&narthex)?);
    decide(&narthex, &TestIssuer::new(&provider.url()).key(TestKey::P256)).await?;
    let own = own_mib(&narthex)?;
    println!(
        "P9 after {DECISIONS} distinct decisions: {own:.1} MiB (bar 150): {}",
        verdict(own <= 150.0)
    );
    Ok(())
}

/// Builds what is shipped and says where it is.
fn shipped() -> Result<PathBuf> {
    let build = ["build", "--locked", "--profile", "dist", "--package", "narthex-cli"];
    let built = Command::new(env!("CARGO")).args(build).status()?;
    ensure!(built.success(), "`cargo {}` failed ({built})", build.join(" "));
    // The folders of both profiles are beside each other.
    let targets = Path::new(BENCHED)
        .ancestors()
        .nth(2)
        .context("a binary in a folder of cargo's")?;
    Ok(targets.join("dist/narthex"))
}

/// A decision for each of many users, who are spread over all there are.
async fn decide(narthex: &Narthex, issuer: &TestIssuer) -> Result<()> {
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..CONNECTIONS {
        let (address, issuer) = (narthex.address(), issuer.clone());
        workers.spawn(async move {
            let mut door = Door::open(&address).await?;
            for number in (worker..DECISIONS).step_by(usize::try_from(CONNECTIONS)?) {
                door.ask(&token(&issuer, number * (POPULATION.users / DECISIONS))?)
                    .await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    Ok(())
}

/// The next token of a user who came once: it changes nothing.
fn token(issuer: &TestIssuer, user: u64) -> Result<String> {
    door::token(issuer, POPULATION.desired(user, 0)?, &format!("next-{user}"))
}

/// Verdict on a bar, in the words that `cargo xtask verify` looks for.
const fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// The process's own memory. Pages of the program's file belong to the system, which takes them back when it needs to.
fn own_mib(narthex: &Narthex) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", narthex.process_id()))?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    let kib: f64 = line
        .and_then(|line| line.split_whitespace().nth(1))
        .context("/proc is not as on Linux")?
        .parse()?;
    Ok(kib / 1_024.0)
}
