//! Tokens that name all organizations of their user.

use narthex_directory::{DesiredMembership, OrganizationRole};
use narthex_mapping::{Field, IssuerMapping, MappingProblemKind, MappingSource, OnInvalid, RequestFacts, TokenFacts};
use serde_json::{Map, Value, json};

use crate::support::{NOW_MS, claims, compiled, refusal, settings};

fn source() -> MappingSource {
    let mut source = MappingSource::default();
    source.organization.each = Some("{{payload.organizations}}".into());
    source.organization.external_id = Some("{{item.id}}".into());
    source.organization.role = Some("{{item.role}}".into());
    source.team.external_id = Some("{{item.team}}".into());
    source
}

fn stated(json: Value) -> Option<Vec<DesiredMembership>> {
    let mapped = compiled(&source()).map(&claims(json), &RequestFacts::default(), NOW_MS);
    let desired = mapped.unwrap().into_desired();
    assert!(desired.organization.is_none() && desired.team.is_none());
    desired.each
}

#[test]
fn the_fields_are_evaluated_for_each_element() {
    let each = stated(json!({"sub": "ann", "organizations": [
        {"id": "a", "role": "admin"},
        {"id": "b", "role": "member", "team": "ops"},
        {"role": "admin"},
    ]}));
    let each = each.unwrap();
    let shown: Vec<_> = each
        .iter()
        .map(|one| {
            let team = one.team.as_ref().map(|team| team.external_id.as_str());
            (one.organization.external_id.as_str(), one.organization.role, team)
        })
        .collect();
    let expected = [
        ("a", OrganizationRole::Admin, None),
        ("b", OrganizationRole::Member, Some("ops")),
    ];
    assert_eq!(shown, expected, "an element without an id names no organization");
}

/// SECURITY: the empty list revokes what was stated; a claim that is not there must not.
#[test]
fn sec_nothing_is_not_the_empty_list() {
    for nothing in [
        json!({"sub": "ann"}),
        json!({"sub": "ann", "organizations": null}),
        json!({"sub": "ann", "organizations": ""}),
    ] {
        assert_eq!(stated(nothing.clone()), None, "{nothing}");
    }
    assert_eq!(stated(json!({"sub": "ann", "organizations": []})), Some(Vec::new()));
    // The provider calls the id something else now.
    let renamed = json!({"sub": "ann", "organizations": [{"orgId": "a", "role": "admin"}]});
    assert_eq!(stated(renamed), None);
}

/// A statement is whole or the token is refused: part of one would revoke the rest.
#[test]
fn sec_a_statement_that_cannot_be_read_refuses_the_token() {
    let many: Vec<Value> = (0..101)
        .map(|id| json!({"id": id.to_string(), "role": "member"}))
        .collect();
    for (organizations, message) in [
        (json!("a"), "it must be a list"),
        (json!({"id": "a"}), "it must be a list"),
        (json!(5), "it must be a list"),
        (json!(many), "the most is 100"),
        (json!([{"id": "a"}]), "organization.role"),
        (json!([{"id": 5, "role": "admin"}]), "organization.external_id"),
        (json!([{"id": "a", "role": "owner"}]), "organization.role"),
        (json!([{"team": "ops", "role": "admin"}]), "a team needs one"),
    ] {
        let told = refusal(&source(), json!({"sub": "ann", "organizations": organizations}));
        assert!(
            told.starts_with("mapping.invalid") && told.contains(message),
            "{organizations}: {told}"
        );
    }
    let mut lenient = settings();
    lenient.on_invalid = OnInvalid::Skip;
    let mapping = IssuerMapping::compile(&source(), &lenient).unwrap();
    let token = claims(json!({"sub": "ann", "organizations": many}));
    assert!(mapping.map(&token, &RequestFacts::default(), NOW_MS).is_err());
    assert_eq!(
        stated(json!({"sub": "ann", "organizations": many[..100]}))
            .unwrap()
            .len(),
        100
    );
}

#[test]
fn item_is_known_only_where_there_is_one() {
    let mut without = source();
    without.organization.each = None;
    let problems = IssuerMapping::compile(&without, &settings()).unwrap_err();
    assert!(
        problems
            .iter()
            .all(|problem| matches!(problem.kind, MappingProblemKind::Template(_))),
        "{problems:?}"
    );
    let mut beside = source();
    beside.user.name = Some("{{item.id}}".into());
    assert!(IssuerMapping::compile(&beside, &settings()).is_err());
    let mut alone = source();
    alone.organization.external_id = None;
    let problems = IssuerMapping::compile(&alone, &settings()).unwrap_err();
    assert!(
        problems.iter().any(|problem| problem.field == Field::OrganizationEach),
        "{problems:?}"
    );
}

/// Explain shows each element.
#[test]
fn a_preview_shows_each_element() {
    let (header, token) = (
        Map::new(),
        json!({"sub": "ann", "organizations": [
            {"id": "a", "role": "admin"}, {"id": 5, "role": "member"}, {"id": "c", "role": "member"},
        ]}),
    );
    let mapping = compiled(&source());
    let preview = mapping.preview(
        TokenFacts::new(&header, token.as_object().unwrap()),
        &RequestFacts::default(),
        NOW_MS,
    );
    let ids = preview
        .rows
        .iter()
        .filter(|row| row.field == Field::OrganizationExternalId);
    assert_eq!(ids.count(), 3, "the walk goes on after a refusal");
    assert_eq!(preview.errors.len(), 1);
    assert_eq!(preview.desired, None);
}
