//! Records beside users and organizations: uses, keys, the audit trail.

use super::world::{HOUR_MS, World, carrying, realm};
use narthex_directory::{
    Actor, Among, ApiKey, ApiKeyId, AssertionKey, AuditEvent, Directory, DocumentAt, DocumentKind, Edit, EventFilter,
    EventOrder, IssuerName, Logo, NewDocument, OrganizationId, OrganizationRole, Page, PlatformRole, SavedKeySet,
    ScopedRole, SecretBytes, SecretHash, StoreError, UserEdit,
};

pub async fn text_breaks_rules_before_it_is_kept(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let ada = world.user("ada").await.id;
    for wrong in ["", "  ", "a\nb", &"x".repeat(257)] {
        let edit = UserEdit {
            name: Edit::Set(wrong.to_owned()),
            ..UserEdit::default()
        };
        assert!(matches!(
            directory.update_user(ada, None, edit, world.by()).await,
            Err(StoreError::Invalid(_))
        ));
        let mut new = world.new_organization("tools", "", "");
        new.label = wrong.to_owned();
        assert!(matches!(
            directory.create_organization(new, world.by()).await,
            Err(StoreError::Invalid(_))
        ));
    }
}

pub async fn logos_are_kept_and_removed(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "", "").await.id;
    let logo = Logo::new([&[0xff, 0xd8, 0xff][..], &[0; 5_000]].concat()).unwrap();
    assert_eq!(directory.logo(tools).await, Ok(None));
    let kept = directory.set_logo(tools, Some(logo.clone()), world.by()).await.unwrap();
    assert!(kept.has_logo && kept.version == 2);
    assert_eq!(directory.logo(tools).await, Ok(Some(logo)));
    assert!(!directory.set_logo(tools, None, world.by()).await.unwrap().has_logo);
    assert_eq!(directory.logo(tools).await, Ok(None));
    let nobody = OrganizationId::new(world.now_ms, &mut world.ids);
    let missing = directory.set_logo(nobody, None, world.by()).await;
    assert_eq!(missing, Err(StoreError::NotFound { what: "organization" }));
}

pub async fn uses_are_written_when_flushed(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let start = world.now_ms;
    let ada = world.sync(&world.token("ada")).await.principal;
    world.later(HOUR_MS / 2);
    assert!(!world.sync(&world.token("ada")).await.plan.touch.due);
    assert_eq!(directory.flush().await, Ok(0), "at most once an hour");
    world.later(HOUR_MS / 2);
    world.sync(&world.token("ada")).await;
    let seen = async || {
        directory
            .user(ada.user().id)
            .await
            .unwrap()
            .unwrap()
            .user
            .last_seen_at_ms
    };
    assert_eq!(seen().await, Some(start), "off the request");
    assert_eq!(directory.flush().await, Ok(1));
    assert_eq!(seen().await, Some(world.now_ms));
    assert_eq!(directory.flush().await, Ok(0));
    assert!(directory.versions().is_current(ada.stamp()), "a use changes no answer");
    let user = directory.user(ada.user().id).await.unwrap().unwrap().user;
    assert_eq!(user.version, ada.user().version);
}

pub async fn tags_seen_and_carried_are_known(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let ada = world
        .sync(&world.tagged("ada", &["x", "a,\"b", "", ","]))
        .await
        .principal;
    let mut elsewhere = world.tagged("ada", &["x"]);
    elsewhere.realm = realm("elsewhere");
    world.sync(&elsewhere).await;
    let mut second = world.tagged("ada", &["z"]);
    second.issuer = IssuerName::new("second").unwrap();
    second.user.profile.name = Some("Ada".into());
    world.sync(&second).await;
    world.later(1_000);
    world.sync(&world.tagged("bob", &["y"])).await;
    directory.flush().await.unwrap();
    let first = directory.seen_tags(None, Page::first(4)).await.unwrap();
    let seen = |items: &[narthex_directory::SeenTag]| {
        items
            .iter()
            .map(|seen| format!("{} {}", seen.realm, seen.tag))
            .collect::<Vec<_>>()
    };
    assert_eq!(seen(&first.items), ["elsewhere x", "main ,", "main a,\"b", "main x"]);
    let rest = Page::after(first.next_cursor.unwrap(), 4);
    assert_eq!(
        seen(&directory.seen_tags(None, rest).await.unwrap().items),
        ["main y", "main z"]
    );
    let main = directory
        .seen_tags(Some(realm("main")), Page::default())
        .await
        .unwrap()
        .items;
    assert_eq!(main.len(), 5);
    let carried = async |tags: &[&str]| {
        let found = directory
            .carriers(carrying(tags, Among::Everybody), Page::default())
            .await
            .unwrap()
            .items;
        found
            .into_iter()
            .map(|carrier| (carrier.user.id, carrier.tags))
            .collect::<Vec<_>>()
    };
    let all: Vec<String> = [",", "a,\"b", "x", "z"].map(str::to_owned).to_vec();
    for tag in ["x", "a,\"b", "z", ","] {
        assert_eq!(carried(&[tag]).await, [(ada.user().id, all.clone())], "{tag}");
    }
    assert_eq!(carried(&["y", "x"]).await.len(), 2);
    assert!(carried(&["X", "", "a"]).await.is_empty());
}

