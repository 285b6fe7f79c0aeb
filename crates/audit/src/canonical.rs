//! One text for one JSON value.

use serde_json::{Map, Value};

/// Returns the text of a value: no blanks, and the members of objects sorted by the UTF-16 units of their names, as RFC 8785
/// sorts them. Numbers are written as `serde_json` writes them: integers in full, and other numbers with the fewest digits
/// that read back as the same number, which differs from RFC 8785 for numbers such as `1.0` and `1e21`.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    append(value, &mut text);
    text
}

/// Returns the text of an object, as [`canonical`] does.
pub(crate) fn canonical_object(members: &Map<String, Value>) -> String {
    let mut text = String::new();
    append_object(members, &mut text);
    text
}

fn append(value: &Value, text: &mut String) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                append(item, text);
            }
            text.push(']');
        }
        Value::Object(members) => append_object(members, text),
        scalar => text.push_str(&scalar.to_string()),
    }
}

fn append_object(members: &Map<String, Value>, text: &mut String) {
    let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
    sorted.sort_unstable_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
    text.push('{');
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        append(&Value::String(name.clone()), text);
        text.push(':');
        append(value, text);
    }
    text.push('}');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_sorted_at_every_depth_and_blanks_are_left_out() {
        let value = json!({ "b": [1, { "z": null, "a": true }], "a": "x\n\u{7f}ü", "": 1.5 });
        assert_eq!(
            canonical(&value),
            "{\"\":1.5,\"a\":\"x\\n\u{7f}ü\",\"b\":[1,{\"a\":true,\"z\":null}]}"
        );
    }

    #[test]
    fn names_beyond_the_basic_plane_sort_before_the_private_use_area() {
        // As UTF-16, U+10000 begins with 0xD800, which is less than 0xE000. As UTF-8 it would come second.
        let value = json!({ "\u{e000}": 1, "\u{10000}": 2 });
        assert_eq!(canonical(&value), "{\"\u{10000}\":2,\"\u{e000}\":1}");
    }

    #[test]
    fn a_text_reads_back_as_the_value_it_is_of() {
        for value in [
            json!(0.1),
            json!(1e300),
            json!(-0.0),
            json!(u64::MAX),
            json!(i64::MIN),
            json!({ "a": [] }),
        ] {
            let text = canonical(&value);
            let read: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(canonical(&read), text);
        }
    }
}
