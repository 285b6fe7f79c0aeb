//! The web console: the operations of an administrator as pages, rendered on the server.
//!
//! **In:** requests of browsers at the admin port, with a caller that [`SignIn`] knows. **Out:** HTML, complete without
//! script. A page is extraction, operations of [`narthex_ops`], and a template. Its markup is that of the design. All that
//! pages share, from the layer that lets a caller in to the parts of a form, is in [`narthex_console_frame`], with its invariants.
//!
//! Invariants:
//! * A page reaches the directory only through an operation, with the caller of the request.
//! * Everything is escaped by the templates. A type that renders itself as markup ([`askama::filters::HtmlSafe`]) is a
//!   template too, or static text.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::get;
use narthex_console_frame::{Console, enter, script, stylesheet};
use narthex_ops::Operations;

mod pages;
mod sign_in;

pub use narthex_console_frame::{ConsoleOrigin, SignIn};
pub use sign_in::SessionSignIn;

/// The largest form, in bytes.
pub const FORM_BYTES_MAX: usize = 64 * 1024;

/// Routes the pages of the console. Every path that is not a page is answered with the page for that, so this router is
/// the fallback of the admin port.
pub fn router(operations: Arc<Operations>, sign_in: Arc<dyn SignIn>, origin: ConsoleOrigin) -> Router {
    let console = Arc::new(Console::new(operations, sign_in, origin));
    let way_in = pages::sign_in::routes(Arc::clone(&console))
        .merge(pages::setup::routes(Arc::clone(&console)))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&console),
            enter::enter_without_session,
        ));
    let pages = pages::router()
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(middleware::from_fn_with_state(console, enter::enter));
    Router::new()
        .route(stylesheet::path(), get(async || stylesheet::serve()))
        .route(script::path(), get(async || script::serve()))
        .merge(way_in)
        .merge(pages)
}
