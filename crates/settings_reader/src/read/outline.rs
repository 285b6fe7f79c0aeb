//! The file as the documents see it: sections, keys, and what their values may look like.

/// Kind of value that a key takes, for the documents.
#[derive(Clone, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number within bounds.
    Integer {
        /// The least that is accepted.
        least: u64,
        /// The most that is accepted.
        most: u64,
    },
    /// Text of some form.
    Text {
        /// Name of the kind in a word or two: `duration`, `URL`.
        what: &'static str,
        /// A regular expression that every accepted text matches, if one says more than `what`.
        pattern: Option<&'static str>,
    },
    /// One of these words.
    Choice(Vec<&'static str>),
    /// Any number of values.
    List(Box<Kind>),
    /// One value, or a list of them.
    OneOrMany(Box<Kind>),
    /// Either of several kinds.
    Either(Vec<Kind>),
    /// A table whose keys the user chooses.
    Map(Box<Kind>),
    /// A table with known keys.
    Section(Outline),
}

/// A section as the documents see it.
#[derive(Clone, Debug)]
pub struct Outline {
    /// Description of the section, line by line.
    pub doc: &'static [&'static str],
    /// Its keys, in the order of the documents.
    pub keys: Vec<KeyDescription>,
}

/// One key of a section.
#[derive(Clone, Debug)]
pub struct KeyDescription {
    /// As written in the file.
    pub name: &'static str,
    /// Description of the key, line by line.
    pub doc: &'static [&'static str],
    /// Kind of its value.
    pub kind: Kind,
    /// Presence of the key: required, defaulted or optional.
    pub presence: Presence,
    /// TOML text of the default; empty for keys without one.
    pub default: Option<&'static str>,
    /// TOML text of a sensible value, where the default does not show one.
    pub example: Option<&'static str>,
}

/// Presence of a key in its section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The file is refused without it.
    Required,
    /// Without it the default holds.
    Defaulted,
    /// Without it nothing holds in its place.
    Optional,
}
