//! `[issuer.mapping]` and `[issuer.tags]`: compiled by the mapping crate; its problems are pointed back into the file.

use narthex_directory::{IssuerName, OrganizationRole, Realm, TagPattern, TagPatterns};
use narthex_mapping::{
    Body, Field, IssuerMapping, MappingProblem, MappingProblemKind, MappingSettings, MappingSource, OnInvalid,
    OnMissing, OrganizationSource, RuleSource, TagsSource, TeamSource, UserSource,
};
use narthex_settings_reader::{Optional, Problem, Section, Span, place_in_literal};
use toml::Spanned;

use super::Check;
use super::never::looks_like_a_path;
use crate::file::{self, IssuerSection, MappingSection, PatternRole, PatternSection, RuleSection, TagsSection};
use crate::values::TemplateText;

impl Check<'_> {
    /// The mapping of an issuer.
    pub(crate) fn mapping(
        &mut self,
        section: &IssuerSection,
        (issuer, realm): (IssuerName, Realm),
        tenant_claim: Option<&str>,
        patterns: &TagPatterns,
    ) -> Option<IssuerMapping> {
        let mut settings = MappingSettings::new(realm, issuer);
        settings.tenant_claim = tenant_claim.map(str::to_owned);
        settings.on_invalid = match section.on_invalid.value() {
            file::OnInvalid::Refuse => OnInvalid::Refuse,
            file::OnInvalid::Skip => OnInvalid::Skip,
        };
        if !section.frame_ancestors.value().is_empty() {
            settings.body = Body::AtLogin;
        }
        settings.limits.tags = usize::try_from(self.limits.tags).unwrap_or(usize::MAX);
        settings.template_limits.fuel = self.limits.template_fuel;
        settings.template_limits.made_bytes = usize::try_from(self.limits.template_bytes).unwrap_or(usize::MAX);
        let source = source_of(section, patterns);
        let compiled = IssuerMapping::compile(&source, &settings);
        if let Some(tags) = section.tags.value() {
            self.claim_name(tags);
        }
        compiled
            .map_err(|problems| {
                for problem in problems {
                    self.mapping_problem(section, &problem);
                }
            })
            .ok()
    }

    /// The tag patterns of an issuer. Those with problems are left out.
    pub(crate) fn tag_patterns(&mut self, section: &IssuerSection) -> TagPatterns {
        let Some(tags) = section.tags.value() else {
            return TagPatterns::default();
        };
        let written = tags.pattern.value();
        let patterns: Option<Vec<TagPattern>> = written.iter().map(|pattern| pattern_of(pattern.get_ref())).collect();
        match patterns.map(|patterns| TagPatterns::new(&patterns)) {
            Some(Ok(patterns)) => patterns,
            Some(Err(problems)) => {
                for (at, problem) in problems {
                    let place = written
                        .get(at)
                        .map(|pattern| match pattern.get_ref().r#match.spanned() {
                            Some(text) => text.span(),
                            None => pattern.span(),
                        });
                    let place = place.unwrap_or_else(|| tags.pattern.span());
                    self.error(place, format!("`match`: {problem}"));
                }
                TagPatterns::default()
            }
            None => TagPatterns::default(),
        }
    }

    fn mapping_problem(&mut self, section: &IssuerSection, problem: &MappingProblem) {
        let place = match &problem.field {
            Field::Rule(name) => place_of_rule(name, &problem.kind, section),
            field => place_of(field, section),
        };
        match &problem.kind {
            MappingProblemKind::Template(error) => {
                for inner in error.problems() {
                    let span = place
                        .literal
                        .as_ref()
                        .map_or_else(|| place.span.clone(), |literal| self.inside(literal, &inner.span));
                    let report = Problem::error(span, inner.kind.to_string());
                    self.problems.push(report.maybe_help(inner.kind.help()));
                }
            }
            kind => self.error(place.span, format!("`{}`: {kind}", problem.field)),
        }
    }

    /// Bytes of a string's value as bytes of the file.
    fn inside(&self, literal: &Span, span: &Span) -> Span {
        let raw = self.source.get(literal.clone()).unwrap_or_default();
        let start = place_in_literal(raw, literal, span.start);
        let end = place_in_literal(raw, literal, span.end);
        start..end.max(start)
    }

    /// A claim name that looks like a path is most likely meant as one.
    fn claim_name(&mut self, tags: &TagsSection) {
        let Some(claim) = tags.claim.spanned() else {
            return;
        };
        let name = claim.get_ref().as_str();
        let path = name.strip_prefix("payload.").unwrap_or(name);
        if name.contains("{{") || !(looks_like_a_path(path) || path != name) {
            return;
        }
        let problem = Problem::warning(
            claim.span(),
            format!("`{name}` is taken as the name of one claim, dots included"),
        );
        self.problems.push(problem.help(format!(
            "for a member inside of a claim write `claim = \"{{{{payload.{path}}}}}\"`"
        )));
    }
}

