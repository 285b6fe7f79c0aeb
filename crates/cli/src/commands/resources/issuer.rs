//! `narthex issuer list|show|create|replace|delete|setup-link`: issuers made at run time.

use std::path::Path;

use narthex_admin::api::{FreshSetupLinkBody, IssuerDocumentBody, List};
use narthex_admin::ops::issuers::documents::IssuerRecord;
use narthex_admin::ops::issuers::setup_links::create_link;
use narthex_config::FieldProblem;
use narthex_directory::{Document, DocumentAt, DocumentKind, Listing};
use narthex_issuers::store::{IssuerStore, NewIssuer, SaveError, candidate, candidates};
use narthex_issuers::{IssuerDocument, choose};
use serde_json::{Map, Value, json};

use super::table::Table;
use super::{AdminContext, Answer, gather};
use crate::args::{Common, IssuerCommand, ListPage};
use crate::commands::input::{self, argument_or_stdin, usage_error};
use crate::commands::terminal::escape_line;

/// Runs it.
pub(super) async fn run(command: IssuerCommand) -> anyhow::Result<Answer> {
    match command {
        IssuerCommand::Propose { .. } => anyhow::bail!("this command needs no directory"),
        IssuerCommand::List { page, common } => list(page, &common).await,
        IssuerCommand::Show { issuer, common } => {
            let (context, document) = open(&issuer, &common).await?;
            show(&context, document, Vec::new()).await
        }
        IssuerCommand::Create { file, common } => {
            let context = AdminContext::open(&common).await?;
            let document = document_in(&file)?;
            let name = document.get("name").and_then(Value::as_str).map(str::to_owned);
            let name = name.ok_or_else(|| usage_error("the document has no `name`, which every issuer needs"))?;
            let new = NewIssuer {
                name,
                document,
                organization: None,
            };
            save(&context, new, DocumentAt::Absent).await
        }
        IssuerCommand::Replace { issuer, file, common } => {
            let (context, before) = open(&issuer, &common).await?;
            let new = NewIssuer {
                name: before.name,
                document: document_in(&file)?,
                organization: before.organization,
            };
            save(&context, new, DocumentAt::Version(before.version)).await
        }
        IssuerCommand::Delete { issuer, common } => {
            let (context, before) = open(&issuer, &common).await?;
            let by = context.by();
            let (kind, at) = (DocumentKind::Issuer, DocumentAt::Version(before.version));
            context.directory.delete_document(kind, before.name, at, by).await?;
            let name = escape_line(&issuer);
            context.answer(&json!({ "name": issuer, "deleted": true }), || {
                format!("The issuer `{name}` is deleted.\n")
            })
        }
        IssuerCommand::SetupLink { organization, common } => setup_link(&organization, &common).await,
    }
}

/// Opens the store, and finds the issuer with this name.
async fn open(name: &str, common: &Common) -> anyhow::Result<(AdminContext, Document)> {
    let context = AdminContext::open(common).await?;
    let found = context
        .directory
        .document(DocumentKind::Issuer, name.to_owned())
        .await?;
    let is_declared = context.file_issuers.iter().any(|issuer| issuer.name.as_str() == name);
    let shown = escape_line(name);
    match found {
        Some(document) => Ok((context, document)),
        None if is_declared => {
            anyhow::bail!("the issuer `{shown}` is declared in the configuration file; change it there")
        }
        None => anyhow::bail!("no issuer `{shown}` was made at run time; `narthex issuer list` shows those that were"),
    }
}

/// The document in a file.
fn document_in(file: &Path) -> anyhow::Result<Map<String, Value>> {
    let document: Result<IssuerDocument, _> = if file == Path::new("-") {
        serde_json::from_str(&argument_or_stdin("-".to_owned())?)
    } else {
        serde_json::from_slice(&input::file("FILE", file)?)
    };
    let refused = |error| usage_error(format!("`{}` is no document of an issuer: {error}", file.display()));
    Ok(document.map_err(refused)?.0)
}

