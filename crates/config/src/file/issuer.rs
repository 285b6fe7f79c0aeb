//! `[[issuer]]` and its sub-tables: trusted issuers, their limits, and the mapping of their claims.

use std::path::PathBuf;
use std::time::Duration;

use narthex_settings_reader::{
    Defaulted, FromToml, Kind, List, Named, OneOrMany, Optional, Required, UrlText, Walk, WebUrl, choice, section,
};
use toml::Spanned;
use toml::de::DeValue;

use super::organization::TagText;
use crate::values::{ClaimValue, TemplateText};

section! {
    /// Identity provider whose tokens are trusted.
    ///
    /// An issuer has exactly one key source. For public keys it is `jwks_url`, `key_url`, `discovery = true` or
    /// `jwks_file`; for a shared secret it is `secret_file` or `secret_env`.
    IssuerSection {
        /// Name of this issuer on the command line, in logs and in reasons. Lower-case letters, digits, `-`, `_` and
        /// `.`.
        name: Required<String>, eg "\"corp\"";
        /// Expected `iss` of its tokens, compared exactly: a trailing slash is neither added nor removed. Required for
        /// key sets. One shared-secret issuer may leave it out; that issuer receives the tokens without `iss`.
        ///
        /// Several issuers can have the same value if their `audiences` do not overlap. `aud` then selects the issuer,
        /// so that two applications of one identity provider have mappings and tags of their own.
        issuer: Optional<String>, eg "\"https://id.example.com\"";
        /// Other `iss` values that also mean this issuer, each compared exactly.
        aliases: Defaulted<List<String>> = "[]", eg "[\"https://id.example.com/\"]";
        /// Tenants of a provider that gives each of them an `iss` of its own. `issuer` (and each of `aliases`) then has one
        /// placeholder, such as `{tid}`, and the claim of that name must equal the text in its place. A list holds the
        /// accepted values of the claim; `"any"` accepts every tenant. With more than one tenant, `external_id` must
        /// contain that claim, as in `"{{payload.tid}}:{{payload.oid}}"`.
        tenants: Optional<TenantsText>, eg "[\"11c43ee8-b9d3-4e51-b73f-bd9dda66e29c\"]";
        /// Realm of its users, organizations and teams. External ids are unique within a realm, and tags count only
        /// within it. Issuers that name the same realm share it. By default, a realm named after the issuer.
        realm: Optional<String>, eg "\"corp\"";
        /// Name of the one organization in which its tokens give roles, by tag, pattern or claim. Such an issuer has a realm of
        /// its own, creates no organization and makes no platform admins. Its empty list of tags revokes roles in that
        /// organization only.
        organization: Optional<String>, eg "\"acme\"";
        /// `false` refuses its tokens with `token.issuer_disabled`. Grants that came from this issuer stay on record,
        /// but have no effect until it is enabled again. The same holds for an issuer that is removed from the file.
        enabled: Defaulted<bool> = "true";

        /// Key source: URL of the issuer's JWK set. Must be https, or http on loopback.
        jwks_url: Optional<UrlText>, eg "\"https://id.example.com/keys\"";
        /// Key source: URL of one public key, as PEM or JWK, with `{kid}` in place of its id. A key is fetched when a token
        /// names it. Ids have 1 to 128 letters, digits, `-` and `_`; at most 100 keys are held. AWS load balancers publish
        /// their keys this way.
        key_url: Optional<UrlText>, eg "\"https://public-keys.auth.elb.eu-west-1.amazonaws.com/{kid}\"";
        /// Key source: the JWK set named by `/.well-known/openid-configuration` under `issuer`.
        discovery: Defaulted<bool> = "false", eg "true";
        /// Key source: file with the JWK set. It is read again when it changes.
        jwks_file: Optional<PathBuf>, eg "\"corp-jwks.json\"";
        /// Key source: file with the shared secret, or two files during a rotation. `secret_format` sets the encoding.
        secret_file: Optional<OneOrMany<PathBuf>>, eg "\"corp-secret\"";
        /// Key source: environment variable with the shared secret, or two variables during a rotation.
        secret_env: Optional<OneOrMany<String>>, eg "\"CORP_JWT_SECRET\"";
        /// Encoding of the shared secret. `text` takes the bytes as they are, except for one line break at the end;
        /// `raw` takes every byte. `hex`, `base64` and `base64url` ignore white space; padding is optional. Length
        /// requirements apply to the decoded bytes.
        secret_format: Defaulted<SecretFormat> = "\"text\"", eg "\"base64\"";
        /// Accepts a shared secret that is shorter than the hash of its algorithm (RFC 7518, 3.2). An attacker can
        /// guess a short secret from one token.
        danger_short_secret: Defaulted<bool> = "false", eg "true";
        /// PEM file with the certificate authorities to trust when fetching keys, instead of the well-known ones.
        ca_file: Optional<PathBuf>, eg "\"corp-ca.pem\"";
        /// HTTP proxy for fetching keys.
        proxy: Optional<WebUrl>, eg "\"http://proxy.internal:3128\"";
        /// File with a bearer token to send when fetching keys, such as the token of a Kubernetes service account.
        bearer_token_file: Optional<PathBuf>, eg "\"/var/run/secrets/kubernetes.io/serviceaccount/token\"";
        /// Host names with private addresses from which keys may be fetched. Other private addresses are refused, so
        /// that no URL can make Narthex call into your network. Name this machine by its address or as `localhost`.
        allow_private_hosts: Defaulted<List<String>> = "[]", eg "[\"keycloak.internal\"]";
        /// Maximum time that known keys stay in use while the issuer cannot be reached. After that, its tokens get 503.
        stale_max: Defaulted<Duration> = "\"1h\"";

        /// Algorithms that its tokens may use. By default `["RS256"]` for a key set and `["HS256"]` for a shared
        /// secret. A key set accepts no HS algorithm, and a shared secret accepts only HS algorithms.
        algorithms: Optional<List<KeySetAlgorithm>>, eg "[\"RS256\", \"ES256\"]";
        /// Accepted audiences: the token's `aud` must contain at least one of them. Required for key sets, because one
        /// key set signs for many applications.
        audiences: Defaulted<List<String>> = "[]", eg "[\"my-app\"]";
        /// Claims that may name the audience. Access tokens of Amazon Cognito have it in `client_id`.
        audience_claims: Defaulted<List<String>> = "[\"aud\"]", eg "[\"aud\", \"client_id\"]";
        /// Claims that a token must have, each with one value or a list of accepted values. Values are text, whole
        /// numbers, `true` or `false`, compared exactly.
        required_claims: Defaulted<Named<OneOrMany<ClaimValue>>> = "{}", eg "{ email_verified = true, hd = [\"example.com\", \"example.org\"] }";
        /// Additional accepted values of the `typ` header. No `typ`, `JWT` and `at+jwt` are always accepted. Case and
        /// the prefix `application/` do not matter. `logout+jwt` cannot be listed: a logout token says that a session
        /// has ended, not who is calling.
        token_types: Defaulted<List<String>> = "[]", eg "[\"acme-session+jwt\"]";
        /// Tolerated difference between the issuer's clock and this machine's, at most one day. A need for more than a
        /// minute or two means that a clock is wrong.
        leeway: Defaulted<Duration> = "\"60s\"";
        /// Maximum age of a token since its `iat`, whatever its `exp`. If it is set, tokens without `iat` are refused
        /// too.
        max_token_age: Optional<Duration>, eg "\"24h\"";
        /// Accepts tokens that never expire. Allowed for a shared secret only. A leaked token then works until the
        /// secret is changed.
        danger_tokens_without_exp: Defaulted<bool> = "false", eg "true";
        /// Accepts tokens that are bound to a key of their sender (claim `cnf`) without proof of that key. A stolen
        /// token is then as good as its owner's, which the binding is meant to prevent. By default, such tokens are
        /// refused with `token.bound`.
        danger_bound_tokens_as_bearer: Defaulted<bool> = "false", eg "true";
        /// Use of tokens that are bound to a key of their sender (DPoP, RFC 9449): those with `cnf.jkt`. `off` refuses them with
        /// `token.bound`. `accept` lets them pass as `Authorization: DPoP …` with a proof in the header `DPoP`; they are refused
        /// without one, and each proof counts once, on all nodes. `require` also refuses tokens that are not bound, with
        /// `token.proof`.
        dpop: Defaulted<DpopText> = "\"off\"", eg "\"accept\"";

        /// Places where the token may be. The list replaces the default, `authorization`.
        ///
        /// `authorization`: `Authorization: Bearer`. `header:NAME`: another header; the word `Bearer` in it is optional.
        /// `cookie:NAME`: a cookie. `query:NAME`: a query parameter; URLs end up in logs and histories, so prefer a
        /// header or a cookie. `websocket:PREFIX`: a WebSocket subprotocol that begins with this text; the token is
        /// what follows it.
        ///
        /// A request has one token. The same token in two places counts once; two different ones are refused. The token
        /// is removed before the request is forwarded, unless the route sets `forward_token`. `Authorization` that is
        /// no listed place is forwarded unchanged.
        token_from: Optional<OneOrMany<String>>, eg "[\"authorization\", \"cookie:id_token\"]";

        /// Endpoint that says what an opaque token is (RFC 7662). Such a token counts only where exactly one of the issuers that
        /// a route takes has one. The answer is checked like the claims of a JWT, but for `iss` and `exp`, which may be absent, and
        /// cached like one, for a minute at most: a revoked token may work for that long.
        introspection: Optional<IntrospectionSection>;

        /// Client id of Narthex at this issuer, for sign-in (`[login]`). It is the audience of ID tokens in sessions, and does
        /// not become an audience of other tokens. `issuer` must then be the URL of an OpenID provider.
        client_id: Optional<String>, eg "\"narthex\"";
        /// File with the client's secret. Without it, the client is a public one.
        client_secret_file: Optional<PathBuf>, eg "\"client-secret\"";
        /// Scopes that sign-in asks for, in addition to `openid`. Many providers give a refresh token only for
        /// `offline_access`; without one, a session ends with its ID token.
        scopes: Defaulted<List<String>> = "[\"profile\", \"email\"]", eg "[\"profile\", \"email\", \"offline_access\"]";

        /// Origins of the pages that may embed your applications, and sign users in there with tokens of this issuer at
        /// `/.narthex/login`: scheme, host and, if it is not the usual one, port. The session of such a frame has the cookie
        /// `__Host-narthex-NAME`, which browsers keep apart for each embedding site. Its pages are shown in frames of these
        /// origins only. The templates of the issuer may then use `body`, the fields of the login; no signature covers them. Needs
        /// the key of `[secrets]`.
        frame_ancestors: Defaulted<List<String>> = "[]", eg "[\"https://portal.example.com\"]";

        /// Records that a token may create for a user who is not in the directory. `create` makes everything that is
        /// missing, `link_only` only links existing records, and `off` makes nothing.
        provision: Defaulted<Provision> = "\"create\"";
        /// `enforce` applies the changes that each token calls for. `observe` only plans and reports them, and writes
        /// nothing.
        mode: Defaulted<Mode> = "\"enforce\"";
        /// Treatment of a mapped value that breaks its rule. `refuse` refuses the token with `mapping.invalid`; `skip`
        /// ignores the value.
        on_invalid: Defaulted<OnInvalid> = "\"refuse\"";
        /// Conditions that its tokens must meet, beyond `required_claims`.
        rule: Defaulted<List<RuleSection>> = "[]";
        /// Mapping of claims to users, organizations and teams.
        mapping: Defaulted<MappingSection> = "{}";
        /// Permission tags: the claim that lists the user's permissions. Without this table, tags are ignored.
        tags: Optional<TagsSection>;
    }
}

