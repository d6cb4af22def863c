//! A lock for a value that one thread uses nearly always and others hardly ever.
//!
//! It is *biased* to the first thread that uses it. That one, its owner, enters and leaves by plain stores: an
//! atomic read-modify-write would take a third of a warm acquire, and make it wait for all that its user has
//! written. Everybody else asks by compare-and-swap, and then has the system put a barrier into each
//! running thread ([`barrier::heavy`]), after which the owner either is seen inside or sees that it must wait:
//!
//! ```text
//! owner:   inside = true;  light barrier;  state is mine?   → work;  inside = false
//! visitor: state |= BUSY;  heavy barrier;  inside is false? → work;  state &= !BUSY
//! ```
//!
//! A barrier costs a microsecond, which visitors who count or clean can pay and users cannot: when a second thread
//! comes to use the value, the bias ends for good and the lock is a plain spin lock from then on. So it is from the
//! start where the system has no such barrier. Waiters yield; the lock is only for sections of a few
//! instructions.
//!
//! Invariant: at most one section runs at a time, and it sees all that earlier ones wrote.

use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{UnsafeCell, barrier};

/// Set while somebody is in who came by compare-and-swap.
const BUSY: usize = 1;
/// The state before the first use.
const NOBODYS: usize = 0;
/// The state when several use it, or the bias is not to be had.
const EVERYBODYS: usize = !BUSY;

/// The state of a lock that is biased to the thread of this number.
#[inline(always)]
const fn token(thread: usize) -> usize {
    (thread + 1) << 1
}

/// The number of a thread that is ending and has given its own back: it uses what others own, and owns nothing.
pub(crate) const ENDING: usize = (1 << 48) - 1;

/// Two cache lines: neighbouring lines are fetched in pairs.
#[repr(align(128))]
#[derive(Debug)]
pub(crate) struct BiasedLock<T> {
    /// [`NOBODYS`], [`EVERYBODYS`] or the owner's token, and [`BUSY`].
    state: AtomicUsize,
    /// Whether the owner came in by plain stores and has not left.
    inside: AtomicBool,
    value: UnsafeCell<T>,
    /// Loom cannot explore endless waiting, so in its models waiters queue here first.
    #[cfg(loom)]
    queue: loom::sync::Mutex<()>,
}

// SAFETY: one thread at a time has access to the value, which may itself be sent.
unsafe impl<T: Send> Sync for BiasedLock<T> {}

impl<T> BiasedLock<T> {
    pub(crate) fn new(value: T) -> Self {
        let state = if barrier::heavy_works() { NOBODYS } else { EVERYBODYS };
        Self {
            state: AtomicUsize::new(state),
            inside: AtomicBool::new(false),
            value: UnsafeCell::new(value),
            #[cfg(loom)]
            queue: loom::sync::Mutex::new(()),
        }
    }

    /// Uses the value, as the thread of this number, which no other live thread has.
    #[inline(always)]
    pub(crate) fn with<R>(&self, thread: usize, work: impl FnOnce(&mut T) -> R) -> R {
        #[cfg(loom)]
        let _first = self.queue.lock();
        if self.enter(thread) {
            let _leave = Leave(&self.inside);
            // SAFETY: the owner is in.
            return unsafe { self.value(work) };
        }
        self.with_others(thread, work)
    }

    /// As [`Self::with`], if the value is the thread's own and nobody is in: what is nearly always so. A caller that
    /// does the rest elsewhere has nothing to save from a call.
    #[inline(always)]
    pub(crate) fn try_with<R>(&self, thread: usize, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        #[cfg(loom)]
        let _first = self.queue.lock();
        if !self.enter(thread) {
            return None;
        }
        let _leave = Leave(&self.inside);
        // SAFETY: the owner is in.
        Some(unsafe { self.value(work) })
    }

