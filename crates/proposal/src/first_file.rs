//! A first configuration file with an issuer and a route, as a sample token suggests them. Nothing here is verified.
//!
//! Its author owns the machine, so it may name files and take a shared secret, which a [`Proposal`](crate::Proposal) may not.

use serde_json::{Map, Value};

use crate::provider::REALM_ROLES;

/// Source of the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// OpenID discovery under the issuer's address.
    Discovery,
    /// URL of a key set.
    Url(String),
    /// File with a key set.
    File(String),
    /// File with a shared secret.
    Secret(String),
}

/// Proposed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstFile {
    /// Name of the issuer in the configuration.
    pub name: String,
    issuer: Option<String>,
    keys: KeySource,
    /// Only if it is not the default of the key source.
    algorithm: Option<String>,
    audience: Option<String>,
    /// Only if it is not `aud`.
    audience_claim: Option<&'static str>,
    /// Only if it is not accepted anyway.
    token_type: Option<String>,
    /// Fields of the user, each with its claim.
    user: Vec<(&'static str, &'static str)>,
    /// Value of `claim` of `[issuer.tags]`.
    tags: Option<&'static str>,
}

/// Claims that identify a user for ever, best first.
const SUBJECTS: [&str; 2] = ["sub", "oid"];

/// Other fields of a user, with the claims that usually have them, best first.
const PROFILE: [(&str, &[&str]); 3] = [
    ("username", &["preferred_username", "upn", "nickname"]),
    ("email", &["email"]),
    ("name", &["name"]),
];

/// Claims at the top of the payload that usually list groups, best first.
const TAGS: [&str; 4] = ["groups", "roles", "cognito:groups", "permissions"];

impl FirstFile {
    /// A proposal for a provider of which only the address is known, with the claims of OpenID Connect Core 5.1.
    pub fn of_address(issuer: String, keys: KeySource) -> Self {
        Self {
            name: String::new(),
            issuer: Some(issuer),
            keys,
            algorithm: None,
            audience: None,
            audience_claim: None,
            token_type: None,
            user: vec![
                ("external_id", "sub"),
                ("username", "preferred_username"),
                ("email", "email"),
                ("name", "name"),
            ],
            tags: None,
        }
    }

    /// A proposal that lets the sample token in, if its signature and times are right.
    ///
    /// # Errors
    ///
    /// When the token lacks what no configuration can do without, with what to do.
    pub fn of_sample(
        header: &Map<String, Value>,
        claims: &Map<String, Value>,
        keys: KeySource,
    ) -> Result<Self, String> {
        let algorithm = header.get("alg").and_then(Value::as_str).unwrap_or_default();
        let shared = algorithm.starts_with("HS");
        if shared != matches!(keys, KeySource::Secret(_)) {
            return Err(if shared {
                "the token is signed with a shared secret; name its file with `--secret-file`".to_owned()
            } else {
                "the token is signed with a private key, so `--secret-file` cannot verify it; leave it out".to_owned()
            });
        }
        let issuer = text(claims, "iss");
        if issuer.is_none() && !shared {
            return Err("the token has no `iss`, and only tokens with a shared secret may do without".to_owned());
        }
        let (audience_claim, audience) = match audience(claims) {
            Some((claim, audience)) => (Some(claim), Some(audience)),
            None if shared => (None, None),
            None => return Err("the token has no `aud`; ask the provider for a token for your application".to_owned()),
        };
        let subject = SUBJECTS.into_iter().find(|claim| text(claims, claim).is_some());
        let Some(subject) = subject else {
            return Err(
                "the token has no `sub`, so it says of no user; ask the provider for a token of a user".to_owned(),
            );
        };
        let mut user = vec![("external_id", subject)];
        for (field, candidates) in PROFILE {
            let claim = candidates.iter().find(|claim| text(claims, claim).is_some());
            user.extend(claim.map(|claim| (field, *claim)));
        }
        let default = if shared { "HS256" } else { "RS256" };
        Ok(Self {
            name: String::new(),
            issuer,
            keys,
            algorithm: (algorithm != default).then(|| algorithm.to_owned()),
            audience,
            audience_claim: audience_claim.filter(|claim| *claim != "aud"),
            token_type: text(header, "typ").filter(|kind| !is_usual(kind)),
            user,
            tags: tags(claims),
        })
    }

