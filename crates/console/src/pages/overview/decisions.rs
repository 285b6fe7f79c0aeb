//! Decisions over time, as the overview shows them: figures, and refusals by reason as columns.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use narthex_decision::Reason;
use narthex_engine::Step;
use narthex_ops::decisions::{self, Decisions};

use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::Visit;
use narthex_console_frame::wording::number::{counted, grouped};
use narthex_console_frame::wording::reason::in_words;

/// Ranges of the page: word in the query, label, milliseconds, words.
const RANGES: [(&str, &str, i64, &str); 3] = [
    ("1h", "1 hour", 3_600_000, "the last hour"),
    ("24h", "24 hours", 86_400_000, "the last 24 hours"),
    ("7d", "7 days", 7 * 86_400_000, "the last 7 days"),
];
/// Word of the range that is shown if none is asked for.
const USUAL: &str = "24h";

/// Number of reasons with a colour of their own.
const SERIES_MAX: usize = 4;
/// Maximum number of columns.
const COLUMNS_MAX: i64 = 60;
/// Size of the drawing, in its own units.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 100.0;

/// A link to a range.
pub(super) struct RangeLink {
    pub(super) word: &'static str,
    pub(super) label: &'static str,
    pub(super) is_current: bool,
}

/// A reason in the chart.
pub(super) struct Series {
    /// Class of its colour.
    pub(super) class: &'static str,
    pub(super) words: String,
    pub(super) code: &'static str,
    pub(super) total: String,
    /// Its columns, as a path of SVG.
    pub(super) path: String,
}

/// Decisions of this node over time.
pub(super) struct Chart {
    pub(super) ranges: Vec<RangeLink>,
    pub(super) allowed: String,
    pub(super) share: String,
    pub(super) refused: String,
    pub(super) reasons: String,
    pub(super) undecided: String,
    /// Words for the range, such as `the last hour`.
    pub(super) range: &'static str,
    /// The finding, for those who do not see the chart.
    pub(super) finding: String,
    /// The largest number, and the marks below it.
    pub(super) scale: [String; 3],
    pub(super) series: Vec<Series>,
}

/// Reads the decisions of the range that the query asks for.
pub(super) fn chart(visit: &Visit) -> Result<Chart, Failed> {
    let asked = visit.query().text("range");
    let known = RANGES.iter().find(|(word, ..)| *word == asked);
    let chosen = known.or_else(|| RANGES.iter().find(|(word, ..)| *word == USUAL));
    let (word, _, ms, range) = chosen.copied().unwrap_or((USUAL, "", 86_400_000, ""));
    let step = Step::reaching(ms);
    let read = decisions::read(visit.caller(), Some(visit.now_ms().saturating_sub(ms)), Some(step))?;
    let ranges = RANGES.map(|(other, label, ..)| RangeLink {
        word: other,
        label,
        is_current: other == word,
    });
    Ok(Chart {
        ranges: ranges.into(),
        ..drawn(&read, range)
    })
}

/// Numbers of refusals of one reason, by column.
type Columns = BTreeMap<usize, u64>;

fn drawn(read: &Decisions, range: &'static str) -> Chart {
    let span_ms = read.until_ms.saturating_sub(read.from_ms).max(1);
    let steps = (span_ms / read.step.ms()).max(1);
    let columns = steps.min(COLUMNS_MAX);
    let column_of = |at_ms: i64| {
        let column = at_ms.saturating_sub(read.from_ms).saturating_mul(columns) / span_ms;
        usize::try_from(column).unwrap_or(0)
    };
    let (mut allowed, mut undecided) = (0_u64, 0_u64);
    let mut reasons: BTreeMap<&'static str, (u64, Columns)> = BTreeMap::new();
    for bucket in &read.buckets {
        for (key, count) in &bucket.counts {
            let Some(reason) = key.reason else {
                allowed = allowed.saturating_add(*count);
                continue;
            };
            if key.outcome() == "error" {
                undecided = undecided.saturating_add(*count);
            }
            let (total, of) = reasons.entry(reason).or_default();
            *total = total.saturating_add(*count);
            *of.entry(column_of(bucket.at_ms)).or_default() += count;
        }
    }
    let refused: u64 = reasons.values().map(|(total, _)| total).sum();
    let number = |count: u64| grouped(usize::try_from(count).unwrap_or(usize::MAX));
    let series = series(reasons);
    let highest = highest(&series);
    let first = series.first().map(|first| (first.words.clone(), number(first.total)));
    Chart {
        ranges: Vec::new(),
        share: match allowed.saturating_add(refused) {
            0 => "No decision yet".to_owned(),
            all => format!("{} of decisions", percent(allowed, all)),
        },
        allowed: number(allowed),
        refused: number(refused.saturating_sub(undecided)),
        reasons: counted(series.len(), "kind", "kinds"),
        undecided: number(undecided),
        range,
        finding: match first {
            None => format!("No request was refused in {range}."),
            Some((words, total)) => format!("Most requests that were refused in {range}: {words}, {total}."),
        },
        scale: [highest, highest / 2, 0].map(number),
        series: paths(series, highest, columns),
    }
}

/// Numbers of one reason, or of all the others together.
struct Counted {
    code: &'static str,
    words: String,
    total: u64,
    columns: Columns,
}

