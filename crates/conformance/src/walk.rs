//! A random walk: whatever is done to a directory in whatever order, its laws hold; and two stores that walk the
//! same way give the same answers.

use super::dice::Dice;
use super::world::{HOUR_MS, World, exactly, realm};
use narthex_directory::{
    Desired, DesiredMembership, DesiredOrganization, DesiredTags, DesiredTeam, Edit, ExternalId, Grant, GrantFilter,
    GrantSource, GrantsWhen, IssuerName, MembershipRule, NewTeam, OnEmpty, OrganizationEdit, OrganizationId,
    OrganizationRole, OrganizationStatus, OrganizationTags, Page, PlatformRole, Provision, Scope, ScopedRole, SyncMode,
    TagList, TagPattern, TagPatterns, TeamEdit, TeamId, TeamRole, UserEdit, UserId, UserStatus, Username,
};

mod reads;

const TAGS: [&str; 10] = [
    "a",
    "A",
    "b",
    "c, d",
    "e\"",
    "",
    "f",
    "p-one-boss",
    "p-Two-hand",
    "p-tools-boss",
];
const SUBJECTS: [&str; 4] = ["ada", "Ada", "bob", "cy"];
const OUTSIDE: [&str; 3] = ["one", "two", "Two"];

fn patterns(create: bool) -> TagPatterns {
    let roles = [("boss", OrganizationRole::Admin), ("hand", OrganizationRole::Member)];
    TagPatterns::new(&[TagPattern {
        matches: "p-{organization}-{role}".to_owned(),
        roles: roles.map(|(text, role)| (text.to_owned(), role)).into(),
        create,
    }])
    .unwrap()
}

/// A walk through a directory.
#[derive(Debug)]
pub struct Walk<'d> {
    pub world: World<'d>,
    dice: Dice,
    users: Vec<UserId>,
    organizations: Vec<OrganizationId>,
    teams: Vec<TeamId>,
}

impl<'d> Walk<'d> {
    pub fn new(directory: &'d dyn narthex_directory::Directory, seed: u64) -> Self {
        let world = World::new(directory);
        Self {
            world,
            dice: Dice::new(seed),
            users: Vec::new(),
            organizations: Vec::new(),
            teams: Vec::new(),
        }
    }

    /// Takes one random step, checks that the laws of sync hold, and returns the outcome as text.
    pub async fn step(&mut self) -> String {
        let ms = self.dice.pick(&[0, 1, 700, 60_000, HOUR_MS, 5 * HOUR_MS]);
        self.world.later(ms);
        match self.dice.roll(16) {
            0..=5 => self.sync().await,
            6 => self.edit_user().await,
            7 => self.give().await,
            8 => self.take().await,
            9 => self.make_organization().await,
            10 | 11 => self.edit_organization().await,
            12 => self.make_team().await,
            13 => self.edit_team().await,
            14 => self.keep_house().await,
            _ => self.look().await,
        }
    }

