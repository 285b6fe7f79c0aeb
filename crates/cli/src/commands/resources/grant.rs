//! `narthex grant …`

use narthex_admin::api::{GrantBody, List, Time, given_by_tags};
use narthex_clock::NewIds;
use narthex_directory::{
    EffectiveGrant, Grant, GrantFilter, GrantId, GrantsWhen, NewGrant, PlatformRole, Scope, ScopedRole, User,
};
use narthex_mapping::profile;

use super::key::Expires;
use super::table::Table;
use super::{AdminContext, Answer, effective_origin, gather, usage_error};
use crate::args::{Common, GrantCommand, GrantScope, ListPage};
use crate::commands::terminal::moment;

const HEADINGS: [&str; 6] = ["ROLE", "ON", "FROM", "SINCE", "UNTIL", "TOKEN"];

/// Runs it.
pub(super) async fn run(command: GrantCommand) -> anyhow::Result<Answer> {
    match command {
        GrantCommand::List {
            user,
            as_of,
            all,
            page,
            common,
        } => {
            let when = match (as_of, all) {
                (Some(text), _) => Some(GrantsWhen::AsOf(moment_of("--as-of", &text)?)),
                (None, true) => Some(GrantsWhen::Ever),
                (None, false) => None,
            };
            list(&user, when, page, &common).await
        }
        GrantCommand::Create {
            user,
            scope,
            role,
            expires_in,
            expires_at,
            why,
            common,
        } => {
            let why = reason(why)?;
            let context = AdminContext::open(&common).await?;
            let role = ScopedRole::parse(scope_of(&context, &scope).await?, &role)?;
            if role == ScopedRole::Platform(PlatformRole::User) {
                return Err(usage_error(
                    "every user has the role `user`; revoke a platform role with `narthex grant revoke`",
                ));
            }
            let user = context.user(&user).await?.user;
            let new = NewGrant {
                id: GrantId::new(context.now_ms(), &mut NewIds::new()?),
                user: user.id,
                role,
                expires_at_ms: Expires::of(expires_in, expires_at).at_ms(context.now_ms())?,
                why,
            };
            let grant = context.directory.grant_role(new, context.by()).await?;
            show(&context, &user, grant).await
        }
        GrantCommand::Revoke {
            user,
            scope,
            why,
            common,
        } => {
            let why = reason(why)?;
            let context = AdminContext::open(&common).await?;
            let scope = scope_of(&context, &scope).await?;
            let user = context.user(&user).await?.user;
            let closed = context.directory.revoke_role(user.id, scope, why, context.by()).await?;
            if closed.is_empty() {
                return Err(nothing_to_take(&context, &user, scope).await?);
            }
            show_all(&context, &user, closed).await
        }
    }
}

async fn list(user: &str, when: Option<GrantsWhen>, page: ListPage, common: &Common) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let user = context.user(user).await?.user;
    let filter = GrantFilter {
        user: Some(user.id),
        scope: None,
        when: when.unwrap_or(GrantsWhen::AsOf(context.now_ms())),
    };
    let found = gather(page, |page| context.directory.grants(filter, page)).await?;
    let mut table = Table::new(HEADINGS, "No grants.");
    let mut list = List {
        items: Vec::new(),
        next_cursor: found.next_cursor.map(|cursor| cursor.to_string()),
    };
    for effective in context
        .grant_policy()
        .effective_grants(&user.realm, found.items)
        .await?
    {
        let name = context.scope_name(effective.grant.scope()).await?;
        table.row(cells(&effective, name.as_deref()));
        list.items.push(GrantBody::new(effective, name));
    }
    context.list(&list, |_| table)
}

/// Prints the closed grants: a role by hand, by claims, or both.
async fn show_all(context: &AdminContext, user: &User, closed: Vec<Grant>) -> anyhow::Result<Answer> {
    let mut table = Table::new(HEADINGS, "");
    let mut items = Vec::new();
    for effective in context.grant_policy().effective_grants(&user.realm, closed).await? {
        let name = context.scope_name(effective.grant.scope()).await?;
        table.row(cells(&effective, name.as_deref()));
        items.push(GrantBody::new(effective, name));
    }
    let next_cursor = None;
    context.list(&List { items, next_cursor }, |_| table)
}

/// Explains why no grant was closed: the user has no role there, or only by tags.
async fn nothing_to_take(context: &AdminContext, user: &User, scope: Scope) -> anyhow::Result<anyhow::Error> {
    let standing = context.directory.standing(user.id).await?;
    let mut grants = standing.map(|standing| standing.grants).unwrap_or_default();
    grants.retain(|grant| grant.scope() == scope);
    let effective = context.grant_policy().effective_grants(&user.realm, grants).await?;
    let said = given_by_tags(scope, &effective);
    Ok(said.map_or_else(|| anyhow::anyhow!("the user has no role there"), anyhow::Error::msg))
}

async fn show(context: &AdminContext, user: &User, grant: Grant) -> anyhow::Result<Answer> {
    let name = context.scope_name(grant.scope()).await?;
    let mut table = Table::new(HEADINGS, "");
    let gives = context.grant_policy().effective_role(&user.realm, &grant).await?;
    let effective = EffectiveGrant { grant, gives };
    table.row(cells(&effective, name.as_deref()));
    context.answer(&GrantBody::new(effective, name), || table.to_string())
}

fn cells(effective: &EffectiveGrant, name: Option<&str>) -> [String; 6] {
    let grant = &effective.grant;
    let kind = grant.scope().kind();
    let until = grant.revoked_at_ms.or(grant.lapses_at_ms);
    [
        grant.role.role_str().to_owned(),
        name.map_or(kind.to_owned(), |name| format!("{kind} {name}")),
        effective_origin(effective),
        moment(grant.granted_at_ms),
        until.map_or_else(|| "-".to_owned(), moment),
        grant
            .token
            .jti
            .clone()
            .or_else(|| grant.token.sha256_prefix.clone())
            .unwrap_or_else(|| "-".to_owned()),
    ]
}

async fn scope_of(context: &AdminContext, scope: &GrantScope) -> anyhow::Result<Scope> {
    match (&scope.organization, &scope.team) {
        (Some(organization), _) => Ok(Scope::Organization(context.organization(organization).await?.id)),
        (None, Some(team)) => Ok(Scope::Team(context.team(team).await?.id)),
        // clap lets exactly one of the three pass.
        (None, None) => Ok(Scope::Platform),
    }
}

/// Reads the time that an option names, in milliseconds.
pub(super) fn moment_of(option: &str, text: &str) -> anyhow::Result<i64> {
    let refused = || {
        usage_error(format!(
            "`{option}`: `{text}` is not a time; write it as `2026-03-01T12:00:00Z`"
        ))
    };
    Time::parse(text).map(|at| at.0).ok_or_else(refused)
}

/// The reason that a person gave.
pub(super) fn reason(why: Option<String>) -> anyhow::Result<Option<String>> {
    let kept = why.map(|why| profile::text(&why)).transpose();
    Ok(kept
        .map_err(|error| usage_error(format!("`--why`: {error}")))?
        .flatten())
}
