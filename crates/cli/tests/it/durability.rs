//! What was answered is never lost.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use narthex_testkit::{Client, client::Call};

use crate::world::{GUARDED, World, member};

/// `kill -9` in the middle of a burst of first-time users: whoever was answered is there afterwards, with the role.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_during_a_burst_loses_no_user_who_was_answered() {
    let mut world = World::start().await;
    let answered: Arc<Mutex<Vec<String>>> = Arc::default();
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (answered, next) = (Arc::clone(&answered), Arc::clone(&next));
        let url = format!("{}{GUARDED}", world.narthex.url());
        let token = member("x");
        workers.spawn(async move {
            let client = Client::new();
            loop {
                let subject = format!("user-{}", next.fetch_add(1, Ordering::SeqCst));
                let call = Call::post(&url).bearer(&token.clone().subject(&subject).sign());
                match client.send(call).await {
                    Ok(answer) if answer.status == 200 => answered.lock().unwrap().push(subject),
                    Ok(answer) => panic!("{}: {}", answer.status, answer.text()),
                    Err(_) => return,
                }
            }
        });
    }
    while answered.lock().unwrap().len() < 150 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        assert!(!workers.is_empty());
    }
    world.narthex.kill();
    while let Some(worker) = workers.join_next().await {
        worker.unwrap();
    }
    world.narthex.start_again().await.unwrap();

    let api = world.narthex.api();
    let acme = api.organization("acme").await.unwrap().unwrap();
    let path = format!("/organizations/{}/members", acme["id"].as_str().unwrap());
    let members = api.list(&path).await.unwrap();
    let users = api.list("/users").await.unwrap();
    let id_of = |subject: &str| {
        users
            .iter()
            .find(|user| user["external_id"] == subject)
            .map(|user| user["id"].clone())
    };
    let answered = answered.lock().unwrap().clone();
    assert!(answered.len() >= 150);
    for subject in &answered {
        let id = id_of(subject).unwrap_or_else(|| panic!("`{subject}` was answered and is lost"));
        let member = members.iter().find(|member| member["user_id"] == id);
        assert_eq!(member.unwrap()["role"], "member", "{subject}");
    }
}

/// `kill -9` a moment after a token was used that changed nothing, and so was not written in its request: an older one, which
/// nobody has used yet, undoes nothing afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_the_order_of_tokens_survives_a_kill() {
    let mut world = World::start().await;
    let ask = async |world: &World, seconds_ago: i64, tag: &str| {
        let token = member("ada").tags([tag]).issued_in(-seconds_ago).sign();
        world.send(world.call("POST", GUARDED).bearer(&token)).await.status
    };
    for seconds_ago in [300, 100] {
        assert_eq!(ask(&world, seconds_ago, "other").await, 403);
    }
    // What is not written yet is written within a second.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    world.narthex.kill();
    world.narthex.start_again().await.unwrap();
    assert_eq!(ask(&world, 200, "staff").await, 403, "older than the newest");
    assert_eq!(ask(&world, 50, "staff").await, 200, "newer than that");
}
