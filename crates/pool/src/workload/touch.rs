//! Buffers of one size, a byte written in every page of each: one held at a time, `touch/SIZE`, and three, as
//! an operation holds its two operands and its result, `touch/SIZE/three`; 4 KiB, 64 KiB, 1 MiB, 16 MiB and
//! 64 MiB.
//!
//! The system's allocator adapts to what it has seen. glibc's gives a block back to the system when it is freed,
//! until one of its size was freed before; from then on it keeps blocks of up to 32 MiB, but no more than twice
//! the largest. So one buffer finds warm memory there as it does in a pool, and three do not. Sizes
//! ascend, so that each finds what a program finds that uses none larger.

use super::Row;
use super::measure::Times;
use super::subject::{Handle, Malloc, Pooled, Subject};
use crate::{HostHeap, Pool, Result};

const SIZES: [usize; 5] = [4 << 10, 64 << 10, 1 << 20, 16 << 20, 64 << 20];
/// Pages touched for each row.
const PAGES: usize = 1 << 21;
const BATCHES: usize = 32;

pub(super) fn run() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for size in SIZES {
        rows.push(on(Pooled::new(Pool::new(HostHeap)), size, 1, one)?);
        rows.push(on(Malloc, size, 1, one)?);
        rows.push(on(Pooled::new(Pool::new(HostHeap)), size, 3, three)?);
        rows.push(on(Malloc, size, 3, three)?);
    }
    Ok(rows)
}

/// Whether the buffer held what was written.
fn one(subject: &impl Subject, size: usize, byte: u8) -> Result<bool> {
    let mut handle = subject.acquire(size)?;
    handle.touch(byte);
    Ok(handle.holds(byte))
}

/// Whether each of the buffers held what was written.
fn three(subject: &impl Subject, size: usize, byte: u8) -> Result<bool> {
    let mut first = subject.acquire(size)?;
    first.touch(byte);
    let mut second = subject.acquire(size)?;
    second.touch(!byte);
    let mut result = subject.acquire(size)?;
    result.touch(byte);
    Ok(first.holds(byte) && second.holds(!byte) && result.holds(byte))
}

fn on<S: Subject>(
    mut subject: S,
    size: usize,
    held: usize,
    round: impl Fn(&S, usize, u8) -> Result<bool>,
) -> Result<Row> {
    let rounds = (PAGES / (size / 4096) / BATCHES / held).max(1);
    let mut times = Times::default();
    let (mut refused, mut kept) = (None, true);
    for batch in 0..BATCHES + 1 {
        if batch == 1 {
            times = Times::default();
            subject.warmed_up();
        }
        times.batch(rounds * held, || {
            for _ in 0..rounds {
                match round(&subject, size, batch as u8) {
                    Ok(held) => kept &= held,
                    Err(error) => refused = Some(error),
                }
            }
        });
    }
    if let Some(error) = refused {
        return Err(error);
    }
    let tally = subject.tally((held * size) as u64);
    let checked = kept && subject.settled() && tally.hit_rate.is_none_or(|rate| rate == 1.0);
    let name = if held == 1 { format!("touch/{size}") } else { format!("touch/{size}/three") };
    Ok(times.row(name, tally, checked))
}
