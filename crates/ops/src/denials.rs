//! Refused requests of the last hour.

use narthex_decision::Action;
use narthex_directory::{DenialRecord, Listing};

use super::caller::Caller;
use super::error::OpError;
use super::paging::PageRequest;

/// Lists the requests that were refused in the last hour, the newest first. Of a flood, each node keeps 200 a second.
///
/// # Errors
///
/// When the caller may not, the page cannot be used, or the directory fails.
pub async fn list(caller: &Caller, page: PageRequest) -> Result<Listing<DenialRecord>, OpError> {
    let permit = caller.permit(Action::ReadAudit, None)?;
    Ok(permit.directory().denials(permit.now_ms(), page.page()?).await?)
}

/// Reads why the request with this id was refused, on whichever node.
///
/// # Errors
///
/// When the caller may not, no such request was refused in the last hour, or the directory fails.
pub async fn read(caller: &Caller, request_id: &str) -> Result<DenialRecord, OpError> {
    let permit = caller.permit(Action::ReadAudit, None)?;
    let found = permit
        .directory()
        .denial(request_id.to_owned(), permit.now_ms())
        .await?;
    found.ok_or(OpError::Unknown { what: "denial" })
}
