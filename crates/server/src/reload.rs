//! The configuration is read again while the process runs: when a file changes, and on `SIGHUP`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use narthex_engine::{Engine, Event, ReloadProblem, Runtime};
use narthex_listener::ServerSettings;
use narthex_listener::tls::PortTls;
use narthex_ops::settings::Installation;
use tokio::signal::unix::Signal;
use tokio::task::JoinSet;

use crate::assemble;
use crate::issuers::{Base, IssuerSources};
use narthex_config::{Config, END_MARK, EndMark, Listen, RestartSettings};

/// Interval between looks at the files. They are read at the second look that finds them changed.
const WATCH_EVERY: Duration = Duration::from_millis(500);

/// Certificates in use at the ports; `None` for a port without TLS.
#[derive(Debug)]
pub(super) struct PortCertificates {
    public: Option<PortTls>,
    admin: Option<PortTls>,
}

impl PortCertificates {
    /// Collects those that the ports were started with.
    pub(super) fn of(public: &ServerSettings, admin: &ServerSettings) -> Self {
        Self {
            public: public.tls.clone(),
            admin: admin.tls.clone(),
        }
    }

    /// Takes the certificates of a configuration into use. A port keeps its own if there is no other: TLS is turned on and
    /// off at a start.
    fn replace(&self, listen: &Listen) {
        for (port, tls) in [(&self.public, &listen.public_tls), (&self.admin, &listen.admin_tls)] {
            if let (Some(port), Some(tls)) = (port, tls) {
                port.replace(tls.clone());
            }
        }
    }
}

/// Reads the configuration again when told to.
pub(super) struct Reload {
    pub(super) path: PathBuf,
    pub(super) watched: Vec<PathBuf>,
    pub(super) engine: Arc<Engine>,
    /// Place where the outcome of each reading is told.
    pub(super) installation: Arc<Installation>,
    pub(super) ports: PortCertificates,
    pub(super) issuers: Arc<IssuerSources>,
    /// Settings that the process was started with.
    pub(super) restart_settings: RestartSettings,
    /// Presence of the mark at the end of the file that is in use.
    pub(super) end_mark: EndMark,
    /// Names of the changed settings that wait for a restart and were logged.
    pub(super) waiting: Vec<&'static str>,
}

impl Reload {
    pub(super) async fn run(mut self, mut hangup: Signal) {
        let mut look = tokio::time::interval(WATCH_EVERY);
        let mut watch = Watch::new(self.stamps());
        self.tell_installation();
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
            let (engine, issuers) = (Arc::clone(&self.engine), Arc::clone(&self.issuers));
            let again = again(self.path.clone(), self.end_mark, engine, issuers);
            match unharmed(again).await {
                Ok((config, end_mark)) => {
                    self.end_mark = end_mark;
                    self.ports.replace(&config.listen);
                    self.say_what_waits(&RestartSettings::of(&config));
                    self.watched = config.watched;
                }
                Err(refused) => {
                    let problems = problems(refused);
                    Event::ReloadRefused { problems: &problems }.tell(&self.engine.metrics);
                    self.installation.set_refused(self.engine.clock.now_ms(), problems);
                }
            }
            watch = Watch::new(if self.watched == watched { before } else { self.stamps() });
        }
    }

    /// Says once of each setting that has changed and is looked at only at the start that it waits for the next.
    fn say_what_waits(&mut self, now: &RestartSettings) {
        let waiting = self.restart_settings.changed_in(now);
        if waiting.iter().any(|key| !self.waiting.contains(key)) {
            let keys = waiting.join(", ");
            tracing::warn!(
                event = "restart_needed",
                keys,
                "these settings take effect at the next start"
            );
        }
        self.waiting = waiting;
        self.tell_installation();
    }

    /// Tells the installation that the file as it was read last is in use.
    fn tell_installation(&self) {
        let waiting = self.waiting.iter().map(ToString::to_string).collect();
        let file = self.path.display().to_string();
        self.installation
            .set_configuration(file, self.engine.clock.now_ms(), waiting);
    }

    /// Stamps of the files, which change when a file does: time and length.
    fn stamps(&self) -> Stamps {
        std::iter::once(self.path.as_path())
            .chain(self.watched.iter().map(PathBuf::as_path))
            .map(stamp)
            .collect()
    }
}

/// A configuration that cannot be used, with everything that is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("the configuration cannot be used")]
struct UnusableConfig(Vec<ReloadProblem>);

