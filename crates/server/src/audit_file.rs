//! The file that gets the events of the audit trail too (`[audit] file`), kept up while a server runs.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use narthex_audit::{FORMAT, TrailExport};
use narthex_engine::Engine;
use serde_json::Value;
use tokio::time::MissedTickBehavior;

/// Time between two looks for events with a link.
const PERIOD: Duration = Duration::from_millis(500);
/// Number of bytes at the end of a file that are read first, to find its last event.
const TAIL_BYTES: u64 = 64 * 1024;
/// Maximum number of bytes that are read to find it: a line is far shorter.
const TAIL_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Appends events to the file for as long as it is polled. Without a file it waits.
pub(super) async fn append(engine: Arc<Engine>, path: Option<PathBuf>) {
    let Some(path) = path else {
        return std::future::pending().await;
    };
    let mut turns = tokio::time::interval(PERIOD);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sink = None;
    let mut is_failing = false;
    loop {
        turns.tick().await;
        let failed = turn(&engine, &path, &mut sink).await.err();
        if let Some(error) = &failed {
            // What was written is read again from the file.
            sink = None;
            if !is_failing {
                tracing::warn!(
                    event = "audit_file_failed",
                    file = %path.display(),
                    error = format!("{error:#}"),
                    "the file of `[audit]` lacks events; they are appended when it can be written again"
                );
            }
        }
        is_failing = failed.is_some();
    }
}

/// The open file, and the events that it goes on with.
struct Sink {
    file: Arc<File>,
    stream: TrailExport,
}

/// Appends what there is now.
async fn turn(engine: &Engine, path: &Path, kept: &mut Option<Sink>) -> anyhow::Result<()> {
    if kept.as_ref().is_some_and(|sink| !is_at(&sink.file, path)) {
        rotate(path, kept).await?;
    }
    let sink = match kept {
        Some(sink) => sink,
        None => match open(engine, path.to_owned()).await? {
            Some(sink) => kept.insert(sink),
            None => return Ok(()),
        },
    };
    while let Some(lines) = sink.stream.next_lines().await? {
        write(Arc::clone(&sink.file), lines).await?;
    }
    Ok(())
}

/// Tests whether the file at the path is the one that is open, and was not emptied.
fn is_at(file: &File, path: &Path) -> bool {
    let of = |found: io::Result<std::fs::Metadata>| found.ok().map(|found| (found.dev(), found.ino()));
    let is_same = of(file.metadata()).is_some_and(|open| of(std::fs::metadata(path)) == Some(open));
    is_same && file.metadata().is_ok_and(|found| found.len() > 0)
}

/// Goes on in a new file, where the one that was open has been renamed.
async fn rotate(path: &Path, kept: &mut Option<Sink>) -> anyhow::Result<()> {
    let Some(sink) = kept.take() else { return Ok(()) };
    let path = path.to_owned();
    let (file, place) = tokio::task::spawn_blocking(move || open_file(&path)).await??;
    // A file with events in it goes on with its own.
    if place.is_none() {
        write(Arc::clone(&file), sink.stream.stream_header().await?).await?;
        *kept = Some(Sink { file, ..sink });
    }
    Ok(())
}

/// Opens the file. `None` while the trail has no key of checkpoints: its keeper makes one in its first turn, and the first line of the
/// file names it.
async fn open(engine: &Engine, path: PathBuf) -> anyhow::Result<Option<Sink>> {
    if engine.directory.audit_keys().await?.is_empty() {
        return Ok(None);
    }
    let (file, place) = tokio::task::spawn_blocking(move || open_file(&path)).await??;
    let (after, is_signed) = place.unwrap_or_default();
    let stream = TrailExport::follow(Arc::clone(&engine.directory), after, is_signed);
    if place.is_none() {
        write(Arc::clone(&file), stream.stream_header().await?).await?;
    }
    Ok(Some(Sink { file, stream }))
}

async fn write(file: Arc<File>, lines: String) -> anyhow::Result<()> {
    let write = move || {
        (&*file).write_all(lines.as_bytes())?;
        file.sync_data()
    };
    Ok(tokio::task::spawn_blocking(write).await??)
}

/// Number of the last event of a file, and whether its checkpoint follows it. `None` for an empty file.
type Place = Option<(u64, bool)>;

