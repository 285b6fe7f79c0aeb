//! Users and machines of a realm, their grants, and their platform roles.

use narthex_clock::NewIds;
use narthex_decision::Action;
use narthex_directory::{
    Edit, EffectiveGrant, ExternalId, GrantFilter, GrantsWhen, Listing, PlatformRole, Profile, Scope, ScopedRole,
    UserEdit, UserEntry, UserFilter, UserId, UserStatus, Username,
};

use super::caller::{Caller, Permit};
use super::error::OpError;
use super::input_rules;
use super::members::{GrantTerms, revoke_here};
use super::paging::PageRequest;
use super::precondition::ExpectedVersion;

/// Filters of a list of users. A user must match all that are given.
#[derive(Debug, Clone, Default)]
pub struct UserQuery {
    /// Realm of the user.
    pub realm: Option<String>,
    /// Exact external id.
    pub external_id: Option<String>,
    /// Exact username.
    pub username: Option<String>,
    /// Exact e-mail address.
    pub email: Option<String>,
    /// Text that the username, external id, e-mail address or name contains; ASCII letters match in any case.
    pub q: Option<String>,
}

/// A user to create.
#[derive(Debug, Clone, Default)]
pub struct NewUser {
    /// Its realm: one that an issuer has. Required if there is more than one.
    pub realm: Option<String>,
    /// Its id at the identity provider, used exactly as given.
    pub external_id: String,
    /// Its username; by default the external id.
    pub username: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// Country code of two or three letters (ISO 3166-1).
    pub country: Option<String>,
    /// Name of a time zone in the tz database.
    pub timezone: Option<String>,
    /// Language tag (BCP 47).
    pub locale: Option<String>,
    /// Language tag (BCP 47).
    pub language: Option<String>,
}

/// Change of a user.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// New external id, which is never empty: tokens with it are this user's from now on.
    pub external_id: Edit<String>,
    /// New username, which is never empty.
    pub username: Edit<String>,
    /// New status, which is never empty.
    pub status: Edit<UserStatus>,
    /// `true` to accept again the tokens that were issued before they were revoked.
    pub accept_older_tokens: bool,
    /// E-mail address.
    pub email: Edit<String>,
    /// Display name.
    pub name: Edit<String>,
    /// Country code of two or three letters (ISO 3166-1).
    pub country: Edit<String>,
    /// Name of a time zone in the tz database.
    pub timezone: Edit<String>,
    /// Language tag (BCP 47).
    pub locale: Edit<String>,
    /// Language tag (BCP 47).
    pub language: Edit<String>,
    /// Reason, for the audit trail.
    pub why: Option<String>,
}

/// A grant, with the role that it gives now and the name of its scope.
#[derive(Debug, Clone)]
pub struct NamedGrant {
    /// The grant.
    pub grant: EffectiveGrant,
    /// Name of the organization or team; `None` for the platform.
    pub scope_name: Option<String>,
}

/// Lists users, sorted by id, which is the order of creation.
///
/// # Errors
///
/// When the caller may not, a filter or the page cannot be used, or the directory fails.
pub async fn list(caller: &Caller, query: UserQuery, page: PageRequest) -> Result<Listing<UserEntry>, OpError> {
    let permit = caller.permit(Action::ReadUsers, None)?;
    let filter = UserFilter {
        realm: input_rules::realm("realm", query.realm)?,
        external_id: query.external_id,
        username: query.username,
        email: query.email,
        q: query.q,
    };
    let mut users = permit.directory().users(filter, page.page()?).await?;
    users.items = permit.grant_policy(&permit.in_force()).users(users.items).await?;
    Ok(users)
}

/// Reads the user with this id.
///
/// # Errors
///
/// When the caller may not, or there is no such user.
pub async fn read(caller: &Caller, id: &str) -> Result<UserEntry, OpError> {
    find(caller.permit(Action::ReadUsers, None)?, id).await
}

/// Returns the user with this id, with the effective platform role.
async fn find(permit: Permit<'_>, id: &str) -> Result<UserEntry, OpError> {
    find_by_id(permit, input_rules::id(id, "user", "users")?).await
}

async fn find_by_id(permit: Permit<'_>, id: UserId) -> Result<UserEntry, OpError> {
    let entry = permit.directory().user(id).await?;
    let entry = entry.ok_or(OpError::Unknown { what: "user" })?;
    Ok(permit.grant_policy(&permit.in_force()).user(entry).await?)
}

/// Checks that the caller may create users, as [`create`] does first.
///
/// # Errors
///
/// When the caller may not.
pub fn may_create(caller: &Caller) -> Result<(), OpError> {
    creation(caller).map(|_| ())
}

fn creation(caller: &Caller) -> Result<Permit<'_>, OpError> {
    caller.permit(Action::WriteUsers, None)
}

