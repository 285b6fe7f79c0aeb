//! The examples of the function table are true.

use narthex_template::{Names, Scope, Template, functions};
use serde_json::{Map, Value as Json};

/// 2023-11-14T22:13:20.123Z
const NOW_MS: i64 = 1_700_000_000_123;

#[test]
fn every_example_of_every_function_gives_what_it_says() {
    let mut wrong = Vec::new();
    for function in functions() {
        for example in function.examples {
            let context: Map<String, Json> = serde_json::from_str(example.context).unwrap();
            let names = Names::new(context.keys().cloned());
            let zeros = |bytes: &mut [u8]| bytes.fill(0);
            let scope = Scope::new(NOW_MS).with_members(&context).with_random(&zeros);
            let result = match Template::compile(example.template, &names) {
                Ok(template) => match template.evaluate(&scope) {
                    Ok(value) => value.to_json_text().unwrap_or("undefined".to_owned()),
                    Err(error) => error.render(),
                },
                Err(error) => error.render(),
            };
            let expected: Result<Json, _> = serde_json::from_str(example.result);
            let same = match (expected, serde_json::from_str::<Json>(&result)) {
                (Ok(expected), Ok(result)) => expected == result,
                _ => example.result == result,
            };
            if !same {
                wrong.push(format!(
                    "{}: {} gave {result}, not {}",
                    function.name, example.template, example.result
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
