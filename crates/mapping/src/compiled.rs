//! A mapping ready to run: every template compiled, every default in place, every constant checked.

use std::sync::Arc;

use narthex_directory::{IssuerName, OrganizationRole, Realm, TeamRole};
use narthex_template::Template;

use crate::compile;
use crate::error::MappingProblem;
use crate::field::Field;
use crate::source::{MappingLimits, MappingSettings, MappingSource, OnInvalid};
use crate::tags::TagsMapping;

/// An issuer's mapping, compiled. Made once when the configuration loads, then shared.
#[derive(Debug)]
pub struct IssuerMapping {
    pub(crate) realm: Realm,
    pub(crate) issuer: IssuerName,
    pub(crate) on_invalid: OnInvalid,
    pub(crate) limits: MappingLimits,
    pub(crate) rules: Box<[TokenRule]>,
    pub(crate) user: UserMapping,
    /// The list of all organizations; organization and team are then mapped for each of its elements.
    pub(crate) each: Option<FieldMapping>,
    pub(crate) organization: Option<OrganizationMapping>,
    pub(crate) team: Option<TeamMapping>,
    pub(crate) context: Box<[PropertyMapping]>,
    pub(crate) tags: Option<TagsMapping>,
    pub(crate) reads: Reads,
}

/// A part of the request that carries a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestPart {
    /// Its headers.
    Headers,
    /// Its query parameters.
    Query,
    /// Its body, at the login endpoint.
    Body,
}

impl IssuerMapping {
    /// Compiles a mapping, or says everything that is wrong with it.
    pub fn compile(source: &MappingSource, settings: &MappingSettings) -> Result<Self, Vec<MappingProblem>> {
        compile::compile(source, settings)
    }

    /// Tests whether rules and identity depend on the token alone. Only then may the answer be cached by token: a rule or
    /// a template that reads the clock or the request gives other answers for the same token.
    pub fn token_only(&self) -> bool {
        self.reads.parts.is_empty() && !self.reads.clock
    }

    /// Tests whether a template reads that part of the request, so that the edge need not prepare an unused part.
    pub fn reads(&self, part: RequestPart) -> bool {
        self.reads.parts.contains(&part)
    }

    /// Tests whether the tokens of this issuer carry permission tags.
    pub fn reads_tags(&self) -> bool {
        self.tags.is_some()
    }

    /// The names of the mapped context properties.
    pub fn context_properties(&self) -> impl Iterator<Item = &str> {
        self.context.iter().map(|property| &*property.name)
    }

    /// Tests whether a template may read the clock.
    pub fn reads_clock(&self) -> bool {
        self.reads.clock
    }
}

/// Inputs of a mapping's templates besides the claims.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Reads {
    pub(crate) parts: Vec<RequestPart>,
    pub(crate) clock: bool,
    /// The token's header: it is parsed only for a template that reads it.
    pub(crate) header: bool,
}

/// Condition that a token must meet.
#[derive(Debug)]
pub(crate) struct TokenRule {
    /// The condition, under the name of the rule.
    pub(crate) condition: FieldMapping,
    /// Remedy for the caller: fixed text without a full stop at its end.
    pub(crate) message: Arc<str>,
}

/// One field and its template.
#[derive(Debug)]
pub(crate) struct FieldMapping {
    pub(crate) field: Field,
    pub(crate) template: Template,
    pub(crate) origin: Origin,
}

/// Origin of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The configuration.
    Configured,
    /// The default of the field.
    Default,
}

#[derive(Debug)]
pub(crate) struct UserMapping {
    pub(crate) ids: Ids,
    pub(crate) email: Option<FieldMapping>,
    pub(crate) name: Option<FieldMapping>,
    pub(crate) country: Option<FieldMapping>,
    pub(crate) timezone: Option<FieldMapping>,
    pub(crate) locale: Option<FieldMapping>,
    pub(crate) language: Option<FieldMapping>,
}

/// Templates for the ids that tell users apart.
#[derive(Debug)]
pub(crate) enum Ids {
    /// The external id; the username is not mapped.
    One(FieldMapping),
    /// One text, that of the username, is both.
    Both(FieldMapping),
    /// A text for each.
    Two {
        external_id: FieldMapping,
        username: FieldMapping,
    },
}

#[derive(Debug)]
pub(crate) struct OrganizationMapping {
    pub(crate) external_id: FieldMapping,
    pub(crate) name: Option<FieldMapping>,
    pub(crate) timezone: Option<FieldMapping>,
    pub(crate) role: RoleMapping<OrganizationRole>,
}

#[derive(Debug)]
pub(crate) struct TeamMapping {
    pub(crate) external_id: FieldMapping,
    pub(crate) name: Option<FieldMapping>,
    pub(crate) role: RoleMapping<TeamRole>,
}

#[derive(Debug)]
pub(crate) enum RoleMapping<R> {
    /// The same for every token.
    Constant(Constant<R>),
    /// The value of a template.
    Mapped(FieldMapping),
}

#[derive(Debug)]
pub(crate) struct Constant<R> {
    pub(crate) field: Field,
    pub(crate) value: R,
    pub(crate) origin: Origin,
}

#[derive(Debug)]
pub(crate) struct PropertyMapping {
    pub(crate) name: Arc<str>,
    pub(crate) mapping: FieldMapping,
}
