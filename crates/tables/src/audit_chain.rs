//! Tables of the hash chain: their columns, and the records read from their rows.

use narthex_directory::{Answer, AuditKey, ChainHash, ChainLink, Checkpoint, DayChanges, SealKey, SecretBytes};

use crate::rows::{Columns, Row, corrupt};

/// A link of the chain.
pub const LINK: &str = "sequence, hash";
/// A checkpoint.
pub const CHECKPOINT: &str = "sequence, hash, at_ms, kid, signature";
/// A key of checkpoints.
pub const AUDIT_KEY: &str = "kid, private, public_jwk, created_at_ms";
/// A key of seals, as `k`.
pub const SEAL_KEY: &str = "k.user_id, k.secret";

fn chain_hash(columns: &mut Columns<'_>, what: &'static str) -> Answer<ChainHash> {
    let bytes: [u8; 32] = columns.bytes()?.try_into().map_err(|error| corrupt(what, error))?;
    Ok(ChainHash(bytes))
}

/// The link of a row of [`LINK`].
pub fn link(row: &dyn Row) -> Answer<ChainLink> {
    let mut columns = Columns::of(row, "link of the audit chain");
    Ok(ChainLink {
        sequence: columns.number()?,
        hash: chain_hash(&mut columns, "link of the audit chain")?,
    })
}

/// The checkpoint of a row of [`CHECKPOINT`].
pub fn checkpoint(row: &dyn Row) -> Answer<Checkpoint> {
    let mut columns = Columns::of(row, "checkpoint");
    Ok(Checkpoint {
        sequence: columns.number()?,
        hash: chain_hash(&mut columns, "checkpoint")?,
        at_ms: columns.integer()?,
        kid: columns.text()?.to_owned(),
        signature: columns.text()?.to_owned(),
    })
}

/// The changes of a row of a day and a number.
pub fn day_changes(row: &dyn Row) -> Answer<DayChanges> {
    let mut columns = Columns::of(row, "changes of a day");
    Ok(DayChanges {
        day: columns.integer()?,
        changes: columns.number()?,
    })
}

/// The key of a row of [`SEAL_KEY`].
pub fn seal_key(row: &dyn Row) -> Answer<SealKey> {
    let mut columns = Columns::of(row, "key of seals");
    Ok(SealKey {
        user: columns.parse()?,
        secret: SecretBytes(columns.bytes()?.to_vec()),
    })
}

/// The key of a row of [`AUDIT_KEY`].
pub fn audit_key(row: &dyn Row) -> Answer<AuditKey> {
    let mut columns = Columns::of(row, "key of checkpoints");
    Ok(AuditKey {
        kid: columns.text()?.to_owned(),
        private: SecretBytes(columns.bytes()?.to_vec()),
        public_jwk: columns.text()?.to_owned(),
        created_at_ms: columns.integer()?,
    })
}
