//! What explain is told.

use narthex_mapping::{
    Field, MappingSource, OnMissing, Origin, Outcome, RequestFacts, TagsSource, TemplateResult, TokenFacts,
};
use serde_json::{Map, Value, json};

use crate::support::{NOW_MS, compiled};

fn object(json: Value) -> Map<String, Value> {
    let Value::Object(map) = json else { panic!("an object") };
    map
}

fn source() -> MappingSource {
    let mut source = MappingSource::default();
    source.user.name = Some("{{payload.name}}".into());
    source.user.country = Some("{{payload.country}}".into());
    source.user.locale = Some("{{parseJSON(payload.name)}}".into());
    source.context.push(("plan".into(), "{{payload.plan}}".into()));
    source.tags = Some(TagsSource {
        claim: "groups".into(),
        on_missing: OnMissing::Keep,
        patterns: narthex_directory::TagPatterns::default(),
    });
    source
}

/// Every template is shown with what it gave and what became of it, also after the first refusal.
#[test]
fn shows_every_step_and_goes_on_after_a_refusal() {
    let claims = object(json!({"sub": 7, "name": "Ann", "country": "cz", "groups": ["a"]}));
    let header = Map::new();
    let mapping = compiled(&source());
    let preview = mapping.preview(TokenFacts::new(&header, &claims), &RequestFacts::default(), NOW_MS);
    assert_eq!(preview.desired, None);
    let errors: Vec<_> = preview.errors.iter().map(|error| error.field().to_string()).collect();
    assert_eq!(errors, ["user.external_id", "user.locale"]);
    let rows: Vec<_> = preview
        .rows
        .iter()
        .map(|row| (row.field.to_string(), &row.gave, &row.outcome))
        .collect();
    assert_eq!(rows.len(), 6);
    assert_eq!(preview.rows[0].origin, Origin::Default);
    assert_eq!(preview.rows[0].source, "{{payload.sub}}");
    assert_eq!(rows[0].1, &TemplateResult::Value(json!(7)));
    assert!(
        matches!(rows[0].2, Outcome::Refused { reason: "mapping.invalid", message } if message.contains("toString"))
    );
    assert_eq!(
        rows[1],
        (
            "user.name".into(),
            &TemplateResult::Value(json!("Ann")),
            &Outcome::Taken(json!("Ann"))
        )
    );
    assert_eq!(
        rows[2],
        (
            "user.country".into(),
            &TemplateResult::Value(json!("cz")),
            &Outcome::Taken(json!("CZE"))
        )
    );
    assert!(matches!(rows[3].1, TemplateResult::Failed(drawn) if drawn.contains("parseJSON") && drawn.contains('^')));
    assert_eq!(
        rows[4],
        ("context.plan".into(), &TemplateResult::Undefined, &Outcome::NotGiven)
    );
    assert_eq!(
        rows[5],
        (
            "tags".into(),
            &TemplateResult::Value(json!(["a"])),
            &Outcome::Taken(json!(["a"]))
        )
    );
}

/// A token that is accepted shows the same desired state as mapping gives; a kept tags claim is "not given".
#[test]
fn gives_what_would_be_desired() {
    let claims = object(json!({"sub": "ann", "iat": 1.5}));
    let header = Map::new();
    let mut source = source();
    source.user.locale = None;
    let mapping = compiled(&source);
    let preview = mapping.preview(TokenFacts::new(&header, &claims), &RequestFacts::default(), NOW_MS);
    assert!(preview.errors.is_empty());
    assert_eq!(preview.desired.unwrap().issued_at_ms, Some(1_500));
    let tags = preview.rows.last().unwrap();
    assert_eq!(
        (&tags.field, &tags.gave, &tags.outcome),
        (&Field::Tags, &TemplateResult::Undefined, &Outcome::NotGiven)
    );
}

/// A tags template that fails has a row of its own like any other.
#[test]
fn shows_a_tags_template_that_fails() {
    let claims = object(json!({"sub": "ann", "groups": "{"}));
    let header = Map::new();
    let tags = TagsSource {
        claim: "{{parseJSON(payload.groups)}}".into(),
        on_missing: OnMissing::Empty,
        patterns: narthex_directory::TagPatterns::default(),
    };
    let source = MappingSource {
        tags: Some(tags),
        ..MappingSource::default()
    };
    let mapping = compiled(&source);
    let preview = mapping.preview(TokenFacts::new(&header, &claims), &RequestFacts::default(), NOW_MS);
    assert_eq!(preview.rows.len(), 2);
    assert_eq!(preview.rows[0].outcome, Outcome::Taken(json!("ann")));
    assert!(matches!(preview.rows[1].gave, TemplateResult::Failed(_)));
    assert!(matches!(
        preview.rows[1].outcome,
        Outcome::Refused {
            reason: "tags.malformed",
            ..
        }
    ));
}

/// Roles that no template gives are shown too, with where they come from; a broken organization is not blamed on the
/// team as well.
#[test]
fn shows_roles_by_default_and_each_mistake_once() {
    let mut source = MappingSource::default();
    source.organization.external_id = Some("{{payload.org}}".into());
    source.team.external_id = Some("{{payload.team}}".into());
    source.team.role = Some("member".into());
    let mapping = compiled(&source);
    let header = Map::new();
    let claims = object(json!({"sub": "ann", "org": "o", "team": "t"}));
    let preview = mapping.preview(TokenFacts::new(&header, &claims), &RequestFacts::default(), NOW_MS);
    let roles: Vec<_> = preview
        .rows
        .iter()
        .filter(|row| matches!(row.field, Field::OrganizationRole | Field::TeamRole))
        .map(|row| (row.source.as_str(), row.origin, &row.outcome))
        .collect();
    assert_eq!(
        roles,
        [
            ("admin", Origin::Default, &Outcome::Taken(json!("admin"))),
            ("member", Origin::Configured, &Outcome::Taken(json!("member"))),
        ]
    );
    let claims = object(json!({"sub": "ann", "org": 7, "team": "t"}));
    let preview = mapping.preview(TokenFacts::new(&header, &claims), &RequestFacts::default(), NOW_MS);
    assert_eq!(preview.errors.len(), 1);
    assert_eq!(preview.desired, None);
}
