//! `narthex token verify`: the one verifier, with the terms of the command line.

use std::io::Write as _;
use std::sync::Arc;

use narthex_clock::Clock;
use narthex_explain::pasted_token;
use narthex_fetch::keys::{Access, FetchLimits, KeySource, KeyUrl, fetch_once};
use narthex_fetch::ssrf_guard::{Names, SystemNames};
use narthex_token::danger::loosely_bound_issuer;
use narthex_token::{
    Algorithm, Expiry, Family, IssuerPolicy, KeyKind, KeySet, KeySource as PolicyKeys, Limits, RequiredClaim,
    SecretLength, TrustedIssuer, VerifiedClaims, VerifyError, parse,
};
use serde_json::{Value, json};

use crate::args::VerifyArgs;
use crate::commands::input::{argument_or_stdin, file, secret_file, usage_error};
use crate::commands::terminal::{OutputStyle, Tone, escape_line, escape_lines, moment, relative};
use crate::commands::{Answer, print};

/// Verifies, and prints the answer.
pub(super) fn run(args: VerifyArgs) -> anyhow::Result<Answer> {
    let json = args.output.json;
    let now_ms = args
        .at
        .map_or_else(|| Clock::system().now_ms(), |seconds| seconds.saturating_mul(1000));
    match answer(args, now_ms) {
        Ok(claims) => {
            print(&if json {
                valid_json(&claims)
            } else {
                valid_text(&claims, now_ms, OutputStyle::of_stdout())
            })?;
            Ok(Answer::Yes)
        }
        Err(Refusal {
            reason,
            message,
            usage_error,
        }) => {
            if json {
                print(&format!(
                    "{}\n",
                    json!({ "valid": false, "reason": reason, "message": message })
                ))?;
            }
            if let Some(error) = usage_error {
                return Err(error);
            }
            if !json {
                let style = OutputStyle::of_stdout();
                print(&format!(
                    "{} {reason}: {message}\n",
                    style.paint(Tone::Bad, "✗ refused:")
                ))?;
            }
            Ok(Answer::No)
        }
    }
}

/// Refusal of a token, with the reason.
struct Refusal {
    reason: &'static str,
    message: String,
    /// Set where the command line is to blame: no token would do, and the exit code is another one.
    usage_error: Option<anyhow::Error>,
}

impl Refusal {
    fn of(error: &VerifyError, terms: &TrustedIssuer) -> Self {
        let message = match error {
            VerifyError::IssuerUnknown { .. } => {
                let issuer = terms.policy().issuer.as_deref().unwrap_or_default();
                format!("the token's `iss` is not `{issuer}`; `--issuer` is compared character for character")
            }
            other => other.to_string(),
        };
        Self {
            reason: error.reason(),
            message,
            usage_error: None,
        }
    }

    /// The command line asks for something that cannot be.
    fn usage_error(reason: &'static str, error: anyhow::Error) -> Self {
        Self {
            reason,
            message: format!("{error:#}"),
            usage_error: Some(error),
        }
    }

    /// The keys cannot be had, and asking again later may help.
    fn unavailable(message: String) -> Self {
        Self {
            reason: NO_KEYS,
            message,
            usage_error: None,
        }
    }
}

fn answer(args: VerifyArgs, now_ms: i64) -> Result<VerifiedClaims, Refusal> {
    let keys = keys(&args, now_ms)?;
    let terms = terms(&args, &keys)?;
    let token = argument_or_stdin(args.token).map_err(|error| Refusal::usage_error("token.missing", error))?;
    // Blanks count here, as at a door.
    let token = if has_scheme(&token) {
        pasted_token(&token)
    } else {
        &token
    };
    let verified = parse(token, &Limits::default()).and_then(|parsed| parsed.verify(&terms, &keys, now_ms));
    verified.map_err(|error| Refusal::of(&error, &terms))
}

/// Tests whether it was pasted from a header. SPEC: RFC 9110 11.1: the case of a scheme does not count.
fn has_scheme(token: &str) -> bool {
    token
        .get(..7)
        .is_some_and(|start| start.eq_ignore_ascii_case("bearer "))
}

