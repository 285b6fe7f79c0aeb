//! Verifies a token with a JWK set: `cargo run -p narthex-token --example verify -- TOKEN JWKS.json ISSUER AUDIENCE UNIX_MS`
//!
//! The time is an argument, as everywhere in this crate: `$(date +%s)000` is now.

use std::error::Error;
use std::sync::Arc;

use narthex_token::{IssuerPolicy, Issuers, KeySet, KeySetLimits, Limits, PolicyError, TrustedIssuer, parse};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [token, key_set, issuer, audience, now_ms] = arguments.as_slice() else {
        return Err(
            "give a token, a file with its key set, the issuer, the audience, and the time in milliseconds".into(),
        );
    };
    let refused = |problems: Vec<PolicyError>| format!("the issuer cannot be used: {problems:?}");
    let mut policy = IssuerPolicy::key_set("example", issuer);
    policy.audiences = vec![audience.clone()];
    let trusted = Arc::new(TrustedIssuer::new(policy).map_err(refused)?);
    let issuers = Issuers::new(vec![trusted]).map_err(refused)?;
    let keys = KeySet::from_jwks(&std::fs::read(key_set)?, &KeySetLimits::default())?;

    let parsed = parse(token, &Limits::default())?;
    let issuer = issuers.select(&parsed)?;
    let verified = parsed.verify(issuer, &keys, now_ms.parse()?)?;
    for (name, value) in verified.claims() {
        println!("{name}: {value}");
    }
    Ok(())
}
