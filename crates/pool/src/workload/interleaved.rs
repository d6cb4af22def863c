//! 256 live buffers of 256 B to 32 KiB by powers of two, repeating; each step releases one and acquires another: first the oldest of them,
//! then any.

use std::sync::Arc;

use super::Row;
use super::measure::{BATCH, Random, Times};
use super::subject::{Handle, Malloc, Pooled, Subject};
use crate::{HostHeap, Pool, Result};

const LIVE: usize = 256;
const SMALLEST: usize = 256;
const DOUBLINGS: usize = 8;
const BATCHES: usize = 4000;
const HIT_RATE: f64 = 0.99;
const PEAK_RATIO: f64 = 1.25;
/// The most that is live at a time; idle memory must never be more than a quarter of it.
const PEAK_BYTES: u64 = 2_565_632;

fn size(step: usize) -> usize {
    SMALLEST << (step % DOUBLINGS)
}

pub(super) fn run() -> Result<Vec<Row>> {
    let pool =
        Pool::builder(Arc::new(HostHeap)).threads(1).max_idle_bytes(PEAK_BYTES / 4).build()?;
    Ok(vec![on(Pooled::new(pool))?, on(Malloc)?])
}

fn on<S: Subject>(mut subject: S) -> Result<Row> {
    let mut random = Random::new(1);
    let mut times = Times::default();
    let mut kept = true;
    let (mut requested, mut peak, mut most_idle) = (0, 0, 0);
    let mut live = Vec::with_capacity(LIVE);
    let acquire = |subject: &S, size: usize| -> Result<(S::Handle, u8)> {
        let mut handle = subject.acquire(size)?;
        handle.write(size as u8);
        Ok((handle, size as u8))
    };
    for step in 0..LIVE {
        let size = size(step);
        requested += size as u64;
        live.push(acquire(&subject, size)?);
    }
    let mut refused = None;
    for batch in 0..2 * BATCHES {
        if batch == BATCHES / 4 {
            subject.warmed_up();
            times = Times::default();
        }
        let fifo = batch < BATCHES;
        // Chosen outside the timed part.
        let steps: Vec<(usize, usize)> = (0..BATCH)
            .map(|step| {
                let index = if fifo { (batch * BATCH + step) % LIVE } else { random.below(LIVE) };
                (index, size(step))
            })
            .collect();
        times.batch(BATCH, || {
            for &(index, size) in &steps {
                match acquire(&subject, size) {
                    Ok(next) => {
                        requested += size as u64;
                        peak = peak.max(requested);
                        let (old, byte) = std::mem::replace(&mut live[index], next);
                        kept &= old.holds(byte);
                        requested -= old.len() as u64;
                    }
                    Err(error) => refused = Some(error),
                }
            }
        });
        most_idle = most_idle.max(subject.idle_bytes());
    }
    if let Some(error) = refused {
        return Err(error);
    }
    drop(live);
    let tally = subject.tally(peak);
    let checked = kept
        && peak == PEAK_BYTES
        && most_idle <= PEAK_BYTES / 4
        && subject.settled()
        && tally.hit_rate.is_none_or(|rate| rate >= HIT_RATE)
        && tally.peak_reserved_over_requested.is_none_or(|peak| peak <= PEAK_RATIO);
    Ok(times.row("interleaved".to_owned(), tally, checked))
}
