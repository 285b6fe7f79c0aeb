//! Users, organizations, teams and grants; what a token makes of them; and the contract of a store.
//!
//! **In** comes a [`Desired`]: what one token says about its user, as plain data. **Out** goes a [`Principal`]:
//! who the directory agrees this is, with effective roles. Between them lies a pure function, `plan`, from the
//! desired state and a [`Snapshot`] to a [`SyncPlan`], and a store that carries the plan out in one transaction.
//!
//! This crate knows nothing of tokens, signatures, templates, HTTP or SQL. It has no clock and no randomness:
//! times are `i64` milliseconds passed in, ids come from a [`NewId`] that is lent to it. Seven traits, whose sum is
//! [`Directory`], declare async methods for stores to implement; declaring is not doing.
//!
//! Invariants:
//! * Nothing is ever linked by e-mail. A user is found by realm and external id, or not at all.
//! * Grants are never deleted, only closed.
//! * Sync never touches a manual grant, but for the empty list of tags.
//! * A token reaches no organization outside its issuer's realm.
//! * What an issuer's tokens gave counts only while that issuer is active ([`ActiveIssuers`]).
//! * Only [`sync`], [`load`] and [`load_machine_key`] make a [`Principal`], and never of a disabled user or a suspended
//!   organization's key.
//! * Identifiers compare byte for byte, in every store.

mod active_issuers;
mod audit;
mod change;
mod command;
mod declaration;
mod deletion;
mod denial;
mod desired;
mod directory;
pub mod document;
mod effective_grants;
mod erasure;
mod error;
mod grant;
mod machine_key;
mod order;
mod organization;
mod page;
mod plan;
mod principal;
mod recent;
mod revocation;
mod role;
pub mod rules;
mod session;
mod single_organization;
mod snapshot;
mod sync;
mod tag_pattern;
mod team;
mod user;
mod versions;
mod webhook;

pub use active_issuers::ActiveIssuers;
pub use audit::{
    ACTIONS, Actor, AuditEvent, AuditKey, By, ChainHash, ChainLink, Checkpoint, DAY_MS, DayChanges, EventFilter,
    EventOrder, REFUSED, RecordedEvent, Seal, SealKey, SealedEvent, Seals, seal_at,
};
pub use change::{Change, FieldDiff, Moves};
pub use command::{
    API_KEY_USE_EVERY_MS, ApiKey, AssertionKey, Edit, EditedUser, GrantFilter, GrantsWhen, Member, NewGrant,
    NewOrganization, NewTeam, NewUser, OrganizationEdit, OrganizationFilter, SavedKeySet, SecretBytes, SecretHash,
    SeenTag, TeamEdit, TeamFilter, UserEdit, UserEntry, UserFilter,
};
pub use declaration::{Clash, DeclarationConflict, Declaring, Met, met, rehearse_declaration};
pub use deletion::{Deletion, OrganizationContent, OrganizationToDelete, removed_organization};
pub use denial::{DENIALS_KEPT_MS, DenialRecord, denial_cursor, time_key};
pub use desired::{
    Desired, DesiredMembership, DesiredOrganization, DesiredTags, DesiredTeam, DesiredUser, OnEmpty, ProviderSession,
    Provision, SyncMode, SyncPolicy,
};
pub use directory::{
    Among, Answer, Carrier, CarrierFilter, Directory, Documents, Keyring, People, Sessions, TokenSync, Trail, Webhooks,
};
pub use document::{Document, DocumentAt, DocumentKind, NewDocument};
pub use effective_grants::{EffectiveGrant, EffectiveMember, GrantPolicy, IneffectiveReason};
pub use erasure::{Erasure, RefusedTokens, RemovedIdentity, RemovedKind, erase_user, without_personal_values};
pub use error::{Refusal, StoreError, SyncError};
pub use grant::{Grant, GrantSource, SourceKind, StoredSource, TokenFingerprint};
pub use machine_key::{
    LoadedMachineKey, MACHINE_KEY_NAME_LENGTH_MAX, MACHINE_KEY_USE_EVERY_MS, MachineKey, MachineKeyEnd,
    MachineKeyError, MachineKeyUse, load_machine_key,
};
// Ids, names and tags are in every record and call of this crate; they come along with it.
pub use narthex_names::{
    ApiKeyId, ConnectionId, CountingIds, Difference, ExternalId, GrantId, IssuerName, MachineKeyId, NAME_LENGTH_MAX,
    NameError, NewId, OrganizationId, OrganizationName, Realm, SLUG_LENGTH_MAX, SessionId, TAG_LENGTH_MAX,
    TAGS_PER_LIST_MAX, TAGS_PER_TOKEN_MAX, Tag, TagList, TeamId, UserId, Username, changes_direction, difference, fold,
    is_near, several_tags_in_one, spellings,
};
pub use order::{Mark, Said};
pub use organization::{
    LOGO_BYTES_MAX, Logo, MembershipRule, Organization, OrganizationDetails, OrganizationStatus, OrganizationTags,
    Origin,
};
pub use page::{Cursor, Listing, PAGE_LIMIT_MAX, Page};
pub use plan::{Expects, Note, SyncPlan, Touch, plan};
pub use principal::{Membership, Principal, TeamMembership, platform_role};
pub use recent::Recent;
pub use revocation::{Revocation, RevokedTokens};
pub use role::{OrganizationRole, PlatformRole, Scope, ScopedRole, TeamRole};
pub use session::{
    CredentialKind, LoggedOut, LogoutMark, ONE_TIME_VALUES_MAX, OneTimeKind, OneTimeValue, RefreshedToken,
    SESSION_BYTES_MAX, SESSION_KEPT_MS, SESSION_MS_MAX, SESSION_USE_EVERY_MS, Session, SessionClient, SessionEnd,
    SessionFilter, SessionKind, SessionSelection, StandingSession,
};
pub use snapshot::{Detail, Lookups, NearMiss, OrganizationBrief, Snapshot, Standing, TagMatch, settle};
pub use sync::{Synced, load, rehearse, sync};
pub use tag_pattern::{PatternProblem, PatternTag, TagPattern, TagPatterns, TwoReadings};
pub use team::Team;
pub use user::{Profile, User, UserKind, UserStatus};
pub use versions::{STRIPES, Stamp, Stripe, Versions};
pub use webhook::{
    ATTEMPTS_KEPT, DEAD_LETTERS_KEPT_MS, DELIVERY_ERROR_BYTES_MAX, DeliveryAttempt, RecordedAttempt, Settlement,
    WaitingDelivery, WaitingState, WebhookProgress,
};