pub async fn api_keys_are_found_by_hash_and_revoked(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "", "").await;
    let mut key = |byte: u8, role| ApiKey {
        id: ApiKeyId::new(world.now_ms, &mut world.ids),
        name: format!("key {byte}"),
        hash: SecretHash([byte; 32]),
        role,
        created_at_ms: world.now_ms,
        expires_at_ms: Some(world.now_ms + 1_000),
        revoked_at_ms: None,
        last_used_at_ms: None,
    };
    let platform = key(1, ScopedRole::Platform(PlatformRole::Viewer));
    let bound = key(2, ScopedRole::Organization(tools.id, OrganizationRole::Admin));
    let twice = key(1, ScopedRole::Platform(PlatformRole::Admin));
    for key in [&platform, &bound] {
        directory.create_api_key(key.clone(), world.by()).await.unwrap();
        assert_eq!(directory.api_key(key.hash).await.unwrap().as_ref(), Some(key));
    }
    let taken = directory.create_api_key(twice, world.by()).await;
    assert_eq!(
        taken,
        Err(StoreError::AlreadyExists {
            what: "api key",
            field: "hash",
            owner: None,
        })
    );
    assert_eq!(directory.api_key(SecretHash([3; 32])).await, Ok(None));
    assert_eq!(
        directory.api_keys(Page::default()).await.unwrap().items,
        [platform.clone(), bound]
    );
    let mut used = platform.clone();
    for (later_ms, recorded) in [(0, true), (59_999, false), (60_000, true), (-1, true)] {
        let at_ms = world.now_ms + later_ms;
        assert_eq!(
            directory.note_api_key_use(platform.id, at_ms).await,
            Ok(recorded),
            "{later_ms}"
        );
        if recorded {
            used.last_used_at_ms = Some(at_ms);
        }
        assert_eq!(directory.api_key(platform.hash).await, Ok(Some(used.clone())));
    }
    let unknown = ApiKeyId::new(world.now_ms, &mut world.ids);
    assert_eq!(directory.note_api_key_use(unknown, world.now_ms).await, Ok(false));
    let policy = directory.versions().policy();
    assert_eq!(directory.revoke_api_key(platform.id, world.by()).await, Ok(true));
    assert_eq!(directory.revoke_api_key(platform.id, world.by()).await, Ok(false));
    assert!(directory.versions().policy() > policy);
    let revoked = directory.api_key(platform.hash).await.unwrap().unwrap();
    assert!(
        !revoked.works_at(world.now_ms) && platform.works_at(world.now_ms) && !platform.works_at(world.now_ms + 1_000)
    );
    let actions: Vec<String> = events(directory, EventFilter::default()).await;
    assert_eq!(
        actions,
        [
            "api_key.revoked",
            "api_key.created",
            "api_key.created",
            "organization.created"
        ]
    );
}

async fn events(directory: &dyn Directory, filter: EventFilter) -> Vec<String> {
    let listing = directory.events(filter, Page::first(200)).await.unwrap();
    listing
        .items
        .into_iter()
        .map(|recorded| recorded.event.action)
        .collect()
}

