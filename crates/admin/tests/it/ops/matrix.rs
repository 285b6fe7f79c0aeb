//! Permissions: every operation, called by every kind of caller. The names are those of the OpenAPI document, so that no
//! endpoint is without a row.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use http::HeaderMap;
use narthex_admin::ops::api_keys::{self, KeyRole, NewApiKey};
use narthex_admin::ops::as_of::{self, RoleScope};
use narthex_admin::ops::audit_events::{self, EventQuery, ExportFormat};
use narthex_admin::ops::connections::{self, ConnectionChange, NewConnection};
use narthex_admin::ops::erasure::ErasureTerms;
use narthex_admin::ops::external_ids::ExternalIdChange;
use narthex_admin::ops::issuer_tags::IssuerTagChange;
use narthex_admin::ops::issuers::{IssuerSample, documents, setup_links};
use narthex_admin::ops::machine_keys::{self, NewMachineKey};
use narthex_admin::ops::members::{self, GrantTerms, Group, GroupRole};
use narthex_admin::ops::organizations::deletion::{self, DeletionTerms};
use narthex_admin::ops::organizations::{
    self, NewOrganization, OrganizationChange, OrganizationQuery, TagChange, TagsInput,
};
use narthex_admin::ops::revocations::TokensToRevoke;
use narthex_admin::ops::sessions::{self, BearerText, SessionQuery, SignInCredential};
use narthex_admin::ops::teams::{self, NewTeam, TeamChange};
use narthex_admin::ops::users::{self, NewUser, UserChange, UserQuery};
use narthex_admin::ops::webhooks::{self, NewSigningKey, NewWebhook, SignatureScheme, WebhookChange};
use narthex_admin::ops::{
    Caller, ExpectedVersion, OpError, PageRequest, TokenToExplain, decisions, denials, erasure, explain, external_ids,
    issuer_tags, issuers, revocations, routes, search, settings, tags,
};
use narthex_directory::{
    DenialRecord, Edit, MembershipRule, OrganizationId, OrganizationRole, OrganizationStatus, PlatformRole, ScopedRole,
    SessionClient, TeamRole, Trail, WaitingState,
};
use serde_json::{Map, Value, json};

use crate::api::Fixture;

const CALLERS: [&str; 8] = [
    "key: platform admin",
    "key: platform viewer",
    "key: admin of acme",
    "key: admin of umbrella",
    "token: platform admin",
    "token: admin of acme",
    "token: member of acme",
    "token: without any role",
];

/// Answers of the operations; `None` for a name that is in another group.
type Answer = Option<Result<(), OpError>>;

const ANY: &ExpectedVersion = &ExpectedVersion::Unstated;
const REQUEST: &str = "request-1";
const PICTURE: [u8; 3] = [0xff, 0xd8, 0xff];

/// A directory with one of everything, and a caller of each kind.
struct World {
    callers: Vec<Caller>,
    acme: String,
    team: String,
    user: String,
    key: String,
    connection: String,
    machine_key: String,
    session: String,
    setup_link: String,
}

fn page() -> PageRequest {
    PageRequest::default()
}

fn list(tag: &str) -> Edit<TagsInput> {
    Edit::Set(TagsInput::Text(tag.to_owned()))
}

fn new_connection() -> NewConnection {
    NewConnection {
        name: "x".to_owned(),
        document: r#"{"url": "https://api.example.com/"}"#.to_owned(),
        parameters: Map::new(),
        common: Map::new(),
    }
}

fn new_webhook(name: &str) -> NewWebhook {
    NewWebhook {
        name: name.to_owned(),
        url: "https://crm.example.com/".to_owned(),
        actions: Vec::new(),
        signature: SignatureScheme::V1,
        secret: None,
    }
}

fn new_issuer(name: &str) -> Map<String, Value> {
    let document = json!({
        "name": name, "issuer": format!("https://{name}.example.com"), "discovery": true, "audiences": ["app"],
    });
    document.as_object().unwrap().clone()
}

fn new_key(role: KeyRole) -> NewApiKey {
    NewApiKey {
        name: "x".to_owned(),
        role,
        organization: None,
        expires_at_ms: None,
    }
}

fn new_machine_key() -> NewMachineKey {
    NewMachineKey {
        name: "x".to_owned(),
        role: OrganizationRole::Member,
        expires_at_ms: None,
    }
}

