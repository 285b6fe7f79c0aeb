//! Many at once, on one node and on several.

use std::collections::HashSet;
use std::sync::Arc;

use narthex_conformance::world::{START_MS, World};
use narthex_directory::{
    ActiveIssuers, Actor, By, CountingIds, Desired, Directory, EventFilter, EventOrder, GrantFilter, NewOrganization,
    Page, SyncError, SyncPolicy, Synced, UserFilter, sync,
};

use super::{database, open_at};

/// Uses each token on one of the nodes.
pub(super) async fn at_once(
    nodes: &[Arc<dyn Directory>],
    tokens: impl IntoIterator<Item = Desired>,
) -> Vec<Result<Synced, SyncError>> {
    let uses: Vec<_> = tokens
        .into_iter()
        .zip(1_usize..)
        .map(|(token, index)| {
            let directory = Arc::clone(&nodes[index % nodes.len()]);
            tokio::spawn(async move {
                let mut ids = CountingIds((index as u64) << 32);
                sync(
                    &*directory,
                    &token,
                    &SyncPolicy::default(),
                    &ActiveIssuers::default(),
                    START_MS,
                    &mut ids,
                )
                .await
            })
        })
        .collect();
    let mut done = Vec::new();
    for used in uses {
        done.push(used.await.unwrap());
    }
    done
}

async fn nodes(url: &str, count: usize) -> Vec<Arc<dyn Directory>> {
    let mut nodes: Vec<Arc<dyn Directory>> = Vec::new();
    for _ in 0..count {
        nodes.push(Arc::new(open_at(url).await));
    }
    nodes
}

async fn counts(directory: &dyn Directory) -> (usize, usize, usize) {
    let page = || Page::first(200);
    (
        directory
            .users(UserFilter::default(), page())
            .await
            .unwrap()
            .items
            .len(),
        directory
            .grants(GrantFilter::default(), page())
            .await
            .unwrap()
            .items
            .len(),
        directory
            .events(EventFilter::default(), page())
            .await
            .unwrap()
            .items
            .len(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_first_uses_of_one_user_make_one_user() {
    let database = database().await;
    for count in [1, 3] {
        let nodes = nodes(&database.url(), count).await;
        let subject = format!("ada-{count}");
        let token = World::new(&*nodes[0]).linked(&subject, &subject, &subject);
        let done = at_once(&nodes, vec![token; 200]).await;
        let users: HashSet<_> = done
            .into_iter()
            .map(|synced| synced.unwrap().principal.user().id)
            .collect();
        assert_eq!(users.len(), 1, "{count} nodes");
    }
    let node = open_at(&database.url()).await;
    assert_eq!(counts(&node).await, (2, 4, 10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_first_users_of_one_organization_make_one_organization() {
    let database = database().await;
    let nodes = nodes(&database.url(), 2).await;
    let world = World::new(&*nodes[0]);
    let tokens: Vec<Desired> = (0..200)
        .map(|index| world.linked(&format!("user-{index}"), "acme", "ops"))
        .collect();
    for synced in at_once(&nodes, tokens).await {
        assert_eq!(synced.unwrap().principal.memberships().len(), 1);
    }
    assert_eq!(database.sql("SELECT count(*) FROM organizations").unwrap(), "1");
    assert_eq!(database.sql("SELECT count(*) FROM teams").unwrap(), "1");
    assert_eq!(database.sql("SELECT count(*) FROM users").unwrap(), "200");
    assert_eq!(database.sql("SELECT count(*) FROM grants").unwrap(), "400");
}

/// One plan of a group that cannot be carried out leaves the others whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_fails_spoils_no_other() {
    let database = database().await;
    let nodes = nodes(&database.url(), 1).await;
    let world = World::new(&*nodes[0]);
    // Half of the users want a username that the other half has: those are refused, one of each pair.
    let tokens: Vec<Desired> = (0..100)
        .map(|index| {
            let mut token = world.token(&format!("user-{index}"));
            token.user.username = Some(narthex_directory::Username::new(format!("name-{}", index / 2)).unwrap());
            token
        })
        .collect();
    let done = at_once(&nodes, tokens).await;
    let made = done.iter().filter(|synced| synced.is_ok()).count();
    let refused = done
        .iter()
        .filter(|synced| matches!(synced, Err(SyncError::Refused(_))))
        .count();
    assert_eq!((made, refused), (50, 50));
    assert_eq!(database.sql("SELECT count(*) FROM users").unwrap(), "50");
}

/// Whoever reads the audit trail and remembers where it was misses nothing, whatever commits meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_appear_in_the_order_of_their_numbers() {
    let database = database().await;
    let nodes = nodes(&database.url(), 3).await;
    let total = 150;
    let writers: Vec<_> = nodes
        .iter()
        .cloned()
        .zip(0_u64..)
        .map(|(node, number)| {
            tokio::spawn(async move {
                let mut ids = CountingIds((number + 1) << 40);
                for index in 0..total / 3 {
                    let world = World::new(&*node);
                    let token = world.token(&format!("user-{number}-{index}"));
                    sync(
                        &*node,
                        &token,
                        &SyncPolicy::default(),
                        &ActiveIssuers::default(),
                        START_MS,
                        &mut ids,
                    )
                    .await
                    .unwrap();
                }
            })
        })
        .collect();
    let mut seen = Vec::new();
    while seen.len() < total {
        let after = seen.last().copied().unwrap_or(0_u64);
        let page = Page::after(narthex_directory::Cursor::new(after.to_string()), 200);
        let filter = EventFilter {
            order: EventOrder::OldestFirst,
            ..EventFilter::default()
        };
        let listing = nodes[0].events(filter, page).await.unwrap();
        seen.extend(listing.items.iter().map(|recorded| recorded.sequence));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(seen, (1..=total as u64).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_sees_what_was_acknowledged() {
    let database = database().await;
    let nodes = nodes(&database.url(), 2).await;
    let tasks: Vec<_> = (0..8_u64)
        .map(|task| {
            let nodes = nodes.clone();
            tokio::spawn(async move {
                let mut world = World::new(&*nodes[0]);
                world.ids = CountingIds((task + 1) << 32);
                for index in 0..10 {
                    world.later(1_000);
                    let mut token = world.token(&format!("user-{task}"));
                    token.user.profile.name = Some(format!("Name {index}"));
                    let synced = world.sync(&token).await;
                    for node in &nodes {
                        let loaded = World::new(&**node).load(synced.principal.user().id).await;
                        assert_eq!(loaded.user(), synced.principal.user(), "read your own writes");
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// Nodes with the same configuration start at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_declare_the_same_organizations_at_once() {
    let database = database().await;
    let nodes = nodes(&database.url(), 4).await;
    let declared = |node: &Arc<dyn Directory>, number: u64| -> Vec<NewOrganization> {
        let mut world = World::new(&**node);
        world.ids = CountingIds(number << 32);
        ["acme", "tools"]
            .map(|name| world.new_organization(name, "", ""))
            .to_vec()
    };
    let starts: Vec<_> = nodes
        .iter()
        .cloned()
        .zip(1_u64..)
        .map(|(node, number)| {
            let declared = declared(&node, number);
            let by = By {
                actor: Actor::Configuration,
                at_ms: START_MS,
            };
            tokio::spawn(async move { node.declare_organizations(declared, by).await.unwrap() })
        })
        .collect();
    let mut changed = 0;
    for start in starts {
        changed += start.await.unwrap();
    }
    assert_eq!(changed, 2);
    assert_eq!(database.sql("SELECT count(*) FROM organizations").unwrap(), "2");
}
