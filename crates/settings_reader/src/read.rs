//! The walk over the tree of values that a document holds: the TOML file, or the JSON of one issuer.
//!
//! A section of the file is a struct made by [`section!`]: its fields, their types, their defaults and their doc
//! comments are said once, and from them come the reader, the list of known keys, the reference page, the default file
//! and the JSON schema. Unlike a derived deserializer, the walk never stops at the first problem.

mod outline;
mod words;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problem, Problems, Span};
use super::suggest::did_you_mean;
pub use outline::{KeyDescription, Kind, Outline, Presence};
use words::{article, listed, looks_secret};

/// Provenance of a document: who wrote it decides what it may name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provenance {
    /// The configuration file. Its author owns this machine.
    #[default]
    File,
    /// The API. Its author need not, so the document names nothing of this machine or its network.
    Api,
}

impl Provenance {
    /// Kind of thing that only the configuration file may name, if the key names one.
    // SECURITY: the rule looks at the form of the name, so that it also holds for keys that are added later. A test
    // goes through all keys of an issuer that take a path.
    pub fn reserved(self, key: &str) -> Option<&'static str> {
        if self == Self::File {
            return None;
        }
        match key {
            "proxy" => Some("a proxy"),
            "allow_private_hosts" => Some("hosts at private addresses"),
            key if key.ends_with("_file") => Some("a file"),
            key if key.ends_with("_env") => Some("an environment variable"),
            _ => None,
        }
    }
}

/// Key of a former version, and the way to say the same now.
#[derive(Clone, Copy, Debug)]
pub struct FormerKey {
    /// Name that it had.
    pub name: &'static str,
    /// Name of the key that replaces it.
    pub now: &'static str,
    /// Advice on how to write it now.
    pub help: &'static str,
}

/// The state of one reading.
#[derive(Debug, Default)]
pub struct Walk {
    /// Problems found so far.
    pub problems: Problems,
    provenance: Provenance,
    former_keys: &'static [FormerKey],
    keys: Vec<String>,
    /// Set while an entry of a list is read.
    entry: bool,
    /// Set while a built-in default is read: its values lie nowhere in the file, so they are said to lie at their
    /// section.
    stand_in: Option<Span>,
}

impl Walk {
    /// Walk over a document of this provenance. A key of `former_keys` is refused with its new name.
    pub fn over(provenance: Provenance, former_keys: &'static [FormerKey]) -> Self {
        Self {
            provenance,
            former_keys,
            ..Self::default()
        }
    }

    /// Span of a value in the file.
    pub fn span<T>(&self, value: &Spanned<T>) -> Span {
        self.stand_in.clone().unwrap_or_else(|| value.span())
    }

    /// The key whose value is being read, in the user's words.
    pub fn key(&self) -> &str {
        self.keys.last().map_or("", String::as_str)
    }

    /// Subject that is being read, in the user's words.
    pub fn subject(&self) -> String {
        if self.entry {
            format!("an entry of `{}`", self.key())
        } else {
            format!("`{}`", self.key())
        }
    }

    /// Says that a value has the wrong type.
    pub fn wrong_type(&mut self, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let found = article(value.get_ref());
        let problem = Problem::error(
            self.span(value),
            format!("`{}` must be {wanted}, not {found}", self.key()),
        );
        self.problems.push(problem.label(format!("expected {wanted}")));
    }

    /// Says that a value has the right type but cannot be used.
    pub fn wrong_value(&mut self, span: Span, message: impl Into<String>) {
        self.problems.push(Problem::error(span, message));
    }

