//! The command line, as clap sees it.
//!
//! Every listing and answer is also available as JSON. Exit codes: 0 for yes, 1 for no or failed, 2 for a command line
//! that cannot be understood, 3 for a template that gives nothing.

mod audit;
mod connection;
mod directory;
mod init;
mod issuer;
mod revoke;
mod session;
mod token;
mod transfer;
mod user;
mod webhook;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use audit::{AuditCommand, AuditExportArgs, AuditVerifyArgs, EventFilters};
pub(crate) use connection::{
    ConnectionCommand, ConnectionHeadersArgs, ConnectionInputs, ConnectionParameters, ConnectionRunArgs, HeldConnection,
};
pub(crate) use directory::{
    Common, ConsoleCommand, GrantCommand, GrantScope, KeyCommand, ListPage, MachineKeyCommand, OrganizationCommand,
    OrganizationFields, TeamCommand,
};
pub(crate) use init::{InitArgs, ManualArgs};
pub(crate) use issuer::IssuerCommand;
pub(crate) use revoke::RevokeArgs;
pub(crate) use session::SessionCommand;
pub(crate) use token::{DecodeArgs, SignArgs, TokenCommand, VerifyArgs};
pub(crate) use transfer::{ExportArgs, ImportArgs};
pub(crate) use user::UserCommand;
pub(crate) use webhook::WebhookCommand;

/// Gateway that turns the JWT of a request into users, organizations, teams, roles and a decision.
#[derive(Debug, Parser)]
#[command(name = "narthex", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Command to run.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Command of `narthex`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a complete demo on loopback: issuer, organizations, upstream, tokens and ready-made curl commands.
    Demo(DemoArgs),
    /// Write a first configuration from a sample token, or from the address of an identity provider.
    Init(InitArgs),
    /// Run the gateway.
    Serve(ServeArgs),
    /// Show step by step what Narthex does with a token, and optionally a request. Nothing is written.
    Explain(ExplainArgs),
    /// Verify, sign and decode tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Evaluate templates.
    #[command(subcommand)]
    Template(TemplateCommand),
    /// Manage and run connections: documents that mint a token, call a service and judge its answer.
    #[command(subcommand)]
    Connection(ConnectionCommand),
    /// Check and describe configuration files.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Manage organizations and the tags that give roles in them.
    #[command(subcommand)]
    Organization(OrganizationCommand),
    /// Propose issuers.
    #[command(subcommand)]
    Issuer(IssuerCommand),
    /// Manage users.
    #[command(subcommand)]
    User(UserCommand),
    /// Manage teams.
    #[command(subcommand)]
    Team(TeamCommand),
    /// Manage grants: the roles of a user, their scope, their time and their source.
    #[command(subcommand)]
    Grant(GrantCommand),
    /// Manage API keys for the admin API.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Manage machine keys: keys of an organization's programs for its routes.
    #[command(subcommand)]
    MachineKey(MachineKeyCommand),
    /// List and end sessions of signed-in browsers.
    #[command(subcommand)]
    Session(SessionCommand),
    /// Get into the web console.
    #[command(subcommand)]
    Console(ConsoleCommand),
    /// Show why a request was refused in the last hour, on any node.
    Why {
        /// Id of the request, which its client was told.
        request_id: String,
        #[command(flatten)]
        common: Common,
    },
    /// Revoke one token, or all that an issuer has issued.
    Revoke(RevokeArgs),
    /// List, export and verify the audit trail.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Manage webhooks, and have events sent again.
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// Export everything in the store to a file, keys and secrets included.
    Export(ExportArgs),
    /// Import an export into a new, empty store: all of it or nothing.
    Import(ImportArgs),
    /// Look for problems in an installation: configuration, key sets, store.
    Doctor(DoctorArgs),
    /// Print a completion script for a shell.
    Completions {
        /// Shell to print the script for.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages, one for each command.
    Manual(ManualArgs),
}

/// Location of the configuration.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigPath {
    /// Configuration file.
    #[arg(
        long = "config",
        short = 'c',
        value_name = "FILE",
        env = "NARTHEX_CONFIG",
        default_value = "narthex.toml"
    )]
    pub(crate) path: PathBuf,
}

/// Format of the answer.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Output {
    /// Print the answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `narthex demo`
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Public port on 127.0.0.1. The admin port, the issuer and the upstream use the next three ports, in this order.
    #[arg(long, value_name = "PORT", default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..=65_532))]
    pub(crate) port: u16,
    /// Keep the directory in this file instead of a temporary one.
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
}

/// `narthex serve`
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) config: ConfigPath,
}

