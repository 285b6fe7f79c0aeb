//! One token through one mapping. `map` and `preview` are this same walk; they differ in the observer that watches it.

use narthex_directory::{
    Desired, DesiredMembership, DesiredOrganization, DesiredTags, DesiredTeam, DesiredUser, ExternalId,
    OrganizationRole, Profile, ProviderSession, TeamRole, TokenFingerprint, Username,
};
use narthex_template::{EvalError, Scope, Value};
use serde_json::{Map, Value as Json};

use crate::compile::ITEM;
use crate::compiled::{
    Constant, FieldMapping, Ids, IssuerMapping, OrganizationMapping, RoleMapping, TeamMapping, TokenRule, UserMapping,
};
use crate::error::{Breach, ClaimNames, MapError, RuleFault};
use crate::facts::{RequestFacts, TokenFacts};
use crate::field::Field;
use crate::identity::Skipped;
use crate::rules::{self, ContextBudget, Verdict};
use crate::source::OnInvalid;
use crate::tags::{TagsContent, TagsMapping};

/// Observer of a walk.
pub(crate) trait MappingObserver {
    /// Keeps what a template gave, if it wants to.
    fn evaluated(&mut self, mapping: &FieldMapping, value: &Result<Value, EvalError>);
    /// Keeps a value that is the same for every token, if it wants to.
    fn constant<R: Stored>(&mut self, constant: &Constant<R>);
    /// Keeps what the tags claim held, if it wants to.
    fn held(&mut self, tags: &TagsMapping, held: &TagsContent<'_>);
    /// A value was taken, or nothing was given.
    fn taken(&mut self, stored: impl FnOnce() -> Option<Json>);
    /// A value broke its rule and is left out.
    fn skipped(&mut self, breach: &Breach);
    /// The token is refused. An error ends the walk; otherwise it goes on, to show the rest.
    fn refused(&mut self, error: MapError) -> Result<(), MapError>;
}

/// Sees nothing, and ends at the first refusal.
pub(crate) struct NoObserver;

impl MappingObserver for NoObserver {
    #[inline]
    fn evaluated(&mut self, _: &FieldMapping, _: &Result<Value, EvalError>) {}
    #[inline]
    fn constant<R: Stored>(&mut self, _: &Constant<R>) {}
    #[inline]
    fn held(&mut self, _: &TagsMapping, _: &TagsContent<'_>) {}
    #[inline]
    fn taken(&mut self, _: impl FnOnce() -> Option<Json>) {}
    #[inline]
    fn skipped(&mut self, _: &Breach) {}
    #[inline]
    fn refused(&mut self, error: MapError) -> Result<(), MapError> {
        Err(error)
    }
}

/// The observer of a walk, lent to the walk through one element of its list.
struct LentObserver<'w, W>(&'w mut W);

impl<W: MappingObserver> MappingObserver for LentObserver<'_, W> {
    #[inline]
    fn evaluated(&mut self, mapping: &FieldMapping, value: &Result<Value, EvalError>) {
        self.0.evaluated(mapping, value);
    }
    #[inline]
    fn constant<R: Stored>(&mut self, constant: &Constant<R>) {
        self.0.constant(constant);
    }
    #[inline]
    fn held(&mut self, tags: &TagsMapping, held: &TagsContent<'_>) {
        self.0.held(tags, held);
    }
    #[inline]
    fn taken(&mut self, stored: impl FnOnce() -> Option<Json>) {
        self.0.taken(stored);
    }
    #[inline]
    fn skipped(&mut self, breach: &Breach) {
        self.0.skipped(breach);
    }
    #[inline]
    fn refused(&mut self, error: MapError) -> Result<(), MapError> {
        self.0.refused(error)
    }
}

/// The elements of a list of organizations.
struct Listed(Vec<Value>);

impl Stored for Listed {
    fn stored(&self) -> Option<Json> {
        Some(Json::from(format!("{} organizations", self.0.len())))
    }
}

/// Importance of a value: whether the user can be told without it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    Needed,
    Droppable,
}

pub(crate) struct Run<'a, W> {
    mapping: &'a IssuerMapping,
    token: TokenFacts<'a>,
    scope: Scope<'a>,
    pub(crate) observer: W,
    pub(crate) skipped: Vec<Skipped>,
    refusals: usize,
}

