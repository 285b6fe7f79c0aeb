//! Times: relative within a day, date and time beyond it, and always the full moment beside it.

use askama::Template;
use askama::filters::HtmlSafe;
use jiff::{Timestamp, Unit};

/// Milliseconds of a second.
const SECOND_MS: i64 = 1_000;
/// Milliseconds of a minute.
const MINUTE_MS: i64 = 60 * SECOND_MS;
/// Milliseconds of an hour.
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Milliseconds of a day.
const DAY_MS: i64 = 24 * HOUR_MS;

/// A moment as a `time` element.
#[derive(Debug, Clone, Template)]
#[template(
    source = r#"<time datetime="{{ rfc3339 }}" title="{{ full }}">{{ text }}</time>"#,
    ext = "html"
)]
pub struct Moment {
    /// By RFC 3339, in UTC.
    rfc3339: String,
    /// To the second, in UTC.
    full: String,
    /// As people say it.
    text: String,
}

impl HtmlSafe for Moment {}

impl Moment {
    /// The moment `at_ms` as it is said at `now_ms`, both in milliseconds since the epoch.
    pub fn new(at_ms: i64, now_ms: i64) -> Self {
        let moment = Timestamp::from_millisecond(at_ms).and_then(|moment| moment.round(Unit::Second));
        // A time that no calendar has comes from no clock; its number is better than nothing.
        let Ok(moment) = moment else {
            let number = at_ms.to_string();
            return Self {
                rfc3339: number.clone(),
                full: number.clone(),
                text: number,
            };
        };
        let text = relative(now_ms.saturating_sub(at_ms));
        Self {
            rfc3339: moment.to_string(),
            full: moment.strftime("%-d %b %Y, %H:%M:%S UTC").to_string(),
            text: text.unwrap_or_else(|| moment.strftime("%-d %b %Y, %H:%M").to_string()),
        }
    }
}

/// Says how long ago something was, or how long it takes until then; `None` from a day on.
fn relative(ago_ms: i64) -> Option<String> {
    let apart = i64::try_from(ago_ms.unsigned_abs()).unwrap_or(i64::MAX);
    let (number, unit) = match apart {
        DAY_MS.. => return None,
        HOUR_MS.. => (apart / HOUR_MS, "hour"),
        MINUTE_MS.. => (apart / MINUTE_MS, "minute"),
        _ => return Some("just now".to_owned()),
    };
    let ending = if number == 1 { "" } else { "s" };
    Some(if ago_ms >= 0 {
        format!("{number} {unit}{ending} ago")
    } else {
        format!("in {number} {unit}{ending}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2023-11-14T22:13:20Z
    const NOW_MS: i64 = 1_700_000_000_000;

    fn text(apart_ms: i64) -> String {
        Moment::new(NOW_MS + apart_ms, NOW_MS).text
    }

    #[test]
    fn times_are_relative_under_a_day() {
        for (apart_ms, said) in [
            (0, "just now"),
            (-59_999, "just now"),
            (-MINUTE_MS, "1 minute ago"),
            (-6 * MINUTE_MS, "6 minutes ago"),
            (-HOUR_MS, "1 hour ago"),
            (-DAY_MS + 1, "23 hours ago"),
            (2 * HOUR_MS, "in 2 hours"),
            (-DAY_MS, "13 Nov 2023, 22:13"),
            (DAY_MS, "15 Nov 2023, 22:13"),
        ] {
            assert_eq!(text(apart_ms), said);
        }
    }

    #[test]
    fn the_full_moment_stands_beside_the_words() {
        let shown = Moment::new(NOW_MS - 6 * MINUTE_MS, NOW_MS).to_string();
        assert_eq!(
            shown,
            r#"<time datetime="2023-11-14T22:07:20Z" title="14 Nov 2023, 22:07:20 UTC">6 minutes ago</time>"#
        );
    }

    #[test]
    fn a_time_that_no_calendar_has_is_a_number() {
        assert!(Moment::new(i64::MAX, 0).to_string().contains("9223372036854775807"));
    }
}
