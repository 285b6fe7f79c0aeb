//! Kinds of identity providers, how each is known by its tokens, and how its tokens name users and groups.

use serde_json::{Map, Value};

use crate::address::issuer_url;

/// Kind of an identity provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Provider {
    /// Keycloak.
    Keycloak,
    /// Microsoft Entra ID.
    EntraId,
    /// Okta.
    Okta,
    /// Auth0.
    Auth0,
    /// Google sign-in.
    Google,
    /// Amazon Cognito.
    Cognito,
    /// Active Directory Federation Services.
    Adfs,
    /// Dex.
    Dex,
    /// Application load balancers of AWS.
    AwsLoadBalancer,
    /// Cloudflare Access.
    CloudflareAccess,
    /// Identity-Aware Proxy of Google Cloud.
    GoogleIap,
    /// Workflows of GitHub Actions.
    GithubActions,
    /// Service accounts of Kubernetes.
    Kubernetes,
}

/// Claims of a provider's tokens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habits {
    /// Word for the name of the issuer.
    pub(crate) word: &'static str,
    /// Claims that identify a user for ever, best first, each with the reason.
    pub(crate) subjects: &'static [(&'static str, &'static str)],
    /// Claims that name a user for people, best first.
    pub(crate) usernames: &'static [&'static str],
    /// Claims with groups or roles, best first. One with braces is a template.
    pub(crate) tags: &'static [&'static str],
    /// True if the provider leaves the claim out of a token whose user has no group.
    pub(crate) omits_empty_tags: bool,
}

/// Roles of a Keycloak realm, which are one level down.
pub(crate) const REALM_ROLES: &str = "{{payload.realm_access.roles}}";

const SUB: (&str, &str) = ("sub", "`sub` identifies the user at this issuer for ever");

/// The habits of a provider that is not known: the claims of OpenID Connect Core 1.0, section 5.1.
pub(crate) const UNKNOWN: Habits = Habits {
    word: "issuer",
    subjects: &[SUB, ("oid", "`oid` identifies the user in the whole tenant")],
    usernames: &["preferred_username", "upn", "nickname"],
    tags: &["groups", "roles", "cognito:groups", "permissions", REALM_ROLES],
    omits_empty_tags: false,
};

/// The habits of a provider whose tokens name a user and no groups.
const fn plain(word: &'static str) -> Habits {
    Habits {
        word,
        subjects: &[SUB],
        usernames: &[],
        tags: &[],
        omits_empty_tags: false,
    }
}

const KEYCLOAK: Habits = Habits {
    word: "keycloak",
    subjects: &[SUB],
    usernames: &["preferred_username"],
    tags: &["groups", REALM_ROLES],
    omits_empty_tags: false,
};

const ENTRA_ID: Habits = Habits {
    word: "entra",
    subjects: &[
        (
            "oid",
            "`oid` is the user in all applications of the tenant; `sub` differs for each",
        ),
        SUB,
    ],
    usernames: &["preferred_username", "upn"],
    tags: &["roles", "groups"],
    omits_empty_tags: true,
};

const OKTA: Habits = Habits {
    word: "okta",
    subjects: &[
        (
            "uid",
            "`uid` never changes; `sub` of an access token is the login name, which can",
        ),
        SUB,
    ],
    usernames: &["preferred_username"],
    tags: &["groups"],
    omits_empty_tags: true,
};

const AUTH0: Habits = Habits {
    word: "auth0",
    subjects: &[SUB],
    usernames: &["nickname"],
    tags: &["permissions"],
    omits_empty_tags: true,
};

const COGNITO: Habits = Habits {
    word: "cognito",
    subjects: &[SUB],
    usernames: &["username"],
    tags: &["cognito:groups"],
    omits_empty_tags: true,
};

const ADFS: Habits = Habits {
    word: "adfs",
    subjects: &[SUB],
    usernames: &["upn", "unique_name"],
    tags: &["group", "groups", "role", "roles"],
    omits_empty_tags: true,
};

const DEX: Habits = Habits {
    word: "dex",
    subjects: &[SUB],
    usernames: &["preferred_username"],
    tags: &["groups"],
    omits_empty_tags: true,
};

const GITHUB_ACTIONS: Habits = Habits {
    word: "github",
    subjects: &[
        (
            "repository_id",
            "`repository_id` is the repository for ever; `sub` differs between branches",
        ),
        SUB,
    ],
    usernames: &["repository"],
    tags: &[],
    omits_empty_tags: false,
};

