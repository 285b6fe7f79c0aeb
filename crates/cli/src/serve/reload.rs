//! The configuration is read again while the process runs: when a file changes, and on `SIGHUP`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use narthex_gateway::{Event, Gateway, KeyEdges};
use tokio::signal::unix::{SignalKind, signal};

use crate::assemble;
use crate::config::{self, Paint};

/// How often files are looked at for changes. They are read at the second look that finds them changed.
const WATCH_EVERY: Duration = Duration::from_millis(500);

/// Reads the configuration again when told to.
pub(super) struct Reload {
    pub(super) path: PathBuf,
    pub(super) watched: Vec<PathBuf>,
    pub(super) gateway: Arc<Gateway>,
    pub(super) edges: KeyEdges,
}

impl Reload {
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        let mut hangup = signal(SignalKind::hangup())?;
        let mut look = tokio::time::interval(WATCH_EVERY);
        let mut watch = Watch::new(self.stamps());
        loop {
            tokio::select! {
                _ = hangup.recv() => {}
                _ = look.tick() => {
                    if !watch.looks_new(self.stamps()) {
                        continue;
                    }
                }
            }
            // Before the files are read: what is written while they are is then found at the next look.
            let (watched, before) = (self.watched.clone(), self.stamps());
            if let Err(problems) = self.reload().await {
                Event::ReloadRefused {
                    problems: &format!("{problems:#}"),
                }
                .tell(&self.gateway.metrics);
            }
            watch = Watch::new(if self.watched == watched { before } else { self.stamps() });
        }
    }

    /// Takes the file into use, or leaves everything as it is and says why.
    async fn reload(&mut self) -> anyhow::Result<()> {
        let mut config = config::read(&self.path)?
            .into_config(Paint::Plain)
            .map_err(anyhow::Error::msg)?;
        assemble::declare(&mut config, &*self.gateway.directory, &self.gateway.clock).await?;
        let previous = self.gateway.runtime.load_full();
        let runtime = assemble::runtime(&mut config, Some(&previous), &self.edges, previous.generation + 1);
        self.gateway.reload(runtime);
        self.watched = config.watched;
        Ok(())
    }

    /// What changes when a file does: its time and its length.
    fn stamps(&self) -> Stamps {
        std::iter::once(self.path.as_path())
            .chain(self.watched.iter().map(PathBuf::as_path))
            .map(stamp)
            .collect()
    }
}

type Stamps = Vec<Option<(SystemTime, u64)>>;

/// Tells when files have changed and are written to the end.
#[derive(Debug)]
struct Watch {
    /// The files as they were when they were last read.
    read: Stamps,
    /// The files as they were at the last look.
    looked: Stamps,
}

impl Watch {
    fn new(read: Stamps) -> Self {
        Self {
            looked: read.clone(),
            read,
        }
    }

    /// Whether the files are not as they were read, and as they were at the last look.
    ///
    /// SECURITY: an editor may empty a file before it writes it, and half a configuration can be a good one.
    fn looks_new(&mut self, now: Stamps) -> bool {
        let settled = now == self.looked;
        self.looked = now;
        settled && self.looked != self.read
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of that length, which also stands for its time.
    fn file(len: u64) -> Stamps {
        vec![Some((SystemTime::UNIX_EPOCH, len))]
    }

    #[test]
    fn a_file_that_is_being_written_is_read_when_it_is_written() {
        let mut watch = Watch::new(file(100));
        assert!(!watch.looks_new(file(100)), "nothing has changed");
        assert!(!watch.looks_new(file(0)), "emptied, to be written");
        assert!(!watch.looks_new(file(50)), "half of it");
        assert!(!watch.looks_new(file(120)), "perhaps the whole");
        assert!(watch.looks_new(file(120)));
        let mut watch = Watch::new(file(120));
        assert!(!watch.looks_new(vec![None]), "gone, to be replaced");
        assert!(!watch.looks_new(file(120)));
        assert!(!watch.looks_new(file(120)), "it is as it was");
    }
}