async fn save(context: &AdminContext, new: NewIssuer, at: DocumentAt) -> anyhow::Result<Answer> {
    let store = IssuerStore {
        directory: &*context.directory,
        file: &context.file_issuers,
        limits: &context.limits,
    };
    match store.save(new, at, context.by()).await {
        Ok(saved) => show(context, saved.document, saved.warnings).await,
        Err(SaveError::Invalid(problems)) => anyhow::bail!("the document cannot be used\n{}", lines(&problems)),
        Err(SaveError::Store(error)) => Err(error.into()),
        Err(other) => anyhow::bail!("{}", escape_line(&other.to_string())),
    }
}

/// One line for each problem. SECURITY: a document may hold characters that write to the terminal.
fn lines(problems: &[FieldProblem]) -> String {
    let line = |problem: &FieldProblem| {
        let field = if problem.field.is_empty() { "/" } else { &problem.field };
        let help = problem
            .help
            .first()
            .map_or_else(String::new, |help| format!(" ({help})"));
        format!(
            "  {}: {}{}\n",
            escape_line(field),
            escape_line(&problem.message),
            escape_line(&help)
        )
    };
    problems.iter().map(line).collect()
}

async fn list(page: ListPage, common: &Common) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let found = gather(page, |page| {
        context.directory.documents(DocumentKind::Issuer, None, page)
    })
    .await?;
    let mut items = Vec::with_capacity(found.items.len());
    for document in found.items {
        items.push(record(&context, document, Vec::new()).await?);
    }
    let found = Listing {
        items,
        next_cursor: found.next_cursor,
    };
    context.list(&List::of(found, IssuerDocumentBody::from), |issuers| {
        let mut table = Table::new(
            ["NAME", "ISSUER", "ORGANIZATION", "STATE"],
            "No issuers were made at run time.",
        );
        for issuer in issuers {
            let text = issuer.document.get("issuer").and_then(Value::as_str);
            table.row([
                escape_line(&issuer.name),
                escape_line(text.unwrap_or_default()),
                issuer.organization.clone().unwrap_or_default(),
                match &issuer.off_because {
                    Some(reason) => format!("off: {}", escape_line(reason)),
                    None => "in use".to_owned(),
                },
            ]);
        }
        table
    })
}

async fn show(context: &AdminContext, document: Document, warnings: Vec<FieldProblem>) -> anyhow::Result<Answer> {
    let told = lines(&warnings);
    let body = IssuerDocumentBody::from(record(context, document, warnings).await?);
    let pretty = serde_json::to_string_pretty(&body.document)?;
    context.answer(&body, || {
        let state = match &body.off_because {
            Some(reason) => format!("off: {}", escape_line(reason)),
            None => "in use".to_owned(),
        };
        let text: Vec<String> = pretty.lines().map(escape_line).collect();
        format!("{} ({state})\n{}\n{told}", escape_line(&body.name), text.join("\n"))
    })
}

/// An issuer with its state, as a server with this configuration has it in use.
async fn record(
    context: &AdminContext,
    document: Document,
    warnings: Vec<FieldProblem>,
) -> anyhow::Result<IssuerRecord> {
    let all = candidates(&*context.directory).await?;
    let choice = choose(&context.file_issuers, all, &|_| false, &context.limits);
    let candidate = candidate(&*context.directory, document).await?;
    Ok(IssuerRecord {
        state: choice.states().remove(&candidate.document.name),
        document: candidate.document,
        organization: candidate.organization,
        warnings,
    })
}

async fn setup_link(organization: &str, common: &Common) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let organization = context.organization(organization).await?;
    let created = create_link(&*context.directory, organization.id, context.by()).await?;
    let address = format!("{}/setup?code={}", context.console, created.secret.as_str());
    let body = FreshSetupLinkBody {
        link: created.link.into(),
        path: format!("/setup?code={}", created.secret.as_str()),
    };
    context.answer(&body, || {
        format!(
            "{address}\n\nWhoever has this link can add one issuer of `{}` within seven days. It is not shown again.\n",
            organization.name
        )
    })
}
