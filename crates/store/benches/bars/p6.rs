//! P6: what a changed tag costs with few and with many organizations.

use narthex_conformance::world::World;
use narthex_directory::{CountingIds, NewOrganization, People};
use narthex_store::{Options, SqliteDirectory};
use tokio::time::Instant;

use crate::{median, verdict};

const SIZES: [usize; 3] = [10, 1_000, 100_000];
const SYNCS: u32 = 3_000;

pub(crate) async fn run() {
    let folder = tempfile::tempdir().unwrap();
    let mut directories = Vec::new();
    for size in SIZES {
        let directory = SqliteDirectory::open(&Options::new(folder.path().join(format!("{size}.db")))).unwrap();
        fill(&directory, size).await;
        directories.push((size, directory));
    }
    let mut worlds: Vec<(World<'_>, Vec<f64>)> = Vec::new();
    for (_, directory) in &directories {
        worlds.push((World::new(directory), Vec::new()));
    }
    // One after the other, so that whatever else the machine does meets all of them alike.
    for index in 0..SYNCS {
        for (world, micros) in &mut worlds {
            world.later(1_000);
            let tags = if index % 2 == 0 {
                ["g1", "g2", "admin-7"]
            } else {
                ["g1", "g2", "member-3"]
            };
            let token = world.tagged("ada", &tags);
            let begun = Instant::now();
            let synced = world.sync(&token).await;
            micros.push(begun.elapsed().as_secs_f64() * 1e6);
            assert!(index == 0 || synced.plan.changes.len() == 2);
        }
    }
    let medians: Vec<f64> = worlds.into_iter().map(|(_, micros)| median(micros)).collect();
    for (size, micros) in SIZES.iter().zip(&medians) {
        let ratio = micros / medians.first().unwrap();
        println!(
            "P6 sync of a changed tag, {size} organizations: {micros:.0} us, {ratio:.2} x of 10 (bar 1.2): {}",
            verdict(ratio <= 1.2)
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