async fn caller(api: &Fixture, bearer: &str) -> Caller {
    api.operations.authenticate(bearer, &HeaderMap::new()).await.unwrap()
}

async fn organization(admin: &Caller, name: &str, tags: TagChange) -> OrganizationId {
    let new = NewOrganization {
        name: name.to_owned(),
        tags,
        ..NewOrganization::default()
    };
    organizations::create(admin, new).await.unwrap().id
}

/// An organization that was deleted, and a user who was erased and stays out.
async fn removed(admin: &Caller) {
    let gone = NewOrganization {
        name: "gone".to_owned(),
        external_id: Some("gone".to_owned()),
        ..NewOrganization::default()
    };
    organizations::create(admin, gone).await.unwrap();
    deletion::delete(admin, "gone", ANY, DeletionTerms::default())
        .await
        .unwrap();
    let gone = NewUser {
        external_id: "gone".to_owned(),
        ..NewUser::default()
    };
    let gone = users::create(admin, gone).await.unwrap().user.id.to_string();
    let terms = ErasureTerms {
        refuse_later_tokens: true,
        why: None,
    };
    erasure::erase(admin, &gone, ANY, terms).await.unwrap();
}

async fn denied(api: &Fixture) {
    let denial = DenialRecord {
        request_id: REQUEST.to_owned(),
        at_ms: api.by().at_ms,
        facts: Map::new(),
    };
    api.directory.keep_denials(vec![denial], api.by().at_ms).await.unwrap();
}

/// A caller of each kind.
async fn callers(api: &Fixture, acme: OrganizationId, umbrella: OrganizationId) -> Vec<Caller> {
    let of_organization = |id: OrganizationId| ScopedRole::Organization(id, OrganizationRole::Admin);
    let mut bearers = vec![
        api.admin.clone(),
        api.key(ScopedRole::Platform(PlatformRole::Viewer)).await,
        api.key(of_organization(acme)).await,
        api.key(of_organization(umbrella)).await,
    ];
    for (name, tag) in [
        ("root", "platform-admins"),
        ("chief", "boss"),
        ("worker", "staff"),
        ("stranger", "none"),
    ] {
        api.sign_in(name, &[tag]).await;
        bearers.push(name.to_owned());
    }
    let mut callers = Vec::new();
    for bearer in bearers {
        callers.push(caller(api, &bearer).await);
    }
    callers
}

async fn world() -> World {
    let api = Fixture::new().await;
    let admin = caller(&api, &api.admin).await;
    let lists = TagChange {
        admin: list("boss"),
        member: list("staff"),
        executor: Edit::Keep,
    };
    let acme = organization(&admin, "acme", lists).await;
    let umbrella = organization(&admin, "umbrella", TagChange::default()).await;
    let shift = NewTeam {
        name: "Night shift".to_owned(),
        external_id: None,
    };
    let team = teams::create(&admin, "acme", shift).await.unwrap().id.to_string();
    let user = api.sign_in("subject", &["staff"]).await.user().id.to_string();
    for role in [
        GroupRole::Organization("acme", OrganizationRole::Member),
        GroupRole::Team(&team, TeamRole::Member),
    ] {
        members::grant(&admin, role, &user, GrantTerms::default())
            .await
            .unwrap();
    }
    users::grant_platform_role(&admin, &user, PlatformRole::Viewer, GrantTerms::default())
        .await
        .unwrap();
    organizations::set_logo(&admin, "acme", ANY, PICTURE.to_vec())
        .await
        .unwrap();
    removed(&admin).await;
    denied(&api).await;
    let key = api_keys::create(&admin, new_key(KeyRole::Viewer)).await.unwrap();
    crate::api::seal_with(&api, 1, None);
    webhooks::create(&admin, new_webhook("crm")).await.unwrap();
    let connection = connections::create(&admin, "acme", new_connection()).await.unwrap();
    let machine_key = machine_keys::create(&admin, "acme", new_machine_key()).await.unwrap();
    let session = signed_in(&api, &admin).await;
    documents::create(&admin, new_issuer("guests")).await.unwrap();
    let setup_link = setup_links::create(&admin, "acme").await.unwrap().link.id;
    World {
        callers: callers(&api, acme, umbrella).await,
        acme: acme.to_string(),
        team,
        user,
        key: key.record.id.to_string(),
        connection: connection.id.to_string(),
        machine_key: machine_key.record.id.to_string(),
        session,
        setup_link,
    }
}

