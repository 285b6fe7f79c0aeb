//! Counters and durations for Prometheus. Handles are made once, so that counting costs an addition.

mod catalogue;

use std::time::Duration;

use metrics::{Counter, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use narthex_decision::Reason;
use narthex_tally::DecisionTally;

use self::catalogue::{
    DECISION_SECONDS, DECISIONS, KEY_FETCHES, KEY_SET_AGE, KEYS_USABLE, STORE_WRITES_FAILING, SYNCS, UNFORWARDABLE,
    UPSTREAM_FAILURES, WEBHOOK_ATTEMPTS, WEBHOOK_BEHIND,
};
pub use self::catalogue::{METRICS, MetricDescription, MetricKind};
use crate::inbound::Door;
use crate::recent_denials::RecentDenials;
use narthex_fetch::keys::{FetchEvent, FetchObserver};

static METADATA: Metadata<'static> = Metadata::new("narthex", Level::INFO, Some("narthex"));

/// Buckets of decision times, in seconds: from a cached answer to a slow identity provider.
const SECONDS: [f64; 12] = [
    0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.001, 0.005, 0.025, 0.1, 1.0, 5.0,
];

/// Reasons why a request that may pass could not be forwarded, each with its counter: no decision has them. A
/// client's fault does not count as an upstream's failure.
const AFTER_A_DECISION: [(Reason, MetricDescription); 6] = [
    (Reason::RequestTooLarge, UNFORWARDABLE),
    (Reason::RequestUnforwardable, UNFORWARDABLE),
    (Reason::RequestLoop, UPSTREAM_FAILURES),
    (Reason::UpstreamBusy, UPSTREAM_FAILURES),
    (Reason::UpstreamTimeout, UPSTREAM_FAILURES),
    (Reason::UpstreamUnreachable, UPSTREAM_FAILURES),
];

/// The process's metrics.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    doors: Vec<DoorMetrics>,
    not_forwarded: [(Reason, Counter); AFTER_A_DECISION.len()],
    /// The denials themselves, for those who ask why.
    pub denials: RecentDenials,
    /// Decisions over time.
    pub tally: DecisionTally,
}

struct DoorMetrics {
    allowed: Counter,
    refused: Vec<Counter>,
    seconds: Histogram,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Registers all metrics.
    pub fn new() -> Self {
        let recorder = PrometheusBuilder::new()
            .set_buckets(&SECONDS)
            // The buckets are not empty, which is the only way this fails.
            .unwrap_or_else(|_| PrometheusBuilder::new())
            .build_recorder();
        for metric in METRICS {
            let (name, meaning) = (metric.name.into(), metric.meaning.into());
            match metric.kind {
                MetricKind::Counter => recorder.describe_counter(name, None, meaning),
                MetricKind::Gauge => recorder.describe_gauge(name, None, meaning),
                MetricKind::Histogram => recorder.describe_histogram(name, None, meaning),
            }
        }
        let doors = Door::ALL
            .iter()
            .map(|door| DoorMetrics::register(&recorder, *door))
            .collect();
        let not_forwarded = AFTER_A_DECISION.map(|(reason, metric)| {
            let labels = vec![Label::new("reason", reason.code())];
            let key = Key::from_parts(metric.name, labels);
            (reason, recorder.register_counter(&key, &METADATA))
        });
        let handle = recorder.handle();
        Self {
            recorder,
            handle,
            doors,
            not_forwarded,
            denials: RecentDenials::default(),
            tally: DecisionTally::default(),
        }
    }

    /// Counts a decision.
    pub fn decided(&self, door: Door, reason: Option<Reason>, took: Duration) {
        let Some(metrics) = self.doors.get(door as usize) else {
            return;
        };
        metrics.seconds.record(took.as_secs_f64());
        match reason {
            None => metrics.allowed.increment(1),
            Some(reason) => self.refused(door, reason),
        }
    }

    /// Counts a request that was refused before there was anything to decide.
    pub fn refused(&self, door: Door, reason: Reason) {
        let metrics = self.doors.get(door as usize);
        if let Some(counter) = metrics.and_then(|metrics| metrics.refused.get(reason as usize)) {
            counter.increment(1);
        }
    }

    /// Counts a look-up of a token's identity in the directory.
    pub fn synced(&self, issuer: &str, changes: usize) {
        let result = if changes == 0 { "unchanged" } else { "changed" };
        let labels = vec![Label::new("issuer", issuer.to_owned()), Label::new("result", result)];
        self.recorder
            .register_counter(&Key::from_parts(SYNCS.name, labels), &METADATA)
            .increment(1);
    }

    /// Counts a request that could not be passed on.
    pub fn not_forwarded(&self, reason: Reason) {
        if let Some((_, counter)) = self.not_forwarded.iter().find(|(counted, _)| *counted == reason) {
            counter.increment(1);
        }
    }

    /// Sets the gauges of an issuer's keys: the number of usable keys, and their age in seconds if there are any.
    pub fn issuer_keys(&self, issuer: &str, usable: u32, age_seconds: Option<u32>) {
        self.gauge(&KEYS_USABLE, issuer, usable);
        if let Some(age_seconds) = age_seconds {
            self.gauge(&KEY_SET_AGE, issuer, age_seconds);
        }
    }

