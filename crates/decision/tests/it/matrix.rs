//! Every requirement against every kind of person, and every action of the admin API against every kind of actor, as
//! text files. A change of permissions is a diff of `matrix.snap` and `actions.snap`. Where a caller is told another reason
//! than the true one, the true one stands behind it in brackets.

use std::fmt::Write as _;
use std::sync::Arc;

use http::Method;
use narthex_decision::{
    Action, Actor, ActorScope, Bearer, Decision, OrganizationFacts, RequestPath, Requirement, RouteSpec, Routes,
    decide, parse_requirement,
};
use narthex_directory::{
    ActiveIssuers, Actor as By_, By, CountingIds, ExternalId, GrantId, IssuerName, Keyring, MachineKey, MachineKeyId,
    MembershipRule, NewGrant, NewOrganization, NewUser, OrganizationBrief, OrganizationDetails, OrganizationId,
    OrganizationName, OrganizationRole, OrganizationStatus, OrganizationTags, People, PlatformRole, Principal, Profile,
    Realm, ScopedRole, SecretHash, UserId, Username, load, load_machine_key,
};
use narthex_memory::MemoryDirectory;

const NOW_MS: i64 = 1_700_000_000_000;
const UNKNOWN: &str = "unknown organization";
const NO_NAME: &str = "no name";

/// A directory with two organizations, and somebody with each combination of roles in the first.
struct World {
    directory: MemoryDirectory,
    ids: CountingIds,
    open: OrganizationId,
    suspended: OrganizationId,
}

fn by() -> By {
    By {
        actor: By_::CommandLine(None),
        at_ms: NOW_MS,
    }
}

impl World {
    async fn new() -> Self {
        let directory = MemoryDirectory::default();
        let mut ids = CountingIds(0);
        let mut made = Vec::new();
        for (name, status) in [
            ("open", OrganizationStatus::Active),
            ("suspended", OrganizationStatus::Suspended),
        ] {
            let new = NewOrganization {
                id: OrganizationId::new(NOW_MS, &mut ids),
                name: OrganizationName::new(name).unwrap(),
                label: name.to_owned(),
                realm: Realm::new("r").unwrap(),
                external_id: None,
                details: OrganizationDetails::default(),
                tags: OrganizationTags::default(),
                tag_patterns: true,
                membership: MembershipRule::Mixed,
                status,
            };
            made.push(directory.create_organization(new, by()).await.unwrap().id);
        }
        Self {
            directory,
            ids,
            open: made[0],
            suspended: made[1],
        }
    }

    async fn person(
        &mut self,
        name: &str,
        platform: Option<PlatformRole>,
        organization: Option<OrganizationRole>,
    ) -> Arc<Principal> {
        let id = UserId::new(NOW_MS, &mut self.ids);
        let new = NewUser {
            id,
            realm: Realm::new("r").unwrap(),
            external_id: ExternalId::new(name).unwrap(),
            username: Username::new(name).unwrap(),
            profile: Profile::default(),
        };
        self.directory.create_user(new, by()).await.unwrap();
        let mut roles: Vec<ScopedRole> = platform.map(ScopedRole::Platform).into_iter().collect();
        if let Some(role) = organization {
            roles.extend([
                ScopedRole::Organization(self.open, role),
                ScopedRole::Organization(self.suspended, role),
            ]);
        }
        for role in roles {
            let grant = NewGrant {
                id: GrantId::new(NOW_MS, &mut self.ids),
                user: id,
                role,
                expires_at_ms: None,
                why: None,
            };
            self.directory.grant_role(grant, by()).await.unwrap();
        }
        load(&self.directory, id, &ActiveIssuers::default(), NOW_MS + 1)
            .await
            .unwrap()
    }
}

fn routes(require: &[&str]) -> Routes {
    let require: Vec<Requirement> = require.iter().map(|text| parse_requirement(text).unwrap()).collect();
    Routes::compile(vec![RouteSpec {
        paths: vec!["/{organization}".to_owned()],
        require,
        ..RouteSpec::default()
    }])
    .unwrap()
}

