//! The pool's lock-free and locked parts under every interleaving of two preemptions:
//! `RUSTFLAGS="--cfg loom" cargo test -p populace-pool --release --lib loom_models`.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use loom::thread;

use super::models::{Places, SIZE, core};

fn model(work: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(work);
}

/// Three threads, two of which share a slot, through magazines of one block and a centre of a few.
#[test]
fn no_block_is_out_twice_and_none_is_lost() {
    model(|| {
        let places = Arc::<Places>::default();
        let shared = core(&places, 4, 1 << 20);
        let out = Arc::new(Mutex::new(HashSet::new()));
        let work = move |out: &Mutex<HashSet<usize>>, thread: usize| {
            let block = shared.acquire(thread);
            assert!(out.lock().unwrap().insert(block.address.addr().get()), "out twice");
            assert!(out.lock().unwrap().remove(&block.address.addr().get()));
            shared.release(block, thread);
        };
        shared.release(shared.acquire(0), 0);
        let threads: Vec<_> = (1..3)
            .map(|number| {
                let out = out.clone();
                thread::spawn(move || work(&out, number))
            })
            .collect();
        work(&out, 0);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(shared.core().idle_bytes(), (places.live() * SIZE) as u64);
        shared.close();
        assert_eq!(places.live(), 0);
        assert_eq!(Arc::strong_count(&places), 1, "the core was freed");
    });
}

/// Blocks acquired through one slot come back through others, one by one, into a full cache.
#[test]
fn idle_bytes_never_exceed_their_bound() {
    model(|| {
        let places = Arc::<Places>::default();
        let shared = core(&places, 4, SIZE as u64);
        let blocks: Vec<_> = (0..3).map(|_| shared.acquire(0)).collect();
        let threads: Vec<_> = (1..3)
            .map(|number| {
                let block = blocks[number];
                thread::spawn(move || shared.release(block, number))
            })
            .collect();
        shared.release(blocks[0], 0);
        assert!(shared.core().idle_bytes() <= SIZE as u64);
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(shared.core().idle_bytes() <= SIZE as u64);
        assert!(places.live() <= 1);
        shared.close();
        assert_eq!((places.live(), Arc::strong_count(&places)), (0, 1));
    });
}

/// The handle goes while two other threads release the last buffers: whoever is last frees the core,
/// once.
#[test]
fn the_core_ends_with_its_last_buffer_or_its_handle() {
    model(|| {
        let places = Arc::<Places>::default();
        let shared = core(&places, 4, 1 << 20);
        let blocks = [shared.acquire(0), shared.acquire(1)];
        let threads: Vec<_> = blocks
            .into_iter()
            .enumerate()
            .map(|(number, block)| thread::spawn(move || shared.release(block, number)))
            .collect();
        shared.close();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!((places.live(), Arc::strong_count(&places)), (0, 1));
    });
}

/// A trim empties the cache while others use it.
#[test]
fn a_trim_beside_others_loses_nothing() {
    model(|| {
        let places = Arc::<Places>::default();
        let shared = core(&places, 4, 1 << 20);
        shared.release(shared.acquire(0), 0);
        let threads: Vec<_> = (0..2)
            .map(|number| thread::spawn(move || shared.release(shared.acquire(number), number)))
            .collect();
        shared.core().trim();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(shared.core().idle_bytes(), (places.live() * SIZE) as u64);
        shared.close();
        assert_eq!((places.live(), Arc::strong_count(&places)), (0, 1));
    });
}
