//! Cache of the organizations that list a tag, stale as soon as an organization changes. Most tokens carry the same few
//! groups, and looking up ten of them costs more than everything else that a snapshot reads.
//!
//! INVARIANT: an entry is used only under the policy number it was read at, and that number is read in the same
//! transaction as everything else in the snapshot. Whatever changes an answer kept here (a list of tags, an
//! organization's name, realm or status, by this process or another) moves that number in its own transaction.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use narthex_directory::{OrganizationBrief, OrganizationRole};

/// The organizations that list one tag, each with the role.
pub type Listing = Arc<[(OrganizationBrief, OrganizationRole)]>;

/// Largest number of tags in the cache; beyond it the cache begins anew.
const TAGS_MAX: usize = 8_192;
/// Longest listing in the cache; a tag that more organizations list is looked up each time.
const LISTING_MAX: usize = 16;

/// The cache, shared by all readers.
#[derive(Debug, Default)]
pub struct TagCache {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    policy: u64,
    tags: usize,
    by_realm: HashMap<Box<str>, HashMap<Box<str>, Listing>>,
}

impl TagCache {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks up these tags at this policy number, in their order.
    pub fn find<'t>(
        &self,
        policy: u64,
        realm: &str,
        tags: impl Iterator<Item = &'t str>,
    ) -> Vec<(&'t str, Option<Listing>)> {
        let kept = self.lock();
        let known = kept.by_realm.get(realm).filter(|_| kept.policy == policy);
        tags.map(|tag| (tag, known.and_then(|known| known.get(tag)).cloned()))
            .collect()
    }

    /// Stores a listing that was read at this policy number.
    pub fn keep(&self, policy: u64, realm: &str, tag: &str, listing: &Listing) {
        let mut kept = self.lock();
        // A reader that began before the last change holds a stale listing.
        if policy < kept.policy || listing.len() > LISTING_MAX {
            return;
        }
        if policy > kept.policy || kept.tags >= TAGS_MAX {
            *kept = Kept {
                policy,
                ..Kept::default()
            };
        }
        if !kept.by_realm.contains_key(realm) {
            kept.by_realm.insert(realm.into(), HashMap::new());
        }
        let of_realm = kept.by_realm.get_mut(realm);
        if of_realm.is_some_and(|tags| tags.insert(tag.into(), Arc::clone(listing)).is_none()) {
            kept.tags += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(cache: &TagCache, policy: u64, realm: &str) -> Vec<bool> {
        let tags = ["a", "b"].into_iter();
        cache
            .find(policy, realm, tags)
            .iter()
            .map(|(_, listing)| listing.is_some())
            .collect()
    }

    #[test]
    fn what_was_read_counts_at_its_own_policy_number_and_in_its_realm() {
        let cache = TagCache::default();
        let nobody: Listing = Arc::from([]);
        cache.keep(5, "main", "a", &nobody);
        assert_eq!(known(&cache, 5, "main"), [true, false]);
        assert_eq!(known(&cache, 5, "other"), [false, false]);
        assert_eq!(known(&cache, 6, "main"), [false, false], "something has changed since");
        assert_eq!(
            known(&cache, 4, "main"),
            [false, false],
            "a reader that began earlier sees the older state"
        );
        cache.keep(6, "main", "b", &nobody);
        cache.keep(5, "main", "a", &nobody);
        assert_eq!(known(&cache, 6, "main"), [false, true]);
    }

    #[test]
    fn it_stays_small() {
        let cache = TagCache::default();
        for index in 0..3 * TAGS_MAX {
            cache.keep(1, "main", &format!("tag {index}"), &Arc::from([]));
        }
        assert!(cache.lock().by_realm["main"].len() <= TAGS_MAX);
    }
}
