//! Conditions that a token must meet before it is mapped.

use narthex_mapping::{
    Field, IssuerMapping, MapError, MappingProblemKind, MappingSource, Outcome, RequestFacts, RuleSource,
    TemplateResult, TokenFacts,
};
use serde_json::{Map, Value, json};

use crate::support::{NOW_MS, claims, compiled, settings};

fn rule(name: &str, require: &str, message: &str) -> RuleSource {
    RuleSource {
        name: name.to_owned(),
        require: require.to_owned(),
        message: message.to_owned(),
    }
}

fn ruled(require: &str) -> MappingSource {
    MappingSource {
        rules: vec![rule("second factor", require, "Sign in with a second factor.")],
        ..MappingSource::default()
    }
}

fn mapped(source: &MappingSource, json: Value) -> Result<(), MapError> {
    let mapped = compiled(source).map(&claims(json), &RequestFacts::default(), NOW_MS);
    mapped.map(|_| ())
}

#[test]
fn a_token_that_meets_the_rule_is_mapped() {
    let source = ruled("{{contains(payload.amr; 'mfa')}}");
    assert!(mapped(&source, json!({"sub": "ann", "amr": ["pwd", "mfa"]})).is_ok());
}

/// Only `true` is a yes: neither what an `if` takes for one, nor its spelling, nor an error.
#[test]
fn sec_only_true_meets_a_rule() {
    let source = ruled("{{payload.ok}}");
    for not in [
        json!(false),
        json!(null),
        json!("true"),
        json!(1),
        json!([true]),
        json!({ "a": true }),
        json!("yes"),
    ] {
        let error = mapped(&source, json!({"sub": "ann", "ok": not})).unwrap_err();
        assert_eq!(error.reason(), "token.rule", "{not}");
        assert_eq!(error.caller_remedy(), Some("Sign in with a second factor"), "{not}");
        assert_eq!(error.caller_problem(), None, "{not}");
        assert!(error.to_string().contains("rule second factor"), "{error}");
    }
    assert_eq!(
        mapped(&source, json!({"sub": "ann"})).unwrap_err().reason(),
        "token.rule"
    );
    assert!(mapped(&source, json!({"sub": "ann", "ok": true})).is_ok());
    let failing = ruled("{{parseJSON(payload.x) = 1}}");
    let error = mapped(&failing, json!({"sub": "ann", "x": "{"})).unwrap_err();
    assert_eq!(error.reason(), "token.rule");
}

/// A condition that costs too much is not met, whatever it would have given.
#[test]
fn sec_a_rule_without_fuel_refuses() {
    let mut settings = settings();
    settings.template_limits.fuel = 20;
    let source = ruled("{{length(join(map(payload.list; 'a'); ',')) >= 0}}");
    let mapping = IssuerMapping::compile(&source, &settings).unwrap();
    let list: Vec<Value> = (0..500).map(|a| json!({ "a": a.to_string() })).collect();
    let token = claims(json!({"sub": "ann", "list": list}));
    let error = mapping.map(&token, &RequestFacts::default(), NOW_MS).unwrap_err();
    assert_eq!(error.reason(), "token.rule", "{error}");
}

/// The rules come before the mapping, in the order written.
#[test]
fn the_first_rule_that_is_not_met_is_the_reason() {
    let mut source = ruled("{{payload.a}}");
    source.rules.push(rule("b", "{{payload.b}}", "ask for b"));
    for (token, field) in [
        (json!({}), "rule second factor"),
        (json!({"a": true}), "rule b"),
        (json!({"a": true, "b": true}), "user.external_id"),
    ] {
        let error = mapped(&source, token).unwrap_err();
        assert_eq!(error.field().to_string(), field);
    }
}

/// SECURITY: an answer kept by token would let a request pass that its own headers or the time refuse.
#[test]
fn sec_a_rule_that_reads_the_request_or_the_clock_is_not_kept_by_token() {
    assert!(compiled(&ruled("{{payload.ok}}")).token_only());
    for reads in [
        "{{headers.x = 'a'}}",
        "{{query.x = 'a'}}",
        "{{now > parseDate('2020-01-01'; 'YYYY-MM-DD')}}",
        "{{payload.iat > timestamp - 60}}",
    ] {
        assert!(!compiled(&ruled(reads)).token_only(), "{reads}");
    }
}