    /// Reads a value, or says that it is not text.
    pub fn text<'v>(&mut self, value: &'v Spanned<DeValue<'_>>, wanted: &str) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(value, wanted);
        }
        text
    }

    /// Reads a value while naming the key it belongs to.
    pub fn within<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        self.keys.push(key.to_owned());
        let entry = std::mem::take(&mut self.entry);
        let result = read(self);
        self.entry = entry;
        self.keys.pop();
        result
    }

    /// Reads an entry of a list.
    pub fn entry<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let outside = std::mem::replace(&mut self.entry, true);
        let result = read(self);
        self.entry = outside;
        result
    }

    fn default_value<T: FromToml>(&mut self, key: &str, text: &'static str, header: &Span) -> Option<Spanned<T>> {
        let before = self.stand_in.replace(header.clone());
        let read = match DeValue::parse(text) {
            Ok(value) => self.within(key, |walk| T::from_toml(&value, walk)),
            Err(cause) => {
                let message = format!("the built-in default of `{key}` does not parse: {}", cause.message());
                self.problems.push(Problem::error(header.clone(), message));
                None
            }
        };
        self.stand_in = before;
        read.map(|value| Spanned::new(header.clone(), value))
    }

    /// Refuses every key of `table` that is not in `known`.
    pub fn refuse_unknown(&mut self, table: &DeTable<'_>, known: &[KeyDescription]) {
        for (key, value) in table {
            let name: &str = key.get_ref();
            if known.iter().any(|known| known.name == name) {
                continue;
            }
            if let Some(former) = self.former_keys.iter().find(|former| former.name == name) {
                let problem = Problem::error(self.span(key), format!("`{name}` is now `{}`", former.now));
                self.problems.push(problem.help(former.help));
                continue;
            }
            let mut problem = Problem::error(self.span(key), format!("unknown key `{name}`"));
            if looks_secret(name) && value.get_ref().is_str() {
                // SECURITY: a user typed a secret into the file; the report must not carry it on.
                self.problems.mask(value.span());
                problem = problem.help(match self.provenance {
                    Provenance::File => {
                        "secrets are never written in this file; name a file or a variable that holds it"
                    }
                    Provenance::Api => {
                        "the API takes no secret here; the configuration file can name a file that holds it"
                    }
                });
            }
            let suggestion = did_you_mean(name, known.iter().map(|known| known.name));
            let suggestion = suggestion.unwrap_or_else(|| format!("the keys here are {}", listed(known)));
            self.problems.push(problem.help(suggestion));
        }
    }
}

/// A struct made by `section!`.
pub trait Section {
    /// Span where it begins in the file.
    fn header(&self) -> Span;
}

/// A value that can be read from TOML.
pub trait FromToml: Sized {
    /// Kind of TOML value that it is read from.
    fn kind() -> Kind;

    /// Reads it. `None` means that at least one problem was pushed.
    fn from_toml(value: &Spanned<DeValue<'_>>, walk: &mut Walk) -> Option<Self>;
}

/// Key of a section, and how it is read: [`Required`], [`Defaulted`] or [`Optional`].
pub trait Field: Sized {
    /// Presence: required, defaulted or optional.
    const PRESENCE: Presence;

    /// Kind of its value.
    fn kind() -> Kind;

    /// Reads it from the section that starts at `header`. `None` only for a built-in default that does not read.
    fn read(
        table: &DeTable<'_>,
        name: &str,
        default: Option<&'static str>,
        header: &Span,
        walk: &mut Walk,
    ) -> Option<Self>;
}

/// A key that may be left out, with nothing in its place: what the file says about it.
#[derive(Clone, Debug)]
pub enum Optional<T> {
    /// Nothing.
    Absent,
    /// Something that could not be read; the problem is already reported.
    Bad(Span),
    /// A value and its place.
    Good(Spanned<T>),
}

impl<T: FromToml> Optional<T> {
    fn find(table: &DeTable<'_>, name: &str, walk: &mut Walk) -> Self {
        let Some(value) = table.get(name) else {
            return Self::Absent;
        };
        let span = walk.span(value);
        if let Some(named) = walk.provenance.reserved(name) {
            let message = format!("`{name}` names {named}, and only the configuration file may do so");
            let help = "leave it out, or declare this issuer in the configuration file";
            walk.problems.push(Problem::error(span.clone(), message).help(help));
            return Self::Bad(span);
        }
        match walk.within(name, |walk| T::from_toml(value, walk)) {
            Some(read) => Self::Good(Spanned::new(span, read)),
            None => Self::Bad(span),
        }
    }
}

impl<T> Optional<T> {
    /// The value, if it could be read.
    pub fn value(&self) -> Option<&T> {
        self.spanned().map(Spanned::get_ref)
    }

    /// The value with its place, if it could be read.
    pub fn spanned(&self) -> Option<&Spanned<T>> {
        match self {
            Self::Good(value) => Some(value),
            Self::Absent | Self::Bad(_) => None,
        }
    }

    /// Its place, also of one that could not be read.
    pub fn span(&self) -> Option<Span> {
        match self {
            Self::Absent => None,
            Self::Bad(span) => Some(span.clone()),
            Self::Good(value) => Some(value.span()),
        }
    }
}

/// A key that must be there. Empty only where a problem has been reported.
#[derive(Clone, Debug)]
pub struct Required<T>(Option<Spanned<T>>);

impl<T> Required<T> {
    /// The value, unless a problem has been reported.
    pub fn value(&self) -> Option<&T> {
        self.0.as_ref().map(Spanned::get_ref)
    }

