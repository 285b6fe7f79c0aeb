//! Bounds of the questions under way.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Most questions under way for one client address.
const OF_CLIENT_MAX: usize = 8;

/// Questions under way, by the address of the client whose token they are about. All clients without a known address count as one.
#[derive(Debug, Default)]
pub(crate) struct ClientLoad(Mutex<HashMap<Option<IpAddr>, usize>>);

/// One question under way; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct ClientPermit {
    load: Arc<ClientLoad>,
    client: Option<IpAddr>,
}

impl ClientLoad {
    /// Begins a question; `None` if the client has too many under way.
    ///
    /// SECURITY: otherwise one client with made-up tokens takes every place, and other clients wait.
    pub(crate) fn begin(self: &Arc<Self>, client: Option<IpAddr>) -> Option<ClientPermit> {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = under_way.entry(client).or_default();
        if *count >= OF_CLIENT_MAX {
            return None;
        }
        *count += 1;
        drop(under_way);
        Some(ClientPermit {
            load: Arc::clone(self),
            client,
        })
    }
}

impl Drop for ClientPermit {
    fn drop(&mut self) {
        let mut under_way = self.load.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = under_way.get_mut(&self.client).map(|count| {
            *count = count.saturating_sub(1);
            *count
        });
        if left == Some(0) {
            under_way.remove(&self.client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_one_client_takes_no_more_than_its_places() {
        let load = Arc::new(ClientLoad::default());
        let (one, other): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let mut held: Vec<ClientPermit> = (0..OF_CLIENT_MAX).filter_map(|_| load.begin(Some(one))).collect();
        assert_eq!(held.len(), OF_CLIENT_MAX);
        assert!(load.begin(Some(one)).is_none());
        assert!(load.begin(Some(other)).is_some() && load.begin(None).is_some());
        held.pop();
        assert!(load.begin(Some(one)).is_some());
        let unknown: Vec<ClientPermit> = (0..=OF_CLIENT_MAX).filter_map(|_| load.begin(None)).collect();
        assert_eq!(unknown.len(), OF_CLIENT_MAX, "those without an address are one client");
        drop(unknown);
        held.clear();
        assert!(load.0.lock().unwrap().is_empty());
    }
}
