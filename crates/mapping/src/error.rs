//! Problems of a mapping, and errors of a token that goes through one.
//!
//! Claim *names* may appear in these messages, claim values never: the client that sent the token reads them.

use std::sync::Arc;

use narthex_template::{CompileError, EvalError, is_disruptive};

use crate::field::Field;

/// Reason for which a token has no identity. Its [`MapError::reason`] is stable.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MapError {
    /// The token does not meet a rule of its issuer.
    #[error("the token does not meet the {field}: {fault}; the caller is told `{message}`")]
    Rule {
        /// The rule.
        field: Field,
        /// The configured message.
        message: Arc<str>,
        /// Result of the condition.
        fault: RuleFault,
    },
    /// A mapped value breaks its rule.
    #[error("the mapped value for `{field}` cannot be used: {breach}")]
    Invalid {
        /// The field.
        field: Field,
        /// The broken rule, with details.
        breach: Breach,
    },
    /// A value that must be there is not.
    #[error("the mapping for `{field}` gives nothing and must give something; {present}")]
    Nothing {
        /// The field.
        field: Field,
        /// The claims that are there.
        present: ClaimNames,
    },
    /// The tags claim is missing or null, and the issuer says that this is a mistake.
    #[error(
        "the token has no `{claim}` claim, which holds its permission tags; add it to the token, or set `on_missing`; \
         {present}"
    )]
    TagsMissing {
        /// The tags claim.
        claim: String,
        /// The claims that are there.
        present: ClaimNames,
    },
    /// The tags claim is not one text or a list of texts.
    #[error("the permission tags in `{claim}` cannot be used: {fault}")]
    TagsMalformed {
        /// The tags claim.
        claim: String,
        /// The fault of the claim.
        fault: TagsFault,
    },
    /// The identity provider left the tags out because there are too many of them.
    #[error(
        "the identity provider left `{claim}` out of the token because the user has too many; assign fewer groups to \
         the application there, or use application roles"
    )]
    TagsOverage {
        /// The tags claim.
        claim: String,
    },
}

impl MapError {
    /// The stable code (product section 8).
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Rule { .. } => "token.rule",
            Self::Invalid { .. } | Self::Nothing { .. } => "mapping.invalid",
            Self::TagsMissing { .. } => "tags.missing",
            Self::TagsMalformed { .. } => "tags.malformed",
            Self::TagsOverage { .. } => "tags.overage",
        }
    }

    /// The problem in the words of this case, as the caller may be told it: the first half of a sentence, without a remedy.
    /// `None` where the reason's own words say as much.
    ///
    /// SECURITY: it names fields and claims, never a claim's value. How to mend the mapping is for the operator, in the
    /// text of the error itself.
    pub fn caller_problem(&self) -> Option<String> {
        Some(match self {
            Self::Rule { .. } => return None,
            Self::Invalid { field, breach } => match breach.caller_problem() {
                Some(why) => format!("the value that the token gives for `{field}` cannot be used: {why}"),
                None => format!("the value that the token gives for `{field}` cannot be used"),
            },
            Self::Nothing { field, .. } => format!("the token gives no value for `{field}`"),
            Self::TagsMissing { claim, .. } => {
                let claim = plain(claim)?;
                format!("the token lacks the claim `{claim}`, which carries the permission tags")
            }
            Self::TagsMalformed { claim, fault } => {
                let (claim, fault) = (plain(claim)?, fault.caller_problem()?);
                format!("the permission tags in the claim `{claim}` cannot be used: {fault}")
            }
            Self::TagsOverage { claim } => {
                let claim = plain(claim)?;
                format!("the identity provider left the claim `{claim}` out of the token because it holds too much")
            }
        })
    }

    /// The remedy in the configuration's words, as the caller may be told it: the second half of a sentence. `None` where
    /// the reason's own words are right.
    pub fn caller_remedy(&self) -> Option<&str> {
        match self {
            Self::Rule { message, .. } => Some(message),
            _ => None,
        }
    }

    /// The field or the rule that the error is about.
    pub const fn field(&self) -> &Field {
        match self {
            Self::Rule { field, .. } | Self::Invalid { field, .. } | Self::Nothing { field, .. } => field,
            Self::TagsMissing { .. } | Self::TagsMalformed { .. } | Self::TagsOverage { .. } => &Field::Tags,
        }
    }
}

/// The claim that holds the tags, unless they are made by a template, which is the operator's.
fn plain(claim: &str) -> Option<&str> {
    (!claim.contains("{{")).then_some(claim)
}

