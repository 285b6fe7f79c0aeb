//! The checker itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::time::Duration;

use super::{Bounds, Call, Change, Cut, End, History, Verdict};

/// Something that cannot have happened in a cluster that keeps its promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Kind of the violation.
    pub wrong: Wrong,
    /// Subject of the violation, and the times.
    pub text: String,
}

/// The kinds of violations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// An answer rests on something that had been changed for longer than the bound.
    Stale,
    /// An answer rests on something that no client had asked for yet.
    Foretold,
    /// A node decided although it had been cut off for too long.
    CutOff,
    /// An acknowledged change is not there in the end, or what is there was never asked for.
    LostChange,
    /// The audit trail does not say what was acknowledged.
    LostEvent,
    /// A user was let pass and is not there in the end.
    LostUser,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.wrong, self.text)
    }
}

/// Amount of evidence that the checker had in one phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Permits where a denial would have been a violation.
    pub permits: usize,
    /// Denials where a permit would have been one.
    pub denials: usize,
    /// Decisions where both were possible.
    pub either: usize,
    /// Calls that were not decided.
    pub undecided: usize,
    /// Changes that a node other than the one that made them was seen to know; each counts once for each node.
    pub learned: usize,
}

/// Result of a check.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Events that cannot have happened.
    pub violations: Vec<Violation>,
    /// Amount of evidence, by phase.
    pub seen: BTreeMap<String, Seen>,
}

/// Possible values of a register for one call.
#[derive(Debug, Clone, Copy)]
struct Possible<'h> {
    on: bool,
    off: bool,
    /// The last change that must be seen; none means the first value.
    settled: Option<(usize, &'h Change)>,
}

struct Checker<'h> {
    history: &'h History,
    registers: HashMap<&'h str, Vec<&'h Change>>,
    elsewhere_us: u64,
    offline_max_us: u64,
}

impl History {
    /// Looks at every call.
    pub fn check(&self, bounds: Bounds) -> Report {
        let mut registers: HashMap<&str, Vec<&Change>> = HashMap::new();
        for change in &self.changes {
            registers.entry(&change.register).or_default().push(change);
        }
        let checker = Checker {
            history: self,
            registers,
            elsewhere_us: micros(bounds.elsewhere),
            offline_max_us: micros(bounds.offline_max),
        };
        let mut report = Report::default();
        let mut learned = BTreeSet::new();
        for call in &self.calls {
            let phase = self.phases.iter().rev().find(|phase| phase.began_us <= call.sent_us);
            let name = phase.map_or("", |phase| &phase.name).to_owned();
            let seen = report.seen.entry(name).or_default();
            report.violations.extend(checker.call(call, seen, &mut learned));
        }
        report
    }

    /// Compares what was acknowledged with what is there in the end.
    pub fn check_end(&self, end: &End) -> Vec<Violation> {
        let mut violations = Vec::new();
        let passed = self.calls.iter().filter(|call| call.verdict == Verdict::Permit);
        for user in passed.map(|call| &call.user).collect::<BTreeSet<_>>() {
            if !end.users.contains(user) {
                violations.push(violation(
                    Wrong::LostUser,
                    format!("`{user}` was let pass and is not there"),
                ));
            }
        }
        let mut registers: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
        for change in &self.changes {
            registers.entry(&change.register).or_default().push(change);
        }
        for (register, changes) in registers {
            violations.extend(lost_change(register, &changes, end.values.get(register).copied()));
            let told = end.audit.get(register).map(Vec::as_slice);
            violations.extend(told.and_then(|told| lost_event(register, &changes, told)));
        }
        violations
    }
}

impl<'h> Checker<'h> {
    fn call(&self, call: &Call, seen: &mut Seen, learned: &mut BTreeSet<(String, usize, usize)>) -> Vec<Violation> {
        if call.verdict == Verdict::Undecided {
            seen.undecided += 1;
            return Vec::new();
        }
        if let Some(cut) = self.cut_off_for_too_long(call) {
            let since = call.sent_us - cut.whole_us;
            return vec![violation(
                Wrong::CutOff,
                format!("{} ms after it was cut off: {}", since / 1000, told(call)),
            )];
        }
        let needs: Vec<Possible<'_>> = call.needs.iter().map(|need| self.possible(need, call)).collect();
        let permit = needs.iter().all(|need| need.on);
        let denial = needs.iter().any(|need| need.off);
        let possible = if call.verdict == Verdict::Permit {
            permit
        } else {
            denial
        };
        if !possible {
            return vec![self.impossible(call, &needs)];
        }
        match (permit, denial) {
            (true, false) => seen.permits += 1,
            (false, true) => seen.denials += 1,
            _ => seen.either += 1,
        }
        // What a decision with one possible outcome shows, if the outcome hangs on one register only.
        if permit != denial {
            for need in &needs {
                let alone = permit || needs.iter().filter(|need| need.off).count() == 1;
                let decisive = alone && need.on != need.off && need.on == permit;
                if let Some((index, change)) = need.settled.filter(|(_, change)| decisive && change.node != call.node)
                    && learned.insert((change.register.clone(), index, call.node))
                {
                    seen.learned += 1;
                }
            }
        }
        Vec::new()
    }

