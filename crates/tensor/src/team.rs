//! Threads that share one piece of work.
//!
//! A process has one team: as many sleeping threads as it has processors, less one. [`share`] wakes
//! them for one call; who is awake takes the next part, the caller included, so that a thread that
//! is slow to wake costs nothing: the others do its part. Nothing is allocated after the team was
//! first assembled. A second caller at the same time does its work alone, which costs less than
//! waiting, so results must not depend on how many took part.
//!
//! Invariant: a part is taken under the lock, while the call that it belongs to is still waiting;
//! a call ends when no part is left and none is running.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

/// `work(index, of)`: the part `index` of `of`.
type Work<'w> = dyn Fn(usize, usize) + Sync + 'w;

/// A borrowed piece of work whose lifetime [`share`] guards.
#[derive(Clone, Copy)]
struct Lent(*const Work<'static>);

// SAFETY: what it points to is `Sync`, and outlives every use (see `share`).
unsafe impl Send for Lent {}

struct Call {
    work: Option<Lent>,
    /// Parts that are taken, and all there are.
    taken: usize,
    parts: usize,
    panicked: bool,
    /// Workers that wait to be woken, which takes a system call; the others look for calls by themselves.
    asleep: usize,
}

struct Team {
    /// Held for the whole of a call, so that there is one at a time.
    turn: Mutex<()>,
    call: Mutex<Call>,
    /// Counts calls; workers look at it for a while before they go to sleep.
    calls: AtomicU64,
    /// Parts that are taken and not done; the caller looks at it before it goes to sleep.
    running: AtomicUsize,
    /// Workers that have started.
    present: AtomicUsize,
    wake: Condvar,
    done: Condvar,
}

/// How often a thread looks for what it waits for before it sleeps: some ten microseconds, about
/// what waking it costs.
const LOOKS: usize = 4000;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits a little for something that another thread is about to do.
fn look(happened: impl Fn() -> bool) {
    for _ in 0..LOOKS {
        if happened() {
            return;
        }
        std::hint::spin_loop();
    }
}

/// The number of threads that can take part, the caller included.
pub(crate) fn size() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    *SIZE.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

fn team() -> &'static Team {
    static TEAM: OnceLock<Team> = OnceLock::new();
    static ASSEMBLED: OnceLock<()> = OnceLock::new();
    let team = TEAM.get_or_init(|| Team {
        turn: Mutex::new(()),
        call: Mutex::new(Call { work: None, taken: 0, parts: 0, panicked: false, asleep: 0 }),
        calls: AtomicU64::new(0),
        running: AtomicUsize::new(0),
        present: AtomicUsize::new(0),
        wake: Condvar::new(),
        done: Condvar::new(),
    });
    ASSEMBLED.get_or_init(|| {
        let spawn = |index| {
            let name = format!("populace-tensor-{index}");
            std::thread::Builder::new().name(name).spawn(|| team.worker())
        };
        // Where a thread cannot be had, those that are there do its parts.
        let spawned = (1..size()).filter(|&index| spawn(index).is_ok()).count();
        // A thread allocates while it starts, and a busy machine may let it start late.
        while team.present.load(Ordering::Acquire) < spawned {
            std::thread::yield_now();
        }
    });
    team
}

impl Team {
    fn worker(&self) {
        self.present.fetch_add(1, Ordering::Release);
        let mut seen = 0;
        loop {
            look(|| self.calls.load(Ordering::Acquire) != seen);
            let mut call = lock(&self.call);
            while self.calls.load(Ordering::Relaxed) == seen {
                call.asleep += 1;
                call = self.wake.wait(call).unwrap_or_else(PoisonError::into_inner);
                call.asleep -= 1;
            }
            seen = self.calls.load(Ordering::Relaxed);
            drop(call);
            self.take_parts();
        }
    }

    /// Does parts of the call until none is left to take.
    fn take_parts(&self) {
        loop {
            let (work, index, parts) = {
                let mut call = lock(&self.call);
                let Some(work) = call.work.filter(|_| call.taken < call.parts) else { return };
                call.taken += 1;
                self.running.fetch_add(1, Ordering::Relaxed);
                (work, call.taken - 1, call.parts)
            };
            // SAFETY: `share` does not return while a part is running, so the work is alive.
            let work = unsafe { &*work.0 };
            let panicked = catch_unwind(AssertUnwindSafe(|| work(index, parts))).is_err();
            if panicked {
                lock(&self.call).panicked = true;
            }
            if self.running.fetch_sub(1, Ordering::AcqRel) == 1 {
                // Under the lock, so that a caller that is about to sleep is not missed.
                let _call = lock(&self.call);
                self.done.notify_one();
            }
        }
    }
}

/// Calls `work(i, parts)` for every `i < parts`, on several threads at once; or `work(0, 1)` where
/// another call is running.
pub(crate) fn share(parts: usize, work: &Work<'_>) {
    if parts <= 1 {
        return work(0, 1);
    }
    let team = team();
    let turn = match team.turn.try_lock() {
        Ok(turn) => turn,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return work(0, 1),
    };
    let asleep = {
        let mut call = lock(&team.call);
        // SAFETY: only the lifetime changes; the wait below outlasts the last use.
        let lent = unsafe { std::mem::transmute::<*const Work<'_>, *const Work<'static>>(work) };
        let asleep = call.asleep;
        *call = Call { work: Some(Lent(lent)), taken: 0, parts, panicked: false, asleep };
        team.calls.fetch_add(1, Ordering::Release);
        asleep
    };
    if asleep > 0 {
        team.wake.notify_all();
    }
    team.take_parts();
    look(|| team.running.load(Ordering::Acquire) == 0);
    let mut call = lock(&team.call);
    while team.running.load(Ordering::Acquire) > 0 {
        call = team.done.wait(call).unwrap_or_else(PoisonError::into_inner);
    }
    call.work = None;
    let panicked = call.panicked;
    drop(call);
    drop(turn);
    if panicked {
        resume_unwind(Box::new("a part of shared work panicked"));
    }
}

/// The part `index` of `of` of a range, cut at multiples of `unit`.
pub(crate) fn part(len: usize, unit: usize, index: usize, of: usize) -> std::ops::Range<usize> {
    let units = len.div_ceil(unit);
    let bound = |index: usize| (units * index / of * unit).min(len);
    bound(index)..bound(index + 1)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn every_part_is_done_once_also_from_within_and_side_by_side() {
        let outer = |_: usize, _: usize| {
            for parts in [1, 2, 3, 7] {
                let done = AtomicUsize::new(0);
                let of = AtomicUsize::new(0);
                share(parts, &|index, n| {
                    assert!(index < n && (n == parts || n == 1));
                    of.store(n, Ordering::Relaxed);
                    done.fetch_add(1, Ordering::Relaxed);
                });
                assert_eq!(done.into_inner(), of.into_inner());
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| (0..50).for_each(|i| outer(i, 0)));
            }
        });
        share(2, &outer);
    }

    #[test]
    fn parts_cover_the_range_in_order() {
        for (len, unit, of) in [(0, 4, 2), (1, 4, 3), (10, 4, 2), (100, 6, 7)] {
            let mut end = 0;
            for index in 0..of {
                let part = part(len, unit, index, of);
                assert_eq!(part.start, end);
                end = part.end;
            }
            assert_eq!(end, len);
        }
    }
}