    fn token(&mut self) -> Desired {
        let subject = self.dice.pick(&SUBJECTS);
        let mut token = self.world.token(subject);
        token.realm = realm(self.dice.pick(&["main", "main", "other"]));
        token.issuer = IssuerName::new(self.dice.pick(&["idp", "second"])).unwrap();
        if self.dice.chance(8) {
            token.user.username = Some(Username::new(self.dice.pick(&SUBJECTS)).unwrap());
        } else if self.dice.chance(4) {
            token.user.username = None;
        }
        token.user.profile.name = self.dice.pick(&[None, Some("N"), Some("M")]).map(str::to_owned);
        token.user.profile.email = self.dice.pick(&[None, Some("e@x"), Some("E@x")]).map(str::to_owned);
        if self.dice.chance(3) {
            token.organization = Some(DesiredOrganization {
                external_id: ExternalId::new(self.dice.pick(&OUTSIDE)).unwrap(),
                name: self.dice.pick(&[None, Some("Label"), Some("Other")]).map(str::to_owned),
                timezone: None,
                role: self.dice.pick(OrganizationRole::ALL),
            });
        }
        if self.dice.chance(4) {
            token.team = Some(DesiredTeam {
                external_id: ExternalId::new(self.dice.pick(&OUTSIDE)).unwrap(),
                name: self.dice.pick(&[None, Some("Team")]).map(str::to_owned),
                role: self.dice.pick(TeamRole::ALL),
            });
        }
        if self.dice.chance(3) {
            (token.organization, token.team) = (None, None);
            let stated = self.dice.some(&OUTSIDE);
            token.each = Some(stated.into_iter().map(|id| self.membership(id)).collect());
        }
        token.tags = match self.dice.roll(6) {
            0 => DesiredTags::NotConfigured,
            1 => DesiredTags::Keep,
            2 => exactly(&[]),
            _ => exactly(&self.dice.some(&TAGS)),
        };
        if let DesiredTags::Exactly(tags) = &token.tags {
            token.pattern_tags = self.world.policy.tag_patterns.read_all(tags.iter().map(String::as_str));
        }
        let age = self.dice.pick(&[0, 0, 0, 1_000, 2 * HOUR_MS]);
        token.issued_at_ms = (!self.dice.chance(10)).then_some(self.world.now_ms - age);
        token
    }

    fn membership(&mut self, external_id: &str) -> DesiredMembership {
        DesiredMembership {
            organization: DesiredOrganization {
                external_id: ExternalId::new(external_id).unwrap(),
                name: self.dice.pick(&[None, Some("Label")]).map(str::to_owned),
                timezone: None,
                role: self.dice.pick(OrganizationRole::ALL),
            },
            team: self.dice.chance(4).then(|| DesiredTeam {
                external_id: ExternalId::new(external_id).unwrap(),
                name: None,
                role: TeamRole::Member,
            }),
        }
    }

    async fn sync(&mut self) -> String {
        self.world.policy.provision = self.dice.pick(&[
            Provision::Create,
            Provision::Create,
            Provision::LinkOnly,
            Provision::Off,
        ]);
        self.world.policy.on_empty = self.dice.pick(OnEmpty::ALL);
        self.world.policy.mode = self.dice.pick(&[
            SyncMode::Enforce,
            SyncMode::Enforce,
            SyncMode::Enforce,
            SyncMode::Observe,
        ]);
        self.world.policy.lease_ms = self.dice.pick(&[None, None, Some(4 * HOUR_MS)]);
        self.world.policy.platform_admin_tags = TagList::from_entries(self.dice.some(&["f", "b"])).unwrap();
        self.world.policy.tag_patterns = match self.dice.roll(3) {
            0 => TagPatterns::default(),
            create => patterns(create == 1),
        };
        self.world.others = vec![("second", self.world.policy.clone())];
        let token = self.token();
        let before = self.manual().await;
        let synced = self.world.try_sync(&token).await;
        let after = self.manual().await;
        if token.tags != exactly(&[]) {
            assert_eq!(before, after, "sync touches no manual grant");
        }
        let Ok(synced) = synced else {
            return format!("{synced:?}");
        };
        self.users.push(synced.principal.user().id);
        for grant in synced
            .principal
            .grants()
            .iter()
            .filter(|grant| grant.source != GrantSource::Manual)
        {
            self.check_reach(grant).await;
        }
        if !synced.plan.observed && !synced.plan.stale_token {
            let mut again = token.clone();
            if let DesiredTags::Exactly(tags) = &mut again.tags {
                tags.reverse();
            }
            let again = self.world.sync(&again).await;
            assert!(
                again.plan.is_empty(),
                "planning twice, tags in another order, is empty: {:?}",
                again.plan.changes
            );
            let loaded = self.world.load(synced.principal.user().id).await;
            assert_eq!(loaded.memberships(), synced.principal.memberships());
            assert_eq!(loaded.teams(), synced.principal.teams());
            assert_eq!(loaded.platform_role(), synced.principal.platform_role());
        }
        let plan = &synced.plan;
        format!(
            "{:?} {:?} {:?} {:?} {:?}",
            synced.principal, plan.changes, plan.notes, plan.tag_matches, plan.stale_token
        )
    }

