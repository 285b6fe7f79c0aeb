//! What a compiled mapping says about itself, and what its problems carry.

use narthex_directory::DesiredTags;
use narthex_mapping::{
    Body, Field, IssuerMapping, MappingProblemKind, MappingSource, OnMissing, RequestFacts, RequestPart, TagsSource,
};
use serde_json::json;

use crate::support::{NOW_MS, claims, compiled, refusal, settings};

fn named(template: &str) -> MappingSource {
    let mut source = MappingSource::default();
    source.user.name = Some(template.to_owned());
    source
}

fn tagged(claim: &str) -> MappingSource {
    let tags = TagsSource {
        claim: claim.to_owned(),
        on_missing: OnMissing::Error,
        patterns: narthex_directory::TagPatterns::default(),
    };
    MappingSource {
        tags: Some(tags),
        ..MappingSource::default()
    }
}

/// An identity may be kept by token only where nothing but the token decides it.
#[test]
fn knows_whether_it_depends_on_the_token_alone() {
    for alone in ["{{payload.name}}", "{{header.kid}}", "Ann", "{{upper(payload.known)}}"] {
        assert!(compiled(&named(alone)).token_only(), "{alone}");
    }
    for more in [
        "{{headers.host}}",
        "{{query.name}}",
        "{{formatDate(now; 'YYYY')}}",
        "{{toString(timestamp)}}",
        "{{formatDate(parseDate(payload.at; 'HH:mm'); 'X')}}",
        "{{if(payload.name; payload.name; headers.name)}}",
    ] {
        assert!(!compiled(&named(more)).token_only(), "{more}");
    }
    assert!(compiled(&tagged("groups")).token_only());
    assert!(!compiled(&tagged("{{split(headers.groups; ',')}}")).token_only());
    assert!(compiled(&MappingSource::default()).token_only());
}

/// The edge prepares only those parts of a request that somebody looks at.
#[test]
fn says_which_parts_of_the_request_it_reads() {
    let mapping = compiled(&named("{{headers.host}} at {{now}}"));
    assert!(mapping.reads(RequestPart::Headers) && mapping.reads_clock());
    assert!(!mapping.reads(RequestPart::Query) && !mapping.reads(RequestPart::Body));
    let mut settings = settings();
    settings.body = Body::AtLogin;
    let mapping = IssuerMapping::compile(&named("{{body.name}}"), &settings).unwrap();
    assert!(mapping.reads(RequestPart::Body) && !mapping.reads_clock());
}

/// A configuration file points at the very place in its own text.
#[test]
fn problems_carry_the_place_in_the_template() {
    let source = named("Dear {{payload.name}} {{paylod.x}}");
    let problems = IssuerMapping::compile(&source, &settings()).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].field, Field::UserName);
    let MappingProblemKind::Template(error) = &problems[0].kind else {
        panic!("{:?}", problems[0].kind)
    };
    let span = error.problems()[0].span.clone();
    assert_eq!(error.source_text().get(span), Some("paylod"));
}

#[test]
fn too_many_properties_are_a_problem() {
    let property = |number: usize| (format!("p{number}"), "{{payload.x}}".to_owned());
    let mut source = MappingSource {
        context: (0..32).map(property).collect(),
        ..MappingSource::default()
    };
    assert!(IssuerMapping::compile(&source, &settings()).is_ok());
    source.context.push(property(32));
    let problems = IssuerMapping::compile(&source, &settings()).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "`context`: it has 33 properties; the most is 32"
    );
}

#[test]
fn property_names_are_header_names() {
    for name in ["a", "A_b-9", &"x".repeat(64)] {
        let source = MappingSource {
            context: vec![(name.to_owned(), "{{payload.x}}".to_owned())],
            ..MappingSource::default()
        };
        assert!(IssuerMapping::compile(&source, &settings()).is_ok(), "{name}");
    }
    for name in ["", "a b", "a.b", "é", "a:b", "a\r\nX-Admin", &"x".repeat(65)] {
        let source = MappingSource {
            context: vec![(name.to_owned(), "{{payload.x}}".to_owned())],
            ..MappingSource::default()
        };
        assert!(IssuerMapping::compile(&source, &settings()).is_err(), "{name}");
    }
}

#[test]
fn templates_have_the_limits_of_the_settings() {
    let mut settings = settings();
    settings.template_limits.fuel = 3;
    let source = named("{{upper(lower(upper(payload.sub)))}}");
    let mapping = IssuerMapping::compile(&source, &settings).unwrap();
    let token = claims(json!({"sub": "ann"}));
    let error = mapping.map(&token, &RequestFacts::default(), NOW_MS).unwrap_err();
    assert_eq!(error.reason(), "mapping.invalid");
    assert_eq!(*error.field(), Field::UserName);
    assert!(error.to_string().contains("more than 3 steps"), "{error}");
}

