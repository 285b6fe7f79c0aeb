//! Desired state that a token asks for, once mapped; and the policy of its issuer.
//!
//! [`Desired`] is plain data: tools and dry runs build it freely. Only `mapping` turns verified claims into one.

use narthex_names::{ExternalId, IssuerName, OrganizationName, Realm, TagList, Username};
use serde_json::{Map, Value};

use crate::grant::TokenFingerprint;
use crate::role::{OrganizationRole, TeamRole, word};
use crate::rules::check_text;
use crate::tag_pattern::{PatternTag, TagPatterns};
use crate::user::Profile;

/// Everything a token says about its user, after mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// The issuer's realm.
    pub realm: Realm,
    /// The issuer's configured name.
    pub issuer: IssuerName,
    /// The user.
    pub user: DesiredUser,
    /// The organization the claims name (S1).
    pub organization: Option<DesiredOrganization>,
    /// The team the claims name (S1). Without an organization it means nothing and is left alone.
    pub team: Option<DesiredTeam>,
    /// Every organization of the user, where the mapping states all of them (`each`): what an earlier token stated and this
    /// one does not ends. `None` where it states none, which changes nothing.
    pub each: Option<Vec<DesiredMembership>>,
    /// Custom contexts (S1). A property that is null or missing keeps its stored value.
    pub context: Map<String, Value>,
    /// The permission tags (S3).
    pub tags: DesiredTags,
    /// The tags that a tag pattern of the issuer matches, each once and in order.
    pub pattern_tags: Vec<PatternTag>,
    /// The token's `iat`, in milliseconds.
    pub issued_at_ms: Option<i64>,
    /// The token's session at the identity provider, for logouts that the provider announces.
    pub provider_session: ProviderSession,
    /// The token. Read only by a plan that opens grants, so an edge may fill it in as late as just before
    /// [`crate::sync`].
    pub token: TokenFingerprint,
}

/// Session at the identity provider that a token is of: its claims `sub` and `sid` (OpenID Connect Back-Channel Logout 1.0,
/// section 2.4). A logout names one of the two, or both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ProviderSession {
    subject: Option<String>,
    sid: Option<String>,
}

impl ProviderSession {
    /// The session that these claims name. A claim that no [`LogoutMark`](crate::LogoutMark) can name, because it is empty,
    /// longer than 256 characters or holds a control character, counts as absent.
    pub fn new(subject: Option<&str>, sid: Option<&str>) -> Self {
        let named = |claim: Option<&str>| claim.filter(|text| check_text("sid", text).is_ok()).map(str::to_owned);
        Self {
            subject: named(subject),
            sid: named(sid),
        }
    }

    /// The claim `sub`.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The claim `sid`.
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }
}

/// The user a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DesiredUser {
    /// Its external id in the realm.
    pub external_id: ExternalId,
    /// Its username. `None` where the issuer does not map it: a new user takes its external id, and an existing one
    /// keeps the name it has, from whatever source.
    pub username: Option<Username>,
    /// The mapped profile. `None` in a field means "not given": the stored value stays.
    pub profile: Profile,
}

impl DesiredUser {
    /// The username of a new user.
    pub fn new_username(&self) -> Username {
        self.username
            .clone()
            .unwrap_or_else(|| Username::from(&self.external_id))
    }
}

/// The organization a token links its user to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DesiredOrganization {
    /// Its external id in the realm.
    pub external_id: ExternalId,
    /// Its label; `None` keeps the stored one, and a new organization takes its external id.
    pub name: Option<String>,
    /// Its time zone.
    pub timezone: Option<String>,
    /// The user's role in it.
    pub role: OrganizationRole,
}

impl DesiredOrganization {
    /// The label of a new organization.
    pub(crate) fn new_label(&self) -> &str {
        self.name.as_deref().unwrap_or(self.external_id.as_str())
    }

    /// Name in paths that a new organization gets if no other has it: after its label, else after its external id.
    /// `None` if neither has a letter or a digit that a path could show.
    pub fn suggested_name(&self) -> Option<OrganizationName> {
        OrganizationName::suggested_by(self.new_label())
            .or_else(|| OrganizationName::suggested_by(self.external_id.as_str()))
    }
}

