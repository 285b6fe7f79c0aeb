//! A proposal in the making: one function for each setting.

use serde_json::{Map, Value, json};

use crate::address::{is_private, issuer_url};
use crate::provider::{Habits, Provider, REALM_ROLES, UNKNOWN};
use crate::{Proposal, ProposedSetting};

/// Algorithms that a key set can have, beside the default (RFC 7518, RFC 8037, RFC 9864, RFC 9964).
const ALGORITHMS: [&str; 14] = [
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
    "ML-DSA-44",
    "ML-DSA-65",
    "ML-DSA-87",
];

/// Audiences of Microsoft Graph, whose tokens no other service can verify.
const GRAPH: [&str; 2] = ["00000003-0000-0000-c000-000000000000", "https://graph.microsoft.com"];

/// The longest name of an issuer that is proposed, in characters.
const NAME_MAX: usize = 32;

pub(crate) struct Draft<'s> {
    provider: Option<Provider>,
    habits: Habits,
    header: &'s Map<String, Value>,
    claims: &'s Map<String, Value>,
    proposal: Proposal,
}

impl<'s> Draft<'s> {
    pub(crate) fn new(
        provider: Option<Provider>,
        header: &'s Map<String, Value>,
        claims: &'s Map<String, Value>,
    ) -> Self {
        Self {
            provider,
            habits: provider.map_or(UNKNOWN, Provider::habits),
            header,
            claims,
            proposal: Proposal {
                provider,
                is_complete: true,
                ..Proposal::default()
            },
        }
    }

    pub(crate) fn finish(self) -> Proposal {
        self.proposal
    }

    fn set(&mut self, field: &'static str, value: Value, reason: impl Into<String>) {
        self.set_from(field, value, reason, None, None);
    }

    fn set_from(
        &mut self,
        field: &'static str,
        value: Value,
        reason: impl Into<String>,
        claim: Option<&str>,
        sample: Option<Value>,
    ) {
        self.proposal.settings.push(ProposedSetting {
            field,
            value,
            reason: reason.into(),
            claim: claim.map(str::to_owned),
            sample,
        });
    }

    fn caution(&mut self, text: impl Into<String>) {
        self.proposal.cautions.push(text.into());
    }

