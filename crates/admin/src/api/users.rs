//! `/users`: the users and machines of a realm, and their grants.

use narthex_directory::{EffectiveGrant, IneffectiveReason, Scope, ScopedRole, TokenFingerprint, UserEntry};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::error::ApiError;
use super::extract::RequestCaller;
use super::merge_patch::Patch;
use super::response::VersionedRecord;
use super::time::Time;
use super::wire_enums::{PlatformRole, Source, UserStatus};
use narthex_ops::users::NamedGrant;

mod create;
mod erase;
mod external_ids;
mod grants;
mod list;
mod platform_role;
mod read;
mod revoke_tokens;
mod update;

pub use erase::ErasedUserBody;
pub(super) use platform_role::Why;
pub use revoke_tokens::TokensRevokedBody;

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default()
        .routes(routes!(list::list, create::create))
        .routes(routes!(read::read, update::update, erase::erase))
        .routes(routes!(erase::lift))
        .routes(routes!(external_ids::change))
        .routes(routes!(grants::grants))
        .routes(routes!(revoke_tokens::revoke_tokens))
        .routes(routes!(platform_role::grant, platform_role::revoke))
}

/// A user.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct UserBody {
    /// Its id.
    #[schema(example = "01hf7yat000000000000000019")]
    pub id: String,
    /// Realm in which its external id and username are unique.
    pub realm: String,
    /// Its id at the identity provider.
    pub external_id: String,
    /// Its username.
    pub username: String,
    /// E-mail address. Data only, never used as a key.
    #[schema(required)]
    pub email: Option<String>,
    /// Display name.
    #[schema(required)]
    pub name: Option<String>,
    /// Country code (ISO 3166-1 alpha-3).
    #[schema(required, example = "CZE")]
    pub country: Option<String>,
    /// Name of a time zone in the tz database.
    #[schema(required, example = "Europe/Prague")]
    pub timezone: Option<String>,
    /// Language tag (BCP 47).
    #[schema(required, example = "cs-CZ")]
    pub locale: Option<String>,
    /// Language tag (BCP 47).
    #[schema(required, example = "cs")]
    pub language: Option<String>,
    /// The highest platform role that its grants give now, as in a decision.
    pub platform_role: PlatformRole,
    /// Status of the user; a disabled user is refused.
    pub status: UserStatus,
    /// Custom context from the last token.
    pub context: Map<String, Value>,
    /// Tokens issued before this time are refused. While it is set, tokens without `iat` are refused too, even new
    /// ones.
    #[schema(required)]
    pub tokens_not_before: Option<Time>,
    /// Time at which a token was last used, to the hour.
    #[schema(required)]
    pub last_seen_at: Option<Time>,
    /// Time at which the record was created.
    pub created_at: Time,
    /// Time of the last change of the record.
    pub updated_at: Time,
}

impl From<UserEntry> for UserBody {
    fn from(UserEntry { user, platform_role }: UserEntry) -> Self {
        Self {
            id: user.id.to_string(),
            realm: user.realm.to_string(),
            external_id: user.external_id.to_string(),
            username: user.username.to_string(),
            email: user.profile.email,
            name: user.profile.name,
            country: user.profile.country,
            timezone: user.profile.timezone,
            locale: user.profile.locale,
            language: user.profile.language,
            platform_role: platform_role.into(),
            status: user.status.into(),
            context: user.context,
            tokens_not_before: user.tokens_not_before_ms.map(Time),
            last_seen_at: user.last_seen_at_ms.map(Time),
            created_at: Time(user.created_at_ms),
            updated_at: Time(user.updated_at_ms),
        }
    }
}

