//! Spans of time as npm `ms` 2.1.3 reads them: `"1h"`, `"2.5 days"`, `"60"` (milliseconds).

/// The span in milliseconds; `None` for text that is none. The whole text must match: no blanks around it, no `+`, no
/// exponent, one unit at most, 100 UTF-16 units at most.
pub(crate) fn milliseconds(text: &str) -> Option<f64> {
    if text.encode_utf16().count() > TEXT_MOST {
        return None;
    }
    let digits = |c: char| c.is_ascii_digit();
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let end = unsigned
        .find(|c: char| !digits(c) && c != '.')
        .unwrap_or(unsigned.len());
    let (number, unit) = unsigned.split_at_checked(end)?;
    // Digits with at most one full stop, which stands before a digit.
    let fraction = number.rsplit('.').next()?;
    if fraction.is_empty() || number.matches('.').count() > 1 {
        return None;
    }
    let magnitude: f64 = format!("0{number}").parse().ok()?;
    let unit = unit_ms(&unit.trim_start_matches(' ').to_ascii_lowercase())?;
    Some(if negative { -magnitude * unit } else { magnitude * unit })
}

/// Length of a unit in milliseconds; no unit means milliseconds.
fn unit_ms(unit: &str) -> Option<f64> {
    Some(match unit {
        "" | "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => 1.0,
        "s" | "sec" | "secs" | "second" | "seconds" => SECOND,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0 * SECOND,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0 * SECOND,
        "d" | "day" | "days" => DAY,
        "w" | "week" | "weeks" => 7.0 * DAY,
        "y" | "yr" | "yrs" | "year" | "years" => 365.25 * DAY,
        _ => return None,
    })
}

const TEXT_MOST: usize = 100;
const SECOND: f64 = 1_000.0;
const DAY: f64 = 86_400.0 * SECOND;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_ms_reads_them() {
        for (text, expected) in [
            ("1h", 3_600_000.0),
            ("2 days", 172_800_000.0),
            ("1  h", 3_600_000.0),
            ("90 SECONDS", 90_000.0),
            (".5d", 43_200_000.0),
            ("-1.5m", -90_000.0),
            ("60", 60.0),
            ("1y", 31_557_600_000.0),
            ("0", 0.0),
        ] {
            assert_eq!(milliseconds(text), Some(expected), "{text}");
        }
        for text in [
            "",
            " 1h",
            "1h ",
            "1h30m",
            "1e3",
            "+1h",
            "5.",
            "1.2.3",
            "1 month",
            "h",
            "-",
            "1\th",
            "١h",
            &"1".repeat(101),
        ] {
            assert_eq!(milliseconds(text), None, "{text}");
        }
    }
}
