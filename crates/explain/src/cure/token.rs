//! Cures for refusals of the verifier.

use std::cmp::Reverse;

use narthex_token::{Expiry, InspectedClaims, Inspection, IssuerPolicy, KeySource, MalformedToken, VerifyError};
use serde_json::{Map, Value};

use super::similar::nearest;
use super::{Cure, CureKind, IssuerChoice, list, quoted};
use narthex_engine::{IssuerRuntime, Runtime};

/// Token that a cure is for.
pub(crate) struct Examined<'e> {
    pub(crate) runtime: &'e Runtime,
    pub(crate) token: &'e str,
    pub(crate) inspection: &'e Inspection,
    pub(crate) now_ms: i64,
}

/// Returns the claims of a token, whether they are proved or not.
pub(crate) fn claims(inspection: &Inspection) -> Option<&Map<String, Value>> {
    match &inspection.claims {
        InspectedClaims::Verified(claims) => Some(claims.claims()),
        InspectedClaims::Refused(claims) | InspectedClaims::Unproved(claims) => Some(claims.claims()),
        InspectedClaims::Unreadable => None,
    }
}

impl Examined<'_> {
    fn issuer(&self) -> Option<&IssuerRuntime> {
        let name = self.inspection.issuer.as_ref()?;
        self.runtime.by_name.get(name).map(AsRef::as_ref)
    }

    fn policy(&self) -> Option<&IssuerPolicy> {
        self.issuer().map(|issuer| issuer.trusted.policy())
    }

    fn claim(&self, name: &str) -> Option<&Value> {
        claims(self.inspection)?.get(name)
    }

    /// Returns the change that would help against this error.
    pub(crate) fn cure(&self, error: &VerifyError) -> Option<Cure> {
        Some(match error {
            VerifyError::TooLarge { .. } => setting(
                "limits.token_size",
                "have the identity provider put less into the token, for example only the groups of this application",
            ),
            VerifyError::Malformed(fault) => self.malformed(fault),
            VerifyError::Algorithm { presented, allowed } => self.algorithm(presented.as_deref(), allowed),
            VerifyError::Header { member: "typ", .. } => setting(
                "issuer.token_types",
                "ask the identity provider for an access token, or list this `typ` in `token_types` of the issuer",
            ),
            VerifyError::Header { member, .. } => Cure::new(
                CureKind::Token,
                format!(
                    "ask the identity provider for a token without {} in its header",
                    quoted(member)
                ),
            ),
            VerifyError::IssuerUnknown { .. } => self.unknown_issuer(),
            VerifyError::IssuerDisabled { issuer } => setting(
                "issuer.enabled",
                &format!(
                    "take `enabled = false` from the issuer {} if its tokens should be taken",
                    quoted(issuer)
                ),
            ),
            VerifyError::KeyUnknown { .. } => self.unknown_key(),
            VerifyError::Signature { .. } => self.signature(),
            VerifyError::Expired => self.time("exp", "send a new token; if this one is new, set the clocks"),
            VerifyError::NotYetValid => self.time("nbf", "set the clocks of issuer and server"),
            VerifyError::IssuedInFuture => self.time("iat", "set the clocks of issuer and server"),
            VerifyError::TooOld { .. } => self.time("iat", "send a newer token, or raise `max_token_age`"),
            VerifyError::Audience { claims, expected } => self.audience(claims, expected),
            VerifyError::ClaimMissing { claim, .. } => self.missing(claim),
            VerifyError::ClaimInvalid { claim, expected } => Cure::new(
                claim_kind(claim, None),
                format!("have the identity provider send {} as {expected}", quoted(claim)),
            ),
            VerifyError::ClaimValue { claim, expected } => Cure::new(
                claim_kind(claim, Some("issuer.required_claims")),
                format!(
                    "the token has {}; ask for a token that has {expected}, or change `required_claims`",
                    quoted(
                        &self
                            .claim(claim)
                            .map_or_else(|| "another value".to_owned(), Value::to_string)
                    )
                ),
            ),
            VerifyError::KeysUnavailable { .. } => self.no_keys(),
            _ => return None,
        })
    }

    fn malformed(&self, fault: &MalformedToken) -> Cure {
        let sentence = match fault {
            MalformedToken::Parts { parts: 1..=2 } if is_opaque(self.token) => {
                "this looks like an opaque access token, not a JWT; ask the identity provider for a JWT: name this \
                 service where the token is asked for (`resource` or `audience`)"
            }
            MalformedToken::Encrypted => "have the identity provider sign its access tokens and not encrypt them",
            MalformedToken::Duplicate { .. } | MalformedToken::NotAnObject { .. } | MalformedToken::TooDeep { .. } => {
                "have the issuer make its tokens with a JWT library; nothing in between mends this one"
            }
            _ => "send the whole token as it was issued; it was cut off, changed, or broken into lines on the way",
        };
        Cure::new(CureKind::Token, sentence)
    }

    fn algorithm(&self, presented: Option<&str>, allowed: &[narthex_token::Algorithm]) -> Cure {
        let name = presented.unwrap_or("none");
        let shared = name.starts_with("HS");
        let Some(policy) = self.policy() else {
            return setting(
                "issuer.algorithms",
                &format!(
                    "no issuer takes {}; sign with an algorithm that one lists",
                    quoted(name)
                ),
            );
        };
        let fits = shared == (policy.key_source == KeySource::SharedSecret);
        let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        let allowed = list(allowed.iter().map(String::as_str));
        let issuer = quoted(&policy.name);
        let sentence = if name.eq_ignore_ascii_case("none") {
            format!("have the issuer sign its tokens, with {allowed}")
        } else if fits {
            format!(
                "sign with {allowed}, or add {} to `algorithms` of the issuer {issuer}",
                quoted(name)
            )
        } else if shared {
            format!(
                "the issuer {issuer} has public keys, and {} signs with a shared secret: sign with {allowed}, or \
                 configure an issuer with `secret_file`",
                quoted(name)
            )
        } else {
            format!(
                "the issuer {issuer} has a shared secret, and {} signs with a private key: sign with {allowed}, or \
                 configure an issuer with a key set",
                quoted(name)
            )
        };
        setting("issuer.algorithms", &sentence)
    }

    fn unknown_issuer(&self) -> Cure {
        let found = self.claim("iss").and_then(Value::as_str);
        let policies = self.runtime.by_name.values().map(|issuer| issuer.trusted.policy());
        let mut configured: Vec<IssuerChoice> = policies.map(|policy| choice(policy, found)).collect();
        configured.sort_by_key(|choice| (Reverse(choice.difference.is_some()), choice.name.clone()));
        let names = || {
            let texts = configured
                .iter()
                .map(|choice| choice.issuer.as_deref().unwrap_or("(no `iss`)"));
            list(texts)
        };
        let near = configured.iter().find(|choice| choice.difference.is_some());
        let sentence = match (found, near) {
            (None, _) => format!(
                "have the issuer put `iss` into its tokens; the configured issuers are {}",
                names()
            ),
            (Some(found), Some(near)) => {
                let (issuer, name) = (near.issuer.as_deref().unwrap_or_default(), quoted(&near.name));
                let (by, cure) = difference_words(near.difference.unwrap_or_default());
                format!(
                    "the token says {} and issuer {name} is configured as {}: they differ by {by}; {cure}",
                    quoted(found),
                    quoted(issuer)
                )
            }
            (Some(found), None) => format!(
                "the token says {}; the configured issuers are {}: get a token from one of them, or configure this one",
                quoted(found),
                names()
            ),
        };
        let found = found.map(str::to_owned);
        Cure::new(CureKind::Issuer { found, configured }, sentence)
    }

    fn keys(&self) -> CureKind {
        let issuer = self.issuer();
        CureKind::Keys {
            issuer: issuer.map(|issuer| issuer.name.to_string()),
            location: issuer.and_then(|issuer| issuer.keys.source().location()),
        }
    }

    fn source_words(&self) -> String {
        match self.issuer().and_then(|issuer| issuer.keys.source().location()) {
            Some(location) => format!(" at {}", quoted(&location)),
            None => String::new(),
        }
    }

    fn unknown_key(&self) -> Cure {
        let health = self.issuer().map(|issuer| issuer.keys.health(self.now_ms));
        if health.is_some_and(|health| health.failures_in_a_row > 0) {
            return self.no_keys();
        }
        let sentence = format!(
            "get a token that is signed with a key of the set{}; if all tokens of this issuer name another key, the set \
             is that of another environment or realm",
            self.source_words()
        );
        Cure::new(self.keys(), sentence)
    }

    fn signature(&self) -> Cure {
        let secret = self
            .policy()
            .is_some_and(|policy| policy.key_source == KeySource::SharedSecret);
        let sentence = if secret {
            "compare the secret that the sender signs with and the configured one, byte for byte (a line break at the \
             end, base64 or hex taken for text)"
                .to_owned()
        } else {
            format!(
                "get a new token; if every token of this issuer fails, its keys{} are not the ones it signs with, or \
                 something changes its tokens on the way",
                self.source_words()
            )
        };
        Cure::new(self.keys(), sentence)
    }

    fn no_keys(&self) -> Cure {
        let health = self.issuer().map(|issuer| issuer.keys.health(self.now_ms));
        let why = health.and_then(|health| health.last_error).map(|error| error.message);
        let sentence = match why {
            Some(why) => format!("mend the key source{}: {why}", self.source_words()),
            None => format!(
                "the keys{} have not been read yet; try again shortly",
                self.source_words()
            ),
        };
        Cure::new(self.keys(), sentence)
    }

    fn time(&self, claim: &str, what: &str) -> Cure {
        let leeway = self.policy().map_or(0, |policy| policy.leeway_seconds);
        let now = narthex_fetch::keys::Moment(self.now_ms);
        let sentence = format!("{what} (here it is {now}, and a leeway of {leeway} s is granted)");
        Cure::new(
            CureKind::Time {
                claim: claim.to_owned(),
            },
            sentence,
        )
    }

    fn audience(&self, names: &[String], expected: &[String]) -> Cure {
        let mut found = Vec::new();
        for name in names {
            match self.claim(name) {
                Some(Value::String(text)) => found.push(text.clone()),
                Some(Value::Array(items)) => {
                    found.extend(items.iter().filter_map(Value::as_str).map(str::to_owned));
                }
                _ => {}
            }
        }
        let claim = list(names.iter().map(String::as_str));
        let wanted = list(expected.iter().map(String::as_str));
        let sentence = if found.is_empty() {
            format!("have the identity provider put {wanted} into {claim}; the token names no audience")
        } else {
            let has = list(found.iter().map(String::as_str));
            format!(
                "ask the identity provider for a token whose {claim} names {wanted}; this one is for {has} (if such \
                 tokens are meant for this service, add that to `audiences`)"
            )
        };
        let expected = expected.to_vec();
        Cure::new(CureKind::Audience { expected, found }, sentence)
    }

    fn missing(&self, claim: &str) -> Cure {
        let shared = self
            .policy()
            .filter(|policy| policy.key_source == KeySource::SharedSecret);
        if let ("exp", Some(policy)) = (claim, shared.filter(|policy| policy.expiry == Expiry::Required)) {
            return Cure::new(
                claim_kind(claim, Some("issuer.danger_tokens_without_exp")),
                format!(
                    "have the sender put `exp` into its tokens (`expiresIn` of most JWT libraries); if it cannot, set \
                     `danger_tokens_without_exp = true` for the issuer {}: a token that never expires is a password",
                    quoted(&policy.name)
                ),
            );
        }
        let claims = claims(self.inspection);
        let near = claims.map(|claims| nearest(claim, claims.keys().map(String::as_str), 1));
        let near = near.and_then(|near| near.first().map(|near| format!("; it has {}", quoted(near))));
        let sentence = format!(
            "have the identity provider put {} into the token{}",
            quoted(claim),
            near.unwrap_or_default()
        );
        Cure::new(claim_kind(claim, None), sentence)
    }
}

