//! XML as a tree of lists: `<data><text>Hello</text></data>` is `body.data[].text[]`.
//!
//! Every element is a list, since one element and several of the same name look alike otherwise. An element with
//! nothing but text is that text; attributes are `_attributes`, and text beside them or beside elements is `_value`.

use narthex_template::{Object, Value};
use roxmltree::{Document, Node, ParsingOptions};

use crate::limits::Limits;

pub(super) fn read(text: &str, limits: &Limits) -> Result<Value, String> {
    // SECURITY: no document type, so no entities, neither of this file nor of others.
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: limits.xml_nodes,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options).map_err(|error| format!("it is not XML: {error}"))?;
    let root = document.root_element();
    let mut members = Object::new();
    let value = element(root, limits.xml_depth)?;
    members.insert(name(root), Value::Array(vec![value]));
    Ok(Value::Object(members))
}

/// What an element is, `depth` levels at the most.
fn element(node: Node<'_, '_>, depth: usize) -> Result<Value, String> {
    let Some(deeper) = depth.checked_sub(1) else {
        return Err("it is nested too deeply".to_owned());
    };
    let mut members = Object::new();
    let mut attributes = Object::new();
    for attribute in node.attributes() {
        attributes.insert(attribute.name().to_owned(), Value::from(attribute.value()));
    }
    let mut text = String::new();
    for child in node.children() {
        if child.is_text() {
            text.push_str(child.text().unwrap_or_default());
        } else if child.is_element() {
            let value = element(child, deeper)?;
            match members.entry(name(child)).or_insert_with(|| Value::Array(Vec::new())) {
                Value::Array(values) => values.push(value),
                other => *other = value,
            }
        }
    }
    if members.is_empty() && attributes.is_empty() {
        return Ok(Value::Text(text));
    }
    if !attributes.is_empty() {
        members.insert("_attributes".to_owned(), Value::Object(attributes));
    }
    if !text.trim().is_empty() {
        members.insert("_value".to_owned(), Value::from(text.trim()));
    }
    Ok(Value::Object(members))
}

/// The name of an element as it is written, prefix included.
fn name(node: Node<'_, '_>) -> String {
    let source = node.document().input_text();
    let written = source.get(node.range()).and_then(|tag| tag.strip_prefix('<'));
    written
        .and_then(|tag| tag.split(|c: char| c.is_whitespace() || c == '>' || c == '/').next())
        .unwrap_or_else(|| node.tag_name().name())
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tree(text: &str) -> Result<serde_json::Value, String> {
        read(text, &Limits::default()).map(|value| value.to_json().unwrap())
    }

    #[test]
    fn every_element_is_a_list() {
        assert_eq!(
            tree("<data><text>Hello, world</text></data>").unwrap(),
            json!({ "data": [{ "text": ["Hello, world"] }] })
        );
        assert_eq!(
            tree(
                "<?xml version=\"1.0\"?><a x=\"1\" n:y='2' xmlns:n=\"u\">t<!-- c --><n:b/><n:b><![CDATA[<]]></n:b></a>"
            )
            .unwrap(),
            json!({ "a": [{ "n:b": ["", "<"], "_attributes": { "x": "1", "y": "2" }, "_value": "t" }] })
        );
    }

    #[test]
    fn sec_xml_entities_and_depth_are_refused() {
        for bomb in [
            "<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><a>&e;</a>".to_owned(),
            "<!DOCTYPE a [<!ENTITY e \"xxxx\">]><a>&e;</a>".to_owned(),
            format!("{}{}", "<a>".repeat(65), "</a>".repeat(65)),
            format!("<a>{}</a>", "<b/>".repeat(100_001)),
            "<a>".repeat(100_000),
            "<a>".to_owned(),
            String::new(),
        ] {
            assert!(tree(&bomb).is_err(), "{}", bomb.get(..40).unwrap_or_default());
        }
    }
}
