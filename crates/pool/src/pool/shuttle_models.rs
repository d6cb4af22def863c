//! The whole pool under random schedules, longer than loom can explore:
//! `RUSTFLAGS="--cfg shuttle" cargo test -p populace-pool --release --lib shuttle_models`.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

use super::models::{Places, SIZE, core};

const SCHEDULES: usize = 3000;
const THREADS: usize = 4;
const STEPS: usize = 25;

/// Four threads over two slots acquire, release their own and each other's, clean up and trim; then the
/// handle goes while they still hold blocks.
#[test]
fn any_schedule_keeps_blocks_bounds_and_the_core() {
    shuttle::check_random(
        || {
            let places = Arc::<Places>::default();
            let bound = (64 * SIZE) as u64;
            let shared = core(&places, 12, bound);
            let out = Arc::new(Mutex::new(HashSet::new()));
            let handed = Arc::new(shuttle::sync::Mutex::new(Vec::new()));
            let threads: Vec<_> = (0..THREADS)
                .map(|number| {
                    let (out, handed) = (out.clone(), handed.clone());
                    thread::spawn(move || {
                        let mut held = Vec::new();
                        for _ in 0..STEPS {
                            match thread_rng().gen_range(0..10) {
                                0..4 => {
                                    let block = shared.acquire(number);
                                    let place = block.address.addr().get();
                                    assert!(out.lock().unwrap().insert(place), "out twice");
                                    held.push(block);
                                }
                                4 => handed.lock().unwrap().extend(held.pop()),
                                5 => drop(shared.core().cleanup()),
                                6 => drop(shared.core().trim_to(SIZE as u64)),
                                choice => {
                                    let theirs = || handed.lock().unwrap().pop();
                                    let block = if choice == 7 { theirs() } else { held.pop() };
                                    if let Some(block) = block {
                                        out.lock().unwrap().remove(&block.address.addr().get());
                                        shared.release(block, number);
                                    }
                                }
                            }
                        }
                        held
                    })
                })
                .collect();
            let held: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            assert!(shared.core().idle_bytes() <= bound);
            let left = std::mem::take(&mut *handed.lock().unwrap());
            let late: Vec<_> = held
                .into_iter()
                .chain([left])
                .enumerate()
                .map(|(number, blocks)| {
                    thread::spawn(move || {
                        blocks.into_iter().for_each(|block| shared.release(block, number));
                    })
                })
                .collect();
            shared.close();
            for thread in late {
                thread.join().unwrap();
            }
            assert_eq!((places.live(), Arc::strong_count(&places)), (0, 1));
        },
        SCHEDULES,
    );
}