    /// Checks that a grant by a token lies in its user's realm.
    async fn check_reach(&self, grant: &Grant) {
        let directory = self.world.directory;
        let own = directory.user(grant.user).await.unwrap().unwrap().user.realm;
        let realm = match grant.scope() {
            Scope::Platform => return,
            Scope::Organization(id) => directory.organization(id).await.unwrap().unwrap().realm,
            Scope::Team(id) => directory.team(id).await.unwrap().unwrap().realm,
        };
        assert_eq!(own, realm, "no token reaches beyond its realm");
    }

    async fn manual(&self) -> Vec<Grant> {
        let mut grants = self.all_grants(GrantsWhen::Open).await;
        grants.retain(|grant| grant.source == GrantSource::Manual);
        grants
    }

    async fn all_grants(&self, when: GrantsWhen) -> Vec<Grant> {
        let filter = GrantFilter {
            when,
            ..GrantFilter::default()
        };
        let mut page = Page::first(200);
        let mut grants = Vec::new();
        loop {
            let listing = self.world.directory.grants(filter, page).await.unwrap();
            grants.extend(listing.items);
            match listing.next_cursor {
                Some(cursor) => page = Page::after(cursor, 200),
                None => return grants,
            }
        }
    }

    async fn edit_user(&mut self) -> String {
        if self.users.is_empty() || self.dice.chance(3) {
            let name = self.dice.pick(&SUBJECTS);
            let new = self.world.new_user(name);
            let made = self.world.directory.create_user(new, self.world.by()).await;
            self.users.extend(made.iter().map(|user| user.id));
            return format!("{made:?}");
        }
        let user = self.dice.pick(&self.users);
        if self.dice.chance(4) {
            return format!("{:?}", self.world.directory.revoke_tokens(user, self.world.by()).await);
        }
        let edit = UserEdit {
            username: self
                .dice
                .chance(4)
                .then(|| Username::new(self.dice.pick(&SUBJECTS)).unwrap()),
            status: Some(
                self.dice
                    .pick(&[UserStatus::Active, UserStatus::Active, UserStatus::Disabled]),
            ),
            email: owned(self.dice.pick(&[Edit::Keep, Edit::Clear, Edit::Set("h@x")])),
            ..UserEdit::default()
        };
        let version = self.dice.chance(4).then(|| self.dice.roll(4));
        format!(
            "{:?}",
            self.world
                .directory
                .update_user(user, version, edit, self.world.by())
                .await
        )
    }

    fn role(&mut self) -> ScopedRole {
        match self.dice.roll(3) {
            0 if !self.teams.is_empty() => ScopedRole::Team(self.dice.pick(&self.teams), self.dice.pick(TeamRole::ALL)),
            1 if !self.organizations.is_empty() => ScopedRole::Organization(
                self.dice.pick(&self.organizations),
                self.dice.pick(OrganizationRole::ALL),
            ),
            _ => ScopedRole::Platform(self.dice.pick(PlatformRole::ALL)),
        }
    }

    async fn give(&mut self) -> String {
        if self.users.is_empty() {
            return String::new();
        }
        let user = self.dice.pick(&self.users);
        let role = self.role();
        let new = self.world.new_grant(user, role);
        format!("{:?}", self.world.directory.grant_role(new, self.world.by()).await)
    }

    async fn take(&mut self) -> String {
        let Some(grant) = self.manual().await.first().cloned() else {
            return String::new();
        };
        format!(
            "{:?}",
            self.world
                .directory
                .revoke_role(grant.user, grant.scope(), None, self.world.by())
                .await
        )
    }

