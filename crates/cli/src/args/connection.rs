//! `narthex connection …`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Common, ListPage, Output};

/// `narthex connection …`
#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionCommand {
    /// Send the requests of a connection document and judge what comes back. Exit code 1 if the service, or the document,
    /// says no.
    Run(ConnectionRunArgs),
    /// Print the headers of the first request, tokens and all, for somebody else to send. Nothing is sent.
    Headers(ConnectionHeadersArgs),
    /// List the connections that the server holds: those of one organization, or all.
    List {
        /// The organization's name or id.
        organization: Option<String>,
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
    /// Show one: its document, and the names of what it needs and keeps. Values are never shown.
    Show {
        #[command(flatten)]
        connection: HeldConnection,
        #[command(flatten)]
        common: Common,
    },
    /// Create one for an organization. Its parameters are encrypted with the secret key and never shown again.
    #[command(after_help = CREATE_EXAMPLE)]
    Create {
        /// The organization's name or id.
        organization: String,
        /// The connection's name.
        name: String,
        /// The connection document, or `-` to read it from standard input.
        file: PathBuf,
        #[command(flatten)]
        parameters: ConnectionParameters,
        #[command(flatten)]
        common_options: Common,
    },
    /// Send the requests of one, judge the answers, and keep what a valid run gives. Requests go to the hosts of
    /// `[connections] allowed_hosts` only. Exit code 1 if the service, or the document, says no.
    Test {
        #[command(flatten)]
        connection: HeldConnection,
        #[command(flatten)]
        common: Common,
    },
    /// Delete one, with the secrets it keeps.
    Delete {
        #[command(flatten)]
        connection: HeldConnection,
        #[command(flatten)]
        common: Common,
    },
    /// Encrypt the secrets of all connections in the store with the current secret key. Needed once after the key was
    /// changed, before the previous one is taken away. May be stopped and begun again, beside a running server.
    Reencrypt(Common),
}

/// A connection that the server holds.
#[derive(Debug, Args)]
pub(crate) struct HeldConnection {
    /// The connection's id, or its name if only one connection has it.
    #[arg(value_name = "CONNECTION")]
    pub(crate) connection: String,
    /// The organization's name or id, where connections of several organizations have the name.
    #[arg(long)]
    pub(crate) organization: Option<String>,
}

/// `narthex connection run`
#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub(crate) struct ConnectionRunArgs {
    #[command(flatten)]
    pub(crate) inputs: ConnectionInputs,
    /// Send nothing; print the first request, with every secret masked.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `narthex connection headers`
#[derive(Debug, Args)]
#[command(after_help = HEADERS_EXAMPLES)]
pub(crate) struct ConnectionHeadersArgs {
    #[command(flatten)]
    pub(crate) inputs: ConnectionInputs,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What the templates of a document read as `parameters` and `common`.
#[derive(Debug, Args)]
pub(crate) struct ConnectionParameters {
    /// A parameter: `parameters.NAME` in the document. Others on this machine can see the command line: use the next two
    /// for secrets.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) param: Vec<String>,
    /// A parameter from a file, without the line break at its end; a PEM key keeps it.
    #[arg(long, value_name = "NAME=PATH")]
    pub(crate) param_file: Vec<String>,
    /// A parameter from an environment variable.
    #[arg(long, value_name = "NAME=VARIABLE")]
    pub(crate) param_env: Vec<String>,
    /// A member of the common data: `common.NAME`.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) common: Vec<String>,
    /// The same from a file.
    #[arg(long, value_name = "NAME=PATH")]
    pub(crate) common_file: Vec<String>,
}

/// The document, and what its templates read.
#[derive(Debug, Args)]
pub(crate) struct ConnectionInputs {
    /// The connection document, or `-` to read it from standard input.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) parameters: ConnectionParameters,
    /// A JSON object with what an earlier run stored: `data` in the document.
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Option<PathBuf>,
    /// A parameter that need not be masked where requests are shown; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) show: Vec<String>,
    /// What `now` and `timestamp` are, in milliseconds since 1970. By default the clock.
    #[arg(long, value_name = "UNIX_MS", allow_negative_numbers = true)]
    pub(crate) at: Option<i64>,
    /// The time zone of dates: a name of the tz database.
    #[arg(long, value_name = "TZ", default_value = "UTC")]
    pub(crate) timezone: String,
}

const RUN_EXAMPLES: &str = "\
Examples:
  narthex connection run connection.json --param clientId=app-1 --param-file clientSecret=secret.txt
  narthex connection run connection.json --param-env key=API_KEY --dry-run
  narthex connection run connection.json --param-file key=key.pem --json

Prints uid, metadata, expiry and the names of what is to be kept; --json prints the values too, so keep its output to
yourself. Requests go to any host; proxies of the environment are not used.
Exit codes: 0 done, 1 refused or not reached, 2 the document or the command line cannot be understood.";

const CREATE_EXAMPLE: &str = "\
Example:
  narthex connection create acme billing connection.json --param clientId=app-1 --param-file clientSecret=secret.txt
  narthex connection test billing";

const HEADERS_EXAMPLES: &str = "\
Example:
  narthex connection headers connection.json --param clientId=app-1 --param-file clientSecret=secret.txt > headers.txt
  curl -H @headers.txt https://api.example.com/

What is printed is what would be sent, secrets and tokens included.
Exit codes: 0 done, 1 a template failed or no request is made, 2 the document or the command line cannot be understood.";