/// Opens the file, and makes it if it is missing. Takes away a last line that was not written whole.
fn open_file(path: &Path) -> anyhow::Result<(Arc<File>, Place)> {
    let opened = OpenOptions::new()
        .create(true)
        .append(true)
        .read(true)
        .mode(0o600)
        .open(path);
    let mut file = opened.context("it cannot be opened")?;
    // Two servers that share a file would mix their lines.
    file.try_lock().context("another process writes it")?;
    let length = file.metadata()?.len();
    if length == 0 {
        return Ok((Arc::new(file), None));
    }
    check_first_line(&mut file)?;
    let mut tail_bytes = TAIL_BYTES;
    loop {
        let from = length.saturating_sub(tail_bytes);
        let mut tail = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        file.read_to_end(&mut tail)?;
        let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines = tail.get(..whole).unwrap_or_default();
        if let Some(place) = last_place(lines) {
            keep_whole_lines(&file, from, whole, length)?;
            return Ok((Arc::new(file), Some(place)));
        }
        if from == 0 {
            // There is a first line at the most.
            keep_whole_lines(&file, from, whole, length)?;
            return Ok((Arc::new(file), (whole > 0).then_some((0, false))));
        }
        if tail_bytes >= TAIL_BYTES_MAX {
            bail!("no event can be found at its end; move it away");
        }
        tail_bytes *= 8;
    }
}

fn keep_whole_lines(file: &File, from: u64, whole: usize, length: u64) -> io::Result<()> {
    let end = from + u64::try_from(whole).unwrap_or(u64::MAX);
    if end < length { file.set_len(end) } else { Ok(()) }
}

/// SECURITY: a file of something else is left alone, whatever the configuration says.
fn check_first_line(file: &mut File) -> anyhow::Result<()> {
    let expected = format!("{{\"filter\":null,\"format\":\"{FORMAT}\"");
    let mut begin = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(expected.len() as u64).read_to_end(&mut begin)?;
    if !expected.as_bytes().starts_with(&begin) {
        bail!("it holds something else than events of the audit trail; name another file");
    }
    Ok(())
}

/// Returns the place of the last event in whole lines, the first of which may lack its beginning.
fn last_place(lines: &[u8]) -> Option<(u64, bool)> {
    let lines = lines.split(|byte| *byte == b'\n').rev();
    lines.filter(|line| !line.is_empty()).find_map(|line| {
        let line: Value = serde_json::from_slice(line).ok()?;
        let number = |value: &Value, member: &str| value.get(member).and_then(Value::as_u64);
        let checkpoint = line.get("checkpoint").and_then(|signed| number(signed, "sequence"));
        let expired = line.get("expired").and_then(|expired| number(expired, "last"));
        let event = line.get("event").and_then(|_| number(&line, "sequence"));
        let place = checkpoint.map(|number| (number, true));
        place.or_else(|| Some((event.or(expired)?, false)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_on_after_its_last_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.ndjson");
        assert_eq!(open_file(&path).unwrap().1, None);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let header = format!("{{\"filter\":null,\"format\":\"{FORMAT}\",\"keys\":[],\"stream\":true,\"version\":1}}\n");
        let event = "{\"event\":{},\"hash\":\"\",\"previous_hash\":\"\",\"sequence\":7}\n";
        let signed = "{\"checkpoint\":{\"sequence\":7}}\n";
        let expired = "{\"expired\":{\"first\":8,\"last\":9}}\n";
        let cases = [
            (vec![header.as_str()], (0, false)),
            (vec![&header, event], (7, false)),
            (vec![&header, event, signed], (7, true)),
            (vec![&header, event, signed, expired], (9, false)),
        ];
        for (lines, place) in cases {
            let whole = lines.concat();
            std::fs::write(&path, format!("{whole}{{\"event\":{{\"acti")).unwrap();
            assert_eq!(open_file(&path).unwrap().1, Some(place), "{whole}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
        }
        let long = format!("{header}{event}{}", signed.repeat(10_000));
        std::fs::write(&path, &long).unwrap();
        assert_eq!(open_file(&path).unwrap().1, Some((7, true)));
    }

    #[test]
    fn sec_the_file_of_something_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwd");
        std::fs::write(&path, "root:x:0:0\n").unwrap();
        assert!(open_file(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "root:x:0:0\n");
    }
}
