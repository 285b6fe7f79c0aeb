//! Tokens, people and times for the cases.

use serde_json::{Map, json};

use narthex_directory::{
    ActiveIssuers, Actor, Among, By, CarrierFilter, Change, CountingIds, Desired, DesiredOrganization, DesiredTags,
    DesiredTeam, DesiredUser, Directory, ExternalId, Grant, GrantFilter, GrantId, GrantsWhen, IssuerName,
    MembershipRule, NewGrant, NewOrganization, NewUser, Organization, OrganizationDetails, OrganizationId,
    OrganizationName, OrganizationRole, OrganizationStatus, OrganizationTags, Page, Principal, Profile,
    ProviderSession, Realm, Refusal, ScopedRole, SyncError, SyncPolicy, Synced, TagList, TeamRole, TokenFingerprint,
    User, UserId, Username, load, sync,
};

/// Start time of the cases, in milliseconds.
pub const START_MS: i64 = 1_800_000_000_000;
pub const MINUTE_MS: i64 = 60_000;
pub const HOUR_MS: i64 = 3_600_000;

/// A directory, a clock and ids.
pub struct World<'d> {
    pub directory: &'d dyn Directory,
    pub ids: CountingIds,
    pub now_ms: i64,
    pub policy: SyncPolicy,
    /// The other issuers that are active beside `idp`, whose policy is above.
    pub others: Vec<(&'static str, SyncPolicy)>,
}

impl std::fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("now_ms", &self.now_ms)
            .finish_non_exhaustive()
    }
}

impl<'d> World<'d> {
    pub fn new(directory: &'d dyn Directory) -> Self {
        Self {
            directory,
            ids: CountingIds(0),
            now_ms: START_MS,
            policy: SyncPolicy::default(),
            others: vec![("other", SyncPolicy::default())],
        }
    }

    pub fn later(&mut self, ms: i64) {
        self.now_ms += ms;
    }

    pub fn by(&self) -> By {
        By {
            actor: Actor::CommandLine(Some("alice (uid 1000)".to_owned())),
            at_ms: self.now_ms,
        }
    }

    /// A token issued now.
    pub fn token(&self, subject: &str) -> Desired {
        Desired {
            realm: realm("main"),
            issuer: IssuerName::new("idp").unwrap(),
            user: DesiredUser {
                external_id: ExternalId::new(subject).unwrap(),
                username: Some(Username::new(subject).unwrap()),
                profile: Profile::default(),
            },
            organization: None,
            team: None,
            each: None,
            context: Map::new(),
            tags: DesiredTags::NotConfigured,
            pattern_tags: Vec::new(),
            issued_at_ms: Some(self.now_ms),
            provider_session: ProviderSession::default(),
            token: TokenFingerprint {
                jti: Some("j1".into()),
                sha256_prefix: Some("ab".repeat(16)),
            },
        }
    }

    /// A token issued now that carries tags.
    pub fn tagged(&self, subject: &str, tags: &[&str]) -> Desired {
        Desired {
            tags: exactly(tags),
            pattern_tags: self.policy.tag_patterns.read_all(tags.iter().copied()),
            ..self.token(subject)
        }
    }

    /// A token issued now that names an organization and a team.
    pub fn linked(&self, subject: &str, organization: &str, team: &str) -> Desired {
        Desired {
            organization: Some(DesiredOrganization {
                external_id: ExternalId::new(organization).unwrap(),
                name: Some(format!("The {organization} company")),
                timezone: Some("Europe/Prague".into()),
                role: OrganizationRole::Admin,
            }),
            team: Some(DesiredTeam {
                external_id: ExternalId::new(team).unwrap(),
                name: Some(format!("Team {team}")),
                role: TeamRole::Admin,
            }),
            context: json!({"plan": "gold"}).as_object().unwrap().clone(),
            ..self.token(subject)
        }
    }

    pub async fn try_sync(&mut self, desired: &Desired) -> Result<Synced, SyncError> {
        let issuers = self.active_issuers(&desired.realm);
        sync(
            self.directory,
            desired,
            &self.policy,
            &issuers,
            self.now_ms,
            &mut self.ids,
        )
        .await
    }

    pub async fn sync(&mut self, desired: &Desired) -> Synced {
        self.try_sync(desired).await.unwrap()
    }

    /// The roles in organizations, by name, after a sync.
    pub async fn roles(&mut self, desired: &Desired) -> Vec<String> {
        roles(&self.sync(desired).await.principal)
    }