section! {
    /// Introspection endpoint of an issuer, and the client that Narthex is there.
    ///
    /// ```toml
    /// [issuer.introspection]
    /// url = "https://id.example.com/introspect"
    /// client_id = "narthex"
    /// client_secret_file = "client-secret"
    /// ```
    IntrospectionSection {
        /// URL of the endpoint. Must be https, or http on loopback. `allow_private_hosts`, `ca_file` and `proxy` of the issuer
        /// apply.
        url: Required<UrlText>, eg "\"https://id.example.com/introspect\"";
        /// Client id of Narthex there, sent with the secret as `Authorization: Basic`.
        client_id: Required<String>, eg "\"narthex\"";
        /// File with the client's secret.
        client_secret_file: Required<PathBuf>, eg "\"client-secret\"";
    }
}

section! {
    /// Condition that a token must meet, beyond `required_claims`. A token that does not meet it is refused with
    /// `token.rule`. Rules are evaluated in the order of the file, before the mapping; the first one that is not met is
    /// the reason.
    ///
    /// Without any rule, `required_claims` alone decides. A rule that reads `headers`, `query` or `now` is evaluated on
    /// every request, and the tokens of its issuer are then not cached.
    RuleSection {
        /// Name of the rule in log and explain, unique within the issuer.
        name: Required<String>, eg "\"second factor\"";
        /// Condition: a template of exactly one `{{…}}`, with the same names as in `[issuer.mapping]`. Only the value
        /// `true` meets it. Any other value, an error, or too much work refuses the token.
        require: Required<TemplateText>, eg "\"{{contains(payload.amr; 'mfa')}}\"";
        /// Remedy for the caller, as the end of the sentence in the answer. It is fixed text.
        message: Required<String>, eg "\"sign in with a second factor\"";
    }
}

