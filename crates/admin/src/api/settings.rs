//! `/settings`: the state of this installation.

use narthex_engine::ReloadProblem;
use narthex_ops::settings::{ConfigurationFacts, RefusedConfiguration, Settings};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::time::Time;

mod read;

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default().routes(routes!(read::read))
}

/// State of an installation, as the node that is asked knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SettingsBody {
    /// Version of Narthex.
    #[schema(example = "0.1.0")]
    pub version: &'static str,
    /// Kind of the store: `sqlite` or `postgresql`.
    #[schema(required, example = "sqlite")]
    pub store: Option<&'static str>,
    /// Bytes that the store has on the disk; `null` for a database server.
    #[schema(required)]
    pub store_bytes: Option<u64>,
    /// The configuration file; `null` for a server without one.
    #[schema(required)]
    pub configuration: Option<ConfigurationBody>,
}

/// A configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ConfigurationBody {
    /// Path of the file, as the command line named it.
    #[schema(example = "narthex.toml")]
    pub file: String,
    /// Time at which the settings that are in use were read.
    pub read_at: Time,
    /// Settings that have changed in the file and take effect at the next start.
    #[schema(example = json!(["listen.public"]))]
    pub waits_for_restart: Vec<String>,
    /// The last change of the file, if it was refused; the settings from before stay in use.
    #[schema(required)]
    pub refused: Option<RefusedConfigurationBody>,
}

/// A changed configuration file that was not taken into use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RefusedConfigurationBody {
    /// Time of the attempt.
    pub at: Time,
    /// Every problem of the file.
    pub problems: Vec<ConfigurationProblemBody>,
}

/// A problem of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ConfigurationProblemBody {
    /// File that has the problem; `null` for a problem without a place.
    #[schema(required)]
    pub file: Option<String>,
    /// Line, from 1.
    #[schema(required)]
    pub line: Option<usize>,
    /// Column in characters, from 1.
    #[schema(required)]
    pub column: Option<usize>,
    /// `true` for an error, `false` for a warning.
    pub is_error: bool,
    /// The problem, as a sentence.
    pub problem: String,
    /// The remedy, as a sentence.
    #[schema(required)]
    pub help: Option<String>,
}

impl From<Settings> for SettingsBody {
    fn from(settings: Settings) -> Self {
        Self {
            version: settings.version,
            store: settings.store,
            store_bytes: settings.store_bytes,
            configuration: settings.configuration.map(Into::into),
        }
    }
}

impl From<ConfigurationFacts> for ConfigurationBody {
    fn from(facts: ConfigurationFacts) -> Self {
        Self {
            file: facts.file,
            read_at: Time(facts.read_at_ms),
            waits_for_restart: facts.waits_for_restart,
            refused: facts.refused.map(Into::into),
        }
    }
}

impl From<RefusedConfiguration> for RefusedConfigurationBody {
    fn from(refused: RefusedConfiguration) -> Self {
        Self {
            at: Time(refused.at_ms),
            problems: refused.problems.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<ReloadProblem> for ConfigurationProblemBody {
    fn from(problem: ReloadProblem) -> Self {
        let place = problem.place.as_ref();
        Self {
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            file: problem.place.map(|place| place.file),
            is_error: problem.is_error,
            problem: problem.problem,
            help: problem.help,
        }
    }
}
