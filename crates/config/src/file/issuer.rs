//! `[[issuer]]` and its sub-tables: who is trusted, how far, and what their claims become.

use std::path::PathBuf;
use std::time::Duration;

use super::organization::TagText;
use crate::read::{Defaulted, Optional, Required, section};
use crate::values::{ClaimValue, List, Named, OneOrMany, TemplateText, UrlText, WebUrl, choice};

section! {
    /// An identity provider whose tokens are trusted.
    ///
    /// It has exactly one key source: `jwks_url`, `discovery = true` or `jwks_file` for a key set (public keys), or
    /// `secret_file` or `secret_env` for a shared secret.
    IssuerSection {
        /// What this issuer is called here: at the command line, in logs, in reasons. Lower-case letters, digits, `-`, `_`
        /// and `.`.
        name: Required<String>, eg "\"corp\"";
        /// The `iss` of its tokens, compared exactly: no trailing slash is added or taken away. Required for key sets.
        /// One shared-secret issuer may leave it out; it gets the tokens without `iss`.
        issuer: Optional<String>, eg "\"https://id.example.com\"";
        /// Other `iss` values that mean this issuer, each compared exactly.
        aliases: Defaulted<List<String>> = "[]", eg "[\"https://id.example.com/\"]";
        /// The realm its users, organizations and teams belong to: the boundary inside which external ids are unique
        /// and tags count. Issuers that name the same realm share it. By default a realm named after the issuer.
        realm: Optional<String>, eg "\"corp\"";
        /// `false` refuses its tokens with `token.issuer_disabled`. What they gave stays on record and counts for nothing while
        /// it is so, as that of an issuer that is no longer in the file.
        enabled: Defaulted<bool> = "true";

        /// Key source: the URL of its JWK set. https, or http on loopback.
        jwks_url: Optional<UrlText>, eg "\"https://id.example.com/keys\"";
        /// Key source: find the JWK set through `/.well-known/openid-configuration` under `issuer`.
        discovery: Defaulted<bool> = "false", eg "true";
        /// Key source: a file with its JWK set, read again when it changes.
        jwks_file: Optional<PathBuf>, eg "\"corp-jwks.json\"";
        /// Key source: a file that holds the shared secret, or two files while it is being changed. `secret_format` says how
        /// it is written there.
        secret_file: Optional<OneOrMany<PathBuf>>, eg "\"corp-secret\"";
        /// Key source: an environment variable that holds the shared secret, or two while it is being changed.
        secret_env: Optional<OneOrMany<String>>, eg "\"CORP_JWT_SECRET\"";
        /// How the shared secret is written: `text` (its bytes as they are, but for one line break at the end), `raw` (every
        /// byte), `hex`, `base64` or `base64url` (with padding or without; blanks and line breaks count for nothing). The
        /// length that is asked for is that of the decoded bytes.
        secret_format: Defaulted<SecretFormat> = "\"text\"", eg "\"base64\"";
        /// Accept a shared secret that is shorter than the hash of its algorithm (RFC 7518, 3.2). Short secrets can be
        /// guessed from one token.
        danger_short_secret: Defaulted<bool> = "false", eg "true";
        /// A PEM file of the certificate authorities to trust when fetching keys, instead of the well-known ones.
        ca_file: Optional<PathBuf>, eg "\"corp-ca.pem\"";
        /// An HTTP proxy to fetch keys through.
        proxy: Optional<WebUrl>, eg "\"http://proxy.internal:3128\"";
        /// A file with a bearer token to send when fetching keys, such as a Kubernetes service account's.
        bearer_token_file: Optional<PathBuf>, eg "\"/var/run/secrets/kubernetes.io/serviceaccount/token\"";
        /// Names of hosts from which keys may be fetched although they have a private address. Others are refused, so
        /// that nobody can make Narthex call into your network. This machine is reached by its address or as `localhost`.
        allow_private_hosts: Defaulted<List<String>> = "[]", eg "[\"keycloak.internal\"]";
        /// How long known keys serve on while the issuer cannot be reached. Then its tokens get 503.
        stale_max: Defaulted<Duration> = "\"1h\"";

        /// The algorithms its tokens may use. By default `["RS256"]` for a key set and `["HS256"]` for a shared secret.
        /// A key set takes no HS algorithm and a shared secret takes no other.
        algorithms: Optional<List<KeySetAlgorithm>>, eg "[\"RS256\", \"ES256\"]";
        /// Who the token must be meant for: its `aud` must name at least one of these. Required for key sets, because
        /// one key set signs for many applications.
        audiences: Defaulted<List<String>> = "[]", eg "[\"my-app\"]";
        /// The claims that may name the audience. Amazon Cognito's access tokens have it in `client_id`.
        audience_claims: Defaulted<List<String>> = "[\"aud\"]", eg "[\"aud\", \"client_id\"]";
        /// Claims that must have a value, or one of a list of values. Text, whole numbers, `true` and `false`, compared
        /// exactly.
        required_claims: Defaulted<Named<OneOrMany<ClaimValue>>> = "{}", eg "{ email_verified = true, hd = [\"example.com\", \"example.org\"] }";
        /// Values of the header's `typ` to accept besides none at all, `JWT` and `at+jwt`, in any case and with or without
        /// `application/`. Never `logout+jwt`: logout tokens say that a session has ended, not who is calling.
        token_types: Defaulted<List<String>> = "[]", eg "[\"acme-session+jwt\"]";
        /// How far its clock may be off, at most a day. More than a minute or two means that a clock is wrong.
        leeway: Defaulted<Duration> = "\"60s\"";
        /// Refuse tokens whose `iat` is longer ago than this, whatever their `exp`. Tokens without `iat` are refused
        /// then, too.
        max_token_age: Optional<Duration>, eg "\"24h\"";
        /// Accept tokens that never expire. Only for a shared secret. A token that leaks is good until the secret is
        /// changed.
        danger_tokens_without_exp: Defaulted<bool> = "false", eg "true";
        /// Accept tokens that are bound to a key of their sender (claim `cnf`) without a proof of that key. A
        /// token that is stolen is then as good as its owner's, which is what binding it prevents. Others are refused with
        /// `token.bound`.
        danger_bound_tokens_as_bearer: Defaulted<bool> = "false", eg "true";

        /// Take the token from this header too, besides `Authorization: Bearer`. With or without the word `Bearer`.
        token_header: Optional<String>, eg "\"X-Goog-IAP-JWT-Assertion\"";
        /// Take the token from this cookie too.
        token_cookie: Optional<String>, eg "\"id_token\"";
        /// Take the token from this query parameter too. Addresses end up in logs and histories: prefer anything else.
        token_query: Optional<String>, eg "\"jwt\"";

        /// What may be made for a user who is not in the directory: everything that is missing (`create`), links
        /// between what is there (`link_only`), or nothing (`off`).
        provision: Defaulted<Provision> = "\"create\"";
        /// `observe` plans and reports what each token would change, and writes nothing.
        mode: Defaulted<Mode> = "\"enforce\"";
        /// What a mapped value that breaks its rule does: `refuse` the token with `mapping.invalid`, or `skip` the
        /// value.
        on_invalid: Defaulted<OnInvalid> = "\"refuse\"";
        /// What the claims become.
        mapping: Defaulted<MappingSection> = "{}";
        /// Permission tags: the claim that says what a user may do. Without this table tags are not looked at.
        tags: Optional<TagsSection>;
    }
}

