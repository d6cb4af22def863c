//! The only door to atomics, locks and cells that threads share: the standard library's, or a
//! model checker's twins of them under `--cfg loom` or `--cfg shuttle`.

#[cfg(loom)]
pub(crate) use loom::{
    cell::UnsafeCell,
    sync as raw,
    sync::{MutexGuard, atomic},
};

#[cfg(shuttle)]
pub(crate) use shuttle::{
    hint, sync as raw,
    sync::{MutexGuard, atomic},
    thread,
};

#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::{
    hint, sync as raw,
    sync::{MutexGuard, atomic},
    thread,
};

/// The two halves of a barrier that costs only those who come rarely.
///
/// Between what a thread does before and after [`light`](barrier::light), and what another does before and after
/// [`heavy`](barrier::heavy), one of the two sees what the other did before: as if both were fences
/// `SeqCst`. But `light` only keeps the compiler from moving things, and `heavy` has the system
/// run a full fence in every thread of the process that is running.
#[cfg(not(any(loom, shuttle)))]
pub(crate) mod barrier {
    use std::sync::atomic::{Ordering, compiler_fence};

    #[inline(always)]
    pub(crate) fn light() {
        compiler_fence(Ordering::SeqCst);
    }

    pub(crate) fn heavy() {
        crate::prim::barrier_in_all_threads();
    }

    /// Whether the system can do it; asked before the first use.
    pub(crate) fn heavy_works() -> bool {
        crate::prim::may_bar_all_threads()
    }
}

/// In models: fences, which loom explores and shuttle, whose memory is one, does not need.
#[cfg(any(loom, shuttle))]
pub(crate) mod barrier {
    pub(crate) fn light() {
        super::atomic::fence(super::atomic::Ordering::SeqCst);
    }

    pub(crate) fn heavy() {
        light();
    }

    pub(crate) fn heavy_works() -> bool {
        true
    }
}

/// A lock that outlives the panics of its holders, so that there is no such thing as a poisoned pool.
///
/// Upstreams, event sinks and values' constructors are called with no lock held, so what panics in them finds
/// every value whole; and no critical section of this crate can leave its value half-changed. A poisoned lock is
/// therefore taken like any other. The alternative, an error for every later caller, would lose what the pool
/// holds for a panic that did not touch it.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(raw::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(raw::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The standard cell behind loom's interface, which sees every access.
#[cfg(not(loom))]
#[derive(Debug, Default)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, work: impl FnOnce(*mut T) -> R) -> R {
        work(self.0.get())
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    use super::Mutex;

    #[test]
    fn a_poisoned_lock_is_taken_like_any_other() {
        let lock = Mutex::new(7);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _held = lock.lock();
            resume_unwind(Box::new(()));
        }));
        assert!(panicked.is_err() && lock.0.is_poisoned());
        assert_eq!(*lock.lock(), 7);
    }
}
