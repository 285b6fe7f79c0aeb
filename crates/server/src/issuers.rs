//! The issuers made at run time, in use beside those of the file: at the start, and whenever a document changes on any node.

use std::sync::Arc;
use std::time::Duration;

use narthex_config::Limits;
use narthex_directory::{Directory, OrganizationName};
use narthex_engine::{Engine, Runtime};
use narthex_fetch::keys::KeyEdges;
use narthex_issuers::store::candidates;
use narthex_issuers::{Candidate, DocumentStates, OffReason, RunTimeIssuers};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::MissedTickBehavior;

use crate::assemble::issuers::{chosen, laid_over, of_file};

/// Time between two looks at the policy number, which moves with every document of an issuer and is known to all nodes within a
/// second of a change.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A document as far as it decides what is in use.
type Mark = (String, u64, Option<OrganizationName>);

/// The issuers of the file and of the documents, as they are put together.
#[derive(Debug)]
pub(super) struct IssuerSources {
    /// Those that a node shows and checks.
    pub(super) run_time: Arc<RunTimeIssuers>,
    edges: KeyEdges,
    base: Mutex<Base>,
}

/// The configuration file's part.
#[derive(Debug)]
pub(super) struct Base {
    /// The runtime of the file alone.
    pub(super) file: Arc<Runtime>,
    /// Limits of the file.
    pub(super) limits: Limits,
    /// The documents in use.
    marks: Vec<Mark>,
}

/// A runtime that is ready to be used, and the states of the documents in it.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) runtime: Runtime,
    pub(super) states: DocumentStates,
}

impl Base {
    /// The file's part, and nothing of the documents yet.
    pub(super) fn new(file: Runtime, limits: Limits) -> Self {
        Self {
            file: Arc::new(file),
            limits,
            marks: Vec::new(),
        }
    }
}

impl IssuerSources {
    /// The file's part, and nothing of the documents yet.
    pub(super) fn new(file: Runtime, limits: Limits, edges: KeyEdges) -> Self {
        Self {
            run_time: Arc::new(RunTimeIssuers::new(limits.clone())),
            edges,
            base: Mutex::new(Base::new(file, limits)),
        }
    }

    /// Keeps others from changing what is in use.
    pub(super) async fn lock(&self) -> MutexGuard<'_, Base> {
        self.base.lock().await
    }

    /// Connections and clocks of the fetching of keys.
    pub(super) const fn edges(&self) -> &KeyEdges {
        &self.edges
    }

    /// Builds the runtime of the file in `base` with the issuers of the documents.
    ///
    /// # Errors
    ///
    /// The documents cannot be read.
    pub(super) async fn build(
        &self,
        base: &mut Base,
        directory: &dyn Directory,
        previous: Option<&Runtime>,
        generation: u64,
    ) -> anyhow::Result<Built> {
        let candidates = candidates(directory).await?;
        Ok(self.built_of(base, candidates, previous, generation))
    }

    fn built_of(
        &self,
        base: &mut Base,
        candidates: Vec<Candidate>,
        previous: Option<&Runtime>,
        generation: u64,
    ) -> Built {
        base.marks = marks(&candidates);
        let choice = chosen(&base.file, candidates, &base.limits);
        for (name, reason) in &choice.off {
            tell_off(name, reason);
        }
        Built {
            states: choice.states(),
            runtime: laid_over(&base.file, choice, (&base.limits, &self.edges), previous, generation),
        }
    }

    /// Shows what is in use now to those who ask.
    pub(super) fn publish(&self, states: DocumentStates, base: &Base) {
        self.run_time.publish(states, of_file(&base.file), base.limits.clone());
    }

    /// Takes changed documents into use, for as long as it is polled.
    pub(super) async fn keep(&self, engine: Arc<Engine>) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = None;
        let mut is_failing = false;
        loop {
            looks.tick().await;
            // Read before the documents: a change while they are read moves it on, and they are read again.
            let policy = engine.versions.policy();
            if seen == Some(policy) {
                continue;
            }
            match self.take_up(&engine).await {
                Ok(()) => {
                    seen = Some(policy);
                    is_failing = false;
                }
                Err(error) if !is_failing => {
                    tracing::warn!(
                        event = "issuers_failed",
                        %error,
                        "the issuers made at run time cannot be read; those in use stay, and it will be tried again"
                    );
                    is_failing = true;
                }
                Err(_) => {}
            }
        }
    }

    async fn take_up(&self, engine: &Engine) -> anyhow::Result<()> {
        // SECURITY: read under the lock, so that a reload that read later documents is not undone with earlier ones.
        let mut base = self.lock().await;
        let candidates = candidates(&*engine.directory).await?;
        if base.marks == marks(&candidates) {
            return Ok(());
        }
        let previous = engine.runtime.load_full();
        let count = candidates.len();
        let built = self.built_of(&mut base, candidates, Some(&previous), previous.generation + 1);
        engine.runtime.store(Arc::new(built.runtime));
        self.publish(built.states, &base);
        tracing::info!(
            event = "issuers_changed",
            documents = count,
            "the issuers made at run time have changed"
        );
        Ok(())
    }
}

fn marks(candidates: &[Candidate]) -> Vec<Mark> {
    let mark = |candidate: &Candidate| {
        let document = &candidate.document;
        (document.name.clone(), document.version, candidate.organization.clone())
    };
    candidates.iter().map(mark).collect()
}

fn tell_off(name: &str, reason: &OffReason) {
    tracing::warn!(event = "issuer_off", issuer = name, %reason, "an issuer made at run time is not in use");
}
