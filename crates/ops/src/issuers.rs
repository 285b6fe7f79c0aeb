//! Trusted issuers and the health of their keys: those of the configuration file, and those made at run time.

use narthex_decision::Action;
use narthex_directory::{Cursor, Listing, StoreError};
use narthex_engine::issuer_refusals::IssuerRefusal;
use narthex_fetch::keys::IssuerHealth;

pub use narthex_proposal::{Proposal, ProposedSetting, Provider};
use narthex_proposal::{propose_for_address, propose_for_token};

use super::caller::Caller;
use super::error::OpError;
use super::gateway_api::{IssuerSummary, RefreshRefusal};
use super::paging::{PageRequest, cut};

pub mod documents;
pub mod setup_links;

const UNKNOWN: OpError = OpError::Unknown { what: "issuer" };

/// Lists the issuers, sorted by name.
///
/// # Errors
///
/// When the caller may not, or the page cannot be used.
pub fn list(caller: &Caller, page: PageRequest) -> Result<Listing<IssuerSummary>, OpError> {
    let permit = caller.permit(Action::ReadIssuers, None)?;
    let page = page.page()?;
    let issuers = permit.gateway().issuers();
    // Any text could be a name. A name that is unknown, because the configuration has changed, is no valid cursor
    // either.
    let is_known = |cursor: &Cursor| issuers.iter().any(|issuer| issuer.name == cursor.as_str());
    if page.cursor().is_some_and(|cursor| !is_known(cursor)) {
        return Err(StoreError::Cursor.into());
    }
    Ok(cut(issuers, &page, |issuer| issuer.name.clone()))
}

/// Reads an issuer by its configured name.
///
/// # Errors
///
/// When the caller may not, or there is no such issuer.
pub fn read(caller: &Caller, name: &str) -> Result<IssuerSummary, OpError> {
    let permit = caller.permit(Action::ReadIssuers, None)?;
    let mut issuers = permit.gateway().issuers().into_iter();
    issuers.find(|issuer| issuer.name == name).ok_or(UNKNOWN)
}

/// Reads an issuer's keys.
///
/// # Errors
///
/// When the caller may not, or there is no such issuer.
pub fn keys(caller: &Caller, name: &str) -> Result<IssuerHealth, OpError> {
    let permit = caller.permit(Action::ReadIssuers, None)?;
    permit.gateway().keys(name).ok_or(UNKNOWN)
}

/// Lists the last refused tokens of an issuer, the newest first: at most fifty, of the node that is asked.
///
/// # Errors
///
/// When the caller may not, or there is no such issuer.
pub fn refusals(caller: &Caller, name: &str) -> Result<Vec<IssuerRefusal>, OpError> {
    let permit = caller.permit(Action::ReadIssuers, None)?;
    permit.gateway().refusals(name).ok_or(UNKNOWN)
}

/// Source of a proposal.
#[derive(Clone, PartialEq, Eq)]
pub enum IssuerSample {
    /// A token of the issuer.
    Token(String),
    /// The issuer's address.
    Address(String),
}

/// SECURITY: a token is a credential, so it is not shown.
impl std::fmt::Debug for IssuerSample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Token(_) => f.write_str("Token(***)"),
            Self::Address(address) => f.debug_tuple("Address").field(address).finish(),
        }
    }
}

/// Proposes an issuer. Nothing is verified, stored or fetched.
///
/// # Errors
///
/// When the caller may not, or no configuration could accept such tokens; the text says what to do.
pub fn propose(caller: &Caller, sample: &IssuerSample) -> Result<Proposal, OpError> {
    caller.permit(Action::ReadIssuers, None)?;
    match sample {
        IssuerSample::Token(token) => propose_for_token(token).map_err(|error| OpError::invalid("token", error)),
        IssuerSample::Address(address) => {
            propose_for_address(address).map_err(|error| OpError::invalid("issuer", error))
        }
    }
}

/// Fetches an issuer's keys now. A failed fetch is no error: the health reports it, and the earlier keys stay.
///
/// # Errors
///
/// When the caller may not, or nothing was fetched.
pub async fn refresh(caller: &Caller, name: &str) -> Result<IssuerHealth, OpError> {
    let permit = caller.permit(Action::RefreshIssuers, None)?;
    permit.gateway().refresh(name).await.map_err(|refusal| match refusal {
        RefreshRefusal::UnknownIssuer => UNKNOWN,
        RefreshRefusal::NothingToFetch => {
            OpError::Conflict("this issuer's keys come from the configuration, there is nothing to fetch")
        }
        RefreshRefusal::TooSoon => OpError::TooOften {
            what: "the keys were fetched a moment ago",
        },
    })
}
