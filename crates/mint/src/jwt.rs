//! `jwt(payload, secret, [algorithm], [options])` as a function of templates.

use narthex_template::{HostError, HostFacts, HostFunction, Object, Value};

use crate::key::Key;
use crate::sign::sign;

/// The function `jwt`. The third argument wins over `options.algorithm`; without either it is HS256.
#[derive(Debug, Clone, Copy, Default)]
pub struct Jwt;

impl HostFunction for Jwt {
    fn name(&self) -> &'static str {
        "jwt"
    }

    fn parameters(&self) -> &[&'static str] {
        &["payload", "secret", "[algorithm]", "[options]"]
    }

    fn call(&self, arguments: &[Value], facts: &HostFacts) -> Result<Value, HostError> {
        let argument = |index: usize| arguments.get(index).unwrap_or(&Value::Undefined);
        let options = with_algorithm(argument(2), argument(3));
        sign(argument(0), &Key::from_value(argument(1)), &options, facts.now_ms)
            .map(Value::Text)
            .map_err(|error| HostError(error.to_string()))
    }
}

/// `{...options, algorithm}`, as far as there is an algorithm.
fn with_algorithm(algorithm: &Value, options: &Value) -> Value {
    if !algorithm.is_truthy() {
        return options.clone();
    }
    let mut members = match options {
        Value::Object(members) => members.clone(),
        other if other.is_truthy() => return other.clone(),
        _ => Object::new(),
    };
    members.insert("algorithm".to_owned(), algorithm.clone());
    Value::Object(members)
}
