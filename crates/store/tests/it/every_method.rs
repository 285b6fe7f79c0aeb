//! Every method of the directory that reads or writes, called in every way that makes another statement of it.

mod sessions;
mod webhooks;

use std::collections::BTreeSet;
use std::sync::Arc;

use narthex_conformance::deletion::deletion;
use narthex_conformance::erasure::erasure;
use narthex_conformance::world::{HOUR_MS, START_MS, World, realm};
use narthex_directory::{
    Actor, Among, ApiKey, ApiKeyId, AssertionKey, AuditEvent, CarrierFilter, Desired, Detail, Directory, DocumentAt,
    DocumentKind, Edit, EditedUser, Erasure, EventFilter, EventOrder, ExternalId, GrantFilter, GrantsWhen, IssuerName,
    Logo, MachineKey, MachineKeyId, MachineKeyUse, NewDocument, NewTeam, Organization, OrganizationEdit,
    OrganizationFilter, OrganizationRole, OrganizationTags, Page, PlatformRole, REFUSED, RemovedIdentity, RemovedKind,
    SavedKeySet, Scope, ScopedRole, SecretBytes, SecretHash, Team, TeamEdit, TeamFilter, TeamId, TeamRole, User,
    UserEdit, UserFilter, plan,
};

/// Calls them, and tells the name of each after it has been called.
pub(crate) struct Caller<'c> {
    world: World<'c>,
    told: &'c mut dyn FnMut(&'static str),
}

/// The methods of the seven traits that wait for a store.
pub(crate) fn names() -> BTreeSet<&'static str> {
    let traits = [
        include_str!("../../../directory/src/directory/token_sync.rs"),
        include_str!("../../../directory/src/directory/people.rs"),
        include_str!("../../../directory/src/directory/keyring.rs"),
        include_str!("../../../directory/src/directory/documents.rs"),
        include_str!("../../../directory/src/directory/trail.rs"),
        include_str!("../../../directory/src/directory/sessions.rs"),
        include_str!("../../../directory/src/directory/webhooks.rs"),
    ];
    let lines = traits.into_iter().flat_map(str::lines);
    let begins = lines.filter_map(|line| line.strip_prefix("    async fn "));
    begins.filter_map(|rest| rest.split('(').next()).collect()
}

/// A statement with the first of many columns only.
pub(crate) fn shortened(sql: &str) -> String {
    let simple = |piece: &str| {
        piece
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._$?[]:".contains(c))
    };
    let mut pieces: Vec<&str> = Vec::new();
    for piece in sql.split(", ") {
        match pieces.last() {
            Some(&"…") if simple(piece) => {}
            Some(last) if simple(piece) && simple(last) => pieces.push("…"),
            _ => pieces.push(piece),
        }
    }
    pieces.join(", ")
}