    /// Replaces the audience, which then is that of the claim `aud`.
    pub fn set_audience(&mut self, audience: String) {
        self.audience = Some(audience);
        self.audience_claim = None;
    }

    /// The proposal in words, without a value of a claim.
    pub fn describe(&self) -> Vec<String> {
        let keys = match &self.keys {
            KeySource::Discovery => "the provider's OpenID discovery".to_owned(),
            KeySource::Url(url) => url.clone(),
            KeySource::File(file) | KeySource::Secret(file) => file.clone(),
        };
        let user = self.user.iter().map(|(field, claim)| format!("{field} from `{claim}`"));
        let mut lines = vec![
            format!("keys    {keys}"),
            format!("user    {}", user.collect::<Vec<_>>().join(", ")),
        ];
        lines.extend(self.tags.map(|claim| format!("groups  `{claim}`")));
        lines.push("route   every path, for every user with a valid token".to_owned());
        lines
    }

    /// The sections of the configuration file.
    // SECURITY: texts of the token are written as TOML strings, and nothing of it as a comment, a key or a template.
    pub fn render(&self, upstream: &str) -> String {
        let mut file = "# Written by `narthex init`. Every key: `narthex config default`.\n\n[[issuer]]\n".to_owned();
        let mut line = |line: String| file.push_str(&(line + "\n"));
        line(format!("name = {}", quoted(&self.name)));
        if let Some(issuer) = &self.issuer {
            line("# The `iss` of the tokens, character for character.".to_owned());
            line(format!("issuer = {}", quoted(issuer)));
        }
        line(match &self.keys {
            KeySource::Discovery => "discovery = true".to_owned(),
            KeySource::Url(url) => format!("jwks_url = {}", quoted(url)),
            KeySource::File(path) => format!("jwks_file = {}", quoted(path)),
            KeySource::Secret(path) => format!("secret_file = {}", quoted(path)),
        });
        if let Some(algorithm) = &self.algorithm {
            line(format!("algorithms = [{}]", quoted(algorithm)));
        }
        if let Some(audience) = &self.audience {
            line("# Tokens for other applications are refused.".to_owned());
            line(format!("audiences = [{}]", quoted(audience)));
        }
        if let Some(claim) = self.audience_claim {
            line(format!("audience_claims = [{}]", quoted(claim)));
        }
        if let Some(kind) = &self.token_type {
            line(format!("token_types = [{}]", quoted(kind)));
        }
        line("\n# `external_id` decides which user a token belongs to: a claim that never changes.".to_owned());
        line("[issuer.mapping.user]".to_owned());
        for (field, claim) in &self.user {
            line(format!("{field} = \"{{{{payload.{claim}}}}}\""));
        }
        if let Some(claim) = self.tags {
            line("\n# Groups become roles in the organizations that list them.".to_owned());
            line("[issuer.tags]".to_owned());
            line(format!("claim = {}", quoted(claim)));
            line(GROUPS.to_owned());
        }
        line("\n[[route]]".to_owned());
        line("path = \"/{*path}\"".to_owned());
        line("# Every user with a valid token. For one group only, see above, or docs/how-to/routes.md.".to_owned());
        line("require = \"authenticated\"".to_owned());
        line(format!("upstream = {}", quoted(upstream)));
        file
    }
}

/// An example of protection by group, to be taken out of its comment.
const GROUPS: &str = r#"
# To let in one group only, name it here, and write into the route:
#   organization = "staff"
#   require = "organization:member"
#[[organization]]
#name = "staff"
#external_member_groups = ["GROUP"]"#;

