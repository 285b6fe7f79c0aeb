//! Order of deliveries, as a state machine: events of one object are a lane, and a lane goes on only past what was
//! delivered. Lanes do not wait for each other.

use std::collections::{BTreeMap, HashSet};

use narthex_directory::{DeliveryAttempt, Settlement, WaitingDelivery, WebhookProgress};

use crate::retry;

/// Upper limit of deliveries of one webhook that wait. Beyond it no further event is taken up: the trail keeps them.
pub const WAITING_MAX: usize = 1_000;

/// New event that a webhook sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Number of the event.
    pub sequence: u64,
    /// Object of the event.
    pub object: String,
}

/// Events of one object that are tried now, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// The deliveries. Each is tried after the one before it was delivered.
    pub deliveries: Vec<WaitingDelivery>,
}

/// Deliveries to be tried now, and those that stay behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// Progress at the begin, with the cursor as it is afterwards.
    progress: WebhookProgress,
    /// Numbers of deliveries that waited before.
    waited: HashSet<u64>,
    /// Lanes to be tried.
    pub lanes: Vec<Lane>,
    /// New deliveries that only wait: their object has an earlier one that is not due.
    parked: Vec<WaitingDelivery>,
}

/// Outcome of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Try {
    /// Time of its begin, in milliseconds.
    pub at_ms: i64,
    /// Duration, in milliseconds.
    pub took_ms: i64,
    /// HTTP status, or the description of the error.
    pub outcome: Result<u16, String>,
    /// Time that the receiver asked for, in milliseconds since the epoch.
    pub retry_after_ms: Option<i64>,
}

/// Status of an answer that disables a webhook (Standard Webhooks, "410 Gone").
const GONE: u16 = 410;

impl Try {
    /// Tests whether the event was delivered.
    pub fn is_success(&self) -> bool {
        matches!(self.outcome, Ok(200..=299))
    }

    /// Tests whether the receiver wants no further events.
    pub fn is_gone(&self) -> bool {
        self.outcome == Ok(GONE)
    }
}

impl Round {
    /// Plans a round: what waits and is due, and new events up to number `cursor`. `None` if there is nothing to do. A
    /// receiver that takes nothing is asked with one delivery.
    pub fn plan(
        progress: &WebhookProgress,
        waiting: Vec<WaitingDelivery>,
        (new, cursor): (Vec<NewEvent>, u64),
        now_ms: i64,
    ) -> Option<Self> {
        let waited: HashSet<u64> = waiting.iter().map(|delivery| delivery.sequence).collect();
        let mut lanes: BTreeMap<String, Vec<WaitingDelivery>> = BTreeMap::new();
        let new = new.into_iter().map(|event| WaitingDelivery {
            webhook: progress.webhook.clone(),
            sequence: event.sequence,
            object: event.object,
            attempts: 0,
            taken_up_ms: now_ms,
            next_try_ms: now_ms,
            dead_at_ms: None,
        });
        // INVARIANT: both are in the order of their numbers, and new ones have higher numbers.
        for delivery in waiting.into_iter().chain(new) {
            lanes.entry(delivery.object.clone()).or_default().push(delivery);
        }
        let is_due = |lane: &Vec<WaitingDelivery>| lane.first().is_some_and(|first| first.next_try_ms <= now_ms);
        let (mut due, mut parked): (Vec<_>, Vec<_>) = lanes.into_values().partition(is_due);
        due.sort_by_key(|lane| lane.first().map(|first| first.sequence));
        if progress.failures > 0 && due.len() > 1 {
            parked.extend(due.split_off(1));
        }
        if progress.failures > 0
            && let Some(only) = due.first_mut()
            && only.len() > 1
        {
            parked.push(only.split_off(1));
        }
        let parked: Vec<WaitingDelivery> = parked.into_iter().flatten().collect();
        let parked = parked
            .into_iter()
            .filter(|delivery| !waited.contains(&delivery.sequence));
        let round = Self {
            progress: WebhookProgress {
                cursor: cursor.max(progress.cursor),
                ..progress.clone()
            },
            parked: parked.collect(),
            waited,
            lanes: due.into_iter().map(|deliveries| Lane { deliveries }).collect(),
        };
        let moves = round.progress.cursor > progress.cursor || !round.lanes.is_empty();
        moves.then_some(round)
    }

