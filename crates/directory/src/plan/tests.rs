//! The planner with a snapshot alone: no store, no waiting. Its tests with a store are in `conformance`.

use narthex_names::{CountingIds, ExternalId, OrganizationId, OrganizationName, TagList, Username};
use serde_json::Map;

use super::*;
use crate::desired::{DesiredMembership, DesiredOrganization, DesiredTeam, DesiredUser, ProviderSession};
use crate::grant::{Grant, GrantSource};
use crate::organization::{
    MembershipRule, Organization, OrganizationDetails, OrganizationStatus, OrganizationTags, Origin,
};
use crate::role::{OrganizationRole, PlatformRole, ScopedRole, TeamRole};
use crate::single_organization::narrow;
use crate::snapshot::OrganizationBrief;
use crate::tag_pattern::PatternTag;
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

/// An organization of the realm `main`, which lists its own name as the tag of its admins.
fn organization(name: &str, number: u64) -> Organization {
    Organization {
        id: OrganizationId::new(0, &mut CountingIds(number)),
        name: OrganizationName::new(name).unwrap(),
        label: name.to_owned(),
        realm: Realm::new("main").unwrap(),
        external_id: Some(ExternalId::new(format!("{name}-id")).unwrap()),
        details: OrganizationDetails::default(),
        tags: OrganizationTags {
            admin: TagList::parse(name).unwrap(),
            ..OrganizationTags::default()
        },
        tag_patterns: true,
        membership: MembershipRule::Mixed,
        status: OrganizationStatus::Active,
        origin: Origin::Api,
        has_logo: false,
        created_at_ms: 0,
        updated_at_ms: 0,
        version: 1,
    }
}

fn naming(name: &str) -> DesiredOrganization {
    DesiredOrganization {
        external_id: ExternalId::new(name).unwrap(),
        name: Some("Renamed".to_owned()),
        timezone: None,
        role: OrganizationRole::Admin,
    }
}

/// A token of an issuer of the organization `acme`, whose users have the realm `acme-idp`.
fn of_acme(tags: &[&str]) -> Desired {
    Desired {
        realm: Realm::new("acme-idp").unwrap(),
        issuer: IssuerName::new("acme-idp").unwrap(),
        ..token(tags)
    }
}

fn policy_of_acme() -> SyncPolicy {
    SyncPolicy {
        organization: Some(OrganizationName::new("acme").unwrap()),
        platform_admin_tags: TagList::parse("root").unwrap(),
        ..SyncPolicy::default()
    }
}

fn planned_for_acme(desired: &Desired, snapshot: &Snapshot) -> SyncPlan {
    plan(desired, snapshot, &policy_of_acme(), NOW_MS, &mut CountingIds(100)).unwrap()
}

/// The snapshot as `sync` narrows it.
fn narrowed(desired: &Desired, snapshot: &Snapshot) -> Snapshot {
    let mut snapshot = snapshot.clone();
    narrow(&mut snapshot, desired, Some(organization("acme", 1)));
    snapshot
}

fn roles(plan: &SyncPlan) -> Vec<ScopedRole> {
    opened(plan).iter().map(|grant| grant.role).collect()
}

fn creates_organization(plan: &SyncPlan) -> bool {
    (plan.changes.iter()).any(|change| {
        matches!(
            change,
            Change::CreateOrganization(_) | Change::UpdateOrganization { .. }
        )
    })
}

/// A snapshot of a store that holds more than it was asked for: another organization, in the issuer's own realm too.
fn generous() -> Snapshot {
    let mut other = organization("other", 2);
    other.realm = Realm::new("acme-idp").unwrap();
    Snapshot {
        tag_matches: vec![
            found("other", "acme-idp", 2, OrganizationRole::Admin),
            found("other", "main", 3, OrganizationRole::Admin),
        ],
        organization: Some(other.clone()),
        looked_up: vec![other, organization("globex", 3)],
        ..Snapshot::empty()
    }
}

