//! `narthex init`, `narthex manual`

use std::path::PathBuf;

use clap::Args;

use super::ConfigPath;

/// `narthex init`
#[derive(Debug, Args)]
#[command(after_help = INIT_EXAMPLES)]
pub(crate) struct InitArgs {
    /// Sample token of the identity provider, or `-` to read it from standard input. It may have expired. It is not kept.
    #[arg(conflicts_with = "issuer")]
    pub(crate) token: Option<String>,
    /// Address of the identity provider, instead of a token: the `iss` of its tokens, character for character.
    #[arg(long, value_name = "URL", requires = "audience")]
    pub(crate) issuer: Option<String>,
    /// Audience of the tokens (`aud`). By default, that of the sample token.
    #[arg(long, value_name = "TEXT")]
    pub(crate) audience: Option<String>,
    /// Address of the application that Narthex protects.
    #[arg(long, value_name = "URL")]
    pub(crate) upstream: Option<String>,
    /// Name of the identity provider in the configuration, on the command line and in logs.
    #[arg(long, value_name = "NAME", default_value = "corp")]
    pub(crate) name: String,
    /// URL of the key set, for a provider without OpenID discovery.
    #[arg(long, value_name = "URL", conflicts_with_all = ["jwks_file", "secret_file"])]
    pub(crate) jwks_url: Option<String>,
    /// File with the key set.
    #[arg(long, value_name = "FILE", conflicts_with = "secret_file")]
    pub(crate) jwks_file: Option<PathBuf>,
    /// File with the shared secret, for HS256, HS384 and HS512.
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigPath,
}

/// `narthex manual`
#[derive(Debug, Args)]
pub(crate) struct ManualArgs {
    /// Existing folder to write the pages to, such as `/usr/local/share/man/man1`.
    pub(crate) folder: PathBuf,
}

const INIT_EXAMPLES: &str = "\
Examples:
  narthex init \"$TOKEN\" --upstream http://127.0.0.1:9000
  narthex init --issuer https://id.example.com --audience my-app --upstream http://127.0.0.1:9000

On a terminal, init asks for what is missing. It verifies nothing and fetches nothing; `narthex
explain` does. If the file exists, init adds the issuer and the route to its end. It refuses a file
that has an issuer or a route already.
Exit codes: 0 written; 1 the proposal cannot be used, nothing was written; 2 the command line cannot
be understood.";
