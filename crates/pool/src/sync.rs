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

/// A lock that outlives the panics of its holders.
///
/// No critical section of this crate can leave its value half-changed (none calls foreign code),
/// so a poisoned lock is taken like any other instead of failing every later caller.
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
