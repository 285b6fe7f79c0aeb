//! The admin API as a page for readers, generated from the OpenAPI document.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// Methods in the order in which a reader meets them.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Review happens on the file: `UPDATE=1` rewrites it.
#[test]
fn the_page_is_the_one_that_is_kept() {
    let document: Value = serde_json::from_str(&narthex_admin::api::openapi()).unwrap();
    let path = narthex_testkit::repository().join("docs/reference/api.md");
    crate::golden(&path, &page(&document));
}

fn page(document: &Value) -> String {
    let mut page = "# Admin API\n\n<!-- Generated from openapi.json. `UPDATE=1 cargo nextest run -p narthex-admin reference` \
                    rewrites it. -->\n\nThe [OpenAPI document](openapi.json) says the same for programs. The API is on the \
                    admin port:\n\n```sh\ncurl http://127.0.0.1:8081/api/v1/organizations -H \"Authorization: Bearer \
                    $KEY\"\n```\n\n"
        .to_owned();
    page.push_str(document["info"]["description"].as_str().unwrap().trim_end());
    page.push('\n');
    for tag in document["tags"].as_array().unwrap() {
        let name = tag["name"].as_str().unwrap();
        page.truncate(page.trim_end().len());
        let _ = write!(page, "\n\n## {name}\n\n{}\n", tag["description"].as_str().unwrap());
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in METHODS {
                let operation = &item[method];
                if operation["tags"][0] == name {
                    describe(&mut page, document, (method, path), operation);
                }
            }
        }
    }
    page.truncate(page.trim_end().len());
    page + "\n"
}

/// An operation: its parameters, the body that it takes and the one that it answers.
fn describe(page: &mut String, document: &Value, (method, path): (&str, &str), operation: &Value) {
    page.truncate(page.trim_end().len());
    let _ = write!(
        page,
        "\n\n### `{} {path}`\n\n{}.",
        method.to_uppercase(),
        text(&operation["summary"])
    );
    if operation["description"].is_string() {
        let _ = write!(page, " {}", line(&operation["description"]));
    }
    page.push_str("\n\n");
    let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    let mut rows = String::new();
    for parameter in parameters {
        let place = parameter["in"].as_str().unwrap();
        let _ = writeln!(
            rows,
            "| `{}` | {place} | {} |",
            text(&parameter["name"]),
            line(&parameter["description"])
        );
    }
    if !rows.is_empty() {
        let _ = writeln!(page, "| parameter | in | |\n|---|---|---|\n{rows}");
    }
    if let Some(schema) = operation["requestBody"].pointer("/content/application~1json/schema") {
        fields(page, "field of the body", document, schema);
    }
    for (status, response) in operation["responses"].as_object().unwrap() {
        if !status.starts_with('2') {
            continue;
        }
        let _ = writeln!(page, "Answers {status}: {}\n", line(&response["description"]));
        if let Some(schema) = response.pointer("/content/application~1json/schema") {
            fields(page, "field of the answer", document, schema);
        }
    }
}

/// Table of the members of a body; of a list, those of its items.
fn fields(page: &mut String, title: &str, document: &Value, schema: &Value) {
    let mut schema = resolved(document, schema);
    let items = schema.pointer("/properties/items/items");
    let is_list = items.is_some();
    if let Some(item) = items {
        schema = resolved(document, item);
    }
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let title = if is_list {
        format!("{title}, each of `items`")
    } else {
        title.to_owned()
    };
    let _ = writeln!(page, "| {title} | type | |\n|---|---|---|");
    for (name, property) in properties {
        let mark = if title.contains("body") && required.contains(&name.as_str()) {
            " (required)"
        } else {
            ""
        };
        let kind = kind(document, property);
        let _ = writeln!(page, "| `{name}`{mark} | {kind} | {} |", line(&property["description"]));
    }
    page.push('\n');
}

fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    match schema["$ref"].as_str() {
        Some(reference) => &document["components"]["schemas"][reference.rsplit('/').next().unwrap()],
        None => schema,
    }
}

/// Type of a property in words.
fn kind(document: &Value, property: &Value) -> String {
    if let Some(choices) = property["oneOf"].as_array().or(property["anyOf"].as_array()) {
        let mut kinds: Vec<String> = choices.iter().map(|choice| kind(document, choice)).collect();
        kinds.dedup();
        return kinds.join(" or ");
    }
    let schema = resolved(document, property);
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values.iter().map(|value| format!("`{}`", text(value))).collect();
        return values.join(", ");
    }
    if schema["items"].is_object() {
        return format!("list of {}", kind(document, &schema["items"]));
    }
    match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).collect::<Vec<_>>().join(" or "),
        Value::String(kind) => kind.clone(),
        _ if schema["oneOf"].is_array() && !std::ptr::eq(schema, property) => kind(document, schema),
        _ => "any".to_owned(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Description on one line of a table.
fn line(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_default()
        .replace('\n', " ")
        .replace('|', "\\|")
        .trim()
        .to_owned()
}

#[test]
fn a_type_is_written_in_words() {
    let document = serde_json::json!({"components": {"schemas": {"Role": {"enum": ["admin", "member"]}}}});
    let kind_of = |property: Value| kind(&document, &property);
    assert_eq!(
        kind_of(serde_json::json!({"type": ["string", "null"]})),
        "string or null"
    );
    let role = serde_json::json!({"$ref": "#/components/schemas/Role"});
    assert_eq!(kind_of(role.clone()), "`admin`, `member`");
    let list = Map::from_iter([("items".to_owned(), role), ("type".to_owned(), "array".into())]);
    assert_eq!(kind_of(Value::Object(list)), "list of `admin`, `member`");
}
