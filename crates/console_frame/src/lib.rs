//! The frame of the console's pages: all that a page has around it or is made of, and that belongs to no page alone.
//!
//! **In:** requests of browsers, with a caller that [`SignIn`] knows. **Out:** a [`Visit`](visit::Visit) for the page, and its
//! template in a [`Frame`](frame::Frame), or the page for what could not be shown ([`Failed`](problem::Failed)). Parts of forms
//! ([`form`]) and words for values ([`wording`]) are templates and texts, so that they look the same on every page.
//!
//! The template `frame.html` is the one that pages extend. Pages are in another crate, whose templates of the same name lead here.
//!
//! Invariants:
//! * Everything is escaped by the templates. A type that renders itself as markup ([`askama::filters::HtmlSafe`]) is a
//!   template too, or static text.
//! * No page has a style or a script in it: the policy of every response forbids them. Both come from files of their own.
//! * A page that the caller may not see equals one that is not there.
//! * A form that changes something is a `POST` from a page of the console ([`origin`]).

mod console;
pub mod enter;
pub mod fields;
pub mod form;
pub mod frame;
pub mod origin;
pub mod paths;
mod policy;
pub mod problem;
pub mod script;
mod sign_in;
pub mod stylesheet;
pub mod visit;
pub mod wording;

pub use console::Console;
pub use origin::ConsoleOrigin;
pub use sign_in::SignIn;
