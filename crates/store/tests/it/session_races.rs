//! Sessions under many callers at once, on two handles of one SQLite file and on two nodes of one PostgreSQL database.

use std::sync::Arc;

use narthex_conformance::one_time::value;
use narthex_conformance::sessions::{idp, new_session, sign_in, standing};
use narthex_conformance::world::{HOUR_MS, MINUTE_MS, START_MS, World};
use narthex_directory::{
    Actor, By, Directory, LoggedOut, LogoutMark, OneTimeKind, OneTimeValue, Page, ProviderSession, RefreshedToken,
    Refusal, SecretBytes, SecretHash, SessionEnd, SessionFilter, SessionSelection, SyncError,
};
use narthex_testkit::postgres::Database;

use crate::open_at;

type Nodes = [Arc<dyn Directory>; 2];

const CALLERS: usize = 100;

fn two_handles() -> (Nodes, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    ([Arc::new(open_at(&path)), Arc::new(open_at(&path))], folder)
}

async fn two_nodes() -> (Nodes, Database) {
    let database = crate::postgres::database().await;
    let url = database.url();
    let (one, two) = (
        crate::postgres::open_at(&url).await,
        crate::postgres::open_at(&url).await,
    );
    ([Arc::new(one), Arc::new(two)], database)
}

fn by() -> By {
    By {
        actor: Actor::System,
        at_ms: START_MS,
    }
}

/// Calls from many tasks at once, on each node in turn. Returns the answers.
async fn at_once<T, F>(nodes: &Nodes, call: impl Fn(Arc<dyn Directory>) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let calls: Vec<_> = (0..CALLERS)
        .map(|index| tokio::spawn(call(Arc::clone(&nodes[index % nodes.len()]))))
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap());
    }
    answers
}

async fn sec_one_of_a_hundred_callers_refreshes(nodes: &Nodes) {
    let mut world = World::new(&*nodes[0]);
    let session = sign_in(&mut world, 1, None).await;
    let id = session.id;
    let claims = at_once(nodes, move |node| async move {
        node.claim_refresh(id, 1, START_MS, START_MS + MINUTE_MS).await.unwrap()
    });
    let won: Vec<u64> = claims.await.into_iter().flatten().collect();
    assert_eq!(won, [2]);
    let stored = at_once(nodes, move |node| async move {
        let refreshed = RefreshedToken {
            sealed: SecretBytes(b"new".to_vec()),
            token_ends_at_ms: None,
        };
        node.store_refresh(id, 2, refreshed, START_MS).await.unwrap()
    });
    assert_eq!(stored.await.into_iter().filter(|stored| *stored).count(), 1);
    for node in nodes {
        let now = standing(&World::new(&**node), session.hash).await.unwrap();
        assert_eq!((now.version, now.sealed.0), (3, b"new".to_vec()));
    }
}

async fn sec_one_of_a_hundred_callers_takes_a_value(nodes: &Nodes) {
    let world = World::new(&*nodes[0]);
    let state = value(&world, OneTimeKind::SignInState, 1);
    nodes[0].put_once(state.clone(), 10, START_MS).await.unwrap();
    let taken = at_once(nodes, |node| async move {
        node.take_once(OneTimeKind::SignInState, SecretHash([1; 32]), START_MS)
            .await
            .unwrap()
    });
    let taken: Vec<SecretBytes> = taken.await.into_iter().flatten().collect();
    assert_eq!(taken, [state.sealed]);
    // A `jti` is new for one of them.
    let jti = value(&world, OneTimeKind::LogoutToken, 1);
    let put = at_once(nodes, move |node| {
        let jti = jti.clone();
        async move { node.put_once(jti, 10, START_MS).await }
    });
    let put = put.await;
    assert_eq!(put.iter().filter(|put| put.is_ok()).count(), 1);
    assert!(put.iter().all(|put| put.is_ok() || *put == Err(OneTimeValue::taken())));
}

