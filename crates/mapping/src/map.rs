//! The two ways through a mapping: for good, and for show.

use narthex_token::VerifiedClaims;
use serde_json::Map;

use crate::compiled::IssuerMapping;
use crate::error::MapError;
use crate::facts::{RequestFacts, TokenFacts};
use crate::identity::Identity;
use crate::preview::{Preview, PreviewRecorder};
use crate::run::{NoObserver, Run};

impl IssuerMapping {
    /// Maps a verified token to its identity. `now_ms` is what templates see as `now`.
    ///
    /// The first rule that is broken refuses the token, in the order rules, user, organization, team, context,
    /// tags.
    pub fn map(&self, claims: &VerifiedClaims, request: &RequestFacts<'_>, now_ms: i64) -> Result<Identity, MapError> {
        let unread = Map::new();
        let token = TokenFacts {
            header: if self.reads.header { claims.header() } else { &unread },
            claims: claims.claims(),
            issued_at_ms: claims.issued_at_ms(),
        };
        let mut run = Run::new(self, token, request, now_ms, NoObserver);
        let desired = run.desired()?;
        let skipped = run.skipped;
        // INVARIANT: no observer watched, so the walk ended at its first refusal and came through with a value.
        desired
            .map(|desired| Identity::new(desired, skipped))
            .ok_or_else(|| MapError::Nothing {
                field: crate::Field::UserExternalId,
                present: crate::ClaimNames::of(claims.claims()),
            })
    }

    /// Returns what [`IssuerMapping::map`] would do with these claims, step by step and to the end, also past a
    /// refusal. The claims need not be verified, and the result is no [`Identity`].
    pub fn preview<'a>(&'a self, token: impl Into<TokenFacts<'a>>, request: &RequestFacts<'a>, now_ms: i64) -> Preview {
        let mut run = Run::new(self, token.into(), request, now_ms, PreviewRecorder::default());
        let desired = run.desired();
        let (recorder, skipped) = (run.observer, run.skipped);
        recorder.close(desired, skipped)
    }
}
