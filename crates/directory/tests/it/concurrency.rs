//! Many first uses at once.

use std::sync::Arc;

use narthex_conformance::world::World;
use narthex_directory::{ActiveIssuers, CountingIds, Page, People, SyncPolicy, UserFilter, sync};
use narthex_memory::MemoryDirectory;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_first_uses_of_one_user_make_one_user() {
    let directory = Arc::new(MemoryDirectory::default());
    let token = World::new(&*directory).linked("ada", "acme", "ops");
    let uses: Vec<_> = (0..200_u64)
        .map(|index| {
            let (directory, token) = (Arc::clone(&directory), token.clone());
            tokio::spawn(async move {
                let mut ids = CountingIds(index << 32);
                sync(
                    &*directory,
                    &token,
                    &SyncPolicy::default(),
                    &ActiveIssuers::default(),
                    1_800_000_000_000,
                    &mut ids,
                )
                .await
                .unwrap()
            })
        })
        .collect();
    let mut users = std::collections::HashSet::new();
    for done in uses {
        users.insert(done.await.unwrap().principal.user().id);
    }
    assert_eq!(users.len(), 1);
    assert_eq!(
        directory
            .users(UserFilter::default(), Page::default())
            .await
            .unwrap()
            .items
            .len(),
        1
    );
}
