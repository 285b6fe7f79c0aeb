//! The file descriptors of the process, and what they are for: clients, upstreams, the admin port, the store.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit of file descriptors as far as the process may: how many it may have then, unless that is without
/// limit.
///
/// What a shell or a container gives at first is often 1,024, for programs that cannot cope with more.
pub(super) fn raise() -> Option<u64> {
    let limits = getrlimit(Resource::Nofile);
    let mut raised = limits;
    raised.current = limits.maximum;
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised.current,
        // Then it is as it was.
        Err(_) => limits.current,
    }
}

/// Shares of the file descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DescriptorShares {
    /// Connections of clients on the public port.
    pub(super) connections: u64,
    /// Connections on the admin port.
    pub(super) admin: u64,
    /// Connections to upstreams.
    pub(super) upstreams: u64,
}

impl DescriptorShares {
    /// Divides the descriptors. Each client may need two, one of them to an upstream, and a reserve stays for the admin
    /// port, the store and the process itself.
    pub(super) fn of(descriptors: Option<u64>, connections: u64, store: u64, threads: u64) -> Self {
        let Some(descriptors) = descriptors else {
            return Self {
                connections,
                admin: connections.min(RESERVE_MOST / 2),
                upstreams: u64::MAX,
            };
        };
        let reserve = (descriptors / 8).clamp(RESERVE_LEAST, RESERVE_MOST);
        // A thread has descriptors of its own, to be woken: four are more than enough.
        let left = descriptors.saturating_sub(reserve + store + 4 * threads);
        let connections = connections.min(left / 2).max(1);
        Self {
            connections,
            admin: connections.min(reserve / 2),
            upstreams: left.saturating_sub(connections).max(1),
        }
    }
}

/// Reserve for the admin port (half of it), files and fetches of keys.
const RESERVE_LEAST: u64 = 32;
const RESERVE_MOST: u64 = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_fit_the_descriptors_and_a_reserve_stays() {
        let of = |descriptors| DescriptorShares::of(descriptors, 10_000, 16, 2);
        let shares = |connections, admin, upstreams| DescriptorShares {
            connections,
            admin,
            upstreams,
        };
        assert_eq!(of(None), shares(10_000, 256, u64::MAX));
        assert_eq!(of(Some(1_000_000)), shares(10_000, 256, 989_464));
        assert_eq!(of(Some(65_536)), shares(10_000, 256, 55_000));
        assert_eq!(of(Some(4_096)), shares(1_780, 256, 1_780));
        assert_eq!(of(Some(1_024)), shares(436, 64, 436));
        assert_eq!(of(Some(256)), shares(100, 16, 100));
        // Too few for anything: one at a time.
        assert_eq!(of(Some(20)), shares(1, 1, 1));
        for descriptors in [128, 256, 1_000, 1_024, 20_000] {
            let shares = of(Some(descriptors));
            let taken = shares.connections + shares.admin + shares.upstreams;
            assert!(taken + shares.admin <= descriptors, "{descriptors}: {shares:?}");
        }
    }
}
