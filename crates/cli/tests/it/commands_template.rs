//! `narthex template eval`.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::commands::{Ended, narthex, narthex_in};

const NOW: &str = "1700000000123";

fn eval(template: &str, context: &Value, arguments: &[&str]) -> Ended {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("context.json"), context.to_string()).unwrap();
    let all = [
        &["template", "eval", template, "--context", "context.json", "--at", NOW],
        arguments,
    ]
    .concat();
    narthex_in(folder.path(), &all, "")
}

/// Values keep their type, and are printed as JSON on one line.
#[test]
fn values_are_printed_as_json() {
    let context = json!({
        "payload": { "n": 42, "v": null, "list": [1, 2], "text": "a" },
        "headers": { "x-hook-type": "push" },
        "statusCode": 400,
    });
    for (template, printed) in [
        ("Hello, World", r#""Hello, World""#),
        ("{{payload.n}}", "42"),
        ("{{payload.n}}{{payload.n}}", r#""4242""#),
        ("a{{payload.none}}b", r#""ab""#),
        ("{{payload.v}}", "null"),
        ("{{payload.list}}", "[1,2]"),
        ("{{payload.list[-1]}}", "2"),
        ("{{timestamp + 30000}}", "1700030000"),
        ("{{now}}", r#""2023-11-14T22:13:20.123Z""#),
        ("{{now}}!", r#""2023-11-14T22:13:20.123Z!""#),
        ("{{0 / 0}}", "null"),
        ("{{toBinary('Make')}}", r#""TWFrZQ==""#),
        ("{{headers.`X-Hook-Type`}}", r#""push""#),
        (
            "[{{statusCode}}] {{if(payload.n > 1; 'many'; 'one')}}",
            r#""[400] many""#,
        ),
        (
            "{{jwt(payload, 's', 'HS512')}}",
            r#""eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJuIjo0MiwidiI6bnVsbCwibGlzdCI6WzEsMl0sInRleHQiOiJhIiwiaWF0IjoxNzAwMDAwMDAwfQ.Q"#,
        ),
    ] {
        let ended = eval(template, &context, &[]);
        assert_eq!(ended.code, 0, "{template} {ended:?}");
        let matches = if template.contains("jwt") {
            ended.stdout.starts_with(printed.get(..30).unwrap())
        } else {
            ended.stdout == format!("{printed}\n")
        };
        assert!(matches, "{template} {ended:?}");
    }
}

#[test]
fn undefined_prints_nothing_and_ends_with_three() {
    for template in [
        "{{payload.none}}",
        "{{payload.x.y.z}}",
        "{{undefined}}",
        "{{if(false; 1)}}",
    ] {
        let ended = eval(template, &json!({ "payload": {} }), &[]);
        assert_eq!(
            (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
            (3, "", ""),
            "{template}"
        );
    }
}

/// What a template may name is what the context holds; anything else is pointed at.
#[test]
fn errors_point_at_their_place() {
    let context = json!({ "payload": { "n": 1 } });
    for (template, parts) in [
        (
            "{{paylod.n}}",
            &["unknown name `paylod`", "^^^^^^", "did you mean `payload`?"][..],
        ),
        ("{{upper(payload.n}}", &["expected", "^"]),
        ("{{nothing(1)}}", &["there is no function `nothing`", "^^^^^^^"]),
        ("{{parseJSON('{')}}", &["^"]),
    ] {
        let ended = eval(template, &context, &[]);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{template} {ended:?}");
        for part in parts {
            assert!(ended.stderr.contains(part), "{template} {ended:?}");
        }
    }
}

#[test]
fn a_document_drops_undefined_and_spreads() {
    let context = json!({ "parameters": { "id": 1, "b": 2, "content": 0 } });
    for (document, expected) in [
        (
            r#"{"a":1,"{{...}}":"{{omit(parameters, 'id', 'content')}}"}"#,
            json!({ "a": 1, "b": 2 }),
        ),
        (
            r#"{"c":"{{if(parameters.content, parameters.content, undefined)}}","iat":"{{timestamp}}"}"#,
            json!({ "iat": 1_700_000_000 }),
        ),
        (r#"["{{parameters.b}}", 3, null]"#, json!([2, 3, null])),
    ] {
        let ended = eval(document, &context, &["--document"]);
        assert_eq!((ended.code, ended.json()), (0, expected), "{document}");
    }
    let ended = eval(r#"{"deep":{"a":"{{parametrs.b}}"}}"#, &context, &["--document"]);
    assert!(
        ended.code == 1 && ended.stderr.contains("/deep/a") && ended.stderr.contains('^'),
        "{ended:?}"
    );
    assert_eq!(eval(r#""{{undefined}}""#, &context, &["--document"]).code, 3);
    assert_eq!(eval("{", &context, &["--document"]).code, 1);
}

#[test]
fn a_template_comes_from_standard_input_too() {
    let folder = TempDir::new().unwrap();
    let ended = narthex_in(folder.path(), &["template", "eval", "-"], "{{1 + 1}}\n");
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "2\n"), "{ended:?}");
}

#[test]
fn dates_are_told_in_the_zone() {
    let formatted = |zone: &str| eval("{{formatDate(now; 'HH:mm')}}", &json!({}), &["--timezone", zone]);
    assert_eq!(formatted("Europe/Prague").stdout, "\"23:13\"\n");
    assert_eq!(formatted("UTC").stdout, "\"22:13\"\n");
    assert_eq!(formatted("Mars/Olympus").code, 2);
}

#[test]
fn randomness_is_there_and_differs() {
    let uuid = || narthex(&["template", "eval", "{{uuid}}"]).json();
    let (one, other) = (uuid(), uuid());
    assert_ne!(one, other);
    assert_eq!(one.as_str().unwrap().len(), 36);
    let random = narthex(&["template", "eval", "{{random}}"]).json();
    assert!((0.0..1.0).contains(&random.as_f64().unwrap()), "{random}");
}

#[test]
fn a_context_that_is_no_object_is_misuse() {
    for context in [json!([1]), json!("text")] {
        assert_eq!(eval("{{1}}", &context, &[]).code, 2);
    }
    assert_eq!(narthex(&["template", "eval", "{{1}}", "--context", "/nowhere"]).code, 2);
}

/// Without a context a template has no names at all, and the option that gives them is named.
#[test]
fn a_name_without_a_context_is_answered_with_the_option() {
    let help = "`--context FILE` gives a template its names";
    for arguments in [
        &["template", "eval", "{{payload.n}}"][..],
        &["template", "eval", r#"{"a":"{{payload.n}}"}"#, "--document"],
    ] {
        let ended = narthex(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended:?}");
        assert!(ended.stderr.contains(help), "{ended:?}");
    }
    let without_names = narthex(&["template", "eval", "{{nothing(1)}}"]);
    assert!(!without_names.stderr.contains(help), "{without_names:?}");
    let with_context = eval("{{paylod.n}}", &json!({ "payload": {} }), &[]);
    assert!(!with_context.stderr.contains(help), "{with_context:?}");
}
