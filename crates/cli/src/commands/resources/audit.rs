//! `narthex audit list|export`

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use narthex_admin::api::{EventBody, List};
use narthex_audit::{ChainKeeper, ExportFormat, TrailExport};
use narthex_clock::random_bytes;
use narthex_directory::{Actor, By, EventFilter, EventOrder};
use serde_json::Value;

use super::grant::moment_of;
use super::past_roles::{self, PastRolesAsked};
use super::table::Table;
use super::{AdminContext, Answer, gather, usage_error};
use crate::args::{AuditCommand, AuditExportArgs, Common, EventFilters, ListPage, Output};
use crate::commands::print;
use crate::commands::terminal::moment;

/// Runs it.
pub(super) async fn run(command: AuditCommand) -> anyhow::Result<Answer> {
    match command {
        AuditCommand::List { filters, page, common } => list(filters, page, &common).await,
        AuditCommand::Roles {
            as_of,
            organization,
            team,
            csv,
            page,
            common,
        } => {
            let context = AdminContext::open(&common).await?;
            let asked = PastRolesAsked {
                as_of,
                organization,
                team,
                csv,
            };
            past_roles::list(&context, &asked, page).await
        }
        AuditCommand::Export(args) => export(args).await,
        AuditCommand::Verify(_) => anyhow::bail!("this is no command on the directory"),
    }
}

async fn list(filters: EventFilters, page: ListPage, common: &Common) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let filter = filter(&context, filters).await?;
    let found = gather(page, |page| context.directory.events(filter.clone(), page)).await?;
    let headings = ["NUMBER", "TIME", "ACTOR", "ACTION", "DETAIL"];
    let table = Table::new(headings, "No events.").rows(&found.items, |recorded| {
        let event = &recorded.event;
        [
            recorded.sequence.to_string(),
            moment(event.at_ms),
            event.actor.name().unwrap_or_else(|| event.actor.kind().to_owned()),
            event.action.clone(),
            Value::Object(event.detail.clone()).to_string(),
        ]
    });
    context.list(&List::of(found, EventBody::from), |_| table)
}

async fn export(args: AuditExportArgs) -> anyhow::Result<Answer> {
    let format: ExportFormat = args.format.parse().map_err(usage_error)?;
    let common = Common {
        config: args.config,
        output: Output { json: false },
    };
    let context = AdminContext::open(&common).await?;
    let filter = filter(&context, args.filters).await?;
    let by = By {
        actor: Actor::System,
        at_ms: context.now_ms(),
    };
    let seeds = [random_bytes()?, random_bytes()?];
    let keeper = ChainKeeper::open(&*context.directory, seeds, by).await?;
    let directory = Arc::clone(&context.directory);
    let export = TrailExport::begin(directory, keeper, format, filter, context.now_ms()).await?;
    if args.output == Path::new("-") {
        to_stdout(export).await?;
    } else {
        to_file(export, &args.output).await?;
    }
    Ok(Answer::Yes)
}

async fn to_stdout(mut export: TrailExport) -> anyhow::Result<()> {
    while let Some(piece) = export.next_piece().await? {
        print(&piece)?;
    }
    Ok(())
}

/// Writes under another name, and gives the file its own when it is complete.
async fn to_file(mut export: TrailExport, path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    let parent = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = parent.unwrap_or(Path::new("."));
    // SECURITY: it names people; the library makes it for its owner alone.
    let file = tempfile::Builder::new().prefix(".narthex-audit-").tempfile_in(folder);
    let mut file = file.with_context(|| format!("nothing can be written in `{}`", folder.display()))?;
    let cannot = || format!("`{shown}` cannot be written");
    while let Some(piece) = export.next_piece().await? {
        file.write_all(piece.as_bytes()).with_context(cannot)?;
    }
    file.as_file().sync_all().with_context(cannot)?;
    let kept = file.persist_noclobber(path).map_err(|error| error.error);
    kept.with_context(|| format!("`{shown}` cannot be written; an export replaces no file"))?;
    Ok(())
}

/// Reads the filters of the command line.
async fn filter(context: &AdminContext, filters: EventFilters) -> anyhow::Result<EventFilter> {
    let time = |option: &str, text: Option<String>| text.map(|text| moment_of(option, &text)).transpose();
    let user = match filters.user {
        Some(text) => Some(context.user(&text).await?.user.id),
        None => None,
    };
    let organization = match filters.organization {
        Some(text) => Some(context.organization(&text).await?.id),
        None => None,
    };
    Ok(EventFilter {
        user,
        organization,
        action: filters.action,
        actor: filters.actor,
        text: filters.text,
        from_ms: time("--from", filters.from)?,
        until_ms: time("--until", filters.until)?,
        order: EventOrder::NewestFirst,
    })
}
