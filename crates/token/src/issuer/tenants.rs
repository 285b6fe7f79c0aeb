//! Issuers of many tenants: one placeholder in `iss`, whose value a claim repeats.

use std::collections::HashSet;

use serde_json::Value;

use super::IssuerPolicy;
use crate::error::VerifyError;
use crate::parse::ParsedToken;
use crate::verify::{invalid, missing};

/// The longest tenant, in bytes.
const TENANT_BYTES_MAX: usize = 128;

/// Tenants that an issuer with a placeholder in `issuer` accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tenants {
    /// These, compared exactly.
    Listed(Vec<String>),
    /// Every tenant of the provider.
    Any,
}

impl Tenants {
    /// Tests whether users of more than one tenant may come, so that a user's id must say which.
    pub fn are_several(&self) -> bool {
        match self {
            Self::Listed(tenants) => tenants.len() > 1,
            Self::Any => true,
        }
    }
}

/// A text with exactly one placeholder: `https://login.example/{tid}/v2.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TenantPattern {
    prefix: String,
    suffix: String,
}

impl TenantPattern {
    /// Reads a text with a placeholder, and gives the name of the claim in it. `None` if there is not exactly one.
    pub(crate) fn parse(text: &str) -> Option<(Self, &str)> {
        let (prefix, rest) = text.split_once('{')?;
        let (claim, suffix) = rest.split_once('}')?;
        let is_name = !claim.is_empty()
            && claim
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        let braces = [prefix, suffix].iter().any(|part| part.contains(['{', '}']));
        // A text that is nothing but its placeholder would be every text.
        let bound = prefix.len() + suffix.len() > 0;
        let pattern = Self {
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
        };
        (is_name && bound && !braces).then_some((pattern, claim))
    }

    /// The text for one tenant.
    pub(crate) fn text(&self, tenant: &str) -> String {
        [&self.prefix, tenant, &self.suffix].concat()
    }

    /// The tenant that stands in the place of the placeholder.
    ///
    /// SECURITY: a tenant has no slash, no percent sign and no other delimiter, so it is one segment of the address
    /// and never reads as part of what surrounds it.
    pub(crate) fn tenant<'t>(&self, iss: &'t str) -> Option<&'t str> {
        let tenant = iss
            .strip_prefix(self.prefix.as_str())?
            .strip_suffix(self.suffix.as_str())?;
        is_tenant(tenant).then_some(tenant)
    }

    /// Tests whether one text may fit both patterns. It may say yes where no text does.
    pub(crate) fn may_overlap(&self, other: &Self) -> bool {
        let begin = self.prefix.starts_with(&other.prefix) || other.prefix.starts_with(&self.prefix);
        let end = self.suffix.ends_with(&other.suffix) || other.suffix.ends_with(&self.suffix);
        begin && end
    }
}

/// Tests for the form of a tenant: letters, digits, `-`, `.`, `_` and `~` (unreserved in RFC 3986 2.3), with a letter
/// or a digit among them.
pub(crate) fn is_tenant(text: &str) -> bool {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.len() <= TENANT_BYTES_MAX
        && text.bytes().all(is_unreserved)
        && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// The tenants of an issuer, ready to compare.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tenancy {
    /// The claim that repeats the tenant.
    claim: String,
    /// `issuer` and `aliases`.
    patterns: Vec<TenantPattern>,
    /// `None` for every tenant.
    listed: Option<HashSet<String>>,
}

impl Tenancy {
    /// The tenancy of a policy; `None` if it has none, or if a text has another placeholder than the first, or none.
    pub(crate) fn of(policy: &IssuerPolicy) -> Option<Self> {
        let tenants = policy.tenants.as_ref()?;
        let texts = policy.issuer.iter().chain(&policy.aliases);
        let parsed: Option<Vec<_>> = texts.map(|text| TenantPattern::parse(text)).collect();
        let parsed = parsed?;
        let (_, claim) = parsed.first()?;
        let claim = (*claim).to_owned();
        if parsed.iter().any(|(_, other)| *other != claim) {
            return None;
        }
        Some(Self {
            claim,
            patterns: parsed.into_iter().map(|(pattern, _)| pattern).collect(),
            listed: match tenants {
                Tenants::Listed(tenants) => Some(tenants.iter().cloned().collect()),
                Tenants::Any => None,
            },
        })
    }

