//! Accounts: a principal with the decisions already made for it, shared by all tokens with the same content.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use narthex_decision::Match;
use narthex_directory::{Desired, DesiredUser, Mark, Principal, Stamp, TokenSync, Touch, UserId};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::cache::keyed_hash::{Digest, KeyedShortHash};
use crate::cache::prefetch::{Prefetched, prefetch_values};
use crate::passed::Allowed;
use narthex_clock::NoEntropy;

/// Upper limit of routes whose decisions are cached with one principal; further ones are decided anew.
const ROUTES_MAX: usize = 8;

/// A principal and its decisions.
#[derive(Debug)]
pub struct Account {
    /// The principal that the directory agrees on.
    pub principal: Arc<Principal>,
    /// Copy of the principal's stamp, kept here like the next two fields: with many accounts each is rarely in the
    /// processor's cache, and every further cache miss costs more than the work on the data.
    pub stamp: Stamp,
    /// Permission tags of the token, as far as routes ask for them. Tokens with other tags have an account of their own.
    pub tags: Box<[String]>,
    /// Time until which the principal's grants hold, in milliseconds.
    pub valid_until_ms: Option<i64>,
    /// Earliest issue time of accepted tokens, in milliseconds: earlier ones are refused.
    tokens_not_before_ms: Option<i64>,
    allowed: RwLock<CachedDecisions>,
    /// `None` for the answer to an older token, with which nothing was agreed, and for a machine key.
    agreed: Option<Agreement>,
}

/// Cached decisions of one principal.
#[derive(Debug, Default)]
struct CachedDecisions {
    latest: Option<Prefetched<Allowed>>,
    earlier: Vec<Prefetched<Allowed>>,
}

impl Account {
    /// Creates an account without decisions, and without an agreement with the token that asks.
    pub fn new(principal: Arc<Principal>, tags: Box<[String]>) -> Self {
        Self::with((principal, tags), None)
    }

    fn with((principal, tags): (Arc<Principal>, Box<[String]>), agreed: Option<Agreement>) -> Self {
        Self {
            tags,
            stamp: principal.stamp(),
            valid_until_ms: principal.valid_until_ms(),
            tokens_not_before_ms: principal.user().tokens_not_before_ms,
            principal,
            allowed: RwLock::default(),
            agreed,
        }
    }

    /// Returns the cached decision for a route, if its assertion is fresh and does not outlive the token
    /// (`ends_by_ms`).
    pub fn allowed(&self, matched: &Match<'_>, ends_by_ms: Option<i64>, now_ms: i64) -> Option<Prefetched<Allowed>> {
        let kept = self.allowed.read().unwrap_or_else(PoisonError::into_inner);
        let mut all = kept.latest.iter().chain(&kept.earlier);
        let allowed = all.find(|allowed| allowed.answers(matched))?;
        if !allowed.serves(ends_by_ms, now_ms) {
            return None;
        }
        prefetch_values(&allowed.patch);
        Some(Prefetched::clone(allowed))
    }

    /// Prefetches the latest decision, which is likely to be the one that is needed.
    fn prefetch_latest(&self) {
        let kept = self.allowed.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(latest) = &kept.latest {
            latest.prefetch();
        }
    }

    /// Caches the decision for a route.
    pub fn remember(&self, matched: &Match<'_>, allowed: &Prefetched<Allowed>) {
        let mut kept = self.allowed.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(latest) = kept.latest.replace(Prefetched::clone(allowed)) {
            kept.earlier.push(latest);
        }
        kept.earlier.retain(|earlier| !earlier.answers(matched));
        if kept.earlier.len() >= ROUTES_MAX {
            kept.earlier.remove(0);
        }
    }

    /// Tests whether the user signed out everywhere after the token was issued.
    ///
    /// SECURITY: a revocation moves the user's version, so a principal that stands has seen it; but the token at hand
    /// may be older than the one that the account was agreed on with.
    fn refuses(&self, desired: &Desired) -> bool {
        self.tokens_not_before_ms
            .is_some_and(|not_before| desired.issued_at_ms.is_none_or(|issued| issued < not_before))
    }
}

/// Last agreement about a user of an issuer.
#[derive(Debug)]
struct Agreement {
    key: Digest,
    user: UserId,
    generation: u64,
    /// Effect of a use of the token; its times are replaced by those of the use that is written. It is boxed, because
    /// it is seldom read.
    touch: Box<Touch>,
    /// Newest issue time of the tokens with this content. The directory knows the one that counts.
    newest_issued_at_ms: AtomicI64,
    touched_at_ms: AtomicI64,
}

