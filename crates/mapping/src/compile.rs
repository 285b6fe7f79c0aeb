//! From a mapping as written to a mapping that runs. Every problem is reported.

use narthex_directory::{OrganizationRole, TeamRole};
use narthex_template::{Fault, Names, Scope, Template, Value};

use crate::compiled::{
    Constant, FieldMapping, Ids, IssuerMapping, OrganizationMapping, Origin, PropertyMapping, Reads, RequestPart,
    RoleMapping, TeamMapping, TokenRule, UserMapping,
};
use crate::error::{MappingProblem, MappingProblemKind};
use crate::field::Field;
use crate::reads;
use crate::rules::{self, ContextBudget, Verdict};
use crate::source::{
    Body, MappingLimits, MappingSettings, MappingSource, OrganizationSource, RuleSource, TagsSource, TeamSource,
    UserSource,
};
use crate::tags::{TagsClaim, TagsMapping};
use crate::token_rule;

pub(crate) fn compile(
    source: &MappingSource,
    settings: &MappingSettings,
) -> Result<IssuerMapping, Vec<MappingProblem>> {
    let mut compiler = Compiler {
        names: names(settings),
        reads: Reads::default(),
        problems: Vec::new(),
    };
    let rules = compiler.rules(&source.rules);
    let user = compiler.user(&source.user);
    if let (Some(claim), Some(user)) = (&settings.tenant_claim, &user) {
        compiler.tenant(claim, &user.ids);
    }
    let each = compiler.each(&source.organization, settings.limits.organizations);
    if source.organization.each.is_some() {
        compiler.names = names(settings).with_root(ITEM);
    }
    let organization = compiler.organization(&source.organization);
    let team = compiler.team(&source.team, source.organization.external_id.is_some());
    compiler.names = names(settings);
    let context = compiler.context(&source.context, settings.limits);
    let tags = source.tags.as_ref().and_then(|tags| compiler.tags(tags));
    let Compiler { reads, problems, .. } = compiler;
    if source.user.timezone.is_some() || source.organization.timezone.is_some() {
        rules::zones_ready();
    }
    match user {
        Some(user) if problems.is_empty() => Ok(IssuerMapping {
            realm: settings.realm.clone(),
            issuer: settings.issuer.clone(),
            on_invalid: settings.on_invalid,
            limits: settings.limits,
            rules,
            user,
            each,
            organization,
            team,
            context,
            tags,
            reads,
        }),
        _ => Err(problems),
    }
}

fn names(settings: &MappingSettings) -> Names {
    let names = Names::new(["payload", "header", "query"]).with_folded_root("headers");
    let names = match settings.body {
        Body::Never => names,
        Body::AtLogin => names.with_root("body"),
    };
    names.with_limits(settings.template_limits)
}

/// `None` from one of its functions means that there is a problem in the list.
struct Compiler {
    names: Names,
    reads: Reads,
    problems: Vec<MappingProblem>,
}

impl Compiler {
    fn problem(&mut self, field: Field, kind: MappingProblemKind) {
        self.problems.push(MappingProblem { field, kind });
    }

    fn rules(&mut self, sources: &[RuleSource]) -> Box<[TokenRule]> {
        let mut rules = Vec::with_capacity(sources.len());
        for (at, source) in sources.iter().enumerate() {
            let field = Field::Rule(source.name.as_str().into());
            for kind in token_rule::text_problems(source, sources.get(..at).unwrap_or_default()) {
                self.problem(field.clone(), kind);
            }
            let Some(template) = self.template(&field, &source.require) else {
                continue;
            };
            match token_rule::condition_problem(&template) {
                Some(kind) => self.problem(field, kind),
                None => rules.push(TokenRule::new(source, field, template)),
            }
        }
        rules.into()
    }

    fn user(&mut self, source: &UserSource) -> Option<UserMapping> {
        let external_id = source
            .external_id
            .as_deref()
            .map(|text| self.id(Field::UserExternalId, text));
        let username = source
            .username
            .as_deref()
            .map(|text| self.id(Field::UserUsername, text));
        let email = self.optional(Field::UserEmail, source.email.as_deref(), rules::text);
        let name = self.optional(Field::UserName, source.name.as_deref(), rules::text);
        let country = self.optional(Field::UserCountry, source.country.as_deref(), rules::country);
        let timezone = self.optional(Field::UserTimezone, source.timezone.as_deref(), rules::zone);
        let locale = self.optional(Field::UserLocale, source.locale.as_deref(), rules::language);
        let language = self.optional(Field::UserLanguage, source.language.as_deref(), rules::language);
        let ids = match (external_id, username) {
            (Some(external_id), Some(username)) => Ids::Two {
                external_id: external_id?,
                username: username?,
            },
            (Some(external_id), None) => Ids::One(external_id?),
            (None, Some(both)) => Ids::Both(both?),
            (None, None) => {
                let mut one = self.id(Field::UserExternalId, DEFAULT_EXTERNAL_ID)?;
                one.origin = Origin::Default;
                Ids::One(one)
            }
        };
        Some(UserMapping {
            ids,
            email,
            name,
            country,
            timezone,
            locale,
            language,
        })
    }