/// A browser that signed in with an API key, by the id of its session.
async fn signed_in(api: &Fixture, admin: &Caller) -> String {
    let credential = SignInCredential::Bearer(BearerText(&api.admin));
    let client = SessionClient::default();
    api.operations
        .sign_in(credential, &HeaderMap::new(), client, None)
        .await
        .unwrap();
    let listed = sessions::list(admin, SessionQuery::default(), page()).await.unwrap();
    listed.items[0].id.to_string()
}

async fn of_users(name: &str, caller: &Caller, world: &World) -> Answer {
    let user = world.user.as_str();
    Some(match name {
        "list_users" => users::list(caller, UserQuery::default(), page()).await.map(drop),
        "read_user" => users::read(caller, user).await.map(drop),
        "create_user" => {
            let new = NewUser {
                external_id: "new".to_owned(),
                ..NewUser::default()
            };
            users::create(caller, new).await.map(drop)
        }
        "change_external_ids" => {
            let change = ExternalIdChange {
                from: "subject".to_owned(),
                to: "x".to_owned(),
            };
            external_ids::change(caller, None, vec![change], None, true)
                .await
                .map(drop)
        }
        "update_user" => {
            let change = UserChange {
                name: Edit::Set("x".to_owned()),
                ..UserChange::default()
            };
            users::update(caller, user, ANY, change).await.map(drop)
        }
        "erase_user" => erasure::erase(caller, user, ANY, ErasureTerms::default())
            .await
            .map(drop),
        "lift_user_erasure" => erasure::lift(caller, None, "gone".to_owned()).await,
        "list_user_grants" => users::grants(caller, user, None, page()).await.map(drop),
        "revoke_user_tokens" => users::revoke_tokens(caller, user).await.map(drop),
        "grant_platform_role" => users::grant_platform_role(caller, user, PlatformRole::Viewer, GrantTerms::default())
            .await
            .map(drop),
        "revoke_platform_role" => users::revoke_platform_role(caller, user, None).await,
        _ => return None,
    })
}

async fn of_organizations(name: &str, caller: &Caller, world: &World) -> Answer {
    let acme = world.acme.as_str();
    Some(match name {
        "list_organizations" => organizations::list(caller, OrganizationQuery::default(), page())
            .await
            .map(drop),
        "read_organization" => organizations::read(caller, acme).await.map(drop),
        "create_organization" => {
            let new = NewOrganization {
                name: "new".to_owned(),
                ..NewOrganization::default()
            };
            organizations::create(caller, new).await.map(drop)
        }
        "preview_organization_deletion" => deletion::content(caller, acme).await.map(drop),
        "delete_organization" => {
            let terms = DeletionTerms {
                with_content: true,
                why: None,
            };
            deletion::delete(caller, acme, &ExpectedVersion::Any, terms).await
        }
        "lift_organization_deletion" => deletion::lift(caller, None, "gone".to_owned()).await,
        "read_organization_logo" => organizations::logo(caller, acme).await.map(drop),
        "set_organization_logo" => {
            let allowed = organizations::may_set_logo(caller, acme, ANY).await;
            let set = organizations::set_logo(caller, acme, ANY, PICTURE.to_vec()).await;
            assert_eq!(allowed.is_ok(), set.is_ok(), "{name}");
            set.map(drop)
        }
        "remove_organization_logo" => organizations::delete_logo(caller, acme, ANY).await,
        "preview_organization_tags" => {
            let change = TagChange {
                member: list("x"),
                ..TagChange::default()
            };
            organizations::preview(caller, acme, change, page()).await.map(drop)
        }
        _ => {
            let change = organization_change(name)?;
            organizations::update(caller, acme, ANY, change).await.map(drop)
        }
    })
}

/// Changes of an organization: what its own admins may change depends on the member.
fn organization_change(name: &str) -> Option<OrganizationChange> {
    let mut change = OrganizationChange::default();
    match name {
        "update_organization" => change.label = Edit::Set("x".to_owned()),
        "update_organization: name" => change.name = Edit::Set("x".to_owned()),
        "update_organization: external_id" => change.external_id = Edit::Set("x".to_owned()),
        "update_organization: membership" => change.membership = Edit::Set(MembershipRule::Mixed),
        "update_organization: status" => change.status = Edit::Set(OrganizationStatus::Active),
        _ => return None,
    }
    Some(change)
}

