//! `narthex issuer propose`: the settings that a sample token, or an address, suggests.

use std::fmt::Write as _;

use narthex_admin::api::ProposalBody;
use narthex_proposal::{Proposal, propose_for_address, propose_for_token};

use super::input::{token_or_stdin, usage_error};
use super::terminal::escape_line;
use super::{Answer, print, resources};
use crate::args::{Command, IssuerCommand, Output};

/// Runs it.
pub(super) fn run(command: IssuerCommand) -> anyhow::Result<Answer> {
    match command {
        IssuerCommand::Propose { token, address, output } => propose(token, address, output),
        other => resources::run(Command::Issuer(other)),
    }
}

fn propose(token: Option<String>, address: Option<String>, output: Output) -> anyhow::Result<Answer> {
    let proposal = match (token, address) {
        (Some(token), _) => propose_for_token(&token_or_stdin(token)?),
        (None, Some(address)) => propose_for_address(&address),
        // clap lets exactly one of the two pass.
        (None, None) => return Err(usage_error("name a sample token, or an address with `--address`")),
    };
    let proposal = proposal.map_err(|error| usage_error(error.to_string()))?;
    let is_complete = proposal.is_complete;
    let text = if output.json {
        format!("{}\n", serde_json::to_string_pretty(&ProposalBody::from(proposal))?)
    } else {
        text_of(&proposal)
    };
    print(&text)?;
    Ok(if is_complete { Answer::Yes } else { Answer::No })
}

/// The proposal for people. SECURITY: what a sample says is escaped, so that it cannot write to the terminal.
fn text_of(proposal: &Proposal) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    if let Some(provider) = proposal.provider {
        let _ = writeln!(text, "Looks like {}.\n", provider.label());
    }
    for setting in &proposal.settings {
        let value = escape_line(&setting.value.to_string());
        let _ = writeln!(text, "{} = {value}", setting.field);
        match (&setting.claim, &setting.sample) {
            (Some(claim), Some(sample)) => {
                let (claim, sample) = (escape_line(claim), escape_line(&sample.to_string()));
                let _ = writeln!(text, "    {} (`{claim}` is {sample})", setting.reason);
            }
            _ => {
                let _ = writeln!(text, "    {}", setting.reason);
            }
        }
    }
    for caution in &proposal.cautions {
        let _ = writeln!(text, "\nNote: {caution}.");
    }
    text
}