fn claim_kind(claim: &str, setting: Option<&str>) -> CureKind {
    CureKind::Claim {
        claim: claim.to_owned(),
        function: None,
        setting: setting.map(str::to_owned),
    }
}

fn setting(key: &str, sentence: &str) -> Cure {
    let setting = key.to_owned();
    Cure::new(CureKind::Setting { setting }, sentence)
}

/// Tests whether a text may be an opaque access token: one word that is no part of a JWT.
fn is_opaque(token: &str) -> bool {
    // A JWT begins with `{"` in base64url.
    let word = token.len() >= 16 && token.bytes().all(|byte| byte.is_ascii_graphic());
    word && !token.starts_with("eyJ")
}

fn choice(policy: &IssuerPolicy, found: Option<&str>) -> IssuerChoice {
    let mut own = policy.issuer.iter().chain(&policy.aliases);
    let near = own.find_map(|own| Some((own, difference(found?, own)?)));
    IssuerChoice {
        name: policy.name.clone(),
        issuer: near.map(|(own, _)| own.clone()).or_else(|| policy.issuer.clone()),
        difference: near.map(|(_, difference)| difference),
    }
}

/// Returns the single difference between two issuers, if there is only one.
fn difference(found: &str, configured: &str) -> Option<&'static str> {
    let slashless = |text: &str| text.trim_end_matches('/').to_lowercase();
    if found.trim_end_matches('/') == configured.trim_end_matches('/') {
        return Some("trailing_slash");
    }
    if slashless(found) == slashless(configured) {
        return Some("case");
    }
    let (found, configured) = (slashless(found), slashless(configured));
    let apart = |text: &str| -> (String, String) {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        (host.to_owned(), path.to_owned())
    };
    let (one, other) = (apart(&found), apart(&configured));
    match (one.0 == other.0, one.1 == other.1) {
        (true, true) => Some("scheme"),
        (true, false) => Some("path"),
        (false, true) if !one.1.is_empty() => Some("host"),
        _ => None,
    }
}