    /// The claim that repeats the tenant.
    pub(crate) fn claim(&self) -> &str {
        &self.claim
    }

    /// The patterns, if every tenant may come, so that no list of texts stands for them.
    pub(crate) fn open_patterns(&self) -> &[TenantPattern] {
        match self.listed {
            Some(_) => &[],
            None => &self.patterns,
        }
    }

    /// The texts of the listed tenants.
    pub(crate) fn listed_texts(&self) -> impl Iterator<Item = String> + '_ {
        let listed = self.listed.iter().flatten();
        listed.flat_map(|tenant| self.patterns.iter().map(|pattern| pattern.text(tenant)))
    }

    /// The accepted tenant in `iss`.
    pub(crate) fn tenant_in<'t>(&self, iss: &'t str) -> Option<&'t str> {
        let is_accepted = |tenant: &&str| self.listed.as_ref().is_none_or(|listed| listed.contains(*tenant));
        let mut tenants = self.patterns.iter().filter_map(|pattern| pattern.tenant(iss));
        tenants.find(is_accepted)
    }

    /// Checks that the claim repeats the tenant of `iss`.
    ///
    /// SECURITY: the keys are those of all tenants, and the mapping reads the claim. A token whose claim names another
    /// tenant than its `iss` would be a user of that other one.
    pub(crate) fn check(&self, token: &ParsedToken<'_>, tenant: &str) -> Result<(), VerifyError> {
        match token.claims.get(&self.claim) {
            Some(Value::String(claimed)) if claimed == tenant => Ok(()),
            Some(_) => Err(invalid(&self.claim, "the tenant that stands in `iss`, as text")),
            None => Err(missing(&token.claims, &self.claim)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_one_placeholder_with_the_name_of_a_claim() {
        for (text, claim) in [
            ("https://login.example/{tid}/v2.0", "tid"),
            ("https://{org_id}.id.example", "org_id"),
            ("{t}.example", "t"),
        ] {
            let (pattern, found) = TenantPattern::parse(text).unwrap();
            assert_eq!(found, claim);
            assert_eq!(pattern.text("a-1"), text.replace(&format!("{{{claim}}}"), "a-1"));
        }
        for text in [
            "https://login.example",
            "https://{a}/{b}",
            "https://{}/x",
            "https://{a b}/x",
            "https://{{a}}/x",
            "https://}a{/x",
            "{tid}",
            "https://{a",
        ] {
            assert!(TenantPattern::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn sec_a_tenant_is_one_segment_of_the_address() {
        let (pattern, _) = TenantPattern::parse("https://login.example/{tid}/v2.0").unwrap();
        for tenant in ["a", "11c43ee8-b9d3-4e51-b73f-bd9dda66e29c", "contoso.example"] {
            assert_eq!(pattern.tenant(&pattern.text(tenant)), Some(tenant));
        }
        for not in [
            "", "a/../b", "..", ".", "a/b", "a%2fb", "a?x", "a#x", "a b", "\u{e9}", "a@b", "a:b",
        ] {
            assert_eq!(pattern.tenant(&pattern.text(not)), None, "{not}");
        }
        assert_eq!(pattern.tenant(&pattern.text(&"a".repeat(129))), None);
        for iss in [
            "https://login.example/v2.0",
            "https://login.example/",
            "https://evil.example/a/v2.0",
            "",
        ] {
            assert_eq!(pattern.tenant(iss), None, "{iss}");
        }
    }

    #[test]
    fn patterns_that_one_text_may_fit_overlap() {
        let parse = |text| TenantPattern::parse(text).unwrap().0;
        let one = parse("https://login.example/{tid}/v2.0");
        for (other, overlap) in [
            ("https://login.example/{tenant}/v2.0", true),
            ("https://{host}/v2.0", true),
            ("https://login.example/{tid}", true),
            ("https://sts.example/{tid}/v2.0", false),
            ("https://login.example/{tid}/v1.0", false),
        ] {
            assert_eq!(one.may_overlap(&parse(other)), overlap, "{other}");
        }
    }
}
