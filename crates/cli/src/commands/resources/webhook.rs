//! `narthex webhook …`

use narthex_admin::api::{AttemptBody, List, WebhookBody, WebhookSecretBody};
use narthex_admin::ops::webhooks::record;
use narthex_admin::ops::webhooks::{
    NewSigningKey, NewWebhook, SignatureScheme, WebhookChange, WebhookView, WebhookWithSecret,
};
use narthex_directory::{Document, DocumentAt, DocumentKind, Listing};
use serde_json::json;

use super::table::Table;
use super::{AdminContext, Answer, gather};
use crate::args::{Common, ListPage, WebhookCommand};
use crate::commands::terminal::{escape_line, moment};
use crate::commands::{print, tell};

/// Runs it.
pub(super) async fn run(command: WebhookCommand) -> anyhow::Result<Answer> {
    match command {
        WebhookCommand::List { page, common } => list(page, &common).await,
        WebhookCommand::Show { webhook, common } => {
            let (context, document) = open(&webhook, &common).await?;
            let view = record::view(&*context.directory, document).await?;
            show(&context, view)
        }
        WebhookCommand::Create {
            name,
            url,
            actions,
            signature,
            common,
        } => {
            let context = AdminContext::open(&common).await?;
            let new = NewWebhook {
                name,
                url,
                actions,
                signature,
                secret: None,
            };
            let keys = context.connections.sealing.as_deref();
            let created = record::create(&*context.directory, keys, new, context.by()).await?;
            show_secret(&context, created)
        }
        WebhookCommand::Enable { webhook, common } => set_enabled(&webhook, true, &common).await,
        WebhookCommand::Disable { webhook, common } => set_enabled(&webhook, false, &common).await,
        WebhookCommand::RotateSecret {
            webhook,
            signature,
            common,
        } => rotate_secret(&webhook, signature, &common).await,
        WebhookCommand::Attempts { webhook, page, common } => attempts(&webhook, page, &common).await,
        WebhookCommand::Retry { webhook, dead, common } => {
            let (context, document) = open(&webhook, &common).await?;
            let now_ms = context.now_ms();
            let due = context.directory.retry_webhook(document.name, dead, now_ms).await?;
            context.answer(&json!({ "deliveries": due }), || {
                format!("{due} deliveries are tried now.\n")
            })
        }
        WebhookCommand::Replay { webhook, after, common } => {
            let (context, document) = open(&webhook, &common).await?;
            context.directory.replay_webhook(document.name, after).await?;
            context.answer(&json!({ "name": webhook, "after": after }), || {
                format!("The events after number {after} are sent to `{webhook}` again.\n")
            })
        }
        WebhookCommand::Delete { webhook, common } => {
            let (context, document) = open(&webhook, &common).await?;
            record::delete(&*context.directory, document, DocumentAt::Any, context.by()).await?;
            context.answer(&json!({ "name": webhook, "deleted": true }), || {
                format!("The webhook `{webhook}` is deleted.\n")
            })
        }
    }
}

/// Opens the store, and finds the webhook with this name.
async fn open(name: &str, common: &Common) -> anyhow::Result<(AdminContext, Document)> {
    let context = AdminContext::open(common).await?;
    let found = context
        .directory
        .document(DocumentKind::Webhook, name.to_owned())
        .await?;
    let name = escape_line(name);
    let found = found.ok_or_else(|| anyhow::anyhow!("there is no webhook `{name}`; `narthex webhook list` shows them"));
    Ok((context, found?))
}

async fn rotate_secret(name: &str, signature: Option<SignatureScheme>, common: &Common) -> anyhow::Result<Answer> {
    let (context, document) = open(name, common).await?;
    let keys = context.connections.sealing.as_deref();
    let new = NewSigningKey {
        signature,
        secret: None,
    };
    let rotated = record::rotate_secret(&*context.directory, keys, document, new, context.by()).await?;
    show_secret(&context, rotated)
}

