//! A lock for a value that one thread uses nearly always and others hardly ever.
//!
//! Taking it is one compare-and-swap and leaving it one store; the standard mutex needs a second read-modify-write to
//! leave, which is a third of the time of a warm acquire. Waiters yield, so the lock is only for sections
//! of a few instructions.
//!
//! Invariant: at most one section runs at a time, and it sees all that earlier ones wrote.

use crate::sync::UnsafeCell;
use crate::sync::atomic::{AtomicBool, Ordering};

/// Two cache lines: neighbouring lines are fetched in pairs.
#[repr(align(128))]
#[derive(Debug)]
pub(crate) struct SpinLock<T> {
    locked: AtomicBool,
    value: UnsafeCell<T>,
    /// Loom cannot explore endless waiting, so in its models waiters queue here first.
    #[cfg(loom)]
    queue: loom::sync::Mutex<()>,
}

// SAFETY: `try_with` gives one thread at a time access to the value, which may itself be sent.
unsafe impl<T: Send> Sync for SpinLock<T> {}

impl<T> SpinLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            locked: AtomicBool::new(false),
            value: UnsafeCell::new(value),
            #[cfg(loom)]
            queue: loom::sync::Mutex::new(()),
        }
    }

    #[inline(always)]
    fn enter(&self) -> bool {
        let entered =
            self.locked.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
        entered.is_ok()
    }

    #[cfg(not(loom))]
    #[inline(always)]
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        if !self.enter() {
            self.wait();
        }
        // SAFETY: the flag was false and is now set by us.
        unsafe { self.locked_with(work) }
    }

    #[cfg(loom)]
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let _first = self.queue.lock();
        assert!(self.enter(), "the queue lets one in at a time");
        // SAFETY: the flag was false and is now set by us.
        unsafe { self.locked_with(work) }
    }

    /// As `with`, if nobody is in there.
    #[cfg(all(test, loom))]
    pub(crate) fn try_with<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        // SAFETY: the flag was false and is now set by us.
        self.enter().then(|| unsafe { self.locked_with(work) })
    }

    /// # Safety
    ///
    /// The flag was false and was set by the caller, who leaves it to this.
    #[inline(always)]
    unsafe fn locked_with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let _leave = Leave(&self.locked);
        // SAFETY: whoever set the flag is alone here until it is false again.
        self.value.with_mut(|value| work(unsafe { &mut *value }))
    }

    #[cfg(not(loom))]
    #[cold]
    fn wait(&self) {
        let mut rounds = 0_u32;
        while !self.enter() {
            rounds += 1;
            if cfg!(shuttle) || rounds.is_multiple_of(64) {
                crate::sync::thread::yield_now();
            } else {
                crate::sync::hint::spin_loop();
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
