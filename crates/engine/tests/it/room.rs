//! A token that the directory has no room to remember.

use narthex_directory::{
    ActiveIssuers, CountingIds, Desired, DesiredTags, DesiredUser, ExternalId, IssuerName, Mark, Profile,
    ProviderSession, Realm, Said as Digested, StoreError, SyncError, SyncPolicy, TokenFingerprint, TokenSync, UserId,
    sync,
};
use narthex_engine::cache::by_identity::AccountCache;
use narthex_memory::MemoryDirectory;

const NOW_MS: i64 = 1_700_000_000_000;

fn desired(issued_at_ms: i64) -> Desired {
    Desired {
        realm: Realm::new("main").unwrap(),
        issuer: IssuerName::new("idp").unwrap(),
        user: DesiredUser {
            external_id: ExternalId::new("ada").unwrap(),
            username: None,
            profile: Profile::default(),
        },
        organization: None,
        team: None,
        each: None,
        context: serde_json::Map::new(),
        tags: DesiredTags::Exactly(vec!["staff".to_owned()]),
        pattern_tags: Vec::new(),
        issued_at_ms: Some(issued_at_ms),
        provider_session: ProviderSession::default(),
        token: TokenFingerprint::default(),
    }
}

/// A token that the directory has no room to remember is answered neither from here nor by sync; one that it knows is.
#[tokio::test]
async fn sec_a_token_that_cannot_be_remembered_is_not_answered() {
    let (directory, accounts) = (MemoryDirectory::default(), AccountCache::new(1 << 20).unwrap());
    let synced = async |desired: &Desired| {
        let (policy, issuers) = (SyncPolicy::default(), ActiveIssuers::default());
        sync(&directory, desired, &policy, &issuers, NOW_MS, &mut CountingIds(1)).await
    };
    let first = desired(NOW_MS - 10_000);
    let key = accounts.key(&first);
    let made = synced(&first).await.unwrap();
    accounts.agree((&first, key), (made.principal, &made.plan.touch, Box::default()), 1);
    let unchanged = |token: &Desired| {
        accounts
            .unchanged((token, key), 1, &directory, i64::MAX, NOW_MS)
            .is_some()
    };
    assert!(unchanged(&first));
    let mut strangers = (1..).map(|number| UserId::new(0, &mut CountingIds(number << 20)));
    let mark = Mark::of(NOW_MS, Digested(1), NOW_MS);
    let full = (0..1_000_000).any(|_| !directory.note_newest(strangers.next().unwrap(), &first.issuer, mark));
    assert!(full);
    let newer = desired(NOW_MS - 5_000);
    for _ in 0..2 {
        assert!(!unchanged(&newer));
        let refused = synced(&newer).await.map(drop);
        assert!(
            matches!(refused, Err(SyncError::Store(StoreError::Unavailable(_)))),
            "{refused:?}"
        );
        assert!(unchanged(&first), "it is known");
        assert!(synced(&first).await.is_ok(), "it is stored");
    }
    directory.flush().await.unwrap();
    assert!(unchanged(&newer));
}