async fn list(page: ListPage, common: &Common) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let found = gather(page, |page| {
        context.directory.documents(DocumentKind::Webhook, None, page)
    })
    .await?;
    let progress = context.directory.webhook_progress().await?;
    let view = |document: Document| {
        let progress = progress.iter().find(|progress| progress.webhook == document.name);
        record::view_with(document, progress.cloned())
    };
    let found = Listing {
        items: found
            .items
            .into_iter()
            .map(view)
            .collect::<Result<Vec<WebhookView>, _>>()?,
        next_cursor: found.next_cursor,
    };
    context.list(&List::of(found, WebhookBody::from), |webhooks| {
        let mut table = Table::new(["NAME", "URL", "STATE", "LAST SUCCESS"], "There are no webhooks.");
        for webhook in webhooks {
            let last = webhook.last_success_at;
            table.row([
                webhook.name.clone(),
                escape_line(&webhook.url),
                state(webhook),
                last.map_or_else(|| "never".to_owned(), |at| moment(at.0)),
            ]);
        }
        table
    })
}

fn state(webhook: &WebhookBody) -> String {
    match (webhook.enabled, webhook.failing_since) {
        (false, _) => "disabled".to_owned(),
        (true, Some(since)) => format!("failing since {}", moment(since.0)),
        (true, None) => "enabled".to_owned(),
    }
}

fn show(context: &AdminContext, view: WebhookView) -> anyhow::Result<Answer> {
    let body = WebhookBody::from(view);
    context.answer(&body, || {
        let actions = if body.actions.is_empty() {
            "all".to_owned()
        } else {
            body.actions.join(", ")
        };
        let cursor = body.cursor.map_or_else(|| "-".to_owned(), |cursor| cursor.to_string());
        let why = body
            .disabled_because
            .as_deref()
            .map_or_else(String::new, |why| format!(" ({why})"));
        format!(
            "name     {}\nurl      {}\nactions  {actions}\nstate    {}{why}\ncursor   {cursor}\n",
            body.name,
            escape_line(&body.url),
            state(&body)
        )
    })
}

/// SECURITY: the secret goes to standard output and nowhere else. Of a key pair, the public key is shown.
fn show_secret(context: &AdminContext, created: WebhookWithSecret) -> anyhow::Result<Answer> {
    let about = WebhookBody::from(created.webhook);
    if context.json {
        let secret = created.secret.map(|secret| secret.as_str().to_owned());
        print(&super::json(&WebhookSecretBody { about, secret })?)?;
    } else if let Some(secret) = created.secret {
        tell(&format!(
            "The secret of webhook `{}`. It is shown only once:",
            about.name
        ));
        print(&format!("{}\n", *secret))?;
    } else {
        tell(&format!("The public key of webhook `{}`:", about.name));
        print(&format!("{}\n", about.public_key.unwrap_or_default()))?;
    }
    Ok(Answer::Yes)
}

async fn set_enabled(webhook: &str, enabled: bool, common: &Common) -> anyhow::Result<Answer> {
    let (context, document) = open(webhook, common).await?;
    let change = WebhookChange {
        enabled: Some(enabled),
        ..WebhookChange::default()
    };
    let keys = context.connections.sealing.as_deref();
    let view = record::update(&*context.directory, keys, document, change, context.by()).await?;
    show(&context, view)
}

async fn attempts(webhook: &str, page: ListPage, common: &Common) -> anyhow::Result<Answer> {
    let (context, document) = open(webhook, common).await?;
    let name = document.name;
    let found = gather(page, |page| context.directory.delivery_attempts(name.clone(), page)).await?;
    context.list(&List::of(found, AttemptBody::from), |attempts| {
        let mut table = Table::new(
            ["EVENT", "TRY", "AT", "ANSWER", "OUTCOME"],
            "Nothing has been sent yet.",
        );
        for attempt in attempts {
            let answer = match (attempt.status, &attempt.error) {
                (Some(status), _) => status.to_string(),
                (None, Some(error)) => escape_line(error),
                (None, None) => "-".to_owned(),
            };
            table.row([
                attempt.sequence.to_string(),
                attempt.attempt.to_string(),
                moment(attempt.at.0),
                answer,
                attempt.outcome.to_owned(),
            ]);
        }
        table
    })
}