fn source_of(section: &IssuerSection, patterns: &TagPatterns) -> MappingSource {
    let MappingSection {
        user,
        organization,
        team,
        context,
        ..
    } = section.mapping.value();
    let (user, organization, team) = (user.value(), organization.value(), team.value());
    let text = |written: &Optional<TemplateText>| written.value().map(|template| template.0.clone());
    MappingSource {
        rules: section
            .rule
            .value()
            .iter()
            .filter_map(|rule| rule_of(rule.get_ref()))
            .collect(),
        user: UserSource {
            external_id: text(&user.external_id),
            username: text(&user.username),
            email: text(&user.email),
            name: text(&user.name),
            country: text(&user.country),
            timezone: text(&user.timezone),
            locale: text(&user.locale),
            language: text(&user.language),
        },
        organization: OrganizationSource {
            each: text(&organization.each),
            external_id: text(&organization.external_id),
            name: text(&organization.name),
            timezone: text(&organization.timezone),
            role: text(&organization.role),
        },
        team: TeamSource {
            external_id: text(&team.external_id),
            name: text(&team.name),
            role: text(&team.role),
        },
        context: context
            .value()
            .0
            .iter()
            .map(|(name, template)| (name.get_ref().clone(), template.get_ref().0.clone()))
            .collect(),
        tags: section.tags.value().and_then(|tags| {
            let on_missing = match tags.on_missing.value() {
                file::OnMissing::Error => OnMissing::Error,
                file::OnMissing::Keep => OnMissing::Keep,
                file::OnMissing::Empty => OnMissing::Empty,
            };
            tags.claim.value().map(|claim| TagsSource {
                claim: claim.clone(),
                patterns: patterns.clone(),
                on_missing,
            })
        }),
    }
}

/// `None` for a pattern of which a part could not be read, which is reported already.
fn pattern_of(section: &PatternSection) -> Option<TagPattern> {
    let role = |role: &PatternRole| match role {
        PatternRole::Admin => OrganizationRole::Admin,
        PatternRole::Member => OrganizationRole::Member,
        PatternRole::Executor => OrganizationRole::Executor,
    };
    let roles = section.roles.value()?.0.iter();
    Some(TagPattern {
        matches: section.r#match.value()?.clone(),
        roles: roles
            .map(|(text, named)| (text.get_ref().clone(), role(named.get_ref())))
            .collect(),
        create: *section.create.value(),
    })
}

/// `None` for a rule of which a part could not be read, which is reported already.
fn rule_of(section: &RuleSection) -> Option<RuleSource> {
    Some(RuleSource {
        name: section.name.value()?.clone(),
        require: section.require.value()?.0.clone(),
        message: section.message.value()?.clone(),
    })
}

/// Place of a problem with a rule: the key that it is about, of the last rule of that name.
fn place_of_rule(name: &str, kind: &MappingProblemKind, section: &IssuerSection) -> Place {
    let mut rules = section.rule.value().iter().map(Spanned::get_ref).rev();
    let Some(rule) = rules.find(|rule| rule.name.value().is_some_and(|written| written == name)) else {
        return Place {
            span: section.header(),
            literal: None,
        };
    };
    let (written, literal) = match kind {
        MappingProblemKind::RuleName { .. } | MappingProblemKind::RuleTwice { .. } => {
            (rule.name.spanned().map(Spanned::span), None)
        }
        MappingProblemKind::RuleMessage { .. } => (rule.message.spanned().map(Spanned::span), None),
        _ => {
            let span = rule.require.spanned().map(Spanned::span);
            (span.clone(), span)
        }
    };
    Place {
        span: written.unwrap_or_else(|| rule.header()),
        literal,
    }
}

/// Place of a mapped field in the file.
struct Place {
    /// Span to point at.
    span: Span,
    /// The string literal that holds the template, if there is one.
    literal: Option<Span>,
}

fn place_of(field: &Field, section: &IssuerSection) -> Place {
    let mapping = section.mapping.value();
    let (user, organization, team) = (mapping.user.value(), mapping.organization.value(), mapping.team.value());
    let literal = match field {
        Field::UserExternalId => user.external_id.span(),
        Field::UserUsername => user.username.span(),
        Field::UserEmail => user.email.span(),
        Field::UserName => user.name.span(),
        Field::UserCountry => user.country.span(),
        Field::UserTimezone => user.timezone.span(),
        Field::UserLocale => user.locale.span(),
        Field::UserLanguage => user.language.span(),
        Field::OrganizationEach => organization.each.span(),
        Field::OrganizationExternalId => organization.external_id.span(),
        Field::OrganizationName => organization.name.span(),
        Field::OrganizationTimezone => organization.timezone.span(),
        Field::OrganizationRole => organization.role.span(),
        Field::TeamExternalId => team.external_id.span(),
        Field::TeamName => team.name.span(),
        Field::TeamRole => team.role.span(),
        Field::Property(name) => {
            let written = mapping
                .context
                .value()
                .0
                .iter()
                .find(|(property, _)| property.get_ref().as_str() == &**name);
            written.map(|(_, template)| template.span())
        }
        Field::Tags => section
            .tags
            .value()
            .and_then(|tags| tags.claim.spanned())
            .map(Spanned::span),
        Field::Context | Field::Rule(_) => {
            return Place {
                span: mapping.context.span(),
                literal: None,
            };
        }
    };
    Place {
        span: literal.clone().unwrap_or_else(|| section.header()),
        literal,
    }
}