impl<'a, W: MappingObserver> Run<'a, W> {
    pub(crate) fn new(
        mapping: &'a IssuerMapping,
        token: TokenFacts<'a>,
        request: &RequestFacts<'a>,
        now_ms: i64,
        observer: W,
    ) -> Self {
        let mut scope = Scope::new(now_ms)
            .with_map("payload", token.claims)
            .with_map("header", token.header);
        if let Some(headers) = request.headers {
            scope = scope.with_map("headers", headers);
        }
        if let Some(query) = request.query {
            scope = scope.with_map("query", query);
        }
        if let Some(body) = request.body {
            scope = scope.with_json("body", body);
        }
        Self {
            mapping,
            token,
            scope,
            observer,
            skipped: Vec::new(),
            refusals: 0,
        }
    }

    /// Everything. `None` only if the observer went on after a refusal.
    pub(crate) fn desired(&mut self) -> Result<Option<Desired>, MapError> {
        let mapping = self.mapping;
        self.rules(&mapping.rules)?;
        let user = self.user(&mapping.user)?;
        let (organization, team, each) = if let Some(each) = &mapping.each {
            (None, None, self.each(each)?)
        } else {
            let (organization, team) = self.membership()?;
            (organization, team, None)
        };
        let context = self.context()?;
        let tags = self.tags()?;
        let patterned = |tags: &DesiredTags| mapping.tags.as_ref().map(|mapping| mapping.patterned(tags));
        Ok(user.zip(tags).map(|(user, tags)| Desired {
            pattern_tags: patterned(&tags).unwrap_or_default(),
            realm: mapping.realm.clone(),
            issuer: mapping.issuer.clone(),
            user,
            organization,
            team,
            each,
            context,
            tags,
            issued_at_ms: self.token.issued_at_ms,
            provider_session: ProviderSession::new(self.text_claim("sub"), self.text_claim("sid")),
            token: TokenFingerprint {
                jti: self.text_claim("jti").map(str::to_owned),
                sha256_prefix: None,
            },
        }))
    }

    fn text_claim(&self, name: &str) -> Option<&str> {
        self.token.claims.get(name).and_then(Json::as_str)
    }

    /// Every rule of the issuer.
    fn rules(&mut self, rules: &[TokenRule]) -> Result<(), MapError> {
        for rule in rules {
            let value = rule.condition.template.evaluate(&self.scope);
            self.observer.evaluated(&rule.condition, &value);
            let met = match value {
                Ok(value) => rule.judge(&value),
                // SECURITY: a condition that fails, or costs too much, is not met.
                Err(error) => Err(rule.broken(RuleFault::Template(Box::new(error)))),
            };
            match met {
                Ok(()) => self.observer.taken(|| Some(Json::Bool(true))),
                Err(error) => self.refuse(error)?,
            }
        }
        Ok(())
    }

    fn user(&mut self, user: &UserMapping) -> Result<Option<DesiredUser>, MapError> {
        let ids = match &user.ids {
            Ids::One(external_id) => self
                .needed(external_id, rules::external_id)?
                .map(|external_id| (external_id, None)),
            Ids::Both(both) => self.needed(both, rules::external_id)?.map(|external_id| {
                let username = Username::from(&external_id);
                (external_id, Some(username))
            }),
            Ids::Two { external_id, username } => {
                let external_id = self.needed(external_id, rules::external_id)?;
                let username = self.needed(username, rules::username)?;
                external_id.zip(username.map(Some))
            }
        };
        let profile = Profile {
            email: self.droppable(user.email.as_ref(), rules::text)?,
            name: self.droppable(user.name.as_ref(), rules::text)?,
            country: self.droppable(user.country.as_ref(), rules::country)?,
            timezone: self.droppable(user.timezone.as_ref(), rules::zone)?,
            locale: self.droppable(user.locale.as_ref(), rules::language)?,
            language: self.droppable(user.language.as_ref(), rules::language)?,
        };
        Ok(ids.map(|(external_id, username)| DesiredUser {
            external_id,
            username,
            profile,
        }))
    }

