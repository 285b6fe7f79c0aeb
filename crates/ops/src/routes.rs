//! Routes, as configured.

use narthex_decision::Action;
use narthex_directory::{Listing, StoreError};

use super::caller::Caller;
use super::error::OpError;
use super::gateway_api::RouteSummary;
use super::paging::{PageRequest, cut};

/// Lists the routes, in the order of the configuration.
///
/// # Errors
///
/// When the caller may not, or the page cannot be used.
pub fn list(caller: &Caller, page: PageRequest) -> Result<Listing<RouteSummary>, OpError> {
    let permit = caller.permit(Action::ReadRoutes, None)?;
    let page = page.page()?;
    let is_number = |cursor: &str| cursor.len() == 8 && cursor.bytes().all(|byte| byte.is_ascii_digit());
    if page.cursor().is_some_and(|cursor| !is_number(cursor.as_str())) {
        return Err(StoreError::Cursor.into());
    }
    // Numbers of equal length order as they count.
    Ok(cut(permit.gateway().routes(), &page, |route| {
        format!("{:08}", route.index)
    }))
}
