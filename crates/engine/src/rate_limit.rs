//! Rate limit of requests for each client address.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use quick_cache::sync::Cache;
use tokio::time::Instant;

use crate::inbound::{Trust, TrustedProxies};
use narthex_listener::clients::counted_as;
use narthex_listener::log_throttle::LogThrottle;

/// Upper limit of remembered addresses; beyond it the least recently seen ones are forgotten, and start afresh.
const ADDRESSES_MAX: usize = 65_536;

/// A rate: a number of requests per period, spent in a burst or evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Number of requests.
    pub requests: u32,
    /// Length of the period, in milliseconds.
    pub period_ms: u32,
}

/// Counts requests by client address: the generic cell rate algorithm, one number for each address.
///
/// SECURITY: it measures time from its own start and never reads the wall clock: a clock that is set back would lock
/// every client out for as long.
pub struct RateLimiter {
    limit: RateLimit,
    started: Instant,
    /// For each address, the time at which all its requests so far are paid for, in microseconds since the start.
    paid_until: Cache<IpAddr, Arc<AtomicU64>>,
    /// Throttle of log lines about entries that are not addresses.
    unreadable: LogThrottle,
}

impl std::fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RateLimiter")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl RateLimiter {
    /// Creates a limiter without any address.
    pub fn new(limit: RateLimit) -> Self {
        Self {
            limit,
            started: Instant::now(),
            paid_until: Cache::new(ADDRESSES_MAX),
            unreadable: LogThrottle::new(),
        }
    }

    /// Tests whether one more request of the client is within the rate, and counts it if so. Logs, at most once a
    /// second, that a trusted proxy names a client that is not an address: all its clients then count as one.
    pub fn admits_from(&self, peer: IpAddr, headers: &HeaderMap, proxies: &TrustedProxies) -> bool {
        let client = client_address(peer, headers, proxies);
        if let Some(entry) = client.unreadable
            && let Some(unsaid) = self.unreadable.due()
        {
            tracing::warn!(
                event = "client_address_unreadable",
                proxy = %client.address,
                entry = %shown(entry),
                unsaid,
                "an entry of `X-Forwarded-For` is not an address; its requests count as the proxy's in `limits.rate`",
            );
        }
        self.admits(client.address)
    }

    /// Tests whether one more request of this address is within the rate, and counts it if so.
    pub fn admits(&self, address: IpAddr) -> bool {
        self.admits_at(address, self.started.elapsed())
    }

    /// Does the same for a given time since the start.
    fn admits_at(&self, address: IpAddr, at: Duration) -> bool {
        let burst_us = u64::from(self.limit.period_ms) * 1000;
        let cost_us = burst_us / u64::from(self.limit.requests.max(1));
        let now_us = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
        let made: Result<Arc<AtomicU64>, std::convert::Infallible> = self
            .paid_until
            .get_or_insert_with(&counted_as(address), || Ok(Arc::new(AtomicU64::new(now_us))));
        let Ok(paid_until) = made;
        let spent = paid_until.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |paid_us| {
            let next = paid_us.max(now_us).saturating_add(cost_us);
            (next - now_us <= burst_us).then_some(next)
        });
        spent.is_ok()
    }
}

/// The client of a request, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress<'h> {
    /// Address of the client, or of the last proxy before the unreadable entry.
    pub address: IpAddr,
    /// The entry of a trusted proxy for its client, if it is not an address.
    pub(crate) unreadable: Option<&'h [u8]>,
}

/// Returns the address of the client: the peer, or, behind trusted proxies, the last address of `X-Forwarded-For` that
/// is not one of them. All lines of that header are one list, and an address may have a port and brackets.
///
/// SECURITY: the list is read from the right, because the client wrote everything left of a trusted proxy's entry.
pub fn client_address<'h>(peer: IpAddr, headers: &'h HeaderMap, proxies: &TrustedProxies) -> ClientAddress<'h> {
    let mut client = ClientAddress {
        address: peer,
        unreadable: None,
    };
    if proxies.trust(peer) == Trust::Untrusted {
        return client;
    }
    let lines = headers.get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes);
    let entries: Vec<&[u8]> = lines
        .flat_map(|line| line.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        // Empty entries of a list say nothing (RFC 9110 section 5.6.1.2).
        .filter(|entry| !entry.is_empty())
        .collect();
    for entry in entries.into_iter().rev() {
        let Some(address) = address(entry) else {
            client.unreadable = Some(entry);
            break;
        };
        client.address = address;
        if proxies.trust(address) == Trust::Untrusted {
            break;
        }
    }
    client
}

