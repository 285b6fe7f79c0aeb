//! The same random walk in memory, in SQLite and in PostgreSQL: every answer agrees.

use narthex_conformance::session_walk::SessionWalk;
use narthex_conformance::walk::Walk;
use narthex_memory::MemoryDirectory;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_sqlite_agree(seed: u64, steps in 1..80_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let memory = MemoryDirectory::default();
            let (sqlite, _folder) = crate::open();
            agree([&memory, &*sqlite], seed, steps).await;
        });
    }
}

proptest! {
    // A walk takes a second here, most of it for a new database.
    #![proptest_config(ProptestConfig { cases: 25, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_both_databases_agree(seed: u64, steps in 20..80_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let memory = MemoryDirectory::default();
            let (sqlite, _folder) = crate::open();
            let (postgres, _database) = crate::postgres::open().await;
            agree([&memory, &*sqlite, &*postgres], seed, steps).await;
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn sessions_in_memory_and_sqlite_agree(seed: u64, steps in 1..80_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let memory = MemoryDirectory::default();
            let (sqlite, _folder) = crate::open();
            agree_on_sessions([&memory, &*sqlite], seed, steps).await;
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 25, ..ProptestConfig::default() })]

    #[test]
    fn sessions_in_memory_and_both_databases_agree(seed: u64, steps in 20..80_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let memory = MemoryDirectory::default();
            let (sqlite, _folder) = crate::open();
            let (postgres, _database) = crate::postgres::open().await;
            agree_on_sessions([&memory, &*sqlite, &*postgres], seed, steps).await;
        });
    }
}

async fn agree_on_sessions<const N: usize>(
    directories: [&dyn narthex_directory::Directory; N],
    seed: u64,
    steps: usize,
) {
    let mut walks = Vec::new();
    for directory in directories {
        walks.push(SessionWalk::new(directory, seed).await);
    }
    for step in 0..steps {
        let mut said = Vec::new();
        for walk in &mut walks {
            said.push(walk.step().await);
        }
        for says in &said {
            assert_eq!(&said[0], says, "step {step} of seed {seed}");
        }
    }
    let all = walks[0].everything().await;
    for walk in &walks {
        assert_eq!(all, walk.everything().await, "seed {seed}");
    }
}

async fn agree<const N: usize>(directories: [&dyn narthex_directory::Directory; N], seed: u64, steps: usize) {
    let mut walks = directories.map(|directory| Walk::new(directory, seed));
    for step in 0..steps {
        let mut said = Vec::new();
        for walk in &mut walks {
            said.push(walk.step().await);
        }
        for says in &said {
            assert_eq!(&said[0], says, "step {step} of seed {seed}");
        }
    }
    let all = walks[0].everything().await;
    for walk in &walks {
        let everything = walk.everything().await;
        for (kept, keeps) in all.iter().zip(&everything) {
            assert_eq!(kept, keeps, "seed {seed}");
        }
        assert_eq!(all.len(), everything.len(), "seed {seed}");
    }
}
