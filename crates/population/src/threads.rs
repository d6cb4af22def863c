//! The threads that agents are stepped on, and how they wait for one another.
//!
//! A tick of a small population is over before a sleeping thread has woken, and one that wakes late
//! leaves its share of the tick to the others. So while ticks follow one another ([`Threads::run`])
//! threads that have nothing to do look for work for [`PATIENCE`], some times what waking costs, and
//! only then rest, until the next work for all begins.

use std::process;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder, Yield};

use crate::{Error, ErrorKind, Result};

/// How long a thread looks for work before it rests.
const PATIENCE: Duration = Duration::from_micros(200);

pub(crate) struct Threads {
    // Dropped before those whom this ends are waited for.
    pool: ThreadPool,
    _joined: Joined,
    bell: Bell,
}

impl Threads {
    /// So many; one a core for 0.
    pub(crate) fn new(count: usize) -> Result<Self> {
        let mut joined = Joined { threads: Vec::new(), process: process::id() };
        let pool = ThreadPoolBuilder::new()
            .num_threads(count)
            .spawn_handler(|thread| {
                let named = thread::Builder::new().name(format!("populace-{}", thread.index()));
                joined.threads.push(named.spawn(|| thread.run())?);
                Ok(())
            })
            .build()
            .map_err(|error| Error::new(ErrorKind::System, format!("threads: {error}")))?;
        // A thread that looks for work for the first time allocates. Were that left to the first ticks,
        // one that a busy machine starts late would do it in the middle of a run.
        pool.broadcast(|_| ());
        Ok(Self { pool, _joined: joined, bell: Bell::default() })
    }

    pub(crate) fn count(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Which of them this is; the first for a thread of another's, who does work alone.
    pub(crate) fn own(&self) -> usize {
        self.pool.current_thread_index().unwrap_or(0)
    }

    /// Does `work` to every item: each thread takes the next one when it is done with its last.
    ///
    /// # Errors
    ///
    /// The first that `work` answers; what was not taken by then is left.
    pub(crate) fn each<I>(
        &self,
        mut items: I,
        work: impl Fn(I::Item) -> Result<()> + Sync,
    ) -> Result<()>
    where
        I: Iterator<Item: Send> + Send,
    {
        let few = items.size_hint().1.is_some_and(|most| most <= 1);
        if few || self.count() == 1 {
            return items.try_for_each(work);
        }
        self.bell.ring();
        let round = Round { left: Mutex::new(Ok(items)), doing: AtomicUsize::new(0), work };
        self.pool.install(|| on_each(self.count(), &|| round.take_part()));
        round.left.into_inner().unwrap_or_else(PoisonError::into_inner).map(|_| ())
    }

    /// Does work that shares much, bit after bit, on one of the threads; the others stay awake for it.
    pub(crate) fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        if self.count() == 1 || self.pool.current_thread_index().is_some() {
            return self.pool.install(work);
        }
        let over = Over { bell: &self.bell, flag: AtomicBool::new(false) };
        let over = &over;
        self.pool.scope(|scope| {
            let own = rayon::current_thread_index();
            // Its own turn a thread may take in the middle of the work, while it waits for a part of it.
            scope.spawn_broadcast(move |_, thread| {
                if Some(thread.index()) != own {
                    over.wait();
                }
            });
            let _end = End(over);
            work()
        })
    }
}

/// Threads that are waited for when they have been told to end: who drops a population is rid of them.
struct Joined {
    threads: Vec<JoinHandle<()>>,
    process: u32,
}

impl Drop for Joined {
    fn drop(&mut self) {
        // A child that was forked has none of its parent's threads.
        if self.process != process::id() {
            return;
        }
        let this = thread::current().id();
        for thread in self.threads.drain(..).filter(|thread| thread.thread().id() != this) {
            // A panic of its own was passed on by the pool to who asked for the work.
            let _ = thread.join();
        }
    }
}

/// Does it on so many threads, or as many of them as come.
fn on_each(threads: usize, part: &(impl Fn() + Sync)) {
    match threads {
        0 | 1 => part(),
        _ => {
            let half = threads / 2;
            rayon::join(|| on_each(threads - half, part), || on_each(half, part));
        }
    }
}

/// Items that threads take in turn.
struct Round<I, W> {
    /// Those that nobody has taken, or what went wrong with one.
    left: Mutex<Result<I>>,
    /// How many are taken and not done.
    doing: AtomicUsize,
    work: W,
}

impl<I: Iterator, W: Fn(I::Item) -> Result<()>> Round<I, W> {
    fn next(&self) -> Option<I::Item> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let item = left.as_mut().ok()?.next()?;
        self.doing.fetch_add(1, SeqCst);
        Some(item)
    }

    fn take_part(&self) {
        while let Some(item) = self.next() {
            let _done = Counted(&self.doing);
            if let Err(error) = (self.work)(item) {
                let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
                if left.is_ok() {
                    *left = Err(error);
                }
            }
        }
        // Others are about to be done: who went to sleep over that would have to be woken.
        let start = Instant::now();
        while self.doing.load(SeqCst) > 0 && start.elapsed() < PATIENCE {
            thread::yield_now();
        }
    }
}

/// One of a count; no longer when it goes, also when its work panics.
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// Whether the work that threads stay awake for is over.
struct Over<'a> {
    bell: &'a Bell,
    flag: AtomicBool,
}