    /// Checks that the key of a user contains the claim that names the tenant.
    // SECURITY: each tenant gives ids as it likes. Without its name in them, a user of one tenant is a user of another.
    fn tenant(&mut self, claim: &str, ids: &Ids) {
        let (Ids::One(key) | Ids::Both(key) | Ids::Two { external_id: key, .. }) = ids;
        if !reads::is_set_apart_by(key.template.source(), claim) {
            let claim = claim.to_owned();
            self.problem(key.field.clone(), MappingProblemKind::TenantMissing { claim });
        }
    }

    /// The list of all organizations.
    fn each(&mut self, source: &OrganizationSource, limit: usize) -> Option<FieldMapping> {
        let each = self.optional(Field::OrganizationEach, source.each.as_deref(), |value| {
            rules::list(value, limit)
        });
        if source.external_id.is_none() {
            self.needs(
                Field::OrganizationEach,
                source.each.as_ref(),
                &Field::OrganizationExternalId,
            );
        }
        each
    }

    fn organization(&mut self, source: &OrganizationSource) -> Option<OrganizationMapping> {
        let external_id = self.optional(
            Field::OrganizationExternalId,
            source.external_id.as_deref(),
            rules::external_id,
        );
        let name = self.optional(Field::OrganizationName, source.name.as_deref(), rules::text);
        let timezone = self.optional(Field::OrganizationTimezone, source.timezone.as_deref(), rules::zone);
        let role = self.role(
            Field::OrganizationRole,
            source.role.as_deref(),
            OrganizationRole::Admin,
            rules::organization_role,
        );
        if source.external_id.is_none() {
            self.needs(
                Field::OrganizationName,
                source.name.as_ref(),
                &Field::OrganizationExternalId,
            );
            self.needs(
                Field::OrganizationTimezone,
                source.timezone.as_ref(),
                &Field::OrganizationExternalId,
            );
            self.needs(
                Field::OrganizationRole,
                source.role.as_ref(),
                &Field::OrganizationExternalId,
            );
        }
        Some(OrganizationMapping {
            external_id: external_id?,
            name,
            timezone,
            role: role?,
        })
    }

    fn team(&mut self, source: &TeamSource, has_organization: bool) -> Option<TeamMapping> {
        let external_id = self.optional(Field::TeamExternalId, source.external_id.as_deref(), rules::external_id);
        let name = self.optional(Field::TeamName, source.name.as_deref(), rules::text);
        let role = self.role(
            Field::TeamRole,
            source.role.as_deref(),
            TeamRole::Admin,
            rules::team_role,
        );
        if source.external_id.is_none() {
            self.needs(Field::TeamName, source.name.as_ref(), &Field::TeamExternalId);
            self.needs(Field::TeamRole, source.role.as_ref(), &Field::TeamExternalId);
        } else if !has_organization {
            self.needs(
                Field::TeamExternalId,
                source.external_id.as_ref(),
                &Field::OrganizationExternalId,
            );
        }
        Some(TeamMapping {
            external_id: external_id?,
            name,
            role: role?,
        })
    }

    fn needs(&mut self, field: Field, written: Option<&String>, needed: &Field) {
        if written.is_some() {
            self.problem(field, MappingProblemKind::Needs { needed: needed.clone() });
        }
    }

    fn context(&mut self, source: &[(String, String)], limits: MappingLimits) -> Box<[PropertyMapping]> {
        let MappingLimits {
            context_properties: limit,
            context_bytes: bytes,
            ..
        } = limits;
        if source.len() > limit {
            self.problem(
                Field::Context,
                MappingProblemKind::TooManyProperties {
                    found: source.len(),
                    limit,
                },
            );
        }
        let mut properties: Vec<PropertyMapping> = Vec::new();
        let mut headers: Vec<(String, &str)> = Vec::new();
        for (name, text) in source {
            let field = Field::Property(name.as_str().into());
            if !is_property_name(name) {
                self.problem(field, MappingProblemKind::PropertyName { name: name.clone() });
                continue;
            }
            // SECURITY: servers differ on whether `_` in a header name is `-`; one of two such properties would
            // shadow the other.
            let header = name.to_ascii_lowercase().replace('_', "-");
            if let Some((_, other)) = headers.iter().find(|(earlier, _)| *earlier == header) {
                let kind = MappingProblemKind::PropertyTwice {
                    name: name.clone(),
                    other: (*other).to_owned(),
                };
                self.problem(field.clone(), kind);
            }
            headers.push((header, name));
            if let Some(mapping) = self.field(field, text, |value| {
                rules::property(value, name, &mut ContextBudget::new(bytes))
            }) {
                properties.push(PropertyMapping {
                    name: name.as_str().into(),
                    mapping,
                });
            }
        }
        properties.into()
    }

