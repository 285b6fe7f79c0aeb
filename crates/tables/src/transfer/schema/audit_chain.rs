//! The tables of the hash chain, and of revocations.

use super::super::rules::{self, hash, public_jwk, seals};
use super::{Holds, OF_USER, Table, column, maybe_time, text, time};

/// The links.
pub(super) const LINKS: Table = Table {
    name: "audit_links",
    kind: "audit_link",
    key: 1,
    columns: &[
        column("sequence", Holds::Count),
        column("hash", Holds::Bytes(Some(hash))),
    ],
    agrees: None,
};

/// The seals of events.
pub(super) const SEALS: Table = Table {
    name: "audit_seals",
    kind: "audit_seal",
    key: 1,
    columns: &[column("sequence", Holds::Count), column("seals", Holds::Object)],
    agrees: Some(seals),
};

/// The keys of seals.
pub(super) const SEAL_KEYS: Table = Table {
    name: "seal_keys",
    kind: "seal_key",
    key: 1,
    columns: &[OF_USER, column("secret", Holds::Bytes(Some(hash)))],
    agrees: None,
};

/// The checkpoints.
pub(super) const CHECKPOINTS: Table = Table {
    name: "audit_checkpoints",
    kind: "audit_checkpoint",
    key: 1,
    columns: &[
        column("sequence", Holds::Count),
        column("hash", Holds::Bytes(Some(hash))),
        time("at_ms"),
        text("kid"),
        text("signature"),
    ],
    agrees: None,
};

/// Their keys.
pub(super) const KEYS: Table = Table {
    name: "audit_keys",
    kind: "audit_key",
    key: 1,
    columns: &[
        text("kid"),
        column("private", Holds::Bytes(None)),
        column("public_jwk", Holds::Text(Some(public_jwk))),
        time("created_at_ms"),
    ],
    agrees: None,
};

/// Tokens that were revoked.
pub(super) const REVOCATIONS: Table = Table {
    name: "revocations",
    kind: "revocation",
    key: 3,
    columns: &[
        column("issuer", Holds::Text(Some(rules::issuer))),
        text("kind"),
        text("value"),
        column("number", Holds::Count),
        maybe_time("issued_before_ms"),
        maybe_time("kept_until_ms"),
    ],
    agrees: Some(rules::revocation),
};