    /// Returns the possible values of a register for a call. Every register is on before its first change.
    fn possible(&self, register: &str, call: &Call) -> Possible<'h> {
        let changes = self.registers.get(register).map_or(&[][..], Vec::as_slice);
        let known = changes.iter().rposition(|change| self.must_be_seen(change, call));
        let settled = known.and_then(|index| Some((index, *changes.get(index)?)));
        let now = settled.is_none_or(|(_, change)| change.value);
        let mut possible = Possible {
            on: now,
            off: !now,
            settled,
        };
        let later = changes.iter().skip(known.map_or(0, |index| index + 1));
        for change in later.filter(|change| change.sent_us <= call.answered_us) {
            possible.on |= change.value;
            possible.off |= !change.value;
        }
        possible
    }

    /// Tests whether the node of a call must know of a change by then.
    fn must_be_seen(&self, change: &Change, call: &Call) -> bool {
        let Some(answered_us) = change.answered_us.filter(|_| change.acknowledged) else {
            return false;
        };
        if change.node == call.node {
            return answered_us <= call.sent_us;
        }
        // A node that is cut off knows what it had to know when the cut began. Once it reaches the database again it has
        // as long as any other node to hear of what it missed.
        let cuts = self.cuts_of(call).filter(|cut| {
            let over_us = cut.reached_us.map(|reached_us| reached_us + self.elsewhere_us);
            cut.began_us <= call.answered_us && over_us.is_none_or(|over_us| call.sent_us < over_us)
        });
        let known_us = cuts.map(|cut| cut.began_us).min().unwrap_or(u64::MAX).min(call.sent_us);
        answered_us + self.elsewhere_us <= known_us
    }

    fn cuts_of(&self, call: &Call) -> impl Iterator<Item = &'h Cut> {
        let node = call.node;
        self.history.cuts.iter().filter(move |cut| cut.node == node)
    }

    fn cut_off_for_too_long(&self, call: &Call) -> Option<&'h Cut> {
        self.cuts_of(call).find(|cut| {
            cut.whole_us + self.offline_max_us < call.sent_us
                && cut.restored_us.is_none_or(|restored_us| call.answered_us < restored_us)
        })
    }

    fn impossible(&self, call: &Call, needs: &[Possible<'_>]) -> Violation {
        let permit = call.verdict == Verdict::Permit;
        let settled = needs.iter().filter(|need| need.on != permit && need.off == permit);
        let why = settled.clone().find_map(|need| need.settled);
        // The change that would explain it, had it been sent earlier.
        let later = call.needs.iter().any(|need| {
            let changes = self.registers.get(need.as_str()).map_or(&[][..], Vec::as_slice);
            changes
                .iter()
                .any(|change| change.value == permit && change.sent_us > call.answered_us)
        });
        match why {
            Some((_, change)) => violation(
                Wrong::Stale,
                format!(
                    "`{}` was {} by node {} and acknowledged {} ms before: {}",
                    change.register,
                    if change.value { "turned on" } else { "turned off" },
                    change.node,
                    call.sent_us.saturating_sub(change.answered_us.unwrap_or(0)) / 1000,
                    told(call)
                ),
            ),
            None if later => violation(Wrong::Foretold, told(call)),
            None => violation(
                Wrong::Foretold,
                format!("no client ever asked for that: {}", told(call)),
            ),
        }
    }
}

fn lost_change(register: &str, changes: &[&Change], value: Option<bool>) -> Option<Violation> {
    let last = changes.iter().rposition(|change| change.acknowledged);
    let settled = last
        .and_then(|index| changes.get(index))
        .is_none_or(|change| change.value);
    let later = changes.iter().skip(last.map_or(0, |index| index + 1));
    let possible = std::iter::once(settled).chain(later.map(|change| change.value));
    let Some(value) = value else {
        return Some(violation(Wrong::LostChange, format!("`{register}` is not there")));
    };
    let found = possible.into_iter().any(|possible| possible == value);
    (!found).then(|| {
        violation(
            Wrong::LostChange,
            format!("`{register}` is {value}, and {settled} was acknowledged last"),
        )
    })
}

/// Writers repeat a change until it is acknowledged. Made twice it is in the trail once, so the trail says exactly what
/// was acknowledged, and perhaps what was asked for after that.
fn lost_event(register: &str, changes: &[&Change], told: &[bool]) -> Option<Violation> {
    let acknowledged: Vec<bool> = changes
        .iter()
        .filter(|change| change.acknowledged)
        .map(|change| change.value)
        .collect();
    let rest = told.strip_prefix(acknowledged.as_slice());
    let last_asked = changes
        .last()
        .filter(|change| !change.acknowledged)
        .map(|change| change.value);
    let fits = rest.is_some_and(|rest| match rest {
        [] => true,
        [one] => Some(*one) == last_asked,
        _ => false,
    });
    (!fits).then(|| {
        violation(
            Wrong::LostEvent,
            format!("`{register}`: {acknowledged:?} was acknowledged, and the audit trail says {told:?}"),
        )
    })
}

fn violation(wrong: Wrong, text: String) -> Violation {
    Violation { wrong, text }
}

fn told(call: &Call) -> String {
    format!(
        "node {} answered {} to `{}` who needs {:?} (sent at {} ms, answered at {} ms)",
        call.node,
        call.answer,
        call.user,
        call.needs,
        call.sent_us / 1000,
        call.answered_us / 1000
    )
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
