//! Cure: the change that would help, as a value and as a sentence. An explanation states it first, beside the answer
//! and the cause.
//!
//! SECURITY: a cure may name other organizations, the users who have a username, lists of tags, and claim values. It is
//! for callers that may explain (platform roles, the command line), never for the client of a door.

pub(super) mod access;
pub(super) mod mapping;
pub(super) mod similar;
pub(super) mod token;

use serde::Serialize;
use utoipa::ToSchema;

use super::NearMissRow;
use narthex_engine::respond::Refusal;

/// The most names that a sentence lists; the value has more.
const LISTED_MAX: usize = 12;
/// The longest piece of foreign text in a sentence, in characters.
const TEXT_MAX: usize = 200;

/// A change that would help.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Cure {
    /// Kind of the change, with its details.
    #[serde(flatten)]
    pub change: CureKind,
    /// The change in words.
    pub sentence: String,
}

/// Kind of a change that would help, with its details.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CureKind {
    /// Add a tag that grants the role: to the token, or to a list of tags.
    Tags {
        /// The organization that the request names; missing for a platform role.
        organization: Option<String>,
        /// Tags that grant a sufficient role, the lowest role first.
        tags: Vec<TagChoice>,
        /// Tags of the token that nearly match one of them.
        near: Vec<NearMissRow>,
    },
    /// Use another method, host or path, so that a route takes the request.
    Route {
        /// The nearest path patterns, the nearest first.
        nearest: Vec<RouteChoice>,
    },
    /// Use another name of an organization.
    OrganizationName {
        /// The nearest existing names, the nearest first.
        nearest: Vec<String>,
    },
    /// Change the state of an organization.
    Organization {
        /// Name of the organization.
        name: String,
    },
    /// Use another `iss` in the token, or configure another issuer.
    Issuer {
        /// The token's `iss`.
        found: Option<String>,
        /// Configured issuers, the nearest first.
        configured: Vec<IssuerChoice>,
    },
    /// Provide the keys of the issuer.
    Keys {
        /// Configured name of the issuer.
        issuer: Option<String>,
        /// URL or file of its keys.
        location: Option<String>,
    },
    /// Send a newer token, or correct a clock.
    Time {
        /// Name of the claim that does not fit.
        claim: String,
    },
    /// Use another audience.
    Audience {
        /// Configured audiences.
        expected: Vec<String>,
        /// Audiences in the token.
        found: Vec<String>,
    },
    /// Send the user's newest token.
    NewerToken,
    /// Send another kind of token, or an undamaged one.
    Token,
    /// Add a claim to the token, or read it in another way.
    Claim {
        /// Name of the claim, or of the mapped field.
        claim: String,
        /// Template function that would help.
        function: Option<String>,
        /// Setting that would help.
        setting: Option<String>,
    },
    /// Use another machine key, or create one.
    MachineKey {
        /// Id of the key that does not do; missing if none was found.
        id: Option<String>,
    },
    /// Change the state of a user.
    User {
        /// Id of the user.
        id: String,
        /// Username of the user.
        username: Option<String>,
    },
    /// Change a setting.
    Setting {
        /// Key of the setting, such as `provision`.
        setting: String,
    },
    /// Send the request in another form.
    Request,
    /// Send the same request later; it may pass then.
    Later,
}

/// A tag that would grant a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TagChoice {
    /// The tag.
    pub tag: String,
    /// The role that it grants.
    pub role: String,
}

/// A route that nearly takes a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RouteChoice {
    /// Path pattern of the route.
    pub path: String,
    /// Methods that the route takes; empty for all.
    pub methods: Vec<String>,
    /// Hosts that the route takes; empty for all.
    pub hosts: Vec<String>,
}

/// A configured issuer, compared with a token's `iss`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct IssuerChoice {
    /// Configured name of the issuer.
    pub name: String,
    /// The configured `iss`; missing for an issuer whose tokens have none.
    pub issuer: Option<String>,
    /// `trailing_slash`, `case`, `scheme`, `host` or `path` if the two differ in nothing else; otherwise missing.
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

    /// Returns the cause as an administrator may see it.
    pub(super) fn cause(&self) -> String {
        let own = || self.refusal.reason.fault().to_owned();
        self.refusal.private().map_or_else(own, str::to_owned)
    }
}

/// Quotes foreign text in back-quotes, clipped to [`TEXT_MAX`].
fn quoted(text: &str) -> String {
    let clipped: String = text.chars().take(TEXT_MAX).collect();
    let more = if clipped.len() < text.len() { "…" } else { "" };
    format!("`{clipped}{more}`")
}

/// Lists several texts, at most [`LISTED_MAX`] of them.
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