fn known(world: &World, name: &str, status: OrganizationStatus) -> OrganizationFacts {
    let id = if name == "open" { world.open } else { world.suspended };
    OrganizationFacts::Known(OrganizationBrief {
        id,
        name: OrganizationName::new(name).unwrap(),
        realm: Realm::new("r").unwrap(),
        status,
    })
}

fn cell(world: &World, routes: &Routes, person: Option<&Principal>, name: &str) -> String {
    let path = format!("/{name}");
    let matched = routes
        .find(&Method::GET, None, RequestPath::parse(path.as_bytes()).unwrap(), None)
        .unwrap();
    let facts = match name {
        "open" => known(world, name, OrganizationStatus::Active),
        "suspended" => known(world, name, OrganizationStatus::Suspended),
        "no%20name" => OrganizationFacts::NoName,
        _ => OrganizationFacts::Unknown,
    };
    let issuer = IssuerName::new("corp").unwrap();
    let bearer = person.map(|principal| Bearer {
        principal,
        issuer: Some(&issuer),
        issuer_organization: None,
        tags: &[],
        scopes: &[],
    });
    match decide(&matched, bearer.as_ref(), &facts) {
        Decision::Allow(_) => "allow".to_owned(),
        Decision::Deny(denial) if denial.told == denial.reason => denial.reason.code().to_owned(),
        Decision::Deny(denial) => format!(
            "{} ({})",
            denial.told,
            denial.reason.code().trim_start_matches("organization.")
        ),
    }
}

#[tokio::test]
async fn every_role_against_every_requirement() {
    let mut world = World::new().await;
    let mut people = vec![("nobody (no token)".to_owned(), None)];
    for platform in [None, Some(PlatformRole::Viewer), Some(PlatformRole::Admin)] {
        for organization in [
            None,
            Some(OrganizationRole::Executor),
            Some(OrganizationRole::Member),
            Some(OrganizationRole::Admin),
        ] {
            let name = format!(
                "platform {}, organization {}",
                platform.map_or("user", PlatformRole::as_str),
                organization.map_or("-", OrganizationRole::as_str)
            );
            let person = world.person(&name, platform, organization).await;
            people.push((name, Some(person)));
        }
    }
    let requirements: &[&[&str]] = &[
        &["public"],
        &["authenticated"],
        &["organization:executor"],
        &["organization:member"],
        &["organization:admin"],
        &["platform:user"],
        &["platform:viewer"],
        &["platform:admin"],
        &["organization:admin", "platform:admin"],
    ];
    let mut table = String::new();
    for require in requirements {
        writeln!(table, "\nrequire {}", require.join(" or ")).unwrap();
        writeln!(
            table,
            "  {:<42} {:<20} {:<30} {:<30} {}",
            "", "open", "suspended", UNKNOWN, NO_NAME
        )
        .unwrap();
        let routes = routes(require);
        for (name, person) in &people {
            let at = |organization| cell(&world, &routes, person.as_deref(), organization);
            writeln!(
                table,
                "  {name:<42} {:<20} {:<30} {:<30} {}",
                at("open"),
                at("suspended"),
                at("unknown"),
                at("no%20name")
            )
            .unwrap();
        }
    }
    insta::with_settings!({ snapshot_path => "..", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("matrix", table);
    });
}

/// A caller with a token, at an organization.
struct Asked<'a> {
    principal: &'a Principal,
    issuer: Option<&'a str>,
    tags: &'a [&'a str],
    organization: &'a str,
    /// The organization of the issuer, for an issuer of one organization.
    issuer_organization: Option<OrganizationName>,
}

fn name(text: &str) -> IssuerName {
    IssuerName::new(text).unwrap()
}

/// A route for two issuers and two tags.
fn for_two() -> RouteSpec {
    RouteSpec {
        issuers: vec![name("corp"), name("other")],
        tags: vec!["grafana-users".to_owned(), "grafana-admins".to_owned()],
        ..RouteSpec::default()
    }
}

