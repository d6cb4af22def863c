//! Threads that come and go, hand buffers to each other and check what they hold.

#![allow(clippy::unwrap_used)] // The lint's exception covers test functions, not what they call.

use std::sync::{Arc, mpsc};

use populace_pool::{Buffer, HostHeap, Pool, SharedResource, Statistics};

fn long() -> bool {
    std::env::var_os("POPULACE_LONG").is_some()
}

/// A buffer whose every byte says who filled it.
fn filled(pool: &Pool, size: usize) -> Buffer {
    let mut buffer = pool.acquire(size).unwrap();
    buffer.as_mut_slice().fill((size % 251) as u8);
    buffer
}

fn check(buffer: &Buffer) {
    let expected = (buffer.len() % 251) as u8;
    assert!(buffer.as_slice().iter().all(|&byte| byte == expected), "another's bytes");
}

#[test]
fn contents_survive_threads_that_come_and_go() {
    let upstream = Arc::new(Statistics::new(HostHeap));
    let resource: SharedResource = upstream.clone();
    let pool = Pool::builder(resource).threads(2).max_idle_bytes(2 << 20).build().unwrap();
    let (sender, receiver) = mpsc::sync_channel::<Buffer>(64);
    let consumer = std::thread::spawn(move || receiver.iter().inspect(check).count());
    let generations = if long() { 2000 } else { 40 };
    let mut sent = 0;
    for generation in 0..generations {
        let threads: Vec<_> = (0..6_usize)
            .map(|thread| {
                let (pool, sender) = (pool.clone(), sender.clone());
                std::thread::spawn(move || {
                    let mut held = Vec::new();
                    for round in 0..150_usize {
                        let size = 1 + (round * 7919 + thread * 104_729 + generation) % 40_000;
                        held.push(filled(&pool, size));
                        match round % 4 {
                            1 => check(&held.swap_remove(round % held.len())),
                            3 => sender.send(held.swap_remove(round % held.len())).unwrap(),
                            _ => {}
                        }
                        if round == 75 && thread == 0 {
                            pool.trim();
                        }
                    }
                    held.iter().for_each(check);
                    held
                })
            })
            .collect();
        sent += 6 * 37;
        // What a thread still held is released by another, after its death.
        for thread in threads {
            thread.join().unwrap().iter().for_each(check);
        }
        assert!(pool.idle_bytes() <= 2 << 20);
    }
    drop(sender);
    assert_eq!(consumer.join().unwrap(), sent);
    let now = pool.snapshot();
    assert_eq!((now.all.in_use_count, now.all.requested_bytes), (0, 0));
    assert_eq!(now.reserved_bytes, upstream.totals().used_bytes);
    drop(pool);
    assert_eq!(upstream.totals().live(), 0);
}

/// 10⁷ hand-offs with `POPULACE_LONG`.
#[test]
fn memory_stays_flat_when_one_acquires_and_another_releases() {
    let handoffs = if long() { 10_000_000 } else { 200_000 };
    let pool = Pool::new(HostHeap);
    let (sender, receiver) = mpsc::sync_channel::<Vec<Buffer>>(4);
    let consumer = std::thread::spawn(move || receiver.into_iter().for_each(drop));
    for _ in 0..handoffs / 100 {
        sender.send((0..100).map(|_| pool.acquire(1000).unwrap()).collect()).unwrap();
    }
    drop(sender);
    consumer.join().unwrap();
    let now = pool.snapshot();
    // Six batches between the threads, and what the cache may hold.
    assert!(now.peak_reserved_bytes <= (6 * 100 + 128 + 16) * 1024, "{now:?}");
    assert_eq!(now.all.in_use_count, 0);
    assert!(now.all.idle_count <= 128);
}