    /// Enters as the owner; `false` if it is not the thread's, or somebody is in.
    #[inline(always)]
    fn enter(&self, thread: usize) -> bool {
        if self.state.load(Ordering::Relaxed) != token(thread) {
            return false;
        }
        self.inside.store(true, Ordering::Relaxed);
        barrier::light();
        // Acquires what visitors wrote. The bias may have ended between the two looks.
        let entered = self.state.load(Ordering::Acquire) == token(thread);
        if !entered {
            // Released, though nothing was written: who reads this must see what earlier sections wrote.
            self.inside.store(false, Ordering::Release);
        }
        entered
    }

    #[inline(never)]
    fn with_others<R>(&self, thread: usize, work: impl FnOnce(&mut T) -> R) -> R {
        let visit = self.occupy();
        let state = self.bias();
        let next = match state {
            _ if thread == ENDING || state == token(thread) => state,
            NOBODYS => token(thread),
            _ => EVERYBODYS,
        };
        if state != token(thread) {
            visit.expel_owners();
        }
        self.state.store(next | BUSY, Ordering::Relaxed);
        // SAFETY: it is occupied, and its owner, if there is another, was waited for.
        unsafe { self.value(work) }
    }

    /// The state but for [`BUSY`].
    fn bias(&self) -> usize {
        self.state.load(Ordering::Relaxed) & !BUSY
    }

    fn is_owned(&self) -> bool {
        !matches!(self.bias(), NOBODYS | EVERYBODYS)
    }

    /// Occupies the lock against all but an owner who is inside already.
    fn occupy(&self) -> Visit<'_, T> {
        let mut rounds = 0_u32;
        while !self.try_occupy() {
            wait(&mut rounds);
        }
        Visit(std::slice::from_ref(self))
    }

    fn try_occupy(&self) -> bool {
        let state = self.bias();
        let busy = state | BUSY;
        self.state.compare_exchange(state, busy, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    fn free(&self) {
        self.state.store(self.bias(), Ordering::Release);
    }

    /// # Safety
    ///
    /// The caller is the owner and inside, or occupies the lock while the owner is not inside.
    #[inline(always)]
    unsafe fn value<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: the caller is alone with the value, by the protocol above.
        self.value.with_mut(|value| work(unsafe { &mut *value }))
    }
}

/// Shows each value to `work`, whoever owns it, all at the price of one barrier.
pub(crate) fn visit_all<T>(locks: &[BiasedLock<T>], mut work: impl FnMut(&mut T)) {
    #[cfg(loom)]
    let _first: Vec<_> = locks.iter().map(|lock| lock.queue.lock()).collect();
    // In order, so that no two visitors wait for each other.
    let mut visit = Visit(&[]);
    for (index, lock) in locks.iter().enumerate() {
        std::mem::forget(lock.occupy());
        visit.0 = &locks[..=index];
    }
    visit.expel_owners();
    while let Some((first, rest)) = visit.0.split_first() {
        // SAFETY: it is occupied, and its owner was waited for.
        unsafe { first.value(&mut work) };
        first.free();
        visit.0 = rest;
    }
}

/// Locks that are occupied, until this is dropped, by return or by unwinding.
struct Visit<'a, T>(&'a [BiasedLock<T>]);

impl<T> Visit<'_, T> {
    /// Returns when no owner is inside, nor will be.
    fn expel_owners(&self) {
        if !self.0.iter().any(BiasedLock::is_owned) {
            return;
        }
        barrier::heavy();
        for lock in self.0.iter().filter(|lock| lock.is_owned()) {
            let mut rounds = 0;
            while lock.inside.load(Ordering::Acquire) {
                wait(&mut rounds);
            }
        }
    }
}

impl<T> Drop for Visit<'_, T> {
    fn drop(&mut self) {
        self.0.iter().for_each(BiasedLock::free);
    }
}

/// Leaves the lock as its owner, by return or by unwinding.
struct Leave<'a>(&'a AtomicBool);

impl Drop for Leave<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cfg(not(loom))]
#[cold]
fn wait(rounds: &mut u32) {
    *rounds += 1;
    if cfg!(shuttle) || rounds.is_multiple_of(64) {
        crate::sync::thread::yield_now();
    } else {
        crate::sync::hint::spin_loop();
    }
}