fn keys(args: &VerifyArgs, now_ms: i64) -> Result<Arc<KeySet>, Refusal> {
    let blame = |error| Refusal::usage_error(NO_KEYS, error);
    if let Some(source) = &args.jwks {
        return jwks(source, now_ms);
    }
    if let Some(path) = &args.secret_file {
        let secret = secret_file(path, args.secret_format).map_err(blame)?;
        // The operator who holds a secret and a token may compare the two, however short the secret.
        let keys = KeySet::from_secrets(&[&secret], &hmac_only(&args.algorithms), SecretLength::DangerShort);
        let keys = keys.map_err(|error| {
            blame(usage_error(format!(
                "the secret of `--secret-file` is refused: {error}"
            )))
        })?;
        warn_of_short(&secret, &args.algorithms);
        return Ok(Arc::new(keys));
    }
    let Some(path) = &args.public_key else {
        return Err(blame(usage_error(
            "give the keys with `--jwks`, `--secret-file` or `--public-key`",
        )));
    };
    let pem = file("--public-key", path).map_err(blame)?;
    let keys = KeySet::from_public_key_pem(&String::from_utf8_lossy(&pem));
    keys.map(Arc::new)
        .map_err(|error| blame(usage_error(format!("the key of `--public-key` is refused: {error}"))))
}

/// A key set from a file or, guarded and bounded as everywhere, from a URL.
fn jwks(source: &str, now_ms: i64) -> Result<Arc<KeySet>, Refusal> {
    let blame = |message: String| {
        Refusal::usage_error(
            NO_KEYS,
            usage_error(format!("the key set of `--jwks` cannot be read: {message}")),
        )
    };
    let remote = source.contains("://");
    let source = if remote {
        // An operator who types a host on a command line means that host, also in a private network.
        let allow_private_hosts = KeyUrl::parse(source).map(|url| url.host()).into_iter().collect();
        KeySource::url(
            source,
            Access {
                allow_private_hosts,
                ..Access::default()
            },
        )
        .map_err(|problem| blame(problem.to_string()))?
    } else {
        KeySource::file(source)
    };
    let names: Arc<dyn Names> = Arc::new(SystemNames);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| blame(error.to_string()))?;
    let keys = runtime.block_on(fetch_once(&source, &names, FetchLimits::default(), now_ms));
    keys.map_err(|error| {
        if remote {
            Refusal::unavailable(error.to_string())
        } else {
            blame(error.to_string())
        }
    })
}

/// The terms of the command line: what is not named is not compared.
fn terms(args: &VerifyArgs, keys: &KeySet) -> Result<TrustedIssuer, Refusal> {
    let mut policy = match &args.secret_file {
        Some(_) => IssuerPolicy::shared_secret(TERMS, args.issuer.clone()),
        None => IssuerPolicy {
            issuer: args.issuer.clone(),
            ..IssuerPolicy::key_set(TERMS, "")
        },
    };
    if args.algorithms.is_empty() {
        if args.public_key.is_some() {
            policy.algorithms = keys.keys().map(|key| usual(key.kind)).collect();
        }
    } else {
        policy.algorithms.clone_from(&args.algorithms);
    }
    for audience in &args.audiences {
        if !policy.audiences.contains(audience) {
            policy.audiences.push(audience.clone());
        }
    }
    policy.leeway_seconds = args.leeway.as_secs();
    (policy.expiry, policy.required_claims) =
        required(&args.require).map_err(|error| Refusal::usage_error("token.claim_missing", error))?;
    if let Some(algorithm) = policy
        .algorithms
        .iter()
        .find(|algorithm| (algorithm.family() == Family::Hmac) != (policy.key_source == PolicyKeys::SharedSecret))
    {
        let message = match policy.key_source {
            PolicyKeys::SharedSecret => {
                format!("{algorithm} takes a public key, not a secret; use `--jwks` or `--public-key`")
            }
            PolicyKeys::KeySet => {
                format!("{algorithm} takes a shared secret, and a public key is none; use `--secret-file`")
            }
        };
        return Err(Refusal::usage_error("token.algorithm", usage_error(message)));
    }
    loosely_bound_issuer(policy).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Refusal::usage_error("token.claim_invalid", usage_error(problems.join("; ")))
    })
}

/// Default signature algorithm of a key of this kind.
fn usual(kind: KeyKind) -> Algorithm {
    match kind {
        KeyKind::Rsa { .. } => Algorithm::Rs256,
        KeyKind::P256 => Algorithm::Es256,
        KeyKind::P384 => Algorithm::Es384,
        KeyKind::P521 => Algorithm::Es512,
        KeyKind::Ed25519 => Algorithm::EdDsa,
        KeyKind::MlDsa44 => Algorithm::MlDsa44,
        KeyKind::MlDsa65 => Algorithm::MlDsa65,
        KeyKind::MlDsa87 => Algorithm::MlDsa87,
    }
}

