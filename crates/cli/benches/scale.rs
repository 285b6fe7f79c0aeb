//! What a request costs among a million people: first use, an unchanged user whom the node has not seen lately, and changed
//! tags, through the program, with 1,000,000 users, 100,000 organizations and 300,000 tags in PostgreSQL against a thousandth
//! of each.
//!
//! `cargo bench -p narthex-cli --bench scale`
//!
//! A node for each database, one server for both, measured in turns. The cost is the processor time of the node and of the
//! server together. Every token is a new one, and no account is kept between two uses of a user, so that each use looks into
//! the store. The store's own part is `cargo bench -p narthex-store -- scale`.

mod door;

use std::time::Duration;

use anyhow::{Context as _, Result};
use narthex_store::PostgresOptions;
use narthex_store::population::Population;
use narthex_testkit::postgres::OwnServer;
use narthex_testkit::{IdentityProvider, Narthex, TestIssuer, TestKey, setup};

use crate::door::Door;

const SIZES: [(&str, Population); 2] = [("small", Population::THOUSAND), ("large", Population::MILLION)];
const CONNECTIONS: u64 = 32;
const ROUNDS: usize = 16;
/// So many rounds do not count.
const WARM_UP: usize = 3;
/// How many uses make a round, each of another user: no more than the small database has for each kind.
const USES: u64 = 480;
/// So many uses of unchanged users come before, in each database: every process of the server then has most of the pages
/// that it needs in its own table of pages, as after some minutes of use.
const WARM_UP_USES: u64 = 40_000;
/// A quarter of the memory that a server of such a directory has (16 GiB), as PostgreSQL's manual recommends.
const SETTINGS: &str = "shared_buffers = 4GB\nmax_wal_size = 4GB\nautovacuum_naptime = 1min\n";
const WARM: &str = "CREATE EXTENSION pg_prewarm; SELECT sum(pg_prewarm(c.oid)) FROM pg_class c \
     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind IN ('r', 'i')";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    First,
    Unchanged,
    Changed,
}

impl Use {
    const ALL: [(Self, &'static str); 3] = [
        (Self::First, "first use"),
        (Self::Unchanged, "unchanged"),
        (Self::Changed, "changed tags"),
    ];
}

/// A database with its node.
struct Place {
    population: Population,
    narthex: Narthex,
    issuer: TestIssuer,
    /// How many uses of each kind were made.
    made: [u64; 3],
}

fn main() -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(measure())
}

async fn measure() -> Result<()> {
    let provider = IdentityProvider::start(&[TestKey::Rsa1])?;
    setup::install("postgresql")?;
    let server = OwnServer::start_with_settings(SETTINGS)?;
    let mut places = Vec::new();
    for (name, population) in SIZES {
        places.push(place(name, population, &server, &provider).await?);
    }
    for place in &places {
        place.uses(Use::Unchanged, 0..WARM_UP_USES).await?;
    }
    server.sql("postgres", "CHECKPOINT")?;
    let mut ratios: [Vec<f64>; 3] = Default::default();
    for round in 0..ROUNDS {
        for ((what, _), ratios) in Use::ALL.into_iter().zip(&mut ratios) {
            let mut costs = Vec::new();
            for place in &mut places {
                let before = place.cpu_seconds()? + server.cpu_seconds()?;
                place.round(what).await?;
                costs.push(place.cpu_seconds()? + server.cpu_seconds()? - before);
            }
            if let ([small, large], true) = (costs.as_slice(), round >= WARM_UP) {
                ratios.push(large / small);
            }
        }
    }
    for ((_, name), mut ratios) in Use::ALL.into_iter().zip(ratios) {
        ratios.sort_by(f64::total_cmp);
        println!(
            "{name} with 1,000,000 users, 100,000 organizations, 300,000 tags: {:.2} x of a thousandth of them (at most 1.5)",
            ratios.get(ratios.len() / 2).context("a median")?
        );
    }
    Ok(())
}

async fn place(name: &str, population: Population, server: &OwnServer, provider: &IdentityProvider) -> Result<Place> {
    server.create_database(name)?;
    let url = server.url(name);
    let options = PostgresOptions::parse(&url)?;
    narthex_store::population::fill_postgres(population, &options, &mut |_| {}).await?;
    server.sql(name, WARM)?;
    let config = format!(
        "[listen]\ntrusted_proxies = [\"127.0.0.1\"]\n[log]\nlevel = \"warn\"\n[store]\nurl_file = \"store-url\"\n\
         [cache]\naccounts = \"1KiB\"\n\
         [[issuer]]\nname = \"idp\"\nrealm = \"main\"\nissuer = \"{}\"\ndiscovery = true\naudiences = [\"narthex\"]\n\
         [issuer.mapping.user]\nemail = \"{{{{payload.email}}}}\"\n\
         name = \"{{{{payload.name}}}}\"\n[issuer.tags]\nclaim = \"groups\"\n\
         [[route]]\npath = \"/{{*rest}}\"\nrequire = \"authenticated\"\n",
        provider.url()
    );
    let narthex = Narthex::builder(env!("CARGO_BIN_EXE_narthex"))
        .config(&config)?
        .file("store-url", url + "\n")
        .start()
        .await?;
    Ok(Place {
        population,
        narthex,
        issuer: TestIssuer::new(&provider.url()),
        made: [0; 3],
    })
}

impl Place {
    /// So many uses; then what a node does once a second has time.
    async fn round(&mut self, what: Use) -> Result<()> {
        let Some(made) = self.made.get_mut(what as usize) else {
            return Ok(());
        };
        let begun = *made;
        *made += USES;
        self.uses(what, begun..begun + USES).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(())
    }

    async fn uses(&self, what: Use, numbers: std::ops::Range<u64>) -> Result<()> {
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..CONNECTIONS {
            let (address, issuer, population) = (self.narthex.address(), self.issuer.clone(), self.population);
            let numbers = numbers.clone();
            clients.spawn(async move {
                let mut door = Door::open(&address).await?;
                for number in numbers.filter(|number| number % CONNECTIONS == client) {
                    door.ask(&token(&issuer, population, what, number)?).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(client) = clients.join_next().await {
            client??;
        }
        Ok(())
    }

    /// Processor time of the node so far.
    fn cpu_seconds(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.narthex.process_id()))?;
        let (_, fields) = stat.rsplit_once(") ").context("/proc is not as on Linux")?;
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<f64>);
        Ok(ticks.sum::<Result<f64, _>>()? / 100.0)
    }
}

/// A new token of a user. The unchanged are not those whose tags change.
fn token(issuer: &TestIssuer, population: Population, what: Use, number: u64) -> Result<String> {
    let users = population.users;
    // A step that has no factor in common with either number of users comes to each of them in the end.
    let step = number.wrapping_mul(7_919);
    let desired = match what {
        Use::First => population.desired(users + number, 0)?,
        Use::Unchanged => population.desired(step % (users / 2), 0)?,
        Use::Changed => {
            let user = users / 2 + step % (users / 2);
            if (number / (users / 2)).is_multiple_of(2) {
                population.desired_with_others(user, 0)?
            } else {
                population.desired(user, 0)?
            }
        }
    };
    door::token(issuer, desired, &format!("{what:?}-{number}"))
}