    pub async fn refusal(&mut self, desired: &Desired) -> Refusal {
        match self.try_sync(desired).await {
            Err(SyncError::Refused(refusal)) => refusal,
            other => panic!("expected a refusal, not {other:?}"),
        }
    }

    pub async fn load(&self, user: UserId) -> Principal {
        let entry = self.directory.user(user).await.unwrap().unwrap();
        let issuers = self.active_issuers(&entry.user.realm);
        (*load(self.directory, user, &issuers, self.now_ms).await.unwrap()).clone()
    }

    /// The active issuers, all of one realm.
    pub fn active_issuers(&self, realm: &Realm) -> ActiveIssuers {
        let mut issuers = ActiveIssuers::default();
        let idp = std::iter::once(("idp", &self.policy));
        for (name, policy) in idp.chain(self.others.iter().map(|(name, policy)| (*name, policy))) {
            issuers.add(IssuerName::new(name).unwrap(), realm.clone(), policy);
        }
        issuers
    }

    pub fn new_organization(&mut self, name: &str, admin: &str, member: &str) -> NewOrganization {
        NewOrganization {
            id: OrganizationId::new(self.now_ms, &mut self.ids),
            name: OrganizationName::new(name).unwrap(),
            label: name.to_uppercase(),
            realm: realm("main"),
            external_id: None,
            details: OrganizationDetails::default(),
            tags: OrganizationTags {
                admin: TagList::parse(admin).unwrap(),
                member: TagList::parse(member).unwrap(),
                executor: TagList::default(),
            },
            tag_patterns: true,
            membership: MembershipRule::Mixed,
            status: OrganizationStatus::Active,
        }
    }

    pub async fn organization(&mut self, name: &str, admin: &str, member: &str) -> Organization {
        let new = self.new_organization(name, admin, member);
        self.directory.create_organization(new, self.by()).await.unwrap()
    }

    pub fn new_user(&mut self, name: &str) -> NewUser {
        NewUser {
            id: UserId::new(self.now_ms, &mut self.ids),
            realm: realm("main"),
            external_id: ExternalId::new(name).unwrap(),
            username: Username::new(name).unwrap(),
            profile: Profile {
                email: Some(format!("{name}@example.com")),
                ..Profile::default()
            },
        }
    }

    pub async fn user(&mut self, name: &str) -> User {
        let new = self.new_user(name);
        self.directory.create_user(new, self.by()).await.unwrap()
    }

    pub async fn user_named(&mut self, external_id: &str, username: &str) -> User {
        let new = NewUser {
            username: Username::new(username).unwrap(),
            ..self.new_user(external_id)
        };
        self.directory.create_user(new, self.by()).await.unwrap()
    }

    pub fn new_grant(&mut self, user: UserId, role: ScopedRole) -> NewGrant {
        NewGrant {
            id: GrantId::new(self.now_ms, &mut self.ids),
            user,
            role,
            expires_at_ms: None,
            why: Some("asked for".into()),
        }
    }

    pub async fn grant(&mut self, user: UserId, role: ScopedRole) -> Grant {
        let new = self.new_grant(user, role);
        self.directory.grant_role(new, self.by()).await.unwrap()
    }

    pub async fn grants(&self, user: UserId, when: GrantsWhen) -> Vec<Grant> {
        let filter = GrantFilter {
            user: Some(user),
            scope: None,
            when,
        };
        self.directory.grants(filter, Page::first(200)).await.unwrap().items
    }

    pub async fn event_count(&self) -> usize {
        let listing = self
            .directory
            .events(narthex_directory::EventFilter::default(), Page::first(200))
            .await
            .unwrap();
        assert!(listing.next_cursor.is_none(), "too many events for one page");
        listing.items.len()
    }
}

pub fn realm(name: &str) -> Realm {
    Realm::new(name).unwrap()
}

/// Users of the realm `main` by their tags.
pub fn carrying(tags: &[&str], among: Among) -> CarrierFilter {
    CarrierFilter {
        realm: realm("main"),
        tags: tags.iter().map(ToString::to_string).collect(),
        among,
    }
}

pub fn exactly(tags: &[&str]) -> DesiredTags {
    DesiredTags::Exactly(tags.iter().map(ToString::to_string).collect())
}

/// The roles in organizations, by name.
pub fn roles(principal: &Principal) -> Vec<String> {
    let memberships = principal.memberships().iter();
    memberships
        .map(|membership| format!("{} {}", membership.name, membership.role))
        .collect()
}

/// The names of the changes.
pub fn actions(synced: &Synced) -> Vec<&'static str> {
    synced.plan.changes.iter().map(Change::action).collect()
}
