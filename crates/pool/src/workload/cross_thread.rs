//! One thread acquires, another releases: 4 KiB buffers, handed over by the batch.
//!
//! A pair's time is the acquire's plus the release's; the channel between them is not in it.

use std::sync::{Arc, mpsc};
use std::time::Instant;

use super::Row;
use super::measure::{BATCH, Times};
use super::subject::{Handle, Malloc, Pooled, Subject};
use crate::{HostHeap, Pool, Result};

const SIZE: usize = 4096;
const BATCHES: usize = 20_000;
/// Batches that may wait between the two threads.
const WAITING: usize = 8;
/// What a batch in each thread's hands, those between them, and the caches of both may hold at most.
const MOST_BUFFERS: usize = (WAITING + 2) * BATCH + 256;
const HIT_RATE: f64 = 0.99;

pub(super) fn run() -> Result<Vec<Row>> {
    let pool = Pool::builder(Arc::new(HostHeap)).max_idle_count(MOST_BUFFERS).build()?;
    let pool = Pooled::new(pool);
    let mut row = on(&pool)?;
    // Flat, however many were handed over.
    row.checked &= pool.pool().snapshot().peak_reserved_bytes <= (MOST_BUFFERS * SIZE) as u64;
    row.checked &= row.hit_rate.is_some_and(|rate| rate >= HIT_RATE);
    Ok(vec![row, on(&Malloc)?])
}

fn on<S: Subject>(subject: &S) -> Result<Row> {
    let (sender, receiver) = mpsc::sync_channel::<(Vec<S::Handle>, f64)>(WAITING);
    let mut times = Times::default();
    let mut kept = true;
    let produced = std::thread::scope(|scope| {
        let producer = scope.spawn(move || -> Result<()> {
            for batch in 0..BATCHES {
                let mut handles = Vec::with_capacity(BATCH);
                let start = Instant::now();
                for _ in 0..BATCH {
                    let mut handle = subject.acquire(SIZE)?;
                    handle.write(batch as u8);
                    handles.push(handle);
                }
                let elapsed = start.elapsed().as_nanos() as f64;
                if sender.send((handles, elapsed)).is_err() {
                    return Ok(());
                }
            }
            Ok(())
        });
        for (batch, (handles, acquiring)) in receiver.into_iter().enumerate() {
            let start = Instant::now();
            for handle in handles {
                kept &= handle.holds(batch as u8);
            }
            times.push((acquiring + start.elapsed().as_nanos() as f64) / BATCH as f64);
        }
        producer.join()
    });
    match produced {
        Ok(produced) => produced?,
        Err(panic) => std::panic::resume_unwind(panic),
    }
    let peak_requested = (WAITING + 2) * BATCH * SIZE;
    let checked = kept && subject.settled();
    Ok(times.row("cross-thread".to_owned(), subject.tally(peak_requested as u64), checked))
}
