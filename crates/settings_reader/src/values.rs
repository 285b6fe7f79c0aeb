//! The values that keys hold: how each is written, read and described.

mod literal;
mod units;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use toml::Spanned;
use toml::de::DeValue;
use url::Url;

use super::problem::Problem;
use super::read::{FromToml, Kind, Walk};
use super::suggest::did_you_mean;
pub use literal::place_in_literal;
pub use units::{Size, parse_duration};

/// A list of values, each with its place.
pub type List<T> = Vec<Spanned<T>>;

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
            let message = format!("{} is empty", walk.subject());
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
pub struct Count<const LEAST: u64, const MOST: u64>(pub u64);

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
            // `10.1.2.3/8` is ambiguous: the author meant either the address or the network.
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
pub struct WebUrl(pub Url);

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
pub struct UrlText(pub String);

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
            let read = walk.entry(|walk| T::from_toml(item, walk));
            read.map(|read| Spanned::new(span, read))
        })
        .collect();
    read.into_iter().collect()
}

/// One value, or a list of them.
#[derive(Clone, Debug)]
pub struct OneOrMany<T>(pub List<T>);

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
pub struct Named<T>(pub Vec<(Spanned<String>, Spanned<T>)>);

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
#[macro_export]
macro_rules! choice {
    (
        $(#[doc = $doc:literal])+
        $vis:vis $choice:ident {
            $( $(#[doc = $word_doc:literal])+ $variant:ident = $word:literal, )+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $choice {
            $( $(#[doc = $word_doc])+ $variant, )+
        }

        impl $crate::FromToml for $choice {
            fn kind() -> $crate::Kind {
                $crate::Kind::Choice(vec![$($word),+])
            }

            fn from_toml(
                value: &$crate::toml::Spanned<$crate::toml::de::DeValue<'_>>,
                walk: &mut $crate::Walk,
            ) -> Option<Self> {
                match $crate::word(value, &[$($word),+], walk)? {
                    $( $word => Some(Self::$variant), )+
                    _ => None,
                }
            }
        }
    };
}

/// Reads one of `words`, or says which there are.
pub fn word<'v>(value: &'v Spanned<DeValue<'_>>, words: &[&str], walk: &mut Walk) -> Option<&'v str> {
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
