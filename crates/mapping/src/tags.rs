//! The permission tags of a token (S3).
//!
//! Absent or null, `[]`, `""`, one text, malformed, and left out by the identity provider are six different inputs, and
//! none of them is ever taken for another: code that merges two of them revokes roles that should stay, or keeps roles
//! that should go.

use narthex_directory::{DesiredTags, PatternTag, TagPatterns};
use narthex_template::{Scope, Template, Value};
use serde_json::{Map, Value as Json};

use crate::error::{ClaimNames, MapError, TagsFault};
use crate::reads;
use crate::source::{MappingLimits, OnMissing};

#[derive(Debug)]
pub(crate) struct TagsMapping {
    pub(crate) claim: TagsClaim,
    pub(crate) on_missing: OnMissing,
    pub(crate) patterns: TagPatterns,
}

/// Place of the tags.
#[derive(Debug)]
pub(crate) enum TagsClaim {
    /// In the claim of this name.
    Name(String),
    /// In what a template gives.
    Template {
        template: Template,
        /// The claims it names, as far as its text shows.
        paths: Vec<Vec<String>>,
    },
}

impl TagsClaim {
    pub(crate) fn of_template(template: Template) -> Self {
        let paths = reads::claim_paths(template.source());
        Self::Template { template, paths }
    }

    /// The claim's name, or the template's text, for people.
    pub(crate) fn written(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Template { template, .. } => template.source(),
        }
    }

    /// The name to blame: the claim, or the first claim of the template.
    fn label(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Template { template, paths } => paths
                .first()
                .map_or_else(|| template.source().to_owned(), |path| path.join(".")),
        }
    }

    /// Tests whether a claim of this name is (part of) the source of the tags.
    fn names(&self, claim: &str) -> bool {
        match self {
            Self::Name(name) => name == claim,
            Self::Template { template, .. } => reads::mentions(template.source(), claim),
        }
    }
}

/// Content of the claim, for the observer.
#[derive(Debug)]
pub(crate) enum TagsContent<'a> {
    Claim(Option<&'a Json>),
    Made(Value),
}