    /// The value with its place, unless a problem has been reported.
    pub fn spanned(&self) -> Option<&Spanned<T>> {
        self.0.as_ref()
    }
}

impl<T: FromToml> Field for Required<T> {
    const PRESENCE: Presence = Presence::Required;

    fn kind() -> Kind {
        T::kind()
    }

    fn read(table: &DeTable<'_>, name: &str, _: Option<&'static str>, header: &Span, walk: &mut Walk) -> Option<Self> {
        Some(match Optional::find(table, name, walk) {
            Optional::Good(value) => Self(Some(value)),
            Optional::Bad(_) => Self(None),
            Optional::Absent => {
                let problem = Problem::missing(header.clone(), format!("`{name}` is missing"));
                walk.problems.push(problem.label("must be given here"));
                Self(None)
            }
        })
    }
}

impl<T: FromToml> Field for Optional<T> {
    const PRESENCE: Presence = Presence::Optional;

    fn kind() -> Kind {
        T::kind()
    }

    fn read(table: &DeTable<'_>, name: &str, _: Option<&'static str>, _: &Span, walk: &mut Walk) -> Option<Self> {
        Some(Self::find(table, name, walk))
    }
}

/// A key with a default. Holds the default also where a bad value has been reported, so that reading can go on.
#[derive(Clone, Debug)]
pub struct Defaulted<T> {
    value: Spanned<T>,
    origin: Origin,
}

/// Origin of the value of a key with a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// The file.
    Written,
    /// The default, since the file says nothing.
    Silence,
    /// The default, in place of something that could not be read.
    Bad,
}

impl<T> Defaulted<T> {
    /// The value.
    pub fn value(&self) -> &T {
        self.value.get_ref()
    }

    /// Its place: that of the section if the default holds.
    pub fn span(&self) -> Span {
        self.value.span()
    }

    /// Tests whether the file has the key, with a good value or a bad one.
    pub fn is_written(&self) -> bool {
        self.origin != Origin::Silence
    }

    /// Tests whether the default replaces an unreadable value, so that nothing should be concluded from it.
    pub fn is_bad(&self) -> bool {
        self.origin == Origin::Bad
    }
}

impl<T: FromToml> Field for Defaulted<T> {
    const PRESENCE: Presence = Presence::Defaulted;

    fn kind() -> Kind {
        T::kind()
    }

    fn read(
        table: &DeTable<'_>,
        name: &str,
        default: Option<&'static str>,
        header: &Span,
        walk: &mut Walk,
    ) -> Option<Self> {
        let found = Optional::find(table, name, walk);
        let (origin, value) = match found {
            Optional::Good(value) => (Origin::Written, Some(value)),
            Optional::Absent => (
                Origin::Silence,
                walk.default_value(name, default.unwrap_or("{}"), header),
            ),
            Optional::Bad(_) => (Origin::Bad, walk.default_value(name, default.unwrap_or("{}"), header)),
        };
        value.map(|value| Self { value, origin })
    }
}

