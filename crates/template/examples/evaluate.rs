//! Evaluates a template with a payload: `cargo run -p narthex-template --example evaluate -- '{{payload.a}}' '{"a":[1]}'`

use std::error::Error;

use narthex_template::{Names, Scope, Template};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, payload] = arguments.as_slice() else {
        return Err("give a template and a payload in JSON".into());
    };
    let template = Template::compile(source, &Names::new(["payload"]))?;
    let payload: serde_json::Value = serde_json::from_str(payload)?;
    let value = template.evaluate(&Scope::new(0).with_json("payload", &payload))?;
    match value.to_json() {
        Some(json) => println!("{json}"),
        None => println!("undefined"),
    }
    Ok(())
}
