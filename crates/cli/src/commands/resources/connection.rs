//! `narthex connection list|show|create|test|delete|reencrypt`: the connections that the server holds.

use anyhow::Context as _;
use narthex_admin::api::{ConnectionBody, List, NeededBody, ShownMessage, TestedConnection};
use narthex_admin::connections::{self, Compiled, Held, NewConnection, RunContext};
use narthex_admin::reseal;
use narthex_directory::{DocumentAt, DocumentKind, Listing, Page};
use narthex_mapping::profile;
use serde_json::{Map, json};

use super::table::Table;
use super::{AdminContext, Answer, gather, usage_error};
use crate::args::{Common, ConnectionCommand, ConnectionParameters, HeldConnection, ListPage};
use crate::commands::connection::inputs;
use crate::commands::tell;
use crate::commands::terminal::{escape_line, escape_lines, moment};

/// Runs it.
pub(super) async fn run(command: ConnectionCommand) -> anyhow::Result<Answer> {
    match command {
        ConnectionCommand::List {
            organization,
            page,
            common,
        } => list(organization, page, &common).await,
        ConnectionCommand::Show { connection, common } => {
            let context = AdminContext::open(&common).await?;
            let held = find(&context, &connection).await?;
            show(&context, held).await
        }
        ConnectionCommand::Create {
            organization,
            name,
            file,
            parameters,
            common_options,
        } => {
            let Some((document, _)) = inputs::document(&file)? else {
                return Ok(Answer::UsageError);
            };
            create(&organization, &name, document, &parameters, &common_options).await
        }
        ConnectionCommand::Test { connection, common } => test(&connection, &common).await,
        ConnectionCommand::Delete { connection, common } => delete(&connection, &common).await,
        ConnectionCommand::Reencrypt(common) => reencrypt(&common).await,
        ConnectionCommand::Run(_) | ConnectionCommand::Headers(_) => {
            anyhow::bail!("this is no command on the directory")
        }
    }
}

async fn list(organization: Option<String>, page: ListPage, common: &Common) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let of = match organization {
        Some(text) => Some(context.organization(&text).await?.id),
        None => None,
    };
    let found = gather(page, |page| {
        context.directory.documents(DocumentKind::Connection, of, page)
    });
    let found = found.await?;
    let held: Vec<Held> = found.items.into_iter().map(Held::of).collect::<Result<_, _>>()?;
    let mut owners = Vec::new();
    for one in &held {
        let owner = context.directory.organization(one.organization).await?;
        owners.push(owner.map_or_else(|| one.organization.to_string(), |owner| owner.name.to_string()));
    }
    let found = Listing {
        items: held,
        next_cursor: found.next_cursor,
    };
    let body = |held| ConnectionBody::whole(held, &context.connections);
    context.list(&List::of(found, body), |connections| {
        let mut table = Table::new(
            ["NAME", "ORGANIZATION", "MISSING", "UID", "ID"],
            "There are no connections.",
        );
        for (connection, owner) in connections.iter().zip(owners) {
            table.row([
                connection.name.clone(),
                owner,
                names(connection, |need| need.needed && !need.given).unwrap_or_else(|| "-".to_owned()),
                connection.uid.clone().unwrap_or_else(|| "-".to_owned()),
                connection.id.clone(),
            ]);
        }
        table
    })
}

/// The connection with this id, or the only one with this name. Text that is an id is never a name.
async fn find(context: &AdminContext, named: &HeldConnection) -> anyhow::Result<Held> {
    let text = named.connection.as_str();
    let unknown = || format!("there is no connection `{text}`; `narthex connection list` shows them");
    let organization = match &named.organization {
        Some(organization) => Some(context.organization(organization).await?.id),
        None => None,
    };
    let mut found: Vec<Held> = Vec::new();
    if text.parse::<narthex_directory::ConnectionId>().is_ok() {
        let document = context
            .directory
            .document(DocumentKind::Connection, text.to_owned())
            .await?;
        found.extend(document.map(Held::of).transpose()?);
        found.retain(|held| organization.is_none_or(|of| of == held.organization));
    } else {
        let mut page = Page::default();
        loop {
            let listing = context
                .directory
                .documents(DocumentKind::Connection, organization, page);
            let listing = listing.await?;
            // A damaged record has no name; `narthex doctor` names it.
            let held = listing.items.into_iter().filter_map(|document| Held::of(document).ok());
            found.extend(held.filter(|held| held.name() == text));
            match listing.next_cursor {
                Some(cursor) => page = Page::after(cursor, Page::default().limit()),
                None => break,
            }
        }
    }
    if found.len() > 1 {
        let ids: Vec<String> = found.iter().map(|held| held.id.to_string()).collect();
        return Err(usage_error(format!(
            "several connections are called `{text}`; add `--organization`, or name one by its id: {}",
            ids.join(", ")
        )));
    }
    found.pop().with_context(unknown)
}

