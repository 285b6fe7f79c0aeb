//! `narthex key …`

use std::time::Duration;

use narthex_admin::api::{ApiKeyBody, FreshApiKey, FreshApiKeyBody, List, Time};
use narthex_clock::NewIds;
use narthex_directory::{ApiKey, ApiKeyId, OrganizationRole, PlatformRole, ScopedRole};
use narthex_mapping::profile;

use super::table::Table;
use super::{AdminContext, Answer, gather, json, usage_error};
use crate::args::{Common, KeyCommand, ListPage};
use crate::commands::terminal::moment;
use crate::commands::{print, tell};

/// Runs it.
pub(super) async fn run(command: KeyCommand) -> anyhow::Result<Answer> {
    match command {
        KeyCommand::List { page, common } => list(page, &common).await,
        KeyCommand::Create {
            name,
            role,
            organization,
            expires_in,
            expires_at,
            common,
        } => {
            let expires = Expires::of(expires_in, expires_at);
            create(&name, &role, organization.as_deref(), expires, &common).await
        }
        KeyCommand::Revoke { key, common } => {
            let context = AdminContext::open(&common).await?;
            let revoked = match key.parse::<ApiKeyId>() {
                Ok(id) => context.directory.revoke_api_key(id, context.by()).await?,
                Err(_) => false,
            };
            anyhow::ensure!(
                revoked,
                "there is no valid API key with the id `{key}`; `narthex key list` shows them"
            );
            context.answer(&serde_json::json!({ "id": key, "revoked": true }), || {
                format!("API key {key} is revoked.\n")
            })
        }
    }
}

async fn list(page: ListPage, common: &Common) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let found = gather(page, |page| context.directory.api_keys(page)).await?;
    let now_ms = context.now_ms();
    let states: Vec<String> = found.items.iter().map(|key| state(key, now_ms)).collect();
    context.list(&List::of(found, ApiKeyBody::from), |keys| {
        let mut table = Table::new(
            ["NAME", "ROLE", "ORGANIZATION", "MADE", "LAST USED", "STATE", "ID"],
            "There are no API keys.",
        );
        for (key, state) in keys.iter().zip(states) {
            let organization = key.organization_id.clone().unwrap_or_else(|| "-".to_owned());
            let made = moment(key.created_at.0);
            let used = key
                .last_used_at
                .map_or_else(|| "never".to_owned(), |Time(at_ms)| moment(at_ms));
            table.row([
                key.name.clone(),
                key.role.to_owned(),
                organization,
                made,
                used,
                state,
                key.id.clone(),
            ]);
        }
        table
    })
}

fn state(key: &ApiKey, now_ms: i64) -> String {
    match (key.revoked_at_ms, key.expires_at_ms) {
        (Some(at_ms), _) => format!("revoked {}", moment(at_ms)),
        (None, Some(at_ms)) if at_ms <= now_ms => format!("expired {}", moment(at_ms)),
        (None, Some(at_ms)) => format!("works until {}", moment(at_ms)),
        (None, None) => "works".to_owned(),
    }
}

/// The end of a key's life.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expires {
    /// As the kind of key has it where nothing is said.
    Unsaid,
    /// After this time.
    In(Duration),
    /// At this time.
    At(Time),
}

impl Expires {
    /// The end by the two options of a command, of which one at most is given.
    pub(super) const fn of(after: Option<Duration>, at: Option<Time>) -> Self {
        match (after, at) {
            (_, Some(at)) => Self::At(at),
            (Some(after), None) => Self::In(after),
            (None, None) => Self::Unsaid,
        }
    }

    /// The time of the end, in milliseconds; `None` where nothing is said.
    pub(super) fn at_ms(self, now_ms: i64) -> anyhow::Result<Option<i64>> {
        match self {
            Self::Unsaid => Ok(None),
            Self::In(after) => {
                let at_ms = i64::try_from(after.as_millis())
                    .ok()
                    .and_then(|after| now_ms.checked_add(after));
                at_ms.map(Some).ok_or_else(|| {
                    usage_error("`--expires-in` is too long: it ends after the last date that can be stored")
                })
            }
            Self::At(Time(at_ms)) if at_ms <= now_ms => Err(usage_error("`--expires-at` has passed already")),
            Self::At(Time(at_ms)) => Ok(Some(at_ms)),
        }
    }
}

/// SECURITY: the key goes to standard output and nowhere else: not into a log, not into the store.
async fn create(
    name: &str,
    role: &str,
    organization: Option<&str>,
    expires: Expires,
    common: &Common,
) -> anyhow::Result<Answer> {
    let kept = profile::text(name).map_err(|error| usage_error(format!("the name: {error}")))?;
    let name = kept.ok_or_else(|| usage_error("the name is empty; say what the key is for"))?;
    let context = AdminContext::open(common).await?;
    let role = match (role, organization) {
        ("viewer", None) => ScopedRole::Platform(PlatformRole::Viewer),
        (_, None) => ScopedRole::Platform(PlatformRole::Admin),
        ("viewer", Some(_)) => {
            return Err(usage_error(
                "a key for one organization has the role `admin` there; leave `--role` out",
            ));
        }
        (_, Some(text)) => ScopedRole::Organization(context.organization(text).await?.id, OrganizationRole::Admin),
    };
    let (fresh, now_ms) = (FreshApiKey::new()?, context.now_ms());
    let expires_at_ms = expires.at_ms(now_ms)?;
    let key = ApiKey {
        id: ApiKeyId::new(now_ms, &mut NewIds::new()?),
        name,
        hash: fresh.hash(),
        role,
        created_at_ms: now_ms,
        expires_at_ms,
        revoked_at_ms: None,
        last_used_at_ms: None,
    };
    context.directory.create_api_key(key.clone(), context.by()).await?;
    let about = ApiKeyBody::from(key);
    if context.json {
        print(&json(&FreshApiKeyBody {
            about,
            key: Some(fresh.text().to_owned()),
        })?)?;
    } else {
        tell(&format!(
            "API key \"{}\" ({}), {}. It is shown only once:",
            about.name, about.id, about.role
        ));
        print(&format!("{}\n", fresh.text()))?;
    }
    Ok(Answer::Yes)
}