/// Parses the address of an entry: `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:443`.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(entry).ok()?;
    let bare = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    let alone = bare.unwrap_or(text).parse().ok();
    alone.or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()))
}

/// Returns an entry as a log shows it: short, and only visible ASCII.
fn shown(entry: &[u8]) -> String {
    entry
        .iter()
        .take(64)
        .flat_map(|byte| byte.escape_ascii())
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn limiter(requests: u32, period_ms: u32) -> RateLimiter {
        RateLimiter::new(RateLimit { requests, period_ms })
    }

    #[test]
    fn a_burst_is_admitted_and_then_the_rate() {
        let limiter = limiter(3, 3000);
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let at = |now_ms| limiter.admits_at(address, Duration::from_millis(now_ms));
        assert_eq!([at(0), at(0), at(0), at(0)], [true, true, true, false]);
        assert_eq!([at(999), at(1000), at(1001)], [false, true, false]);
        let another = "192.0.2.2".parse().unwrap();
        assert!(
            limiter.admits_at(another, Duration::from_millis(1001)),
            "each address has its own"
        );
        assert_eq!(
            [at(60_000), at(60_000), at(60_000), at(60_000)],
            [true, true, true, false]
        );
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one() {
        let limiter = limiter(1, 1000);
        let at_once = |address: &str| limiter.admits_at(address.parse().unwrap(), Duration::ZERO);
        assert!(at_once("2001:db8::1"));
        assert!(!at_once("2001:db8::2"));
        assert!(at_once("2001:db8:0:1::1"));
    }

    fn proxies() -> TrustedProxies {
        TrustedProxies(vec!["10.0.0.0/8".parse().unwrap()])
    }

    /// A client that writes its own `X-Forwarded-For` is still counted under its own address.
    #[test]
    fn sec_xff_untrusted() {
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-forwarded-for",
            HeaderValue::from_static("198.51.100.7, 203.0.113.9, 10.0.0.2"),
        );
        let of = |peer: &str, headers: &HeaderMap| {
            let client = client_address(peer.parse().unwrap(), headers, &proxies());
            assert_eq!(client.unreadable, None);
            client.address.to_string()
        };
        assert_eq!(of("192.0.2.1", &headers), "192.0.2.1");
        assert_eq!(of("10.0.0.1", &headers), "203.0.113.9");
        assert_eq!(of("10.0.0.1", &HeaderMap::new()), "10.0.0.1");
    }

    /// Proxies that write ports and brackets, or a line of their own, still name their clients; an entry that is not an
    /// address is recognized as such.
    #[test]
    fn sec_client_address_with_port() {
        for (lines, client) in [
            (&["192.0.2.1:54321"][..], Ok("192.0.2.1")),
            (&["[2001:db8::7]:443"], Ok("2001:db8::7")),
            (&["[2001:db8::7]"], Ok("2001:db8::7")),
            (&["2001:db8::7"], Ok("2001:db8::7")),
            (&["198.51.100.1", "192.0.2.1:1, 10.0.0.9:2"], Ok("192.0.2.1")),
            (&["192.0.2.1,, ", ""], Ok("192.0.2.1")),
            (&["sp\u{e4}t, 192.0.2.1"], Ok("192.0.2.1")),
            (&["198.51.100.1, unknown"], Err("unknown")),
            (&["198.51.100.1, 192.0.2.1:port"], Err("192.0.2.1:port")),
            (&["198.51.100.1, [192.0.2.1"], Err("[192.0.2.1")),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", HeaderValue::from_bytes(line.as_bytes()).unwrap());
            }
            let seen = client_address("10.0.0.1".parse().unwrap(), &headers, &proxies());
            match client {
                Ok(address) => assert_eq!(
                    (seen.address.to_string().as_str(), seen.unreadable),
                    (address, None),
                    "{lines:?}"
                ),
                Err(entry) => assert_eq!(seen.unreadable, Some(entry.as_bytes()), "{lines:?}"),
            }
        }
        assert_eq!(shown(b"a\x1b[31m\xff"), "a\\x1b[31m\\xff");
    }
}