impl Provider {
    /// Every provider.
    pub const ALL: [Self; 13] = [
        Self::Keycloak,
        Self::EntraId,
        Self::Okta,
        Self::Auth0,
        Self::Google,
        Self::Cognito,
        Self::Adfs,
        Self::Dex,
        Self::AwsLoadBalancer,
        Self::CloudflareAccess,
        Self::GoogleIap,
        Self::GithubActions,
        Self::Kubernetes,
    ];

    /// Stable word of the provider.
    pub const fn as_str(self) -> &'static str {
        self.habits().word
    }

    /// Name of the provider for people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Keycloak => "Keycloak",
            Self::EntraId => "Microsoft Entra ID",
            Self::Okta => "Okta",
            Self::Auth0 => "Auth0",
            Self::Google => "Google",
            Self::Cognito => "Amazon Cognito",
            Self::Adfs => "AD FS",
            Self::Dex => "Dex",
            Self::AwsLoadBalancer => "AWS load balancer",
            Self::CloudflareAccess => "Cloudflare Access",
            Self::GoogleIap => "Google Cloud IAP",
            Self::GithubActions => "GitHub Actions",
            Self::Kubernetes => "Kubernetes",
        }
    }

    /// The provider of a token, by its header and claims. Only for a proposal: a client can write any such token.
    pub fn of_token(header: &Map<String, Value>, claims: &Map<String, Value>) -> Option<Self> {
        let text =
            |members: &Map<String, Value>, name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
        let signer = text(header, "signer").unwrap_or_default();
        if signer.starts_with("arn:aws") && signer.contains(":elasticloadbalancing:") {
            return Some(Self::AwsLoadBalancer);
        }
        if claims.contains_key("kubernetes.io") {
            return Some(Self::Kubernetes);
        }
        if let Some(found) = Self::of_address(&text(claims, "iss").unwrap_or_default()) {
            return Some(found);
        }
        if claims.contains_key("realm_access") {
            return Some(Self::Keycloak);
        }
        claims.contains_key("federated_claims").then_some(Self::Dex)
    }

    /// The provider behind the address of an issuer.
    pub fn of_address(issuer: &str) -> Option<Self> {
        // Google wrote its issuer without a scheme once, and AD FS writes that of access tokens with `http`.
        if issuer == "accounts.google.com" {
            return Some(Self::Google);
        }
        if issuer.ends_with("/adfs/services/trust") {
            return Some(Self::Adfs);
        }
        let url = issuer_url(issuer)?;
        let (host, path) = (url.host_str()?, url.path());
        let is_under = |suffix: &str| host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'));
        Some(match host {
            "accounts.google.com" => Self::Google,
            "cloud.google.com" if path == "/iap" => Self::GoogleIap,
            "token.actions.githubusercontent.com" => Self::GithubActions,
            "login.microsoftonline.com"
            | "login.microsoftonline.us"
            | "login.partner.microsoftonline.cn"
            | "sts.windows.net" => Self::EntraId,
            _ if host.starts_with("cognito-idp.") && is_under("amazonaws.com") => Self::Cognito,
            _ if is_under("okta.com") || is_under("oktapreview.com") || is_under("okta-emea.com") => Self::Okta,
            _ if is_under("auth0.com") => Self::Auth0,
            _ if is_under("cloudflareaccess.com") => Self::CloudflareAccess,
            _ if host.starts_with("kubernetes.default.svc") => Self::Kubernetes,
            _ if path.contains("/realms/") => Self::Keycloak,
            _ if path == "/adfs" || path == "/adfs/" => Self::Adfs,
            _ if path == "/dex" || path == "/dex/" || host.starts_with("dex.") => Self::Dex,
            _ => return None,
        })
    }

    /// The claims of the provider's tokens.
    pub(crate) const fn habits(self) -> Habits {
        match self {
            Self::Keycloak => KEYCLOAK,
            Self::EntraId => ENTRA_ID,
            Self::Okta => OKTA,
            Self::Auth0 => AUTH0,
            Self::Google => plain("google"),
            Self::Cognito => COGNITO,
            Self::Adfs => ADFS,
            Self::Dex => DEX,
            Self::AwsLoadBalancer => plain("aws-load-balancer"),
            Self::CloudflareAccess => plain("cloudflare"),
            Self::GoogleIap => plain("iap"),
            Self::GithubActions => GITHUB_ACTIONS,
            Self::Kubernetes => plain("kubernetes"),
        }
    }
}