/// Returns each problem of the file, or the one cause of a refusal.
fn problems(refused: anyhow::Error) -> Vec<ReloadProblem> {
    match refused.downcast::<UnusableConfig>() {
        Ok(UnusableConfig(problems)) => problems,
        Err(cause) => vec![ReloadProblem {
            is_error: true,
            place: None,
            problem: format!("{cause:#}"),
            help: None,
        }],
    }
}

/// Takes the file into use, or leaves everything as it is and says why.
async fn again(
    path: PathBuf,
    earlier: EndMark,
    engine: Arc<Engine>,
    issuers: Arc<IssuerSources>,
) -> anyhow::Result<(Config, EndMark)> {
    let reading = narthex_config::read(&path)?;
    let end_mark = reading.end_mark();
    let mut config = reading.into_config_or_problems().map_err(UnusableConfig)?;
    let mut base = issuers.lock().await;
    refuse_what_is_lost(&base.file, &config, (earlier, end_mark))?;
    let previous = engine.runtime.load_full();
    let organizations = std::mem::take(&mut config.organizations);
    let generation = previous.generation + 1;
    let file = assemble::runtime(&mut config, Some(&previous), issuers.edges(), generation);
    // Everything that can fail comes before the first thing that is changed.
    assemble::read_key_files(&file, &engine.clock).await?;
    let mut next = Base::new(file, config.limits.clone());
    let built = issuers
        .build(&mut next, &*engine.directory, Some(&previous), generation)
        .await?;
    let declares = assemble::declare(&organizations, &*engine.directory, &engine.clock);
    engine.reload(built.runtime, declares).await?;
    issuers.publish(built.states, &next);
    *base = next;
    drop(base);
    if let Err(error) = assemble::set_logos(organizations, &*engine.directory, &engine.clock).await {
        tracing::error!(event = "logos_failed", %error, "the configuration is in use, without new logos of its organizations");
    }
    Ok((config, end_mark))
}

/// Refuses a file that was emptied or cut off, as far as that can be told from its content.
///
/// SECURITY: half a configuration can be a good one. Without its strict routes, what they guard may pass at a laxer one; and
/// every organization that is no longer declared is suspended.
fn refuse_what_is_lost(previous: &Runtime, config: &Config, (earlier, now): (EndMark, EndMark)) -> anyhow::Result<()> {
    let issuers = !previous.by_name.is_empty() && config.issuers.is_empty();
    let routes = previous.routes.iter().next().is_some() && config.routes.iter().next().is_none();
    let lost = match (issuers, routes) {
        (true, true) => "issuers and routes",
        (true, false) => "issuers",
        (false, true) => "routes",
        (false, false) if earlier == EndMark::There && now == EndMark::Missing => anyhow::bail!(
            "the file that is in use ends with the line `{END_MARK}`, and this one does not: it is cut off, or still being \
             written; write the whole file with that line at its end, or restart Narthex if the line is to go"
        ),
        (false, false) => return Ok(()),
    };
    anyhow::bail!(
        "the file has lost all {lost}: it is emptied or cut off; write the whole file again, or restart Narthex if this is intended"
    )
}

/// Runs work in a task of its own: a panic in it becomes an error here and does not end the waiting task.
async fn unharmed<T: Send + 'static>(
    work: impl Future<Output = anyhow::Result<T>> + Send + 'static,
) -> anyhow::Result<T> {
    // Dropped with the waiting, and the work with it.
    let mut alone = JoinSet::new();
    alone.spawn(work);
    match alone.join_next().await {
        Some(Ok(done)) => done,
        // SECURITY: what a panic says may quote the file, and so is not repeated.
        Some(Err(_)) | None => Err(anyhow::anyhow!(
            "reading the configuration broke off, which is a flaw of Narthex; what was written to standard error before \
             this says where"
        )),
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

    /// Tests whether the files differ from those that were read, and are the same as at the last look.
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

    #[tokio::test]
    async fn what_breaks_off_is_an_error() {
        assert_eq!(unharmed(async { Ok(1) }).await.unwrap(), 1);
        let broken = unharmed(async { Err::<(), _>(anyhow::anyhow!("`listen` is unknown")) }).await;
        assert_eq!(broken.unwrap_err().to_string(), "`listen` is unknown");
        let broken = unharmed::<()>(async { panic!("a password") }).await.unwrap_err();
        let told = broken.to_string();
        assert!(told.contains("broke off") && !told.contains("password"), "{told}");
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
