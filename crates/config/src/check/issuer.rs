//! `[[issuer]]`: terms, keys, tags and mapping of each, and what no two may share.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use narthex_directory::{
    IssuerName, OnEmpty, OrganizationName, Provision, Realm, SyncMode, SyncPolicy, TagList, TagPatterns,
};
use narthex_engine::{DpopUse, TokenPlaces};
use narthex_settings_reader::{List, Problem, Section, Span, did_you_mean};
use narthex_token::{
    Algorithm, BoundTokens, Expiry, IssuerPolicy, IssuerStatus, KeySource as KeyKind, PolicyError, RequiredClaim,
    Tenants, TrustedIssuer,
};
use toml::Spanned;

use super::keys::Source;
use super::organization::ListedTags;
use super::{Check, within_if_written};
use crate::Issuer;
use crate::file::{self, IssuerSection, TagText, TenantsText};

/// The shortest lease that the directory keeps to.
const LEASE_LEAST_MS: i64 = 60_000;
/// Permitted values of the maximum age of a token. With less than a second, no token would be young enough.
const AGES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24 * 3660);

impl Check<'_> {
    /// Every issuer, in the order of the file. Those with problems are left out.
    pub(crate) fn issuers(&mut self, written: &List<IssuerSection>) -> Vec<Issuer> {
        self.twice(
            "issuers",
            written.iter().filter_map(|section| section.get_ref().name.spanned()),
        );
        self.shared_iss(written);
        self.own_realms(written);
        written
            .iter()
            .filter_map(|section| self.compile_issuer(section.get_ref()))
            .collect()
    }

    /// One issuer: the one entry point for the file and for the API. It reports everything that is wrong with the
    /// issuer by itself; what it may not share with others is checked by [`Self::issuers`].
    pub(crate) fn compile_issuer(&mut self, section: &IssuerSection) -> Option<Issuer> {
        let source = self.key_source(section);
        self.untrimmed("`issuer`", section.issuer.spanned());
        self.untrimmed("an entry of `aliases`", section.aliases.value());
        self.untrimmed("an entry of `audiences`", section.audiences.value());
        within_if_written(&mut self.problems, "max_token_age", &section.max_token_age, &AGES);
        let name = section.name.spanned().and_then(|name| self.issuer_name(name));
        let algorithms = algorithms(section, source);
        let terms = source.zip(algorithms.clone());
        let terms = terms.map(|(source, algorithms)| terms_of(section, source, algorithms));
        let sign_in = self.issuer_login(section, source, terms.as_ref());
        let introspection = self.introspection(section, source);
        let frame_ancestors = self.frame_ancestors(section);
        let trusted = terms.and_then(|terms| self.trusted(section, terms));
        let keys = match (source, algorithms) {
            (Some(source), Some(algorithms)) => self.keys(section, source, &algorithms),
            _ => None,
        };
        let patterns = self.tag_patterns(section);
        let policy = self.sync_policy(section, &patterns);
        let policy = policy.and_then(|policy| self.of_one_organization(section, policy));
        let places = self.token_from(&section.token_from).ok().map(Option::unwrap_or_default);
        let dpop = self.dpop(section, places.as_ref());
        let places = places.map(|places| TokenPlaces {
            dpop: dpop != DpopUse::Off && places.authorization,
            ..places
        });
        let realm = match section.realm.spanned() {
            Some(written) => self.realm(written),
            None => name.as_ref().and_then(|name| Realm::new(name.as_str()).ok()),
        };
        // The mapping is checked even where the issuer has no usable name, so that its problems come out in the same
        // run.
        let stand_in = || (IssuerName::new("issuer").ok(), Realm::new("realm").ok());
        let tenant_claim = trusted.as_ref().and_then(TrustedIssuer::tenant_claim);
        let mapping = match (name.clone(), realm.clone()) {
            (Some(name), Some(realm)) => self.mapping(section, (name, realm), tenant_claim, &patterns),
            _ => stand_in()
                .0
                .zip(stand_in().1)
                .and_then(|of| self.mapping(section, of, tenant_claim, &patterns)),
        };
        self.issuer_never(section);
        Some(Issuer {
            name: name?,
            realm: realm?,
            trusted: Arc::new(trusted?),
            keys: keys?,
            stale_max: *section.stale_max.value(),
            mapping: mapping?,
            policy: policy?,
            places: places?,
            dpop,
            introspection: introspection.ok()?,
            sign_in: sign_in.ok()?,
            frame_ancestors,
        })
    }

    /// The use of tokens that are bound to a key.
    fn dpop(&mut self, section: &IssuerSection, places: Option<&TokenPlaces>) -> DpopUse {
        let dpop = match section.dpop.value() {
            file::DpopText::Off => return DpopUse::Off,
            file::DpopText::Accept => DpopUse::Accept,
            file::DpopText::Require => DpopUse::Require,
        };
        if *section.danger_bound_tokens_as_bearer.value() {
            let problem = Problem::error(
                section.dpop.span(),
                "`dpop` and `danger_bound_tokens_as_bearer` exclude each other",
            );
            let danger = section.danger_bound_tokens_as_bearer.span();
            self.problems.push(
                problem
                    .context(danger, "here")
                    .help("remove `danger_bound_tokens_as_bearer`"),
            );
        }
        if places.is_some_and(|places| !places.authorization) {
            let problem = Problem::error(section.dpop.span(), "`dpop` needs `authorization` in `token_from`");
            let help = "a token with a proof comes as `Authorization: DPoP …` and in no other place";
            self.problems.push(
                problem
                    .context(section.token_from.span().unwrap_or_default(), "here")
                    .help(help),
            );
        }
        dpop
    }

    fn issuer_name(&mut self, written: &Spanned<String>) -> Option<IssuerName> {
        let name = written.get_ref();
        let safe = name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte));
        if !safe || name.starts_with(['-', '_', '.']) || name.len() > 64 {
            let problem = Problem::error(written.span(), format!("`{name}` cannot be the name of an issuer"));
            // An organization's name has the same rule.
            let such_as =
                OrganizationName::suggested_by(name).map_or_else(String::new, |name| format!(", such as `{name}`"));
            self.problems.push(problem.help(format!(
                "use at most 64 lower-case letters, digits, `-`, `_` and `.`, beginning with a letter or a digit{such_as}"
            )));
            return None;
        }
        IssuerName::new(name.as_str()).ok()
    }

    /// A realm as it is written.
    pub(crate) fn realm(&mut self, written: &Spanned<String>) -> Option<Realm> {
        Realm::new(written.get_ref().as_str())
            .map_err(|error| self.name_error(written.span(), &error, ""))
            .ok()
    }

    fn trusted(&mut self, section: &IssuerSection, terms: IssuerPolicy) -> Option<TrustedIssuer> {
        match TrustedIssuer::new(terms) {
            Ok(trusted) => Some(trusted),
            Err(errors) => {
                for error in errors {
                    if let Some(span) = place_of(&error, section) {
                        self.error(span, error.to_string());
                    }
                }
                None
            }
        }
    }

    fn sync_policy(&mut self, section: &IssuerSection, patterns: &TagPatterns) -> Option<SyncPolicy> {
        let provision = match section.provision.value() {
            file::Provision::Create => Provision::Create,
            file::Provision::LinkOnly => Provision::LinkOnly,
            file::Provision::Off => Provision::Off,
        };
        let mode = match section.mode.value() {
            file::Mode::Enforce => SyncMode::Enforce,
            file::Mode::Observe => SyncMode::Observe,
        };
        let Some(tags) = section.tags.value() else {
            return Some(SyncPolicy {
                provision,
                mode,
                changes_per_minute: self.limits.sync_changes_per_minute,
                ..SyncPolicy::default()
            });
        };
        let on_empty = match tags.on_empty.value() {
            file::OnEmpty::RevokeAll => OnEmpty::RevokeAll,
            file::OnEmpty::RevokeSynced => OnEmpty::RevokeSynced,
        };
        let lease_ms = tags
            .lease
            .value()
            .map(|lease| i64::try_from(lease.as_millis()).unwrap_or(i64::MAX));
        if lease_ms.is_some_and(|lease| lease < LEASE_LEAST_MS) {
            self.error(
                tags.lease.span().unwrap_or_default(),
                "`lease` must be at least `\"1m\"`",
            );
        }
        let platform_admin_tags = self.tag_list(
            "platform_admin",
            tags.platform_admin.value(),
            &tags.platform_admin.span(),
        )?;
        Some(SyncPolicy {
            provision,
            platform_admin_tags,
            tag_patterns: patterns.clone(),
            on_empty,
            lease_ms,
            mode,
            changes_per_minute: self.limits.sync_changes_per_minute,
            organization: None,
        })
    }

    /// A list of tags, as a list or as text with commas.
    pub(crate) fn tag_list(&mut self, key: &str, written: &TagText, span: &Span) -> Option<TagList> {
        let read = match written {
            TagText::List(items) => TagList::from_entries(items.iter().map(Spanned::get_ref)),
            TagText::Delimited(text) => TagList::parse(text),
        };
        read.map_err(|cause| self.error(span.clone(), format!("`{key}`: {cause}")))
            .ok()
    }

    /// Refuses names that are given twice.
    pub(crate) fn twice<'w>(&mut self, what: &str, names: impl Iterator<Item = &'w Spanned<String>>) {
        let mut seen: Vec<&Spanned<String>> = Vec::new();
        for name in names {
            if let Some(first) = seen.iter().find(|first| first.get_ref() == name.get_ref()) {
                let problem = Problem::error(name.span(), format!("two {what} are called `{}`", name.get_ref()));
                self.problems.push(problem.context(first.span(), "the first one"));
            } else {
                seen.push(name);
            }
        }
    }

    /// Refuses `iss` values that two issuers claim, unless their audiences tell them apart, and two issuers without one.
    fn shared_iss(&mut self, written: &List<IssuerSection>) {
        let mut seen: Vec<(&IssuerSection, &Spanned<String>)> = Vec::new();
        let mut nameless: Option<Span> = None;
        for section in written.iter().map(Spanned::get_ref) {
            for text in section.issuer.spanned().into_iter().chain(section.aliases.value()) {
                let same = |(owner, first): &&(&IssuerSection, &Spanned<String>)| {
                    !std::ptr::eq(*owner, section) && first.get_ref() == text.get_ref()
                };
                let clashes: Vec<_> = seen.iter().filter(same).copied().collect();
                for (owner, first) in clashes {
                    self.shared_audience((owner, first), (section, text));
                }
                seen.push((section, text));
            }
            if section.issuer.span().is_none()
                && Source::written(section)
                    .iter()
                    .all(|(source, _)| source.kind() == KeyKind::SharedSecret)
            {
                if let Some(first) = &nameless {
                    let problem = Problem::error(
                        section.header(),
                        "two issuers have no `issuer`, so tokens without `iss` could be of either",
                    );
                    self.problems.push(
                        problem
                            .context(first.clone(), "the first one")
                            .help("give at least one of them an `issuer`"),
                    );
                } else {
                    nameless = Some(section.header());
                }
            }
        }
    }

    /// Refuses two issuers of one `iss` whose audiences do not tell them apart.
    fn shared_audience(
        &mut self,
        (owner, first): (&IssuerSection, &Spanned<String>),
        (section, text): (&IssuerSection, &Spanned<String>),
    ) {
        let (ours, theirs) = (owner.audiences.value(), section.audiences.value());
        let shared = theirs
            .iter()
            .find(|audience| ours.iter().any(|own| own.get_ref() == audience.get_ref()));
        if shared.is_none() && !ours.is_empty() && !theirs.is_empty() {
            return;
        }
        let name = |section: &IssuerSection| section.name.value().cloned().unwrap_or_default();
        let message = format!(
            "issuers `{}` and `{}` claim the `iss` `{}`{}",
            name(owner),
            name(section),
            text.get_ref(),
            shared.map_or_else(String::new, |audience| format!(
                " and the audience `{}`",
                audience.get_ref()
            ))
        );
        let problem = Problem::error(text.span(), message).context(first.span(), "the first one");
        let help =
            "a token belongs to exactly one issuer; give one of them another `iss`, or each `audiences` of its own";
        self.problems.push(problem.help(help));
    }

    /// Says so when a tag makes platform admins and gives a role in an organization at the same time.
    pub(crate) fn shared_tags(&mut self, issuers: &List<IssuerSection>, organizations: &[ListedTags]) {
        for tags in issuers.iter().filter_map(|section| section.get_ref().tags.value()) {
            let platform = match tags.platform_admin.value() {
                TagText::List(items) => TagList::from_entries(items.iter().map(Spanned::get_ref)),
                TagText::Delimited(text) => TagList::parse(text),
            };
            let Ok(platform) = platform else {
                continue;
            };
            for ListedTags {
                span,
                organization,
                tags: listed,
            } in organizations
            {
                if let Some(tag) = listed.texts().find(|tag| platform.contains(tag)) {
                    let message =
                        format!("the tag `{tag}` of organization `{organization}` also makes platform admins");
                    let problem = Problem::warning(span.clone(), message);
                    self.problems.push(problem.context(tags.platform_admin.span(), "here"));
                }
            }
        }
    }

    /// "did you mean" among the realms of the file.
    pub(crate) fn known_realm(&mut self, written: &Spanned<String>, realms: &[String]) {
        if !realms.is_empty() && !realms.contains(written.get_ref()) {
            let message = format!(
                "no issuer belongs to the realm `{}`, so no token reaches this organization",
                written.get_ref()
            );
            let help = did_you_mean(written.get_ref(), realms.iter().map(String::as_str));
            self.problems
                .push(Problem::warning(written.span(), message).maybe_help(help));
        }
    }
}

