//! Cleanup by a thread of its own, for pools that fall silent while they hold memory.

use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Handle, Pool};

/// Cleans a pool up at intervals until it is dropped; it does not keep the pool alive.
///
/// ```
/// use std::time::Duration;
/// use populace_pool::{Cleaner, HostHeap, Pool};
///
/// let pool = Pool::new(HostHeap);
/// let cleaner = Cleaner::start(&pool, Duration::from_secs(30))?;
/// # drop(cleaner);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Cleaner {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Stop {
    asked: Mutex<bool>,
    changed: Condvar,
}

impl Cleaner {
    /// Starts a thread that calls [`Pool::cleanup`] every `interval`.
    ///
    /// # Errors
    ///
    /// What the operating system answers to a new thread.
    pub fn start(pool: &Pool, interval: Duration) -> std::io::Result<Self> {
        let stop = Arc::<Stop>::default();
        let (theirs, pool) = (stop.clone(), Arc::downgrade(&pool.handle));
        let thread = std::thread::Builder::new()
            .name("pool-cleaner".to_owned())
            .spawn(move || clean(&pool, &theirs, interval))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

fn clean(pool: &Weak<Handle>, stop: &Stop, interval: Duration) {
    let mut asked = stop.asked.lock().unwrap_or_else(PoisonError::into_inner);
    while !*asked {
        let waited = stop.changed.wait_timeout(asked, interval);
        asked = waited.unwrap_or_else(PoisonError::into_inner).0;
        let Some(handle) = pool.upgrade().filter(|_| !*asked) else { return };
        drop(asked);
        Pool { handle }.cleanup();
        asked = stop.asked.lock().unwrap_or_else(PoisonError::into_inner);
    }
}

impl Drop for Cleaner {
    fn drop(&mut self) {
        *self.stop.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the cleaner's thread panicked");
        }
    }
}
