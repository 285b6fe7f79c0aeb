//! XML as a tree of lists: `<data><text>Hello</text></data>` is `body.data[].text[]`.
//!
//! Every element is a list, since one element and several of the same name look alike otherwise. An element with
//! nothing but text is that text; attributes are `_attributes`, and text beside them or beside elements is `_value`.

use narthex_template::{Object, Value};
use roxmltree::{Document, Node, ParsingOptions};

use crate::limits::Limits;

pub(super) fn read(text: &str, limits: &Limits) -> Result<Value, String> {
    scan(text, limits)?;
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

/// SECURITY: the parser compares every attribute of a tag with every other one, and copies the namespaces of an element to
/// each of its children; neither is bounded by the number of nodes. A `<` cannot stand within an attribute; what is in a
/// comment may be counted, too.
fn scan(text: &str, limits: &Limits) -> Result<(), String> {
    if text.matches("xmlns").nth(NAMESPACES_MOST).is_some() {
        return Err(format!("it has `xmlns` more than {NAMESPACES_MOST} times"));
    }
    let mut all = 0;
    for tag in text.split('<').skip(1) {
        let attributes = attributes(tag);
        if attributes > ATTRIBUTES_MOST {
            return Err(format!("a tag of it has more than {ATTRIBUTES_MOST} attributes"));
        }
        all += attributes;
    }
    if all > limits.response_values {
        return Err(format!("it has more than {} attributes", limits.response_values));
    }
    Ok(())
}

/// Number of attributes of a tag, which begins after its `<`.
fn attributes(tag: &str) -> usize {
    let mut count = 0;
    let mut quote = None;
    for byte in tag.bytes() {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'=') => count += 1,
            (None, b'>') => break,
            _ => {}
        }
    }
    count
}

/// Maximum number of `xmlns` in a text.
const NAMESPACES_MOST: usize = 64;
/// Maximum number of attributes of one tag.
const ATTRIBUTES_MOST: usize = 256;

/// Reads an element, at most `depth` levels deep.
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
    fn sec_xml_dos_attributes_and_namespaces_are_bounded() {
        let attributes = |from: usize, to: usize| -> String {
            (from..to).fold(String::new(), |text, number| format!("{text} a{number}='>'"))
        };
        let many = format!("<a{}/>", attributes(0, ATTRIBUTES_MOST));
        assert!(tree(&many).is_ok());
        // 4 MiB in one tag would be a hundred billion comparisons.
        let more = format!("<a{}/>", " a=''".repeat(800_000));
        assert_eq!(tree(&more).unwrap_err(), "a tag of it has more than 256 attributes");
        let spread = format!("<r>{}</r>", "<a a='' b='' c='' d='' e='' f=''/>".repeat(40_000));
        assert_eq!(tree(&spread).unwrap_err(), "it has more than 200000 attributes");
        let deep = |count: usize| {
            let names = (0..count).fold(String::new(), |text, number| format!("{text} xmlns:n{number}='u'"));
            format!("<a{names}><b/></a>")
        };
        assert!(tree(&deep(NAMESPACES_MOST)).is_ok());
        assert_eq!(tree(&deep(65)).unwrap_err(), "it has `xmlns` more than 64 times");
        // The parser refuses what would make this count begin in the middle of a tag.
        assert!(tree("<a x='<' y=''/>").unwrap_err().starts_with("it is not XML"));
        // A text may be full of them.
        assert!(tree(&format!("<a>{}</a>", "x='1' ".repeat(1_000))).is_ok());
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
