//! Client of the sender, and the hosts that it reaches.

use std::time::Duration;

use narthex_fetch::outbound::{AllowedHosts, OutboundError, OutboundLimits, PlainHttp, Policy, PostClient};
use narthex_fetch::ssrf_guard::{Guard, Loopback};

/// Creates the client that sends webhooks: to public addresses, and to `private_hosts` wherever they are. One request takes
/// at most `timeout`. Reads the system's trust store, which takes milliseconds of file access.
///
/// # Errors
///
/// [`OutboundError::Setup`].
pub fn client(private_hosts: &[String], timeout: Duration) -> Result<PostClient, OutboundError> {
    PostClient::new(Policy {
        hosts: AllowedHosts::Any,
        // SECURITY: an administrator of the API names the receiver; only the configuration names a private host.
        guard: Guard::new(private_hosts.iter().map(String::as_str), Loopback::Refused),
        plain_http: PlainHttp::LoopbackOnly,
        limits: OutboundLimits {
            total: timeout,
            ..OutboundLimits::default()
        },
    })
}