/// `--require exp,sub` or `--require none`.
fn required(names: &[String]) -> anyhow::Result<(Expiry, Vec<RequiredClaim>)> {
    if let [only] = names
        && only == "none"
    {
        return Ok((Expiry::DangerOptional, Vec::new()));
    }
    if names.iter().any(|name| name == "none" || name.is_empty()) {
        return Err(usage_error(
            "`--require` takes names of claims, separated by commas, or `none` alone",
        ));
    }
    let expiry = if names.iter().any(|name| name == "exp") {
        Expiry::Required
    } else {
        Expiry::DangerOptional
    };
    let others = names.iter().filter(|name| *name != "exp");
    Ok((
        expiry,
        others
            .map(|name| RequiredClaim {
                claim: name.clone(),
                one_of: Vec::new(),
            })
            .collect(),
    ))
}

/// The algorithms a secret can be checked against; a wrong one among them is reported elsewhere.
fn hmac_only(algorithms: &[Algorithm]) -> Vec<Algorithm> {
    algorithms
        .iter()
        .copied()
        .filter(|algorithm| algorithm.family() == Family::Hmac)
        .collect()
}

fn warn_of_short(secret: &[u8], algorithms: &[Algorithm]) {
    let needed = hmac_only(algorithms)
        .into_iter()
        .map(Algorithm::hash_length_bytes)
        .max()
        .unwrap_or(Algorithm::Hs256.hash_length_bytes());
    if secret.len() < needed {
        // Ignored: there is no other way to report it.
        let _ = writeln!(
            std::io::stderr().lock(),
            "narthex: note: the secret has {} bytes and should have {needed} (RFC 7518 3.2); a server refuses it unless `danger_short_secret` is set",
            secret.len()
        );
    }
}

fn valid_json(claims: &VerifiedClaims) -> String {
    let answer = json!({
        "valid": true,
        "header": claims.header(),
        "claims": claims.claims(),
        "key": { "kid": claims.key().kid(), "matched_by": claims.key().matched_by().name() },
    });
    format!("{answer}\n")
}

fn valid_text(claims: &VerifiedClaims, now_ms: i64, style: OutputStyle) -> String {
    let key = match (claims.key().kid(), claims.key().matched_by().name()) {
        (Some(kid), rule) => format!("`{kid}`, found by {rule}"),
        (None, "secret") => "the shared secret".to_owned(),
        (None, "only_key") => "the only key that fits".to_owned(),
        (None, rule) => format!("found by {rule}"),
    };
    let expires = claims.expires_at_ms().map_or_else(
        || "never: the token has no `exp`".to_owned(),
        |at| format!("{} ({})", moment(at), relative(at, now_ms)),
    );
    let algorithm = claims.header().get("alg").and_then(Value::as_str).unwrap_or_default();
    let body = serde_json::to_string_pretty(claims.claims()).unwrap_or_default();
    format!(
        "{}\n\nalgorithm  {algorithm}\nkey        {}\nexpires    {expires}\n\n{}\n",
        style.paint(Tone::Good, "✓ valid"),
        escape_line(&key),
        escape_lines(&body)
    )
}

/// Name of the terms in messages about them.
const TERMS: &str = "command line";
/// The reason where there are no keys to say anything with.
const NO_KEYS: &str = "keys.unavailable";

/// A [`Refusal::usage_error`] ends with exit code 2.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::input::UsageError;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_required_is_said_in_one_word_or_a_list() {
        let of = |list: &[&str]| {
            required(&names(list))
                .map(|(expiry, claims)| (expiry, claims.into_iter().map(|claim| claim.claim).collect::<Vec<_>>()))
        };
        assert_eq!(of(&["exp"]).unwrap(), (Expiry::Required, vec![]));
        assert_eq!(of(&["none"]).unwrap(), (Expiry::DangerOptional, vec![]));
        assert_eq!(of(&["exp", "sub"]).unwrap(), (Expiry::Required, names(&["sub"])));
        assert_eq!(of(&["sub"]).unwrap(), (Expiry::DangerOptional, names(&["sub"])));
        for bad in [&["none", "sub"][..], &[""], &["sub", ""]] {
            assert!(of(bad).unwrap_err().downcast_ref::<UsageError>().is_some(), "{bad:?}");
        }
    }
}