/// Rule that a value breaks. Never carries the value.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Breach {
    /// Something other than text where only text will do.
    #[error("it must be text, not {kind}{}", text_hint(kind))]
    NotText {
        /// The value's kind: `number`, `list`, ...
        kind: &'static str,
    },
    /// An external id or a username that breaks the rule of both. They are taken exactly.
    #[error("{rule}; ids and usernames are taken exactly as they are, never trimmed or repaired")]
    Id {
        /// The broken rule.
        rule: &'static str,
    },
    /// Longer than profile text may be.
    #[error("it is longer than {limit} characters")]
    TooLong {
        /// The limit, in characters.
        limit: usize,
    },
    /// A control character in profile text.
    #[error("it holds a control character")]
    Control,
    /// Not a country.
    #[error("it is not a country code of ISO 3166-1 (two or three letters)")]
    Country,
    /// Not a time zone.
    #[error("it is not a name of the tz database, such as `Europe/Prague`")]
    Zone,
    /// Not a language tag.
    #[error("it is not a language tag of BCP 47, such as `en-US`")]
    LanguageTag,
    /// Not a role.
    #[error("it is not a role; use one of {}", known.join(", "))]
    Role {
        /// The roles there are.
        known: &'static [&'static str],
    },
    /// Something other than a list of organizations.
    #[error("it must be a list, with an element for each organization, not {kind}")]
    NotList {
        /// The value's kind: `text`, `collection`, ...
        kind: &'static str,
    },
    /// More organizations than a token may state.
    #[error("there are {found} organizations, and the most is {limit}")]
    TooManyOrganizations {
        /// Number of elements.
        found: usize,
        /// Largest number of elements.
        limit: usize,
    },
    /// A team without an organization.
    #[error("the token names a team but no organization, and a team needs one")]
    TeamWithoutOrganization,
    /// A context that is too large.
    #[error("with it the context has more than {limit} bytes of JSON")]
    ContextTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The template could not be evaluated.
    #[error("its template failed: {0}")]
    Template(Box<EvalError>),
}

impl Breach {
    /// The broken rule without the way to mend the mapping; `None` where only the operator can make anything of it.
    fn caller_problem(&self) -> Option<String> {
        match self {
            Self::NotText { kind } => Some(format!("it must be text, not {kind}")),
            Self::Id { rule } => Some((*rule).to_owned()),
            Self::Role { .. } => Some("it is not a role".to_owned()),
            Self::Template(_) => None,
            other => Some(other.to_string()),
        }
    }
}

fn text_hint(kind: &str) -> &'static str {
    match kind {
        "number" => "; write `toString(…)` around it in the template",
        "list" => "; choose one item, as in `{{payload.list[1]}}`",
        _ => "",
    }
}

/// Result of a rule's condition that is not `true`. Never carries the value.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RuleFault {
    /// It is `false`.
    #[error("its condition is `false`")]
    False,
    /// It is neither `true` nor `false`.
    #[error("its condition gives {kind}, and only `true` meets it")]
    Kind {
        /// The value's kind: `text`, `undefined`, …
        kind: &'static str,
    },
    /// It could not be evaluated, or took too much work.
    #[error("its condition failed: {0}")]
    Template(Box<EvalError>),
}

/// Fault of a tags claim. Never carries a tag.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TagsFault {
    /// Neither text nor a list.
    #[error("it must be one text or a list of texts, not {kind}")]
    Kind {
        /// The value's kind: `number`, `collection`, ...
        kind: &'static str,
    },
    /// An item of the list that is not text.
    #[error("item {position} of the list must be text, not {kind}")]
    Item {
        /// The item, counted from one.
        position: usize,
        /// The item's kind.
        kind: &'static str,
    },
    /// Too many tags.
    #[error("there are {found} tags, and the most is {limit}")]
    TooMany {
        /// Number of tags in the token.
        found: usize,
        /// Largest number of tags.
        limit: usize,
    },
    /// A tag that is too long.
    #[error("tag {position} is longer than {limit} characters")]
    TooLong {
        /// The tag, counted from one.
        position: usize,
        /// The limit, in characters.
        limit: usize,
    },
    /// The template could not be evaluated.
    #[error("its template failed: {0}")]
    Template(Box<EvalError>),
}

impl TagsFault {
    /// The fault without the way to mend the mapping; `None` where only the operator can make anything of it.
    fn caller_problem(&self) -> Option<String> {
        match self {
            Self::Template(_) => None,
            other => Some(other.to_string()),
        }
    }
}

/// The names of the claims that a token carries, as much of them as fits in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    shown: Vec<String>,
    more: usize,
}

impl ClaimNames {
    /// The names of these claims.
    pub(crate) fn of(claims: &serde_json::Map<String, serde_json::Value>) -> Self {
        let shown: Vec<String> = claims.keys().take(NAMES_MAX).map(|name| shorten(name)).collect();
        Self {
            more: claims.len() - shown.len(),
            shown,
        }
    }

