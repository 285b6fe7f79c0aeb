//! The values that keys hold: how each is written, read and described.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde_json::Value as Json;
use toml::Spanned;
use toml::de::DeValue;
use url::Url;

use super::problem::{Problem, Span};
use super::read::{FromToml, Kind, Walk};
use super::suggest::did_you_mean;

/// A list of values, each with its place.
pub(crate) type List<T> = Vec<Spanned<T>>;

impl FromToml for String {
    fn kind() -> Kind {
        Kind::Text {
            what: "text",
            pattern: None,
        }
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, walk: &mut Walk) -> Option<Self> {
        let text = walk.text(value, "text")?;
        if text.is_empty() {
            let message = format!("`{}` is empty", walk.key());
            walk.wrong_value(walk.span(value), message);
            return None;
        }
        Some(text.to_owned())
    }
}

impl FromToml for bool {
    fn kind() -> Kind {
        Kind::Boolean
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, walk: &mut Walk) -> Option<Self> {
        let read = value.get_ref().as_bool();
        if read.is_none() {
            walk.wrong_type(value, "`true` or `false`");
        }
        read
    }
}

/// A whole number within bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count<const LEAST: u64, const MOST: u64>(pub(crate) u64);

impl<const LEAST: u64, const MOST: u64> FromToml for Count<LEAST, MOST> {
    fn kind() -> Kind {
        Kind::Integer {
            least: LEAST,
            most: MOST,
        }
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, walk: &mut Walk) -> Option<Self> {
        let Some(integer) = value.get_ref().as_integer() else {
            walk.wrong_type(value, "a whole number");
            return None;
        };
        let read = u64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|number| (LEAST..=MOST).contains(number));
        if read.is_none() {
            let message = format!("`{}` must be between {LEAST} and {MOST}", walk.key());
            walk.wrong_value(walk.span(value), message);
        }
        read.map(Self)
    }
}

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
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
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
pub(crate) struct Size(pub(crate) u64);

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

/// How many, how often: `100/s`, `600/m`, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rate {
    /// No limit.
    Off,
    /// At most `count` in each `per`.
    Limit {
        /// How many.
        count: u32,
        /// In how long.
        per: Duration,
    },
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

impl FromToml for SocketAddr {
    fn kind() -> Kind {
        Kind::Text {
            what: "address and port",
            pattern: None,
        }
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, walk: &mut Walk) -> Option<Self> {
        let text = walk.text(value, "an address and port such as `\"127.0.0.1:8080\"`")?;
        let read = text.parse();
        if read.is_err() {
            let problem = Problem::error(walk.span(value), format!("`{}` is not an address and port", walk.key()));
            let help =
                "write an IP address and a port, such as `\"127.0.0.1:8080\"`, `\"0.0.0.0:8080\"` or `\"[::]:8080\"`";
            walk.problems.push(problem.help(help));
        }
        read.ok()
    }
}

impl FromToml for IpNet {
    fn kind() -> Kind {
        Kind::Text {
            what: "network",
            pattern: None,
        }
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, walk: &mut Walk) -> Option<Self> {
        let text = walk.text(value, "a network such as `\"10.0.0.0/8\"`")?;
        let read = match text.parse::<IpAddr>() {
            Ok(address) => Some(IpNet::from(address)),
            Err(_) => text.parse::<IpNet>().ok(),
        };
        let span = walk.span(value);
        match read {
            None => {
                let problem = Problem::error(span, format!("`{text}` is not a network"));
                walk.problems.push(
                    problem.help("write an address, such as `\"10.0.0.7\"`, or a network, such as `\"10.0.0.0/8\"`"),
                );
                None
            }
            // `10.1.2.3/8` says two things; whoever wrote it meant one of them.
            Some(network) if network.addr() != network.network() => {
                let problem = Problem::error(span, format!("`{text}` has address bits beyond its prefix"));
                walk.problems.push(problem.help(format!(
                    "write `\"{}\"` for the network, or `\"{}\"` for the one address",
                    network.trunc(),
                    network.addr()
                )));
                None
            }
            Some(network) => Some(network),
        }
    }
}

/// An http or https URL with a host, without user, password or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebUrl(pub(crate) Url);

