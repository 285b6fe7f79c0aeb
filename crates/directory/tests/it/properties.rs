//! Laws that hold whatever is done in whatever order. The walk itself checks sync's: planning twice is empty, the
//! order of tags does not matter, no manual grant is touched, nothing beyond the realm is reached.

use narthex_conformance::session_walk::SessionWalk;
use narthex_conformance::walk::Walk;
use narthex_memory::MemoryDirectory;
use proptest::prelude::*;

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_random_walk_breaks_no_law(seed: u64, steps in 1..80_usize) {
        block_on(async {
            let directory = MemoryDirectory::default();
            let mut walk = Walk::new(&directory, seed);
            for _ in 0..steps {
                walk.step().await;
            }
            walk.everything().await;
        });
    }

    #[test]
    fn a_random_walk_of_sessions_breaks_no_law(seed: u64, steps in 1..80_usize) {
        block_on(async {
            let directory = MemoryDirectory::default();
            let mut walk = SessionWalk::new(&directory, seed).await;
            for _ in 0..steps {
                walk.step().await;
            }
        });
    }
}
