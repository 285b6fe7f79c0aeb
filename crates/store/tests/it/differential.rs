//! The same random walk in memory and in SQLite: every answer agrees.

use narthex_directory::conformance::walk::Walk;
use narthex_directory::memory::MemoryDirectory;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_sqlite_agree(seed: u64, steps in 1..80_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let memory = MemoryDirectory::default();
            let (sqlite, _folder) = crate::open();
            let (mut one, mut two) = (Walk::new(&memory, seed), Walk::new(&*sqlite, seed));
            for step in 0..steps {
                let (said, says) = (one.step().await, two.step().await);
                assert_eq!(said, says, "step {step} of seed {seed}");
            }
            let (all, everything) = (one.everything().await, two.everything().await);
            for (kept, keeps) in all.iter().zip(&everything) {
                assert_eq!(kept, keeps, "seed {seed}");
            }
            assert_eq!(all.len(), everything.len(), "seed {seed}");
        });
    }
}