    /// The organization that the token names, or that the element at hand is, and the team in it.
    fn membership(&mut self) -> Result<(Option<DesiredOrganization>, Option<DesiredTeam>), MapError> {
        let mapping = self.mapping;
        let refusals = self.refusals;
        let organization = match &mapping.organization {
            Some(organization) => self.organization(organization)?,
            None => None,
        };
        // An organization that was refused is not one that is missing.
        let names_organization = organization.is_some() || self.refusals > refusals;
        let team = match &mapping.team {
            Some(team) => self.team(team, names_organization)?,
            None => None,
        };
        Ok((organization, team))
    }

    /// Every organization that the token states. `None` where it states nothing, which is not the empty list.
    fn each(&mut self, each: &FieldMapping) -> Result<Option<Vec<DesiredMembership>>, MapError> {
        let limit = self.mapping.limits.organizations;
        let listed = |value| Ok(rules::list(value, limit)?.map(Listed));
        let Some(Listed(items)) = self.field(each, Weight::Needed, listed)? else {
            return Ok(None);
        };
        let mut stated = Vec::with_capacity(items.len());
        for item in &items {
            let mut run = Run {
                mapping: self.mapping,
                token: self.token,
                scope: self.scope.clone().with_value(ITEM, item),
                observer: LentObserver(&mut self.observer),
                skipped: std::mem::take(&mut self.skipped),
                refusals: self.refusals,
            };
            let mapped = run.membership();
            (self.skipped, self.refusals) = (run.skipped, run.refusals);
            if let (Some(organization), team) = mapped? {
                stated.push(DesiredMembership { organization, team });
            }
        }
        // SECURITY: a list of which no element names an organization is not the empty list: a member that was renamed at the
        // provider must not end every role.
        Ok(Some(stated).filter(|stated| !stated.is_empty() || items.is_empty()))
    }

    fn organization(&mut self, organization: &OrganizationMapping) -> Result<Option<DesiredOrganization>, MapError> {
        let Some(external_id) = self.field(&organization.external_id, Weight::Needed, rules::external_id)? else {
            return Ok(None);
        };
        let name = self.droppable(organization.name.as_ref(), rules::text)?;
        let timezone = self.droppable(organization.timezone.as_ref(), rules::zone)?;
        let role = self.role(&organization.role, rules::organization_role)?;
        Ok(role.map(|role| DesiredOrganization {
            external_id,
            name,
            timezone,
            role,
        }))
    }

    fn team(&mut self, team: &TeamMapping, names_organization: bool) -> Result<Option<DesiredTeam>, MapError> {
        let Some(external_id) = self.field(&team.external_id, Weight::Needed, rules::external_id)? else {
            return Ok(None);
        };
        if !names_organization {
            // Not a broken id, so it may be left out: the user can be told without the team.
            self.broken(
                &team.external_id.field,
                Weight::Droppable,
                Breach::TeamWithoutOrganization,
            )?;
            return Ok(None);
        }
        let name = self.droppable(team.name.as_ref(), rules::text)?;
        let role = self.role(&team.role, rules::team_role)?;
        Ok(role.map(|role| DesiredTeam {
            external_id,
            name,
            role,
        }))
    }

    fn context(&mut self) -> Result<Map<String, Json>, MapError> {
        let mapping = self.mapping;
        let mut context = Map::new();
        let mut room = ContextBudget::new(mapping.limits.context_bytes);
        for property in &mapping.context {
            let rule = |value| rules::property(value, &property.name, &mut room);
            if let Some(json) = self.field(&property.mapping, Weight::Droppable, rule)? {
                context.insert(property.name.to_string(), json);
            }
        }
        Ok(context)
    }

    fn tags(&mut self) -> Result<Option<DesiredTags>, MapError> {
        let Some(tags) = &self.mapping.tags else {
            return Ok(Some(DesiredTags::NotConfigured));
        };
        let desired = tags.hold(self.token.claims, &self.scope).and_then(|held| {
            self.observer.held(tags, &held);
            tags.desired(held, self.token.claims, &self.mapping.limits)
        });
        match desired {
            Ok(desired) => {
                self.observer.taken(|| match &desired {
                    DesiredTags::Exactly(tags) => Some(tags.as_slice().into()),
                    DesiredTags::Keep | DesiredTags::NotConfigured => None,
                });
                Ok(Some(desired))
            }
            Err(error) => self.refuse(error).map(|()| None),
        }
    }

