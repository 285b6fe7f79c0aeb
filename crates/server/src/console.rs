//! The web console of a server, and the link by which its first administrator comes in.

use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use narthex_config::Config;
use narthex_console::{ConsoleOrigin, SessionSignIn};
use narthex_engine::WebOrigin;
use narthex_ops::Operations;
use narthex_ops::sessions::{self, LinkError};
use narthex_session::cookie::Secret;

use crate::running::Running;
use crate::system_user;

/// The pages of the console.
pub(super) fn router(operations: &Arc<Operations>, origin: Option<&WebOrigin>) -> anyhow::Result<Router> {
    let origin = match origin {
        Some(origin) => {
            ConsoleOrigin::new(&origin.to_string()).context("`console.origin` is no address that a browser opens")?
        }
        None => ConsoleOrigin::loopback(),
    };
    let sign_in = Arc::new(SessionSignIn::new(Arc::clone(operations)));
    Ok(narthex_console::router(Arc::clone(operations), sign_in, origin))
}

/// Address at which browsers reach the console.
pub fn console_address(config: &Config, admin_port: u16) -> String {
    let scheme = match config.listen.admin_tls {
        Some(_) => "https",
        None => "http",
    };
    let origin = config.console_origin.as_ref();
    origin.map_or_else(|| format!("{scheme}://localhost:{admin_port}"), ToString::to_string)
}

/// Address of a one-time sign-in link.
pub fn link_address(console: &str, secret: &Secret) -> String {
    format!("{console}/sign-in/link?code={}", secret.as_str())
}

impl Running {
    /// Creates a one-time sign-in link, while at most `most` wait for their use; `None` if there is no secret key.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn sign_in_link(&self, most: usize) -> Result<Option<String>, LinkError> {
        let engine = &self.gateway.engine;
        let settings = Arc::clone(&engine.runtime.load().connections);
        let Some(keys) = settings.sealing.as_deref() else {
            return Ok(None);
        };
        let (name, now_ms) = (system_user::name(), engine.clock.now_ms());
        let secret = sessions::create_link(&*engine.directory, keys, &name, most, now_ms).await?;
        Ok(Some(link_address(&self.console, &secret)))
    }

    /// Creates a one-time sign-in link if no credential could sign in at the console; good for 15 minutes. `None` if one could, and
    /// where no link can be made, with a line in the log that says why.
    ///
    /// # Errors
    ///
    /// When the directory fails.
    pub async fn first_sign_in_link(&self) -> anyhow::Result<Option<String>> {
        if !sessions::is_first_run(&*self.gateway.engine.directory).await? {
            return Ok(None);
        }
        // Of several nodes that start at once, one has a link.
        match self.sign_in_link(1).await {
            Ok(Some(link)) => Ok(Some(link)),
            Ok(None) => {
                tracing::info!(
                    event = "console_without_sign_in",
                    "no browser can sign in to the console, because there is no secret key; make one with `openssl rand \
                     -base64 32 > secret.key`, and name it with `key_file = \"secret.key\"` in `[secrets]`"
                );
                Ok(None)
            }
            Err(LinkError::Waiting) => {
                tracing::info!(
                    event = "sign_in_link_waiting",
                    "a sign-in link that was printed before is still good; `narthex console link` prints another one"
                );
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}