/// Says so, also when the work panics.
struct End<'a>(&'a Over<'a>);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.flag.store(true, SeqCst);
        self.0.bell.ring();
    }
}

impl Over<'_> {
    /// Does what there is to do, until it is over.
    fn wait(&self) {
        let mut idle = Instant::now();
        loop {
            let rung = self.bell.rung.load(SeqCst);
            if self.flag.load(SeqCst) {
                return;
            }
            if rayon::yield_now() == Some(Yield::Executed) {
                idle = Instant::now();
            } else if idle.elapsed() < PATIENCE {
                thread::yield_now();
            } else {
                self.bell.rest(rung);
                idle = Instant::now();
            }
        }
    }
}

/// Wakes those who rest, when there is something to do again.
#[derive(Default)]
struct Bell {
    /// How many times it was rung.
    rung: AtomicU64,
    resting: AtomicUsize,
    lock: Mutex<()>,
    sound: Condvar,
}

impl Bell {
    fn ring(&self) {
        self.rung.fetch_add(1, SeqCst);
        // Who is not counted yet will see the number.
        if self.resting.load(SeqCst) > 0 {
            // Who holds the lock has seen the old number, and waits once it is free.
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.sound.notify_all();
        }
    }

    /// Waits until it is rung, unless it was more than `rung` times.
    fn rest(&self, rung: u64) {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.resting.fetch_add(1, SeqCst);
        while self.rung.load(SeqCst) == rung {
            lock = self.sound.wait(lock).unwrap_or_else(PoisonError::into_inner);
        }
        self.resting.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::OnceCell;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;

    use super::*;

    /// Both halves of a work wait for the other to begin: it never ends unless two threads do it.
    fn meet(threads: &Threads) {
        let met = [AtomicBool::new(false), AtomicBool::new(false)];
        let half = |own: usize| {
            met[own].store(true, SeqCst);
            while !met[1 - own].load(SeqCst) {
                thread::yield_now();
            }
        };
        let met = threads.each(0..2, |own| {
            half(own);
            Ok(())
        });
        assert!(met.is_ok());
    }

    #[test]
    fn who_waits_or_rests_takes_part() {
        let threads = Threads::new(2).expect("threads");
        threads.run(|| {
            for turn in 0..200 {
                meet(&threads);
                if turn % 20 == 0 {
                    thread::sleep(2 * PATIENCE);
                }
            }
        });
        meet(&threads);
    }

    #[test]
    fn resting_threads_are_woken_for_work_alone() {
        let threads = Threads::new(3).expect("threads");
        let resting = || threads.bell.resting.load(SeqCst);
        let until = |count| {
            while resting() != count {
                thread::yield_now();
            }
        };
        threads.run(|| {
            until(2);
            assert!(threads.each(0..1, |_| Ok(())).is_ok());
            assert_eq!(resting(), 2);
            meet(&threads);
            until(2);
        });
        assert_eq!(resting(), 0);
    }

    #[test]
    fn every_item_is_taken_once() {
        let threads = Threads::new(3).expect("threads");
        let mut taken = vec![0; 1_000];
        let done = threads.each(taken.iter_mut(), |count| {
            *count += 1;
            Ok(())
        });
        assert!(done.is_ok() && taken.iter().all(|&count| count == 1));
    }

    #[test]
    fn threads_of_others_are_none_of_these() {
        let (ours, theirs) = (Threads::new(1).expect("threads"), Threads::new(2).expect("threads"));
        let places = theirs.pool.broadcast(|_| {
            let place = AtomicUsize::new(usize::MAX);
            let work = |_| {
                place.store(ours.own(), SeqCst);
                Ok(())
            };
            assert!(ours.each(0..1, work).is_ok());
            place.into_inner()
        });
        assert_eq!(places, [0, 0]);
    }

    #[test]
    fn an_error_leaves_the_rest() {
        let threads = Threads::new(2).expect("threads");
        let last = AtomicUsize::new(0);
        let error = threads.each(0..usize::MAX, |item| {
            last.fetch_max(item, SeqCst);
            if item == 10 { Err(Error::invalid("ten")) } else { Ok(()) }
        });
        assert_eq!(error.expect_err("item 10").to_string(), "ten");
        assert!(last.into_inner() >= 10);
    }

    #[test]
    fn none_outlives_the_threads() {
        let threads = Threads::new(3).expect("threads");
        let alive = Arc::new(());
        thread_local! {
            static HELD: OnceCell<Arc<()>> = const { OnceCell::new() };
        }
        threads.pool.broadcast(|_| HELD.with(|held| held.set(alive.clone()).is_ok()));
        assert_eq!(Arc::strong_count(&alive), 4);
        drop(threads);
        assert_eq!(Arc::strong_count(&alive), 1);
    }

    #[test]
    fn a_panic_ends_the_waiting() {
        let threads = Threads::new(2).expect("threads");
        let panic = catch_unwind(AssertUnwindSafe(|| threads.run(|| panic!("on purpose"))));
        assert!(panic.is_err());
        assert_eq!(threads.run(|| 2 + 2), 4);
    }

    #[test]
    fn work_may_run_within_work() {
        let threads = Threads::new(2).expect("threads");
        threads.run(|| threads.run(|| meet(&threads)));
    }
}