section! {
    /// What the claims become. Every value is a template: text with `{{…}}` holes. The names in a hole are `payload`
    /// (the claims), `header` (the token's), `headers` and `query` (of the request), `now` and
    /// `timestamp`.
    ///
    /// A template that gives nothing (no such claim, `null`, empty text) leaves what is stored as it is.
    MappingSection {
        /// Who the user is.
        user: Defaulted<UserMappingSection> = "{}";
        /// The organization that the token names, if it does: it is made if it is missing, and the user is linked to
        /// it.
        organization: Defaulted<OrganizationMappingSection> = "{}";
        /// The team that the token names, if it does. It needs an organization.
        team: Defaulted<TeamMappingSection> = "{}";
        /// Anything else the application wants to know: name and template. Sent on as `X-Narthex-Context-NAME` and in
        /// the assertion, for as long as an issuer of the realm maps it.
        context: Defaulted<Named<TemplateText>> = "{}", eg "{ teamdomain = \"{{payload.customBaseDomain}}\" }";
    }
}

section! {
    /// Who the user is.
    UserMappingSection {
        /// The id that the issuer knows the user by, taken exactly: text, never trimmed, never case-folded. By default
        /// what `username` gives, if that is configured, else `{{payload.sub}}`.
        ///
        /// This is the key that decides which user a token is. Take a claim that users cannot change and that the issuer
        /// never gives to another user.
        external_id: Optional<TemplateText>, eg "\"{{payload.sub}}\"";
        /// The user's name to sign in with, unique in the realm, taken exactly. By default a new user's is the external id,
        /// and nobody is renamed. If it is configured and gives nothing, the token is refused.
        ///
        /// Map `external_id` beside it: without that, the username is the key too, and a user who can take another user's
        /// name becomes that user.
        username: Optional<TemplateText>, eg "\"{{payload.preferred_username}}\"";
        /// The e-mail address. It is never used to find a user.
        email: Optional<TemplateText>, eg "\"{{payload.email}}\"";
        /// The name to show.
        name: Optional<TemplateText>, eg "\"{{payload.name}}\"";
        /// The country: ISO 3166-1, two or three letters.
        country: Optional<TemplateText>, eg "\"{{payload.country}}\"";
        /// The time zone: a name of the tz database, such as `Europe/Prague`.
        timezone: Optional<TemplateText>, eg "\"{{payload.tz}}\"";
        /// The locale: BCP 47, or with an underscore.
        locale: Optional<TemplateText>, eg "\"{{payload.locale}}\"";
        /// The language: BCP 47.
        language: Optional<TemplateText>, eg "\"{{payload.lang}}\"";
    }
}

