//! State that every page works with.

use std::fmt;
use std::sync::Arc;

use narthex_ops::Operations;

use crate::origin::ConsoleOrigin;
use crate::sign_in::SignIn;

/// State that every page works with.
pub struct Console {
    operations: Arc<Operations>,
    sign_in: Arc<dyn SignIn>,
    origin: ConsoleOrigin,
}

impl Console {
    /// A console of these operations, at this origin, with the callers that this sign-in knows.
    pub fn new(operations: Arc<Operations>, sign_in: Arc<dyn SignIn>, origin: ConsoleOrigin) -> Self {
        Self {
            operations,
            sign_in,
            origin,
        }
    }

    /// The operations.
    pub const fn operations(&self) -> &Arc<Operations> {
        &self.operations
    }

    /// The sign-in of browsers.
    pub(crate) fn sign_in(&self) -> &dyn SignIn {
        self.sign_in.as_ref()
    }

    /// The origin that browsers reach the console at.
    pub(crate) const fn origin(&self) -> &ConsoleOrigin {
        &self.origin
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
