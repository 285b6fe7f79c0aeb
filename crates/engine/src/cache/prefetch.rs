//! Shared values that the processor prefetches before they are read.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Weak};

use narthex_decision::HeaderPatch;
use prefetch_index::prefetch_index;

/// Size of a cache line on most machines, in bytes. A wrong number only costs time.
const CACHE_LINE: usize = 64;

/// An `Arc` that prefetches its value on clone. Cached values are many and rarely in the processor's cache: reading
/// their parts one after the other waits for each of them. Prefetching does not wait, and the cache misses overlap.
pub struct Prefetched<T>(Arc<PrefetchCell<T>>);

/// A [`Prefetched`] that does not keep its value alive.
pub struct WeakPrefetched<T>(Weak<PrefetchCell<T>>);

/// A value, and the address at which it begins; the fields stay in this order.
#[repr(C)]
struct PrefetchCell<T> {
    begin: [Begin; 0],
    value: T,
}

/// Type of the beginning: zero-sized as an array of none, and not `Copy`, so that the beginning of a copy cannot be
/// taken for it.
struct Begin(#[expect(dead_code, reason = "a byte, so that distances from it are counted in bytes")] u8);

impl<T> Prefetched<T> {
    /// Shares a value.
    pub fn new(value: T) -> Self {
        Self(Arc::new(PrefetchCell { begin: [], value }))
    }

    /// Returns a weak reference to the value.
    pub fn downgrade(&self) -> WeakPrefetched<T> {
        WeakPrefetched(Arc::downgrade(&self.0))
    }

    /// Prefetches the whole value, without waiting.
    pub fn prefetch(&self) {
        let PrefetchCell { begin, .. } = &*self.0;
        for offset in (0..size_of::<T>()).step_by(CACHE_LINE) {
            prefetch_index(begin, offset);
        }
    }
}

impl<T> WeakPrefetched<T> {
    /// Returns the value, if it still exists.
    pub fn upgrade(&self) -> Option<Prefetched<T>> {
        let value = Prefetched(self.0.upgrade()?);
        value.prefetch();
        Some(value)
    }
}

/// Prefetches before it changes the reference count, which waits for its cache line.
impl<T> Clone for Prefetched<T> {
    fn clone(&self) -> Self {
        self.prefetch();
        Self(Arc::clone(&self.0))
    }
}

impl<T> Clone for WeakPrefetched<T> {
    fn clone(&self) -> Self {
        Self(Weak::clone(&self.0))
    }
}

impl<T> Deref for Prefetched<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Prefetched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.value.fmt(f)
    }
}

impl<T> fmt::Debug for WeakPrefetched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakPrefetched")
    }
}

/// Prefetches the header values of a decision, without waiting: each is an allocation of its own.
pub(crate) fn prefetch_values(patch: &HeaderPatch) {
    for (_, value) in patch.iter() {
        for offset in (0..value.len()).step_by(CACHE_LINE) {
            prefetch_index(value.as_bytes(), offset);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;

    /// The prefetched address is that of the value and not of something beside it.
    #[test]
    fn a_value_begins_where_it_is_asked_for() {
        let value = Prefetched::new([7_u64; 40]);
        let copy = value.clone();
        assert_eq!(ptr::from_ref(&value.0.begin).addr(), ptr::from_ref(&*copy).addr());
        assert_eq!(size_of::<PrefetchCell<[u64; 40]>>(), size_of::<[u64; 40]>());
        let weak = value.downgrade();
        assert_eq!(*weak.upgrade().unwrap(), [7; 40]);
        drop((value, copy));
        assert!(weak.upgrade().is_none());
    }
}
