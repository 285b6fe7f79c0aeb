//! `narthex export`, `narthex import`: the whole directory as a file, to move it from one store to another.

mod target;

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use narthex_clock::Clock;
use narthex_store::Options;
use narthex_store::transfer::{self, Header, Place, Progress, Step, Summary, TransferError};
use serde_json::{Map, Value, json};

use self::target::Target;
use super::input::usage_error;
use super::terminal::{escape_line, moment};
use super::{Answer, in_runtime, print, tell};
use crate::args::{ConfigPath, ExportArgs, ImportArgs};
use narthex_config::StoreLocation;

/// Writes a file.
pub(super) fn export(args: ExportArgs) -> anyhow::Result<Answer> {
    in_runtime(write(args))
}

/// Reads one.
pub(super) fn import(args: ImportArgs) -> anyhow::Result<Answer> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(read(args));
    // After an error of the store, a task may still be reading from a pipe that never ends.
    runtime.shutdown_background();
    done
}

async fn write(args: ExportArgs) -> anyhow::Result<Answer> {
    let (place, name) = place(&args.options.config)?;
    let stop = Arc::new(AtomicBool::new(false));
    let bar = bar(args.options.quiet);
    let watch = watch(&bar, None, Arc::clone(&stop));
    let doing = || format!("while exporting the store `{name}`");
    let at_ms = Clock::system().now_ms();
    let (summary, to_stdout) = if args.output == Path::new("-") {
        // SECURITY: keys do not belong on a screen, or into its scrollback.
        if io::stdout().is_terminal() {
            let message = "an export holds private keys and is not for a terminal; name a file with `--output`, or send \
                           it through a pipe";
            return Err(usage_error(message));
        }
        let out = BufWriter::new(io::stdout());
        let (summary, _) = transfer::export(place, out, at_ms, watch).await.with_context(doing)?;
        (summary, true)
    } else {
        let target = Target::create(&args.output, args.force)?;
        let out = BufWriter::new(target.file()?);
        let (summary, out) = tokio::select! {
            done = transfer::export(place, out, at_ms, watch) => done.with_context(doing)?,
            () = interrupted() => {
                // The thread that writes ends at its next look; the unfinished file goes with `target`.
                stop.store(true, Ordering::Relaxed);
                anyhow::bail!("interrupted; no file was written");
            }
        };
        drop(out);
        target.keep()?;
        (summary, false)
    };
    bar.finish_and_clear();
    let file = args.output.display().to_string();
    let text = if args.options.output.json {
        report(&name, &file, None, &summary)
    } else {
        let count = summary.counts.total();
        format!("exported {count} records of `{name}`\n{}", lines(&summary))
    };
    match (args.options.quiet, to_stdout) {
        (true, _) => {}
        (false, true) => tell(&text),
        (false, false) => print(&text)?,
    }
    Ok(Answer::Yes)
}

async fn read(args: ImportArgs) -> anyhow::Result<Answer> {
    let (place, name) = place(&args.options.config)?;
    let (input, length) = input(&args.file)?;
    let bar = bar(args.options.quiet);
    let watch = watch(&bar, length, Arc::default());
    let file = args.file.display().to_string();
    let imported = transfer::import(place, input, watch).await;
    bar.finish_and_clear();
    let result = match &imported {
        Err(TransferError::Unconfirmed { .. }) => "",
        _ => "; nothing was written",
    };
    let (header, summary) =
        imported.with_context(|| format!("while importing `{file}` into the store `{name}`{result}"))?;
    if args.options.quiet {
        return Ok(Answer::Yes);
    }
    let text = if args.options.output.json {
        report(&name, &file, Some(&header), &summary)
    } else {
        format!(
            "imported {} records into `{name}`, exported from {} by version {} at {}\n{}",
            summary.counts.total(),
            escape_line(&header.store),
            escape_line(&header.program),
            moment(header.exported_at_ms),
            lines(&summary)
        )
    };
    print(&text)?;
    Ok(Answer::Yes)
}

