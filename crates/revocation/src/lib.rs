//! Tokens that an administrator revoked, as a node knows them.
//!
//! **In:** the revocations of a directory. **Out:** whether a token that was verified is refused all the same
//! ([`Revocations::refuses`]).
//!
//! A revocation moves the policy number of the directory. Answers that were cached before end with it, and before the next
//! one is made, the node reads the revocations that it does not know ([`Revocations::learn`]). So one that was acknowledged
//! anywhere holds on this node as soon as it hears of the number: within half a second.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use aws_lc_rs::digest::{SHA256, digest};
use narthex_directory::{Directory, IssuerName, Revocation, RevokedTokens, StoreError};
use narthex_token::Limits;
use tokio::sync::Mutex;

/// Largest number of revocations that are read at once.
const READ_AT_ONCE: usize = 500;

/// Stands for the policy number of a node that has read nothing yet. No directory reaches it.
const NOTHING_READ: u64 = u64::MAX;

/// A token that was verified.
#[derive(Debug, Clone, Copy)]
pub struct TokenFacts<'t> {
    /// The configured name of its issuer.
    pub issuer: &'t IssuerName,
    /// Its `jti`, if it is text.
    pub id: Option<&'t str>,
    /// Its `iat`, in milliseconds.
    pub issued_at_ms: Option<i64>,
}

/// The revocations that this node knows.
#[derive(Debug)]
pub struct Revocations {
    /// Policy number of the directory at which all revocations were read.
    read_at: AtomicU64,
    reading: Mutex<()>,
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Number of the newest one.
    newest: u64,
    issuers: HashMap<IssuerName, OfIssuer>,
}

/// Revocations of one issuer's tokens, each with the time until which it is kept.
#[derive(Debug, Default)]
struct OfIssuer {
    issued_before_ms: Option<i64>,
    ids: HashMap<String, Option<i64>>,
    contents: HashMap<String, Option<i64>>,
    /// Policy number at which the newest revocation by content was read.
    contents_at: Option<u64>,
}

impl Default for Revocations {
    fn default() -> Self {
        Self {
            read_at: AtomicU64::new(NOTHING_READ),
            reading: Mutex::default(),
            known: RwLock::default(),
        }
    }
}