section! {
    /// Mapping of claims to users, organizations and teams. Every value is a template: text with `{{…}}` holes. A hole
    /// may use `payload` (the claims), `header` (of the token), `headers` and `query` (of the request), `now` and
    /// `timestamp`, and with `frame_ancestors` also `body` (of the embedded login).
    ///
    /// A template that gives nothing (no such claim, `null`, empty text) leaves the stored value unchanged.
    MappingSection {
        /// Fields of the user.
        user: Defaulted<UserMappingSection> = "{}";
        /// Organization that the token names, if any. It is created if it is missing, and the user is linked to it.
        organization: Defaulted<OrganizationMappingSection> = "{}";
        /// Team that the token names, if any. A team needs an organization.
        team: Defaulted<TeamMappingSection> = "{}";
        /// Additional values for the application: name and template. They are sent as `X-Narthex-Context-NAME` and in
        /// the assertion, for as long as an issuer of the realm maps them.
        context: Defaulted<Named<TemplateText>> = "{}", eg "{ teamdomain = \"{{payload.customBaseDomain}}\" }";
    }
}

section! {
    /// Fields of the user.
    UserMappingSection {
        /// Issuer's id of the user, compared exactly: text, never trimmed, never case-folded. By default the value of
        /// `username` if that is configured, else `{{payload.sub}}`.
        ///
        /// This key decides which user a token belongs to. Use a claim that users cannot change and that the issuer
        /// never gives to another user.
        external_id: Optional<TemplateText>, eg "\"{{payload.sub}}\"";
        /// Sign-in name of the user, unique in the realm, taken exactly. By default, a new user gets the external id,
        /// and existing users keep their names. If it is configured and gives nothing, the token is refused.
        ///
        /// Also map `external_id`. Otherwise the username is the key too, and a user who can take another user's name
        /// becomes that user.
        username: Optional<TemplateText>, eg "\"{{payload.preferred_username}}\"";
        /// E-mail address. It is never used to find a user.
        email: Optional<TemplateText>, eg "\"{{payload.email}}\"";
        /// Display name.
        name: Optional<TemplateText>, eg "\"{{payload.name}}\"";
        /// Country: ISO 3166-1, two or three letters.
        country: Optional<TemplateText>, eg "\"{{payload.country}}\"";
        /// Time zone: a name of the tz database, such as `Europe/Prague`.
        timezone: Optional<TemplateText>, eg "\"{{payload.tz}}\"";
        /// Locale: BCP 47, or with an underscore.
        locale: Optional<TemplateText>, eg "\"{{payload.locale}}\"";
        /// Language: BCP 47.
        language: Optional<TemplateText>, eg "\"{{payload.lang}}\"";
    }
}