/// A text as a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A member that is a text with something in it.
fn text(members: &Map<String, Value>, name: &str) -> Option<String> {
    let text = members.get(name)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// The audience and its claim: of several, the one that is the client's own.
fn audience(claims: &Map<String, Value>) -> Option<(&'static str, String)> {
    let client = ["azp", "client_id", "appid"]
        .into_iter()
        .find_map(|claim| text(claims, claim));
    match claims.get("aud") {
        Some(Value::String(audience)) => Some(("aud", audience.clone())),
        Some(Value::Array(audiences)) => {
            let texts: Vec<&str> = audiences.iter().filter_map(Value::as_str).collect();
            let own = texts.iter().find(|text| Some(**text) == client.as_deref());
            Some(("aud", (*own.or(texts.first())?).to_owned()))
        }
        // Access tokens of Amazon Cognito.
        _ => Some(("client_id", text(claims, "client_id")?)),
    }
}

/// Tests whether a `typ` is accepted without being listed.
fn is_usual(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    matches!(kind.strip_prefix("application/").unwrap_or(&kind), "jwt" | "at+jwt")
}

/// Value of `claim` for the first claim that looks like a list of groups.
fn tags(claims: &Map<String, Value>) -> Option<&'static str> {
    let is_list = |value: &Value| value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
    let at_the_top = TAGS.into_iter().find(|claim| claims.get(*claim).is_some_and(is_list));
    at_the_top.or_else(|| {
        let roles = claims.get("realm_access")?.get("roles")?;
        is_list(roles).then_some(REALM_ROLES)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample(header: &Value, claims: &Value, keys: KeySource) -> Result<FirstFile, String> {
        FirstFile::of_sample(header.as_object().unwrap(), claims.as_object().unwrap(), keys)
    }

    #[test]
    fn a_sample_suggests_its_issuer_audience_user_and_groups() {
        let claims = json!({"iss": "https://id.test", "aud": ["account", "shop"], "azp": "shop", "sub": "1",
            "email": "a@b.test", "preferred_username": "ann", "realm_access": {"roles": ["x"]}});
        let proposal = sample(&json!({"alg": "ES256", "typ": "JWT"}), &claims, KeySource::Discovery).unwrap();
        assert_eq!(proposal.audience.as_deref(), Some("shop"));
        assert_eq!(proposal.tags, Some(REALM_ROLES));
        let file = proposal.render("http://127.0.0.1:9000");
        for line in [
            "issuer = \"https://id.test\"",
            "discovery = true",
            "algorithms = [\"ES256\"]",
            "audiences = [\"shop\"]",
            "external_id = \"{{payload.sub}}\"",
            "username = \"{{payload.preferred_username}}\"",
            "claim = \"{{payload.realm_access.roles}}\"",
        ] {
            assert!(file.lines().any(|found| found == line), "{line}\n{file}");
        }
    }

    #[test]
    fn a_shared_secret_needs_its_file_and_neither_issuer_nor_audience() {
        let claims = json!({"sub": "1"});
        let header = json!({"alg": "HS512"});
        let refused = sample(&header, &claims, KeySource::Discovery).unwrap_err();
        assert!(refused.contains("--secret-file"), "{refused}");
        let file = sample(&header, &claims, KeySource::Secret("/s".to_owned()))
            .unwrap()
            .render("http://a");
        assert!(
            file.contains("secret_file = \"/s\"") && file.contains("algorithms = [\"HS512\"]"),
            "{file}"
        );
        assert!(!file.contains("issuer = ") && !file.contains("audiences"), "{file}");
    }

    #[test]
    fn a_sample_that_no_configuration_can_let_in_is_refused_with_a_cure() {
        let header = json!({"alg": "RS256"});
        for (claims, missing) in [
            (json!({"aud": "a", "sub": "1"}), "`iss`"),
            (json!({"iss": "i", "sub": "1"}), "`aud`"),
            (json!({"iss": "i", "aud": "a"}), "`sub`"),
        ] {
            let refused = sample(&header, &claims, KeySource::Discovery).unwrap_err();
            assert!(refused.contains(missing), "{refused}");
        }
    }

    #[test]
    fn sec_a_sample_cannot_write_keys_or_templates_of_its_own() {
        let claims = json!({"iss": "i\"\nenabled = false\n#", "aud": "a\"]\n[listen]\n", "sub": "{{x}}"});
        let file = sample(&json!({"alg": "RS256"}), &claims, KeySource::Discovery)
            .unwrap()
            .render("http://a");
        let table: toml::Table = file.parse().unwrap();
        assert!(!table.contains_key("listen"), "{file}");
        let issuer = &table["issuer"][0];
        assert_eq!(issuer["issuer"].as_str(), claims["iss"].as_str());
        assert_eq!(issuer["audiences"][0].as_str(), claims["aud"].as_str());
        assert!(issuer.get("enabled").is_none(), "{file}");
    }
}
