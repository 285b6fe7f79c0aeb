//! The tokens that a route takes: of which issuers, and with which tags.

use narthex_directory::IssuerName;
use narthex_settings_reader::{List, Problem, did_you_mean};
use toml::Spanned;

use super::super::Check;
use crate::file::{IssuerSection, RouteSection};

impl Check<'_> {
    /// The issuers whose tokens a route takes; empty for all.
    pub(super) fn route_issuers(
        &mut self,
        section: &RouteSection,
        issuers: &List<IssuerSection>,
    ) -> Option<Vec<IssuerName>> {
        let Some(written) = section.issuers.value() else {
            return section.issuers.span().is_none().then(Vec::new);
        };
        let sections = || issuers.iter().map(Spanned::get_ref);
        let names: Vec<&str> = sections()
            .filter_map(|issuer| issuer.name.value().map(String::as_str))
            .collect();
        let mut found = Vec::new();
        for text in &written.0 {
            let name = text.get_ref().as_str();
            let known = names.contains(&name);
            if !known {
                let problem = Problem::error(text.span(), format!("there is no issuer `{name}`"));
                self.problems
                    .push(problem.maybe_help(did_you_mean(name, names.iter().copied())));
            }
            found.push(IssuerName::new(name).ok().filter(|_| known));
        }
        let off = |name: &IssuerName| {
            sections().any(|issuer| {
                issuer.name.value().is_some_and(|other| other == name.as_str()) && !*issuer.enabled.value()
            })
        };
        let found: Option<Vec<IssuerName>> = found.into_iter().collect();
        if let (Some(all), Some(span)) = (&found, section.issuers.span())
            && all.iter().all(off)
        {
            let problem = Problem::warning(span, "none of these issuers is enabled, so no token passes here");
            self.problems
                .push(problem.help("remove `enabled = false` from one of them, or name another one"));
        }
        found
    }

    /// The tags of which a token needs one; empty for none.
    pub(super) fn route_tags(&mut self, section: &RouteSection) -> Option<Vec<String>> {
        let Some(written) = section.tags.value() else {
            return section.tags.span().is_none().then(Vec::new);
        };
        self.untrimmed("a permission tag", &written.0);
        if is_public(section) {
            let span = section.tags.span().unwrap_or_default();
            let problem = Problem::error(span, "`tags` does nothing on a public route");
            self.problems
                .push(problem.help("requests without a token pass there; write `require = \"authenticated\"`"));
            return None;
        }
        Some(written.0.iter().map(|tag| tag.get_ref().clone()).collect())
    }

    /// The scopes of which a token needs every one; empty for none.
    pub(super) fn route_scopes(&mut self, section: &RouteSection) -> Option<Vec<String>> {
        let Some(written) = section.scopes.value() else {
            return section.scopes.span().is_none().then(Vec::new);
        };
        // SPEC: RFC 6749 3.3. A blank is between two scopes of one text.
        let is_scope = |text: &str| {
            let fits = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            !text.is_empty() && text.bytes().all(fits)
        };
        let mut usable = true;
        for text in written.0.iter().filter(|text| !is_scope(text.get_ref())) {
            let problem = Problem::error(text.span(), format!("`{}` is not a scope", text.get_ref()));
            self.problems.push(
                problem.help("a scope is one word of visible ASCII without `\"` and `\\`; list several one by one"),
            );
            usable = false;
        }
        if is_public(section) {
            let span = section.scopes.span().unwrap_or_default();
            let problem = Problem::error(span, "`scopes` does nothing on a public route");
            self.problems
                .push(problem.help("requests without a token pass there; write `require = \"authenticated\"`"));
            usable = false;
        }
        usable.then(|| written.0.iter().map(|scope| scope.get_ref().clone()).collect())
    }

    /// Warns of tags that no token has, because no issuer of the route reads tags.
    pub(crate) fn tags_without_a_claim(&mut self, routes: &List<RouteSection>, issuers: &List<IssuerSection>) {
        for section in routes.iter().map(Spanned::get_ref) {
            let Some(tags) = section.tags.spanned() else { continue };
            let accepted = |issuer: &IssuerSection| {
                section
                    .issuers
                    .value()
                    .is_none_or(|listed| listed.0.iter().any(|name| issuer.name.value() == Some(name.get_ref())))
            };
            let mut accepted = issuers
                .iter()
                .map(Spanned::get_ref)
                .filter(|issuer| accepted(issuer))
                .peekable();
            if accepted.peek().is_some() && accepted.all(|issuer| issuer.tags.span().is_none()) {
                let problem = Problem::warning(tags.span(), "no token has tags here, so no request passes");
                self.problems
                    .push(problem.help("the issuers of this route have no `[issuer.tags]`, which names the claim"));
            }
        }
    }
}

/// Tests whether a route lets requests without a token pass.
pub(super) fn is_public(section: &RouteSection) -> bool {
    let mut required = section.require.value().into_iter().flat_map(|required| &required.0);
    required.any(|text| text.get_ref() == "public")
}