/// The code that a caller is told on a route.
fn told(world: &World, spec: RouteSpec, require: &str, asked: &Asked<'_>) -> &'static str {
    let routes = Routes::compile(vec![RouteSpec {
        paths: vec!["/{organization}".to_owned()],
        require: vec![parse_requirement(require).unwrap()],
        ..spec
    }])
    .unwrap();
    let path = format!("/{}", asked.organization);
    let path = RequestPath::parse(path.as_bytes()).unwrap();
    let matched = routes.find(&Method::GET, None, path, None).unwrap();
    let tags: Vec<String> = asked.tags.iter().map(|tag| (*tag).to_owned()).collect();
    let issuer = asked.issuer.map(name);
    let bearer = Bearer {
        principal: asked.principal,
        issuer: issuer.as_ref(),
        issuer_organization: asked.issuer_organization.as_ref(),
        tags: &tags,
        scopes: &[],
    };
    let facts = match asked.organization {
        "open" => known(world, "open", OrganizationStatus::Active),
        "suspended" => known(world, "suspended", OrganizationStatus::Suspended),
        _ => OrganizationFacts::Unknown,
    };
    match decide(&matched, Some(&bearer), &facts) {
        Decision::Allow(_) => "allow",
        Decision::Deny(denial) => denial.told.code(),
    }
}

/// The issuer and the tags that a route asks for come beside its requirement, never in place of it, and before anything is
/// said of an organization.
#[tokio::test]
async fn sec_issuer_and_tags_of_a_route() {
    const MEMBER: &str = "organization:member";
    let mut world = World::new().await;
    let person = world.person("ada", None, Some(OrganizationRole::Member)).await;
    let admin = world.person("root", Some(PlatformRole::Admin), None).await;
    for (require, principal, issuer, tags, organization, expected) in [
        (MEMBER, &person, "corp", &["grafana-users"][..], "open", "allow"),
        (MEMBER, &person, "other", &["x", "grafana-admins"], "open", "allow"),
        (MEMBER, &person, "partner", &["grafana-users"], "open", "route.issuer"),
        (MEMBER, &person, "corp", &[], "open", "route.tag"),
        (
            MEMBER,
            &person,
            "corp",
            &["grafana-user", "Grafana-Users"],
            "open",
            "route.tag",
        ),
        (
            "organization:admin",
            &person,
            "corp",
            &["grafana-users"],
            "open",
            "organization.role",
        ),
        (MEMBER, &person, "corp", &["x"], "unknown", "route.tag"),
        (MEMBER, &person, "partner", &[], "unknown", "route.issuer"),
        ("platform:admin", &admin, "corp", &["x"], "open", "route.tag"),
        (
            "platform:admin",
            &admin,
            "partner",
            &["grafana-users"],
            "open",
            "route.issuer",
        ),
    ] {
        let asked = Asked {
            principal,
            issuer: Some(issuer),
            tags,
            organization,
            issuer_organization: None,
        };
        assert_eq!(
            told(&world, for_two(), require, &asked),
            expected,
            "{require} {issuer} {tags:?} {organization}"
        );
    }
}

/// An organization's admin chooses what is in the tokens of its own identity provider.
#[tokio::test]
async fn sec_tags_of_an_issuer_of_one_organization_count_in_that_organization() {
    let mut world = World::new().await;
    let person = world.person("ada", None, Some(OrganizationRole::Member)).await;
    let tagged = RouteSpec {
        tags: vec!["grafana-users".to_owned()],
        ..RouteSpec::default()
    };
    for (spec, require, own, expected) in [
        (tagged.clone(), "organization:member", "open", "allow"),
        (tagged.clone(), "organization:member", "elsewhere", "route.tag"),
        (tagged.clone(), "authenticated", "elsewhere", "route.tag"),
        // A route that lists the issuer trusts what its tokens say.
        (for_two(), "organization:member", "elsewhere", "allow"),
    ] {
        let asked = Asked {
            principal: &person,
            issuer: Some("corp"),
            tags: &["grafana-users"],
            organization: "open",
            issuer_organization: Some(OrganizationName::new(own).unwrap()),
        };
        assert_eq!(told(&world, spec, require, &asked), expected, "{require} {own}");
    }
}

/// A machine key has its role in its organization and nothing else: no other organization, nothing on the platform, not
/// even the role `user`, and no route that asks for issuers or tags.
#[tokio::test]
async fn sec_machine_key_of_another_organization() {
    let mut world = World::new().await;
    let key = MachineKey {
        id: MachineKeyId::new(NOW_MS, &mut world.ids),
        organization: world.open,
        name: "ci".to_owned(),
        hash: SecretHash([1; 32]),
        role: OrganizationRole::Member,
        created_at_ms: NOW_MS,
        expires_at_ms: NOW_MS + 60_000,
        revoked_at_ms: None,
        last_used_at_ms: None,
    };
    world.directory.create_machine_key(key.clone(), by()).await.unwrap();
    let loaded = load_machine_key(&world.directory, key.hash, NOW_MS).await.unwrap();
    let tagged = RouteSpec {
        tags: vec!["grafana-users".to_owned()],
        ..RouteSpec::default()
    };
    for (spec, require, organization, expected) in [
        (RouteSpec::default(), "authenticated", "open", "allow"),
        (RouteSpec::default(), "organization:executor", "open", "allow"),
        (RouteSpec::default(), "organization:member", "open", "allow"),
        (RouteSpec::default(), "organization:admin", "open", "organization.role"),
        (
            RouteSpec::default(),
            "organization:executor",
            "suspended",
            "organization.role",
        ),
        (
            RouteSpec::default(),
            "organization:executor",
            "unknown",
            "organization.role",
        ),
        (RouteSpec::default(), "platform:user", "open", "platform.role"),
        (RouteSpec::default(), "platform:viewer", "open", "platform.role"),
        (RouteSpec::default(), "platform:admin", "open", "platform.role"),
        (for_two(), "organization:member", "open", "route.issuer"),
        (tagged, "organization:member", "open", "route.tag"),
    ] {
        let asked = Asked {
            principal: &loaded.principal,
            issuer: None,
            tags: &[],
            organization,
            issuer_organization: None,
        };
        assert_eq!(
            told(&world, spec, require, &asked),
            expected,
            "{require} {organization}"
        );
    }
}

#[test]
fn every_action_against_every_actor() {
    let mut ids = CountingIds(0);
    let (own, other) = (OrganizationId::new(0, &mut ids), OrganizationId::new(0, &mut ids));
    let actors = [
        ("platform admin", ActorScope::Platform(PlatformRole::Admin)),
        ("platform viewer", ActorScope::Platform(PlatformRole::Viewer)),
        ("platform user", ActorScope::Platform(PlatformRole::User)),
        (
            "organization admin",
            ActorScope::Organization(own, OrganizationRole::Admin),
        ),
        (
            "organization member",
            ActorScope::Organization(own, OrganizationRole::Member),
        ),
        (
            "organization executor",
            ActorScope::Organization(own, OrganizationRole::Executor),
        ),
    ];
    let mut table = format!(
        "{:<24} {:<22} {:<16} {:<20} {}\n",
        "", "", "own organization", "other organization", "no organization"
    );
    for action in Action::ALL {
        for (name, scope) in actors {
            let actor = Actor { scopes: vec![scope] };
            let tick = |organization| if actor.may(action, organization) { "yes" } else { "-" };
            writeln!(
                table,
                "{:<24} {name:<22} {:<16} {:<20} {}",
                format!("{action:?}"),
                tick(Some(own)),
                tick(Some(other)),
                tick(None)
            )
            .unwrap();
        }
    }
    insta::with_settings!({ snapshot_path => "..", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("actions", table);
    });
}