async fn show(context: &AdminContext, held: Held) -> anyhow::Result<Answer> {
    let owner = context.directory.organization(held.organization).await?;
    let body = ConnectionBody::whole(held, &context.connections);
    let owner = owner.map_or_else(|| body.organization_id.clone(), |owner| owner.name.to_string());
    context.answer(&body, || {
        let metadata = body.metadata.as_ref().map(|label| label.value.clone());
        let facts = Table::facts([
            ("name", Some(body.name.clone())),
            ("id", Some(body.id.clone())),
            ("organization", Some(owner)),
            ("given", names(&body, |need| need.given)),
            ("missing", names(&body, |need| need.needed && !need.given)),
            ("data", (!body.data.is_empty()).then(|| body.data.join(", "))),
            ("uid", body.uid.clone()),
            ("metadata", metadata),
            ("expires", body.expires_at.map(|at| moment(at.0))),
            ("created", Some(moment(body.created_at.0))),
            ("changed", Some(moment(body.updated_at.0))),
        ]);
        let document = body.document.as_deref().unwrap_or_default();
        format!("{facts}\n{}\n", escape_lines(document.trim_end()))
    })
}

/// The names of parameters and common data of which this is so, as templates write them. `None` if there are none.
fn names(body: &ConnectionBody, which: impl Fn(&NeededBody) -> bool) -> Option<String> {
    let of = |kind: &'static str, needs: &[NeededBody]| -> Vec<String> {
        let those = needs.iter().filter(|need| which(need));
        those.map(|need| format!("{kind}.{}", need.name)).collect()
    };
    let mut all = of("parameters", &body.parameters);
    all.extend(of("common", &body.common));
    (!all.is_empty()).then(|| all.join(", "))
}

async fn create(
    organization: &str,
    name: &str,
    document: String,
    parameters: &ConnectionParameters,
    common: &Common,
) -> anyhow::Result<Answer> {
    let name = profile::text(name).map_err(|error| usage_error(format!("the name: {error}")))?;
    let name = name.ok_or_else(|| usage_error("the name is empty"))?;
    let (parameters, common_data) = inputs::parameters(parameters)?;
    let context = AdminContext::open(common).await?;
    let organization = context.organization(organization).await?;
    let new = NewConnection {
        name,
        document,
        parameters,
        common: common_data,
    };
    let keys = context.connections.sealing.as_deref();
    let held = connections::create(&*context.directory, keys, organization.id, new, context.by()).await?;
    show(&context, held).await
}

async fn test(named: &HeldConnection, common: &Common) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let held = find(&context, named).await?;
    let run = RunContext {
        directory: &*context.directory,
        settings: &|| context.connections.clone(),
        compiled: &Compiled::default(),
        clock: &context.clock,
        actor: &context.by().actor,
        // There is no caller's token here, and so no mapped context.
        context: &Map::new(),
    };
    let tested = TestedConnection::from(connections::test(run, &held).await?);
    let valid = tested.valid;
    context.answer(&tested, || tested_lines(&tested))?;
    Ok(if valid { Answer::Yes } else { Answer::No })
}

fn tested_lines(tested: &TestedConnection) -> String {
    let said = match (&tested.message, &tested.error_type) {
        (Some(message), Some(kind)) => format!("{kind}: {}", escape_lines(message)),
        _ => "The service answered, and the document judged the answer valid.".to_owned(),
    };
    let start = |message: &Option<ShownMessage>| message.as_ref().map(|message| message.start.clone());
    let facts = Table::facts([
        ("request", start(&tested.request)),
        ("status", tested.status.map(|status| status.to_string())),
        ("uid", tested.uid.clone()),
        ("metadata", tested.metadata.as_ref().map(|label| label.value.clone())),
        ("expires", tested.expires_at.map(|at| moment(at.0))),
        ("data", (!tested.data.is_empty()).then(|| tested.data.join(", "))),
    ]);
    format!("{said}\n{facts}")
}

async fn delete(named: &HeldConnection, common: &Common) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let held = find(&context, named).await?;
    let id = held.id.to_string();
    let kind = DocumentKind::Connection;
    let deleted = context
        .directory
        .delete_document(kind, id.clone(), DocumentAt::Any, context.by())
        .await?;
    anyhow::ensure!(deleted, "the connection `{}` was deleted meanwhile", held.name());
    context.answer(&json!({ "id": id, "deleted": true }), || {
        format!("Connection {} ({id}) is deleted.\n", escape_line(held.name()))
    })
}

/// Encrypts the secrets of all connections with the current key.
pub(super) async fn reencrypt(common: &Common) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let keys = context
        .connections
        .sealing
        .as_deref()
        .context("there is no secret key; set `NARTHEX_SECRET_KEY` or `[secrets] key_file`")?;
    let done = reseal(&*context.directory, keys, &context.by())
        .await
        .context("while encrypting the secrets of connections again")?;
    let failed: Vec<_> = done
        .failed
        .iter()
        .map(|(id, error)| json!({ "connection": id, "problem": error.to_string() }))
        .collect();
    for (id, error) in &done.failed {
        // A webhook's name has its kind before it.
        let kind = if id.starts_with("webhook ") { "" } else { "connection " };
        tell(&format!("{kind}{id}: {error}"));
    }
    context.answer(&json!({ "reencrypted": done.sealed_again, "failed": failed }), || {
        told(done.sealed_again, done.failed.is_empty())
    })?;
    Ok(if done.failed.is_empty() {
        Answer::Yes
    } else {
        Answer::No
    })
}

fn told(count: usize, all: bool) -> String {
    let done = match count {
        0 if all => "Every secret is encrypted with the current key already.\n".to_owned(),
        1 => "The secrets of 1 connection are encrypted with the current key now.\n".to_owned(),
        count => format!("The secrets of {count} connections are encrypted with the current key now.\n"),
    };
    if all {
        done
    } else {
        done + "Keep the previous key until the connections above are mended or removed.\n"
    }
}