impl FromToml for WebUrl {
    fn kind() -> Kind {
        Kind::Text {
            what: "URL",
            pattern: Some("^https?://"),
        }
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, walk: &mut Walk) -> Option<Self> {
        let text = walk.text(value, "a URL such as `\"https://id.example.com\"`")?;
        let span = walk.span(value);
        let url = match Url::parse(text) {
            Ok(url) => url,
            Err(cause) => {
                let message = format!("`{}` is not a URL: {cause}", walk.key());
                let problem = Problem::error(span, message);
                walk.problems
                    .push(problem.help("write the whole of it, such as `\"https://id.example.com\"`"));
                return None;
            }
        };
        if !url.username().is_empty() || url.password().is_some() {
            // SECURITY: secrets come from files or the environment only. (Reports mask them.)
            walk.wrong_value(span, format!("`{}` must not carry a user name or password", walk.key()));
            return None;
        }
        if !matches!(url.scheme(), "http" | "https") {
            let message = format!(
                "`{}` must begin with `http://` or `https://`, not `{}:`",
                walk.key(),
                url.scheme()
            );
            walk.wrong_value(span, message);
            return None;
        }
        if url.fragment().is_some() {
            walk.wrong_value(span, format!("`{}` must not have a fragment (`#…`)", walk.key()));
            return None;
        }
        Some(Self(url))
    }
}

/// A URL whose rules depend on what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UrlText(pub(crate) String);

impl FromToml for UrlText {
    fn kind() -> Kind {
        Kind::Text {
            what: "URL",
            pattern: Some("^[a-z0-9]+://"),
        }
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, walk: &mut Walk) -> Option<Self> {
        String::from_toml(value, walk).map(Self)
    }
}

impl FromToml for PathBuf {
    fn kind() -> Kind {
        Kind::Text {
            what: "path",
            pattern: None,
        }
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, walk: &mut Walk) -> Option<Self> {
        String::from_toml(value, walk).map(Self::from)
    }
}

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

impl<T: FromToml> FromToml for Vec<Spanned<T>> {
    fn kind() -> Kind {
        Kind::List(Box::new(T::kind()))
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, walk: &mut Walk) -> Option<Self> {
        let Some(array) = value.get_ref().as_array() else {
            let wanted = match T::kind() {
                Kind::Section(_) => format!("a list of tables, each begun with `[[{}]]`", walk.key()),
                _ => "a list".to_owned(),
            };
            walk.wrong_type(value, &wanted);
            return None;
        };
        read_each(array.iter(), walk)
    }
}

/// Reads every item, so that all their problems are reported, and gives the list if there were none.
fn read_each<'v, T: FromToml>(
    values: impl Iterator<Item = &'v Spanned<DeValue<'v>>>,
    walk: &mut Walk,
) -> Option<List<T>> {
    let read: Vec<Option<Spanned<T>>> = values
        .map(|item| {
            let span = walk.span(item);
            T::from_toml(item, walk).map(|read| Spanned::new(span, read))
        })
        .collect();
    read.into_iter().collect()
}

/// One value, or a list of them.
#[derive(Clone, Debug)]
pub(crate) struct OneOrMany<T>(pub(crate) List<T>);

impl<T: FromToml> FromToml for OneOrMany<T> {
    fn kind() -> Kind {
        Kind::OneOrMany(Box::new(T::kind()))
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, walk: &mut Walk) -> Option<Self> {
        let Some(array) = value.get_ref().as_array() else {
            let span = walk.span(value);
            return T::from_toml(value, walk).map(|read| Self(vec![Spanned::new(span, read)]));
        };
        if array.is_empty() {
            let message = format!(
                "`{}` is an empty list; leave the key out if there is nothing to say",
                walk.key()
            );
            walk.wrong_value(walk.span(value), message);
            return None;
        }
        read_each(array.iter(), walk).map(Self)
    }
}

/// A table whose keys the user chooses, in the order of the file.
#[derive(Clone, Debug)]
pub(crate) struct Named<T>(pub(crate) Vec<(Spanned<String>, Spanned<T>)>);

impl<T: FromToml> FromToml for Named<T> {
    fn kind() -> Kind {
        Kind::Map(Box::new(T::kind()))
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, walk: &mut Walk) -> Option<Self> {
        let Some(table) = value.get_ref().as_table() else {
            walk.wrong_type(value, "a table");
            return None;
        };
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut named = Vec::new();
        for (key, item) in entries {
            let (key_span, item_span) = (walk.span(key), walk.span(item));
            let name = key.get_ref().to_string();
            if let Some(read) = walk.within(&name, |walk| T::from_toml(item, walk)) {
                named.push((Spanned::new(key_span, name), Spanned::new(item_span, read)));
            }
        }
        Some(Self(named))
    }
}

