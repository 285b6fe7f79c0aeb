//! Rows of grants: each role, on what, where it came from, and since when.

use narthex_console_frame::paths;
use narthex_console_frame::visit::Visit;
use narthex_console_frame::wording::access::{self, GrantOrigin};
use narthex_console_frame::wording::time::Moment;
use narthex_directory::{EffectiveGrant, Scope, SourceKind};
use narthex_ops::users::NamedGrant;

/// A row for a grant.
#[derive(Debug)]
pub(crate) struct GrantRow {
    pub(crate) role: &'static str,
    /// Address of the thing that the role is held on.
    pub(crate) href: Option<String>,
    /// Name of that thing.
    pub(crate) on: String,
    /// Kind of that thing.
    pub(crate) kind: &'static str,
    pub(crate) origin: GrantOrigin,
    pub(crate) since: Moment,
    pub(crate) confirmed: Moment,
    /// Time at which a manual grant expires, if it does.
    pub(crate) until: Option<Moment>,
}

/// Builds the row of a grant; `name` is the name of the thing that it is held on, where that is known.
pub(crate) fn row(visit: &Visit, effective: &EffectiveGrant, name: Option<&str>) -> GrantRow {
    let grant = &effective.grant;
    let scope = grant.scope();
    GrantRow {
        role: access::role(effective.gives.unwrap_or(grant.role)),
        href: match (scope, name) {
            (Scope::Organization(_), Some(name)) => Some(paths::in_organization(name, "people")),
            _ => None,
        },
        on: match (scope, name) {
            (Scope::Platform, _) => "The platform".to_owned(),
            (_, Some(name)) => name.to_owned(),
            (_, None) => "–".to_owned(),
        },
        kind: match scope {
            Scope::Platform => "Platform",
            Scope::Organization(_) => "Organization",
            Scope::Team(_) => "Team",
        },
        origin: GrantOrigin::of(effective),
        since: visit.moment(grant.granted_at_ms),
        confirmed: visit.moment(grant.asserted_at_ms),
        until: match grant.source.kind() {
            SourceKind::Manual => grant.lapses_at_ms.map(|at_ms| visit.moment(at_ms)),
            SourceKind::Claim | SourceKind::Tag | SourceKind::Pattern => None,
        },
    }
}

/// Builds the rows of a user's grants: those that give a role first.
pub(crate) fn rows(visit: &Visit, grants: &[NamedGrant]) -> Vec<GrantRow> {
    let row_of = |named: &NamedGrant| row(visit, &named.grant, named.scope_name.as_deref());
    let (giving, idle): (Vec<&NamedGrant>, Vec<&NamedGrant>) =
        grants.iter().partition(|named| named.grant.gives.is_ok());
    giving.into_iter().chain(idle).map(row_of).collect()
}
