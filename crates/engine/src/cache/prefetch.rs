//! Values that the processor is asked for before they are looked at.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Weak};

use narthex_decision::HeaderPatch;
use prefetch_index::prefetch_index;

/// Bytes that the processor fetches at once on most machines. A wrong number costs time and nothing else.
const CACHE_LINE: usize = 64;

/// A shared value of which there are many, each far from the processor: to look at its parts one after the other is to wait
/// as often. So the processor is asked for all of it when it is shared once more, without waiting, and its parts come one
/// beside the other.
pub struct Prefetched<T>(Arc<Whole<T>>);

/// A [`Prefetched`] that keeps nothing alive.
pub struct WeakPrefetched<T>(Weak<Whole<T>>);

/// A value and where it begins. In this order.
#[repr(C)]
struct Whole<T> {
    begin: [Begin; 0],
    value: T,
}

/// What the beginning is made of: of no size, since there is none of it, and not `Copy`, so that the beginning of a copy
/// cannot be taken for it.
struct Begin(#[expect(dead_code, reason = "a byte, so that distances from it are counted in bytes")] u8);

impl<T> Prefetched<T> {
    /// Shares a value.
    pub fn new(value: T) -> Self {
        Self(Arc::new(Whole { begin: [], value }))
    }

    /// The same, without keeping it alive.
    pub fn downgrade(&self) -> WeakPrefetched<T> {
        WeakPrefetched(Arc::downgrade(&self.0))
    }

    /// Asks the processor for all of it, without waiting.
    pub fn prefetch(&self) {
        let Whole { begin, .. } = &*self.0;
        for offset in (0..size_of::<T>()).step_by(CACHE_LINE) {
            prefetch_index(begin, offset);
        }
    }
}

impl<T> WeakPrefetched<T> {
    /// The value, if it is still there.
    pub fn upgrade(&self) -> Option<Prefetched<T>> {
        let value = Prefetched(self.0.upgrade()?);
        value.prefetch();
        Some(value)
    }
}

/// Before the counter of who has it is touched, which waits for it.
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

/// Asks the processor for the header values of a decision, without waiting: each is a piece of memory of its own.
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

    /// What is asked for is the value and not something beside it.
    #[test]
    fn a_value_begins_where_it_is_asked_for() {
        let value = Prefetched::new([7_u64; 40]);
        let copy = value.clone();
        assert_eq!(ptr::from_ref(&value.0.begin).addr(), ptr::from_ref(&*copy).addr());
        assert_eq!(size_of::<Whole<[u64; 40]>>(), size_of::<[u64; 40]>());
        let weak = value.downgrade();
        assert_eq!(*weak.upgrade().unwrap(), [7; 40]);
        drop((value, copy));
        assert!(weak.upgrade().is_none());
    }
}