#[test]
fn tags_that_are_half_a_template_are_a_problem() {
    for wrong in ["{{groups", "groups}}", "a }} {{ b", "payload.groups", " "] {
        let problems = IssuerMapping::compile(&tagged(wrong), &settings()).unwrap_err();
        assert_eq!(problems[0].field, Field::Tags, "{wrong}");
    }
    let mapping = compiled(&tagged("{ groups }"));
    let token = claims(json!({"sub": "ann", "{ groups }": "a"}));
    let identity = mapping.map(&token, &RequestFacts::default(), NOW_MS).unwrap();
    assert_eq!(identity.desired().tags, DesiredTags::Exactly(vec!["a".into()]));
}

/// A token with hundreds of claims, or with names meant for a terminal, still makes a short and plain message.
#[test]
fn messages_list_a_bounded_number_of_names() {
    let mut many: serde_json::Map<_, _> = (0..100).map(|n| (format!("claim{n}"), json!(1))).collect();
    many.insert("\u{1b}[31m`".into(), json!(1));
    let message = refusal(&tagged("groups"), serde_json::Value::Object(many.clone()));
    assert!(message.contains("`claim31` and 69 more"), "{message}");
    let odd = refusal(
        &tagged("groups"),
        json!({"sub": "a", "\u{1b}[31m`": 1, "n".repeat(300): 1}),
    );
    assert!(!odd.contains('\u{1b}') && odd.len() < 400, "{odd}");
}

/// The token is known by its id and, once the edge has hashed it, by its fingerprint.
#[test]
fn an_identity_says_which_token_it_came_from() {
    let token = claims(json!({"sub": "ann", "jti": "t-1", "iat": 1_600_000_000}));
    let identity = compiled(&MappingSource::default())
        .map(&token, &RequestFacts::default(), NOW_MS)
        .unwrap();
    assert_eq!(identity.desired().issued_at_ms, Some(1_600_000_000_000));
    assert_eq!(identity.desired().token.sha256_prefix, None);
    let desired = identity
        .with_fingerprint(&narthex_token::Fingerprint::of("a.b.c"))
        .into_desired();
    assert_eq!(desired.token.jti.as_deref(), Some("t-1"));
    assert!(desired.token.sha256_prefix.is_some_and(|prefix| prefix.len() >= 24));
}

/// The ids of several tenants may be equal, so the key of a user says whose it is.
#[test]
fn sec_the_key_of_a_user_contains_the_tenant() {
    let mut settings = settings();
    settings.tenant_claim = Some("tid".to_owned());
    let compile = |external_id: Option<&str>, username: Option<&str>| {
        let mut source = MappingSource::default();
        source.user.external_id = external_id.map(str::to_owned);
        source.user.username = username.map(str::to_owned);
        IssuerMapping::compile(&source, &settings).map(|_| ())
    };
    for (external_id, username) in [
        (Some("{{payload.tid}}:{{payload.oid}}"), None),
        (Some("{{payload.oid}}@{{ payload.tid }}"), Some("{{payload.upn}}")),
        (Some("entra:{{payload.tid}}:{{payload.oid}}"), None),
        (None, Some("{{payload.tid}}:{{payload.upn}}")),
        (Some("{{payload.`tid`}} {{payload.sub}}"), None),
    ] {
        assert!(compile(external_id, username).is_ok(), "{external_id:?} {username:?}");
    }
    for (external_id, username, field) in [
        (None, None, Field::UserExternalId),
        (
            Some("{{payload.oid}}"),
            Some("{{payload.tid}}:{{payload.upn}}"),
            Field::UserExternalId,
        ),
        (Some("tid:{{payload.oid}}"), None, Field::UserExternalId),
        // Each of these gives users of two tenants one id.
        (Some("payload.tid:{{payload.oid}}"), None, Field::UserExternalId),
        (Some("{{payload.tid}}{{payload.oid}}"), None, Field::UserExternalId),
        (Some("{{payload.tid}}-{{payload.oid}}"), None, Field::UserExternalId),
        (
            Some("{{payload.a}}:{{payload.tid}}:{{payload.b}}"),
            None,
            Field::UserExternalId,
        ),
        (Some("{{payload.tid + payload.oid}}"), None, Field::UserExternalId),
        (
            Some("{{ifempty(payload.oid; payload.tid)}}"),
            None,
            Field::UserExternalId,
        ),
        (Some("{{payload.a.tid}}:{{payload.oid}}"), None, Field::UserExternalId),
        (None, Some("{{payload.upn}}"), Field::UserUsername),
    ] {
        let problems = compile(external_id, username).unwrap_err();
        let [problem] = &problems[..] else {
            panic!("{problems:?}")
        };
        assert!(
            matches!(problem.kind, MappingProblemKind::TenantMissing { .. }),
            "{problem}"
        );
        assert_eq!(problem.field, field);
    }
}
