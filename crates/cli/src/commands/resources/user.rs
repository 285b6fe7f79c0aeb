//! `narthex user …`

use narthex_admin::api::{GrantBody, List, UserBody};
use narthex_admin::ops::erasure::ErasureTerms;
use narthex_clock::NewIds;
use narthex_directory::{
    ExternalId, NewUser, Profile, Realm, RemovedKind, Standing, UserEdit, UserEntry, UserFilter, UserId, UserStatus,
    Username,
};
use narthex_mapping::profile;
use serde::Serialize;

use super::erasure;
use super::external_ids;
use super::grant::reason;
use super::organization::word;
use super::table::Table;
use super::{AdminContext, Answer, effective_origin, gather, usage_error};
use crate::args::{Common, ListPage, UserCommand};
use crate::commands::terminal::moment;

/// Runs it.
pub(super) async fn run(command: UserCommand) -> anyhow::Result<Answer> {
    match command {
        UserCommand::List {
            realm,
            external_id,
            username,
            email,
            search,
            page,
            common,
        } => {
            let filter = UserFilter {
                realm: realm.map(Realm::new).transpose()?,
                external_id,
                username,
                email,
                q: search,
            };
            list(filter, page, &common).await
        }
        UserCommand::Show { user, common } => {
            let context = AdminContext::open(&common).await?;
            let id = context.user(&user).await?.user.id;
            show(&context, id).await
        }
        UserCommand::Create {
            external_id,
            realm,
            username,
            email,
            name,
            common,
        } => create(external_id, realm, [username, email, name], &common).await,
        UserCommand::SetExternalId {
            user,
            external_id,
            why,
            common,
        } => set_external_id(&user, external_id, why, &common).await,
        UserCommand::ExternalIds {
            file,
            realm,
            apply,
            why,
            common,
        } => external_ids::run(&file, realm, (apply, why), &common).await,
        UserCommand::Erase {
            user,
            refuse_later_tokens,
            why,
            yes,
            common,
        } => {
            let terms = ErasureTerms {
                refuse_later_tokens,
                why: reason(why)?,
            };
            erasure::erase(&user, terms, yes, &common).await
        }
        UserCommand::LiftErasure {
            external_id,
            realm,
            common,
        } => erasure::lift(RemovedKind::User, external_id, realm, &common).await,
        UserCommand::Disable { user, common } => set_status(&user, UserStatus::Disabled, &common).await,
        UserCommand::Enable { user, common } => set_status(&user, UserStatus::Active, &common).await,
        UserCommand::RevokeTokens { user, undo, common } => revoke_tokens(&user, undo, &common).await,
    }
}

async fn create(
    external_id: String,
    realm: Option<String>,
    [username, email, name]: [Option<String>; 3],
    common: &Common,
) -> anyhow::Result<Answer> {
    let username = username.unwrap_or_else(|| external_id.clone());
    let text = |option: &str, text: Option<String>| -> anyhow::Result<Option<String>> {
        let kept = text.map(|text| profile::text(&text)).transpose();
        Ok(kept
            .map_err(|error| usage_error(format!("`{option}`: {error}")))?
            .flatten())
    };
    let context = AdminContext::open(common).await?;
    let new = NewUser {
        id: UserId::new(context.now_ms(), &mut NewIds::new()?),
        realm: context.realm(realm)?,
        external_id: ExternalId::new(external_id)?,
        username: Username::new(username)?,
        profile: Profile {
            email: text("--email", email)?,
            name: text("--name", name)?,
            ..Profile::default()
        },
    };
    let user = context.directory.create_user(new, context.by()).await?;
    show(&context, user.id).await
}

async fn set_external_id(
    user: &str,
    external_id: String,
    why: Option<String>,
    common: &Common,
) -> anyhow::Result<Answer> {
    let edit = UserEdit {
        external_id: Some(ExternalId::new(external_id)?),
        why: reason(why)?,
        ..UserEdit::default()
    };
    edited(user, edit, common).await
}