async fn of_teams(name: &str, caller: &Caller, world: &World) -> Answer {
    let (acme, team) = (world.acme.as_str(), world.team.as_str());
    let mut change = TeamChange::default();
    match name {
        "update_team" => change.name = Edit::Set("x".to_owned()),
        "update_team: organization" => change.organization = Edit::Set("umbrella".to_owned()),
        "update_team: external_id" => change.external_id = Edit::Set("x".to_owned()),
        _ => {}
    }
    Some(match name {
        "list_teams" => teams::list(caller, None, None, page()).await.map(drop),
        "list_organization_teams" => teams::list_of_organization(caller, acme, None, page()).await.map(drop),
        "read_team" => teams::read(caller, team).await.map(drop),
        "create_team" => {
            let new = NewTeam {
                name: "x".to_owned(),
                external_id: None,
            };
            teams::create(caller, acme, new).await.map(drop)
        }
        _ if name.starts_with("update_team") => teams::update(caller, team, ANY, change).await.map(drop),
        _ => return None,
    })
}

async fn of_members(name: &str, caller: &Caller, world: &World) -> Answer {
    let (acme, team, user) = (world.acme.as_str(), world.team.as_str(), world.user.as_str());
    let (in_acme, in_team) = (Group::Organization(acme), Group::Team(team));
    Some(match name {
        "list_organization_members" => members::list(caller, in_acme, page()).await.map(drop),
        "list_team_members" => members::list(caller, in_team, page()).await.map(drop),
        "read_organization_member" => members::read(caller, in_acme, user).await.map(drop),
        "read_team_member" => members::read(caller, in_team, user).await.map(drop),
        "grant_organization_role" => {
            let role = GroupRole::Organization(acme, OrganizationRole::Admin);
            members::grant(caller, role, user, GrantTerms::default())
                .await
                .map(drop)
        }
        "grant_team_role" => {
            let role = GroupRole::Team(team, TeamRole::Admin);
            members::grant(caller, role, user, GrantTerms::default())
                .await
                .map(drop)
        }
        "revoke_organization_role" => members::revoke(caller, in_acme, user, None).await,
        "revoke_team_role" => members::revoke(caller, in_team, user, None).await,
        _ => return None,
    })
}

async fn of_connections(name: &str, caller: &Caller, world: &World) -> Answer {
    let connection = world.connection.as_str();
    Some(match name {
        "list_connections" => connections::list(caller, None, page()).await.map(drop),
        "read_connection" => connections::read(caller, connection).await.map(drop),
        "create_connection" => connections::create(caller, "acme", new_connection()).await.map(drop),
        "update_connection" => {
            let change = ConnectionChange {
                name: Edit::Set("x".to_owned()),
                ..ConnectionChange::default()
            };
            connections::update(caller, connection, ANY, change).await.map(drop)
        }
        "delete_connection" => connections::delete(caller, connection, ANY).await,
        "render_connection" => connections::render(caller, connection).await.map(drop),
        "test_connection" => connections::test(caller, connection).await.map(drop),
        _ => return None,
    })
}

async fn of_machine_keys(name: &str, caller: &Caller, world: &World) -> Answer {
    let (acme, key) = (world.acme.as_str(), world.machine_key.as_str());
    Some(match name {
        "list_machine_keys" => machine_keys::list(caller, acme, page()).await.map(drop),
        "read_machine_key" => machine_keys::read(caller, acme, key).await.map(drop),
        "create_machine_key" => machine_keys::create(caller, acme, new_machine_key()).await.map(drop),
        "revoke_machine_key" => machine_keys::revoke(caller, acme, key).await,
        _ => return None,
    })
}

