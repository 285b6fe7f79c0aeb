//! `narthex token …`

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, Subcommand};
use narthex_token::Algorithm;

use super::Output;
use narthex_config::{SecretFormat, parse_duration};

/// `narthex token …`
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Verify a token against keys. Exit code 0 if it is valid, 1 if it is refused.
    Verify(VerifyArgs),
    /// Sign a payload and print the token.
    Sign(SignArgs),
    /// Print the contents of a token without verifying it.
    Decode(DecodeArgs),
}

/// `narthex token verify`
#[derive(Debug, Args)]
#[command(after_help = VERIFY_EXAMPLES, group = ArgGroup::new("keys").required(true).args(["jwks", "secret_file", "public_key"]))]
pub(crate) struct VerifyArgs {
    /// Token, or `-` to read it from standard input.
    pub(crate) token: String,
    /// JWK set: a file or an https URL.
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) jwks: Option<String>,
    /// File that holds the shared secret.
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// Encoding of the secret in that file. `text` drops one line break at the end.
    #[arg(long, value_name = "FORMAT", default_value = "text", requires = "secret_file", value_parser = secret_format())]
    pub(crate) secret_format: SecretFormat,
    /// PEM file that holds the public key.
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Option<PathBuf>,
    /// Algorithm to accept. May be repeated. By default RS256 for a key set, HS256 for a secret, and the usual
    /// algorithm of its type for a public key.
    #[arg(long = "algorithm", value_name = "ALGORITHM", value_delimiter = ',')]
    pub(crate) algorithms: Vec<Algorithm>,
    /// Required `iss`. By default any.
    #[arg(long, value_name = "ISSUER")]
    pub(crate) issuer: Option<String>,
    /// Accepted audience. May be repeated; the token must be for one of them. By default any.
    #[arg(long = "audience", value_name = "AUDIENCE")]
    pub(crate) audiences: Vec<String>,
    /// Tolerated difference between the issuer's clock and this machine's, in whole seconds.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = leeway)]
    pub(crate) leeway: Duration,
    /// Time to verify at, in seconds since 1970. By default the current time.
    #[arg(long, value_name = "UNIX_SECONDS", allow_negative_numbers = true)]
    pub(crate) at: Option<i64>,
    /// Required claims, or `none` to accept a token without `exp`.
    #[arg(long, value_name = "CLAIM,…|none", value_delimiter = ',', default_value = "exp")]
    pub(crate) require: Vec<String>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `narthex token sign`
#[derive(Debug, Args)]
#[command(after_help = SIGN_EXAMPLES, group = ArgGroup::new("signing").required(true).args(["secret_file", "key"]))]
pub(crate) struct SignArgs {
    /// Payload as JSON (usually an object), or `-` to read it from standard input.
    #[arg(allow_negative_numbers = true)]
    pub(crate) payload: String,
    /// File that holds the shared secret.
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// Encoding of the secret in that file. `text` drops one line break at the end.
    #[arg(long, value_name = "FORMAT", default_value = "text", requires = "secret_file", value_parser = secret_format())]
    pub(crate) secret_format: SecretFormat,
    /// PEM file that holds the private key.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Algorithm: HS, RS, PS or ES with 256, 384 or 512, or ML-DSA-44, -65 or -87. It overrides `algorithm` in `--options`. By default HS256.
    #[arg(long, value_name = "ALGORITHM")]
    pub(crate) algorithm: Option<String>,
    /// Options of `jsonwebtoken`, as a JSON object.
    #[arg(long, value_name = "JSON")]
    pub(crate) options: Option<String>,
    /// Time to sign at, in milliseconds since 1970. By default the current time.
    #[arg(long, value_name = "UNIX_MS", allow_negative_numbers = true)]
    pub(crate) at: Option<i64>,
}

/// `narthex token decode`
#[derive(Debug, Args)]
#[command(after_help = DECODE_EXAMPLES)]
pub(crate) struct DecodeArgs {
    /// Token, or `-` to read it from standard input.
    pub(crate) token: String,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Parses a duration of whole seconds; a bare number counts seconds.
fn leeway(text: &str) -> Result<Duration, String> {
    let bare = text.parse().ok().map(Duration::from_secs);
    let duration = bare
        .or_else(|| parse_duration(text))
        .filter(|duration| duration.subsec_nanos() == 0);
    duration.ok_or_else(|| "write whole seconds with a unit, such as `60s` or `5m`".to_owned())
}

const VERIFY_EXAMPLES: &str = "\
Examples:
  narthex token verify eyJ… --jwks https://idp.example/jwks.json --audience narthex
  pbpaste | narthex token verify - --secret-file secret.txt --require none --json

Without --issuer, any `iss` is accepted; without --audience, any `aud`.
Exit codes: 0 valid, 1 refused, 2 an error in the command line, a file or a key.";

const SIGN_EXAMPLES: &str = "\
Examples:
  narthex token sign '{\"sub\":\"ann\"}' --secret-file secret.txt --options '{\"expiresIn\":\"1h\"}'
  narthex token sign '{\"sub\":\"ann\"}' --key private.pem --algorithm RS256 --options '{\"keyid\":\"k1\"}'

Tokens and error messages are byte for byte the same as those of npm jsonwebtoken 9, which has no ML-DSA.";

const DECODE_EXAMPLES: &str = "\
Example:
  narthex token decode eyJ…

Checks only the format. Use `narthex token verify` to verify a token.";

/// Parses a format by its name.
fn secret_format() -> impl TypedValueParser<Value = SecretFormat> {
    PossibleValuesParser::new(SecretFormat::ALL.map(|(word, _)| word)).map(|typed| {
        let known = SecretFormat::ALL.into_iter().find(|(word, _)| *word == typed);
        known.map_or(SecretFormat::Text, |(_, format)| format)
    })
}
