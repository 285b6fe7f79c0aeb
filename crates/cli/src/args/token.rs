//! `narthex token …`

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};

use super::Output;
use crate::config::parse_duration;

/// `narthex token …`
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Verify a token against keys. Exit code 0 if it is valid, 1 if it is refused.
    Verify(VerifyArgs),
    /// Sign a payload and print the token.
    Sign(SignArgs),
    /// Print what a token says, without believing it.
    Decode(DecodeArgs),
}

/// `narthex token verify`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("keys").required(true).args(["jwks", "secret_file", "public_key"]))]
pub(crate) struct VerifyArgs {
    /// The token, or `-` to read it from standard input.
    pub(crate) token: String,
    /// A JWK set: a file or an https URL.
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) jwks: Option<String>,
    /// A file that holds the shared secret.
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// A PEM file that holds the public key.
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Option<PathBuf>,
    /// An algorithm to accept. By default RS256, or HS256 with a secret.
    #[arg(long = "algorithm", value_name = "ALGORITHM")]
    pub(crate) algorithms: Vec<String>,
    /// The `iss` it must have. By default any.
    #[arg(long, value_name = "ISSUER")]
    pub(crate) issuer: Option<String>,
    /// An audience, one of which it must be for. By default any.
    #[arg(long = "audience", value_name = "AUDIENCE")]
    pub(crate) audiences: Vec<String>,
    /// How far the issuer's clock may be off.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub(crate) leeway: Duration,
    /// Verify as if it were this time, in seconds since 1970. By default the clock.
    #[arg(long, value_name = "UNIX_SECONDS", allow_negative_numbers = true)]
    pub(crate) at: Option<i64>,
    /// Claims that must be there, or `none` to accept a token without `exp`.
    #[arg(long, value_name = "CLAIM,…|none", value_delimiter = ',', default_value = "exp")]
    pub(crate) require: Vec<String>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `narthex token sign`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("signing").required(true).args(["secret_file", "key"]))]
pub(crate) struct SignArgs {
    /// The payload as JSON, or `-` to read it from standard input.
    pub(crate) payload: String,
    /// A file that holds the shared secret.
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// A PEM file that holds the private key.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// The algorithm. It wins over `algorithm` among the options. By default HS256.
    #[arg(long, value_name = "ALGORITHM")]
    pub(crate) algorithm: Option<String>,
    /// Options of `jsonwebtoken`, as a JSON object.
    #[arg(long, value_name = "JSON")]
    pub(crate) options: Option<String>,
    /// Sign as if it were this time, in milliseconds since 1970. By default the clock.
    #[arg(long, value_name = "UNIX_MS", allow_negative_numbers = true)]
    pub(crate) at: Option<i64>,
}

/// `narthex token decode`
#[derive(Debug, Args)]
pub(crate) struct DecodeArgs {
    /// The token, or `-` to read it from standard input.
    pub(crate) token: String,
    #[command(flatten)]
    pub(crate) output: Output,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "write a whole number and `ms`, `s`, `m`, `h` or `d`, such as `60s`".to_owned())
}
