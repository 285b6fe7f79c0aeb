//! Data that a template can see while it is evaluated: roots, the time, a zone, perhaps randomness.

use std::fmt;

use serde_json::{Map, Value as Json};

use crate::dates::Zone;
use crate::value::{Object, Value};
use crate::view::Ref;

/// Fills a buffer with random bytes. The pure crates have no randomness of their own.
pub type Random = dyn Fn(&mut [u8]) + Send + Sync;

/// A call of a function that the host added, which gave a value.
#[derive(Clone, Copy)]
pub struct HostCall<'c> {
    /// The function's name.
    pub function: &'c str,
    /// Its result.
    pub result: &'c Value,
}

/// Callback for calls of the host's functions, for callers that have to account for them.
pub type Observer<'o> = dyn Fn(&HostCall<'_>) + Send + Sync + 'o;

/// Data that a template can see. Everything is borrowed: making a scope copies no claims.
///
/// A root that was declared in [`Names`](crate::Names) but is not set here is undefined.
#[derive(Clone)]
pub struct Scope<'a> {
    roots: Vec<(&'a str, Ref<'a>)>,
    now_ms: i64,
    zone: Zone,
    random: Option<&'a Random>,
    observer: Option<&'a Observer<'a>>,
}

impl<'a> Scope<'a> {
    /// An empty scope at an instant, in milliseconds since the Unix epoch, with UTC as the zone.
    pub fn new(now_ms: i64) -> Self {
        Self {
            roots: Vec::new(),
            now_ms,
            zone: Zone::utc(),
            random: None,
            observer: None,
        }
    }

    /// Sets a root to JSON.
    #[must_use]
    pub fn with_json(self, name: &'a str, value: &'a Json) -> Self {
        self.with(name, Ref::Json(value))
    }

    /// Sets a root to a JSON object.
    #[must_use]
    pub fn with_map(self, name: &'a str, value: &'a Map<String, Json>) -> Self {
        self.with(name, Ref::Map(value))
    }

    /// Sets a root to a value that an earlier template gave.
    #[must_use]
    pub fn with_value(self, name: &'a str, value: &'a Value) -> Self {
        self.with(name, Ref::Value(value))
    }

    /// Sets a root to a collection that earlier templates gave.
    #[must_use]
    pub fn with_object(self, name: &'a str, value: &'a Object) -> Self {
        self.with(name, Ref::Object(value))
    }

    /// Sets a root for each member of a JSON object.
    #[must_use]
    pub fn with_members(mut self, members: &'a Map<String, Json>) -> Self {
        for (name, value) in members {
            self = self.with_json(name, value);
        }
        self
    }

    /// Sets the zone in which dates are read and written when a template names none.
    #[must_use]
    pub fn with_zone(mut self, zone: Zone) -> Self {
        self.zone = zone;
        self
    }

    /// Offers randomness for `random`, `uuid` and `shuffle`.
    #[must_use]
    pub fn with_random(mut self, random: &'a Random) -> Self {
        self.random = Some(random);
        self
    }

    /// Sets an observer for every call of a function of the host.
    #[must_use]
    pub fn with_observer(mut self, observer: &'a Observer<'a>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The instant that `now` and `timestamp` show.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    pub(crate) fn zone(&self) -> &Zone {
        &self.zone
    }

    pub(crate) fn random(&self) -> Option<&'a Random> {
        self.random
    }

    pub(crate) fn observe(&self, function: &str, result: &Value) {
        if let Some(observer) = self.observer {
            observer(&HostCall { function, result });
        }
    }

    /// The root of that name, the last one set.
    pub(crate) fn root(&self, name: &str) -> Ref<'a> {
        self.roots
            .iter()
            .rev()
            .find(|(candidate, _)| *candidate == name)
            .map_or(Ref::Undefined, |(_, value)| *value)
    }

    fn with(mut self, name: &'a str, value: Ref<'a>) -> Self {
        self.roots.push((name, value));
        self
    }
}

// Roots hold claims and secrets: only their names are shown.
impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("roots", &self.roots.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("now_ms", &self.now_ms)
            .field("zone", &self.zone)
            .finish_non_exhaustive()
    }
}

// A result may be a token: only the function is shown.
impl fmt::Debug for HostCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostCall")
            .field("function", &self.function)
            .finish_non_exhaustive()
    }
}