#[cfg(loom)]
fn wait(_rounds: &mut u32) {
    unreachable!("the queue lets one in at a time");
}

#[cfg(all(test, loom))]
mod loom_models {
    use std::sync::Arc;

    use loom::thread;

    use super::*;

    impl BiasedLock<usize> {
        /// As [`BiasedLock::with`], without waiting: whether one more was counted.
        fn try_add(&self, number: usize) -> bool {
            if self.enter(number) {
                let _leave = Leave(&self.inside);
                // SAFETY: as in `with`.
                unsafe { self.value(|value| *value += 1) };
                return true;
            }
            if !self.try_occupy() {
                return false;
            }
            let _visit = Visit(std::slice::from_ref(self));
            let state = self.bias();
            if state != token(number) {
                if self.is_owned() {
                    barrier::heavy();
                    if self.inside.load(Ordering::Acquire) {
                        return false;
                    }
                }
                let next = if state == NOBODYS { token(number) } else { EVERYBODYS };
                self.state.store(next | BUSY, Ordering::Relaxed);
            }
            // SAFETY: as in `with_others`.
            unsafe { self.value(|value| *value += 1) };
            true
        }
    }

    /// The owner and two others try, without waiting: whoever gets in is alone and sees what earlier ones
    /// wrote, before, while and after the bias ends.
    #[test]
    fn a_biased_lock_lets_one_in_and_shows_what_earlier_ones_wrote() {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(2);
        builder.check(|| {
            let lock = Arc::new(BiasedLock::new(0));
            let mut added = usize::from(lock.try_add(0));
            let threads = [1, 2].map(|number| {
                let lock = lock.clone();
                thread::spawn(move || usize::from(lock.try_add(number)))
            });
            added += usize::from(lock.try_add(0)) + usize::from(lock.try_add(0));
            for thread in threads {
                added += thread.join().unwrap();
            }
            assert_eq!(added, lock.with(0, |value| *value));
        });
    }
}

#[cfg(all(test, not(loom), not(shuttle)))]
mod tests {
    use super::*;

    const ROUNDS: usize = 20_000;

    #[test]
    fn visitors_see_all_that_an_owner_wrote() {
        let locks = [0, 1].map(|_| BiasedLock::new([0_usize; 2]));
        std::thread::scope(|scope| {
            for (number, lock) in locks.iter().enumerate() {
                scope.spawn(move || {
                    for _ in 0..ROUNDS {
                        lock.with(number, |value| {
                            value[0] += 1;
                            value[1] += 1;
                        });
                    }
                });
            }
            for _ in 0..ROUNDS / 10 {
                visit_all(&locks, |value| assert_eq!(value[0], value[1]));
            }
        });
        let mut sum = 0;
        visit_all(&locks, |value| sum += value[0]);
        assert_eq!(sum, 2 * ROUNDS);
    }

    #[test]
    fn users_of_one_lock_count_together_and_end_its_bias() {
        let lock = BiasedLock::new(0_usize);
        lock.with(0, |value| *value += 1);
        std::thread::scope(|scope| {
            for number in 0..3 {
                let lock = &lock;
                scope.spawn(move || {
                    (0..ROUNDS).for_each(|_| lock.with(number, |value| *value += 1))
                });
            }
            let lock = &lock;
            scope.spawn(move || (0..ROUNDS).for_each(|_| lock.with(ENDING, |value| *value += 1)));
        });
        assert_eq!(lock.with(5, |value| *value), 4 * ROUNDS + 1);
        assert_eq!(lock.state.load(Ordering::Relaxed), EVERYBODYS);
    }

    #[test]
    fn a_section_that_unwinds_leaves_the_lock() {
        let lock = BiasedLock::new(7);
        for thread in [0, 0, 1] {
            let panics = || lock.with(thread, |_| std::panic::resume_unwind(Box::new(())));
            let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics));
            unwound.unwrap_err();
        }
        assert_eq!(lock.with(2, |value| *value), 7);
    }
}