    /// Returns what is to be stored after the tries: those of each lane, in the order of the lanes. `random` gives any
    /// numbers.
    pub fn settle(self, tries: Vec<Vec<Try>>, now_ms: i64, mut random: impl FnMut() -> u64) -> Settlement {
        let mut settlement = Settlement {
            progress: self.progress,
            waiting: self.parked,
            delivered: Vec::new(),
            attempts: Vec::new(),
            at_ms: now_ms,
        };
        let mut asked_ms = None;
        for (lane, tries) in self.lanes.into_iter().zip(tries) {
            let mut tries = tries.into_iter();
            for delivery in lane.deliveries {
                match tries.next() {
                    Some(tried) if tried.is_success() => {
                        settlement.attempts.push(attempt(&delivery, tried, None));
                        if self.waited.contains(&delivery.sequence) {
                            settlement.delivered.push(delivery.sequence);
                        }
                    }
                    Some(tried) => {
                        asked_ms = asked_ms.max(tried.retry_after_ms);
                        let (failed, tried) = failed(delivery, tried, now_ms, random());
                        settlement.attempts.push(tried);
                        settlement.waiting.push(failed);
                    }
                    // It stays behind the one that failed. One that waited before is stored already.
                    None if self.waited.contains(&delivery.sequence) => {}
                    None => settlement.waiting.push(delivery),
                }
            }
        }
        settlement
            .attempts
            .sort_by_key(|attempt| (attempt.at_ms, attempt.sequence));
        count_round(&mut settlement, asked_ms, now_ms, random());
        settlement
    }
}

fn attempt(delivery: &WaitingDelivery, tried: Try, next_try_ms: Option<i64>) -> DeliveryAttempt {
    let (status, error) = match tried.outcome {
        Ok(status) => (Some(status), None),
        Err(error) => (None, Some(error)),
    };
    DeliveryAttempt {
        webhook: delivery.webhook.clone(),
        sequence: delivery.sequence,
        attempt: delivery.attempts.saturating_add(1),
        at_ms: tried.at_ms,
        took_ms: tried.took_ms,
        status,
        error,
        next_try_ms,
    }
}

/// Returns a delivery that failed as it waits, or as it was given up.
fn failed(delivery: WaitingDelivery, tried: Try, now_ms: i64, random: u64) -> (WaitingDelivery, DeliveryAttempt) {
    let attempts = delivery.attempts.saturating_add(1);
    let next_ms = now_ms.saturating_add(retry::delay_ms(attempts, random));
    let next_ms = tried.retry_after_ms.map_or(next_ms, |asked_ms| asked_ms.max(next_ms));
    let dead_at_ms = retry::is_given_up(delivery.taken_up_ms, now_ms).then_some(now_ms);
    let tried = attempt(&delivery, tried, dead_at_ms.is_none().then_some(next_ms));
    let failed = WaitingDelivery {
        attempts,
        next_try_ms: next_ms,
        dead_at_ms,
        ..delivery
    };
    (failed, tried)
}

