//! What moment and JavaScript themselves gave (`tests/vectors/make.js`), given again.

use std::fmt::Debug;

use narthex_template::{Names, Scope, Template, Value, Zone, number_text};
use serde_json::{Map, Value as Json, json};

/// 2023-11-14T22:13:20.123Z
const NOW_MS: i64 = 1_700_000_000_123;

fn vectors(text: &str, part: &str) -> Vec<Json> {
    let json: Json = serde_json::from_str(text).unwrap();
    let list = json.get(part).and_then(Json::as_array).unwrap().clone();
    assert!(list.len() > 50, "{part} is nearly empty");
    list
}

fn moment(part: &str) -> Vec<Json> {
    vectors(include_str!("../vectors/moment.json"), part)
}

fn javascript(part: &str) -> Vec<Json> {
    vectors(include_str!("../vectors/javascript.json"), part)
}

/// Evaluates a template; an error is its message.
fn evaluate(source: &str, context: &Map<String, Json>, zone: &str) -> Result<Value, String> {
    let names = Names::new(context.keys().cloned());
    let template = Template::compile(source, &names).unwrap_or_else(|error| panic!("{}", error.render()));
    let scope = Scope::new(NOW_MS)
        .with_members(context)
        .with_zone(Zone::named(zone).unwrap());
    template.evaluate(&scope).map_err(|error| error.to_string())
}

fn object(json: &Json) -> Map<String, Json> {
    json.as_object().unwrap().clone()
}

/// Fails with every difference, not only the first.
fn none<T: Debug>(differences: &[T]) {
    assert!(differences.is_empty(), "{differences:#?}");
}

#[test]
fn dates_are_written_as_moment_writes_them() {
    let mut wrong = Vec::new();
    for vector in moment("formats") {
        let zone = vector["zone"].as_str().unwrap();
        for (source, default) in [
            ("{{formatDate(ms; format; zone)}}", "UTC"),
            ("{{formatDate(ms; format)}}", zone),
        ] {
            let text = evaluate(source, &object(&vector), default).unwrap();
            if text.as_text() != vector["text"].as_str() {
                wrong.push((vector.clone(), text));
            }
        }
    }
    none(&wrong);
}

#[test]
fn dates_are_read_as_moment_reads_them() {
    let mut wrong = Vec::new();
    for vector in moment("parses") {
        let date = evaluate("{{parseDate(text; format; zone)}}", &object(&vector), "UTC");
        if date.clone().ok().and_then(|date| date.to_json()).unwrap_or(Json::Null) != vector["iso"] {
            wrong.push((vector.clone(), date));
        }
    }
    none(&wrong);
}

#[test]
fn dates_are_changed_as_moment_changes_them() {
    let mut wrong = Vec::new();
    for vector in moment("changes") {
        let source = format!("{{{{{}(ms; number)}}}}", vector["name"].as_str().unwrap());
        let date = evaluate(&source, &object(&vector), vector["zone"].as_str().unwrap());
        if date.clone().ok().and_then(|date| date.to_json()).unwrap_or(Json::Null) != vector["iso"] {
            wrong.push((vector.clone(), date));
        }
    }
    none(&wrong);
}

#[test]
fn numbers_are_written_as_javascript_writes_them() {
    let mut wrong = Vec::new();
    for vector in javascript("numbers") {
        let (high, low) = vector[0].as_str().unwrap().split_once(':').unwrap();
        let half = |text| u64::from_str_radix(text, 16).unwrap();
        let number = f64::from_bits(half(high) << 32 | half(low));
        if Some(number_text(number).as_str()) != vector[1].as_str() {
            wrong.push((vector.clone(), number_text(number)));
        }
    }
    none(&wrong);
}

#[test]
fn operators_give_what_javascript_gives() {
    let scope = object(&json!({
        "a": 3, "b": -2.5, "z": 0, "s": "12", "t": "b", "u": "a", "e": "", "y": true, "f": false, "n": null,
    }));
    let mut wrong = Vec::new();
    for vector in javascript("expressions") {
        let source = vector["source"].as_str().unwrap();
        let value = evaluate(&format!("{{{{{source}}}}}"), &scope, "UTC").unwrap();
        let same = match vector.get("value") {
            // Numbers compare as numbers: 1 and 1.0 are the same.
            Some(expected) => Value::from(expected) == value,
            None => value.to_text().as_deref() == vector["text"].as_str(),
        };
        if !same {
            wrong.push((vector.clone(), value));
        }
    }
    none(&wrong);
}

#[test]
fn functions_give_what_javascript_gives() {
    let scope = object(&json!({
        "t": "The 3 quick (brown) foxes.\nJump over_the $1 lazy-dog ěé x1y22z333",
        "p": "a😀b😀c",
        "l": [5, 10, 1, 100, -2],
        "w": ["b", "a", "B", "é", "z", "😀", "\u{ffee}", ""],
        "d": [1, [2, [3, [4]]]],
        "o": {"b": [1, null, {"z": 1e21, "10": 1e-7, "9": -0.0}], "1": "\u{7}\u{2028}\"\\/", "01": true, "4294967295": 0, "4294967294": 1},
    }));
    let mut wrong = Vec::new();
    for vector in javascript("calls") {
        let source = vector["source"].as_str().unwrap();
        let value = evaluate(&format!("{{{{{source}}}}}"), &scope, "UTC").unwrap();
        if value != Value::from(&vector["value"]) {
            wrong.push((vector.clone(), value));
        }
    }
    none(&wrong);
}