/// The team a token links its user to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DesiredTeam {
    /// Its external id in the realm.
    pub external_id: ExternalId,
    /// Its name; `None` keeps the stored one, and a new team takes its external id.
    pub name: Option<String>,
    /// The user's role in it.
    pub role: TeamRole,
}

/// One of the organizations that a token states, with the team in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DesiredMembership {
    /// The organization, with the user's role in it.
    pub organization: DesiredOrganization,
    /// The team in it.
    pub team: Option<DesiredTeam>,
}

/// Content of the tags claim.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum DesiredTags {
    /// The issuer has no tags claim configured: nothing about tags happens.
    #[default]
    NotConfigured,
    /// The claim is missing and the issuer says `on_missing = "keep"`: what was granted stays.
    Keep,
    /// Exactly these. The empty list removes all permissions (S3).
    Exactly(Vec<String>),
}

impl DesiredTags {
    /// The variant's name.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::NotConfigured => "not_configured",
            Self::Keep => "keep",
            Self::Exactly(_) => "exactly",
        }
    }

    /// Returns the tags to keep for previews: each once and in order, so that the same tags are the same list in
    /// whatever order a token has them. `None` where it has no list.
    pub fn noted(&self) -> Option<Vec<String>> {
        let Self::Exactly(tags) = self else {
            return None;
        };
        let mut tags = tags.clone();
        tags.sort_unstable();
        tags.dedup();
        Some(tags)
    }
}

word!(
    /// Records that an issuer's tokens may create.
    Provision, "provision", {
        /// Users, organizations, teams and the links between them.
        Create = "create",
        /// Nothing new: what exists already is updated and linked.
        LinkOnly = "link_only",
        /// Claims create, update and link nothing; tags still count for users who exist.
        Off = "off",
    }
);

word!(
    /// Grants that an empty list of tags revokes.
    OnEmpty, "on_empty", {
        /// Every open grant of the user in the realm, from whatever source, and the platform role (S3).
        RevokeAll = "revoke_all",
        /// Grants by tokens; manual grants stay.
        RevokeSynced = "revoke_synced",
    }
);

word!(
    /// Treatment of plans: carried out, or only reported.
    SyncMode, "mode", {
        /// Plans are carried out.
        Enforce = "enforce",
        /// Plans are reported and nothing is written.
        Observe = "observe",
    }
);

/// Limits on what an issuer's tokens may change in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncPolicy {
    /// Records that its tokens may create.
    pub provision: Provision,
    /// Tags that make platform admins.
    pub platform_admin_tags: TagList,
    /// Patterns of tags that give roles in organizations.
    pub tag_patterns: TagPatterns,
    /// Grants that `[]` revokes.
    pub on_empty: OnEmpty,
    /// A synced grant lapses when it has not been asserted for this long. At least a minute.
    pub lease_ms: Option<i64>,
    /// Treatment of plans: carried out, or only reported.
    pub mode: SyncMode,
    /// Limit of changes by sync to one user within a minute. Above it a token only takes away.
    pub changes_per_minute: u32,
    /// The one organization in which its tokens give roles, for an issuer of one organization.
    pub organization: Option<OrganizationName>,
}

/// The safe choice everywhere: the specification's defaults.
impl Default for SyncPolicy {
    fn default() -> Self {
        Self {
            provision: Provision::Create,
            platform_admin_tags: TagList::default(),
            tag_patterns: TagPatterns::default(),
            on_empty: OnEmpty::RevokeAll,
            lease_ms: None,
            mode: SyncMode::Enforce,
            changes_per_minute: 60,
            organization: None,
        }
    }
}

impl SyncPolicy {
    /// Longest time for which an assertion of a token may go unwritten, in milliseconds: an hour, or a quarter of a
    /// shorter lease.
    pub fn touch_interval_ms(&self) -> i64 {
        self.lease_ms.map_or(HOUR_MS, |lease| HOUR_MS.min(lease / 4))
    }
}

const HOUR_MS: i64 = 3_600_000;
