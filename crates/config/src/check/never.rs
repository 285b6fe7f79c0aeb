//! Settings that can be read and can never match: text that is compared exactly and was written as a pattern, and lists
//! that no token can meet. Each is a warning, because the file says clearly what it says, and refuses more than was meant.

use std::fmt;

use narthex_directory::{TagList, several_tags_in_one};
use narthex_settings_reader::{List, OneOrMany, Optional, Problem, Span};
use toml::Spanned;

use super::Check;
use crate::file::{ConfigFile, IssuerSection, Membership, OrganizationSection, RouteSection, TagText};
use crate::values::ClaimValue;

impl Check<'_> {
    /// Warns of every setting of organizations and routes that can never match.
    pub(crate) fn never(&mut self, file: &ConfigFile, realms: &[String]) {
        for section in file.organization.value().iter().map(Spanned::get_ref) {
            self.organization_never(section);
            self.nobody_belongs(section, file.issuer.value(), realms);
        }
        for section in file.route.value().iter().map(Spanned::get_ref) {
            self.route_never(section);
        }
    }

    /// Warns of every setting of an issuer that can never match.
    pub(crate) fn issuer_never(&mut self, section: &IssuerSection) {
        let one = "write the `iss` of one issuer as its tokens have it; more of them go into `aliases`, and `tenants` fills in \
                   one placeholder for a claim, as in `{tid}`";
        // With `tenants` its placeholder is filled in.
        if section.tenants.span().is_none() {
            let issuers = section.issuer.spanned().into_iter().chain(section.aliases.value());
            self.exact("the `iss` of a token", issuers, one);
        }
        let audience = "write the `aud` of the tokens as it is, without a pattern";
        self.exact("the audience of a token", section.audiences.value(), audience);
        let claim = "write the name of a claim at the top of the payload, such as `\"aud\"` or `\"client_id\"`";
        self.exact("the name of a claim", section.audience_claims.value(), claim);
        self.top_level("audience_claims", section.audience_claims.value());
        let kind = "write the `typ` of the tokens as it is";
        self.exact("the `typ` of a token", section.token_types.value(), kind);
        if let Some(url) = section.jwks_url.spanned()
            && let Some(foreign) = Foreign::in_text(&url.get_ref().0)
        {
            let message = format!("{foreign} in `jwks_url` is not filled in: it is part of the address that is asked");
            let help = "write the address of the key set as it is";
            self.problems.push(Problem::warning(url.span(), message).help(help));
        }
        if let Some(tags) = section.tags.value() {
            self.tags_never(tags.platform_admin.value(), &tags.platform_admin.span());
            if let Some(claim) = tags.claim.spanned()
                && !claim.get_ref().contains("{{")
                && let Some(foreign) = Foreign::in_text(claim.get_ref())
            {
                let message = format!(
                    "`{}` is taken as the name of a claim, {foreign} included",
                    claim.get_ref()
                );
                let name = claim.get_ref().trim_matches(|c: char| !c.is_alphanumeric());
                let help = format!("a template has doubled braces: `claim = \"{{{{payload.{name}}}}}\"`");
                self.problems.push(Problem::warning(claim.span(), message).help(help));
            }
        }
        self.required_never(section);
    }

    fn required_never(&mut self, section: &IssuerSection) {
        let required = &section.required_claims.value().0;
        let help = "`required_claims` looks at claims at the top of the payload; write the claim's own name";
        self.exact("the name of a claim", required.iter().map(|(name, _)| name), help);
        self.top_level("required_claims", required.iter().map(|(name, _)| name));
        for (name, values) in required {
            for value in &values.get_ref().0 {
                let Some(text) = value.get_ref().0.as_str() else {
                    continue;
                };
                if let Some(foreign) = Foreign::in_text(text) {
                    let subject = format!("the claim `{}`", name.get_ref());
                    let help = "write the value as the tokens have it; a list of values is one of them";
                    self.not_filled_in(&subject, &foreign, &value.span(), help);
                }
            }
            self.another_iss(section, name, values);
        }
    }

    /// Warns of a required `iss` that is not this issuer's: the tokens that have it are not of this issuer.
    fn another_iss(
        &mut self,
        section: &IssuerSection,
        name: &Spanned<String>,
        values: &Spanned<OneOrMany<ClaimValue>>,
    ) {
        let Some(issuer) = section.issuer.spanned().filter(|_| name.get_ref() == "iss") else {
            return;
        };
        let own = |text: &str| {
            let aliases = section.aliases.value().iter().map(Spanned::get_ref);
            std::iter::once(issuer.get_ref())
                .chain(aliases)
                .any(|known| known == text)
        };
        let values_met = values
            .get_ref()
            .0
            .iter()
            .any(|value| value.get_ref().0.as_str().is_some_and(own));
        if !values_met {
            let message =
                "this requires an `iss` that is neither `issuer` nor one of the `aliases`, so no token meets it";
            let problem = Problem::warning(values.span(), message).context(issuer.span(), "the `iss` of its tokens");
            self.problems
                .push(problem.help("leave it out: `issuer` requires it already"));
        }
    }

    fn organization_never(&mut self, section: &OrganizationSection) {
        for list in lists(section) {
            self.tags_never(list.0, &list.1);
        }
        let help = "write the id of this organization as the tokens have it";
        self.exact("the id of an organization", section.external_id.spanned(), help);
        let help = "write the name of the realm as `[[issuer]]` has it";
        self.exact("the name of a realm", section.realm.spanned(), help);
    }

    /// Warns of an organization that no user can ever belong to.
    fn nobody_belongs(&mut self, section: &OrganizationSection, issuers: &List<IssuerSection>, realms: &[String]) {
        let Some(name) = section.name.value() else { return };
        let realm = section.realm.value().or(match realms {
            [only] => Some(only),
            _ => None,
        });
        let of_realm: Vec<&IssuerSection> = issuers
            .iter()
            .map(Spanned::get_ref)
            .filter(|issuer| issuer.realm.value().or(issuer.name.value()) == realm && *issuer.enabled.value())
            .collect();
        let (Some(realm), false) = (realm, of_realm.is_empty()) else {
            return;
        };
        let listing = lists(section).into_iter().find(|(written, _)| !is_empty(written));
        if let Some((_, span)) = &listing
            && of_realm.iter().all(|issuer| issuer.tags.span().is_none())
        {
            let message = format!(
                "`{name}` lists tags, and no issuer of the realm `{realm}` has `[issuer.tags]`: no user can belong to it by a tag"
            );
            let help = "say which claim holds the tags: `[issuer.tags]` with `claim = \"groups\"` below the issuer";
            self.problems.push(Problem::warning(span.clone(), message).help(help));
        }
        let named = section.external_id.span().is_some()
            && of_realm
                .iter()
                .any(|issuer| issuer.mapping.value().organization.value().external_id.span().is_some());
        if listing.is_none() && !named && *section.membership.value() == Membership::ExternalOnly {
            let message = format!("no user can belong to `{name}`: it takes roles from tokens only, and lists no tag");
            let problem = Problem::warning(section.membership.span(), message);
            let help = "list tags, such as `external_member_groups = [\"acme-staff\"]`";
            self.problems.push(problem.help(help));
        }
    }

    fn tags_never(&mut self, written: &TagText, span: &Span) {
        let entries: Vec<(String, Span)> = match written {
            TagText::List(items) => items
                .iter()
                .map(|item| (item.get_ref().trim().to_owned(), item.span()))
                .collect(),
            TagText::Delimited(text) => {
                let list = TagList::parse(text).unwrap_or_default();
                list.texts().map(|tag| (tag.to_owned(), span.clone())).collect()
            }
        };
        for (tag, span) in entries {
            if let Some(foreign) = Foreign::in_text(&tag) {
                let message = format!("`{tag}` is one tag, {foreign} included: tags are compared exactly");
                let help = "write each tag as the tokens have it";
                self.problems.push(Problem::warning(span, message).help(help));
            } else if let Some(several) = several_tags_in_one(&tag) {
                let message = format!("`{tag}` is one tag, `{several}` included");
                let separate: Vec<String> = tag.split(several).map(|part| format!("\"{}\"", part.trim())).collect();
                let help = format!("if several are meant, write `[{}]`", separate.join(", "));
                self.problems.push(Problem::warning(span, message).help(help));
            }
        }
    }

    fn route_never(&mut self, section: &RouteSection) {
        self.exact_audience(&section.audience);
        let tag = "write the tag as tokens carry it; a route has no patterns of tags";
        let tags = section.tags.value().into_iter().flat_map(|tags| &tags.0);
        self.exact("a permission tag", tags, tag);
    }

    fn exact_audience(&mut self, written: &Optional<String>) {
        let Some(audience) = written.spanned() else { return };
        if let Some(foreign) =
            Foreign::in_text(audience.get_ref()).filter(|foreign| !matches!(foreign, Foreign::Wildcard))
        {
            let message = format!("{foreign} in `audience` is not filled in: assertions carry it as it is");
            let help = "write the audience that the application expects";
            self.problems
                .push(Problem::warning(audience.span(), message).help(help));
        }
    }

    /// Warns of text that is compared exactly with `subject` and was written as a pattern.
    fn exact<'w>(&mut self, subject: &str, written: impl IntoIterator<Item = &'w Spanned<String>>, help: &str) {
        for text in written {
            if let Some(foreign) = Foreign::in_text(text.get_ref()) {
                self.not_filled_in(subject, &foreign, &text.span(), help);
            }
        }
    }

    fn not_filled_in(&mut self, subject: &str, foreign: &Foreign, span: &Span, help: &str) {
        let message = format!("{foreign} is plain text here: {subject} is compared exactly with it");
        self.problems.push(Problem::warning(span.clone(), message).help(help));
    }

    /// Warns of a path where the name of one claim is wanted.
    fn top_level<'w>(&mut self, key: &str, written: impl IntoIterator<Item = &'w Spanned<String>>) {
        for name in written {
            if looks_like_a_path(name.get_ref()) {
                let message = format!("`{}` is taken as the name of one claim, dots included", name.get_ref());
                let help = format!("`{key}` looks at claims at the top of the payload only");
                self.problems.push(Problem::warning(name.span(), message).help(help));
            }
        }
    }
}

