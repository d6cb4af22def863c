//! Buffers of one size, a byte written in every page of each: one held at a time, `touch/SIZE`, and three, as
//! an operation holds its two operands and its result, `touch/SIZE/three`; 4 KiB, 64 KiB, 1 MiB, 16 MiB and
//! 64 MiB.
//!
//! The system's allocator adapts to what it has seen. glibc's gives a block back to the system when it is freed,
//! until one of its size was freed before; from then on it keeps blocks of up to 32 MiB, but no more than twice
//! the largest. So one buffer finds warm memory there as it does in a pool, and three do not. Sizes
//! ascend, so that each finds what a program finds that uses none larger.
//!
//! Where both are warm they differ by little, so they take turns.

use super::Row;
use super::measure::Times;
use super::subject::{Handle, Malloc, Pooled, Subject};
use crate::{HostHeap, Pool, Result};

const SIZES: [usize; 5] = [4 << 10, 64 << 10, 1 << 20, 16 << 20, 64 << 20];
/// Pages touched for each row.
const PAGES: usize = 1 << 21;
const TURNS: usize = 4;
/// Batches of a turn, after one to warm up.
const BATCHES: usize = 8;

pub(super) fn run() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for size in SIZES {
        for held in [1, 3] {
            let mut pool = Touching::new(Pooled::new(Pool::new(HostHeap)), size, held);
            let mut system = Touching::new(Malloc, size, held);
            for _ in 0..TURNS {
                pool.turn()?;
                system.turn()?;
            }
            rows.extend([pool.row(), system.row()]);
        }
    }
    Ok(rows)
}

/// A subject at work, with so many buffers of a size held at a time.
struct Touching<S> {
    subject: S,
    size: usize,
    held: usize,
    times: Times,
    kept: bool,
}

impl<S: Subject> Touching<S> {
    fn new(subject: S, size: usize, held: usize) -> Self {
        Self { subject, size, held, times: Times::default(), kept: true }
    }

    fn turn(&mut self) -> Result<()> {
        let rounds = (PAGES / (self.size / 4096) / (TURNS * BATCHES) / self.held).max(1);
        self.rounds(0, rounds)?;
        self.subject.warmed_up();
        for batch in 1..=BATCHES {
            let mut outcome = Ok(());
            let mut times = std::mem::take(&mut self.times);
            times.batch(rounds * self.held, || outcome = self.rounds(batch as u8, rounds));
            self.times = times;
            outcome?;
        }
        Ok(())
    }

    fn rounds(&mut self, byte: u8, rounds: usize) -> Result<()> {
        let round = if self.held == 1 { one } else { three };
        for _ in 0..rounds {
            self.kept &= round(&self.subject, self.size, byte)?;
        }
        Ok(())
    }

    fn row(self) -> Row {
        let tally = self.subject.tally((self.held * self.size) as u64);
        let hits = tally.hit_rate.is_none_or(|rate| rate == 1.0);
        let checked = self.kept && self.subject.settled() && hits;
        let several = if self.held == 1 { "" } else { "/three" };
        self.times.row(format!("touch/{}{several}", self.size), tally, checked)
    }
}

/// Whether the buffer held what was written.
#[inline(always)]
fn one(subject: &impl Subject, size: usize, byte: u8) -> Result<bool> {
    let mut handle = subject.acquire(size)?;
    handle.touch(byte);
    Ok(handle.holds(byte))
}

/// Whether each of the buffers held what was written.
#[inline(always)]
fn three(subject: &impl Subject, size: usize, byte: u8) -> Result<bool> {
    let mut first = subject.acquire(size)?;
    first.touch(byte);
    let mut second = subject.acquire(size)?;
    second.touch(!byte);
    let mut result = subject.acquire(size)?;
    result.touch(byte);
    Ok(first.holds(byte) && second.holds(!byte) && result.holds(byte))
}