section! {
    /// Organization that the token names.
    OrganizationMappingSection {
        /// List of all organizations of the user, for tokens that name more than one: at most 100. The other keys of this
        /// table and of `[issuer.mapping.team]` are then evaluated once for each element, which templates see as `item`.
        ///
        /// A token states all organizations: roles that an earlier token of this issuer gave this way, and that the newest
        /// one no longer names, are revoked. An empty list revokes all of them; a template that gives nothing changes
        /// nothing.
        each: Optional<TemplateText>, eg "\"{{payload.organizations}}\"";
        /// Issuer's id of the organization. A token for which this gives nothing names no organization.
        external_id: Optional<TemplateText>, eg "\"{{payload.organizationId}}\"";
        /// Display name of the organization.
        name: Optional<TemplateText>, eg "\"{{payload.orgName}}\"";
        /// Time zone of the organization.
        timezone: Optional<TemplateText>, eg "\"{{payload.tz}}\"";
        /// Role of the user in the organization: `admin` (by default), `member` or `executor`.
        role: Optional<TemplateText>, eg "\"{{if(payload.owner; 'admin'; 'member')}}\"";
    }
}

section! {
    /// Team that the token names.
    TeamMappingSection {
        /// Issuer's id of the team. A token for which this gives nothing names no team.
        external_id: Optional<TemplateText>, eg "\"{{payload.teamId}}\"";
        /// Display name of the team.
        name: Optional<TemplateText>, eg "\"{{payload.teamName}}\"";
        /// Role of the user in the team: `admin` (by default) or `member`.
        role: Optional<TemplateText>, eg "\"member\"";
    }
}