    fn gauge(&self, metric: &MetricDescription, issuer: &str, value: u32) {
        let labels = vec![Label::new("issuer", issuer.to_owned())];
        self.recorder
            .register_gauge(&Key::from_parts(metric.name, labels), &METADATA)
            .set(f64::from(value));
    }

    /// Sets the gauge that shows whether the last change could not be written.
    pub fn writes_fail(&self, fail: bool) {
        self.recorder
            .register_gauge(&Key::from_static_name(STORE_WRITES_FAILING.name), &METADATA)
            .set(f64::from(u8::from(fail)));
    }

    /// Counts a try to deliver an event to a webhook.
    pub fn webhook_tried(&self, webhook: &str, outcome: &'static str) {
        let labels = vec![
            Label::new("webhook", webhook.to_owned()),
            Label::new("outcome", outcome),
        ];
        self.recorder
            .register_counter(&Key::from_parts(WEBHOOK_ATTEMPTS.name, labels), &METADATA)
            .increment(1);
    }

    /// Sets the number of events that a webhook has not taken up yet.
    pub fn webhook_behind(&self, webhook: &str, events: u64) {
        let labels = vec![Label::new("webhook", webhook.to_owned())];
        let events = u32::try_from(events).unwrap_or(u32::MAX);
        self.recorder
            .register_gauge(&Key::from_parts(WEBHOOK_BEHIND.name, labels), &METADATA)
            .set(f64::from(events));
    }

    /// Returns all metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds recorded durations together; called periodically so that they do not pile up between scrapes.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

impl FetchObserver for Metrics {
    fn fetched(&self, fetch: &FetchEvent<'_>) {
        let labels = vec![
            Label::new("issuer", fetch.issuer.to_owned()),
            Label::new("outcome", fetch.outcome),
        ];
        self.recorder
            .register_counter(&Key::from_parts(KEY_FETCHES.name, labels), &METADATA)
            .increment(1);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl DoorMetrics {
    fn register(recorder: &PrometheusRecorder, door: Door) -> Self {
        let counter = |reason: Option<Reason>| {
            let labels = vec![
                Label::new("door", door.as_str()),
                Label::new("outcome", outcome_word(reason)),
                Label::new("reason", reason.map_or("", Reason::code)),
            ];
            recorder.register_counter(&Key::from_parts(DECISIONS.name, labels), &METADATA)
        };
        let refused = |reason| {
            if AFTER_A_DECISION.iter().any(|(after, _)| *after == reason) {
                // It keeps its place, because counters are found by the reason's number.
                Counter::noop()
            } else {
                counter(Some(reason))
            }
        };
        let seconds = Key::from_parts(DECISION_SECONDS.name, vec![Label::new("door", door.as_str())]);
        Self {
            allowed: counter(None),
            refused: Reason::ALL.iter().map(|reason| refused(*reason)).collect(),
            seconds: recorder.register_histogram(&seconds, &METADATA),
        }
    }
}

/// Returns the outcome that a decision is counted under.
pub(crate) const fn outcome_word(reason: Option<Reason>) -> &'static str {
    match reason {
        None => "allow",
        Some(Reason::KeysUnavailable | Reason::StoreUnavailable) => "error",
        Some(_) => "deny",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Each family that is rendered is described with its kind, and each description is of a family that is rendered.
    #[test]
    fn the_catalogue_has_every_metric_and_no_other() {
        let metrics = Metrics::new();
        metrics.decided(Door::Proxy, None, Duration::from_micros(7));
        metrics.synced("corp", 1);
        metrics.issuer_keys("corp", 2, Some(60));
        metrics.writes_fail(false);
        metrics.webhook_tried("crm", "delivered");
        metrics.webhook_behind("crm", 3);
        metrics.fetched(&FetchEvent {
            issuer: "corp",
            outcome: "ok",
            duration: Duration::ZERO,
            usable_count: 2,
        });
        let text = metrics.render();
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let rendered: BTreeSet<String> = types.map(str::to_owned).collect();
        let described = METRICS.map(|metric| format!("{} {}", metric.name, metric.kind.as_str()));
        assert_eq!(rendered, BTreeSet::from(described));
        for metric in METRICS {
            let help = format!("# HELP {} {}", metric.name, metric.meaning);
            assert!(text.contains(&help), "{help}\n{text}");
        }
    }

    #[test]
    fn what_is_shown_is_everything_so_far() {
        let metrics = Metrics::new();
        let counted = || {
            let text = metrics.render();
            [
                "narthex_decisions_total{door=\"nginx\",outcome=\"allow\",reason=\"\"} ",
                "narthex_decision_seconds_count{door=\"nginx\"} ",
            ]
            .map(|line| {
                let rest = text.split(line).nth(1).map_or("0", |rest| rest.lines().next().unwrap());
                rest.parse::<u64>().unwrap()
            })
        };
        let decide = |times: usize| {
            for _ in 0..times {
                metrics.decided(Door::Nginx, None, Duration::from_micros(7));
            }
        };
        decide(3);
        assert_eq!(counted(), [3, 3]);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| decide(129));
            }
        });
        let all = 3 + 2 * 129;
        assert_eq!(counted(), [all, all]);
        metrics.upkeep();
        assert_eq!(counted(), [all, all]);
    }
}
