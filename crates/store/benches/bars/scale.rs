//! What a million people cost: first use, an unchanged user and changed tags on PostgreSQL, with 1,000,000 users, 100,000
//! organizations and 300,000 tags against a thousandth of each.
//!
//! Both databases are filled by `narthex_store::population`, are on one server and are measured in turns, so that whatever
//! else the machine does meets both alike. The cost is the processor time of this program and of the server together; the
//! time that passes is printed beside it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use narthex_directory::{ActiveIssuers, CountingIds, Directory, SyncPolicy, sync};
use narthex_store::population::{BEGIN_MS, Population};
use narthex_store::{PostgresDirectory, PostgresOptions};
use narthex_testkit::postgres::OwnServer;
use narthex_testkit::setup;
use tokio::time::Instant;

use crate::median;
use crate::p4::CLIENTS;

const SIZES: [(&str, Population); 2] = [("small", Population::THOUSAND), ("large", Population::MILLION)];
const ROUNDS: usize = 28;
/// So many rounds do not count.
const WARM_UP: usize = 3;
/// How many uses make a round, each of another user: no more than the small database has for each kind.
const USES: u64 = 480;

/// So many uses come before, in each database: every process of the server then has the pages that it needs in its own
/// table of pages, as after some minutes of use. Filling those tables is a tenth of all that is done otherwise.
const WARM_UP_USES: u64 = 100_000;
/// Connections of the program, as the configuration has it by default.
const CONNECTIONS: usize = 16;

/// A quarter of the memory that a server of such a directory has (16 GiB), as PostgreSQL's manual recommends, in place of
/// what does for a test. Both databases are in it before anything is measured, as after some time of use.
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

/// One database and what has been done to it.
struct Place {
    population: Population,
    directory: Arc<dyn Directory>,
    /// How many of each were made.
    made: [u64; 3],
    /// Milliseconds since the users came.
    clock: Arc<AtomicU64>,
}

pub(crate) async fn run() {
    setup::install("postgresql").unwrap();
    let server = OwnServer::start_with_settings(SETTINGS).unwrap();
    let mut places = Vec::new();
    for (name, population) in SIZES {
        let begun = Instant::now();
        server.create_database(name).unwrap();
        let options = PostgresOptions::parse(&server.url(name)).unwrap();
        narthex_store::population::fill_postgres(population, &options, &mut |_| {})
            .await
            .unwrap();
        println!("scale: {name} filled in {:.0} s", begun.elapsed().as_secs_f64());
        let options = options.with_connections(CONNECTIONS);
        server.sql(name, WARM).unwrap();
        places.push(Place {
            population,
            directory: Arc::new(PostgresDirectory::open(&options).await.unwrap()),
            made: [0; 3],
            clock: Arc::default(),
        });
    }
    for place in &mut places {
        place.uses(Use::Unchanged, 0..WARM_UP_USES).await;
    }
    server.sql("postgres", "CHECKPOINT").unwrap();
    let mut ratios: [[Vec<f64>; 2]; 3] = Default::default();
    for round in 0..ROUNDS {
        for (kind, (what, _)) in Use::ALL.into_iter().enumerate() {
            let mut costs = Vec::new();
            for place in &mut places {
                let (cpu, begun) = (cpu_seconds(&server), Instant::now());
                place.round(what, kind).await;
                let count = f64::from(u32::try_from(USES).unwrap());
                let passed = begun.elapsed().as_secs_f64();
                costs.push([(cpu_seconds(&server) - cpu) / count, passed / count]);
            }
            if round >= WARM_UP {
                for (measure, ratios) in ratios[kind].iter_mut().enumerate() {
                    ratios.push(costs[1][measure] / costs[0][measure]);
                }
            }
            if round + 1 == ROUNDS {
                let [[cpu, passed], [large_cpu, large_passed]] = [costs[0], costs[1]].map(|cost| cost.map(|s| s * 1e6));
                println!(
                    "scale: the last round: {cpu:.0} and {large_cpu:.0} us of processors, {passed:.0} and {large_passed:.0} us passed"
                );
            }
        }
    }
    for ((_, name), [cpu, passed]) in Use::ALL.into_iter().zip(ratios) {
        println!(
            "scale: {name} with 1,000,000 users, 100,000 organizations, 300,000 tags: {:.2} x of a thousandth of them \
             (bar 1.5); by the clock {:.2} x",
            median(cpu),
            median(passed)
        );
    }
}

impl Place {
    /// So many uses by 32 clients; then what a node does once a second.
    async fn round(&mut self, what: Use, kind: usize) {
        let begun = self.made[kind];
        self.made[kind] += USES;
        self.uses(what, begun..begun + USES).await;
        self.directory.poll_versions().await.unwrap();
    }

    async fn uses(&self, what: Use, numbers: Range<u64>) {
        let clients = (0..CLIENTS).map(|client| {
            let (directory, clock, population) =
                (Arc::clone(&self.directory), Arc::clone(&self.clock), self.population);
            let numbers = numbers.clone();
            tokio::spawn(async move {
                for number in numbers.filter(|number| number % CLIENTS == client) {
                    one(&*directory, population, what, number, &clock).await;
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
    }
}

async fn one(directory: &dyn Directory, population: Population, what: Use, number: u64, clock: &AtomicU64) {
    let users = population.users;
    // Everybody has come by then, and has come within the hour.
    let now_ms = BEGIN_MS + 1_000_000 + i64::try_from(clock.fetch_add(1, Ordering::Relaxed)).unwrap();
    let mut ids = CountingIds((1 << 60) + (number << 8));
    // A step that has no factor in common with either number of users comes to each of them in the end. The unchanged are
    // not those whose tags change.
    let step = number.wrapping_mul(7_919);
    let desired = match what {
        Use::First => population.desired(users + number, now_ms),
        Use::Unchanged => population.desired(step % (users / 2), now_ms),
        Use::Changed => {
            let user = users / 2 + step % (users / 2);
            if (number / (users / 2)).is_multiple_of(2) {
                population.desired_with_others(user, now_ms)
            } else {
                population.desired(user, now_ms)
            }
        }
    };
    let synced = sync(
        directory,
        &desired.unwrap(),
        &SyncPolicy::default(),
        &ActiveIssuers::default(),
        now_ms,
        &mut ids,
    )
    .await
    .unwrap();
    let changes = match what {
        Use::First => 3,
        Use::Unchanged => 0,
        Use::Changed => 4,
    };
    assert_eq!(synced.plan.changes.len(), changes);
    assert_eq!(synced.principal.memberships().len(), 2);
}

/// Of this program and of the server.
fn cpu_seconds(server: &OwnServer) -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks: f64 = fields
        .split(' ')
        .skip(11)
        .take(2)
        .map(|field| field.parse::<f64>().unwrap())
        .sum();
    ticks / 100.0 + server.cpu_seconds().unwrap()
}
