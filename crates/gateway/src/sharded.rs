//! What every request writes to, once for each thread.
//!
//! A counter that all threads share goes from processor to processor with each request, which costs more than to count.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crossbeam_utils::CachePadded;

/// Numbers threads in the order in which they first ask.
static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
}

/// Several of something, of which each thread uses the same one each time. Two threads may have the same one, so it is
/// something that may be shared.
#[derive(Debug)]
pub(crate) struct Sharded<T> {
    first: CachePadded<T>,
    others: Box<[CachePadded<T>]>,
}

impl<T: Default> Sharded<T> {
    /// Enough for the threads that serve connections, the others, and chance.
    pub(crate) fn new() -> Self {
        let others = 4 * thread::available_parallelism().map_or(1, usize::from) - 1;
        Self {
            first: CachePadded::default(),
            others: (0..others).map(|_| CachePadded::default()).collect(),
        }
    }
}

impl<T> Sharded<T> {
    /// The one of this thread, and its number.
    pub(crate) fn mine(&self) -> (usize, &T) {
        let number = NUMBER.with(|number| *number) % self.count();
        let mine = number.checked_sub(1).and_then(|number| self.others.get(number));
        (number, mine.unwrap_or(&self.first))
    }

    /// How many there are.
    pub(crate) const fn count(&self) -> usize {
        self.others.len() + 1
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.first).chain(&self.others).map(|one| &**one)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn a_thread_has_the_same_one_each_time_and_nothing_is_lost() {
        let sharded = Sharded::<AtomicU64>::new();
        let used: HashSet<usize> = thread::scope(|scope| {
            let threads: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let (number, mine) = sharded.mine();
                        for _ in 0..100 {
                            assert_eq!(sharded.mine().0, number);
                            mine.fetch_add(1, Ordering::Relaxed);
                        }
                        number
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(used.len(), 3, "three threads in a row share nothing");
        assert_eq!(sharded.all().map(|one| one.load(Ordering::Relaxed)).sum::<u64>(), 300);
        assert_eq!(sharded.all().count(), sharded.count());
    }
}
