//! The cure: the change that would help, as a value and as a sentence. It is what an explanation says first, beside the
//! answer and the cause.
//!
//! SECURITY: a cure may name other organizations, the users who have a username, lists of tags, and claim values. It is for
//! people who may explain (platform roles, the command line), never for callers.

pub(super) mod access;
pub(super) mod mapping;
pub(super) mod similar;
pub(super) mod token;

use serde::Serialize;
use utoipa::ToSchema;

use super::NearMissRow;
use crate::respond::Refusal;

/// The most names that a sentence lists; the value has more.
const LISTED_MAX: usize = 12;
/// The longest piece of foreign text in a sentence, in characters.
const TEXT_MAX: usize = 200;

/// A change that would help.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Cure {
    /// The kind of change, with what it is about.
    #[serde(flatten)]
    pub change: CureKind,
    /// The change in words.
    pub sentence: String,
}

/// The kind of change that would help, with what it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CureKind {
    /// A tag that grants the role: in the token, or on a list.
    Tags {
        /// The organization that the request names; missing for a platform role.
        organization: Option<String>,
        /// Tags that grant what is needed, the lowest role first.
        tags: Vec<TagChoice>,
        /// Tags of the token that are nearly one of them.
        near: Vec<NearMissRow>,
    },
    /// Another method, host or path, so that a route takes the request.
    Route {
        /// The nearest path patterns, the nearest first.
        nearest: Vec<RouteChoice>,
    },
    /// Another name of an organization.
    OrganizationName {
        /// The nearest names, the nearest first.
        nearest: Vec<String>,
    },
    /// Another state of an organization.
    Organization {
        /// Its name.
        name: String,
    },
    /// Another `iss`, or another configured issuer.
    Issuer {
        /// The token's `iss`.
        found: Option<String>,
        /// The configured issuers, the nearest first.
        configured: Vec<IssuerChoice>,
    },
    /// Keys of the issuer.
    Keys {
        /// The issuer's configured name.
        issuer: Option<String>,
        /// The URL or file of its keys.
        location: Option<String>,
    },
    /// Another time: a newer token, or clocks that agree.
    Time {
        /// The claim that does not fit.
        claim: String,
    },
    /// Another audience.
    Audience {
        /// The audiences that are configured.
        expected: Vec<String>,
        /// The audiences that the token is for.
        found: Vec<String>,
    },
    /// The user's newest token.
    NewerToken,
    /// Another kind of token, or an undamaged one.
    Token,
    /// A claim in the token, or another way to read it.
    Claim {
        /// The claim, or the mapped field.
        claim: String,
        /// The function that would help in the template.
        function: Option<String>,
        /// The setting that would help.
        setting: Option<String>,
    },
    /// Another state of a user.
    User {
        /// The user's id.
        id: String,
        /// The user's name.
        username: Option<String>,
    },
    /// A setting.
    Setting {
        /// Its key, such as `provision`.
        setting: String,
    },
    /// Another form of the request.
    Request,
    /// Time: the same request may pass later.
    Later,
}

/// A tag that would grant a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TagChoice {
    /// The tag.
    pub tag: String,
    /// The role it grants.
    pub role: String,
}

/// A route that nearly takes a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RouteChoice {
    /// Its path pattern.
    pub path: String,
    /// Methods it is for; empty for all.
    pub methods: Vec<String>,
    /// Hosts it is for; empty for all.
    pub hosts: Vec<String>,
}

/// A configured issuer, compared with a token's `iss`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct IssuerChoice {
    /// Its configured name.
    pub name: String,
    /// The `iss` that it is configured with; missing for the one of tokens without.
    pub issuer: Option<String>,
    /// `trailing_slash`, `case`, `scheme`, `host` or `path`, if that is all by which the two differ.
    pub difference: Option<&'static str>,
}

impl Cure {
    pub(super) fn new(change: CureKind, sentence: impl Into<String>) -> Self {
        Self {
            change,
            sentence: sentence.into(),
        }
    }
}

/// A refusal with its cure.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) refusal: Refusal,
    pub(super) cure: Option<Cure>,
}

impl Problem {
    pub(super) const fn new(refusal: Refusal, cure: Option<Cure>) -> Self {
        Self { refusal, cure }
    }

    /// The cause as an administrator may know it.
    pub(super) fn cause(&self) -> String {
        let own = || self.refusal.reason.fault().to_owned();
        self.refusal.private().map_or_else(own, str::to_owned)
    }
}

/// Foreign text in back-quotes, bounded.
fn quoted(text: &str) -> String {
    let clipped: String = text.chars().take(TEXT_MAX).collect();
    let more = if clipped.len() < text.len() { "…" } else { "" };
    format!("`{clipped}{more}`")
}

/// Several of them in a row, as many as a sentence bears.
fn list<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let mut texts: Vec<String> = texts.into_iter().map(quoted).collect();
    let more = texts.len().saturating_sub(LISTED_MAX);
    texts.truncate(LISTED_MAX);
    if more > 0 {
        return format!("{} and {more} more", texts.join(", "));
    }
    match texts.pop() {
        Some(last) if texts.is_empty() => last,
        Some(last) => format!("{} or {last}", texts.join(", ")),
        None => String::new(),
    }
}