section! {
    /// Permission tags: texts in a claim that make the user an admin, a member or an executor of organizations. A tag
    /// counts for every organization of the realm that lists it. Tags are compared exactly and are case-sensitive.
    TagsSection {
        /// Claim that holds the tags: its name, or a template.
        ///
        /// Text without `{{` is the exact name of a claim at the top of the payload, dots, colons and slashes included:
        /// `"groups"`, `"cognito:groups"`, `"https://example.com/roles"`. Text with `{{` is a template, for a nested or
        /// computed value: `"{{payload.realm_access.roles}}"`, `"{{split(payload.scope; ' ')}}"`. The claim is one text
        /// (one tag) or a list of texts. Choose a claim that only the identity provider can set: a user who can write
        /// it can take any role.
        claim: Required<String>, eg "\"groups\"";
        /// Tags that make the user an admin of the whole platform while the token has one of them. A list, or text with
        /// commas. A role that came from a tag has no effect once that tag is no longer listed here.
        platform_admin: Defaulted<TagText> = "[]", eg "[\"platform-admins\"]";
        /// Treatment of a token without the claim. `error` refuses it, `keep` leaves the user's roles unchanged, and
        /// `empty` treats it as the empty list.
        on_missing: Defaulted<OnMissing> = "\"error\"";
        /// Roles that the empty list revokes. `revoke_all` revokes every role in the realm; `revoke_synced` revokes
        /// only those that came from a claim or a tag.
        on_empty: Defaulted<OnEmpty> = "\"revoke_all\"";
        /// Patterns of tags that give roles in organizations.
        pattern: Defaulted<List<PatternSection>> = "[]";
        /// Lease of a role that came from a tag: the role lapses when no token has confirmed it for this long. Off by
        /// default.
        lease: Optional<Duration>, eg "\"7d\"";
    }
}

section! {
    /// Pattern of tags that give roles in organizations, so that no organization has to list them.
    ///
    /// A tag matches if it equals the pattern with the name of an organization of the realm, or else its external id, in
    /// place of `{organization}`, and one of the `roles` in place of `{role}`. Everything else is literal, and the whole
    /// tag must match. An organization has letters, digits, `-`, `_`, `.` and `~`. Patterns by which one tag can be read
    /// in two ways are an error. No pattern gives a platform role. An organization with `tag_patterns = false` takes no
    /// roles from patterns.
    PatternSection {
        /// Pattern of the tag, with `{organization}` and `{role}` once each.
        r#match: Required<String>, eg "\"app-{organization}-{role}\"";
        /// Texts in place of `{role}`, each with its role: `admin`, `member` or `executor`.
        roles: Required<Named<PatternRole>>, eg "{ admin = \"admin\", user = \"member\" }";
        /// `true` also creates an organization that does not exist, if `provision` is `create`. Its name is derived from
        /// the text in the tag, which becomes its external id.
        create: Defaulted<bool> = "false", eg "true";
    }
}

choice! {
    /// Role in an organization.
    pub(crate) PatternRole {
        /// Looks after its tags and members.
        Admin = "admin",
        /// Belongs to it.
        Member = "member",
        /// May use what the organization offers.
        Executor = "executor",
    }
}

