//! `[console]`.

use narthex_engine::WebOrigin;
use narthex_settings_reader::Problem;

use super::Check;
use crate::file::{ConsoleSection, ListenSection};

impl Check<'_> {
    /// The origin of the console.
    pub(crate) fn console_origin(&mut self, console: &ConsoleSection, listen: &ListenSection) -> Option<WebOrigin> {
        let Some(written) = console.origin.spanned() else {
            // SECURITY: a console that answers for any host is open to a name that an attacker points at it (DNS rebinding).
            if console.origin.span().is_none() && !listen.admin.value().ip().is_loopback() {
                let message = "the admin port is not on loopback, and `[console]` has no `origin`";
                let help = "say at which address browsers reach the console: `origin = \"https://narthex.example.com\"`, or \
                            `\"http://localhost:8081\"` where only this machine does";
                self.problems
                    .push(Problem::error(listen.admin.span(), message).help(help));
            }
            return None;
        };
        let origin = WebOrigin::parse(written.get_ref());
        if origin.is_none() {
            let problem = Problem::error(written.span(), format!("`{}` is not an origin", written.get_ref()));
            self.problems.push(problem.help(
                "write scheme, host and, if it is not the usual one, port, without a path: `\"https://narthex.example.com\"`",
            ));
        }
        origin
    }
}
