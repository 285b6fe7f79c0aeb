//! Inputs of a run.

use std::collections::BTreeSet;
use std::fmt;

use narthex_template::{Random, Zone};
use serde_json::{Map, Value as Json};

/// Values that a connection's templates read. Parameters, common data and stored data are secrets to every message and
/// log.
#[derive(Clone, Default)]
pub struct Inputs {
    /// Values from the user of the connection: `parameters`.
    pub parameters: Map<String, Json>,
    /// Values shared by all connections of this kind, such as a client secret: `common`.
    pub common: Map<String, Json>,
    /// Values that earlier runs stored: `data`.
    pub data: Map<String, Json>,
    /// Environment of the run: `environment`. Not secret.
    pub environment: Json,
    /// Names of parameters that may be shown.
    pub shown: BTreeSet<String>,
}

impl Inputs {
    /// Tests whether a read of a root, and of its member if one is named, must not be shown; for all roots but `temp`.
    pub(crate) fn hides(&self, root: &str, member: Option<&str>) -> bool {
        match root {
            "parameters" => !member.is_some_and(|name| self.shown.contains(name)),
            // SECURITY: a response is where access tokens come from.
            "common" | "data" | "body" | "headers" => true,
            _ => false,
        }
    }
}

// SECURITY: names only.
impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |map: &Map<String, Json>| map.keys().cloned().collect::<Vec<_>>();
        f.debug_struct("Inputs")
            .field("parameters", &names(&self.parameters))
            .field("common", &names(&self.common))
            .field("data", &names(&self.data))
            .finish_non_exhaustive()
    }
}

/// Facts about the world that a step may know.
#[derive(Clone, Copy)]
pub struct Facts<'f> {
    /// The time, in milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// The zone in which dates are told when a template names none.
    pub zone: &'f Zone,
    /// The source of randomness.
    pub random: &'f Random,
}

impl fmt::Debug for Facts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("now_ms", &self.now_ms)
            .field("zone", self.zone)
            .finish_non_exhaustive()
    }
}