#[test]
fn sec_an_issuer_of_one_organization_gives_roles_there_and_nowhere_else() {
    let acme = organization("acme", 1).id;
    let admin = ScopedRole::Organization(acme, OrganizationRole::Admin);
    let desired = of_acme(&["acme", "other", "globex", "root"]);
    let plan = planned_for_acme(&desired, &narrowed(&desired, &generous()));
    assert_eq!(roles(&plan), [admin], "by tag");
    // Even if nothing had narrowed the snapshot, the planner alone gives nothing elsewhere.
    assert_eq!(roles(&planned_for_acme(&desired, &generous())), []);
}

#[test]
fn sec_claims_of_an_issuer_of_one_organization_reach_no_other() {
    for (named, reaches) in [("acme", true), ("acme-id", true), ("other", false), ("new", false)] {
        let mut claimed = of_acme(&["-"]);
        claimed.organization = Some(naming(named));
        let mut stated = of_acme(&["-"]);
        stated.each = Some(vec![DesiredMembership {
            organization: naming(named),
            team: None,
        }]);
        let mut patterned = of_acme(&["app-admin"]);
        patterned.pattern_tags = vec![PatternTag {
            tag: "app-admin".to_owned(),
            organization: ExternalId::new(named).unwrap(),
            role: OrganizationRole::Admin,
            create: true,
        }];
        for desired in [claimed, stated, patterned] {
            let plan = planned_for_acme(&desired, &narrowed(&desired, &generous()));
            assert_eq!(roles(&plan).len(), usize::from(reaches), "{named} {desired:?}");
            assert!(
                !creates_organization(&plan),
                "{named}: no record of an organization is written"
            );
            assert!(!creates_organization(&planned_for_acme(&desired, &generous())));
            assert_eq!(roles(&planned_for_acme(&desired, &generous())), []);
        }
    }
}

#[test]
fn a_team_of_an_issuer_of_one_organization_is_in_that_organization() {
    let mut desired = of_acme(&["-"]);
    desired.organization = Some(naming("acme"));
    desired.team = Some(DesiredTeam {
        external_id: ExternalId::new("ops").unwrap(),
        name: None,
        role: TeamRole::Member,
    });
    let plan = planned_for_acme(&desired, &narrowed(&desired, &Snapshot::empty()));
    let team = plan.changes.iter().find_map(|change| match change {
        Change::CreateTeam(team) => Some(team),
        _ => None,
    });
    let team = team.unwrap();
    assert_eq!(team.organization, Some(organization("acme", 1).id));
    assert_eq!(
        team.realm, desired.realm,
        "so that it never meets a team of another organization"
    );
}

#[test]
fn sec_the_empty_list_of_an_issuer_of_one_organization_closes_only_grants_there() {
    let desired = of_acme(&["acme"]);
    let first = planned_for_acme(&desired, &narrowed(&desired, &Snapshot::empty()));
    let mut standing = first.after().unwrap().clone();
    let own = standing.grants[0].clone();
    let other = organization("other", 2);
    standing.organizations.push(OrganizationBrief::from(&other));
    let manual = |number, role| Grant {
        id: GrantId::new(0, &mut CountingIds(number)),
        role,
        source: GrantSource::Manual,
        ..own.clone()
    };
    let kept = [
        manual(70, ScopedRole::Platform(PlatformRole::Admin)),
        manual(71, ScopedRole::Organization(other.id, OrganizationRole::Admin)),
    ];
    standing.grants.extend(kept.clone());
    let here = manual(
        72,
        ScopedRole::Organization(organization("acme", 1).id, OrganizationRole::Member),
    );
    standing.grants.push(here.clone());
    let snapshot = Snapshot {
        standing: Some(standing),
        ..Snapshot::empty()
    };
    let mut empty = of_acme(&[]);
    empty.issued_at_ms = Some(NOW_MS + 1_000);
    let plan = planned_for_acme(&empty, &narrowed(&empty, &snapshot));
    let closed: Vec<GrantId> = (plan.changes.iter())
        .filter_map(|change| match change {
            Change::CloseGrant(grant) => Some(grant.id),
            _ => None,
        })
        .collect();
    assert_eq!(closed.len(), 2, "{closed:?}");
    assert!(closed.contains(&own.id) && closed.contains(&here.id));
}