/// The store that the configuration names, and what it is called.
fn place(config: &ConfigPath) -> anyhow::Result<(Place, String)> {
    let config = narthex_server::usable(narthex_config::read(&config.path)?)?;
    Ok(match config.store {
        StoreLocation::Sqlite(path) => {
            let name = path.display().to_string();
            (Place::Sqlite(Options::new(path)), name)
        }
        StoreLocation::Postgres(options) => {
            let name = options.to_string();
            (Place::Postgres(options), name)
        }
    })
}

/// The file to read, and how long it is.
fn input(path: &Path) -> anyhow::Result<(Box<dyn BufRead + Send>, Option<u64>)> {
    if path == Path::new("-") {
        if io::stdin().is_terminal() {
            return Err(usage_error(
                "standard input is a terminal; name the file, or send it through a pipe",
            ));
        }
        return Ok((Box::new(BufReader::new(io::stdin())), None));
    }
    let cannot = || format!("`{}` cannot be read", path.display());
    let file = File::open(path).with_context(cannot)?;
    let metadata = file.metadata().with_context(cannot)?;
    if target::others_may_read(&metadata) {
        let shown = path.display();
        tell(&format!(
            "note: every user of this machine can read the keys in `{shown}`; `chmod 600 {shown}`"
        ));
    }
    let length = metadata.is_file().then_some(metadata.len());
    Ok((Box::new(BufReader::with_capacity(256 * 1024, file)), length))
}

async fn interrupted() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        }
        return;
    }
    let _ = interrupt.await;
}

/// A bar on standard error, if that is a terminal.
fn bar(quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
}

/// Moves the bar, and says when to stop.
fn watch(
    bar: &ProgressBar,
    length: Option<u64>,
    stop: Arc<AtomicBool>,
) -> impl FnMut(Progress) -> ControlFlow<()> + Send + 'static {
    let bar = bar.clone();
    let mut step = None;
    move |progress| {
        let (position, of) = match progress.step {
            Step::Import => (progress.bytes, length),
            Step::Export | Step::Check => (progress.records, progress.of),
        };
        if step.replace(progress.step) != Some(progress.step) {
            bar.set_style(style(progress.step, of.is_some()));
            if let Some(of) = of {
                bar.set_length(of);
            }
        }
        bar.set_position(position);
        if stop.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

fn style(step: Step, bounded: bool) -> ProgressStyle {
    let template = match (step, bounded) {
        (Step::Export, _) => "exporting {wide_bar} {human_pos}/{human_len} records, {eta} left",
        (Step::Import, true) => "importing {wide_bar} {binary_bytes}/{binary_total_bytes}, {eta} left",
        (Step::Import, false) => "importing {binary_bytes}",
        (Step::Check, _) => "checking  {wide_bar} {human_pos}/{human_len} records, {eta} left",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Summary of the moved data, for people.
fn lines(summary: &Summary) -> String {
    let counts = summary.counts.iter().filter(|(_, count)| *count > 0);
    let mut text = String::new();
    for (kind, count) in counts {
        text.push_str(&format!("  {kind:<18}{count:>10}\n"));
    }
    text.push_str(&format!("sha256 of the records: {}\n", summary.sha256));
    text
}

/// The same for programs.
fn report(store: &str, file: &str, header: Option<&Header>, summary: &Summary) -> String {
    let counts: Map<String, Value> = summary
        .counts
        .iter()
        .map(|(kind, count)| (kind.to_owned(), count.into()))
        .collect();
    let mut report = json!({ "store": store, "file": file, "counts": counts, "sha256": summary.sha256 });
    if let (Some(header), Some(report)) = (header, report.as_object_mut()) {
        report.insert("exported_at_ms".to_owned(), header.exported_at_ms.into());
        report.insert("exported_from".to_owned(), header.store.as_str().into());
    }
    format!("{report}\n")
}