/// Makes an enum whose variants are words in the file.
macro_rules! choice {
    (
        $(#[doc = $doc:literal])+
        $choice:ident {
            $( $(#[doc = $word_doc:literal])+ $variant:ident = $word:literal, )+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $choice {
            $( $(#[doc = $word_doc])+ $variant, )+
        }

        impl $crate::config::read::FromToml for $choice {
            fn kind() -> $crate::config::read::Kind {
                $crate::config::read::Kind::Choice(vec![$($word),+])
            }

            fn from_toml(
                value: &toml::Spanned<toml::de::DeValue<'_>>,
                walk: &mut $crate::config::read::Walk,
            ) -> Option<Self> {
                match $crate::config::values::word(value, &[$($word),+], walk)? {
                    $( $word => Some(Self::$variant), )+
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use choice;

/// Reads one of `words`, or says which there are.
pub(crate) fn word<'v>(value: &'v Spanned<DeValue<'_>>, words: &[&str], walk: &mut Walk) -> Option<&'v str> {
    let listed = words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>();
    let wanted = match listed.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    };
    let text = walk.text(value, &wanted)?;
    if words.contains(&text) {
        return Some(text);
    }
    let problem = Problem::error(
        walk.span(value),
        format!("`{}` must be {wanted}, not `{text}`", walk.key()),
    );
    let problem = problem.maybe_help(did_you_mean(text, words.iter().copied()));
    walk.problems.push(problem);
    None
}

/// Where byte `offset` of a TOML string's value lies in the file, given the string's literal (quotes and all) and its place.
pub(crate) fn place_in_literal(literal: &str, place: &Span, offset: usize) -> usize {
    let (delimiter, escapes) = match literal {
        text if text.starts_with("\"\"\"") => ("\"\"\"", true),
        text if text.starts_with("'''") => ("'''", false),
        text if text.starts_with('"') => ("\"", true),
        text if text.starts_with('\'') => ("'", false),
        _ => return place.start,
    };
    let mut rest = literal.strip_prefix(delimiter).unwrap_or_default();
    if delimiter.len() == 3 {
        // A line break right after the opening quotes is not part of the value.
        rest = rest
            .strip_prefix("\r\n")
            .or_else(|| rest.strip_prefix('\n'))
            .unwrap_or(rest);
    }
    let mut value_bytes = 0;
    while value_bytes < offset {
        let (raw, decoded) = next_piece(rest, escapes);
        if raw == 0 {
            break;
        }
        value_bytes += decoded;
        rest = rest.get(raw..).unwrap_or_default();
    }
    let consumed = literal.len() - rest.len();
    (place.start + consumed).min(place.end)
}

/// The bytes that the next character takes in the literal and in the value.
fn next_piece(rest: &str, escapes: bool) -> (usize, usize) {
    let mut characters = rest.chars();
    match (characters.next(), escapes) {
        (None, _) => (0, 0),
        (Some('\\'), true) => match characters.next() {
            Some('x') => escaped(rest, 2),
            Some('u') => escaped(rest, 4),
            Some('U') => escaped(rest, 8),
            Some('\n' | '\r' | ' ' | '\t') => {
                let after = rest.get(1..).unwrap_or_default();
                (1 + after.len() - after.trim_start().len(), 0)
            }
            _ => (2, 1),
        },
        (Some(character), _) => (character.len_utf8(), character.len_utf8()),
    }
}

fn escaped(rest: &str, digits: usize) -> (usize, usize) {
    let code = rest
        .get(2..2 + digits)
        .and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let width = code.and_then(char::from_u32).map_or(1, char::len_utf8);
    (2 + digits, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(parse_duration("60s"), Some(Duration::from_secs(60)));
        assert_eq!(parse_duration("10m"), Some(Duration::from_secs(600)));
        assert_eq!(parse_duration("24h"), Some(Duration::from_secs(86_400)));
        assert_eq!(parse_duration("7d"), Some(Duration::from_secs(604_800)));
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

    /// Every byte of the value is found where it stands in the literal, whatever the quotes and escapes.
    #[test]
    fn places_in_literals_follow_quotes_and_escapes() {
        let literals = [
            r#""plain X""#,
            r"'plain X'",
            r#""tab\t quote\" \\ X""#,
            r#""\u00e9\U0001F600\x41\e X""#,
            "\"\"\"\nfirst\n  \\\n   second \"X\"\"\"",
            "'''\r\nfirst\nX'''",
            "\"ünï X\"",
        ];
        for literal in literals {
            let source = format!("key = {literal}\n");
            let table = toml::de::DeTable::parse(&source).unwrap();
            let value = table.get_ref().get("key").unwrap();
            let text = value.get_ref().as_str().unwrap();
            let offset = text.find('X').unwrap();
            let place = place_in_literal(&source[value.span()], &value.span(), offset);
            assert_eq!(&source[place..=place], "X", "{literal}");
        }
    }
}