    fn tags(&mut self, source: &TagsSource) -> Option<TagsMapping> {
        let text = &source.claim;
        let claim = if text.contains("{{") && text.contains("}}") {
            let template = self.template(&Field::Tags, text)?;
            if template.is_literal() {
                self.problem(Field::Tags, MappingProblemKind::HalfBraces);
                return None;
            }
            // SECURITY: every user with a token would have the roles.
            if template.roots().next().is_none() {
                self.problem(Field::Tags, MappingProblemKind::TagsForAll);
                return None;
            }
            TagsClaim::of_template(template)
        } else if let Some(forgotten) = self.forgotten_braces(text) {
            self.problem(Field::Tags, forgotten);
            return None;
        } else if text.trim().is_empty() {
            self.problem(Field::Tags, MappingProblemKind::Empty);
            return None;
        } else {
            TagsClaim::Name(text.clone())
        };
        Some(TagsMapping {
            claim,
            on_missing: source.on_missing,
            patterns: source.patterns.clone(),
        })
    }

    /// A text that tells one user from another.
    fn id(&mut self, field: Field, text: &str) -> Option<FieldMapping> {
        let mapping = self.field(field.clone(), text, rules::external_id)?;
        // SECURITY: one forgotten pair of braces would make everybody the same user.
        if mapping.template.roots().next().is_none() {
            self.problem(field, MappingProblemKind::OneForAll);
            return None;
        }
        Some(mapping)
    }

    fn role<R>(
        &mut self,
        field: Field,
        text: Option<&str>,
        default: R,
        rule: impl Fn(Value) -> Verdict<R>,
    ) -> Option<RoleMapping<R>> {
        let Some(text) = text else {
            return Some(RoleMapping::Constant(Constant {
                field,
                value: default,
                origin: Origin::Default,
            }));
        };
        let mapping = self.field(field, text, &rule)?;
        match constant(&mapping.template).map(rule) {
            Some(Ok(Some(value))) => {
                let FieldMapping { field, origin, .. } = mapping;
                Some(RoleMapping::Constant(Constant { field, value, origin }))
            }
            _ => Some(RoleMapping::Mapped(mapping)),
        }
    }

    fn optional<T>(
        &mut self,
        field: Field,
        text: Option<&str>,
        rule: impl Fn(Value) -> Verdict<T>,
    ) -> Option<FieldMapping> {
        self.field(field, text?, rule)
    }

    fn field<T>(&mut self, field: Field, text: &str, rule: impl Fn(Value) -> Verdict<T>) -> Option<FieldMapping> {
        let template = self.template(&field, text)?;
        if let Some(value) = constant(&template) {
            let kind = match (self.forgotten_braces(text), rule(value)) {
                (Some(forgotten), _) => forgotten,
                (None, Err(breach)) => MappingProblemKind::Constant(breach),
                (None, Ok(_)) => {
                    return Some(FieldMapping {
                        field,
                        template,
                        origin: Origin::Configured,
                    });
                }
            };
            self.problem(field, kind);
            return None;
        }
        Some(FieldMapping {
            field,
            template,
            origin: Origin::Configured,
        })
    }

    /// Returns the problem of a text without holes that was meant to have one.
    fn forgotten_braces(&self, text: &str) -> Option<MappingProblemKind> {
        if text.contains("{{") || text.contains("}}") {
            return Some(MappingProblemKind::HalfBraces);
        }
        let (first, _) = text.split_once('.')?;
        self.names
            .roots()
            .any(|root| root == first)
            .then(|| MappingProblemKind::NoBraces {
                written: text.to_owned(),
            })
    }

    fn template(&mut self, field: &Field, text: &str) -> Option<Template> {
        if text.trim().is_empty() {
            self.problem(field.clone(), MappingProblemKind::Empty);
            return None;
        }
        let template = match Template::compile(text, &self.names) {
            Ok(template) => template,
            Err(error) => {
                self.problem(field.clone(), MappingProblemKind::Template(error));
                return None;
            }
        };
        // Mappings get no randomness. Where that shows without any claims, say it now and not with every token.
        if let Err(error) = template.evaluate(&Scope::new(0))
            && let Fault::NoRandom { name } = error.fault()
        {
            self.problem(field.clone(), MappingProblemKind::Random { word: name });
            return None;
        }
        self.reads.header |= template.references("header");
        for (root, part) in PARTS {
            if template.references(root) && !self.reads.parts.contains(part) {
                self.reads.parts.push(*part);
            }
        }
        self.reads.clock |= reads::may_read_clock(text);
        Some(template)
    }
}

/// The value of a template without holes.
fn constant(template: &Template) -> Option<Value> {
    template
        .is_literal()
        .then(|| template.evaluate(&Scope::new(0)).ok())
        .flatten()
}

fn is_property_name(name: &str) -> bool {
    (1..=PROPERTY_NAME_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Root of the templates of organization and team for the element at hand.
pub(crate) const ITEM: &str = "item";
const DEFAULT_EXTERNAL_ID: &str = "{{payload.sub}}";
const PROPERTY_NAME_MAX: usize = 64;
const PARTS: &[(&str, RequestPart)] = &[
    ("headers", RequestPart::Headers),
    ("query", RequestPart::Query),
    ("body", RequestPart::Body),
];