/// Returns the name by which a token without a `jti` is revoked: the SHA-256, in hexadecimal digits, of the bytes that its signature
/// covers; of an opaque token, of all of it.
///
/// SECURITY: the signature is left out, because many algorithms have several for the same bytes. A verified token has one
/// spelling of the rest: its segments are canonical.
pub fn content_name(token: &str) -> String {
    let is_jwt = token.bytes().filter(|byte| *byte == b'.').count() == 2;
    let covered = token
        .rsplit_once('.')
        .filter(|_| is_jwt)
        .map_or(token, |(covered, _)| covered);
    let hash = digest(&SHA256, covered.as_bytes());
    let digits = hash.as_ref().iter();
    digits.fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Returns the tokens to revoke so that this one is refused: by its `jti`, or by its content if it has none.
///
/// Nothing about the token is proved by that, and it may have expired.
pub fn tokens_named_by(token: &str) -> RevokedTokens {
    let parsed = narthex_token::parse(token, &Limits::default()).map(narthex_token::ParsedToken::into_unverified);
    let id = parsed.ok().and_then(|parsed| {
        let id = parsed.claims().get("jti")?.as_str()?;
        Revocation::is_id(id).then(|| id.to_owned())
    });
    id.map_or_else(|| RevokedTokens::Content(content_name(token)), RevokedTokens::Id)
}

impl Revocations {
    /// Makes sure that this node knows every revocation that was made before the policy number came to be what it is.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it does not, and they cannot be read.
    pub async fn learn(&self, directory: &dyn Directory) -> Result<(), StoreError> {
        if self.read_at.load(Ordering::Acquire) == directory.versions().policy() {
            return Ok(());
        }
        let _turn = self.reading.lock().await;
        // INVARIANT: the number is read before the revocations: one that comes meanwhile moves it again.
        let policy = directory.versions().policy();
        if self.read_at.load(Ordering::Acquire) == policy {
            return Ok(());
        }
        loop {
            let after = self.known.read().unwrap_or_else(PoisonError::into_inner).newest;
            let read = directory.revocations(after, READ_AT_ONCE).await?;
            let is_last = read.len() < READ_AT_ONCE;
            let mut known = self.write();
            for (number, revocation) in read {
                known.add(number, revocation, policy);
            }
            drop(known);
            if is_last {
                break;
            }
        }
        self.read_at.store(policy, Ordering::Release);
        Ok(())
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tests whether a token is revoked. `content` is called for its [`content_name`], where one may count.
    pub fn refuses(&self, token: TokenFacts<'_>, content: impl FnOnce() -> String) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let Some(of_issuer) = known.issuers.get(token.issuer) else {
            return false;
        };
        // A token that does not say when it was issued may be an older one.
        let is_older = |before_ms| token.issued_at_ms.is_none_or(|issued| issued < before_ms);
        if of_issuer.issued_before_ms.is_some_and(is_older) {
            return true;
        }
        token.id.is_some_and(|id| of_issuer.ids.contains_key(id))
            || (!of_issuer.contents.is_empty() && of_issuer.contents.contains_key(&content()))
    }

    /// Tests whether a stream must end whose token is not there any more, and that was found good at this policy number.
    ///
    /// SECURITY: the content of the token is not kept, so each revocation by content ends all streams of its issuer once. Their
    /// clients come back, and those whose token is good are let in.
    pub fn ends_stream(&self, token: TokenFacts<'_>, good_at: u64) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let of_issuer = known.issuers.get(token.issuer);
        let contents_at = of_issuer.and_then(|of_issuer| of_issuer.contents_at);
        drop(known);
        contents_at.is_some_and(|at| at > good_at) || self.refuses(token, String::new)
    }

    /// Forgets the revocations whose tokens have all expired. The directory deletes them too.
    pub fn forget_expired(&self, now_ms: i64) {
        let is_kept = |until_ms: &mut Option<i64>| until_ms.is_none_or(|until_ms| until_ms > now_ms);
        for of_issuer in self.write().issuers.values_mut() {
            of_issuer.ids.retain(|_, until_ms| is_kept(until_ms));
            of_issuer.contents.retain(|_, until_ms| is_kept(until_ms));
        }
    }
}

impl Known {
    fn add(&mut self, number: u64, revocation: Revocation, policy: u64) {
        self.newest = self.newest.max(number);
        let of_issuer = self.issuers.entry(revocation.issuer).or_default();
        match revocation.tokens {
            RevokedTokens::Id(id) => {
                of_issuer.ids.insert(id, revocation.kept_until_ms);
            }
            RevokedTokens::Content(hash) => {
                of_issuer.contents.insert(hash, revocation.kept_until_ms);
                of_issuer.contents_at = Some(policy);
            }
            RevokedTokens::IssuedBefore(before_ms) => {
                of_issuer.issued_before_ms = of_issuer.issued_before_ms.max(Some(before_ms));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use narthex_conformance::revocations::of_id;
    use narthex_conformance::world::World;
    use narthex_directory::{Sessions as _, TokenSync as _};
    use narthex_memory::MemoryDirectory;

    use super::*;

    fn facts<'t>(issuer: &'t IssuerName, id: Option<&'t str>, issued_at_ms: Option<i64>) -> TokenFacts<'t> {
        TokenFacts {
            issuer,
            id,
            issued_at_ms,
        }
    }

    #[test]
    fn sec_the_name_of_a_token_without_jti_does_not_depend_on_its_signature() {
        assert_eq!(content_name("aa.bb.cc"), content_name("aa.bb.dd"));
        assert_ne!(content_name("aa.bb.cc"), content_name("aa.bc.cc"));
        assert_ne!(content_name("opaque.one"), content_name("opaque.two"));
        // FIPS 180-2 appendix B.1.
        assert!(content_name("abc").starts_with("ba7816bf8f01cfea"));
    }

    #[tokio::test]
    async fn sec_a_revoked_token_is_refused_and_others_are_not() {
        let directory = MemoryDirectory::default();
        let world = World::new(&directory);
        let revocations = Revocations::default();
        let (idp, other) = (IssuerName::new("idp").unwrap(), IssuerName::new("other").unwrap());
        let never = || panic!("no content counts");
        revocations.learn(&directory).await.unwrap();
        assert!(!revocations.refuses(facts(&idp, Some("one"), None), never));
        directory.revoke(of_id("one", Some(5)), world.by()).await.unwrap();
        assert!(
            !revocations.refuses(facts(&idp, Some("one"), None), never),
            "not read yet"
        );
        revocations.learn(&directory).await.unwrap();
        assert!(revocations.refuses(facts(&idp, Some("one"), Some(1)), never));
        assert!(!revocations.refuses(facts(&idp, Some("two"), Some(1)), never));
        assert!(!revocations.refuses(facts(&other, Some("one"), Some(1)), never));
        assert!(!revocations.refuses(facts(&idp, None, Some(1)), never));
        revocations.forget_expired(5);
        assert!(!revocations.refuses(facts(&idp, Some("one"), Some(1)), never));

        let content = Revocation {
            tokens: RevokedTokens::Content("c".into()),
            ..of_id("", None)
        };
        directory.revoke(content, world.by()).await.unwrap();
        revocations.learn(&directory).await.unwrap();
        assert!(revocations.refuses(facts(&idp, None, Some(1)), || "c".to_owned()));
        assert!(!revocations.refuses(facts(&idp, None, Some(1)), || "d".to_owned()));
        let policy = directory.versions().policy();
        assert!(revocations.ends_stream(facts(&idp, None, Some(1)), policy - 1));
        assert!(!revocations.ends_stream(facts(&idp, None, Some(1)), policy), "once");
        assert!(!revocations.ends_stream(facts(&other, None, Some(1)), policy - 1));

        let all = Revocation {
            tokens: RevokedTokens::IssuedBefore(100),
            ..of_id("", None)
        };
        directory.revoke(all, world.by()).await.unwrap();
        revocations.learn(&directory).await.unwrap();
        for (issued_at_ms, refused) in [(Some(99), true), (Some(100), false), (None, true)] {
            let token = facts(&idp, Some("two"), issued_at_ms);
            assert_eq!(revocations.refuses(token, String::new), refused, "{issued_at_ms:?}");
        }
    }
}
