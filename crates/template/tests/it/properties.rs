//! What holds for every template and every scope.

use narthex_template::{Document, Limits, Names, Scope, Template, Value};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// 2023-11-14T22:13:20.123Z
const NOW_MS: i64 = 1_700_000_000_123;

fn names() -> Names {
    Names::new(["payload", "header", "query"]).with_folded_root("headers")
}

/// Compiles and evaluates; every error must render.
fn run(source: &str, payload: &Json) -> Option<Value> {
    let template = match Template::compile(source, &names()) {
        Ok(template) => template,
        Err(error) => {
            assert!(!error.problems().is_empty());
            assert!(!error.render().is_empty());
            return None;
        }
    };
    let scope = Scope::new(NOW_MS)
        .with_json("payload", payload)
        .with_json("headers", payload);
    match template.evaluate(&scope) {
        Ok(value) => Some(value),
        Err(error) => {
            assert!(!error.render().is_empty());
            None
        }
    }
}

/// Text made of the language's own pieces: nearly templates.
fn nearly_a_template() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{{".to_owned()),
        Just("}}".to_owned()),
        Just("payload".to_owned()),
        Just(".a".to_owned()),
        Just(".list".to_owned()),
        Just("[]".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just("(".to_owned()),
        Just(")".to_owned()),
        Just(";".to_owned()),
        Just("1".to_owned()),
        Just("-".to_owned()),
        Just("!".to_owned()),
        Just("\"x\"".to_owned()),
        Just("`y z`".to_owned()),
        Just("\"".to_owned()),
        Just(" mod ".to_owned()),
        "[-+*/%=<>&|!,.]{1,3}",
        proptest::sample::select(
            narthex_template::functions()
                .map(|function| format!("{}(", function.name))
                .collect::<Vec<_>>()
        ),
        proptest::sample::select(
            narthex_template::KEYWORDS
                .iter()
                .map(|keyword| keyword.name.to_owned())
                .collect::<Vec<_>>()
        ),
        "\\PC{0,3}",
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// A call of any function with any arguments.
fn call() -> impl Strategy<Value = String> {
    let argument = proptest::sample::select(vec![
        "payload.text",
        "payload.number",
        "payload.list",
        "payload.object",
        "payload.none",
        "payload.null",
        "payload.long",
        "now",
        "-1",
        "0",
        "1",
        "2.5",
        "1e300",
        "\"\"",
        "\"a\"",
        "\"/a*/g\"",
        "\"$&$&\"",
        "\"desc\"",
        "\"hex\"",
        "\"base64\"",
        "\"YYYY-MM-DD\"",
        "\"k.1\"",
        "toBinary(\"ff\"; \"hex\")",
        "emptyarray",
        "true",
        "1e15",
    ]);
    let names: Vec<_> = narthex_template::functions().map(|function| function.name).collect();
    (
        proptest::sample::select(names),
        proptest::collection::vec(argument, 0..5),
    )
        .prop_map(|(name, arguments)| format!("{{{{{name}({})}}}}", arguments.join("; ")))
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>()
            .prop_filter("whole doubles are written without .0", |n| n.fract() != 0.0)
            .prop_map(Json::from),
        "\\PC{0,12}".prop_map(Json::from),
        Just(json!("{{payload.secret}}")),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            proptest::collection::vec(("\\PC{0,6}", inner), 0..5).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_compiler_panic(source in "\\PC{0,200}") {
        run(&source, &json!({}));
        run(&format!("{{{{{source}}}}}"), &json!({}));
    }

    #[test]
    fn nearly_templates_do_not_panic(source in nearly_a_template()) {
        let payload = json!({"a": {"y z": 1}, "list": [1, "x", {"a": 2}]});
        run(&source, &payload);
        run(&format!("{{{{{source}}}}}"), &payload);
    }

    #[test]
    fn evaluation_is_deterministic_and_in_bounds(source in call()) {
        let payload = json!({"text": "aXbß😀", "number": 5, "list": [3, "a", null, {"k": [1]}], "object": {"k": "v"}, "null": null, "long": "a".repeat(5000)});
        let first = run(&source, &payload);
        let second = run(&source, &payload);
        // NaN is not equal to itself; its text is.
        prop_assert_eq!(format!("{first:?}"), format!("{second:?}"));
        if let Some(value) = first {
            let bytes = value.to_json().map_or(0, |json| json.to_string().len());
            prop_assert!(bytes <= 4 * Limits::default().made_bytes);
        }
    }

    #[test]
    fn text_without_holes_is_itself(source in "[^{}]{0,64}") {
        let template = Template::compile(&source, &names()).unwrap();
        prop_assert!(template.is_literal());
        prop_assert_eq!(template.evaluate(&Scope::new(0)).unwrap(), Value::from(source));
    }

    #[test]
    fn a_hole_gives_its_json_back(payload in json()) {
        let value = run("{{payload}}", &payload).unwrap();
        prop_assert_eq!(value.to_json().unwrap(), payload.clone());
        prop_assert_eq!(Value::from(payload.clone()), Value::from(&payload));
        prop_assert_eq!(value.to_json(), value.into_json());
    }

    #[test]
    fn mint_no_reeval(before in "[a-z]{0,4}", inside in "[a-z. ();\"]{0,12}") {
        let claim = format!("{before}{{{{{inside}}}}}");
        let payload = json!({"claim": claim});
        for source in ["{{payload.claim}}", "{{trim(payload.claim + \"\")}}", "{{join(split(payload.claim; \"|\"); \"|\")}}"] {
            let value = run(source, &payload).unwrap();
            prop_assert_eq!(value.as_text().unwrap(), claim.trim());
        }
        let document = Document::compile(&json!({"a": "{{payload.claim}}", "{{...}}": "{{payload}}"}), &names()).unwrap();
        let value = document.evaluate(&Scope::new(0).with_json("payload", &payload)).unwrap();
        prop_assert_eq!(value.to_json().unwrap(), json!({"a": claim, "claim": claim}));
    }

    #[test]
    fn written_json_reads_back(payload in json()) {
        let text = Value::from(&payload).to_json_text().unwrap();
        let read: Json = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(Value::from(read).to_json_text().unwrap(), text);
    }
}
