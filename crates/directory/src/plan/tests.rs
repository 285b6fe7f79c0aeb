//! The planner with a snapshot alone: no store, no waiting. Its tests with a store are in `conformance`.

use serde_json::Map;

use super::*;
use crate::desired::{DesiredOrganization, DesiredUser, ProviderSession};
use crate::grant::{Grant, GrantSource};
use crate::id::{CountingIds, OrganizationId};
use crate::name::{ExternalId, OrganizationName, Username};
use crate::organization::OrganizationStatus;
use crate::role::{OrganizationRole, ScopedRole};
use crate::snapshot::OrganizationBrief;
use crate::user::Profile;

const NOW_MS: i64 = 1_800_000_000_000;

fn token(tags: &[&str]) -> Desired {
    Desired {
        realm: Realm::new("main").unwrap(),
        issuer: IssuerName::new("idp").unwrap(),
        user: DesiredUser {
            external_id: ExternalId::new("ada").unwrap(),
            username: Some(Username::new("ada").unwrap()),
            profile: Profile::default(),
        },
        organization: None,
        team: None,
        each: None,
        context: Map::new(),
        tags: DesiredTags::Exactly(tags.iter().map(ToString::to_string).collect()),
        pattern_tags: Vec::new(),
        issued_at_ms: Some(NOW_MS),
        provider_session: ProviderSession::default(),
        token: TokenFingerprint::default(),
    }
}

fn found(tag: &str, realm: &str, number: u64, role: OrganizationRole) -> TagMatch {
    let organization = OrganizationBrief {
        id: OrganizationId::new(0, &mut CountingIds(number)),
        name: OrganizationName::new(format!("org-{number}")).unwrap(),
        realm: Realm::new(realm).unwrap(),
        status: OrganizationStatus::Active,
    };
    TagMatch {
        tag: tag.to_owned(),
        organization,
        role,
    }
}

fn made(desired: &Desired, snapshot: &Snapshot) -> SyncPlan {
    plan(desired, snapshot, &SyncPolicy::default(), NOW_MS, &mut CountingIds(0)).unwrap()
}

fn opened(plan: &SyncPlan) -> Vec<&Grant> {
    let grants = plan.changes.iter().filter_map(|change| match change {
        Change::OpenGrant(grant) => Some(&**grant),
        _ => None,
    });
    grants.collect()
}

/// The directory as it is after a plan.
fn after(plan: &SyncPlan, snapshot: &Snapshot) -> Snapshot {
    Snapshot {
        standing: plan.after.clone(),
        username_owner: plan.after.as_ref().map(|standing| standing.user.id),
        last: plan.touch.mark,
        ..snapshot.clone()
    }
}

#[test]
fn the_same_arguments_give_the_same_plan() {
    let snapshot = Snapshot {
        tag_matches: vec![found("a", "main", 1, OrganizationRole::Admin)],
        ..Snapshot::empty()
    };
    assert_eq!(made(&token(&["a"]), &snapshot), made(&token(&["a"]), &snapshot));
}

#[test]
fn planning_after_its_own_changes_is_empty() {
    let tag_matches = vec![
        found("a", "main", 1, OrganizationRole::Admin),
        found("b", "main", 1, OrganizationRole::Member),
    ];
    let snapshot = Snapshot {
        tag_matches,
        ..Snapshot::empty()
    };
    let first = made(&token(&["a", "b", "c"]), &snapshot);
    assert_eq!(first.changes.len(), 3);
    let second = made(&token(&["c", "b", "a", "a"]), &after(&first, &snapshot));
    assert!(second.is_empty() && !second.stale_token, "{:?}", second.changes);
    assert_eq!(second.touch.asserted.len(), 2, "but it asserts what it gave");
}

/// Even if a store were to answer with more than it was asked for.
#[test]
fn a_match_beyond_the_realm_or_the_token_gives_nothing() {
    let tag_matches = vec![
        found("a", "other", 1, OrganizationRole::Admin),
        found("z", "main", 2, OrganizationRole::Admin),
    ];
    let snapshot = Snapshot {
        tag_matches,
        ..Snapshot::empty()
    };
    assert!(opened(&made(&token(&["a"]), &snapshot)).is_empty());
}

#[test]
fn the_higher_of_two_matches_of_one_tag_counts_in_any_order() {
    let mut tag_matches = vec![
        found("a", "main", 1, OrganizationRole::Executor),
        found("a", "main", 1, OrganizationRole::Member),
    ];
    for _ in 0..2 {
        let snapshot = Snapshot {
            tag_matches: tag_matches.clone(),
            ..Snapshot::empty()
        };
        let plan = made(&token(&["a"]), &snapshot);
        let roles: Vec<ScopedRole> = opened(&plan).iter().map(|grant| grant.role).collect();
        assert!(matches!(
            roles[..],
            [ScopedRole::Organization(_, OrganizationRole::Member)]
        ));
        tag_matches.reverse();
    }
}

#[test]
fn a_plan_says_what_it_rests_on() {
    let plain = Desired {
        tags: DesiredTags::NotConfigured,
        ..token(&[])
    };
    let snapshot = Snapshot {
        policy: 7,
        ..Snapshot::empty()
    };
    assert_eq!(
        made(&plain, &snapshot).expects,
        Expects {
            user_version: None,
            policy: None
        }
    );
    let first = made(&token(&["a"]), &snapshot);
    assert_eq!(
        first.expects,
        Expects {
            user_version: None,
            policy: Some(7)
        }
    );
    let second = made(&token(&["b"]), &after(&first, &snapshot));
    assert_eq!(
        second.expects,
        Expects {
            user_version: Some(1),
            policy: Some(7)
        }
    );
}

#[test]
fn removal_is_the_last_word_of_a_token_that_also_links() {
    let mut desired = token(&[]);
    desired.organization = Some(DesiredOrganization {
        external_id: ExternalId::new("acme").unwrap(),
        name: None,
        timezone: None,
        role: OrganizationRole::Admin,
    });
    let plan = made(&desired, &Snapshot::empty());
    assert!(opened(&plan).is_empty());
    assert_eq!(plan.notes, [Note::EmptyTagsRemoveAll]);
}

#[test]
fn grants_carry_the_token_the_tag_and_the_lease() {
    let snapshot = Snapshot {
        tag_matches: vec![found("a", "main", 1, OrganizationRole::Admin)],
        ..Snapshot::empty()
    };
    let mut desired = token(&["a"]);
    desired.token.jti = Some("j".to_owned());
    let policy = SyncPolicy {
        lease_ms: Some(60_000),
        ..SyncPolicy::default()
    };
    let plan = plan(&desired, &snapshot, &policy, NOW_MS, &mut CountingIds(0)).unwrap();
    let grant = opened(&plan)[0];
    assert_eq!(
        grant.source,
        GrantSource::Tag {
            issuer: desired.issuer.clone(),
            tag: "a".to_owned()
        }
    );
    assert_eq!(
        (grant.token.jti.as_deref(), grant.lapses_at_ms),
        (Some("j"), Some(NOW_MS + 60_000))
    );
}
