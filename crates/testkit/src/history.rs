//! Checker of histories: requests to a cluster and their answers, and whether such answers are possible.
//!
//! A history is made of *registers*, each of which is on or off: an organization's list holds a tag, a user is active,
//! a role is given by hand, a token is not revoked. One writer at a time turns a register through the admin API of some
//! node; many callers ask many nodes at the same time to let requests pass, each of which needs some registers to be on.
//! From when each was sent and answered, as the callers saw it with one clock, follows which answers were possible:
//!
//! * a change may be seen from when it was sent on, acknowledged or not;
//! * an acknowledged change must be seen by what is sent later: at once where it was acknowledged, and on other nodes
//!   after [`Bounds::elsewhere`];
//! * a node that is cut off from the database may go on with what it could know when the cut began, and after
//!   [`Bounds::offline_max`] must not answer at all;
//! * in the end every acknowledged change is there and in the audit trail, and so is every user who was let pass.
//!
//! All slack is on the side of the cluster: a caller that is slow to note when it sent or was answered can hide a
//! violation, and cannot invent one. So a busy machine does not make a good cluster look bad; that the checker had
//! enough to see is told by [`Report::seen`].

mod check;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

pub use self::check::{Report, Seen, Violation, Wrong};

/// A register turned on or off.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// Name of the register.
    pub register: String,
    /// On or off.
    pub value: bool,
    /// The node that was asked.
    pub node: usize,
    /// Time of sending, in microseconds since the run began, like all times here.
    pub sent_us: u64,
    /// Time of the answer. Without one it may happen at any later time, and the register must be left alone.
    pub answered_us: Option<u64>,
    /// `true` if the answer said that it is done. Otherwise it may be done all the same.
    pub acknowledged: bool,
}

/// Request that a caller wants to let pass.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    /// The node that was asked.
    pub node: usize,
    /// Caller that wants to pass.
    pub user: String,
    /// The registers that must be on.
    pub needs: Vec<String>,
    /// Time of sending.
    pub sent_us: u64,
    /// Time of the answer.
    pub answered_us: u64,
    /// Answer of the node.
    pub verdict: Verdict,
    /// The status and the reason, for people.
    pub answer: String,
}

/// Answer of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It may pass.
    Permit,
    /// It may not.
    Deny,
    /// The node cannot tell; or there was no answer at all.
    Undecided,
}

/// A time in which a node cannot reach the database.
#[derive(Debug, Clone, Serialize)]
pub struct Cut {
    /// Node that is cut off.
    pub node: usize,
    /// Time from which on something may have been lost.
    pub began_us: u64,
    /// Time from which on nothing came through.
    pub whole_us: u64,
    /// Time when the way was opened again; never, as long as it is not known.
    pub restored_us: Option<u64>,
    /// Time when the node was seen to reach the database again.
    pub reached_us: Option<u64>,
}

/// A part of the run with a name, so that it can be said what was seen in it.
#[derive(Debug, Clone, Serialize)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// Time of its beginning. It ends when the next one begins.
    pub began_us: u64,
}

/// Everything that happened, in no order.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The changes. Those of one register are in the order in which they were made.
    pub changes: Vec<Change>,
    /// The calls.
    pub calls: Vec<Call>,
    /// The cuts.
    pub cuts: Vec<Cut>,
    /// The phases, in order.
    pub phases: Vec<Phase>,
}

/// Promises of a cluster.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Longest time after its acknowledgement that a change may be unknown to other nodes.
    pub elsewhere: Duration,
    /// Longest time that a node without the database may answer from its knowledge.
    pub offline_max: Duration,
}

/// Final state of the database.
#[derive(Debug, Clone, Default)]
pub struct End {
    /// Everybody who is there.
    pub users: BTreeSet<String>,
    /// Value of each register.
    pub values: BTreeMap<String, bool>,
    /// Values of each register in the audit trail, in its order.
    pub audit: BTreeMap<String, Vec<bool>>,
}

