//! `narthex connection …`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Common, ListPage, Output};

/// `narthex connection …`
#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionCommand {
    /// Send the requests of a connection document and judge the answers. Exit code 1 if the service or the document
    /// refuses.
    Run(ConnectionRunArgs),
    /// Print the headers of the first request, tokens included, for use by another program. Nothing is sent.
    Headers(ConnectionHeadersArgs),
    /// List the connections that the server holds, of one organization or of all.
    List {
        /// Name or id of the organization.
        organization: Option<String>,
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
    /// Show a connection: its document, and the names of its parameters and stored data. Values are never shown.
    Show {
        #[command(flatten)]
        connection: HeldConnection,
        #[command(flatten)]
        common: Common,
    },
    /// Create a connection for an organization. Its parameters are encrypted with the secret key and never shown again.
    #[command(after_help = CREATE_EXAMPLE)]
    Create {
        /// Name or id of the organization.
        organization: String,
        /// Name of the connection.
        name: String,
        /// Connection document, or `-` to read it from standard input.
        file: PathBuf,
        #[command(flatten)]
        parameters: ConnectionParameters,
        #[command(flatten)]
        common_options: Common,
    },
    /// Send the requests of a connection, judge the answers, and store the results of a valid run. Requests go only to
    /// hosts in `[connections] allowed_hosts`. Exit code 1 if the service or the document refuses.
    Test {
        #[command(flatten)]
        connection: HeldConnection,
        #[command(flatten)]
        common: Common,
    },
    /// Delete a connection and its stored secrets.
    Delete {
        #[command(flatten)]
        connection: HeldConnection,
        #[command(flatten)]
        common: Common,
    },
    /// Encrypt the secrets of all connections in the store with the current secret key. Run it once after a change of
    /// key, before you remove the previous key. You may stop it and start it again, beside a running server.
    Reencrypt(Common),
}

/// Selects a connection that the server holds.
#[derive(Debug, Args)]
pub(crate) struct HeldConnection {
    /// Id of the connection, or its name if only one connection has it.
    #[arg(value_name = "CONNECTION")]
    pub(crate) connection: String,
    /// Name or id of the organization, needed if connections of several organizations have the name.
    #[arg(long)]
    pub(crate) organization: Option<String>,
}

/// `narthex connection run`
#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub(crate) struct ConnectionRunArgs {
    #[command(flatten)]
    pub(crate) inputs: ConnectionInputs,
    /// Send nothing; print the first request with every secret masked.
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

/// Values that the templates of a document read as `parameters` and `common`.
#[derive(Debug, Args)]
pub(crate) struct ConnectionParameters {
    /// Parameter: `parameters.NAME` in the document. Other users of this machine can see the command line: for secrets,
    /// use `--param-file` or `--param-env`.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) param: Vec<String>,
    /// Parameter from a file, without the line break at its end. A PEM key keeps its line break.
    #[arg(long, value_name = "NAME=PATH")]
    pub(crate) param_file: Vec<String>,
    /// Parameter from an environment variable.
    #[arg(long, value_name = "NAME=VARIABLE")]
    pub(crate) param_env: Vec<String>,
    /// Member of the common data: `common.NAME`.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) common: Vec<String>,
    /// Member of the common data from a file.
    #[arg(long, value_name = "NAME=PATH")]
    pub(crate) common_file: Vec<String>,
}

/// Connection document, and the values that its templates read.
#[derive(Debug, Args)]
pub(crate) struct ConnectionInputs {
    /// Connection document, or `-` to read it from standard input.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) parameters: ConnectionParameters,
    /// File with a JSON object that an earlier run stored: `data` in the document.
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Option<PathBuf>,
    /// Name of a parameter to leave unmasked where requests are shown. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) show: Vec<String>,
    /// Value of `now` and `timestamp`, in milliseconds since 1970. By default the current time.
    #[arg(long, value_name = "UNIX_MS", allow_negative_numbers = true)]
    pub(crate) at: Option<i64>,
    /// Time zone of dates: a name of the tz database.
    #[arg(long, value_name = "TZ", default_value = "UTC")]
    pub(crate) timezone: String,
}

const RUN_EXAMPLES: &str = "\
Examples:
  narthex connection run connection.json --param clientId=app-1 --param-file clientSecret=secret.txt
  narthex connection run connection.json --param-env key=API_KEY --dry-run
  narthex connection run connection.json --param-file key=key.pem --json

Prints uid, metadata, expiry and the names of the data to store. --json also prints the values, so keep its output
secret. Requests may go to any host; proxy settings of the environment are ignored.
Exit codes: 0 done, 1 refused or not reached, 2 the document or the command line cannot be understood.";

const CREATE_EXAMPLE: &str = "\
Example:
  narthex connection create acme billing connection.json --param clientId=app-1 --param-file clientSecret=secret.txt
  narthex connection test billing";

const HEADERS_EXAMPLES: &str = "\
Example:
  narthex connection headers connection.json --param clientId=app-1 --param-file clientSecret=secret.txt > headers.txt
  curl -H @headers.txt https://api.example.com/

Prints the headers exactly as they would be sent, secrets and tokens included.
Exit codes: 0 done, 1 a template failed or no request is made, 2 the document or the command line cannot be understood.";
