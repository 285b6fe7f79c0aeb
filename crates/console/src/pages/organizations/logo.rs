//! `/organizations/{name}/logo`: an organization's picture.

use axum::extract::{FromRequest as _, Multipart, Request};
use axum::response::{IntoResponse as _, Response};
use http::header;
use narthex_console_frame::form::{NotDone, not_done};
use narthex_console_frame::paths;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, Named, Visit, see};
use narthex_ops::{ExpectedVersion, organizations};

use super::edit;
use crate::pages::notice;

/// The largest form with a picture, in bytes: the picture has at most 1 MB, which the operation says more clearly.
pub(super) const LOGO_FORM_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Name of the field with the picture.
const LOGO: &str = "logo";

/// Serves the picture.
pub(super) async fn read(visit: Visit, Named(name): Named) -> Result<Response, Failed> {
    let logo = organizations::logo(visit.caller(), &name).await?;
    let media_type = [(header::CONTENT_TYPE, logo.media_type())];
    Ok((media_type, logo.bytes().to_vec()).into_response())
}

/// Takes another picture.
pub(super) async fn set(visit: Visit, Named(name): Named, request: Request) -> Answer {
    let any = ExpectedVersion::Any;
    // A picture is large: it is read only for a caller who may set it.
    organizations::may_set_logo(visit.caller(), &name, &any).await?;
    let before = organizations::read(visit.caller(), &name).await?;
    let bytes = picture(request).await?;
    match organizations::set_logo(visit.caller(), &name, &any, bytes).await {
        Ok(saved) => Ok(see(&notice::after(&paths::organization(saved.name.as_str()), "saved"))),
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => edit::show_with_faults(&visit, &before, &faults),
            NotDone::Changed => Ok(see(&paths::organization(before.name.as_str()))),
        },
    }
}

/// Reads the picture of a form with a file (RFC 7578).
async fn picture(request: Request) -> Result<Vec<u8>, Failed> {
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|_| Failed::NotAForm)?;
    while let Some(field) = form.next_field().await.map_err(|_| Failed::NotAForm)? {
        if field.name() == Some(LOGO) {
            let bytes = field.bytes().await.map_err(|_| Failed::NotAForm)?;
            return Ok(bytes.to_vec());
        }
    }
    Err(Failed::NotAForm)
}

/// Deletes the picture.
pub(super) async fn delete(visit: Visit, Named(name): Named) -> Answer {
    organizations::delete_logo(visit.caller(), &name, &ExpectedVersion::Any).await?;
    Ok(see(&notice::after(&paths::organization(&name), "saved")))
}