impl Agreement {
    /// Returns the use of a token at `at_ms`, to be written.
    fn touch_at(&self, at_ms: i64) -> Touch {
        let newest = self.newest_issued_at_ms.load(Ordering::Relaxed);
        let lease_ms = self.touch.lapses_at_ms.map(|lapses| lapses - self.touch.at_ms);
        Touch {
            at_ms,
            mark: (newest != i64::MIN).then(|| Mark::of(newest, self.touch.said, at_ms)),
            lapses_at_ms: lease_ms.map(|lease| at_ms.saturating_add(lease)),
            due: true,
            ..(*self.touch).clone()
        }
    }
}

/// Size of an account, in bytes: user, headers, assertion, bookkeeping.
const ENTRY_BYTES: u64 = 3_072;
/// Size that each grant adds, in bytes: itself, its share of a membership, and its tag.
const GRANT_BYTES: u64 = 700;

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<Digest, Prefetched<Account>> for Weight {
    fn weight(&self, _: &Digest, account: &Prefetched<Account>) -> u64 {
        let tags: usize = account.tags.iter().map(|tag| tag.len() + size_of::<String>()).sum();
        ENTRY_BYTES + account.principal.grants().len() as u64 * GRANT_BYTES + tags as u64
    }
}

/// Cache of accounts by issuer and external id, so that a fresh token with the same content as the last one needs no
/// store.
pub struct AccountCache {
    hash: KeyedShortHash,
    by_user: Cache<Digest, Prefetched<Account>, Weight>,
}

/// Cache key of a [`Desired`]: equal when two tokens ask the directory for the same, even if the tokens differ and were
/// issued at different times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DesiredKey {
    /// The user: issuer and external id.
    user: Digest,
    /// Everything else, and the user.
    all: Digest,
}

impl std::fmt::Debug for AccountCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountCache")
            .field("len", &self.by_user.len())
            .finish_non_exhaustive()
    }
}

impl AccountCache {
    /// Creates a cache of at most this many bytes.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] if there is no randomness for its key.
    pub fn new(bytes_max: u64) -> Result<Self, NoEntropy> {
        let entries = usize::try_from(bytes_max / ENTRY_BYTES).unwrap_or(usize::MAX).max(16);
        Ok(Self {
            hash: KeyedShortHash::new()?,
            by_user: Cache::with_weighter(entries, bytes_max, Weight),
        })
    }

    /// Returns the cache key of what a token asks for.
    ///
    /// SECURITY: the value is destructured by field name, so that a field added to it cannot be forgotten here; and
    /// `Hash` puts an end after each text and a length before each list, so no two values give the same bytes.
    pub fn key(&self, desired: &Desired) -> DesiredKey {
        let Desired {
            realm,
            issuer,
            user:
                DesiredUser {
                    external_id,
                    username,
                    profile,
                },
            organization,
            team,
            each,
            context,
            tags,
            pattern_tags,
            issued_at_ms: _,
            provider_session,
            token: _,
        } = desired;
        let user = self.hash.of(&(issuer, external_id));
        // SECURITY: a token of a session that the identity provider has ended says the same as one of another session.
        let asks = (organization, team, each, context, tags, pattern_tags, provider_session);
        let all = (user, realm, username, profile, asks);
        DesiredKey {
            user,
            all: self.hash.of(&all),
        }
    }

