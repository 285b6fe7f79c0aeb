//! P6: what a changed tag costs with few and with many organizations.

use narthex_directory::conformance::world::World;
use narthex_directory::{CountingIds, Directory, NewOrganization};
use narthex_store::{Options, SqliteDirectory};
use tokio::time::Instant;

use crate::median;

const SIZES: [usize; 3] = [10, 1_000, 100_000];
const ROUNDS: usize = 7;
const SYNCS: u32 = 400;

pub(crate) async fn run() {
    let folder = tempfile::tempdir().unwrap();
    let mut directories = Vec::new();
    for size in SIZES {
        let directory = SqliteDirectory::open(&Options::new(folder.path().join(format!("{size}.db")))).unwrap();
        fill(&directory, size).await;
        directories.push((size, directory));
    }
    let mut micros: Vec<Vec<f64>> = vec![Vec::new(); SIZES.len()];
    for round in 0..ROUNDS {
        for ((_, directory), micros) in directories.iter().zip(&mut micros) {
            micros.push(changes(directory, round).await);
        }
    }
    let medians: Vec<f64> = micros.into_iter().map(median).collect();
    for (size, micros) in SIZES.iter().zip(&medians) {
        println!(
            "P6 sync of a changed tag, {size} organizations: {micros:.0} us, {:.2} x of 10 (bar 1.2)",
            micros / medians[0]
        );
    }
}

async fn fill(directory: &SqliteDirectory, size: usize) {
    let mut world = World::new(directory);
    world.ids = CountingIds(1 << 60);
    let all: Vec<NewOrganization> = (0..size)
        .map(|index| {
            world.new_organization(
                &format!("org-{index}"),
                &format!("admin-{index}"),
                &format!("member-{index}, crew-{index}"),
            )
        })
        .collect();
    for chunk in all.chunks(500) {
        let waiting = chunk
            .iter()
            .map(|new| directory.create_organization(new.clone(), world.by()));
        for made in futures_util::future::join_all(waiting).await {
            made.unwrap();
        }
    }
}

async fn changes(directory: &SqliteDirectory, round: usize) -> f64 {
    let mut world = World::new(directory);
    world.ids = CountingIds(u64::try_from(round + 1).unwrap() << 40);
    world.later(i64::try_from(round).unwrap() * 10_000_000);
    let (one, two) = (["g1", "g2", "member-3"], ["g1", "g2", "admin-7"]);
    world.sync(&world.tagged("ada", &one)).await;
    let begun = Instant::now();
    for index in 0..SYNCS {
        world.later(1_000);
        let tags = if index % 2 == 0 { &two } else { &one };
        let synced = world.sync(&world.tagged("ada", tags)).await;
        assert_eq!(synced.plan.changes.len(), 2);
    }
    begun.elapsed().as_secs_f64() * 1e6 / f64::from(SYNCS)
}
