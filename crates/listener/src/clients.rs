//! Connections and requests of each client address on a port.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The connections of one port, and the HTTP/2 requests under way on them, by client address.
///
/// SECURITY: a place on a port costs its holder nothing; without a limit for each client, one client would take them
/// all.
#[derive(Debug)]
pub(crate) struct Clients {
    /// Upper limit of connections of one address, and of HTTP/2 requests under way.
    most: usize,
    held: Mutex<HashMap<IpAddr, Arc<Client>>>,
}

/// Connections and requests of one address.
#[derive(Debug, Default)]
struct Client {
    connections: AtomicUsize,
    requests: AtomicUsize,
}

/// A connection's place among those of its address. The last one forgets the address.
#[derive(Debug)]
pub(crate) struct ClientPlace {
    clients: Arc<Clients>,
    address: IpAddr,
    client: Arc<Client>,
}

impl Clients {
    /// Creates an empty count.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            held: Mutex::default(),
        })
    }

    /// Takes a place for one more connection of an address. Returns whether it is within the limit: if not, the caller
    /// must close this connection or another one.
    pub(crate) fn place(self: &Arc<Self>, address: IpAddr) -> (ClientPlace, bool) {
        let address = counted_as(address);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let client = Arc::clone(held.entry(address).or_default());
        let within = client.connections.fetch_add(1, Ordering::Relaxed) < self.most;
        let place = ClientPlace {
            clients: Arc::clone(self),
            address,
            client,
        };
        (place, within)
    }
}

impl ClientPlace {
    /// Returns the address, or the network, that the place counts for.
    pub(crate) const fn address(&self) -> IpAddr {
        self.address
    }

    /// Counts an HTTP/2 request. Returns whether it is within the limit of the address.
    pub(crate) fn request_begins(&self) -> bool {
        self.client.requests.fetch_add(1, Ordering::Relaxed) < self.clients.most
    }

    /// Stops counting an HTTP/2 request, which has ended.
    pub(crate) fn request_ends(&self) {
        self.client.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for ClientPlace {
    fn drop(&mut self) {
        let mut held = self.clients.held.lock().unwrap_or_else(PoisonError::into_inner);
        if self.client.connections.fetch_sub(1, Ordering::Relaxed) == 1 {
            held.remove(&self.address);
        }
    }
}

/// Returns the unit that counts as one address: an IPv4 address, or the IPv6 network that one customer gets.
pub fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_address_has_its_own_places_and_gets_them_back() {
        let clients = Clients::new(2);
        let (first, _) = clients.place(address("192.0.2.1"));
        let (second, within) = clients.place(address("::ffff:192.0.2.1"));
        assert!(within);
        let (third, within) = clients.place(address("192.0.2.1"));
        assert!(!within);
        assert!(clients.place(address("192.0.2.2")).1, "another address");
        drop((second, third));
        assert!(clients.place(address("192.0.2.1")).1);
        drop(first);
        assert!(clients.held.lock().unwrap().is_empty(), "nobody is remembered");
    }

    /// The network of a customer is one client.
    #[test]
    fn sec_connections_of_one_ipv6_network() {
        let clients = Clients::new(1);
        let (_held, within) = clients.place(address("2001:db8::1"));
        assert!(within);
        assert!(!clients.place(address("2001:db8::2")).1);
        assert!(clients.place(address("2001:db8:0:1::1")).1);
    }

    #[test]
    fn requests_of_all_connections_of_an_address_count_together() {
        let clients = Clients::new(1);
        let (one, _) = clients.place(address("192.0.2.1"));
        let (other, _) = clients.place(address("192.0.2.1"));
        assert!(one.request_begins());
        assert!(!other.request_begins());
        one.request_ends();
        other.request_ends();
        assert!(other.request_begins());
    }
}