    /// Returns the account of a user if a token asks exactly for what was last agreed. When it is due, the directory is
    /// told that the user was seen.
    pub fn unchanged(
        &self,
        (desired, key): (&Desired, DesiredKey),
        generation: u64,
        directory: &dyn TokenSync,
        touch_every_ms: i64,
        now_ms: i64,
    ) -> Option<Prefetched<Account>> {
        let account = self.by_user.get(&key.user)?;
        account.prefetch_latest();
        let agreed = account.agreed.as_ref()?;
        let stands = key.all == agreed.key
            && agreed.generation == generation
            && directory.versions().is_current(account.stamp)
            && account.valid_until_ms.is_none_or(|end| now_ms < end);
        if !stands || account.refuses(desired) {
            return None;
        }
        let newest = agreed.newest_issued_at_ms.load(Ordering::Relaxed);
        if let Some(issued_at_ms) = desired.issued_at_ms.filter(|issued| *issued > newest) {
            // SECURITY: the directory learns which token is the newest although nothing changed: an older one must undo
            // nothing, neither on another node nor after this account has left the cache. It learns this before the
            // token counts here: a token that it has no room for is refused by sync.
            let mark = Mark::of(issued_at_ms, agreed.touch.said, now_ms);
            if !directory.note_newest(agreed.user, &desired.issuer, mark) {
                return None;
            }
            agreed.newest_issued_at_ms.fetch_max(issued_at_ms, Ordering::Relaxed);
        }
        let touched_at_ms = agreed.touched_at_ms.load(Ordering::Relaxed);
        let due = now_ms.saturating_sub(touched_at_ms) >= touch_every_ms;
        if due
            && agreed
                .touched_at_ms
                .compare_exchange(touched_at_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
            && !directory.touch(&agreed.touch_at(now_ms))
        {
            // A use that finds no room is due again at the next use.
            agreed.touched_at_ms.store(touched_at_ms, Ordering::Relaxed);
        }
        Some(account)
    }

    /// Caches the account of a machine key, and returns it. It is found again through the key's cached answer alone, for
    /// which it only has to stay.
    pub fn keep(&self, account: Account) -> Prefetched<Account> {
        let account = Prefetched::new(account);
        let user = self.hash.of(&account.principal.user().id);
        self.by_user.insert(user, Prefetched::clone(&account));
        account
    }

    /// Caches the account that was agreed on, and returns it.
    pub fn agree(
        &self,
        (desired, key): (&Desired, DesiredKey),
        (principal, touch, tags): (Arc<Principal>, &Touch, Box<[String]>),
        generation: u64,
    ) -> Prefetched<Account> {
        self.agree_until((desired, key), (principal, touch, tags), generation, None)
    }

    /// Caches the same at most until a time.
    pub fn agree_until(
        &self,
        (desired, key): (&Desired, DesiredKey),
        (principal, touch, tags): (Arc<Principal>, &Touch, Box<[String]>),
        generation: u64,
        ends_ms: Option<i64>,
    ) -> Prefetched<Account> {
        let agreed = Agreement {
            key: key.all,
            user: touch.user,
            generation,
            newest_issued_at_ms: AtomicI64::new(desired.issued_at_ms.unwrap_or(i64::MIN)),
            touched_at_ms: AtomicI64::new(touch.at_ms),
            touch: Box::new(touch.clone()),
        };
        let mut account = Account::with((principal, tags), Some(agreed));
        account.valid_until_ms = account.valid_until_ms.into_iter().chain(ends_ms).min();
        let account = Prefetched::new(account);
        self.by_user.insert(key.user, Prefetched::clone(&account));
        account
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use narthex_directory::{
        DesiredMembership, DesiredOrganization, DesiredTags, DesiredTeam, ExternalId, IssuerName, OrganizationRole,
        PatternTag, Profile, ProviderSession, Realm, TeamRole, TokenFingerprint, Username,
    };
    use serde_json::{Map, json};

    use super::*;

    static CACHE: LazyLock<AccountCache> = LazyLock::new(|| AccountCache::new(1_000_000).unwrap());

    fn key(desired: &Desired) -> DesiredKey {
        CACHE.key(desired)
    }

    fn desired() -> Desired {
        Desired {
            realm: Realm::new("corp").unwrap(),
            issuer: IssuerName::new("corp").unwrap(),
            user: DesiredUser {
                external_id: ExternalId::new("ada").unwrap(),
                username: Some(Username::new("ada").unwrap()),
                profile: Profile::default(),
            },
            organization: None,
            team: None,
            each: None,
            context: Map::new(),
            tags: DesiredTags::Exactly(vec!["ab".to_owned(), "c".to_owned()]),
            pattern_tags: Vec::new(),
            issued_at_ms: Some(1),
            provider_session: ProviderSession::default(),
            token: TokenFingerprint::default(),
        }
    }

    fn organization() -> DesiredOrganization {
        DesiredOrganization {
            external_id: ExternalId::new("acme").unwrap(),
            name: None,
            timezone: None,
            role: OrganizationRole::Member,
        }
    }

    fn team() -> DesiredTeam {
        DesiredTeam {
            external_id: ExternalId::new("acme").unwrap(),
            name: None,
            role: TeamRole::Member,
        }
    }

    type Change = fn(&mut Desired);

    /// Ways in which two tokens can ask for something else.
    const CHANGES: &[Change] = &[
        |_| {},
        |it| it.realm = Realm::new("other").unwrap(),
        |it| it.issuer = IssuerName::new("other").unwrap(),
        |it| it.user.external_id = ExternalId::new("adaa").unwrap(),
        |it| it.user.username = Some(Username::new("adab").unwrap()),
        |it| it.user.username = None,
        |it| it.user.profile.email = Some("a".to_owned()),
        |it| it.user.profile.email = Some(String::new()),
        |it| it.user.profile.name = Some("a".to_owned()),
        |it| it.user.profile.country = Some("a".to_owned()),
        |it| it.user.profile.timezone = Some("a".to_owned()),
        |it| it.user.profile.locale = Some("a".to_owned()),
        |it| it.user.profile.language = Some("a".to_owned()),
        |it| it.organization = Some(organization()),
        |it| {
            it.organization = Some(DesiredOrganization {
                name: Some("acme".to_owned()),
                ..organization()
            });
        },
        |it| {
            it.organization = Some(DesiredOrganization {
                timezone: Some("acme".to_owned()),
                ..organization()
            });
        },
        |it| {
            it.organization = Some(DesiredOrganization {
                role: OrganizationRole::Admin,
                ..organization()
            });
        },
        |it| it.team = Some(team()),
        |it| {
            it.team = Some(DesiredTeam {
                name: Some("acme".to_owned()),
                ..team()
            });
        },
        |it| {
            it.team = Some(DesiredTeam {
                role: TeamRole::Admin,
                ..team()
            });
        },
        |it| it.tags = DesiredTags::NotConfigured,
        |it| it.tags = DesiredTags::Keep,
        |it| it.tags = DesiredTags::Exactly(Vec::new()),
        |it| it.tags = DesiredTags::Exactly(vec!["a".to_owned(), "bc".to_owned()]),
        |it| it.tags = DesiredTags::Exactly(vec!["c".to_owned(), "ab".to_owned()]),
        |it| it.tags = DesiredTags::Exactly(vec!["abc".to_owned()]),
        |it| it.each = Some(Vec::new()),
        |it| {
            it.each = Some(vec![DesiredMembership {
                organization: organization(),
                team: None,
            }]);
        },
        |it| {
            it.each = Some(vec![DesiredMembership {
                organization: organization(),
                team: Some(team()),
            }]);
        },
        |it| {
            it.pattern_tags = vec![PatternTag {
                tag: "c".to_owned(),
                organization: ExternalId::new("acme").unwrap(),
                role: OrganizationRole::Member,
                create: false,
            }];
        },
        |it| it.provider_session = ProviderSession::new(Some("a"), None),
        |it| it.provider_session = ProviderSession::new(None, Some("a")),
        |it| it.provider_session = ProviderSession::new(Some("a"), Some("a")),
        |it| it.context = [("a".to_owned(), json!(1))].into_iter().collect(),
        |it| it.context = [("a".to_owned(), json!("1"))].into_iter().collect(),
        |it| it.context = [("a".to_owned(), json!(null))].into_iter().collect(),
    ];

    /// Every difference gives another key, and so does moving a letter from one text to the next.
    #[test]
    fn sec_different_wishes_never_have_the_same_key() {
        let keys: Vec<DesiredKey> = CHANGES
            .iter()
            .map(|change| {
                let mut changed = desired();
                change(&mut changed);
                key(&changed)
            })
            .collect();
        for (number, one) in keys.iter().enumerate() {
            for (other, another) in keys.iter().enumerate() {
                assert_eq!(one == another, number == other, "changes {number} and {other}");
            }
        }
    }

    #[test]
    fn which_token_it_is_and_when_it_was_issued_is_no_difference() {
        let later = Desired {
            issued_at_ms: None,
            token: TokenFingerprint {
                sha256_prefix: Some("0123".to_owned()),
                ..TokenFingerprint::default()
            },
            ..desired()
        };
        assert_eq!(key(&desired()), key(&later));
        assert_eq!(key(&desired()).user, key(&later).user);
    }

    /// The two texts of the key do not run into each other.
    #[test]
    fn sec_users_of_different_issuers_never_share_a_key() {
        let named = |issuer: &str, external_id: &str| {
            let mut desired = desired();
            desired.issuer = IssuerName::new(issuer).unwrap();
            desired.user.external_id = ExternalId::new(external_id).unwrap();
            key(&desired)
        };
        assert_ne!(named("ab", "c").user, named("a", "bc").user);
    }
}
