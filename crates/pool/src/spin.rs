//! A lock for a value that one thread uses nearly always and others hardly ever.
//!
//! Taking it is one swap and leaving it one store; the standard mutex needs a second
//! read-modify-write to leave, which is a third of the time of a warm acquire. Waiters yield, so the
//! lock is only for sections of a few instructions.
//!
//! Invariant: at most one `with` runs at a time, and it sees all that earlier ones wrote.

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{UnsafeCell, hint, thread};

/// Two cache lines: neighbouring lines are fetched in pairs.
#[repr(align(128))]
#[derive(Debug)]
pub(crate) struct SpinLock<T> {
    locked: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `with` gives one thread at a time access to the value, which may itself be sent.
unsafe impl<T: Send> Sync for SpinLock<T> {}

impl<T> SpinLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { locked: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    #[inline(always)]
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        if self.locked.swap(true, Ordering::Acquire) {
            self.wait();
        }
        let _leave = Leave(&self.locked);
        // SAFETY: the flag was false and is now set by us, so no other reference to the value exists.
        self.value.with_mut(|value| work(unsafe { &mut *value }))
    }

    #[cold]
    fn wait(&self) {
        let mut rounds = 0_u32;
        // A swap and not a compare-and-swap: one that fails may read an old value for ever, as far as
        // the memory model is concerned.
        while self.locked.swap(true, Ordering::Acquire) {
            rounds += 1;
            if cfg!(any(loom, shuttle)) || rounds.is_multiple_of(64) {
                thread::yield_now();
            } else {
                hint::spin_loop();
            }
        }
    }
}

/// Leaves the lock, by return or by unwinding.
struct Leave<'a>(&'a AtomicBool);

impl Drop for Leave<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