pub async fn assertion_keys_rotate_once(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let key = |kid: &str, now_ms: i64| AssertionKey {
        kid: kid.into(),
        private: SecretBytes(vec![0, 1, 255]),
        public_jwk: "{}".into(),
        created_at_ms: now_ms,
        signs_until_ms: now_ms + HOUR_MS,
        published_until_ms: now_ms + 2 * HOUR_MS,
    };
    assert!(directory.assertion_keys().await.unwrap().is_empty());
    let start = world.now_ms;
    let first = directory
        .rotate_assertion_key(key("one", start), start - HOUR_MS, world.by())
        .await
        .unwrap();
    assert_eq!(first, [key("one", start)]);
    let same = directory
        .rotate_assertion_key(key("two", start + 1), start - HOUR_MS, world.by())
        .await
        .unwrap();
    assert_eq!(same, first, "another node was a moment earlier");
    world.later(HOUR_MS);
    let now = world.now_ms;
    let both = directory
        .rotate_assertion_key(key("three", now), now - HOUR_MS, world.by())
        .await
        .unwrap();
    assert_eq!(
        both.iter().map(|key| key.kid.as_str()).collect::<Vec<_>>(),
        ["three", "one"]
    );
    world.later(HOUR_MS);
    let now = world.now_ms;
    let rest = directory
        .rotate_assertion_key(key("four", now), now - 1, world.by())
        .await;
    let rest = rest.unwrap();
    assert_eq!(
        rest.iter().map(|key| key.kid.as_str()).collect::<Vec<_>>(),
        ["four", "three"]
    );
    assert_eq!(directory.assertion_keys().await.unwrap(), rest);
    let taken = directory
        .rotate_assertion_key(key("four", now + 1), now, world.by())
        .await;
    assert_eq!(
        taken,
        Err(StoreError::AlreadyExists {
            what: "assertion key",
            field: "kid",
            owner: None,
        })
    );
}

pub async fn key_sets_are_kept_per_issuer(directory: &dyn Directory) {
    let set = |issuer: &str, body: &[u8]| SavedKeySet {
        issuer: IssuerName::new(issuer).unwrap(),
        source: format!("https://{issuer}.example/jwks"),
        body: body.to_vec(),
        fetched_at_ms: 7,
    };
    for saved in [set("b", b"old"), set("a", &[0xff, 0]), set("b", b"new")] {
        directory.save_key_set(saved).await.unwrap();
    }
    assert_eq!(
        directory.key_sets().await,
        Ok(vec![set("a", &[0xff, 0]), set("b", b"new")])
    );
}

fn document(kind: DocumentKind, name: &str, organization: Option<OrganizationId>, body: i64) -> NewDocument {
    NewDocument {
        kind,
        name: name.to_owned(),
        organization,
        body: [("n".to_owned(), body.into())].into_iter().collect(),
        secret: Some(SecretBytes(vec![0, 255])),
    }
}

pub async fn documents_are_saved_as_they_were_seen(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "", "").await.id;
    let connection = document(DocumentKind::Connection, "crm", Some(tools), 1);
    let policy = directory.versions().policy();
    let made = directory
        .save_document(connection.clone(), DocumentAt::Absent, world.by())
        .await
        .unwrap();
    assert_eq!(
        (made.version, made.created_at_ms, &made.body),
        (1, world.now_ms, &connection.body)
    );
    let again = directory
        .save_document(connection.clone(), DocumentAt::Absent, world.by())
        .await;
    assert_eq!(
        again,
        Err(StoreError::AlreadyExists {
            what: "connection",
            field: "name",
            owner: None,
        })
    );
    assert_eq!(directory.versions().policy(), policy, "connections decide nothing");
    world.later(10);
    let edited = document(DocumentKind::Connection, "crm", Some(tools), 2);
    let lost = directory
        .save_document(edited.clone(), DocumentAt::Version(7), world.by())
        .await;
    assert_eq!(
        lost,
        Err(StoreError::VersionMismatch {
            what: "connection",
            expected: 7,
            found: 1
        })
    );
    let edited = directory
        .save_document(edited, DocumentAt::Version(1), world.by())
        .await
        .unwrap();
    assert_eq!((edited.version, edited.created_at_ms), (2, made.created_at_ms));
    assert_eq!(
        directory.document(DocumentKind::Connection, "crm".into()).await,
        Ok(Some(edited))
    );
    assert_eq!(
        directory.document(DocumentKind::Connection, "CRM".into()).await,
        Ok(None)
    );
    let nowhere = OrganizationId::new(0, &mut world.ids);
    let missing = document(DocumentKind::Connection, "x", Some(nowhere), 0);
    let missing = directory.save_document(missing, DocumentAt::Any, world.by()).await;
    assert_eq!(missing, Err(StoreError::NotFound { what: "organization" }));
}