    fn text(&self, claim: &str) -> Option<&'s str> {
        let text = self.claims.get(claim)?.as_str()?;
        (!text.is_empty()).then_some(text)
    }

    pub(crate) fn name(&mut self, issuer: &str) {
        let (name, reason) = if let Some(provider) = self.provider {
            (
                provider.as_str().to_owned(),
                format!("the address is one of {}", provider.label()),
            )
        } else {
            let host = issuer_url(issuer).and_then(|url| url.host_str().map(str::to_owned));
            (
                word_of(&host.unwrap_or_default()),
                "from the host of the address".to_owned(),
            )
        };
        self.set("/name", name.into(), reason);
    }

    pub(crate) fn issuer(&mut self, issuer: &str, claim: Option<&str>) {
        let reason = "tokens are compared with it character for character";
        let sample = claim.map(|_| Value::from(issuer));
        self.set_from("/issuer", issuer.into(), reason, claim, sample);
    }

    /// SECURITY: an address of the sample is proposed and not asked. Keys are fetched later, by the guarded client.
    pub(crate) fn keys(&mut self, issuer: &str) {
        match self.provider {
            Some(Provider::GoogleIap) => {
                let keys = "https://www.gstatic.com/iap/verify/public_key-jwk";
                self.set("/jwks_url", keys.into(), "Google publishes the keys of IAP there");
                return;
            }
            Some(Provider::Kubernetes) if issuer_url(issuer).is_some_and(|url| is_private(&url)) => {
                let keys = "https://kubernetes.default.svc/openid/v1/jwks";
                self.set(
                    "/jwks_url",
                    keys.into(),
                    "the API server publishes the keys of service accounts there",
                );
                self.proposal.is_complete = false;
                self.caution(
                    "the keys are at a private host and need a token: declare this issuer in the configuration file, with \
                     `ca_file`, `bearer_token_file` and `allow_private_hosts`",
                );
                return;
            }
            _ => {}
        }
        let Some(url) = issuer_url(issuer) else {
            self.proposal.is_complete = false;
            self.caution(
                "the issuer is no `https` address, so its keys cannot be looked for there; add `jwks_url` with the address of \
                 its key set",
            );
            return;
        };
        if is_private(&url) {
            self.proposal.is_complete = false;
            self.caution(
                "the issuer is at a private host; an administrator of this machine declares such an issuer in the \
                 configuration file, with `allow_private_hosts`",
            );
        }
        if self.provider == Some(Provider::CloudflareAccess) {
            let keys = format!("{}/cdn-cgi/access/certs", issuer.trim_end_matches('/'));
            self.set(
                "/jwks_url",
                keys.into(),
                "Cloudflare publishes the keys of a team there",
            );
        } else {
            let reason = "the provider's OpenID configuration names its keys (OpenID Connect Discovery 1.0)";
            self.set("/discovery", true.into(), reason);
        }
    }

    pub(crate) fn algorithm(&mut self, algorithm: &str) {
        if algorithm == "RS256" {
            return;
        }
        if ALGORITHMS.contains(&algorithm) {
            let reason = "the sample is signed with it, and the default is RS256 alone";
            let sample = Some(Value::from(algorithm));
            self.set_from("/algorithms", json!([algorithm]), reason, Some("header.alg"), sample);
        } else {
            self.proposal.is_complete = false;
            self.caution(
                "the sample is signed with an algorithm that is not supported; have the provider use RS256 or ES256",
            );
        }
    }

    pub(crate) fn token_type(&mut self) {
        let Some(kind) = self.header.get("typ").and_then(Value::as_str) else {
            return;
        };
        let lower = kind.to_ascii_lowercase();
        if matches!(lower.strip_prefix("application/").unwrap_or(&lower), "jwt" | "at+jwt") {
            return;
        }
        if lower.contains("logout") || lower.contains("dpop") {
            self.proposal.is_complete = false;
            self.caution("the sample is no token of a user, by its `typ`; take an access token or an ID token");
            return;
        }
        let reason = "the sample has this `typ`, which is not taken without being listed";
        self.set_from(
            "/token_types",
            json!([kind]),
            reason,
            Some("header.typ"),
            Some(kind.into()),
        );
    }

    pub(crate) fn audience(&mut self) {
        let Some((claim, audience, reason)) = self.own_audience() else {
            self.proposal.is_complete = false;
            self.caution("the sample names no audience; ask the provider for a token for your application");
            return;
        };
        let sample = self.claims.get(claim).cloned();
        if GRAPH.contains(&audience.as_str()) {
            self.proposal.is_complete = false;
            self.caution(
                "the sample is for Microsoft Graph, and no other service can verify it; ask for a scope of your own \
                 application",
            );
        }
        if audience == "account" {
            self.caution("the audience `account` is Keycloak's own; add an audience mapper with your client");
        }
        self.set_from("/audiences", json!([audience]), reason, Some(claim), sample);
        if claim != "aud" {
            let reason = "tokens of this kind have no `aud`; ID tokens of the same provider do";
            self.set("/audience_claims", json!(["aud", claim]), reason);
        }
    }

    /// The audience, its claim and the reason: of several, the one that is the client's own.
    fn own_audience(&self) -> Option<(&'static str, String, &'static str)> {
        let client = ["azp", "client_id", "appid", "cid"]
            .into_iter()
            .find_map(|claim| self.text(claim));
        match self.claims.get("aud") {
            Some(Value::String(audience)) if !audience.is_empty() => {
                Some(("aud", audience.clone(), "tokens for other applications are refused"))
            }
            Some(Value::Array(audiences)) => {
                let texts: Vec<&str> = audiences.iter().filter_map(Value::as_str).collect();
                let own = texts.iter().find(|text| Some(**text) == client);
                let reason = match own {
                    Some(_) => "of several audiences the one that is the client's own",
                    None => "the first of several audiences; choose your application's",
                };
                Some(("aud", (*own.or(texts.first())?).to_owned(), reason))
            }
            _ => {
                let client = self.text("client_id")?;
                Some(("client_id", client.to_owned(), "tokens of other clients are refused"))
            }
        }
    }

    pub(crate) fn required_claims(&mut self) {
        match self.provider {
            Some(Provider::Google) => match self.text("hd") {
                Some(domain) => {
                    let value = json!({ "hd": domain, "email_verified": true });
                    let reason = "without it, every Google account passes";
                    self.set_from("/required_claims", value, reason, Some("hd"), Some(domain.into()));
                }
                None => self.caution(
                    "the sample is of no Google Workspace (`hd`), so every Google account passes; grant roles by hand only",
                ),
            },
            Some(Provider::GithubActions) => {
                if let Some(owner) = self.text("repository_owner") {
                    let reason = "all of GitHub has this issuer";
                    let value = json!({ "repository_owner": owner });
                    self.set_from("/required_claims", value, reason, Some("repository_owner"), Some(owner.into()));
                }
            }
            Some(Provider::Cognito) => {
                if let Some(kind) = self.text("token_use") {
                    let reason = "it tells access tokens and ID tokens apart; take one kind";
                    let value = json!({ "token_use": kind });
                    self.set_from("/required_claims", value, reason, Some("token_use"), Some(kind.into()));
                }
            }
            _ => {}
        }
    }

    pub(crate) fn token_place(&mut self) {
        let header = match self.provider {
            Some(Provider::CloudflareAccess) => "header:Cf-Access-Jwt-Assertion",
            Some(Provider::GoogleIap) => "header:X-Goog-IAP-JWT-Assertion",
            _ => return,
        };
        self.set(
            "/token_from",
            json!([header]),
            "the provider sends its token in this header",
        );
    }

    pub(crate) fn user(&mut self) {
        let subject = self
            .habits
            .subjects
            .iter()
            .find(|(claim, _)| self.text(claim).is_some());
        if let Some((claim, reason)) = subject {
            self.field("/mapping/user/external_id", claim, reason);
        } else {
            self.proposal.is_complete = false;
            self.caution("the sample names no user (`sub`); ask the provider for a token of a user");
        }
        let subject = subject.map(|(claim, _)| *claim);
        let mut usernames = self.habits.usernames.iter();
        if let Some(claim) = usernames.find(|claim| Some(**claim) != subject && self.text(claim).is_some()) {
            self.field("/mapping/user/username", claim, "the name that people know the user by");
        } else if subject == Some("uid") && self.text("sub").is_some() {
            self.field("/mapping/user/username", "sub", "the login name, which can change");
        }
        for (field, claim) in [("/mapping/user/email", "email"), ("/mapping/user/name", "name")] {
            if self.text(claim).is_some() {
                self.field(field, claim, "shown to people; never used as a key");
            }
        }
    }

    fn field(&mut self, field: &'static str, claim: &'static str, reason: &str) {
        let sample = self.claims.get(claim).cloned();
        let template = template_of(claim);
        self.set_from(field, template.into(), reason, Some(claim), sample);
    }

    /// The user by the claims that the provider usually writes.
    pub(crate) fn usual_user(&mut self) {
        if let Some((claim, reason)) = self.habits.subjects.first() {
            self.set("/mapping/user/external_id", template_of(claim).into(), *reason);
        }
        if let Some(claim) = self.habits.usernames.first() {
            let reason = "the name that people know the user by";
            self.set("/mapping/user/username", template_of(claim).into(), reason);
        }
    }

    pub(crate) fn tags(&mut self) {
        let is_overage = self.claims.contains_key("_claim_names") || self.claims.contains_key("hasgroups");
        if is_overage {
            self.caution(
                "the user is in so many groups that the provider left them out (overage); such a token is refused with \
                 `tags.overage`, so use application roles instead of groups",
            );
        }
        let known = self.habits.tags.iter().find(|claim| is_listed(self.listed(claim)));
        if let Some(claim) = known {
            let sample = self.listed(claim).cloned();
            let reason = "a list of groups or roles; organizations list those that give roles";
            self.set_from("/tags/claim", (*claim).into(), reason, Some(name_of(claim)), sample);
            self.missing_tags();
            return;
        }
        if let Some((claim, list)) = self.own_namespace() {
            let reason = "a claim of your own namespace with a list of groups or roles";
            self.set_from("/tags/claim", claim.as_str().into(), reason, Some(&claim), Some(list));
            self.missing_tags();
            return;
        }
        self.usual_tags(
            "the provider's usual claim; the sample has none, as tokens of services and of users without groups",
        );
    }

    /// The tags by the claim that the provider usually writes; none for one that has no groups.
    pub(crate) fn usual_tags(&mut self, reason: &str) {
        let first = match self.provider {
            Some(_) => self.habits.tags.first(),
            None => None,
        };
        match first {
            Some(claim) => {
                self.set("/tags/claim", (*claim).into(), reason);
                self.set(
                    "/tags/on_missing",
                    "keep".into(),
                    "tokens without it exist, and their absence changes no role",
                );
            }
            None => self.caution("no list of groups or roles is known, so roles are granted by hand, or by claims"),
        }
    }

    fn missing_tags(&mut self) {
        let (value, reason) = if self.habits.omits_empty_tags {
            (
                "keep",
                "the provider leaves the claim out for a user without groups, so its absence changes no role",
            )
        } else {
            (
                "error",
                "the provider writes an empty list, so a token without the claim is a mistake and is refused",
            )
        };
        self.set("/tags/on_missing", value.into(), reason);
    }

    fn listed(&self, claim: &str) -> Option<&'s Value> {
        if claim == REALM_ROLES {
            return self.claims.get("realm_access")?.get("roles");
        }
        self.claims.get(claim)
    }

    /// A claim whose name is an address, as Auth0 asks for, with a list in it.
    ///
    /// SECURITY: the name is the sample's own text. It is proposed only if it cannot be taken for a template.
    fn own_namespace(&self) -> Option<(String, Value)> {
        let is_name = |name: &str| {
            let end = name.rsplit('/').next().unwrap_or_default();
            matches!(end, "groups" | "roles") && issuer_url(name).is_some() && !name.contains(['{', '}'])
        };
        let mut entries = self.claims.iter();
        let found = entries.find(|entry| is_name(entry.0) && is_listed(Some(entry.1)));
        found.map(|(name, value)| (name.clone(), value.clone()))
    }
}

/// Tests whether a value is a list of tags: texts, or one text.
fn is_listed(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Array(list)) => list.iter().all(Value::is_string),
        Some(Value::String(text)) => !text.is_empty(),
        _ => false,
    }
}

/// The template that gives a claim.
fn template_of(claim: &str) -> String {
    format!("{{{{payload.{claim}}}}}")
}

/// The name of a tags claim for people.
fn name_of(claim: &'static str) -> &'static str {
    if claim == REALM_ROLES {
        "realm_access.roles"
    } else {
        claim
    }
}

/// A word for the name of an issuer, from a host: its label before the last two, or the first one.
fn word_of(host: &str) -> String {
    let labels: Vec<&str> = host.split('.').filter(|label| !label.is_empty()).collect();
    let label = match labels.as_slice() {
        [.., label, _] | [label] => *label,
        [] => "",
    };
    let is_word = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-';
    let word: String = label
        .to_ascii_lowercase()
        .chars()
        .filter(is_word)
        .take(NAME_MAX)
        .collect();
    let word = word.trim_matches('-');
    if word.starts_with(|c: char| c.is_ascii_lowercase()) {
        word.to_owned()
    } else {
        "issuer".to_owned()
    }
}