/// Makes a section of a document: a struct, its reader and its description, from one text.
///
/// `name: Defaulted<T> = "TOML text of the default";`, `name: Required<T> ;` or `name: Optional<T> ;`, each with
/// `, eg "TOML text"` where an example helps.
#[macro_export]
macro_rules! section {
    (
        $(#[doc = $doc:literal])+
        $section:ident {
            $(
                $(#[doc = $key_doc:literal])+
                $key:ident : $field:ty $( = $default:literal )? $( , eg $example:literal )? ;
            )+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug)]
        pub(crate) struct $section {
            $(
                $(#[doc = $key_doc])+
                pub(crate) $key: $field,
            )+
            header: $crate::Span,
        }

        impl $crate::Section for $section {
            fn header(&self) -> $crate::Span {
                self.header.clone()
            }
        }

        impl $section {
            fn keys() -> Vec<$crate::KeyDescription> {
                vec![
                    $(
                        $crate::KeyDescription {
                            name: $crate::key_name(stringify!($key)),
                            doc: &[$($key_doc),+],
                            kind: <$field as $crate::Field>::kind(),
                            presence: <$field as $crate::Field>::PRESENCE,
                            default: None $( .or(Some($default)) )?,
                            example: None $( .or(Some($example)) )?,
                        },
                    )+
                ]
            }

            /// Reads the keys of a table that begins at `header`.
            pub(crate) fn read(
                table: &$crate::toml::de::DeTable<'_>,
                header: $crate::Span,
                walk: &mut $crate::Walk,
            ) -> Option<Self> {
                walk.refuse_unknown(table, &Self::keys());
                $(
                    let $key = <$field as $crate::Field>::read(
                        table,
                        $crate::key_name(stringify!($key)),
                        None $( .or(Some($default)) )?,
                        &header,
                        walk,
                    );
                )+
                Some(Self { $( $key: $key?, )+ header })
            }
        }

        impl $crate::FromToml for $section {
            fn kind() -> $crate::Kind {
                $crate::Kind::Section($crate::Outline {
                    doc: &[$($doc),+],
                    keys: Self::keys(),
                })
            }

            fn from_toml(
                value: &$crate::toml::Spanned<$crate::toml::de::DeValue<'_>>,
                walk: &mut $crate::Walk,
            ) -> Option<Self> {
                let header = walk.span(value);
                match value.get_ref().as_table() {
                    Some(table) => Self::read(table, header, walk),
                    None => {
                        walk.wrong_type(value, "a table");
                        None
                    }
                }
            }
        }
    };
}

/// Name of a key in the file, of a field whose name is a word of Rust (`r#match`) too.
pub fn key_name(field: &'static str) -> &'static str {
    field.strip_prefix("r#").unwrap_or(field)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::{Count, JsonTree, number_texts};

    crate::choice! {
        /// Format of the log.
        pub(crate) Format {
            /// For people.
            Text = "text",
            /// For programs.
            Json = "json",
        }
    }

    crate::section! {
        /// Server.
        ServerSection {
            /// Name.
            name: Required<String>, eg "\"corp\"";
            /// Longest silence.
            timeout: Defaulted<Duration> = "\"30s\"";
            /// Number of threads.
            threads: Optional<Count<1, 64>>;
            /// Format of the log.
            format: Defaulted<Format> = "\"text\"";
        }
    }

    const FORMER: [FormerKey; 1] = [FormerKey {
        name: "workers",
        now: "threads",
        help: "write `threads = 4`",
    }];

    fn read_server(source: &str) -> (Option<ServerSection>, Vec<String>) {
        let mut walk = Walk::over(Provenance::File, &FORMER);
        let table = DeTable::parse(source).unwrap();
        let server = ServerSection::read(table.get_ref(), 0..0, &mut walk);
        let rows = walk.problems.rows("server.toml", source);
        let told = |row: crate::ProblemRow<'_>| format!("{}:{} {}", row.line, row.column, row.message);
        (server, rows.into_iter().map(told).collect())
    }

    #[test]
    fn values_and_defaults_have_their_places() {
        let (server, problems) = read_server("name = \"a\"\nformat = \"json\"\n");
        let server = server.unwrap();
        assert_eq!(problems, [""; 0]);
        assert_eq!(server.name.value().map(String::as_str), Some("a"));
        assert_eq!(server.name.spanned().map(Spanned::span), Some(7..10));
        assert_eq!(
            (*server.format.value(), server.format.is_written()),
            (Format::Json, true)
        );
        let timeout = (*server.timeout.value(), server.timeout.is_written());
        assert_eq!(timeout, (Duration::from_secs(30), false));
        assert!(server.threads.value().is_none());
    }

    #[test]
    fn reading_goes_on_after_each_problem() {
        let (server, problems) = read_server("timeout = 5\nthreads = 65\nworkers = 4\nformt = \"json\"\n");
        assert!(server.unwrap().timeout.is_bad());
        assert_eq!(
            problems,
            [
                "1:1 `name` is missing",
                "1:11 `timeout` must be a duration such as `\"60s\"`, not an integer",
                "2:11 `threads` must be between 1 and 64",
                "3:1 `workers` is now `threads`",
                "4:1 unknown key `formt`",
            ]
        );
    }

    #[test]
    fn json_is_read_by_the_same_section() {
        let document = json!({"name": "a", "threads": 0});
        let mut walk = Walk::over(Provenance::Api, &FORMER);
        let numbers = number_texts(&document);
        let tree = JsonTree::new(&document, &numbers, &mut walk.problems);
        let server = ServerSection::from_toml(tree.root.as_ref().unwrap(), &mut walk);
        assert_eq!(server.unwrap().name.value().map(String::as_str), Some("a"));
        let fields: Vec<String> = walk
            .problems
            .by_field(&tree.fields)
            .into_iter()
            .map(|row| row.field)
            .collect();
        assert_eq!(fields, ["/threads"]);
    }
}