/// The terms of trust in an issuer, as they are written.
fn terms_of(section: &IssuerSection, source: Source, algorithms: Vec<Algorithm>) -> IssuerPolicy {
    let texts = |list: &List<String>| list.iter().map(|text| text.get_ref().clone()).collect::<Vec<_>>();
    let required = section
        .required_claims
        .value()
        .0
        .iter()
        .map(|(claim, values)| RequiredClaim {
            claim: claim.get_ref().clone(),
            one_of: values
                .get_ref()
                .0
                .iter()
                .map(|value| value.get_ref().0.clone())
                .collect(),
        });
    IssuerPolicy {
        name: section.name.value().cloned().unwrap_or_else(|| "(unnamed)".to_owned()),
        issuer: section.issuer.value().cloned(),
        aliases: texts(section.aliases.value()),
        tenants: section.tenants.value().map(tenants),
        algorithms,
        audiences: texts(section.audiences.value()),
        audience_claims: texts(section.audience_claims.value()),
        required_claims: required.collect(),
        token_types: texts(section.token_types.value()),
        leeway_seconds: section.leeway.value().as_secs(),
        max_token_age_seconds: section.max_token_age.value().map(Duration::as_secs),
        expiry: if *section.danger_tokens_without_exp.value() {
            Expiry::DangerOptional
        } else {
            Expiry::Required
        },
        bound_tokens: match section.dpop.value() {
            file::DpopText::Accept => BoundTokens::Proved,
            file::DpopText::Require => BoundTokens::Required,
            file::DpopText::Off if *section.danger_bound_tokens_as_bearer.value() => BoundTokens::DangerAsBearer,
            file::DpopText::Off => BoundTokens::Refused,
        },
        status: if *section.enabled.value() {
            IssuerStatus::Enabled
        } else {
            IssuerStatus::Disabled
        },
        key_source: source.kind(),
    }
}

