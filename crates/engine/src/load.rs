//! Count of the requests under way to an upstream.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Count of the requests under way to one upstream, every WebSocket included. It outlives a configuration, as they do.
#[derive(Debug, Default)]
pub struct Load(AtomicUsize);

impl Load {
    /// Counts one more request; `None` if there are already `most`.
    pub fn begin(self: &Arc<Self>, most: usize) -> Option<LoadPermit> {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        // It is released at once if it was one too many.
        let under_way = LoadPermit(Arc::clone(self));
        (before < most).then_some(under_way)
    }
}

/// A request under way, counted until this is dropped.
#[derive(Debug)]
pub struct LoadPermit(Arc<Load>);

impl Drop for LoadPermit {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back() {
        let load = Arc::new(Load::default());
        let first = load.begin(2).unwrap();
        let _second = load.begin(2).unwrap();
        assert!(load.begin(2).is_none());
        assert!(load.begin(3).is_some(), "a new configuration allows more");
        drop(first);
        assert!(load.begin(2).is_some());
    }
}
