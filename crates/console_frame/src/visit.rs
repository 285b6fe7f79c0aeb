//! One request of a caller to a page.

use std::sync::Arc;

use askama::Template;
use axum::extract::{FromRequestParts, Path};
use axum::response::{IntoResponse, Redirect, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use narthex_decision::Action;
use narthex_directory::OrganizationId;
use narthex_ops::{Caller, OpError};

use crate::Console;
use crate::fields::Fields;
use crate::frame::Frame;
use crate::problem::Failed;
use crate::wording::time::Moment;

/// Answer of a page.
pub type Answer = Result<Response, Failed>;

/// One request of a caller: the frame of its page, its query, and its time.
#[derive(Debug, Clone)]
pub struct Visit {
    caller: Caller,
    frame: Arc<Frame>,
    query: Arc<Fields>,
    now_ms: i64,
}

impl Visit {
    /// Reads the request of a caller.
    ///
    /// # Errors
    ///
    /// When the organizations of the caller cannot be read.
    pub(crate) async fn new(console: &Console, caller: Caller, request: &Parts) -> Result<Self, OpError> {
        let frame = Frame::of(console, &caller, request).await?;
        let query = request.uri.query().unwrap_or_default();
        Ok(Self {
            caller,
            frame: Arc::new(frame),
            query: Arc::new(Fields::parse(query.as_bytes())),
            now_ms: console.operations().now_ms(),
        })
    }

    /// The caller.
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The frame of the page.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The query.
    pub fn query(&self) -> &Fields {
        &self.query
    }

    /// The current time, in milliseconds since the epoch.
    pub const fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// A moment, as it is said now.
    pub fn moment(&self, at_ms: i64) -> Moment {
        Moment::new(at_ms, self.now_ms)
    }

    /// Tests whether the caller may perform this action. A page shows no button that the operation would refuse.
    pub fn may(&self, action: Action, organization: Option<OrganizationId>) -> bool {
        self.caller.may(action, organization)
    }

    /// Refuses the page to a caller who may not perform this action, as if there were none.
    ///
    /// # Errors
    ///
    /// [`Failed::NoSuchPage`].
    pub fn needs(&self, action: Action, organization: Option<OrganizationId>) -> Result<(), Failed> {
        if self.may(action, organization) {
            Ok(())
        } else {
            Err(Failed::NoSuchPage)
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failed> {
        parts.extensions.get::<Self>().cloned().ok_or(Failed::NoSuchPage)
    }
}

/// The one name or id in the path.
#[derive(Debug)]
pub struct Named(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        let Path(name) = name.map_err(|_| Failed::NoSuchPage)?;
        Ok(Self(name))
    }
}

/// The two names or ids in the path.
#[derive(Debug)]
pub struct TwoNamed(pub String, pub String);

impl<S: Send + Sync> FromRequestParts<S> for TwoNamed {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let names = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((first, second)) = names.map_err(|_| Failed::NoSuchPage)?;
        Ok(Self(first, second))
    }
}

/// The three names or ids in the path.
#[derive(Debug)]
pub struct ThreeNamed(pub String, pub String, pub String);

impl<S: Send + Sync> FromRequestParts<S> for ThreeNamed {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let names = Path::<(String, String, String)>::from_request_parts(parts, state).await;
        let Path((first, second, third)) = names.map_err(|_| Failed::NoSuchPage)?;
        Ok(Self(first, second, third))
    }
}

/// Renders a template as a response.
///
/// # Errors
///
/// [`Failed::Template`].
pub fn html(status: StatusCode, page: &impl Template) -> Answer {
    let text = page.render()?;
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    Ok((status, [(header::CONTENT_TYPE, html)], text).into_response())
}

/// Renders a page.
///
/// # Errors
///
/// [`Failed::Template`].
pub fn page(page: &impl Template) -> Answer {
    html(StatusCode::OK, page)
}

/// Leads to another page after a form did its work (303).
pub fn see(address: &str) -> Response {
    Redirect::to(address).into_response()
}