/// The three lists of tags of an organization, each with its place.
fn lists(section: &OrganizationSection) -> [(&TagText, Span); 3] {
    [
        &section.external_admin_groups,
        &section.external_member_groups,
        &section.external_executor_groups,
    ]
    .map(|written| (written.value(), written.span()))
}

fn is_empty(written: &TagText) -> bool {
    match written {
        TagText::List(items) => items.iter().all(|item| item.get_ref().trim().is_empty()),
        TagText::Delimited(text) => TagList::parse(text).is_ok_and(|list| list.is_empty()),
    }
}

/// Names with a dot between them, as templates and other programs write the way to a member of a claim.
pub(crate) fn looks_like_a_path(name: &str) -> bool {
    name.contains('.')
        && name
            .split('.')
            .all(|part| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_'))
}

/// A notation of other programs, or of other keys, that is plain text where text is compared exactly.
#[derive(Debug, PartialEq, Eq)]
enum Foreign {
    /// `{{…}}`
    Template(String),
    /// `{name}`, `${name}`, `<name>`
    Placeholder(String),
    /// `*`
    Wildcard,
    /// `^…$`
    Expression,
}

impl Foreign {
    fn in_text(text: &str) -> Option<Self> {
        let between = |open: &str, close: char| {
            let (_, after) = text.split_once(open)?;
            let (name, _) = after.split_once(close)?;
            let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-. ".contains(c));
            is_name.then(|| format!("{open}{name}{close}"))
        };
        if let Some((_, after)) = text.split_once("{{") {
            let hole = after.split_once("}}").map_or(after, |(hole, _)| hole);
            return Some(Self::Template(format!("{{{{{hole}}}}}")));
        }
        if text.starts_with('^') && text.ends_with('$') {
            return Some(Self::Expression);
        }
        let placeholder = between("${", '}')
            .or_else(|| between("{", '}'))
            .or_else(|| between("<", '>'));
        placeholder
            .map(Self::Placeholder)
            .or_else(|| text.contains('*').then_some(Self::Wildcard))
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Template(hole) => write!(f, "the template `{hole}`"),
            Self::Placeholder(name) => write!(f, "the placeholder `{name}`"),
            Self::Wildcard => f.write_str("the wildcard `*`"),
            Self::Expression => f.write_str("the regular expression"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notations_of_other_programs_are_known() {
        let template = |text: &str| Some(Foreign::Template(text.to_owned()));
        let placeholder = |text: &str| Some(Foreign::Placeholder(text.to_owned()));
        for (text, found) in [
            ("{{payload.org}}-admins", template("{{payload.org}}")),
            ("{{payload", template("{{payload}}")),
            ("https://login.example/{tenantid}/v2.0", placeholder("{tenantid}")),
            ("https://login.example/${TENANT}", placeholder("${TENANT}")),
            ("https://login.example/<your tenant>", placeholder("<your tenant>")),
            ("app-*", Some(Foreign::Wildcard)),
            ("^app-[a-z]+$", Some(Foreign::Expression)),
            ("/acme-staff", None),
            ("CN=Ops,DC=corp", None),
            ("https://id.example.com", None),
            ("a{b", None),
            ("{\"json\":1}", None),
            ("$pecial", None),
        ] {
            assert_eq!(Foreign::in_text(text), found, "{text}");
        }
    }
}