async fn of_webhooks(name: &str, caller: &Caller) -> Answer {
    Some(match name {
        "list_webhooks" => webhooks::list(caller, page()).await.map(drop),
        "read_webhook" => webhooks::read(caller, "crm").await.map(drop),
        "create_webhook" => webhooks::create(caller, new_webhook("erp")).await.map(drop),
        "update_webhook" => webhooks::update(caller, "crm", WebhookChange::default(), ANY)
            .await
            .map(drop),
        "delete_webhook" => webhooks::delete(caller, "crm", ANY).await,
        "rotate_webhook_secret" => webhooks::rotate_secret(caller, "crm", NewSigningKey::default())
            .await
            .map(drop),
        "list_webhook_attempts" => webhooks::attempts(caller, "crm", page()).await.map(drop),
        "list_webhook_deliveries" => webhooks::deliveries(caller, "crm", WaitingState::Waiting, page())
            .await
            .map(drop),
        "retry_webhook" => webhooks::retry(caller, "crm", true).await.map(drop),
        "replay_webhook" => webhooks::replay(caller, "crm", 0).await,
        _ => return None,
    })
}

async fn of_run_time_issuers(name: &str, caller: &Caller, world: &World) -> Answer {
    Some(match name {
        "list_issuer_documents" => documents::list(caller, page()).await.map(drop),
        "read_issuer_document" => documents::read(caller, "guests").await.map(drop),
        "create_issuer" => documents::create(caller, new_issuer("partners")).await.map(drop),
        "replace_issuer_document" => {
            let changed = documents::replace(caller, "guests", new_issuer("guests"), ANY).await;
            changed.map(drop)
        }
        "delete_issuer" => documents::delete(caller, "guests", ANY).await,
        "list_setup_links" => setup_links::list(caller, "acme", page()).await.map(drop),
        "create_setup_link" => setup_links::create(caller, "acme").await.map(drop),
        "revoke_setup_link" => setup_links::revoke(caller, &world.setup_link).await,
        _ => return None,
    })
}

async fn of_the_rest(name: &str, caller: &Caller, world: &World) -> Answer {
    Some(match name {
        "list_api_keys" => api_keys::list(caller, page()).await.map(drop),
        "create_api_key" => api_keys::create(caller, new_key(KeyRole::Admin)).await.map(drop),
        "revoke_api_key" => api_keys::revoke(caller, &world.key).await,
        "list_audit_events" => audit_events::list(caller, EventQuery::default(), page())
            .await
            .map(drop),
        "list_role_changes" => as_of::changes_per_day(caller, "acme", 90).await.map(drop),
        "read_decisions" => decisions::read(caller, None, None).map(drop),
        "list_revocations" => revocations::list(caller, page()).await.map(drop),
        "create_revocation" => {
            let one = TokensToRevoke::Id("one".to_owned());
            revocations::revoke(caller, "idp", one, None).await.map(drop)
        }
        "preview_issuer_tags" => {
            let change = IssuerTagChange::default();
            issuer_tags::preview(caller, "idp", change, page()).await.map(drop)
        }
        "list_denials" => denials::list(caller, page()).await.map(drop),
        "read_denial" => denials::read(caller, REQUEST).await.map(drop),
        "list_grants" => {
            let of_platform = as_of::list(caller, RoleScope::Platform, None, page());
            of_platform.await.map(drop)
        }
        "list_audit_keys" => audit_events::keys(caller).await.map(drop),
        "export_audit_events" => {
            let all = EventQuery::default();
            audit_events::export(caller, ExportFormat::Ndjson, all).await.map(drop)
        }
        "list_issuers" => issuers::list(caller, page()).map(drop),
        "list_issuer_refusals" => issuers::refusals(caller, "idp").map(drop),
        "propose_issuer" => {
            let sample = IssuerSample::Address("https://id.example.com".to_owned());
            issuers::propose(caller, &sample).map(drop)
        }
        "read_issuer" => issuers::read(caller, "idp").map(drop),
        "read_issuer_keys" => issuers::keys(caller, "idp").map(drop),
        "refresh_issuer_keys" => issuers::refresh(caller, "idp").await.map(drop),
        "list_routes" => routes::list(caller, page()).map(drop),
        "list_tags" => tags::list(caller, None, page()).await.map(drop),
        "list_sessions" => sessions::list(caller, SessionQuery::default(), page()).await.map(drop),
        "end_session" => sessions::end(caller, &world.session).await,
        "search_records" => search::find(caller, "acme").await.map(drop),
        "read_settings" => settings::read(caller).map(drop),
        "explain" => {
            let token = TokenToExplain {
                token: "x".to_owned(),
                request: None,
                at_ms: None,
            };
            explain::explain(caller, token).await.map(drop)
        }
        _ => return None,
    })
}

