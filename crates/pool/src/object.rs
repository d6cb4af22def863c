//! Reuse of anything that is costly to build.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A pool of values: what is dropped is reset and kept for the next who asks.
///
/// ```
/// use populace_pool::ObjectPool;
///
/// let scratch = ObjectPool::new(8, || Vec::<f32>::with_capacity(1 << 16), |vector| vector.clear());
/// let mut one = scratch.acquire();
/// one.push(1.0);
/// drop(one);
/// assert!(scratch.acquire().is_empty());
/// assert_eq!(scratch.built(), 1);
/// ```
pub struct ObjectPool<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    idle: Mutex<Vec<T>>,
    max_idle: usize,
    built: AtomicU64,
    acquired: AtomicU64,
    build: Box<dyn Fn() -> T + Send + Sync>,
    reset: Box<dyn Fn(&mut T) + Send + Sync>,
}

impl<T> ObjectPool<T> {
    /// Keeps up to `max_idle` values that `build` makes and `reset` readies for their next use.
    pub fn new(
        max_idle: usize,
        build: impl Fn() -> T + Send + Sync + 'static,
        reset: impl Fn(&mut T) + Send + Sync + 'static,
    ) -> Self {
        let (built, acquired) = (AtomicU64::new(0), AtomicU64::new(0));
        let (build, reset) = (Box::new(build), Box::new(reset));
        let idle = Mutex::default();
        Self { shared: Arc::new(Shared { idle, max_idle, built, acquired, build, reset }) }
    }

    /// A kept value, or a new one.
    pub fn acquire(&self) -> Pooled<T> {
        self.shared.acquired.fetch_add(1, Relaxed);
        let kept = self.shared.idle.lock().pop();
        // Built without the lock: it may take long, and may use the pool.
        let value = kept.unwrap_or_else(|| {
            self.shared.built.fetch_add(1, Relaxed);
            (self.shared.build)()
        });
        Pooled { value: Some(value), home: self.shared.clone() }
    }

    /// How many values were built.
    pub fn built(&self) -> u64 {
        self.shared.built.load(Relaxed)
    }

    /// How many were asked for.
    pub fn acquired(&self) -> u64 {
        self.shared.acquired.load(Relaxed)
    }

    /// How many are kept now.
    pub fn idle(&self) -> usize {
        self.shared.idle.lock().len()
    }

    /// Drops all that are kept.
    pub fn trim(&self) {
        let idle = std::mem::take(&mut *self.shared.idle.lock());
        drop(idle);
    }
}

impl<T> Clone for ObjectPool<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T> fmt::Debug for ObjectPool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectPool").field("idle", &self.idle()).finish_non_exhaustive()
    }
}

/// A value that goes back to its pool when it is dropped.
pub struct Pooled<T> {
    /// `None` only once it has been taken out.
    value: Option<T>,
    home: Arc<Shared<T>>,
}

impl<T> Pooled<T> {
    /// The value itself, for good.
    pub fn into_inner(mut self) -> T {
        match self.value.take() {
            Some(value) => value,
            None => unreachable!("only this and the drop take the value, and both consume it"),
        }
    }
}

impl<T> Deref for Pooled<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.value {
            Some(value) => value,
            None => unreachable!("taken only by what consumes it"),
        }
    }
}

impl<T> DerefMut for Pooled<T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.value {
            Some(value) => value,
            None => unreachable!("taken only by what consumes it"),
        }
    }
}

impl<T> Drop for Pooled<T> {
    fn drop(&mut self) {
        let Some(mut value) = self.value.take() else { return };
        if std::thread::panicking() {
            // Its user was stopped in the middle: a reset may not expect what it finds.
            return;
        }
        (self.home.reset)(&mut value);
        let mut idle = self.home.idle.lock();
        if idle.len() < self.home.max_idle {
            idle.push(value);
        } else {
            drop(idle);
            drop(value);
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Pooled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
