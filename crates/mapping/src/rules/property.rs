//! Context properties (S1): any JSON value, within the largest size of a context.

use narthex_template::Value;
use serde_json::Value as Json;

use super::Verdict;
use crate::error::Breach;

/// JSON bytes that a context may still hold.
pub(crate) struct ContextBudget {
    left: usize,
    limit: usize,
}

impl ContextBudget {
    /// An empty context of at most `limit` bytes.
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            left: limit.saturating_sub(BRACES),
            limit,
        }
    }
}

/// Any value, its type kept. Undefined, null and empty text are nothing.
pub(crate) fn property(value: Value, name: &str, room: &mut ContextBudget) -> Verdict<Json> {
    let Some(json) = value.into_json() else {
        return Ok(None);
    };
    if json.is_null() || json.as_str() == Some("") {
        return Ok(None);
    }
    let bytes = name.len() + PUNCTUATION + json_bytes(&json);
    match room.left.checked_sub(bytes) {
        Some(left) => room.left = left,
        None => return Err(Breach::ContextTooLarge { limit: room.limit }),
    }
    Ok(Some(json))
}

/// Counts the bytes of the value as JSON text, without making the text.
fn json_bytes(json: &Json) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting does not fail; if it did, the value would not fit.
    serde_json::to_writer(&mut count, json).map_or(usize::MAX / 2, |()| count.0)
}

/// `{}`
const BRACES: usize = 2;
/// Two quotes, a colon and a comma.
const PUNCTUATION: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kept(value: Value) -> Option<Json> {
        property(value, "p", &mut ContextBudget::new(100)).unwrap()
    }

    #[test]
    fn values_keep_their_type() {
        assert_eq!(kept(Value::Bool(false)), Some(json!(false)));
        assert_eq!(kept(Value::Number(0.0)), Some(json!(0)));
        assert_eq!(kept(Value::Array(vec![])), Some(json!([])));
        for nothing in [Value::Undefined, Value::Null, Value::from(""), Value::Number(f64::NAN)] {
            assert_eq!(kept(nothing), None);
        }
    }

    #[test]
    fn the_whole_context_is_weighed() {
        // {"p":"aaaa","q":1} with a comma more than is written.
        let mut room = ContextBudget::new(2 + 1 + 4 + 6 + 1 + 4 + 1);
        assert!(property(Value::from("aaaa"), "p", &mut room).is_ok());
        assert!(property(Value::Null, "nothing", &mut room).is_ok());
        let heavier = property(Value::from(10.0), "q", &mut room);
        assert!(matches!(heavier, Err(Breach::ContextTooLarge { limit: 19 })));
        assert!(property(Value::from(1.0), "q", &mut room).is_ok());
        assert!(property(Value::from(1.0), "", &mut room).is_err());
    }
}
