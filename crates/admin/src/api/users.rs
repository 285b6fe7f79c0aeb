//! `/users`: people and machines that a realm knows, and what they may.

use narthex_directory::{Edit, Idle, Scope, ScopedRole, TokenFingerprint, UserEntry, UserId, Weighed};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Admin, Permit};
use super::answer::Found;
use super::edit::Patch;
use super::error::ApiError;
use super::time::Time;
use super::words::{PlatformRole, Source, UserStatus};
use super::{State, tidy};

mod create;
mod grants;
mod list;
mod platform_role;
mod read;
mod revoke_tokens;
mod update;

pub(super) use platform_role::Why;
pub use revoke_tokens::TokensRevokedBody;

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default()
        .routes(routes!(list::list, create::create))
        .routes(routes!(read::read, update::update))
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
    /// Where its external id and username are unique.
    pub realm: String,
    /// What the identity provider calls it.
    pub external_id: String,
    /// Its username.
    pub username: String,
    /// E-mail address. Data, never a key.
    #[schema(required)]
    pub email: Option<String>,
    /// Display name.
    #[schema(required)]
    pub name: Option<String>,
    /// ISO 3166-1 alpha-3.
    #[schema(required, example = "CZE")]
    pub country: Option<String>,
    /// A tz database name.
    #[schema(required, example = "Europe/Prague")]
    pub timezone: Option<String>,
    /// BCP 47.
    #[schema(required, example = "cs-CZ")]
    pub locale: Option<String>,
    /// BCP 47.
    #[schema(required, example = "cs")]
    pub language: Option<String>,
    /// The highest platform role that grants give now, as decisions find it.
    pub platform_role: PlatformRole,
    /// Whether it may come in.
    pub status: UserStatus,
    /// Custom contexts from the last token.
    pub context: Map<String, Value>,
    /// Tokens issued before this are refused, and while it is set all that do not say when they were issued (no `iat`), new
    /// ones too.
    #[schema(required)]
    pub tokens_not_before: Option<Time>,
    /// When a token was last used, to the hour.
    #[schema(required)]
    pub last_seen_at: Option<Time>,
    /// When the record was made.
    pub created_at: Time,
    /// When the record was last changed.
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

/// One role of one user on one thing, with where it came from and when it held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct GrantBody {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub user_id: String,
    /// On what.
    pub scope: ScopeBody,
    /// Which role there.
    #[schema(example = "member")]
    pub role: &'static str,
    /// Who said so.
    pub source: Source,
    /// Whose token, for claims and tags.
    #[schema(required)]
    pub issuer: Option<String>,
    /// Which permission tag, for tags.
    #[schema(required)]
    pub tag: Option<String>,
    /// Which token, for claims and tags.
    #[schema(required)]
    pub token: Option<TokenBody>,
    /// The role that it gives in a decision made now: a lower one than `role` where the organization lists the tag for less,
    /// `null` where it gives none.
    #[schema(required, example = "member")]
    pub gives: Option<&'static str>,
    /// Why it gives none although it is open: its issuer is disabled or not configured, or its tag is no longer listed.
    #[schema(required)]
    pub idle_why: Option<String>,
    /// When it began.
    pub granted_at: Time,
    /// When a token last said so again, to the hour.
    pub asserted_at: Time,
    /// When it lapses unless it is asserted again.
    #[schema(required)]
    pub lapses_at: Option<Time>,
    /// When it was closed.
    #[schema(required)]
    pub revoked_at: Option<Time>,
    /// Why it was given, where a person said so.
    #[schema(required)]
    pub why: Option<String>,
    /// Why it was closed.
    #[schema(required)]
    pub revoked_why: Option<String>,
}

/// What a role is held on.
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

/// Which token, without the token.
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
    /// The token, if there was one.
    pub(crate) fn of(token: TokenFingerprint) -> Option<Self> {
        let TokenFingerprint { jti, sha256_prefix } = token;
        (jti.is_some() || sha256_prefix.is_some()).then_some(Self { jti, sha256_prefix })
    }
}

impl GrantBody {
    /// A grant on something of this name.
    pub fn new(Weighed { grant, gives }: Weighed, name: Option<String>) -> Self {
        let idle = gives.err().filter(|idle| *idle != Idle::Closed);
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

/// The user with this id, with the platform role that decisions find.
async fn find(permit: Permit<'_>, id: &str) -> Result<UserEntry, ApiError> {
    let id: UserId = ApiError::id(id, "user", "users")?;
    let entry = permit.directory().user(id).await?;
    let entry = entry.ok_or(ApiError::Unknown { what: "user" })?;
    Ok(permit.scales(&permit.in_force()).user(entry).await?)
}

/// The user as it is now, after something was done to it.
async fn shown(permit: Permit<'_>, id: UserId) -> Result<Found<UserBody>, ApiError> {
    let entry = find(permit, &id.to_string()).await?;
    Ok(Found {
        version: entry.user.version,
        body: entry.into(),
    })
}