/// Returns the difference in words, and its remedy.
fn difference_words(difference: &str) -> (&'static str, &'static str) {
    const SAME: &str = "correct `issuer`, or add the token's to `aliases`";
    const PERHAPS: &str = "if it is the same identity provider, correct `issuer` or add the token's to `aliases`";
    match difference {
        "trailing_slash" => ("a slash at the end", SAME),
        "case" => ("upper and lower case", SAME),
        "scheme" => ("the scheme in front (`https://`)", SAME),
        "host" => ("the host", PERHAPS),
        _ => ("the path (another tenant, realm or version)", PERHAPS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_are_compared_part_by_part() {
        for (found, configured, expected) in [
            ("https://id.test/", "https://id.test", Some("trailing_slash")),
            ("https://ID.test", "https://id.test", Some("case")),
            ("http://id.test", "https://id.test", Some("scheme")),
            ("accounts.google.com", "https://accounts.google.com", Some("scheme")),
            ("https://a.test/realms/app", "https://b.test/realms/app", Some("host")),
            ("https://id.test/realms/one", "https://id.test/realms/two", Some("path")),
            ("https://id.test", "https://other.test", None),
        ] {
            assert_eq!(difference(found, configured), expected, "{found} {configured}");
        }
    }

    #[test]
    fn opaque_tokens_are_known() {
        for (token, opaque) in [
            ("ya29.a0AfH6SMBx7Zk-1", true),
            ("gho_16C7e42F292c6912E7710c838347Ae178B4a", true),
            ("eyJhbGciOiJSUzI1NiJ9", false),
            ("short", false),
        ] {
            assert_eq!(is_opaque(token), opaque, "{token}");
        }
    }
}
