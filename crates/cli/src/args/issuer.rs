//! Commands for issuers.

use std::path::PathBuf;

use clap::{ArgGroup, Subcommand};

use super::Output;
use super::directory::{Common, ListPage};

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
    /// List the issuers made at run time, those that are off too. Those of the configuration file are in the file.
    List {
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
    /// Show an issuer made at run time, with its document.
    Show {
        /// Name of the issuer.
        issuer: String,
        #[command(flatten)]
        common: Common,
    },
    /// Create an issuer from a JSON document with the keys of an `[[issuer]]`. All servers have it in use within a second.
    Create {
        /// File with the document, or `-` for standard input. `narthex issuer propose --json` prints one in `document`.
        file: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Replace the document of an issuer made at run time.
    Replace {
        /// Name of the issuer.
        issuer: String,
        /// File with the document, or `-` for standard input.
        file: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Delete an issuer made at run time. Its tokens are refused, and the roles that they gave have no effect.
    Delete {
        /// Name of the issuer.
        issuer: String,
        #[command(flatten)]
        common: Common,
    },
    /// Create a setup link, by which an organization's admin can add one issuer of that organization within seven days.
    SetupLink {
        /// Name or id of the organization.
        organization: String,
        #[command(flatten)]
        common: Common,
    },
}