    /// A role. One that is mapped must be given.
    // SECURITY: the default is the highest role there is. It is for issuers that map no role (S1), never for tokens
    // that lack the claim.
    fn role<R: Stored + Copy>(
        &mut self,
        mapping: &RoleMapping<R>,
        rule: impl FnOnce(Value) -> Verdict<R>,
    ) -> Result<Option<R>, MapError> {
        match mapping {
            RoleMapping::Constant(constant) => {
                self.observer.constant(constant);
                Ok(Some(constant.value))
            }
            RoleMapping::Mapped(mapping) => self.needed(mapping, rule),
        }
    }

    /// A value that must be there. `None` only if the observer went on after a refusal.
    fn needed<T: Stored>(
        &mut self,
        mapping: &FieldMapping,
        rule: impl FnOnce(Value) -> Verdict<T>,
    ) -> Result<Option<T>, MapError> {
        match self.evaluate(mapping).and_then(rule) {
            Ok(Some(taken)) => {
                self.observer.taken(|| taken.stored());
                Ok(Some(taken))
            }
            Ok(None) => {
                let present = ClaimNames::of(self.token.claims);
                let error = MapError::Nothing {
                    field: mapping.field.clone(),
                    present,
                };
                self.refuse(error).map(|()| None)
            }
            Err(breach) => self.broken(&mapping.field, Weight::Needed, breach).map(|()| None),
        }
    }

    fn droppable<T: Stored>(
        &mut self,
        mapping: Option<&FieldMapping>,
        rule: impl FnOnce(Value) -> Verdict<T>,
    ) -> Result<Option<T>, MapError> {
        mapping.map_or(Ok(None), |mapping| self.field(mapping, Weight::Droppable, rule))
    }

    fn field<T: Stored>(
        &mut self,
        mapping: &FieldMapping,
        weight: Weight,
        rule: impl FnOnce(Value) -> Verdict<T>,
    ) -> Result<Option<T>, MapError> {
        match self.evaluate(mapping).and_then(rule) {
            Ok(taken) => {
                self.observer.taken(|| taken.as_ref().and_then(Stored::stored));
                Ok(taken)
            }
            Err(breach) => self.broken(&mapping.field, weight, breach).map(|()| None),
        }
    }

    fn evaluate(&mut self, mapping: &FieldMapping) -> Result<Value, Breach> {
        let value = mapping.template.evaluate(&self.scope);
        self.observer.evaluated(mapping, &value);
        value.map_err(|error| Breach::Template(Box::new(error)))
    }

    fn refuse(&mut self, error: MapError) -> Result<(), MapError> {
        self.refusals += 1;
        self.observer.refused(error)
    }

    #[cold]
    fn broken(&mut self, field: &Field, weight: Weight, breach: Breach) -> Result<(), MapError> {
        if weight == Weight::Droppable && self.mapping.on_invalid == OnInvalid::Skip {
            self.observer.skipped(&breach);
            self.skipped.push(Skipped {
                field: field.clone(),
                breach,
            });
            return Ok(());
        }
        self.refuse(MapError::Invalid {
            field: field.clone(),
            breach,
        })
    }
}

/// A value as it will be stored, for showing.
pub(crate) trait Stored {
    /// The value as JSON.
    fn stored(&self) -> Option<Json>;
}

impl Stored for String {
    fn stored(&self) -> Option<Json> {
        Some(Json::from(self.as_str()))
    }
}

impl Stored for ExternalId {
    fn stored(&self) -> Option<Json> {
        Some(Json::from(self.as_str()))
    }
}

impl Stored for Username {
    fn stored(&self) -> Option<Json> {
        Some(Json::from(self.as_str()))
    }
}

impl Stored for Json {
    fn stored(&self) -> Option<Json> {
        Some(self.clone())
    }
}

impl Stored for OrganizationRole {
    fn stored(&self) -> Option<Json> {
        Some(Json::from(self.as_str()))
    }
}

impl Stored for TeamRole {
    fn stored(&self) -> Option<Json> {
        Some(Json::from(self.as_str()))
    }
}