/// Counts a round in which nothing was delivered, and leaves the receiver alone for a time.
fn count_round(settlement: &mut Settlement, asked_ms: Option<i64>, now_ms: i64, random: u64) {
    let progress = &mut settlement.progress;
    let is_success = |attempt: &DeliveryAttempt| matches!(attempt.status, Some(200..=299));
    if settlement.attempts.iter().any(is_success) {
        progress.failures = 0;
        progress.failing_since_ms = None;
        progress.next_try_ms = 0;
        progress.last_success_ms = Some(now_ms);
    } else if !settlement.attempts.is_empty() {
        progress.failures = progress.failures.saturating_add(1);
        progress.failing_since_ms.get_or_insert(now_ms);
        let pause_ms = now_ms.saturating_add(retry::pause_ms(progress.failures, random));
        progress.next_try_ms = asked_ms.map_or(pause_ms, |asked_ms| asked_ms.max(pause_ms));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn start() -> WebhookProgress {
        WebhookProgress::after("crm", 0)
    }

    fn new(events: &[(u64, &str)]) -> (Vec<NewEvent>, u64) {
        let of = |(sequence, object): &(u64, &str)| NewEvent {
            sequence: *sequence,
            object: (*object).to_owned(),
        };
        (
            events.iter().map(of).collect(),
            events.last().map_or(0, |(last, _)| *last),
        )
    }

    fn tried(outcome: Result<u16, &str>) -> Try {
        Try {
            at_ms: NOW_MS,
            took_ms: 3,
            outcome: outcome.map_err(str::to_owned),
            retry_after_ms: None,
        }
    }

    fn sequences(deliveries: &[WaitingDelivery]) -> Vec<u64> {
        deliveries.iter().map(|delivery| delivery.sequence).collect()
    }

    #[test]
    fn a_lane_stops_at_what_failed_and_the_others_go_on() {
        let events = new(&[(1, "a"), (2, "b"), (3, "a"), (4, "b")]);
        let round = Round::plan(&start(), Vec::new(), events, NOW_MS).unwrap();
        let lanes: Vec<Vec<u64>> = round.lanes.iter().map(|lane| sequences(&lane.deliveries)).collect();
        assert_eq!(lanes, [vec![1, 3], vec![2, 4]]);
        let tries = vec![vec![tried(Ok(500))], vec![tried(Ok(200)), tried(Ok(204))]];
        let settled = round.settle(tries, NOW_MS, || 0);
        assert_eq!(sequences(&settled.waiting), [1, 3]);
        assert_eq!(settled.delivered, [0; 0]);
        assert_eq!((settled.progress.cursor, settled.progress.failures), (4, 0));
        let [first, behind] = &settled.waiting[..] else {
            panic!("{settled:?}");
        };
        assert_eq!((first.attempts, behind.attempts), (1, 0));
        assert!(first.next_try_ms > NOW_MS);
    }

    #[test]
    fn a_new_event_waits_behind_one_of_its_object_that_is_not_due() {
        let events = new(&[(1, "a")]);
        let round = Round::plan(&start(), Vec::new(), events, NOW_MS).unwrap();
        let settled = round.settle(vec![vec![tried(Err("refused"))]], NOW_MS, || 0);
        let progress = WebhookProgress {
            failures: 0,
            ..settled.progress
        };
        let events = new(&[(2, "a"), (3, "b")]);
        let round = Round::plan(&progress, settled.waiting.clone(), events, NOW_MS).unwrap();
        assert_eq!(round.lanes.len(), 1);
        let next = round.settle(vec![vec![tried(Ok(200))]], NOW_MS, || 0);
        assert_eq!(sequences(&next.waiting), [2], "the first one is stored already");
        assert_eq!(next.progress.cursor, 3);
    }

    #[test]
    fn a_receiver_that_takes_nothing_is_asked_with_one_delivery() {
        let events = new(&[(1, "a"), (2, "b"), (3, "a")]);
        let round = Round::plan(&start(), Vec::new(), events, NOW_MS).unwrap();
        let tries = vec![vec![tried(Ok(503))], vec![tried(Err("timed out"))]];
        let settled = round.settle(tries, NOW_MS, || 0);
        assert_eq!(
            (settled.progress.failures, settled.progress.failing_since_ms),
            (1, Some(NOW_MS))
        );
        assert!(settled.progress.next_try_ms > NOW_MS);
        let mut waiting = settled.waiting;
        waiting.sort_by_key(|delivery| delivery.sequence);
        let later = NOW_MS + 60_000;
        let round = Round::plan(&settled.progress, waiting, new(&[]), later).unwrap();
        let lanes: Vec<Vec<u64>> = round.lanes.iter().map(|lane| sequences(&lane.deliveries)).collect();
        assert_eq!(lanes, [[1]]);
        let settled = round.settle(vec![vec![tried(Ok(200))]], later, || 0);
        assert_eq!(settled.delivered, [1]);
        assert_eq!((settled.progress.failures, settled.progress.next_try_ms), (0, 0));
        assert_eq!(settled.progress.last_success_ms, Some(later));
    }

    #[test]
    fn a_receiver_is_left_alone_for_as_long_as_it_asks() {
        let round = Round::plan(&start(), Vec::new(), new(&[(1, "a")]), NOW_MS).unwrap();
        let asked = Try {
            retry_after_ms: Some(NOW_MS + 900_000),
            ..tried(Ok(429))
        };
        let settled = round.settle(vec![vec![asked]], NOW_MS, || 0);
        assert_eq!(settled.waiting[0].next_try_ms, NOW_MS + 900_000);
        assert_eq!(settled.progress.next_try_ms, NOW_MS + 900_000);
        assert_eq!(settled.attempts[0].next_try_ms, Some(NOW_MS + 900_000));
    }

    #[test]
    fn an_event_is_a_dead_letter_after_a_day_and_its_object_goes_on() {
        let round = Round::plan(&start(), Vec::new(), new(&[(1, "a"), (2, "a")]), NOW_MS).unwrap();
        let settled = round.settle(vec![vec![tried(Ok(400))]], NOW_MS, || 0);
        let later = NOW_MS + retry::GIVE_UP_MS;
        let round = Round::plan(&settled.progress, settled.waiting, new(&[]), later).unwrap();
        let settled = round.settle(vec![vec![tried(Ok(400))]], later, || 0);
        let [dead] = &settled.waiting[..] else {
            panic!("{settled:?}");
        };
        assert_eq!((dead.sequence, dead.dead_at_ms, dead.attempts), (1, Some(later), 2));
        assert_eq!(settled.attempts[0].next_try_ms, None);
    }

    #[test]
    fn only_gone_disables() {
        assert!(tried(Ok(410)).is_gone() && !tried(Ok(404)).is_gone());
        assert!(tried(Ok(299)).is_success() && !tried(Ok(302)).is_success());
    }

    /// Records that the store holds of one webhook, and the events that its receiver got.
    #[derive(Default)]
    struct Model {
        waiting: BTreeMap<u64, WaitingDelivery>,
        received: Vec<u64>,
    }

    impl Model {
        /// One round, with these outcomes, the last one again and again. Without `stored`, the sender dies before it stores.
        fn round(
            &mut self,
            progress: &mut WebhookProgress,
            events: &[u64],
            now_ms: i64,
            (works, stored): (&[bool], bool),
        ) {
            let waiting = self.waiting.values().cloned().collect();
            let new: Vec<NewEvent> = events
                .iter()
                .filter(|sequence| **sequence > progress.cursor)
                .take(8)
                .map(|sequence| NewEvent {
                    sequence: *sequence,
                    object: (sequence % 3).to_string(),
                })
                .collect();
            let cursor = new.last().map_or(progress.cursor, |last| last.sequence);
            let Some(round) = Round::plan(progress, waiting, (new, cursor), now_ms) else {
                return;
            };
            let mut works = works.iter().copied().chain(std::iter::repeat(true));
            let mut tries = Vec::new();
            for lane in &round.lanes {
                let mut of_lane = Vec::new();
                for delivery in &lane.deliveries {
                    let works = works.next().unwrap();
                    of_lane.push(tried(Ok(if works { 200 } else { 500 })));
                    if !works {
                        break;
                    }
                    self.received.push(delivery.sequence);
                }
                tries.push(of_lane);
            }
            let settled = round.settle(tries, now_ms, || 0);
            if stored {
                for sequence in settled.delivered {
                    self.waiting.remove(&sequence);
                }
                for delivery in settled.waiting {
                    self.waiting.insert(delivery.sequence, delivery);
                }
                *progress = settled.progress;
            }
        }
    }

    proptest! {
        /// Whatever fails, and wherever the sender dies: each event arrives, and the first arrivals of each object are in
        /// order.
        #[test]
        fn each_event_arrives_in_the_order_of_its_object(
            rounds in prop::collection::vec((prop::collection::vec(any::<bool>(), 0..12), any::<bool>()), 0..30),
        ) {
            let events: Vec<u64> = (1..=40).collect();
            let (mut model, mut progress, mut now_ms) = (Model::default(), start(), NOW_MS);
            for (works, stored) in &rounds {
                model.round(&mut progress, &events, now_ms, (works, *stored));
                now_ms += 30_000;
            }
            for _ in 0..60 {
                now_ms += retry::GIVE_UP_MS / 100;
                model.round(&mut progress, &events, now_ms, (&[], true));
            }
            let mut seen = HashSet::new();
            let first: Vec<u64> = model.received.into_iter().filter(|sequence| seen.insert(*sequence)).collect();
            prop_assert_eq!(seen.len(), events.len());
            for object in 0..3 {
                let of_it: Vec<u64> = first.iter().copied().filter(|sequence| sequence % 3 == object).collect();
                prop_assert!(of_it.is_sorted(), "{:?}", of_it);
            }
        }
    }
}
