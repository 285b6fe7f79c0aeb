//! Erasure of users in memory.

use super::state::State;
use super::{MemoryDirectory, missing};
use narthex_directory::{
    Answer, By, Desired, Erasure, Grant, RefusedTokens, RemovedIdentity, RemovedKind, SessionEnd, SessionSelection,
    User, UserId, erase_user, rules, without_personal_values,
};

impl MemoryDirectory {
    pub(super) fn erase(&self, user: UserId, version: Option<u64>, erasure: &Erasure, by: &By) -> Answer<User> {
        let mut state = self.lock();
        let before = state.users.get(&user).ok_or(missing("user"))?;
        let newest = state
            .newest_issued_at_ms(user)
            .max(self.usage.newest_issued_at_ms(user));
        let open: Vec<Grant> = state.open_grants(user).cloned().collect();
        let (changes, refused) = erase_user(before, version, open, (erasure, newest), by.at_ms)?;
        let identity = RemovedIdentity {
            kind: RemovedKind::User,
            realm: before.realm.clone(),
            external_id: before.external_id.clone(),
        };
        let issuers = state.issuers.keys().filter(|(of, _)| *of == user);
        let subjects = issuers.map(|(_, issuer)| (issuer.clone(), identity.external_id.as_str().to_owned()));
        let subjects = subjects.collect();
        self.remember(&mut state, identity, refused);
        self.end_sessions_in(&mut state, &SessionSelection::User(user), SessionEnd::Administrator, by);
        state.sessions.forget_user(user, subjects);
        state.forget_user(user);
        self.carry_out(&mut state, &changes, by)?;
        // SECURITY: a use that was noted before, and is written after, would bring the user's tags back.
        self.usage.forget_uses(user);
        state.users.get(&user).cloned().ok_or(missing("user"))
    }

    /// Remembers an identity that was removed.
    pub(super) fn remember(&self, state: &mut State, identity: RemovedIdentity, refused: RefusedTokens) {
        if state.removed.is_empty() {
            // The databases make the key of their hashes now, and all stores count alike.
            self.versions.raise_policy(self.versions.policy() + 1);
        }
        state
            .removed
            .entry(identity)
            .and_modify(|kept| *kept = kept.join(refused))
            .or_insert(refused);
    }

    /// Lets tokens bring a removed identity back.
    pub(super) fn lift(&self, identity: &RemovedIdentity, by: &By) -> bool {
        let lifted = self.lock().lift_erasure(identity, by);
        if lifted && identity.kind == RemovedKind::Organization {
            self.versions.raise_policy(self.versions.policy() + 1);
        }
        lifted
    }
}

impl State {
    /// Removes a user's personal values from everything but its record.
    fn forget_user(&mut self, user: UserId) {
        self.issuers.retain(|(of, _), _| *of != user);
        self.trail.seal_keys.remove(&user);
        for grant in self.grants.values_mut().filter(|grant| grant.user == user) {
            grant.why = None;
            grant.revoked_why = None;
            grant.token.jti = None;
        }
        for recorded in self
            .events
            .iter_mut()
            .filter(|recorded| recorded.event.user == Some(user))
        {
            let event = &mut recorded.event;
            event.detail = without_personal_values(&event.action, std::mem::take(&mut event.detail));
            if let narthex_directory::Actor::Token { token, .. } = &mut event.actor {
                token.jti = None;
            }
        }
    }

    /// Tokens of a token's user that are refused because the user was erased.
    pub(super) fn refused_tokens_of(&self, desired: &Desired) -> Option<RefusedTokens> {
        let identity = RemovedIdentity {
            kind: RemovedKind::User,
            realm: desired.realm.clone(),
            external_id: desired.user.external_id.clone(),
        };
        self.removed.get(&identity).copied()
    }

    /// Takes later tokens of a removed identity again. Returns false if none of them was refused.
    fn lift_erasure(&mut self, identity: &RemovedIdentity, by: &By) -> bool {
        let Some(kept) = self.removed.get_mut(identity).filter(|kept| kept.all) else {
            return false;
        };
        kept.all = false;
        self.record(rules::lifted_event(identity, by));
        true
    }
}