impl TagsMapping {
    /// Reads the claim as it stands in the token.
    pub(crate) fn hold<'a>(
        &self,
        claims: &'a Map<String, Json>,
        scope: &Scope<'_>,
    ) -> Result<TagsContent<'a>, MapError> {
        match &self.claim {
            TagsClaim::Name(name) => Ok(TagsContent::Claim(claims.get(name))),
            TagsClaim::Template { template, .. } => match template.evaluate(scope) {
                Ok(value) => Ok(TagsContent::Made(value)),
                Err(error) => Err(self.malformed(TagsFault::Template(Box::new(error)))),
            },
        }
    }

    /// Interprets the claim.
    pub(crate) fn desired(
        &self,
        held: TagsContent<'_>,
        claims: &Map<String, Json>,
        limits: &MappingLimits,
    ) -> Result<DesiredTags, MapError> {
        // SECURITY: first of all. A provider that leaves the tags out says so beside an absent or an empty claim;
        // taking that for "missing" or "none" would keep or drop every role of exactly those who have the most.
        if self.is_left_out(claims, &held) {
            return Err(MapError::TagsOverage {
                claim: self.claim.label(),
            });
        }
        let tags = match held {
            TagsContent::Claim(None | Some(Json::Null)) | TagsContent::Made(Value::Undefined | Value::Null) => None,
            TagsContent::Claim(Some(json)) => Some(self.of_json(json, limits)?),
            TagsContent::Made(value) => {
                Some(self.of_value(value, limits)?).filter(|tags| !self.is_made_of_nothing(tags, claims))
            }
        };
        match (tags, self.on_missing) {
            (Some(tags), _) => Ok(DesiredTags::Exactly(tags)),
            (None, OnMissing::Keep) => Ok(DesiredTags::Keep),
            (None, OnMissing::Empty) => Ok(DesiredTags::Exactly(Vec::new())),
            (None, OnMissing::Error) => Err(MapError::TagsMissing {
                claim: self.claim.label(),
                present: ClaimNames::of(claims),
            }),
        }
    }

    /// The tags that a tag pattern matches.
    pub(crate) fn patterned(&self, tags: &DesiredTags) -> Vec<PatternTag> {
        match tags {
            DesiredTags::Exactly(tags) => self.patterns.read_all(tags.iter().map(String::as_str)),
            DesiredTags::NotConfigured | DesiredTags::Keep => Vec::new(),
        }
    }

    // SPEC: OpenID Connect Core 5.6.2 (`_claim_names`). `hasgroups` is what Microsoft Entra sends in its place with the
    // implicit flow; it speaks of `groups`, so a claim of another name that is there is not affected.
    fn is_left_out(&self, claims: &Map<String, Json>, held: &TagsContent<'_>) -> bool {
        let distributed = claims.get("_claim_names").is_some_and(|names| match names {
            Json::Object(names) => names.keys().any(|name| self.claim.names(name)),
            Json::Array(names) => names.iter().filter_map(Json::as_str).any(|name| self.claim.names(name)),
            Json::String(name) => self.claim.names(name),
            _ => false,
        });
        distributed
            || claims
                .get("hasgroups")
                .is_some_and(|has| !matches!(has, Json::Null | Json::Bool(false)))
                && (held.is_nothing() || self.claim.names("groups"))
    }

    /// Tests whether an empty result stems from claims that are all missing. `map` and `split` make an empty list of
    /// nothing, and `[]` revokes every role: the token must have said that, not left it out.
    fn is_made_of_nothing(&self, tags: &[String], claims: &Map<String, Json>) -> bool {
        let TagsClaim::Template { paths, .. } = &self.claim else {
            return false;
        };
        tags.iter().all(String::is_empty)
            && !paths.is_empty()
            && paths.iter().all(|path| {
                let mut steps = path.iter();
                let first = steps.next().and_then(|name| claims.get(name));
                steps
                    .fold(first, |at, name| at.and_then(|json| json.get(name)))
                    .is_none_or(Json::is_null)
            })
    }

    fn of_json(&self, json: &Json, limits: &MappingLimits) -> Result<Vec<String>, MapError> {
        match json {
            Json::String(tag) => self.checked(1, std::iter::once(Ok(tag.clone())), limits),
            Json::Array(items) => {
                let tags = items
                    .iter()
                    .map(|item| item.as_str().map(str::to_owned).ok_or_else(|| kind_of(item)));
                self.checked(items.len(), tags, limits)
            }
            other => Err(self.malformed(TagsFault::Kind { kind: kind_of(other) })),
        }
    }

    fn of_value(&self, value: Value, limits: &MappingLimits) -> Result<Vec<String>, MapError> {
        match value {
            Value::Text(tag) => self.checked(1, std::iter::once(Ok(tag)), limits),
            Value::Array(items) => {
                let count = items.len();
                let tags = items.into_iter().map(|item| match item {
                    Value::Text(tag) => Ok(tag),
                    other => Err(other.kind()),
                });
                self.checked(count, tags, limits)
            }
            other => Err(self.malformed(TagsFault::Kind { kind: other.kind() })),
        }
    }

    /// The tags as they are: nothing is split at commas, trimmed, folded or left out.
    fn checked(
        &self,
        count: usize,
        tags: impl Iterator<Item = Result<String, &'static str>>,
        limits: &MappingLimits,
    ) -> Result<Vec<String>, MapError> {
        if count > limits.tags {
            return Err(self.malformed(TagsFault::TooMany {
                found: count,
                limit: limits.tags,
            }));
        }
        let mut checked = Vec::with_capacity(count);
        for (at, tag) in tags.enumerate() {
            let position = at + 1;
            let tag = tag.map_err(|kind| self.malformed(TagsFault::Item { position, kind }))?;
            let limit = limits.tag_characters;
            if tag.len() > limit && tag.chars().count() > limit {
                return Err(self.malformed(TagsFault::TooLong { position, limit }));
            }
            checked.push(tag);
        }
        Ok(checked)
    }

    fn malformed(&self, fault: TagsFault) -> MapError {
        MapError::TagsMalformed {
            claim: self.claim.label(),
            fault,
        }
    }
}

impl TagsContent<'_> {
    fn is_nothing(&self) -> bool {
        match self {
            Self::Claim(claim) => claim.is_none_or(Json::is_null),
            Self::Made(value) => matches!(value, Value::Undefined | Value::Null),
        }
    }
}

/// The kind of a JSON value in the template language's words.
fn kind_of(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "text",
        Json::Array(_) => "list",
        Json::Object(_) => "collection",
    }
}