async fn call(name: &str, caller: &Caller, world: &World) -> Result<(), OpError> {
    let answers = [
        of_users(name, caller, world).await,
        of_organizations(name, caller, world).await,
        of_teams(name, caller, world).await,
        of_members(name, caller, world).await,
        of_connections(name, caller, world).await,
        of_machine_keys(name, caller, world).await,
        of_webhooks(name, caller).await,
        of_run_time_issuers(name, caller, world).await,
        of_the_rest(name, caller, world).await,
    ];
    let mut answers = answers.into_iter().flatten();
    let answer = answers
        .next()
        .unwrap_or_else(|| panic!("the endpoint `{name}` has no row"));
    assert!(answers.next().is_none(), "`{name}` has two rows");
    answer
}

/// One call: `yes` or `no`. A world in which something was done is left behind.
async fn cell(kept: &mut Option<World>, kind: usize, name: &str) -> &'static str {
    let world = match kept.take() {
        Some(world) => world,
        None => world().await,
    };
    let answer = match call(name, &world.callers[kind], &world).await {
        Ok(()) => "yes",
        Err(OpError::Forbidden { .. }) => "no",
        Err(other) => panic!("{name} as {} is {other:?}", CALLERS[kind]),
    };
    let reads = ["list_", "read_", "explain", "preview_"];
    if answer == "no" || reads.iter().any(|prefix| name.starts_with(prefix)) {
        *kept = Some(world);
    }
    answer
}

/// Rows beside the endpoints: the right depends on the member that is changed.
const OF_MEMBERS: [&str; 6] = [
    "update_organization: name",
    "update_organization: external_id",
    "update_organization: membership",
    "update_organization: status",
    "update_team: organization",
    "update_team: external_id",
];

fn names() -> BTreeSet<String> {
    let document: Value = serde_json::from_str(&narthex_admin::api::openapi()).unwrap();
    let items = document["paths"].as_object().unwrap().values();
    let endpoints = items.flat_map(|item| item.as_object().unwrap().values());
    endpoints
        .map(|endpoint| endpoint["operationId"].as_str().unwrap().to_owned())
        .chain(OF_MEMBERS.map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn every_operation_by_every_kind_of_caller_is_in_the_matrix() {
    let mut table = String::from(
        "Who may do what. `no` is refused, through the API with 403.\n`acme` is the organization the operation is about.\n\n",
    );
    for (index, kind) in CALLERS.iter().enumerate() {
        writeln!(table, "  {} = {kind}", index + 1).unwrap();
    }
    write!(table, "\n{:<34}", "operation").unwrap();
    for index in 1..=CALLERS.len() {
        write!(table, "{index:<6}").unwrap();
    }
    let mut kept = None;
    for name in names() {
        write!(table, "\n{name:<34}").unwrap();
        for kind in 0..CALLERS.len() {
            write!(table, "{:<6}", cell(&mut kept, kind, &name).await).unwrap();
        }
    }
    let trimmed: Vec<&str> = table.lines().map(str::trim_end).collect();
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/ops/matrix.txt");
    crate::golden(&file, &format!("{}\n", trimmed.join("\n")));
}

/// A page of the console asks whether to show a button; the answer must be the operation's own.
#[tokio::test]
async fn a_check_before_a_create_answers_as_the_create() {
    for (kind, who) in CALLERS.iter().enumerate() {
        let world = world().await;
        let caller = &world.callers[kind];
        let team = NewTeam {
            name: "x".to_owned(),
            external_id: Some("x".to_owned()),
        };
        for (name, allowed) in [
            ("create_user", users::may_create(caller)),
            ("create_organization", organizations::may_create(caller)),
            ("create_connection", connections::may_create(caller, "acme").await),
            ("create_machine_key", machine_keys::may_create(caller, "acme").await),
            ("create_api_key", api_keys::may_create(caller)),
        ] {
            let done = call(name, caller, &world).await;
            assert_eq!(allowed.is_ok(), done.is_ok(), "{name} as {who}");
        }
        let allowed = teams::may_create(caller, "acme", &team).await;
        let done = teams::create(caller, "acme", team).await;
        assert_eq!(allowed.is_ok(), done.is_ok(), "a team's external id as {who}");
    }
}