/// `narthex explain`
#[derive(Debug, Args)]
#[command(after_help = EXPLAIN_EXAMPLES)]
pub(crate) struct ExplainArgs {
    /// Token or machine key, or `-` to read it from standard input.
    pub(crate) token: String,
    /// Request that carries the token: a method and a path.
    #[arg(long, value_name = "METHOD PATH")]
    pub(crate) request: Option<String>,
    /// Host of the request.
    #[arg(long, requires = "request")]
    pub(crate) host: Option<String>,
    /// Header of the request, for templates that read `headers`.
    #[arg(long, value_name = "NAME: VALUE", requires = "request")]
    pub(crate) header: Vec<String>,
    /// Time to explain for, in milliseconds since 1970. By default the current time.
    #[arg(long, value_name = "UNIX_MS")]
    pub(crate) at: Option<i64>,
    #[command(flatten)]
    pub(crate) config: ConfigPath,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `narthex template …`
#[derive(Debug, Subcommand)]
pub(crate) enum TemplateCommand {
    /// Print the value of a template as JSON. If it gives nothing (undefined), print nothing and exit with code 3.
    Eval(EvalArgs),
}

/// `narthex template eval`
#[derive(Debug, Args)]
#[command(after_help = EVAL_EXAMPLES)]
pub(crate) struct EvalArgs {
    /// Template, or `-` to read it from standard input.
    pub(crate) template: String,
    /// File with a JSON object whose members are the names that the template may use. By default there are none.
    #[arg(long, value_name = "FILE")]
    pub(crate) context: Option<PathBuf>,
    /// Value of `now` and `timestamp`, in milliseconds since 1970. By default the current time.
    #[arg(long, value_name = "UNIX_MS", allow_negative_numbers = true)]
    pub(crate) at: Option<i64>,
    /// Time zone of dates: a name of the tz database.
    #[arg(long, value_name = "TZ", default_value = "UTC")]
    pub(crate) timezone: String,
    /// Treat the template as a JSON document whose strings are templates.
    #[arg(long)]
    pub(crate) document: bool,
}

/// `narthex config …`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check a configuration file and report every problem.
    Check {
        #[command(flatten)]
        config: ConfigPath,
        /// Configuration file, as a short form of `--config`.
        #[arg(value_name = "FILE", conflicts_with = "path")]
        file: Option<PathBuf>,
        #[command(flatten)]
        output: Output,
    },
    /// Print a configuration file with every key, its default and its description.
    Default,
    /// Print a JSON schema of the configuration file.
    Schema,
}

/// `narthex doctor`
#[derive(Debug, Args)]
#[command(after_help = DOCTOR_EXAMPLES)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) config: ConfigPath,
    /// Address of a guarded page: examine the deployment from outside instead of the installation.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// File with a token that may read the page of `--url`.
    #[arg(long, value_name = "FILE", requires = "url")]
    pub(crate) token_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
}

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  narthex explain eyJ… --request 'POST /v1/algo/acme/echo/1.0'
  pbpaste | narthex explain - --config /etc/narthex/narthex.toml --json

Works beside a running server and before the first start. Writes nothing; fetches the keys of the token's issuer.
Exit codes: 0 explained, even if the token or request is refused; 1 failed; 2 the command line cannot be understood.";

const DOCTOR_EXAMPLES: &str = "\
Example:
  narthex doctor --config /etc/narthex/narthex.toml
  narthex doctor --url https://app.example.com/whoami --token-file token

With `--url`, it sends about 50 requests to that address: forged headers, other spellings of the
path, other methods, upgrades. None of them may pass without a token. POST, PUT and DELETE are among
them, so name a page that they do not harm. With a token and a page that shows its request, it also
says which forged identity headers reach the application.

Changes nothing else, and works beside a running server.
Exit codes: 0 no problem found, 1 problems found.";

const EVAL_EXAMPLES: &str = "\
Examples:
  echo '{\"payload\":{\"sub\":\"ann\"}}' > context.json
  narthex template eval 'user {{payload.sub}}' --context context.json
  narthex template eval --document '{\"iat\":\"{{timestamp}}\"}' --at 1700000000000

Dates are printed as ISO 8601 text, bytes as base64, NaN as null. `jwt()` is available too.
Exit codes: 0 a value, 1 an error, 2 an error in the command line or the context, 3 nothing (undefined).";

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::path::Path;

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_listing_and_answer_can_be_json() {
        fn walk(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            let answers = [
                "list", "show", "create", "update", "members", "verify", "decode", "explain", "doctor", "run",
                "headers", "check",
            ];
            if answers.contains(&command.get_name()) {
                assert!(
                    command
                        .get_arguments()
                        .any(|argument| argument.get_long() == Some("json")),
                    "{path}"
                );
            }
            command.get_subcommands().for_each(|inner| walk(inner, &path));
        }
        walk(&Cli::command(), "");
    }

    /// `docs/reference/commands.md` is what `--help` says. `UPDATE=1 cargo nextest run` rewrites it.
    #[test]
    fn the_command_reference_is_up_to_date() {
        fn walk(command: &mut clap::Command, path: &str, page: &mut String) {
            let path = format!("{path}{}", command.get_name());
            let help = command
                .clone()
                .bin_name(&path)
                .term_width(100)
                .render_long_help()
                .to_string();
            let help: Vec<&str> = help.lines().map(str::trim_end).collect();
            let _ = write!(page, "\n## `{path}`\n\n```text\n{}\n```\n", help.join("\n").trim_end());
            for inner in command.get_subcommands_mut().filter(|inner| inner.get_name() != "help") {
                walk(inner, &format!("{path} "), page);
            }
        }
        let mut page = "# Commands\n\n<!-- Generated from crates/cli/src/args.rs. \
             UPDATE=1 cargo nextest run -p narthex-cli rewrites it. -->\n\n\
             Exit codes: 0 done, or yes; 1 failed, or refused (`explain` has done its work when it explains a refusal: 0); 2 a command line that cannot be understood; 3 a template \
             that gives nothing.\n"
            .to_owned();
        walk(&mut Cli::command().term_width(100), "", &mut page);
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/commands.md");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&kept, &page).unwrap();
        }
        let current = std::fs::read_to_string(&kept).unwrap_or_default();
        assert!(
            current == page,
            "{} is out of date; run with UPDATE=1 and review the change",
            kept.display()
        );
    }
}