    /// The names, at most 32, each at most 64 characters long and without control characters.
    pub fn shown(&self) -> &[String] {
        &self.shown
    }
}

impl std::fmt::Display for ClaimNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.shown.is_empty() {
            return f.write_str("the token carries no claims");
        }
        f.write_str("the token carries ")?;
        for (at, name) in self.shown.iter().enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            write!(f, "{separator}`{name}`")?;
        }
        if self.more > 0 {
            write!(f, " and {} more", self.more)?;
        }
        Ok(())
    }
}

// SECURITY: names are chosen by the identity provider and end up in logs and terminals.
fn shorten(name: &str) -> String {
    name.chars()
        .take(NAME_CHARACTERS_MAX)
        .map(|c| if is_disruptive(c) || c == '`' { '\u{fffd}' } else { c })
        .collect()
}

const NAMES_MAX: usize = 32;
const NAME_CHARACTERS_MAX: usize = 64;

/// Problem of a mapping as configured, and its place.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{field}`: {kind}")]
pub struct MappingProblem {
    /// The place.
    pub field: Field,
    /// The problem.
    pub kind: MappingProblemKind,
}

/// Kind of problem of a mapping as configured.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MappingProblemKind {
    /// The template does not compile. Its problems carry byte spans into the source.
    #[error("{0}")]
    Template(CompileError),
    /// Nothing is written.
    #[error("it is empty; leave it out, or write a template such as `{{{{payload.sub}}}}`")]
    Empty,
    /// A path without braces.
    #[error("it has no `{{{{…}}}}`, so it is this very text for every token; write `{{{{{written}}}}}`")]
    NoBraces {
        /// The text as written.
        written: String,
    },
    /// Half a pair of braces.
    #[error(
        "it has `{{{{` or `}}}}` but no whole `{{{{…}}}}`, so it is this very text for every token; add what is missing"
    )]
    HalfBraces,
    /// The same user for every token.
    #[error(
        "it is the same text for every token, which would make all users one; name a claim, as in `{{{{payload.sub}}}}`"
    )]
    OneForAll,
    /// Users of several tenants, and no tenant in their key.
    #[error(
        "users of several tenants would share ids, so it must begin with the claim `{claim}` and a separator, as in \
         `{{{{payload.{claim}}}}}:{{{{payload.sub}}}}`"
    )]
    TenantMissing {
        /// The claim that names the tenant.
        claim: String,
    },
    /// The same tags for every token.
    #[error(
        "it is the same for every token, so all users would have the same tags; name a claim, as in `{{{{payload.groups}}}}`"
    )]
    TagsForAll,
    /// A constant that breaks the rule of its field.
    #[error("this text cannot be used: {0}")]
    Constant(Breach),
    /// A condition that is the same for every token.
    #[error("it is the same for every token; name a claim, as in `{{{{contains(payload.amr; 'mfa')}}}}`")]
    RuleForAll,
    /// A condition with text beside its hole, which no token can meet.
    #[error(
        "it is not exactly one `{{{{…}}}}`, so it gives text, and only `true` meets a rule; write one hole and nothing beside it"
    )]
    RuleText,
    /// A rule's name that log and explain cannot show.
    #[error("`name` must have 1 to {limit} characters, without control characters and back-quotes")]
    RuleName {
        /// The limit, in characters.
        limit: usize,
    },
    /// A message that callers cannot be shown.
    #[error(
        "`message` must have 1 to {limit} characters, without control characters; it is fixed text without `{{{{…}}}}`"
    )]
    RuleMessage {
        /// The limit, in characters.
        limit: usize,
    },
    /// Two rules of one name.
    #[error("another rule of this issuer has the name `{name}`; rename one")]
    RuleTwice {
        /// The name.
        name: String,
    },
    /// Randomness in a mapping.
    #[error("`{word}` is random, and one token must always give one identity")]
    Random {
        /// The word.
        word: &'static str,
    },
    /// A detail of an organization or a team that no token ever names.
    #[error("it does nothing without `{needed}`; add that, or leave this out")]
    Needs {
        /// The field that is missing.
        needed: Field,
    },
    /// A property that cannot be sent as a header.
    #[error(
        "`{name}` cannot be the name of a property: use 1 to 64 letters, digits, `-` and `_` (it is sent in a header)"
    )]
    PropertyName {
        /// The name.
        name: String,
    },
    /// Two properties that are one header.
    #[error("`{name}` and `{other}` are the same header; rename one")]
    PropertyTwice {
        /// The name.
        name: String,
        /// The earlier one.
        other: String,
    },
    /// Too many properties.
    #[error("it has {found} properties; the most is {limit}")]
    TooManyProperties {
        /// Number of properties.
        found: usize,
        /// Largest number of properties.
        limit: usize,
    },
}
