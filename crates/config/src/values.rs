//! Values of keys that mean something to the gateway alone; [`narthex_settings_reader`] has those of any program.

use std::time::Duration;

use narthex_engine::RateLimit;
use narthex_settings_reader::{FromToml, Kind, Problem, Walk};
use serde_json::Value as Json;
use toml::Spanned;
use toml::de::DeValue;

/// Text with `{{…}}` holes, compiled when the file is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TemplateText(pub(crate) String);

impl FromToml for TemplateText {
    fn kind() -> Kind {
        Kind::Text {
            what: "template",
            pattern: None,
        }
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, walk: &mut Walk) -> Option<Self> {
        String::from_toml(value, walk).map(Self)
    }
}

/// A value that a claim must have: text, a whole number or a boolean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClaimValue(pub(crate) Json);

impl FromToml for ClaimValue {
    fn kind() -> Kind {
        Kind::Either(vec![
            Kind::Text {
                what: "text",
                pattern: None,
            },
            Kind::Boolean,
            Kind::Integer {
                least: 0,
                most: (1 << 53) - 1,
            },
        ])
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, walk: &mut Walk) -> Option<Self> {
        let json = match value.get_ref() {
            DeValue::String(text) => Some(Json::from(text.as_ref())),
            DeValue::Boolean(flag) => Some(Json::from(*flag)),
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .ok()
                .map(Json::from),
            _ => None,
        };
        if json.is_none() {
            walk.wrong_type(value, "text, a whole number, `true` or `false`, or a list of them");
        }
        json.map(Self)
    }
}

/// Rate: count per time, such as `100/s` or `600/m`, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// No limit.
    Off,
    /// At most `count` in each `per`.
    Limit {
        /// Count of requests in the period.
        count: u32,
        /// Length of the period.
        per: Duration,
    },
}

impl Rate {
    /// The rate as the gateway takes it; `None` for `"off"`.
    pub fn limit(self) -> Option<RateLimit> {
        let Self::Limit { count, per } = self else { return None };
        Some(RateLimit {
            requests: count,
            period_ms: u32::try_from(per.as_millis()).unwrap_or(u32::MAX),
        })
    }
}

impl FromToml for Rate {
    fn kind() -> Kind {
        Kind::Text {
            what: "rate",
            pattern: Some("^(off|[1-9][0-9]*/(s|m|h))$"),
        }
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, walk: &mut Walk) -> Option<Self> {
        let text = walk.text(value, "a rate such as `\"100/s\"`, or `\"off\"`")?;
        let read = parse_rate(text);
        if read.is_none() {
            let problem = Problem::error(walk.span(value), format!("`{}` is not a rate", walk.key()));
            walk.problems.push(
                problem.help("write a whole number above 0 and `/s`, `/m` or `/h`, such as `\"100/s\"`, or `\"off\"`"),
            );
        }
        read
    }
}

fn parse_rate(text: &str) -> Option<Rate> {
    if text == "off" {
        return Some(Rate::Off);
    }
    let (count, unit) = text.split_once('/')?;
    let per = match unit {
        "s" => Duration::from_secs(1),
        "m" => Duration::from_mins(1),
        "h" => Duration::from_hours(1),
        _ => return None,
    };
    let count = count.parse::<u32>().ok().filter(|count| *count > 0)?;
    Some(Rate::Limit { count, per })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_a_count_and_a_unit() {
        assert_eq!(parse_rate("off"), Some(Rate::Off));
        assert_eq!(
            parse_rate("100/s"),
            Some(Rate::Limit {
                count: 100,
                per: Duration::from_secs(1)
            })
        );
        for bad in ["0/s", "100", "100/d", "/s", "-1/s"] {
            assert_eq!(parse_rate(bad), None, "{bad}");
        }
    }
}
