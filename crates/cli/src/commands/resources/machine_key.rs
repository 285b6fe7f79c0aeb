//! `narthex machine-key …`

use anyhow::Context as _;
use narthex_admin::api::{FreshMachineKeyBody, List, MachineKeyBody};
use narthex_admin::ops::machine_keys::{NewMachineKey, new_key};
use narthex_directory::{MachineKey, MachineKeyEnd, OrganizationRole};

use super::key::Expires;
use super::table::Table;
use super::{AdminContext, Answer, gather, json, usage_error};
use crate::args::{Common, ListPage, MachineKeyCommand};
use crate::commands::terminal::{escape_line, moment};
use crate::commands::{print, tell};

/// Runs it.
pub(super) async fn run(command: MachineKeyCommand) -> anyhow::Result<Answer> {
    match command {
        MachineKeyCommand::List {
            organization,
            page,
            common,
        } => list(&organization, page, &common).await,
        MachineKeyCommand::Show { key, common } => show(&key, &common).await,
        MachineKeyCommand::Create {
            organization,
            name,
            role,
            expires_in,
            expires_at,
            common,
        } => {
            let role = role.parse::<OrganizationRole>();
            let role = role.map_err(|error| usage_error(error.to_string()))?;
            create(
                (&organization, name),
                role,
                Expires::of(expires_in, expires_at),
                &common,
            )
            .await
        }
        MachineKeyCommand::Revoke { key, common } => revoke(&key, &common).await,
    }
}

async fn list(organization: &str, page: ListPage, common: &Common) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let organization = context.organization(organization).await?.id;
    let found = gather(page, |page| context.directory.machine_keys(organization, page)).await?;
    let now_ms = context.now_ms();
    let states: Vec<[String; 3]> = found.items.iter().map(|key| states(key, now_ms)).collect();
    context.list(&List::of(found, MachineKeyBody::from), |keys| {
        let mut table = Table::new(
            ["NAME", "ROLE", "MADE", "LAST USED", "STATE", "ID"],
            "The organization has no machine keys.",
        );
        for (key, [made, used, state]) in keys.iter().zip(states) {
            let role = OrganizationRole::from(key.role).to_string();
            table.row([key.name.clone(), role, made, used, state, key.id.clone()]);
        }
        table
    })
}

/// Returns the times of a key: its creation, its last use, its end.
fn states(key: &MachineKey, now_ms: i64) -> [String; 3] {
    let end = match (key.ended_at(now_ms), key.revoked_at_ms) {
        (Some(MachineKeyEnd::Revoked), Some(at_ms)) => format!("revoked {}", moment(at_ms)),
        (Some(_), _) => format!("expired {}", moment(key.expires_at_ms)),
        (None, _) => format!("works until {}", moment(key.expires_at_ms)),
    };
    let used = key.last_used_at_ms.map_or_else(|| "never".to_owned(), moment);
    [moment(key.created_at_ms), used, end]
}

/// Finds the key with this id.
async fn find(context: &AdminContext, text: &str) -> anyhow::Result<MachineKey> {
    let found = match text.parse() {
        Ok(id) => context.directory.machine_key_of_id(id).await?,
        Err(_) => None,
    };
    // SECURITY: the text may be a key that was pasted in place of its id, so it is not repeated.
    found.context("there is no machine key with this id; `narthex machine-key list ORGANIZATION` shows the ids")
}

async fn show(key: &str, common: &Common) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let key = find(&context, key).await?;
    let organization = context.directory.organization(key.organization).await?;
    let [made, used, state] = states(&key, context.now_ms());
    context.answer(&MachineKeyBody::from(key.clone()), || {
        Table::facts([
            ("id", Some(key.id.to_string())),
            ("name", Some(key.name.clone())),
            ("organization", organization.map(|found| found.name.to_string())),
            ("role", Some(key.role.to_string())),
            ("made", Some(made)),
            ("last used", Some(used)),
            ("state", Some(state)),
        ])
        .to_string()
    })
}

/// SECURITY: the key goes to standard output and nowhere else: not into a log, not into the store.
async fn create(
    (organization, name): (&str, String),
    role: OrganizationRole,
    expires: Expires,
    common: &Common,
) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let organization = context.organization(organization).await?;
    let now_ms = context.now_ms();
    let new = NewMachineKey {
        name,
        role,
        expires_at_ms: expires.at_ms(now_ms)?,
    };
    let created = new_key(&organization, &new, now_ms).map_err(|error| usage_error(error.to_string()))?;
    let record = created.record;
    context
        .directory
        .create_machine_key(record.clone(), context.by())
        .await?;
    if context.json {
        print(&json(&FreshMachineKeyBody {
            about: MachineKeyBody::from(record),
            key: Some(created.key.text().to_owned()),
        })?)?;
    } else {
        tell(&format!(
            "Machine key \"{}\" ({}), {} of {}, works until {}. It is shown only once:",
            escape_line(&record.name),
            record.id,
            record.role,
            organization.name,
            moment(record.expires_at_ms)
        ));
        print(&format!("{}\n", created.key.text()))?;
    }
    Ok(Answer::Yes)
}

async fn revoke(key: &str, common: &Common) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let key = find(&context, key).await?.id;
    let revoked = context.directory.revoke_machine_key(key, context.by()).await?;
    anyhow::ensure!(revoked, "the machine key {key} is revoked already");
    context.answer(&serde_json::json!({ "id": key.to_string(), "revoked": true }), || {
        format!("Machine key {key} is revoked.\n")
    })
}