async fn list(filter: UserFilter, page: ListPage, common: &Common) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let mut found = gather(page, |page| context.directory.users(filter.clone(), page)).await?;
    found.items = context.grant_policy().users(found.items).await?;
    context.list(&List::of(found, UserBody::from), |users| {
        let headings = [
            "USERNAME",
            "EXTERNAL ID",
            "REALM",
            "PLATFORM",
            "STATUS",
            "LAST SEEN",
            "ID",
        ];
        Table::new(headings, "There are no such users.").rows(users, |user| {
            [
                user.username.clone(),
                user.external_id.clone(),
                user.realm.clone(),
                word(&user.platform_role),
                word(&user.status),
                user.last_seen_at.map_or("never".to_owned(), |at| moment(at.0)),
                user.id.clone(),
            ]
        })
    })
}

async fn revoke_tokens(user: &str, undo: bool, common: &Common) -> anyhow::Result<Answer> {
    if undo {
        let edit = UserEdit {
            accept_older_tokens: true,
            ..UserEdit::default()
        };
        return edited(user, edit, common).await;
    }
    let context = AdminContext::open(common).await?;
    let id = context.user(user).await?.user.id;
    context.directory.revoke_tokens(id, context.by()).await?;
    show(&context, id).await
}

async fn set_status(user: &str, status: UserStatus, common: &Common) -> anyhow::Result<Answer> {
    let edit = UserEdit {
        status: Some(status),
        ..UserEdit::default()
    };
    edited(user, edit, common).await
}

async fn edited(user: &str, edit: UserEdit, common: &Common) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let id = context.user(user).await?.user.id;
    context.directory.update_user(id, None, edit, context.by()).await?;
    show(&context, id).await
}

/// A user, with what is held now.
#[derive(Serialize)]
struct UserShown {
    #[serde(flatten)]
    user: UserBody,
    grants: Vec<GrantBody>,
}

async fn show(context: &AdminContext, id: UserId) -> anyhow::Result<Answer> {
    let UserEntry { user, platform_role } = context.user(&id.to_string()).await?;
    let mut held = context
        .directory
        .standing(id)
        .await?
        .map(|Standing { grants, .. }| grants)
        .unwrap_or_default();
    let now_ms = context.now_ms();
    held.retain(|grant| grant.counts_at(now_ms));
    let mut roles = Table::new(["ROLE", "ON", "FROM"], "No roles.");
    let mut grants = Vec::new();
    for effective in context.grant_policy().effective_grants(&user.realm, held).await? {
        let grant = &effective.grant;
        let name = context.scope_name(grant.scope()).await?;
        let on = name.as_ref().map_or(grant.scope().kind().to_owned(), |name| {
            format!("{} {name}", grant.scope().kind())
        });
        roles.row([grant.role.role_str().to_owned(), on, effective_origin(&effective)]);
        grants.push(GrantBody::new(effective, name));
    }
    let shown = UserShown {
        user: UserBody::from(UserEntry { user, platform_role }),
        grants,
    };
    context.answer(&shown, || format!("{}\n{roles}", facts(&shown.user)))
}

fn facts(user: &UserBody) -> Table {
    Table::facts([
        ("username", Some(user.username.clone())),
        ("id", Some(user.id.clone())),
        ("external id", Some(user.external_id.clone())),
        ("realm", Some(user.realm.clone())),
        ("status", Some(word(&user.status))),
        ("platform role", Some(word(&user.platform_role))),
        ("name", user.name.clone()),
        ("e-mail", user.email.clone()),
        ("country", user.country.clone()),
        ("time zone", user.timezone.clone()),
        ("locale", user.locale.clone()),
        ("language", user.language.clone()),
        ("last seen", user.last_seen_at.map(|at| moment(at.0))),
        (
            "tokens refused before",
            user.tokens_not_before
                .map(|at| format!("{}, and all without `iat`", moment(at.0))),
        ),
        ("made", Some(moment(user.created_at.0))),
    ])
}
