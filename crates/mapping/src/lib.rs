//! Verified claims to an identity, through templates.
//!
//! **What comes in:** an issuer's mapping as written ([`MappingSource`]), once; then, for each token, its verified
//! claims, what templates may see of the request, and the time as a number. **What goes out:** an [`Identity`], which is
//! a plain [`Desired`](narthex_directory::Desired) that only verified claims can become, or one [`MapError`] with a
//! stable reason.
//!
//! ```text
//! MappingSource --compile--> IssuerMapping --map(VerifiedClaims)--> Identity
//!                                 \--preview(any claims)--> Preview
//! ```
//!
//! This crate knows nothing of files, stores or responses. What a template *is* belongs to `narthex_template`; here is
//! which templates there are, what they are for, and which values each field takes.
//!
//! # Invariants
//!
//! * An [`Identity`] has no public constructor. [`IssuerMapping::map`] makes one, from verified claims.
//! * Every rule of the issuer is met before anything is mapped, so an [`Identity`] is never of a token that breaks one.
//! * `map` and `preview` are one walk. What explain shows is what happens.
//! * Ids and usernames are taken exactly: never trimmed, folded, converted or completed.
//! * Claim text is data. Nothing a claim says is ever compiled or evaluated.
//! * Missing, null, `[]`, `""`, malformed and left-out tags are told apart.
//! * The same token, request and time give the same answer. Mappings have no randomness.
//! * No claim value appears in an error.

mod compile;
mod compiled;
mod error;
mod facts;
mod field;
mod identity;
mod map;
mod preview;
pub mod profile;
mod reads;
mod rules;
mod run;
mod source;
mod tags;
mod token_rule;

pub use compiled::{IssuerMapping, Origin, RequestPart};
pub use error::{Breach, ClaimNames, MapError, MappingProblem, MappingProblemKind, RuleFault, TagsFault};
pub use facts::{RequestFacts, TokenFacts};
pub use field::Field;
pub use identity::{Identity, Skipped};
pub use preview::{Outcome, Preview, PreviewRow, TemplateResult};
pub use reads::claim_paths;
pub use source::{
    Body, MappingLimits, MappingSettings, MappingSource, OnInvalid, OnMissing, OrganizationSource, RuleSource,
    TagsSource, TeamSource, UserSource,
};