/// The most frequent reasons first, and the others together.
fn series(reasons: BTreeMap<&'static str, (u64, Columns)>) -> Vec<Counted> {
    let mut series: Vec<Counted> = reasons
        .into_iter()
        .map(|(code, (total, columns))| Counted {
            code,
            words: Reason::from_code(code).map_or(code, in_words).to_owned(),
            total,
            columns,
        })
        .collect();
    series.sort_by_key(|counted| std::cmp::Reverse(counted.total));
    if series.len() > SERIES_MAX {
        let others = series.split_off(SERIES_MAX);
        let mut columns = Columns::new();
        for (column, count) in others.iter().flat_map(|other| &other.columns) {
            *columns.entry(*column).or_default() += count;
        }
        series.push(Counted {
            code: "",
            words: counted(others.len(), "other reason", "other reasons"),
            total: others.iter().map(|other| other.total).sum(),
            columns,
        });
    }
    series
}

/// Height of the highest column, at least 2.
fn highest(series: &[Counted]) -> u64 {
    let mut sums = Columns::new();
    for (column, count) in series.iter().flat_map(|counted| &counted.columns) {
        *sums.entry(*column).or_default() += count;
    }
    sums.values().copied().max().unwrap_or(0).max(2).next_multiple_of(2)
}

/// Draws the columns, the most frequent reason lowest.
fn paths(series: Vec<Counted>, highest: u64, columns: i64) -> Vec<Series> {
    const CLASSES: [&str; SERIES_MAX + 1] = ["c1", "c2", "c3", "c4", "c5"];
    let width = WIDTH / real(columns.unsigned_abs());
    let mut below: BTreeMap<usize, u64> = BTreeMap::new();
    let draw = |(counted, class): (Counted, &'static str)| {
        let mut path = String::new();
        for (column, count) in &counted.columns {
            let under = below.entry(*column).or_default();
            let left = real(u64::try_from(*column).unwrap_or(0)) * width;
            let (bottom, height) = (real(*under) / real(highest), real(*count) / real(highest));
            let top = HEIGHT * (1.0 - bottom - height);
            // Writing to a string cannot fail.
            let _ = write!(
                path,
                "M{left:.1} {top:.1}h{:.1}v{:.1}h-{:.1}z",
                width * 0.8,
                HEIGHT * height,
                width * 0.8
            );
            *under += count;
        }
        Series {
            class,
            words: counted.words,
            code: counted.code,
            total: grouped(usize::try_from(counted.total).unwrap_or(usize::MAX)),
            path,
        }
    };
    series.into_iter().zip(CLASSES).map(draw).collect()
}

/// A number for drawing. Beyond two to the power of 52, neighbours look the same.
#[expect(clippy::cast_precision_loss, reason = "a drawing is less exact anyway")]
const fn real(number: u64) -> f64 {
    number as f64
}

/// Returns a share in percent, to a tenth; never rounded to all or nothing.
fn percent(part: u64, all: u64) -> String {
    let tenths = u128::from(part) * 1_000 / u128::from(all.max(1));
    let tenths = if part < all { tenths.min(999) } else { tenths };
    format!("{}.{} %", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use narthex_engine::{Bucket, Counted};

    use super::*;

    fn bucket(at_ms: i64, counts: &[(Option<&'static str>, u64)]) -> Bucket {
        let counts = counts.iter().map(|(reason, count)| {
            let counted = Counted {
                reason: *reason,
                ..Counted::default()
            };
            (counted, *count)
        });
        Bucket {
            at_ms,
            counts: counts.collect(),
        }
    }

    fn read(buckets: Vec<Bucket>) -> Decisions {
        Decisions {
            step: Step::Minute,
            buckets,
            from_ms: 0,
            until_ms: 60 * Step::Minute.ms(),
        }
    }

    #[test]
    fn refusals_stand_on_each_other_the_most_frequent_lowest() {
        let refused = [(None, 98), (Some("token.expired"), 1), (Some("token.audience"), 3)];
        let chart = drawn(&read(vec![bucket(0, &refused)]), "the last hour");
        assert_eq!(
            (chart.allowed.as_str(), chart.share.as_str()),
            ("98", "96.0 % of decisions")
        );
        assert_eq!((chart.refused.as_str(), chart.undecided.as_str()), ("4", "0"));
        let found: Vec<(&str, &str, &str)> = chart
            .series
            .iter()
            .map(|series| (series.class, series.code, series.path.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("c1", "token.audience", "M0.0 25.0h6.4v75.0h-6.4z"),
                ("c2", "token.expired", "M0.0 0.0h6.4v25.0h-6.4z"),
            ]
        );
        assert_eq!(
            chart.finding,
            "Most requests that were refused in the last hour: wrong audience, 3."
        );
    }

    #[test]
    fn rare_reasons_are_counted_together() {
        let codes = [
            "token.expired",
            "token.audience",
            "token.missing",
            "request.path",
            "route.tag",
            "keys.unavailable",
        ];
        let counts: Vec<(Option<&'static str>, u64)> = codes.iter().map(|code| (Some(*code), 2)).collect();
        let chart = drawn(&read(vec![bucket(59 * Step::Minute.ms(), &counts)]), "the last hour");
        let last = chart.series.last().unwrap();
        assert_eq!(
            (chart.series.len(), last.words.as_str(), last.total.as_str()),
            (5, "2 other reasons", "4")
        );
        assert_eq!((chart.undecided.as_str(), chart.refused.as_str()), ("2", "10"));
        assert_eq!(chart.scale, ["12", "6", "0"]);
    }

    #[test]
    fn nothing_is_no_fault() {
        let chart = drawn(&read(Vec::new()), "the last hour");
        assert!(chart.series.is_empty() && chart.share == "No decision yet");
        assert_eq!(
            (percent(1, 1_000_000), percent(999_999, 1_000_000), percent(3, 3)),
            ("0.0 %".into(), "99.9 %".into(), "100.0 %".into())
        );
    }
}
