//! Any template in any scope: it ends, with the same value every time, within its limits.
//!
//! An input is a JSON object, a line `---` and a template: a file of `crates/template/tests/cases`.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use narthex_fuzz::{NOW_MS, parts};
use narthex_template::{Fault, Limits, Names, Scope, Template, Value};
use serde_json::{Map, Value as Json};

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some((context, source)) = parts(data) else {
        return Corpus::Reject;
    };
    let Ok(context) = serde_json::from_str::<Map<String, Json>>(context) else {
        return Corpus::Reject;
    };
    let limits = Limits {
        fuel: 20_000,
        made_bytes: 64 * 1024,
        ..Limits::default()
    };
    let names = Names::new(context.keys()).with_limits(limits);
    let Ok(template) = Template::compile(source, &names) else {
        return Corpus::Keep;
    };
    let run = || {
        let zeros = |bytes: &mut [u8]| bytes.fill(0);
        let scope = Scope::new(NOW_MS).with_members(&context).with_random(&zeros);
        template.evaluate(&scope)
    };
    match (run(), run()) {
        (Ok(first), Ok(second)) => {
            // NaN is not equal to itself; its text is.
            assert_eq!(format!("{first:?}"), format!("{second:?}"));
            assert!(
                size(&first) <= limits.made_bytes,
                "{} bytes of {}",
                size(&first),
                limits.made_bytes
            );
            let _ = (first.to_text(), first.is_truthy(), first.kind());
            if let Some(text) = first.to_json_text() {
                match serde_json::from_str::<Json>(&text) {
                    Ok(read) => assert_eq!(Value::from(read).to_json_text().as_deref(), Some(&*text)),
                    // The reader has a limit of its own.
                    Err(error) => assert!(error.to_string().contains("recursion limit"), "{error}: {text}"),
                }
            }
        }
        (Err(first), Err(second)) => {
            assert_eq!(first.fault(), second.fault());
            assert!(!matches!(first.fault(), Fault::NoRandom { .. }));
            assert!(!first.render().is_empty());
        }
        (first, second) => panic!("{first:?} and {second:?}"),
    }
    Corpus::Keep
});

/// How many bytes of text and elements a value holds.
fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Binary(bytes) => bytes.len(),
        Value::Array(items) => items.len() + items.iter().map(size).sum::<usize>(),
        Value::Object(members) => members.iter().map(|(name, value)| 1 + name.len() + size(value)).sum(),
        _ => 0,
    }
}