#[test]
fn the_headers_of_the_request_decide_a_rule_that_reads_them() {
    let mapping = compiled(&ruled("{{headers.`X-Zone` = payload.zone}}"));
    let token = claims(json!({"sub": "ann", "zone": "b"}));
    for (zone, passes) in [("b", true), ("a", false)] {
        let headers = Map::from_iter([("x-zone".to_owned(), json!(zone))]);
        let facts = RequestFacts {
            headers: Some(&headers),
            ..RequestFacts::default()
        };
        assert_eq!(mapping.map(&token, &facts, NOW_MS).is_ok(), passes, "{zone}");
    }
}

/// Explain shows every rule with its condition, the value that it gave and the outcome.
#[test]
fn a_preview_shows_each_rule() {
    let mut source = ruled("{{contains(payload.amr; 'mfa')}}");
    source.rules.push(rule("staff", "{{payload.staff}}", "ask"));
    let (header, claims) = (Map::new(), json!({"sub": "ann", "amr": ["mfa"]}));
    let mapping = compiled(&source);
    let facts = TokenFacts::new(&header, claims.as_object().unwrap());
    let preview = mapping.preview(facts, &RequestFacts::default(), NOW_MS);
    let shown = &preview.rows[0];
    assert_eq!(shown.field, Field::Rule("second factor".into()));
    assert_eq!(
        (&shown.gave, &shown.outcome),
        (&TemplateResult::Value(json!(true)), &Outcome::Taken(json!(true)))
    );
    let shown = &preview.rows[1];
    assert_eq!(shown.gave, TemplateResult::Undefined);
    assert!(
        matches!(&shown.outcome, Outcome::Refused { reason: "token.rule", message } if message.contains("undefined"))
    );
    // The walk goes on: what a better token would give is shown too.
    assert_eq!(preview.rows[2].field, Field::UserExternalId);
    assert_eq!(preview.desired, None);
}

#[test]
fn a_rule_that_every_token_or_none_would_meet_is_refused() {
    let problem = |require: &str, message: &str, name: &str| {
        let source = MappingSource {
            rules: vec![rule(name, require, message)],
            ..MappingSource::default()
        };
        let problems = IssuerMapping::compile(&source, &settings()).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems.into_iter().next().unwrap().kind
    };
    for same in ["{{true}}", "{{1 = 1}}"] {
        assert!(
            matches!(problem(same, "m", "n"), MappingProblemKind::RuleForAll),
            "{same}"
        );
    }
    for text in ["true", "{{payload.a}} ", "{{payload.a}}{{payload.b}}", "payload.a"] {
        assert!(
            matches!(problem(text, "m", "n"), MappingProblemKind::RuleText),
            "{text}"
        );
    }
    assert!(matches!(
        problem("{{payload.", "m", "n"),
        MappingProblemKind::RuleText | MappingProblemKind::Template(_)
    ));
    assert!(matches!(
        problem("{{payload.a = }}", "m", "n"),
        MappingProblemKind::Template(_)
    ));
    for message in [" ", "{{payload.sub}} is no friend", "a\u{202e}b", &"x".repeat(257)] {
        assert!(
            matches!(
                problem("{{payload.a}}", message, "n"),
                MappingProblemKind::RuleMessage { .. }
            ),
            "{message}"
        );
    }
    for name in ["a`b", " ", &"x".repeat(65)] {
        assert!(
            matches!(problem("{{payload.a}}", "m", name), MappingProblemKind::RuleName { .. }),
            "{name}"
        );
    }
    let source = MappingSource {
        rules: vec![rule("n", "{{payload.a}}", "m"), rule("n", "{{payload.b}}", "m")],
        ..MappingSource::default()
    };
    let problems = IssuerMapping::compile(&source, &settings()).unwrap_err();
    assert!(matches!(&problems[..], [one] if matches!(one.kind, MappingProblemKind::RuleTwice { .. })));
}
