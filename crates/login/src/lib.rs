//! Sign-in and sign-out of browsers: the pages between a refused navigation and a session.
//!
//! **In:** requests below `/.narthex/` for sign-in, callback, embedded login, sign-out and back-channel logout. **Out:** redirects, pages,
//! cookies, and sessions in the directory. Tokens are the engine's to verify, codes the client's to exchange.
//!
//! This crate knows no sockets and no SQL.

mod backchannel;
mod callback;
mod embedded_login;
mod endpoint;
mod flow;
mod form;
mod logout;
mod me;
mod one_time_code;
mod public_port;
mod sign_in;

pub use callback::{Completed, complete_at_console};
pub use endpoint::Endpoint;
pub use me::{SessionRow, sessions};
pub use public_port::answer_at_public_port;
pub use sign_in::{Begun, SignInPlace, begin_at_console};
