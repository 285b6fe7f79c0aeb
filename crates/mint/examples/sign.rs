//! Signs a payload with a shared secret: `cargo run -p narthex-mint --example sign -- '{"sub":"ann"}' SECRET UNIX_MS`

use std::error::Error;

use narthex_mint::{Algorithms, Key, sign};
use narthex_template::Value;
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [payload, secret, now_ms] = arguments.as_slice() else {
        return Err("give a payload in JSON, a secret, and the time in milliseconds".into());
    };
    let payload = Value::from(serde_json::from_str::<serde_json::Value>(payload)?);
    let options = Value::from(json!({"expiresIn": "1h"}));
    let key = Key::from_bytes(secret.as_bytes());
    println!(
        "{}",
        sign(&payload, &key, &options, Algorithms::OfTemplates, now_ms.parse()?)?
    );
    Ok(())
}