/// Creates a user. A token finds it by realm and external id, and by nothing else.
///
/// # Errors
///
/// When the caller may not, a value breaks its rule, or the directory refuses or fails.
pub async fn create(caller: &Caller, new: NewUser) -> Result<UserEntry, OpError> {
    let permit = creation(caller)?;
    let username = new.username.unwrap_or_else(|| new.external_id.clone());
    let new = narthex_directory::NewUser {
        id: UserId::new(permit.now_ms(), &mut NewIds::new()?),
        realm: permit.realm(new.realm)?,
        external_id: ExternalId::new(new.external_id).map_err(input_rules::name("external_id"))?,
        username: Username::new(username).map_err(input_rules::name("username"))?,
        profile: Profile {
            email: input_rules::given("email", new.email, input_rules::text)?,
            name: input_rules::given("name", new.name, input_rules::text)?,
            country: input_rules::given("country", new.country, input_rules::country)?,
            timezone: input_rules::given("timezone", new.timezone, input_rules::timezone)?,
            locale: input_rules::given("locale", new.locale, input_rules::language)?,
            language: input_rules::given("language", new.language, input_rules::language)?,
        },
    };
    let user = permit.directory().create_user(new, permit.by()).await?;
    Ok(UserEntry {
        user,
        platform_role: PlatformRole::User,
    })
}

/// Updates a user. The next token overwrites the members that are mapped from its claims.
///
/// # Errors
///
/// When the caller may not, there is no such user, it is at another version, a value breaks its rule, or the directory
/// refuses or fails.
pub async fn update(
    caller: &Caller,
    id: &str,
    expected: &ExpectedVersion,
    change: UserChange,
) -> Result<UserEntry, OpError> {
    let permit = caller.permit(Action::WriteUsers, None)?;
    let user = find(permit, id).await?.user;
    let external_id = input_rules::never_empty("external_id", change.external_id)?;
    let username = input_rules::never_empty("username", change.username)?
        .map(|name| Username::new(name).map_err(input_rules::name("username")));
    let edit = UserEdit {
        external_id: input_rules::external_id("external_id", external_id)?,
        username: username.transpose()?,
        status: input_rules::never_empty("status", change.status)?,
        accept_older_tokens: change.accept_older_tokens,
        email: input_rules::edited("email", change.email, input_rules::text)?,
        name: input_rules::edited("name", change.name, input_rules::text)?,
        country: input_rules::edited("country", change.country, input_rules::country)?,
        timezone: input_rules::edited("timezone", change.timezone, input_rules::timezone)?,
        locale: input_rules::edited("locale", change.locale, input_rules::language)?,
        language: input_rules::edited("language", change.language, input_rules::language)?,
        why: input_rules::why(change.why)?,
    };
    let expected = expected.check(user.version)?;
    let directory = permit.directory();
    directory.update_user(user.id, expected, edit, permit.by()).await?;
    find_by_id(permit, user.id).await
}

/// Revokes all tokens of a user: those issued until now are refused, and all without `iat`.
///
/// # Errors
///
/// When the caller may not, there is no such user, or the directory fails.
pub async fn revoke_tokens(caller: &Caller, id: &str) -> Result<UserEntry, OpError> {
    let permit = caller.permit(Action::WriteUsers, None)?;
    let id = find(permit, id).await?.user.id;
    permit.directory().revoke_tokens(id, permit.by()).await?;
    find_by_id(permit, id).await
}

/// Lists a user's grants: those held at a time, those that ever were, or (`None`) those held now.
///
/// # Errors
///
/// When the caller may not, there is no such user, the page cannot be used, or the directory fails.
pub async fn grants(
    caller: &Caller,
    id: &str,
    when: Option<GrantsWhen>,
    page: PageRequest,
) -> Result<Listing<NamedGrant>, OpError> {
    let permit = caller.permit(Action::ReadUsers, None)?;
    let user = find(permit, id).await?.user;
    let filter = GrantFilter {
        user: Some(user.id),
        scope: None,
        when: when.unwrap_or_else(|| GrantsWhen::AsOf(permit.now_ms())),
    };
    let Listing { items, next_cursor } = permit.directory().grants(filter, page.page()?).await?;
    let items = permit
        .grant_policy(&permit.in_force())
        .effective_grants(&user.realm, items)
        .await?;
    let scopes = items.iter().map(|effective| effective.grant.scope());
    let names = permit.scope_names(scopes).await?;
    let named = |grant: EffectiveGrant| NamedGrant {
        scope_name: names.get(&grant.grant.scope()).cloned(),
        grant,
    };
    Ok(Listing {
        items: items.into_iter().map(named).collect(),
        next_cursor,
    })
}

/// Grants a platform role by hand. It replaces an earlier grant by hand, and grants from tokens stay beside it.
///
/// # Errors
///
/// When the caller may not, the role is [`PlatformRole::User`], there is no such user, the terms cannot be used, or the
/// directory fails.
pub async fn grant_platform_role(
    caller: &Caller,
    id: &str,
    role: PlatformRole,
    terms: GrantTerms,
) -> Result<EffectiveGrant, OpError> {
    let permit = caller.permit(Action::WriteUsers, None)?;
    if role == PlatformRole::User {
        return Err(OpError::invalid(
            "role",
            "everybody is a `user`; take the role away with `DELETE` instead",
        ));
    }
    let user = find(permit, id).await?.user.id;
    let new = terms.grant(permit, user, ScopedRole::Platform(role))?;
    let grant = permit.directory().grant_role(new, permit.by()).await?;
    Ok(EffectiveGrant {
        gives: Ok(grant.role),
        grant,
    })
}

/// Revokes a platform role that was granted by hand.
///
/// # Errors
///
/// When the caller may not, there is no such user, the user has no such role or only tags give it, or the directory
/// fails.
pub async fn revoke_platform_role(caller: &Caller, id: &str, why: Option<String>) -> Result<(), OpError> {
    let permit = caller.permit(Action::WriteUsers, None)?;
    let id = find(permit, id).await?.user.id;
    revoke_here(permit, Scope::Platform, id, why).await
}