section! {
    /// The organization that the token names.
    OrganizationMappingSection {
        /// The id that the issuer knows the organization by. A token for which this gives nothing names no
        /// organization.
        external_id: Optional<TemplateText>, eg "\"{{payload.organizationId}}\"";
        /// The organization's name for people.
        name: Optional<TemplateText>, eg "\"{{payload.orgName}}\"";
        /// The organization's time zone.
        timezone: Optional<TemplateText>, eg "\"{{payload.tz}}\"";
        /// The role the user has in it: `admin` (by default), `member` or `executor`.
        role: Optional<TemplateText>, eg "\"{{if(payload.owner; 'admin'; 'member')}}\"";
    }
}

section! {
    /// The team that the token names.
    TeamMappingSection {
        /// The id that the issuer knows the team by. A token for which this gives nothing names no team.
        external_id: Optional<TemplateText>, eg "\"{{payload.teamId}}\"";
        /// The team's name for people.
        name: Optional<TemplateText>, eg "\"{{payload.teamName}}\"";
        /// The role the user has in it: `admin` (by default) or `member`.
        role: Optional<TemplateText>, eg "\"member\"";
    }
}

section! {
    /// Permission tags: texts in a claim that make the user an admin, a member or an executor of every organization of
    /// the realm that lists them. Tags compare exactly, case and all.
    TagsSection {
        /// The claim that holds the tags: its name, or a template.
        ///
        /// Text without `{{` is the name of a claim at the top of the payload, exactly as it stands there, dots, colons
        /// and slashes included: `"groups"`, `"cognito:groups"`, `"https://example.com/roles"`. Text with `{{` is a
        /// template, for anything deeper or computed: `"{{payload.realm_access.roles}}"`, `"{{split(payload.scope; '
        /// ')}}"`. The claim is one text (one tag) or a list of texts. It must be one that only the identity provider fills
        /// in: whoever can write it can have any role.
        claim: Required<String>, eg "\"groups\"";
        /// Tags that make the user an admin of the whole platform, for as long as the token has one. A list, or text
        /// with commas. A role that came by a tag that is no longer listed counts for nothing.
        platform_admin: Defaulted<TagText> = "[]", eg "[\"platform-admins\"]";
        /// A token without the claim: refuse it (`error`), leave the user's roles (`keep`), or take it as the empty
        /// list (`empty`).
        on_missing: Defaulted<OnMissing> = "\"error\"";
        /// A token with the empty list: take away every role in the realm (`revoke_all`), or only those that came from
        /// a claim or a tag (`revoke_synced`).
        on_empty: Defaulted<OnEmpty> = "\"revoke_all\"";
        /// A role that came from a tag lapses when no token has confirmed it for this long. Off by default.
        lease: Optional<Duration>, eg "\"7d\"";
    }
}

choice! {
    /// How a shared secret is written in its file or variable.
    pub SecretFormat {
        /// As it is, but for one line break at the end.
        Text = "text",
        /// As it is.
        Raw = "raw",
        /// Two digits for each byte.
        Hex = "hex",
        /// The usual alphabet (RFC 4648, 4).
        Base64 = "base64",
        /// The alphabet for URLs (RFC 4648, 5).
        Base64Url = "base64url",
    }
}

choice! {
    /// What may be made for a user who is not in the directory.
    pub(crate) Provision {
        /// Whatever is missing.
        Create = "create",
        /// Only links between what is there.
        LinkOnly = "link_only",
        /// Nothing.
        Off = "off",
    }
}

choice! {
    /// Whether plans are carried out.
    pub(crate) Mode {
        /// They are.
        Enforce = "enforce",
        /// They are only reported.
        Observe = "observe",
    }
}

choice! {
    /// What a mapped value that breaks its rule does.
    pub(crate) OnInvalid {
        /// Refuse the token.
        Refuse = "refuse",
        /// Leave the value out.
        Skip = "skip",
    }
}

choice! {
    /// What a token without the tags claim means.
    pub(crate) OnMissing {
        /// A mistake.
        Error = "error",
        /// Nothing has changed.
        Keep = "keep",
        /// The empty list.
        Empty = "empty",
    }
}

choice! {
    /// What the empty list of tags takes away.
    pub(crate) OnEmpty {
        /// Every role in the realm.
        RevokeAll = "revoke_all",
        /// Roles that came from a claim or a tag.
        RevokeSynced = "revoke_synced",
    }
}

choice! {
    /// A signature algorithm by its JOSE name.
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
        /// HMAC with SHA-256.
        Hs256 = "HS256",
        /// HMAC with SHA-384.
        Hs384 = "HS384",
        /// HMAC with SHA-512.
        Hs512 = "HS512",
    }
}