/// Whatever comes first, an ended session has no credential.
async fn sec_a_refresh_brings_no_ended_session_back(nodes: &Nodes) {
    let mut world = World::new(&*nodes[0]);
    for secret in 0..20 {
        let session = sign_in(&mut world, secret, None).await;
        let until_ms = START_MS + MINUTE_MS;
        nodes[0]
            .claim_refresh(session.id, 1, START_MS, until_ms)
            .await
            .unwrap()
            .unwrap();
        let (here, there) = (Arc::clone(&nodes[0]), Arc::clone(&nodes[1]));
        let storing = tokio::spawn(async move {
            let refreshed = RefreshedToken {
                sealed: SecretBytes(b"new".to_vec()),
                token_ends_at_ms: None,
            };
            here.store_refresh(session.id, 2, refreshed, START_MS).await.unwrap()
        });
        let ending = tokio::spawn(async move {
            let selection = SessionSelection::Session(session.id);
            there
                .end_sessions(selection, SessionEnd::SignedOut, by())
                .await
                .unwrap()
        });
        storing.await.unwrap();
        assert_eq!(ending.await.unwrap(), 1);
        let all = nodes[0]
            .sessions(SessionFilter::default(), Page::default())
            .await
            .unwrap();
        let kept = all.items.iter().find(|kept| kept.id == session.id).unwrap();
        assert_eq!(kept.end, Some(SessionEnd::SignedOut));
        assert!(kept.sealed.0.is_empty());
    }
}

/// Nodes poll twice a second; a notification is faster, and never needed.
async fn sec_a_session_that_ends_on_one_node_ends_on_the_other(nodes: &Nodes) {
    let [here, there] = nodes;
    let mut world = World::new(&**here);
    let ada = world.user("ada").await.id;
    let session = sign_in(&mut world, 1, Some(ada)).await;
    there.poll_versions().await.unwrap();
    let stamp = async || {
        let found = there.session_by_hash(session.hash, START_MS).await.unwrap();
        found.map(|found| found.stamp)
    };
    let before = stamp().await.unwrap();
    assert!(there.versions().is_current(before));
    let mark = LogoutMark {
        issuer: idp(),
        logged_out: LoggedOut::Sid("s1".to_owned()),
        kept_until_ms: START_MS + HOUR_MS,
    };
    here.refuse_tokens_of(mark).await.unwrap();
    there.poll_versions().await.unwrap();
    assert!(!there.versions().is_current(before));
    let mut beside = World::new(&**there);
    let mut token = beside.token("ada");
    token.provider_session = ProviderSession::new(None, Some("s1"));
    let refused = beside.try_sync(&token).await;
    assert!(
        matches!(refused, Err(SyncError::Refused(Refusal::LoggedOut { .. }))),
        "{refused:?}"
    );
    let before = stamp().await.unwrap();
    let selection = SessionSelection::User(ada);
    here.end_sessions(selection, SessionEnd::Administrator, by())
        .await
        .unwrap();
    assert_eq!(stamp().await, None, "it is read where it is kept");
    there.poll_versions().await.unwrap();
    assert!(!there.versions().is_current(before));
}

/// Uses that two nodes noted are both written, the later one for good.
async fn uses_of_two_nodes_are_written(nodes: &Nodes) {
    let mut world = World::new(&*nodes[0]);
    let session = new_session(&mut world, 1, None);
    nodes[0].create_session(session.clone(), by()).await.unwrap();
    for (node, later_ms) in nodes.iter().zip([MINUTE_MS, 2 * MINUTE_MS]) {
        node.note_session_use(session.id, START_MS + later_ms);
        node.flush().await.unwrap();
    }
    let now = standing(&world, session.hash).await.unwrap();
    assert_eq!(now.last_seen_at_ms, START_MS + 2 * MINUTE_MS);
}

macro_rules! on_both_stores {
    ($($race:ident),* $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $race() {
                    let (nodes, _folder) = super::two_handles();
                    super::$race(&nodes).await;
                }
            )*
        }

        mod on_postgresql {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $race() {
                    let (nodes, _database) = super::two_nodes().await;
                    super::$race(&nodes).await;
                }
            )*
        }
    };
}

on_both_stores! {
    sec_one_of_a_hundred_callers_refreshes,
    sec_one_of_a_hundred_callers_takes_a_value,
    sec_a_refresh_brings_no_ended_session_back,
    sec_a_session_that_ends_on_one_node_ends_on_the_other,
    uses_of_two_nodes_are_written,
}