/// A grant: one role of one user on one scope, with its source and its period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct GrantBody {
    /// Its id.
    pub id: String,
    /// Id of the user.
    pub user_id: String,
    /// Scope of the grant.
    pub scope: ScopeBody,
    /// Role on that scope.
    #[schema(example = "member")]
    pub role: &'static str,
    /// Source of the grant.
    pub source: Source,
    /// Issuer of the token, for claims and tags.
    #[schema(required)]
    pub issuer: Option<String>,
    /// Permission tag, for tags.
    #[schema(required)]
    pub tag: Option<String>,
    /// Identification of the token, for claims and tags.
    #[schema(required)]
    pub token: Option<TokenBody>,
    /// The role that it gives in a decision made now. It is lower than `role` where the organization lists the tag for
    /// a lower role, and `null` where the grant gives none.
    #[schema(required, example = "member")]
    pub gives: Option<&'static str>,
    /// Reason for which it gives no role although it is open: its issuer is disabled or not configured, or its tag is
    /// no longer listed.
    #[schema(required)]
    pub idle_why: Option<String>,
    /// Time at which it was granted.
    pub granted_at: Time,
    /// Time at which a token last asserted it again, to the hour.
    pub asserted_at: Time,
    /// Time at which it lapses: a manual grant expires then, and any other lapses unless it is asserted again.
    #[schema(required)]
    pub lapses_at: Option<Time>,
    /// Time at which it was revoked.
    #[schema(required)]
    pub revoked_at: Option<Time>,
    /// Reason for the grant, if an administrator gave one.
    #[schema(required)]
    pub why: Option<String>,
    /// Reason for the revocation.
    #[schema(required)]
    pub revoked_why: Option<String>,
}

/// Scope of a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ScopeBody {
    /// `platform`, `organization` or `team`.
    #[schema(example = "organization")]
    pub kind: &'static str,
    /// The organization's or team's id.
    #[schema(required)]
    pub id: Option<String>,
    /// Its name.
    #[schema(required)]
    pub name: Option<String>,
}

/// Identification of a token, without the token itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TokenBody {
    /// Its `jti`.
    #[schema(required)]
    pub jti: Option<String>,
    /// The first 16 bytes of its SHA-256, in hex.
    #[schema(required)]
    pub sha256_prefix: Option<String>,
}

impl TokenBody {
    /// Returns the identification of the token, if there was one.
    pub(crate) fn of(token: TokenFingerprint) -> Option<Self> {
        let TokenFingerprint { jti, sha256_prefix } = token;
        (jti.is_some() || sha256_prefix.is_some()).then_some(Self { jti, sha256_prefix })
    }
}

impl From<NamedGrant> for GrantBody {
    fn from(NamedGrant { grant, scope_name }: NamedGrant) -> Self {
        Self::new(grant, scope_name)
    }
}

impl GrantBody {
    /// Builds a grant on the scope with this name.
    pub fn new(EffectiveGrant { grant, gives }: EffectiveGrant, name: Option<String>) -> Self {
        let idle = gives.err().filter(|idle| *idle != IneffectiveReason::Closed);
        let scope = grant.scope();
        let id = match scope {
            Scope::Platform => None,
            Scope::Organization(id) => Some(id.to_string()),
            Scope::Team(id) => Some(id.to_string()),
        };
        Self {
            id: grant.id.to_string(),
            user_id: grant.user.to_string(),
            scope: ScopeBody {
                kind: scope.kind(),
                id,
                name,
            },
            role: grant.role.role_str(),
            source: grant.source.kind().into(),
            issuer: grant.source.issuer().map(ToString::to_string),
            tag: grant.source.tag().map(str::to_owned),
            token: TokenBody::of(grant.token),
            gives: gives.ok().map(ScopedRole::role_str),
            idle_why: idle.map(|idle| idle.to_string()),
            granted_at: Time(grant.granted_at_ms),
            asserted_at: Time(grant.asserted_at_ms),
            lapses_at: grant.lapses_at_ms.map(Time),
            revoked_at: grant.revoked_at_ms.map(Time),
            why: grant.why,
            revoked_why: grant.revoked_why,
        }
    }
}

impl From<UserEntry> for VersionedRecord<UserBody> {
    fn from(entry: UserEntry) -> Self {
        Self {
            version: entry.user.version,
            body: entry.into(),
        }
    }
}