/// Tenants as written: a list of texts, or `"any"`.
#[derive(Clone, Debug)]
pub(crate) enum TenantsText {
    /// The accepted tenants.
    List(List<String>),
    /// `"any"`.
    Any,
}

impl FromToml for TenantsText {
    fn kind() -> Kind {
        let text = Kind::Text {
            what: "text",
            pattern: None,
        };
        Kind::Either(vec![Kind::List(Box::new(text)), Kind::Choice(vec!["any"])])
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, walk: &mut Walk) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) if text.as_ref() == "any" => Some(Self::Any),
            DeValue::Array(_) => FromToml::from_toml(value, walk).map(Self::List),
            _ => {
                walk.wrong_type(value, "a list of tenants, or `\"any\"`");
                None
            }
        }
    }
}

choice! {
    /// Encoding of a shared secret in its file or variable.
    pub SecretFormat {
        /// Bytes as they are, except for one line break at the end.
        Text = "text",
        /// Every byte as it is.
        Raw = "raw",
        /// Two hexadecimal digits for each byte.
        Hex = "hex",
        /// Standard base64 alphabet (RFC 4648, 4).
        Base64 = "base64",
        /// URL-safe base64 alphabet (RFC 4648, 5).
        Base64Url = "base64url",
    }
}

choice! {
    /// Records that a token may create for a user who is not in the directory.
    pub(crate) Provision {
        /// Everything that is missing.
        Create = "create",
        /// Only links between existing records.
        LinkOnly = "link_only",
        /// Nothing.
        Off = "off",
    }
}

choice! {
    /// Effect of the plan that a token leads to.
    pub(crate) Mode {
        /// The plan is carried out.
        Enforce = "enforce",
        /// The plan is only reported.
        Observe = "observe",
    }
}

choice! {
    /// Treatment of a mapped value that breaks its rule.
    pub(crate) OnInvalid {
        /// Refuses the token.
        Refuse = "refuse",
        /// Ignores the value.
        Skip = "skip",
    }
}

choice! {
    /// Treatment of a token without the tags claim.
    pub(crate) OnMissing {
        /// Refuses the token.
        Error = "error",
        /// Keeps the user's roles.
        Keep = "keep",
        /// Treats it as the empty list.
        Empty = "empty",
    }
}

choice! {
    /// Roles that the empty list of tags revokes.
    pub(crate) OnEmpty {
        /// Every role in the realm.
        RevokeAll = "revoke_all",
        /// Roles that came from a claim or a tag.
        RevokeSynced = "revoke_synced",
    }
}

choice! {
    /// Use of tokens that are bound to a key.
    pub(crate) DpopText {
        /// They are refused.
        Off = "off",
        /// They pass with a proof.
        Accept = "accept",
        /// Only they pass, with a proof.
        Require = "require",
    }
}

choice! {
    /// Signature algorithm by its JOSE name.
    pub(crate) KeySetAlgorithm {
        /// RSA PKCS#1 v1.5 with SHA-256.
        Rs256 = "RS256",
        /// RSA PKCS#1 v1.5 with SHA-384.
        Rs384 = "RS384",
        /// RSA PKCS#1 v1.5 with SHA-512.
        Rs512 = "RS512",
        /// RSA PSS with SHA-256.
        Ps256 = "PS256",
        /// RSA PSS with SHA-384.
        Ps384 = "PS384",
        /// RSA PSS with SHA-512.
        Ps512 = "PS512",
        /// ECDSA on P-256.
        Es256 = "ES256",
        /// ECDSA on P-384.
        Es384 = "ES384",
        /// ECDSA on P-521.
        Es512 = "ES512",
        /// Ed25519.
        EdDsa = "EdDSA",
        /// Ed25519 by its fully specified name (RFC 9864). Listing either name allows both.
        Ed25519 = "Ed25519",
        /// ML-DSA-44 (RFC 9964).
        MlDsa44 = "ML-DSA-44",
        /// ML-DSA-65 (RFC 9964).
        MlDsa65 = "ML-DSA-65",
        /// ML-DSA-87 (RFC 9964).
        MlDsa87 = "ML-DSA-87",
        /// HMAC with SHA-256.
        Hs256 = "HS256",
        /// HMAC with SHA-384.
        Hs384 = "HS384",
        /// HMAC with SHA-512.
        Hs512 = "HS512",
    }
}
