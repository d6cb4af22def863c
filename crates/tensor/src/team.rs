//! Threads that share one piece of work.
//!
//! A process has one team: as many sleeping threads as it has processors, less one. [`share`] wakes
//! some of them for one call and waits until all have returned; it allocates nothing after the
//! team was first assembled. A second caller at the same time does its work alone, which costs less
//! than waiting, so results must not depend on how many took part.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
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
    parts: usize,
    unfinished: usize,
    panicked: bool,
}

struct Team {
    /// Held for the whole of a call, so that there is one at a time.
    turn: Mutex<()>,
    call: Mutex<Call>,
    /// Counts calls; workers look at it for a while before they go to sleep.
    calls: AtomicU64,
    wake: Condvar,
    done: Condvar,
    workers: usize,
}

/// How often a worker looks for the next call before it sleeps: some ten microseconds, about what
/// waking it would cost.
const LOOKS: usize = 4000;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number of threads that can take part, the caller included.
pub(crate) fn size() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    *SIZE.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

fn team() -> &'static Team {
    static TEAM: OnceLock<&'static Team> = OnceLock::new();
    TEAM.get_or_init(|| {
        // It lives as long as the process: its threads never end.
        let team: &'static Team = Box::leak(Box::new(Team {
            turn: Mutex::new(()),
            call: Mutex::new(Call { work: None, parts: 0, unfinished: 0, panicked: false }),
            calls: AtomicU64::new(0),
            wake: Condvar::new(),
            done: Condvar::new(),
            workers: size() - 1,
        }));
        for index in 1..=team.workers {
            let name = format!("populace-tensor-{index}");
            // Where a thread cannot be had, its part would never be done: work alone instead.
            if std::thread::Builder::new().name(name).spawn(move || team.worker(index)).is_err() {
                return Box::leak(Box::new(Team {
                    turn: Mutex::new(()),
                    call: Mutex::new(Call { work: None, parts: 0, unfinished: 0, panicked: false }),
                    calls: AtomicU64::new(0),
                    wake: Condvar::new(),
                    done: Condvar::new(),
                    workers: 0,
                }));
            }
        }
        team
    })
}

impl Team {
    fn worker(&self, index: usize) {
        let mut seen = 0;
        loop {
            for _ in 0..LOOKS {
                if self.calls.load(Ordering::Acquire) != seen {
                    break;
                }
                std::hint::spin_loop();
            }
            let mut call = lock(&self.call);
            while self.calls.load(Ordering::Relaxed) == seen {
                call = self.wake.wait(call).unwrap_or_else(PoisonError::into_inner);
            }
            seen = self.calls.load(Ordering::Relaxed);
            let parts = call.parts;
            let Some(work) = call.work.filter(|_| index < parts) else { continue };
            drop(call);
            // SAFETY: `share` does not return before `unfinished` is 0, so the work is alive.
            let work = unsafe { &*work.0 };
            let outcome = catch_unwind(AssertUnwindSafe(|| work(index, parts)));
            let mut call = lock(&self.call);
            call.panicked |= outcome.is_err();
            call.unfinished -= 1;
            if call.unfinished == 0 {
                self.done.notify_one();
            }
        }
    }
}

/// Calls `work(i, n)` for every `i < n`, on `n ≤ parts` threads at once.
///
/// `n` is 1 where another call is running, or where there is one processor.
pub(crate) fn share(parts: usize, work: &Work<'_>) {
    if parts <= 1 || size() == 1 {
        return work(0, 1);
    }
    let team = team();
    let parts = parts.min(team.workers + 1);
    let turn = match team.turn.try_lock() {
        Ok(turn) => turn,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return work(0, 1),
    };
    if parts == 1 {
        return work(0, 1);
    }
    {
        let mut call = lock(&team.call);
        // SAFETY: only the lifetime changes; `finish` below waits for the last use.
        let lent = unsafe { std::mem::transmute::<*const Work<'_>, *const Work<'static>>(work) };
        *call = Call { work: Some(Lent(lent)), parts, unfinished: parts - 1, panicked: false };
        team.calls.fetch_add(1, Ordering::Release);
    }
    team.wake.notify_all();
    let own = catch_unwind(AssertUnwindSafe(|| work(0, parts)));
    let mut call = lock(&team.call);
    while call.unfinished > 0 {
        call = team.done.wait(call).unwrap_or_else(PoisonError::into_inner);
    }
    call.work = None;
    let panicked = call.panicked;
    drop(call);
    drop(turn);
    match own {
        Err(panic) => std::panic::resume_unwind(panic),
        Ok(()) => assert!(!panicked, "a thread of the team panicked"),
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
                    assert!(index < n && n <= parts);
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