/// The tenants as the verifier takes them.
fn tenants(written: &TenantsText) -> Tenants {
    match written {
        TenantsText::Any => Tenants::Any,
        TenantsText::List(listed) => Tenants::Listed(listed.iter().map(|tenant| tenant.get_ref().clone()).collect()),
    }
}

/// The algorithms that are written, or the default of the key source.
fn algorithms(section: &IssuerSection, source: Option<Source>) -> Option<Vec<Algorithm>> {
    match (section.algorithms.value(), source) {
        (Some(written), _) => Some(written.iter().map(|algorithm| algorithm.get_ref().into()).collect()),
        // Something that could not be read says nothing about what was meant.
        (None, _) if section.algorithms.span().is_some() => None,
        (None, Some(source)) => Some(match source.kind() {
            KeyKind::KeySet => vec![Algorithm::Rs256],
            KeyKind::SharedSecret => vec![Algorithm::Hs256],
        }),
        (None, None) => None,
    }
}

/// Place of a policy error in the file, or `None` if it only follows from an error that was reported already.
fn place_of(error: &PolicyError, section: &IssuerSection) -> Option<Span> {
    let header = || section.header();
    match error {
        PolicyError::NameMissing => None,
        PolicyError::IssuerMissing { .. } | PolicyError::AliasesWithoutIssuer { .. } => {
            section.issuer.span().is_none().then(header)
        }
        PolicyError::AudienceMissing { .. } if section.audiences.is_bad() => None,
        PolicyError::AudienceMissing { .. } => Some(section.audiences.span()),
        PolicyError::TenantPlaceholder { .. } => section.issuer.span().or_else(|| section.tenants.span()),
        PolicyError::NoTenants { .. } | PolicyError::BadTenant { .. } => section.tenants.span(),
        PolicyError::BadEntry { field, .. } => Some(match *field {
            "tenants" => section.tenants.span().unwrap_or_else(header),
            "issuer" => section.aliases.span(),
            "audiences" => section.audiences.span(),
            "audience_claims" => section.audience_claims.span(),
            "token_types" => section.token_types.span(),
            _ => header(),
        }),
        PolicyError::LogoutType { .. } => Some(section.token_types.span()),
        PolicyError::NoAlgorithms { .. } => section.algorithms.span(),
        PolicyError::AlgorithmMismatch { algorithm, .. } => {
            let written = section.algorithms.value().and_then(|list| {
                list.iter()
                    .find(|written| Algorithm::from(written.get_ref()) == *algorithm)
                    .map(Spanned::span)
            });
            Some(written.unwrap_or_else(header))
        }
        PolicyError::NoAudienceClaims { .. } => Some(section.audience_claims.span()),
        PolicyError::ExpiryRequired { .. } => Some(section.danger_tokens_without_exp.span()),
        PolicyError::OutOfRange { field, .. } => Some(match *field {
            "leeway" => section.leeway.span(),
            "max_token_age" => section.max_token_age.span().unwrap_or_else(header),
            _ => header(),
        }),
        PolicyError::RequiredClaimEmpty { claim, .. } => {
            let entries = &section.required_claims.value().0;
            let entry = entries.iter().find(|(name, _)| name.get_ref() == claim);
            Some(entry.map_or_else(|| section.required_claims.span(), |(name, _)| name.span()))
        }
        _ => Some(header()),
    }
}

impl From<&file::KeySetAlgorithm> for Algorithm {
    fn from(written: &file::KeySetAlgorithm) -> Self {
        use file::KeySetAlgorithm as Written;
        match written {
            Written::Rs256 => Self::Rs256,
            Written::Rs384 => Self::Rs384,
            Written::Rs512 => Self::Rs512,
            Written::Ps256 => Self::Ps256,
            Written::Ps384 => Self::Ps384,
            Written::Ps512 => Self::Ps512,
            Written::Es256 => Self::Es256,
            Written::Es384 => Self::Es384,
            Written::Es512 => Self::Es512,
            Written::EdDsa | Written::Ed25519 => Self::EdDsa,
            Written::MlDsa44 => Self::MlDsa44,
            Written::MlDsa65 => Self::MlDsa65,
            Written::MlDsa87 => Self::MlDsa87,
            Written::Hs256 => Self::Hs256,
            Written::Hs384 => Self::Hs384,
            Written::Hs512 => Self::Hs512,
        }
    }
}
