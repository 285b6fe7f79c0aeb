//! The actions of the audit trail: one list, by which the API checks a filter and of which the reference is made.

/// Each action and what it means, in the order of the reference.
///
/// INVARIANT: every action that the code writes is here (a test of `narthex-cli` looks for them in the sources).
pub const ACTIONS: &[(&str, &str)] = &[
    ("user.created", "A user was created, by a token or an administrator."),
    (
        "user.updated",
        "Fields of a user changed: profile, username, status, context, or the time before which tokens are refused.",
    ),
    (
        "user.erased",
        "A user was erased: the personal values are gone, and older tokens (or all of them) are refused.",
    ),
    (
        "erasure.lifted",
        "Tokens may bring an erased user or a deleted organization back; the detail has its kind and realm.",
    ),
    (
        "organization.created",
        "An organization was created, or declared in the configuration.",
    ),
    (
        "organization.updated",
        "Fields of an organization changed: name, details, lists of tags, status.",
    ),
    (
        "organization.deleted",
        "An organization was deleted, with all that it contained; its name stays taken.",
    ),
    ("team.created", "A team was created."),
    ("team.updated", "Fields of a team changed."),
    ("team.deleted", "A team was deleted with its organization."),
    (
        "grant.opened",
        "A role was granted; the detail has the role, its source and the tag.",
    ),
    ("grant.closed", "A role was revoked, or lapsed."),
    ("api_key.created", "An API key was created."),
    ("api_key.revoked", "An API key was revoked."),
    (
        "machine_key.created",
        "A machine key of an organization was created; the detail has its role and its expiry.",
    ),
    ("machine_key.revoked", "A machine key was revoked."),
    (
        "configuration.reloaded",
        "A node took a new configuration file into use; the detail has its number on that node.",
    ),
    ("assertion_key.created", "A new key signs assertions."),
    (
        "audit_key.created",
        "A new key signs checkpoints of the audit trail, and its exports.",
    ),
    (
        "token.revoked",
        "One token, or all older tokens of an issuer, were revoked; the detail has the issuer and the `jti` or the time.",
    ),
    (
        "audit.cut",
        "The beginning of the audit trail was deleted because of its age; the detail has the last number and how many.",
    ),
    (
        "audit.refusals_deleted",
        "Refusals in the audit trail were deleted because of their age; the detail has the time before which they were and how many.",
    ),
    (
        "request.refused",
        "A request was refused; of each reason, a node records five a minute and counts the others.",
    ),
    ("connection.created", "A connection was created."),
    ("connection.updated", "A connection's document or secrets changed."),
    ("connection.deleted", "A connection was deleted."),
    (
        "connection.minted",
        "A connection minted a token; the detail names its claims.",
    ),
    (
        "connection.tested",
        "A connection sent its request and judged the response.",
    ),
    ("issuer.created", "An issuer was created."),
    ("issuer.updated", "An issuer changed."),
    ("issuer.deleted", "An issuer was deleted."),
    ("session.created", "A browser was signed in."),
    (
        "session.ended",
        "A session was ended before its time; the detail has the reason.",
    ),
    ("webhook.created", "A webhook was created."),
    ("webhook.updated", "A webhook changed."),
    ("webhook.deleted", "A webhook was deleted."),
    ("setup_link.created", "A setup link of an organization was created."),
    ("setup_link.updated", "A setup link was used."),
    ("setup_link.deleted", "A setup link was revoked, or has ended."),
];
