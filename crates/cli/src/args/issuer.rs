//! Commands for issuers.

use clap::{ArgGroup, Subcommand};

use super::Output;

/// `narthex issuer …`
#[derive(Debug, Subcommand)]
pub(crate) enum IssuerCommand {
    /// Propose the settings of an issuer from a sample token or an address. Nothing is verified, written or fetched.
    ///
    /// Exit codes: 0 the proposal has all that an issuer needs; 1 something is missing, and the notes say what; 2 nothing
    /// can be proposed.
    #[command(group = ArgGroup::new("sample").required(true).args(["token", "address"]))]
    Propose {
        /// Sample token, or `-` for standard input.
        token: Option<String>,
        /// Address of the issuer, such as `https://id.example.com/realms/acme`.
        #[arg(long, value_name = "URL")]
        address: Option<String>,
        #[command(flatten)]
        output: Output,
    },
}
