//! Implementations of the subcommands.

mod audit;
mod completions;
mod config;
mod connection;
mod doctor;
mod explain;
mod init;
mod input;
mod issuer;
mod manual;
mod resources;
mod serve;
mod template;
mod token;
mod transfer;

use std::io::{self, Write};
use std::process::ExitCode;

pub(crate) use narthex_terminal as terminal;

use crate::args::{AuditCommand, Command, ConnectionCommand};
use crate::demo;

/// Result of a command that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Done, or: yes.
    Yes,
    /// Refused, or: no.
    No,
    /// The command line asks for something that makes no sense.
    UsageError,
    /// A template gave nothing.
    Nothing,
}

impl Answer {
    /// The answer that an error amounts to.
    pub(crate) fn of_error(error: &anyhow::Error) -> Self {
        if error.is::<input::UsageError>() {
            Self::UsageError
        } else {
            Self::No
        }
    }
}

impl From<Answer> for ExitCode {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Yes => Self::SUCCESS,
            Answer::No => Self::from(1),
            // As clap's own: a command line that cannot be understood.
            Answer::UsageError => Self::from(2),
            Answer::Nothing => Self::from(3),
        }
    }
}

/// Runs a subcommand.
pub(crate) fn run(command: Command) -> anyhow::Result<Answer> {
    match command {
        Command::Connection(ConnectionCommand::Run(args)) => in_runtime(connection::run(args)),
        Command::Connection(ConnectionCommand::Headers(args)) => connection::headers(&args),
        Command::Audit(AuditCommand::Verify(args)) => audit::verify(&args),
        Command::Config(command) => config::run(command),
        Command::Doctor(args) => in_runtime(doctor::run(args)),
        Command::Explain(args) => in_runtime(explain::run(args)),
        Command::Init(args) => init::run(args),
        Command::Issuer(command) => issuer::run(command),
        Command::Manual(args) => manual::run(&args),
        Command::Token(command) => token::run(command),
        Command::Template(command) => template::run(command),
        Command::Completions { shell } => completions::run(shell),
        Command::Export(args) => transfer::export(args),
        Command::Import(args) => transfer::import(args),
        Command::Serve(args) => in_runtime(serve::run(args)),
        Command::Demo(args) => in_runtime(async { demo::run(args).await.map(|()| Answer::Yes) }),
        command @ (Command::Audit(_)
        | Command::Organization(_)
        | Command::User(_)
        | Command::Team(_)
        | Command::Connection(_)
        | Command::Grant(_)
        | Command::Key(_)
        | Command::MachineKey(_)
        | Command::Session(_)
        | Command::Console(_)
        | Command::Webhook(_)
        | Command::Revoke(_)
        | Command::Why { .. }) => resources::run(command),
    }
}

/// Runs something that waits for sockets, on as many threads as there are cores.
fn in_runtime(work: impl Future<Output = anyhow::Result<Answer>>) -> anyhow::Result<Answer> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// Writes an answer to standard output. A reader that has seen enough (`| head`) is not an error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes a report to standard error.
pub(crate) fn tell(report: &str) {
    // Ignored: there is no other way to report it.
    let _ = writeln!(io::stderr().lock(), "{}", report.trim_end());
}

/// Writes what went wrong to standard error.
pub(crate) fn complain(error: &anyhow::Error) {
    // Ignored: there is no other way to report it.
    let _ = writeln!(io::stderr().lock(), "narthex: {error:#}");
}
