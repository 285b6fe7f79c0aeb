//! Durations and sizes: a whole number and a unit.

use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use crate::problem::Problem;
use crate::read::{FromToml, Kind, Walk};

/// `60s`, `10m`: a whole number and a unit, as factor in milliseconds.
const DURATION_UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// `16KiB`, `1MB`: a whole number and a unit, as factor in bytes.
const SIZE_UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("KB", 1_000),
    ("KiB", 1_024),
    ("MB", 1_000_000),
    ("MiB", 1_048_576),
    ("GB", 1_000_000_000),
    ("GiB", 1_073_741_824),
];

/// Reads a whole number followed by one of `units`.
fn measure(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let factor = units.iter().find(|(name, _)| *name == unit)?.1;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// A duration as the command line and the file both write it.
pub fn parse_duration(text: &str) -> Option<Duration> {
    // A millisecond count that fits i64 can be added to any time without overflow checks going wild.
    let millis = measure(text, &DURATION_UNITS).filter(|millis| *millis <= 100 * 366 * 86_400_000)?;
    Some(Duration::from_millis(millis))
}

impl FromToml for Duration {
    fn kind() -> Kind {
        Kind::Text {
            what: "duration",
            pattern: Some("^[0-9]+(ms|s|m|h|d)$"),
        }
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, walk: &mut Walk) -> Option<Self> {
        let text = walk.text(value, "a duration such as `\"60s\"`")?;
        let read = parse_duration(text);
        if read.is_none() {
            let message = format!("`{}` is not a duration", walk.key());
            let problem = Problem::error(walk.span(value), message);
            walk.problems.push(
                problem.help("write a whole number and `ms`, `s`, `m`, `h` or `d`, such as `\"60s\"` or `\"10m\"`"),
            );
        }
        read
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl FromToml for Size {
    fn kind() -> Kind {
        Kind::Text {
            what: "size",
            pattern: Some("^[0-9]+(B|KB|KiB|MB|MiB|GB|GiB)$"),
        }
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, walk: &mut Walk) -> Option<Self> {
        let text = walk.text(value, "a size such as `\"16KiB\"`")?;
        let read = measure(text, &SIZE_UNITS).filter(|bytes| *bytes > 0);
        if read.is_none() {
            let problem = Problem::error(walk.span(value), format!("`{}` is not a size", walk.key()));
            walk.problems.push(problem.help(
                "write a whole number above 0 and `B`, `KB`, `KiB`, `MB`, `MiB`, `GB` or `GiB`, such as `\"16KiB\"`",
            ));
        }
        read.map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(parse_duration("90s"), Some(Duration::from_secs(90)));
        assert_eq!(parse_duration("10m"), Some(Duration::from_mins(10)));
        assert_eq!(parse_duration("24h"), Some(Duration::from_hours(24)));
        assert_eq!(parse_duration("7d"), Some(Duration::from_hours(168)));
        assert_eq!(parse_duration("250ms"), Some(Duration::from_millis(250)));
        for bad in [
            "",
            "60",
            "s",
            "-1s",
            "1.5s",
            "60 s",
            "1h30m",
            "60S",
            "99999999999999999999s",
            "18446744073709551615d",
            "40000d",
        ] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_are_decimal_or_binary() {
        assert_eq!(measure("16KiB", &SIZE_UNITS), Some(16_384));
        assert_eq!(measure("512KB", &SIZE_UNITS), Some(512_000));
        assert_eq!(measure("1GiB", &SIZE_UNITS), Some(1 << 30));
        assert_eq!(measure("16kib", &SIZE_UNITS), None);
        assert_eq!(measure("16", &SIZE_UNITS), None);
    }
}
