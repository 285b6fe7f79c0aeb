//! Catalogue of the metrics: names, labels and meanings. `docs/reference/metrics.md` is generated from it.

/// Kind of a metric, as Prometheus knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Sum that only grows while the process runs.
    Counter,
    /// Value that rises and falls.
    Gauge,
    /// Distribution in buckets, with `_bucket`, `_sum` and `_count`.
    Histogram,
}

impl MetricKind {
    /// Returns the word in Prometheus' text format.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Description of a metric that `/metrics` serves.
#[derive(Debug, Clone, Copy)]
pub struct MetricDescription {
    /// Name of the metric; it ends with its unit.
    pub name: &'static str,
    /// Kind of the metric.
    pub kind: MetricKind,
    /// Labels, each with its values in words.
    pub labels: &'static [(&'static str, &'static str)],
    /// Meaning, in one sentence.
    pub meaning: &'static str,
}

const DOOR: (&str, &str) = ("door", "`proxy`, `nginx`, `traefik`, `caddy`, `haproxy`, `me`");
const ISSUER: (&str, &str) = ("issuer", "configured name of the issuer");
const REASON: (&str, &str) = ("reason", "a [reason](reasons.md)");

pub(super) const DECISIONS: MetricDescription = MetricDescription {
    name: "narthex_decisions_total",
    kind: MetricKind::Counter,
    labels: &[
        DOOR,
        (
            "outcome",
            "`allow`, `deny`, or `error` if nothing could be decided (`keys.unavailable`, `store.unavailable`)",
        ),
        ("reason", "a [reason](reasons.md); empty for `allow`"),
    ],
    meaning: "Requests decided.",
};
pub(super) const DECISION_SECONDS: MetricDescription = MetricDescription {
    name: "narthex_decision_seconds",
    kind: MetricKind::Histogram,
    labels: &[DOOR],
    meaning: "Time to a decision, in seconds, without the upstream's answer.",
};
pub(super) const SYNCS: MetricDescription = MetricDescription {
    name: "narthex_syncs_total",
    kind: MetricKind::Counter,
    labels: &[ISSUER, ("result", "`changed` or `unchanged`: the directory")],
    meaning: "Tokens looked up in the directory. Cached answers are not counted.",
};
pub(super) const KEY_FETCHES: MetricDescription = MetricDescription {
    name: "narthex_key_fetches_total",
    kind: MetricKind::Counter,
    labels: &[
        ISSUER,
        (
            "outcome",
            "`ok`, `absent` (no key of this id), or the fault, such as `timed_out`",
        ),
    ],
    meaning: "Fetches of an issuer's keys.",
};
pub(super) const KEYS_USABLE: MetricDescription = MetricDescription {
    name: "narthex_keys_usable",
    kind: MetricKind::Gauge,
    labels: &[ISSUER],
    meaning: "Keys of an issuer that tokens can be verified with now.",
};
pub(super) const KEY_SET_AGE: MetricDescription = MetricDescription {
    name: "narthex_key_set_age_seconds",
    kind: MetricKind::Gauge,
    labels: &[ISSUER],
    meaning: "Time since an issuer last confirmed its keys, in seconds.",
};
pub(super) const STORE_WRITES_FAILING: MetricDescription = MetricDescription {
    name: "narthex_store_writes_failing",
    kind: MetricKind::Gauge,
    labels: &[],
    meaning: "1 if the last change to the directory could not be written, else 0.",
};
pub(super) const UPSTREAM_FAILURES: MetricDescription = MetricDescription {
    name: "narthex_upstream_failures_total",
    kind: MetricKind::Counter,
    labels: &[REASON],
    meaning: "Requests that may pass and whose upstream gave no answer.",
};
pub(super) const UNFORWARDABLE: MetricDescription = MetricDescription {
    name: "narthex_unforwardable_requests_total",
    kind: MetricKind::Counter,
    labels: &[REASON],
    meaning: "Requests that may pass and could not be passed on as their clients sent them.",
};

pub(super) const WEBHOOK_ATTEMPTS: MetricDescription = MetricDescription {
    name: "narthex_webhook_attempts_total",
    kind: MetricKind::Counter,
    labels: &[
        ("webhook", "name of the webhook"),
        (
            "outcome",
            "`delivered`, `failed` if it will be tried again, or `given_up`",
        ),
    ],
    meaning: "Tries to deliver an event to the receiver of a webhook.",
};
pub(super) const WEBHOOK_BEHIND: MetricDescription = MetricDescription {
    name: "narthex_webhook_behind_events",
    kind: MetricKind::Gauge,
    labels: &[("webhook", "name of the webhook")],
    meaning: "Events that a webhook has not taken up yet, on the node that sends.",
};

/// Every metric, in the order of the page.
pub static METRICS: [&MetricDescription; 11] = [
    &DECISIONS,
    &DECISION_SECONDS,
    &SYNCS,
    &KEY_FETCHES,
    &KEYS_USABLE,
    &KEY_SET_AGE,
    &STORE_WRITES_FAILING,
    &UPSTREAM_FAILURES,
    &UNFORWARDABLE,
    &WEBHOOK_ATTEMPTS,
    &WEBHOOK_BEHIND,
];