pub(crate) async fn call(directory: &dyn Directory, told: &mut dyn FnMut(&'static str)) {
    let mut world = World::new(directory);
    // After everything that a directory was filled with.
    world.now_ms = START_MS + 1_000 * HOUR_MS;
    let mut caller = Caller { world, told };
    caller.syncs().await;
    let ada = caller.users().await;
    let tools = caller.organizations().await;
    let team = caller.teams(&tools).await;
    caller.grants(&ada, &tools, &team).await;
    caller.members(&tools, &team).await;
    caller.documents(&tools).await;
    caller.keys().await;
    caller.sessions().await;
    caller.machine_keys(&tools).await;
    caller.webhooks().await;
    caller.rest().await;
}

impl Caller<'_> {
    fn directory(&self) -> &dyn Directory {
        self.world.directory
    }

    fn told(&mut self, name: &'static str) {
        (self.told)(name);
    }

    async fn sync(&mut self, desired: &Desired) {
        for detail in [Detail::Explain, Detail::Sync] {
            self.directory().snapshot(desired, detail).await.unwrap();
        }
        let snapshot = self.directory().snapshot(desired, Detail::Sync).await.unwrap();
        self.told("snapshot");
        let now_ms = self.world.now_ms;
        let planned = plan(desired, &snapshot, &self.world.policy, now_ms, &mut self.world.ids).unwrap();
        assert!(!planned.is_empty());
        self.directory().apply(Arc::new(planned)).await.unwrap();
        self.told("apply");
        self.world.later(1_000);
    }

    async fn syncs(&mut self) {
        self.world.organization("synced", "boss", "staff").await;
        self.told("create_organization");
        let mut token = self.world.tagged("sue", &["staff", "x"]);
        self.sync(&token).await;
        token = self.world.tagged("sue", &["boss"]);
        token.user.profile.name = Some("Sue".into());
        self.sync(&token).await;
        self.sync(&self.world.linked("tom", "acme", "crew")).await;
        self.sync(&self.world.linked("tim", "acme", "crew")).await;
        let mut renamed = self.world.linked("tim", "acme", "crew");
        renamed.team.as_mut().unwrap().name = Some("Another name".into());
        renamed.organization.as_mut().unwrap().name = Some("Another name".into());
        self.sync(&renamed).await;
        self.sync(&self.world.tagged("tim", &[])).await;
        self.world.later(2 * HOUR_MS);
        let again = self.world.tagged("sue", &["boss"]);
        let mut again = Desired {
            user: token.user.clone(),
            ..again
        };
        let synced = self.world.sync(&again).await;
        assert!(synced.plan.is_empty());
        self.told("snapshot");
        let sue = synced.principal.user().id;
        self.directory().poll_versions().await.unwrap();
        self.told("poll_versions");
        self.directory().flush().await.unwrap();
        again.issued_at_ms = Some(self.world.now_ms + 1);
        self.world.sync(&again).await;
        self.directory().flush().await.unwrap();
        self.told("flush");
        again.issued_at_ms = Some(self.world.now_ms + 2);
        self.world.sync(&again).await;
        self.told("snapshot");
        self.directory().flush_last().await.unwrap();
        self.told("flush_last");
        self.directory().standing(sue).await.unwrap().unwrap();
        self.told("standing");
    }

    async fn users(&mut self) -> User {
        let ada = self.world.user("ada").await;
        self.told("create_user");
        self.directory().user(ada.id).await.unwrap().unwrap();
        self.told("user");
        let filters = [
            UserFilter::default(),
            UserFilter {
                external_id: Some("ada".into()),
                ..UserFilter::default()
            },
            UserFilter {
                realm: Some(realm("main")),
                username: Some("ada".into()),
                ..UserFilter::default()
            },
            UserFilter {
                email: Some("ada@example.com".into()),
                ..UserFilter::default()
            },
            UserFilter {
                realm: Some(realm("main")),
                q: Some("ada".into()),
                ..UserFilter::default()
            },
        ];
        for filter in filters {
            let all = self.directory().users(filter.clone(), Page::first(1)).await.unwrap();
            if let Some(cursor) = all.next_cursor {
                self.directory().users(filter, Page::after(cursor, 1)).await.unwrap();
            }
        }
        self.told("users");
        let edit = UserEdit {
            name: Edit::Set("Ada L.".into()),
            ..UserEdit::default()
        };
        self.directory()
            .update_user(ada.id, None, edit, self.world.by())
            .await
            .unwrap();
        self.told("update_user");
        self.external_ids(&ada).await;
        self.erasures().await;
        self.directory().revoke_tokens(ada.id, self.world.by()).await.unwrap();
        self.told("revoke_tokens");
        ada
    }

    async fn external_ids(&mut self, ada: &User) {
        let moved = EditedUser {
            user: ada.id,
            version: self.directory().user(ada.id).await.unwrap().unwrap().user.version,
            edit: UserEdit {
                external_id: Some(ExternalId::new("ada 2").unwrap()),
                ..UserEdit::default()
            },
        };
        let by = self.world.by();
        assert_eq!(self.directory().update_users(vec![moved], by).await, Ok(1));
        self.told("update_users");
    }

    async fn erasures(&mut self) {
        let gone = self.world.user("gone").await;
        let identity = RemovedIdentity {
            kind: RemovedKind::User,
            realm: gone.realm.clone(),
            external_id: gone.external_id.clone(),
        };
        let terms = Erasure {
            refuse_all: true,
            ..erasure()
        };
        let by = self.world.by();
        self.directory().erase_user(gone.id, None, terms, by).await.unwrap();
        self.told("erase_user");
        let by = self.world.by();
        assert_eq!(self.directory().lift_erasure(identity, by).await, Ok(true));
        self.told("lift_erasure");
    }

    async fn deletions(&mut self) {
        let gone = self.world.organization("gone", "", "").await.id;
        self.directory().organization_content(gone).await.unwrap();
        self.told("organization_content");
        let by = self.world.by();
        self.directory()
            .delete_organization(gone, None, deletion(true), by)
            .await
            .unwrap();
        self.told("delete_organization");
    }

    async fn organizations(&mut self) -> Organization {
        let tools = self.world.organization("tools", "tool-boss", "tool-staff").await;
        self.told("create_organization");
        self.directory().organization(tools.id).await.unwrap().unwrap();
        self.told("organization");
        let name = tools.name.clone();
        self.directory().organization_named(name).await.unwrap().unwrap();
        self.told("organization_named");
        let filters = [
            OrganizationFilter::default(),
            OrganizationFilter {
                external_id: Some("acme".into()),
                ..OrganizationFilter::default()
            },
            OrganizationFilter {
                realm: Some(realm("main")),
                tag: Some("tool-boss".into()),
                ..OrganizationFilter::default()
            },
            OrganizationFilter {
                q: Some("tool".into()),
                ..OrganizationFilter::default()
            },
        ];
        for filter in filters {
            let all = self
                .directory()
                .organizations(filter.clone(), Page::first(1))
                .await
                .unwrap();
            if let Some(cursor) = all.next_cursor {
                self.directory()
                    .organizations(filter, Page::after(cursor, 1))
                    .await
                    .unwrap();
            }
        }
        self.told("organizations");
        let edit = OrganizationEdit {
            name: Some("former".try_into().unwrap()),
            tags: Some(OrganizationTags::default()),
            ..OrganizationEdit::default()
        };
        let by = self.world.by();
        self.directory()
            .update_organization(tools.id, None, edit, by)
            .await
            .unwrap();
        self.told("update_organization");
        let declared = self.world.new_organization("declared", "a", "b");
        let by = self.world.by();
        self.directory()
            .declare_organizations(vec![declared], by)
            .await
            .unwrap();
        let by = self.world.by();
        self.directory().declare_organizations(Vec::new(), by).await.unwrap();
        self.told("declare_organizations");
        let logo = Logo::new(b"\x89PNG\r\n\x1a\n and more".to_vec()).unwrap();
        for logo in [Some(logo), None] {
            let by = self.world.by();
            self.directory().set_logo(tools.id, logo, by).await.unwrap();
        }
        self.told("set_logo");
        self.deletions().await;
        self.directory().logo(tools.id).await.unwrap();
        self.told("logo");
        tools
    }

    async fn teams(&mut self, tools: &Organization) -> Team {
        let new = NewTeam {
            id: TeamId::new(self.world.now_ms, &mut self.world.ids),
            realm: realm("main"),
            organization: None,
            external_id: None,
            name: "Crew".into(),
        };
        let team = self.directory().create_team(new, self.world.by()).await.unwrap();
        self.told("create_team");
        self.directory().team(team.id).await.unwrap().unwrap();
        self.told("team");
        let edit = TeamEdit {
            organization: Edit::Set(tools.id),
            ..TeamEdit::default()
        };
        self.directory()
            .update_team(team.id, None, edit, self.world.by())
            .await
            .unwrap();
        self.told("update_team");
        let filters = [
            TeamFilter::default(),
            TeamFilter {
                organization: Some(tools.id),
                ..TeamFilter::default()
            },
            TeamFilter {
                realm: Some(realm("main")),
                external_id: Some("crew".into()),
                ..TeamFilter::default()
            },
        ];
        for filter in filters {
            let all = self.directory().teams(filter.clone(), Page::first(1)).await.unwrap();
            if let Some(cursor) = all.next_cursor {
                self.directory().teams(filter, Page::after(cursor, 1)).await.unwrap();
            }
        }
        self.told("teams");
        team
    }

    async fn grants(&mut self, ada: &User, tools: &Organization, team: &Team) {
        let roles = [
            ScopedRole::Platform(PlatformRole::Viewer),
            ScopedRole::Organization(tools.id, OrganizationRole::Member),
            ScopedRole::Team(team.id, TeamRole::Member),
        ];
        for role in roles {
            self.world.grant(ada.id, role).await;
        }
        self.told("grant_role");
        let scopes = roles.map(ScopedRole::scope).into_iter().map(Some).chain([None]);
        for scope in scopes {
            for when in [GrantsWhen::Open, GrantsWhen::AsOf(self.world.now_ms), GrantsWhen::Ever] {
                for user in [Some(ada.id), None] {
                    let filter = GrantFilter { user, scope, when };
                    self.directory().grants(filter, Page::first(5)).await.unwrap();
                }
            }
        }
        self.told("grants");
        let (directory, by) = (self.directory(), self.world.by());
        let taken = directory.revoke_role(ada.id, Scope::Platform, None, by).await;
        assert_eq!(taken.unwrap().len(), 1);
        self.told("revoke_role");
        let lapsing = Desired {
            tags: narthex_conformance::world::exactly(&["boss"]),
            ..self.world.token("lea")
        };
        self.world.policy.lease_ms = Some(1_000);
        self.world.sync(&lapsing).await;
        self.world.policy.lease_ms = None;
        self.told("apply");
        self.world.later(HOUR_MS);
        let closed = self.directory().close_lapsed(10, self.world.by()).await.unwrap();
        assert_eq!(closed, 1);
        self.told("close_lapsed");
    }

    async fn members(&mut self, tools: &Organization, team: &Team) {
        let now_ms = self.world.now_ms;
        for scope in [Scope::Platform, Scope::Organization(tools.id), Scope::Team(team.id)] {
            self.directory().members(scope, now_ms, Page::first(5)).await.unwrap();
        }
        self.told("members");
        for scope in [Scope::Platform, Scope::Organization(tools.id), Scope::Team(team.id)] {
            let page = Page::first(5);
            self.directory().members_as_of(scope, now_ms, page).await.unwrap();
        }
        self.told("members_as_of");
        self.directory().role_changes_per_day(tools.id, 0).await.unwrap();
        self.told("role_changes_per_day");
        let all = [
            Among::Everybody,
            Among::Members(tools.id, now_ms),
            Among::Others(tools.id, now_ms),
        ];
        let carrying = |among| CarrierFilter {
            realm: realm("main"),
            tags: vec!["boss".to_owned(), "staff".to_owned()],
            among,
        };
        let mut found = Vec::new();
        for among in all {
            let carriers = self.directory().carriers(carrying(among), Page::first(5)).await;
            found.extend(carriers.unwrap().items.into_iter().map(|carrier| carrier.user.id));
        }
        self.told("carriers");
        self.directory().has_met(tools.id, found[0]).await.unwrap();
        self.told("has_met");
        let mut counted = 0;
        for among in all {
            counted += self.directory().count_carriers(carrying(among), 5).await.unwrap();
        }
        assert_eq!(counted, found.len());
        self.told("count_carriers");
    }

    async fn documents(&mut self, tools: &Organization) {
        for (kind, organization) in [(DocumentKind::Connection, Some(tools.id)), (DocumentKind::Issuer, None)] {
            let new = NewDocument {
                kind,
                name: "one".into(),
                organization,
                body: serde_json::Map::new(),
                secret: None,
            };
            let by = self.world.by();
            self.directory().save_document(new, DocumentAt::Any, by).await.unwrap();
            self.told("save_document");
            self.directory().document(kind, "one".into()).await.unwrap().unwrap();
            self.told("document");
            self.directory()
                .documents(kind, organization, Page::first(5))
                .await
                .unwrap();
            self.told("documents");
            let by = self.world.by();
            self.directory()
                .delete_document(kind, "one".into(), DocumentAt::Any, by)
                .await
                .unwrap();
            self.told("delete_document");
        }
    }

    async fn keys(&mut self) {
        let now_ms = self.world.now_ms;
        let key = ApiKey {
            id: ApiKeyId::new(now_ms, &mut self.world.ids),
            name: "key".into(),
            hash: SecretHash([7; 32]),
            role: ScopedRole::Platform(PlatformRole::Viewer),
            created_at_ms: now_ms,
            expires_at_ms: None,
            revoked_at_ms: None,
            last_used_at_ms: None,
        };
        self.directory()
            .create_api_key(key.clone(), self.world.by())
            .await
            .unwrap();
        self.told("create_api_key");
        self.directory().api_key(key.hash).await.unwrap().unwrap();
        self.told("api_key");
        self.directory().api_keys(Page::first(5)).await.unwrap();
        self.told("api_keys");
        assert!(
            self.directory()
                .note_api_key_use(key.id, self.world.now_ms)
                .await
                .unwrap()
        );
        self.told("note_api_key_use");
        assert!(self.directory().revoke_api_key(key.id, self.world.by()).await.unwrap());
        self.told("revoke_api_key");
        let key = AssertionKey {
            kid: "k1".into(),
            private: SecretBytes(vec![1]),
            public_jwk: "{}".into(),
            created_at_ms: now_ms,
            signs_until_ms: now_ms + HOUR_MS,
            published_until_ms: now_ms + 2 * HOUR_MS,
        };
        self.directory()
            .rotate_assertion_key(key, now_ms, self.world.by())
            .await
            .unwrap();
        self.told("rotate_assertion_key");
        self.directory().assertion_keys().await.unwrap();
        self.told("assertion_keys");
        let set = SavedKeySet {
            issuer: IssuerName::new("idp").unwrap(),
            source: "https://idp.example.com/keys".into(),
            body: b"{}".to_vec(),
            fetched_at_ms: now_ms,
        };
        self.directory().save_key_set(set).await.unwrap();
        self.told("save_key_set");
        self.directory().key_sets().await.unwrap();
        self.told("key_sets");
    }

    async fn machine_keys(&mut self, tools: &Organization) {
        let now_ms = self.world.now_ms;
        let key = MachineKey {
            id: MachineKeyId::new(now_ms, &mut self.world.ids),
            organization: tools.id,
            name: "key".into(),
            hash: SecretHash([8; 32]),
            role: OrganizationRole::Member,
            created_at_ms: now_ms,
            expires_at_ms: now_ms + HOUR_MS,
            revoked_at_ms: None,
            last_used_at_ms: None,
        };
        let by = self.world.by();
        self.directory().create_machine_key(key.clone(), by).await.unwrap();
        self.told("create_machine_key");
        self.directory().machine_key(key.hash).await.unwrap().unwrap();
        self.told("machine_key");
        self.directory().machine_key_of_id(key.id).await.unwrap().unwrap();
        self.told("machine_key_of_id");
        let listed = self.directory().machine_keys(tools.id, Page::first(5)).await;
        assert_eq!(listed.unwrap().items, std::slice::from_ref(&key));
        self.told("machine_keys");
        let used = MachineKeyUse {
            key: key.id,
            at_ms: now_ms,
        };
        assert_eq!(self.directory().note_machine_key_uses(vec![used]).await, Ok(1));
        self.told("note_machine_key_uses");
        let by = self.world.by();
        assert!(self.directory().revoke_machine_key(key.id, by).await.unwrap());
        self.told("revoke_machine_key");
    }

    async fn chain(&mut self) {
        let now_ms = self.world.now_ms;
        let (key, by) = (narthex_conformance::audit_chain::key("first", now_ms), self.world.by());
        assert_eq!(self.directory().create_audit_key(key, by).await.unwrap().len(), 1);
        self.told("create_audit_key");
        assert_eq!(self.directory().audit_keys().await.unwrap().len(), 1);
        self.told("audit_keys");
        self.seals().await;
        let end = self.directory().chain_end().await.unwrap();
        self.told("chain_end");
        let link = narthex_conformance::audit_chain::link(end.map_or(0, |link| link.sequence) + 1);
        let checkpoint = narthex_conformance::audit_chain::checkpoint(link, now_ms);
        let extended = self
            .directory()
            .extend_chain(link.sequence - 1, vec![link], Some(checkpoint))
            .await;
        assert_eq!(extended, Ok(true));
        self.told("extend_chain");
        assert_eq!(self.directory().chain_links(link.sequence - 1, 5).await, Ok(vec![link]));
        self.told("chain_links");
        assert_eq!(self.directory().checkpoints(0, 5).await.unwrap().len(), 1);
        self.told("checkpoints");
        let cut = self.directory().last_checkpoint().await.unwrap().unwrap();
        self.told("last_checkpoint");
        let now_ms = self.world.now_ms;
        let told = |action: &str| AuditEvent::new(action, Actor::System, now_ms);
        assert_eq!(self.directory().cut_trail(cut, told("audit.cut")).await, Ok(1));
        self.told("cut_trail");
        let (number, at_ms) = (link.sequence + 1, now_ms - 1);
        let refused = AuditEvent::new(REFUSED, Actor::System, at_ms);
        self.directory().record(refused).await.unwrap();
        let link = narthex_conformance::audit_chain::link(u64::MAX >> 1);
        assert_eq!(
            self.directory().extend_chain(number - 1, vec![link], None).await,
            Ok(true)
        );
        assert_eq!(
            self.directory()
                .delete_refusals(now_ms, 5, told("audit.refusals_deleted"))
                .await,
            Ok(1)
        );
        self.told("delete_refusals");
    }

    async fn seals(&mut self) {
        let events = self.directory().events(EventFilter::default(), Page::first(200)).await;
        self.told("events");
        let events = events.unwrap().items;
        let of_user = events.iter().find(|recorded| recorded.needs_seals()).unwrap();
        let key = narthex_conformance::seals::key(of_user.event.user.unwrap(), 3);
        let keys = vec![key.clone()];
        assert_eq!(self.directory().create_seal_keys(keys.clone()).await, Ok(keys.clone()));
        self.told("create_seal_keys");
        assert_eq!(self.directory().seal_keys(vec![key.user]).await, Ok(keys));
        self.told("seal_keys");
        let sealed = narthex_conformance::seals::sealed(of_user, key);
        self.directory().seal_events(vec![sealed]).await.unwrap();
        self.told("seal_events");
    }

    async fn denials(&mut self) {
        let now_ms = self.world.now_ms;
        let denials = ["1", "2", "3"].map(|id| narthex_conformance::denials::denial(id, now_ms));
        self.directory().keep_denials(denials.to_vec(), now_ms).await.unwrap();
        self.told("keep_denials");
        self.directory().denial("1".into(), now_ms).await.unwrap().unwrap();
        self.told("denial");
        let listed = self.directory().denials(now_ms, Page::first(1)).await.unwrap();
        let next = Page::after(listed.next_cursor.unwrap(), 1);
        self.directory().denials(now_ms, next).await.unwrap();
        self.told("denials");
    }

    async fn rest(&mut self) {
        let ada = self.world.user("bea").await;
        let tools = self.world.organization("rest", "", "").await;
        self.told("create_organization");
        let all = EventFilter::default;
        let filters = [
            all(),
            EventFilter {
                order: EventOrder::OldestFirst,
                ..all()
            },
            EventFilter {
                user: Some(ada.id),
                ..all()
            },
            EventFilter {
                organization: Some(tools.id),
                action: Some("organization.created".into()),
                ..all()
            },
            EventFilter {
                actor: Some("command_line".into()),
                text: Some("ada".into()),
                ..all()
            },
            EventFilter {
                from_ms: Some(self.world.now_ms),
                until_ms: Some(self.world.now_ms + 1),
                ..all()
            },
        ];
        for filter in filters {
            let listed = self.directory().events(filter.clone(), Page::first(1)).await.unwrap();
            if let Some(cursor) = listed.next_cursor {
                self.directory().events(filter, Page::after(cursor, 1)).await.unwrap();
            }
        }
        self.told("events");
        let event = AuditEvent {
            at_ms: self.world.now_ms,
            actor: Actor::CommandLine(None),
            action: "seen".into(),
            user: None,
            organization: None,
            team: None,
            detail: serde_json::Map::new(),
        };
        self.directory().record(event).await.unwrap();
        self.told("record");
        self.chain().await;
        self.denials().await;
        for realm in [None, Some(realm("main"))] {
            let listed = self.directory().seen_tags(realm.clone(), Page::first(1)).await.unwrap();
            let next = Page::after(listed.next_cursor.unwrap(), 1);
            self.directory().seen_tags(realm, next).await.unwrap();
        }
        self.told("seen_tags");
        let asked = vec!["boss".to_owned(), "never".to_owned()];
        self.directory().tags_ever_seen(realm("main"), asked).await.unwrap();
        self.told("tags_ever_seen");
        self.directory().poll_versions().await.unwrap();
        self.told("poll_versions");
        self.directory().health().await.unwrap();
        self.told("health");
    }
}