    fn tags(&mut self) -> OrganizationTags {
        let mut list = || TagList::from_entries(self.dice.some(&TAGS)).unwrap();
        OrganizationTags {
            admin: list(),
            member: list(),
            executor: list(),
        }
    }

    async fn make_organization(&mut self) -> String {
        let name = self.dice.pick(&["tools", "label", "one", "other"]);
        let mut new = self.world.new_organization(name, "", "");
        new.tags = self.tags();
        new.realm = realm(self.dice.pick(&["main", "other"]));
        new.membership = self.dice.pick(MembershipRule::ALL);
        if self.dice.chance(2) {
            new.external_id = Some(ExternalId::new(self.dice.pick(&OUTSIDE)).unwrap());
        }
        if self.dice.chance(3) {
            let declared = if self.dice.chance(4) { Vec::new() } else { vec![new] };
            return format!(
                "{:?}",
                self.world
                    .directory
                    .declare_organizations(declared, self.world.by())
                    .await
            );
        }
        let made = self.world.directory.create_organization(new, self.world.by()).await;
        self.organizations
            .extend(made.iter().map(|organization| organization.id));
        format!("{made:?}")
    }

    async fn edit_organization(&mut self) -> String {
        if self.organizations.is_empty() {
            return String::new();
        }
        let organization = self.dice.pick(&self.organizations);
        let edit = OrganizationEdit {
            label: self.dice.chance(2).then(|| "Edited".to_owned()),
            tags: self.dice.chance(2).then(|| self.tags()),
            membership: Some(self.dice.pick(MembershipRule::ALL)),
            status: Some(self.dice.pick(OrganizationStatus::ALL)),
            tag_patterns: Some(!self.dice.chance(3)),
            external_id: if self.dice.chance(6) { Edit::Clear } else { Edit::Keep },
            ..OrganizationEdit::default()
        };
        format!(
            "{:?}",
            self.world
                .directory
                .update_organization(organization, None, edit, self.world.by())
                .await
        )
    }

    async fn make_team(&mut self) -> String {
        let organization = self
            .dice
            .chance(2)
            .then(|| self.organizations.first().copied())
            .flatten();
        let new = NewTeam {
            id: TeamId::new(self.world.now_ms, &mut self.world.ids),
            realm: realm(self.dice.pick(&["main", "other"])),
            organization,
            external_id: self
                .dice
                .chance(2)
                .then(|| ExternalId::new(self.dice.pick(&OUTSIDE)).unwrap()),
            name: "Made".to_owned(),
        };
        let made = self.world.directory.create_team(new, self.world.by()).await;
        self.teams.extend(made.iter().map(|team| team.id));
        format!("{made:?}")
    }

    async fn edit_team(&mut self) -> String {
        if self.teams.is_empty() {
            return String::new();
        }
        let team = self.dice.pick(&self.teams);
        let organization = match self.organizations.last() {
            Some(organization) if self.dice.chance(2) => Edit::Set(*organization),
            _ => self.dice.pick(&[Edit::Keep, Edit::Clear]),
        };
        let edit = TeamEdit {
            name: Some(self.dice.pick(&["Made", "Edited"]).to_owned()),
            organization,
            ..Default::default()
        };
        format!(
            "{:?}",
            self.world
                .directory
                .update_team(team, None, edit, self.world.by())
                .await
        )
    }

    async fn keep_house(&mut self) -> String {
        let directory = self.world.directory;
        match self.dice.roll(3) {
            0 => format!("{:?}", directory.close_lapsed(2, self.world.by()).await),
            _ => format!("{:?}", directory.flush().await),
        }
    }
}

/// The same edit with a text of its own.
fn owned(edit: Edit<&str>) -> Edit<String> {
    match edit {
        Edit::Keep => Edit::Keep,
        Edit::Clear => Edit::Clear,
        Edit::Set(text) => Edit::Set(text.to_owned()),
    }
}
