//! How many requests one client address may send.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use http::HeaderMap;
use quick_cache::sync::Cache;

use crate::inbound::{Trust, TrustedProxies};

/// Addresses that are remembered; of more, those not heard of for longest are forgotten, which forgives them.
const ADDRESSES_MAX: usize = 65_536;

/// A rate: so many requests in so long, spent in a burst or evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// How many requests.
    pub requests: u32,
    /// In how long, in milliseconds.
    pub period_ms: u32,
}

/// Counts requests by client address: the generic cell rate algorithm, one number for each address.
pub struct RateLimiter {
    limit: RateLimit,
    /// For each address, the time at which all its requests so far have been paid for, in microseconds.
    paid_until: Cache<IpAddr, Arc<AtomicI64>>,
}

impl std::fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RateLimiter")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl RateLimiter {
    /// A limiter that has heard of nobody.
    pub fn new(limit: RateLimit) -> Self {
        Self {
            limit,
            paid_until: Cache::new(ADDRESSES_MAX),
        }
    }

    /// Whether one more request of this address is within the rate; it is counted if so.
    pub fn admits(&self, address: IpAddr, now_ms: i64) -> bool {
        let cost_us = i64::from(self.limit.period_ms) * 1000 / i64::from(self.limit.requests.max(1));
        let burst_us = i64::from(self.limit.period_ms) * 1000;
        let now_us = now_ms.saturating_mul(1000);
        let made: Result<Arc<AtomicI64>, std::convert::Infallible> = self
            .paid_until
            .get_or_insert_with(&counted_as(address), || Ok(Arc::new(AtomicI64::new(now_us))));
        let Ok(paid_until) = made;
        let spent = paid_until.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |paid_us| {
            let next = paid_us.max(now_us).saturating_add(cost_us);
            (next - now_us <= burst_us).then_some(next)
        });
        spent.is_ok()
    }
}

/// What counts as one address: an IPv4 address, or the network of an IPv6 address that one customer is given.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The address of the client: the peer, or, behind trusted proxies, the last address of `X-Forwarded-For` that is not
/// one of them.
///
/// SECURITY: read from the right, because everything left of what a trusted proxy added was written by the client.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, proxies: &TrustedProxies) -> IpAddr {
    if proxies.trust(peer) == Trust::Untrusted {
        return peer;
    }
    let chain = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut addresses: Vec<&str> = chain.flat_map(|line| line.split(',')).map(str::trim).collect();
    let mut client = peer;
    while let Some(Ok(address)) = addresses.pop().map(str::parse::<IpAddr>) {
        client = address;
        if proxies.trust(address) == Trust::Untrusted {
            break;
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_burst_is_admitted_and_then_the_rate() {
        let limiter = RateLimiter::new(RateLimit {
            requests: 3,
            period_ms: 3000,
        });
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let at = |now_ms| limiter.admits(address, now_ms);
        assert_eq!([at(0), at(0), at(0), at(0)], [true, true, true, false]);
        assert_eq!([at(999), at(1000), at(1001)], [false, true, false]);
        assert!(
            limiter.admits("192.0.2.2".parse().unwrap(), 1001),
            "each address has its own"
        );
        assert_eq!(
            [at(60_000), at(60_000), at(60_000), at(60_000)],
            [true, true, true, false]
        );
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one() {
        let limiter = RateLimiter::new(RateLimit {
            requests: 1,
            period_ms: 1000,
        });
        assert!(limiter.admits("2001:db8::1".parse().unwrap(), 0));
        assert!(!limiter.admits("2001:db8::2".parse().unwrap(), 0));
        assert!(limiter.admits("2001:db8:0:1::1".parse().unwrap(), 0));
    }

    /// A client that writes its own `X-Forwarded-For` is still counted under its own address.
    #[test]
    fn sec_xff_untrusted() {
        let proxies = TrustedProxies(vec!["10.0.0.0/8".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-forwarded-for",
            HeaderValue::from_static("198.51.100.7, 203.0.113.9, 10.0.0.2"),
        );
        let of = |peer: &str| client_address(peer.parse().unwrap(), &headers, &proxies).to_string();
        assert_eq!(of("192.0.2.1"), "192.0.2.1");
        assert_eq!(of("10.0.0.1"), "203.0.113.9");
        assert_eq!(
            client_address("10.0.0.1".parse().unwrap(), &HeaderMap::new(), &proxies).to_string(),
            "10.0.0.1"
        );
    }
}