impl History {
    /// A line of JSON for everything that happened, in the order of its beginning.
    pub fn to_ndjson(&self) -> String {
        let mut lines: Vec<(u64, String)> = Vec::new();
        let mut add = |at_us: u64, event: &str, value: serde_json::Result<serde_json::Value>| {
            let mut value = value.unwrap_or_default();
            if let Some(members) = value.as_object_mut() {
                members.insert("event".to_owned(), event.into());
            }
            lines.push((at_us, value.to_string()));
        };
        for change in &self.changes {
            add(change.sent_us, "change", serde_json::to_value(change));
        }
        for call in &self.calls {
            add(call.sent_us, "call", serde_json::to_value(call));
        }
        for cut in &self.cuts {
            add(cut.began_us, "cut", serde_json::to_value(cut));
        }
        for phase in &self.phases {
            add(phase.began_us, "phase", serde_json::to_value(phase));
        }
        lines.sort();
        lines
            .into_iter()
            .fold(String::new(), |text, (_, line)| text + &line + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000;

    fn bounds() -> Bounds {
        Bounds {
            elsewhere: Duration::from_secs(1),
            offline_max: Duration::from_secs(5),
        }
    }

    /// A change by node 0, sent at a time in milliseconds and acknowledged 10 ms later.
    fn change(value: bool, sent_ms: u64) -> Change {
        Change {
            register: "tag".into(),
            value,
            node: 0,
            sent_us: sent_ms * MS,
            answered_us: Some((sent_ms + 10) * MS),
            acknowledged: true,
        }
    }

    fn failed(value: bool, sent_ms: u64) -> Change {
        Change {
            acknowledged: false,
            ..change(value, sent_ms)
        }
    }

    /// A call that needs the register of [`change`], answered 5 ms after it was sent.
    fn call(node: usize, verdict: Verdict, sent_ms: u64) -> Call {
        Call {
            node,
            user: "ada".into(),
            needs: vec!["tag".into()],
            sent_us: sent_ms * MS,
            answered_us: (sent_ms + 5) * MS,
            verdict,
            answer: format!("{verdict:?}"),
        }
    }

    fn cut(began_ms: u64, restored_ms: Option<u64>, reached_ms: Option<u64>) -> Cut {
        Cut {
            node: 1,
            began_us: began_ms * MS,
            whole_us: began_ms * MS,
            restored_us: restored_ms.map(|ms| ms * MS),
            reached_us: reached_ms.map(|ms| ms * MS),
        }
    }

    fn check(changes: &[Change], calls: &[Call], cuts: &[Cut]) -> Report {
        let history = History {
            changes: changes.to_vec(),
            calls: calls.to_vec(),
            cuts: cuts.to_vec(),
            phases: Vec::new(),
        };
        history.check(bounds())
    }

    fn wrongs(changes: &[Change], calls: &[Call], cuts: &[Cut]) -> Vec<Wrong> {
        let report = check(changes, calls, cuts);
        report.violations.iter().map(|violation| violation.wrong).collect()
    }

    use Verdict::{Deny, Permit, Undecided};

    #[test]
    fn a_change_is_seen_at_once_where_it_was_acknowledged_and_elsewhere_after_the_bound() {
        let off = [change(false, 100)];
        assert_eq!(wrongs(&off, &[call(0, Permit, 109), call(0, Deny, 110)], &[]), []);
        assert_eq!(wrongs(&off, &[call(0, Permit, 110)], &[]), [Wrong::Stale]);
        assert_eq!(wrongs(&off, &[call(1, Permit, 1_109), call(1, Deny, 1_110)], &[]), []);
        assert_eq!(wrongs(&off, &[call(1, Permit, 1_110)], &[]), [Wrong::Stale]);
        // Both ways: a right that was given and is still denied.
        let on = [change(false, 100), change(true, 5_000)];
        assert_eq!(wrongs(&on, &[call(0, Deny, 5_010)], &[]), [Wrong::Stale]);
    }

    #[test]
    fn nothing_is_seen_before_anybody_asked_for_it() {
        let off = [change(false, 100)];
        assert_eq!(wrongs(&off, &[call(0, Deny, 94)], &[]), [Wrong::Foretold]);
        assert_eq!(wrongs(&off, &[call(0, Deny, 95)], &[]), []);
        assert_eq!(wrongs(&[], &[call(0, Deny, 95)], &[]), [Wrong::Foretold]);
    }

    #[test]
    fn what_was_not_acknowledged_may_have_happened_or_not_until_something_else_was() {
        let changes = [failed(false, 100), change(true, 5_000)];
        assert_eq!(
            wrongs(&changes, &[call(1, Permit, 4_000), call(1, Deny, 4_000)], &[]),
            []
        );
        assert_eq!(wrongs(&changes, &[call(1, Deny, 6_010)], &[]), [Wrong::Stale]);
        let mut unanswered = failed(false, 100);
        unanswered.answered_us = None;
        let calls = [call(0, Permit, 90_000), call(0, Deny, 90_000)];
        assert_eq!(wrongs(&[unanswered], &calls, &[]), []);
    }

    #[test]
    fn one_register_that_is_off_is_enough_and_all_must_be_on() {
        let mut other = change(false, 100);
        other.register = "status".into();
        let both = |verdict| {
            let mut call = call(0, verdict, 200);
            call.needs.push("status".into());
            call
        };
        assert_eq!(wrongs(&[other.clone()], &[both(Deny)], &[]), []);
        assert_eq!(wrongs(&[other], &[both(Permit)], &[]), [Wrong::Stale]);
        assert_eq!(wrongs(&[], &[both(Permit)], &[]), []);
    }

    #[test]
    fn a_node_that_is_cut_off_knows_what_it_had_to_know_then() {
        let cuts = [cut(2_000, Some(6_000), Some(6_500))];
        // Acknowledged 990 ms before the cut, and 1,010 ms before.
        let calls = [call(1, Permit, 6_990)];
        assert_eq!(wrongs(&[change(false, 1_000)], &calls, &cuts), []);
        assert_eq!(wrongs(&[change(false, 980)], &calls, &cuts), [Wrong::Stale]);
        // The bound counts again from when it reaches the database.
        assert_eq!(wrongs(&[change(false, 3_000)], &[call(1, Permit, 7_499)], &cuts), []);
        let late = [call(1, Permit, 7_500)];
        assert_eq!(wrongs(&[change(false, 3_000)], &late, &cuts), [Wrong::Stale]);
        // Others are not cut off.
        assert_eq!(
            wrongs(&[change(false, 3_000)], &[call(2, Permit, 4_010)], &cuts),
            [Wrong::Stale]
        );
    }

    #[test]
    fn cut_off_for_too_long_it_decides_nothing() {
        let cuts = [cut(2_000, Some(20_000), None)];
        assert_eq!(
            wrongs(&[], &[call(1, Permit, 7_000), call(1, Undecided, 8_000)], &cuts),
            []
        );
        assert_eq!(wrongs(&[], &[call(1, Permit, 7_001)], &cuts), [Wrong::CutOff]);
        assert_eq!(
            wrongs(&[change(false, 100)], &[call(1, Deny, 7_001)], &cuts),
            [Wrong::CutOff]
        );
        // Sent while the way was shut and answered when it was open again.
        assert_eq!(wrongs(&[], &[call(1, Permit, 19_999)], &cuts), []);
    }

    #[test]
    fn it_says_how_much_it_had_to_go_by() {
        let history = History {
            changes: vec![change(false, 1_000), change(true, 9_000)],
            calls: vec![
                call(1, Permit, 500),
                call(1, Permit, 1_500),
                call(1, Deny, 3_000),
                call(1, Deny, 3_100),
                call(0, Deny, 3_100),
                call(2, Undecided, 3_100),
                call(2, Permit, 11_000),
            ],
            cuts: Vec::new(),
            phases: vec![
                Phase {
                    name: "calm".into(),
                    began_us: 0,
                },
                Phase {
                    name: "storm".into(),
                    began_us: 3_000 * MS,
                },
            ],
        };
        let report = history.check(bounds());
        assert_eq!(report.violations, []);
        let calm = Seen {
            permits: 1,
            either: 1,
            ..Seen::default()
        };
        let storm = Seen {
            permits: 1,
            denials: 3,
            undecided: 1,
            learned: 2,
            ..Seen::default()
        };
        assert_eq!(
            report.seen,
            BTreeMap::from([("calm".into(), calm), ("storm".into(), storm)])
        );
        let lines = history.to_ndjson();
        assert_eq!(lines.lines().count(), 11);
        let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        assert_eq!((&first["event"], &first["name"]), (&"phase".into(), &"calm".into()));
    }

    fn end_of(changes: &[Change], value: bool, audit: &[bool]) -> Vec<Wrong> {
        let history = History {
            changes: changes.to_vec(),
            calls: vec![call(0, Permit, 0)],
            ..History::default()
        };
        let end = End {
            users: ["ada".to_owned()].into(),
            values: [("tag".to_owned(), value)].into(),
            audit: [("tag".to_owned(), audit.to_vec())].into(),
        };
        history
            .check_end(&end)
            .iter()
            .map(|violation| violation.wrong)
            .collect()
    }

    #[test]
    fn what_was_acknowledged_is_there_in_the_end() {
        let acknowledged = [change(false, 1), change(true, 100), change(false, 200)];
        assert_eq!(end_of(&acknowledged, false, &[false, true, false]), []);
        assert_eq!(end_of(&acknowledged, true, &[false, true, false]), [Wrong::LostChange]);
        assert_eq!(end_of(&acknowledged, false, &[false, true]), [Wrong::LostEvent]);
        assert_eq!(end_of(&acknowledged, false, &[false, false]), [Wrong::LostEvent]);
        assert_eq!(
            end_of(&acknowledged, false, &[false, true, false, true]),
            [Wrong::LostEvent]
        );
        // What was not acknowledged may be there: at the end, or as the first of two attempts.
        let open = [change(false, 1), failed(true, 100)];
        assert_eq!(end_of(&open, false, &[false]), []);
        assert_eq!(end_of(&open, true, &[false, true]), []);
        let again = [failed(false, 1), change(false, 100)];
        assert_eq!(end_of(&again, false, &[false]), []);
        assert_eq!(end_of(&again, true, &[]), [Wrong::LostChange, Wrong::LostEvent]);
    }

    #[test]
    fn whoever_was_let_pass_is_there_in_the_end() {
        let history = History {
            calls: vec![call(0, Permit, 0), call(0, Undecided, 100)],
            ..History::default()
        };
        let lost = history.check_end(&End::default());
        assert_eq!(lost.len(), 1);
        assert_eq!(lost[0].wrong, Wrong::LostUser);
    }
}
