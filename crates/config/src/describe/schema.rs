//! The JSON schema of the file, for editors.

use narthex_settings_reader::{KeyDescription, Kind, Outline, Presence};
use serde_json::{Map, Value, json};
use toml::de::DeValue;

use super::{outline, paragraphs};

/// The schema, as pretty JSON with a line break at the end.
pub fn schema() -> String {
    let mut root = section(&outline());
    root.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    root.insert("title".to_owned(), json!("Narthex configuration"));
    format!("{:#}\n", Value::Object(root))
}

fn section(outline: &Outline) -> Map<String, Value> {
    let properties: Map<String, Value> = outline
        .keys
        .iter()
        .map(|key| (key.name.to_owned(), Value::Object(property(key))))
        .collect();
    let required: Vec<&str> = outline
        .keys
        .iter()
        .filter(|key| key.presence == Presence::Required)
        .map(|key| key.name)
        .collect();
    let mut schema = Map::new();
    schema.insert("description".to_owned(), json!(description(outline.doc)));
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema
}

fn property(key: &KeyDescription) -> Map<String, Value> {
    let mut schema = of_kind(&key.kind);
    schema.insert("description".to_owned(), json!(description(key.doc)));
    if let Some(default) = key.default.and_then(json_of_toml) {
        schema.insert("default".to_owned(), default);
    }
    if let Some(example) = key.example.and_then(json_of_toml) {
        schema.insert("examples".to_owned(), json!([example]));
    }
    schema
}

fn of_kind(kind: &Kind) -> Map<String, Value> {
    let schema = match kind {
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Integer { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Text { what: "text", .. } => json!({ "type": "string" }),
        Kind::Text { what, pattern: None } => json!({ "type": "string", "title": what }),
        Kind::Text {
            what,
            pattern: Some(pattern),
        } => json!({ "type": "string", "title": what, "pattern": pattern }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::List(item) => json!({ "type": "array", "items": of_kind(item) }),
        Kind::OneOrMany(item) => {
            json!({ "anyOf": [of_kind(item), { "type": "array", "items": of_kind(item), "minItems": 1 }] })
        }
        Kind::Either(kinds) => json!({ "anyOf": kinds.iter().map(of_kind).collect::<Vec<_>>() }),
        Kind::Map(item) => json!({ "type": "object", "additionalProperties": of_kind(item) }),
        Kind::Section(outline) => return section(outline),
    };
    match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

fn description(doc: &[&str]) -> String {
    paragraphs(doc).join("\n")
}

fn json_of_toml(text: &str) -> Option<Value> {
    DeValue::parse(text).ok().and_then(|value| json_of(value.get_ref()))
}

fn json_of(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::String(text) => Some(json!(text)),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .map(Value::from),
        DeValue::Float(float) => float.as_str().parse::<f64>().ok().map(Value::from),
        DeValue::Boolean(flag) => Some(json!(flag)),
        DeValue::Datetime(datetime) => Some(json!(datetime.to_string())),
        DeValue::Array(items) => items
            .iter()
            .map(|item| json_of(item.get_ref()))
            .collect::<Option<Vec<_>>>()
            .map(Value::from),
        DeValue::Table(table) => table
            .iter()
            .map(|(key, item)| Some((key.get_ref().to_string(), json_of(item.get_ref())?)))
            .collect::<Option<Map<_, _>>>()
            .map(Value::Object),
    }
}