pub async fn documents_are_listed_and_deleted(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "", "").await.id;
    let policy = directory.versions().policy();
    let crm = document(DocumentKind::Connection, "crm", Some(tools), 1);
    let made = directory
        .save_document(crm, DocumentAt::Absent, world.by())
        .await
        .unwrap();
    world.later(10);
    for name in ["b", "a", "crm"] {
        directory
            .save_document(
                document(DocumentKind::Issuer, name, None, 0),
                DocumentAt::Any,
                world.by(),
            )
            .await
            .unwrap();
    }
    assert!(directory.versions().policy() > policy, "issuers do");
    let first = directory
        .documents(DocumentKind::Issuer, None, Page::first(2))
        .await
        .unwrap();
    let rest = Page::after(first.next_cursor.unwrap(), 2);
    let rest = directory.documents(DocumentKind::Issuer, None, rest).await.unwrap();
    let names: Vec<&str> = first
        .items
        .iter()
        .chain(&rest.items)
        .map(|document| document.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b", "crm"]);
    let of_tools = directory
        .documents(DocumentKind::Connection, Some(tools), Page::default())
        .await
        .unwrap();
    assert_eq!(of_tools.items, [made]);
    let gone = |at| directory.delete_document(DocumentKind::Connection, "crm".into(), at, world.by());
    let lost = gone(DocumentAt::Version(2)).await;
    assert_eq!(
        lost,
        Err(StoreError::VersionMismatch {
            what: "connection",
            expected: 2,
            found: 1
        })
    );
    assert_eq!(gone(DocumentAt::Version(1)).await, Ok(true));
    assert_eq!(gone(DocumentAt::Any).await, Ok(false));
    let actions = events(directory, EventFilter::default()).await;
    assert_eq!(actions[..2], ["connection.deleted", "issuer.created"]);
    assert_eq!(actions.last().map(String::as_str), Some("organization.created"));
}

pub async fn events_tell_every_change_in_order(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let mut token = world.linked("ada", "acme", "ops");
    token.user.profile.email = Some("ada@example.com".into());
    let ada = world.sync(&token).await.principal;
    let filter = EventFilter {
        order: EventOrder::OldestFirst,
        ..EventFilter::default()
    };
    let listing = directory.events(filter, Page::default()).await.unwrap().items;
    let actions: Vec<&str> = listing.iter().map(|recorded| recorded.event.action.as_str()).collect();
    assert_eq!(
        actions,
        [
            "user.created",
            "organization.created",
            "team.created",
            "grant.opened",
            "grant.opened"
        ]
    );
    assert!(listing.is_sorted_by_key(|recorded| recorded.sequence));
    let created = &listing[0].event;
    assert_eq!((created.at_ms, created.user), (world.now_ms, Some(ada.user().id)));
    assert_eq!(
        created.actor,
        Actor::Token {
            issuer: token.issuer.clone(),
            token: token.token.clone()
        }
    );
    assert_eq!(created.detail["email"]["to"], "ada@example.com");
    let opened = &listing[3].event;
    assert_eq!(opened.organization, Some(ada.memberships()[0].organization));
    assert_eq!(opened.detail["source"], "claim");
    assert_eq!(listing[4].event.team, Some(ada.teams()[0].team));
}

pub async fn events_are_filtered_and_paged_both_ways(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let ada = world.user("ada").await.id;
    for index in 0..5 {
        world.later(10);
        let mut event = AuditEvent::new("configuration.reloaded", Actor::Configuration, world.now_ms);
        event.detail.insert("index".into(), index.into());
        directory.record(event).await.unwrap();
    }
    world.later(10);
    world.grant(ada, ScopedRole::Platform(PlatformRole::Viewer)).await;
    let about_ada = EventFilter {
        user: Some(ada),
        ..EventFilter::default()
    };
    assert_eq!(events(directory, about_ada).await, ["grant.opened", "user.created"]);
    let reloads = EventFilter {
        action: Some("configuration.reloaded".into()),
        ..EventFilter::default()
    };
    let early = EventFilter {
        until_ms: Some(world.now_ms - 30),
        ..reloads.clone()
    };
    assert_eq!(events(directory, early).await.len(), 2);
    let late = EventFilter {
        from_ms: Some(world.now_ms - 30),
        ..reloads.clone()
    };
    assert_eq!(events(directory, late).await.len(), 3);
    for order in [EventOrder::NewestFirst, EventOrder::OldestFirst] {
        let filter = EventFilter {
            order,
            ..reloads.clone()
        };
        let mut seen = Vec::new();
        let mut page = Page::first(2);
        loop {
            let listing = directory.events(filter.clone(), page).await.unwrap();
            seen.extend(
                listing
                    .items
                    .iter()
                    .map(|recorded| recorded.event.detail["index"].as_u64().unwrap()),
            );
            match listing.next_cursor {
                Some(cursor) => page = Page::after(cursor, 2),
                None => break,
            }
        }
        if order == EventOrder::NewestFirst {
            seen.reverse();
        }
        assert_eq!(seen, [0, 1, 2, 3, 4]);
    }
}

pub async fn the_store_is_healthy(directory: &dyn Directory) {
    assert_eq!(directory.health().await, Ok(()));
    assert_eq!(directory.poll_versions().await, Ok(()));
}
