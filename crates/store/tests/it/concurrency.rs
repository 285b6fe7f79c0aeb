//! Many at once: on one connection's writer, and from two processes' worth of connections to one file.

use std::collections::HashSet;
use std::sync::Arc;

use narthex_conformance::world::{START_MS, World};
use narthex_directory::{
    ActiveIssuers, Actor, By, CountingIds, Desired, Detail, Directory, EventFilter, GrantFilter, OrganizationEdit,
    OrganizationFilter, OrganizationId, OrganizationStatus, OrganizationTags, Page, People, PlatformRole, ScopedRole,
    SyncError, SyncPolicy, Synced, TokenSync, UserFilter, load, sync,
};

use crate::{open, open_at};

async fn at_once(
    directory: &Arc<dyn Directory>,
    tokens: impl IntoIterator<Item = Desired>,
) -> Vec<Result<Synced, SyncError>> {
    let uses: Vec<_> = tokens
        .into_iter()
        .zip(1_u64..)
        .map(|(token, index)| {
            let directory = Arc::clone(directory);
            tokio::spawn(async move {
                let mut ids = CountingIds(index << 32);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_first_uses_of_one_user_make_one_user() {
    let (directory, _folder) = open();
    let token = World::new(&*directory).linked("ada", "acme", "ops");
    let done = at_once(&directory, vec![token; 200]).await;
    let users: HashSet<_> = done
        .into_iter()
        .map(|synced| synced.unwrap().principal.user().id)
        .collect();
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
    assert_eq!(
        directory
            .grants(GrantFilter::default(), Page::default())
            .await
            .unwrap()
            .items
            .len(),
        2
    );
    assert_eq!(
        directory
            .events(EventFilter::default(), Page::default())
            .await
            .unwrap()
            .items
            .len(),
        5
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_first_users_of_one_organization_make_one_organization() {
    let (directory, _folder) = open();
    let world = World::new(&*directory);
    let tokens: Vec<Desired> = (0..200)
        .map(|index| world.linked(&format!("user-{index}"), "acme", "ops"))
        .collect();
    for synced in at_once(&directory, tokens).await {
        assert_eq!(synced.unwrap().principal.memberships().len(), 1);
    }
    assert_eq!(
        directory
            .organizations(OrganizationFilter::default(), Page::default())
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    assert_eq!(
        directory
            .users(UserFilter::default(), Page::first(200))
            .await
            .unwrap()
            .items
            .len(),
        200
    );
}

/// Pieces of one commit that fail leave the others whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_piece_that_fails_spoils_no_other() {
    let (directory, _folder) = open();
    let mut world = World::new(&*directory);
    let user = world.user("ada").await.id;
    let by = By {
        actor: Actor::CommandLine(None),
        at_ms: START_MS,
    };
    let nowhere = OrganizationId::new(0, &mut CountingIds(7));
    let pieces: Vec<_> = (0..100_usize)
        .map(|index| {
            let role = match index % 2 {
                0 => ScopedRole::Organization(nowhere, narthex_directory::OrganizationRole::Admin),
                _ => ScopedRole::Platform([PlatformRole::Admin, PlatformRole::Viewer][index / 2 % 2]),
            };
            let (new, directory, by) = (world.new_grant(user, role), Arc::clone(&directory), by.clone());
            tokio::spawn(async move { directory.grant_role(new, by).await.is_ok() })
        })
        .collect();
    let mut done = 0;
    for piece in pieces {
        done += usize::from(piece.await.unwrap());
    }
    assert_eq!(done, 50);
    assert_eq!(
        directory
            .grants(
                GrantFilter {
                    user: Some(user),
                    ..Default::default()
                },
                Page::first(200)
            )
            .await
            .unwrap()
            .items
            .len(),
        1
    );
}

/// The command line beside the server: what one writes, the other's cached answers learn of by polling.
#[tokio::test]
async fn another_process_moves_the_versions_by_polling() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    let (server, tool) = (open_at(&path), open_at(&path));
    let mut world = World::new(&server);
    let ada = world.sync(&world.token("ada")).await.principal;
    let mut beside = World::new(&tool);
    beside.ids = CountingIds(1 << 40);
    beside
        .grant(ada.user().id, ScopedRole::Platform(PlatformRole::Viewer))
        .await;
    assert!(server.versions().is_current(ada.stamp()), "not heard of yet");
    server.poll_versions().await.unwrap();
    assert!(!server.versions().is_current(ada.stamp()));
    let again = load(&server, ada.user().id, &ActiveIssuers::default(), START_MS)
        .await
        .unwrap();
    assert_eq!(again.platform_role(), PlatformRole::Viewer);
    assert!(server.versions().is_current(again.stamp()));
    drop(tool);
    let reopened = open_at(&path);
    assert!(reopened.versions().is_current(again.stamp()), "the numbers survive");
}

/// What is remembered of tags never outlives a change, whoever makes it.
#[tokio::test]
async fn tags_changed_by_another_process_count_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    let (server, tool) = (open_at(&path), open_at(&path));
    let mut world = World::new(&server);
    let tools = world.organization("tools", "", "staff").await.id;
    for subject in ["a", "b"] {
        assert_eq!(world.roles(&world.tagged(subject, &["staff"])).await, ["tools member"]);
    }
    let by = By {
        actor: Actor::CommandLine(None),
        at_ms: START_MS,
    };
    let edit = OrganizationEdit {
        tags: Some(OrganizationTags::default()),
        ..OrganizationEdit::default()
    };
    tool.update_organization(tools, None, edit, by.clone()).await.unwrap();
    assert!(world.roles(&world.tagged("c", &["staff"])).await.is_empty());
    assert!(world.roles(&world.tagged("a", &["staff"])).await.is_empty());
    let edit = OrganizationEdit {
        status: Some(OrganizationStatus::Suspended),
        ..OrganizationEdit::default()
    };
    tool.update_organization(tools, None, edit, by).await.unwrap();
    let snapshot = server
        .snapshot(&world.tagged("d", &["staff"]), Detail::Sync)
        .await
        .unwrap();
    assert!(snapshot.tag_matches.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everybody_sees_what_was_acknowledged() {
    let (directory, _folder) = open();
    let tasks: Vec<_> = (0..16_u64)
        .map(|task| {
            let directory = Arc::clone(&directory);
            tokio::spawn(async move {
                let mut world = World::new(&*directory);
                world.ids = CountingIds(task << 32);
                let subject = format!("user-{task}");
                for index in 0..20 {
                    world.later(1_000);
                    let mut token = world.token(&subject);
                    token.user.profile.name = Some(format!("Name {index}"));
                    let synced = world.sync(&token).await;
                    let loaded = world.load(synced.principal.user().id).await;
                    assert_eq!(loaded.user(), synced.principal.user(), "read your own writes");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}
