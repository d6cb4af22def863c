//! A tree of budgets under one thread and under many.

#![allow(clippy::unwrap_used)] // The lint's exception covers test functions, not what they call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use populace_pool::{Budget, Budgeted, Buffer, ErrorKind, Fail, Pages, SharedResource};
use proptest::prelude::*;

fn tree() -> [Budget; 4] {
    let process = Budget::new("process", 1000);
    let run = process.child("run", 800).unwrap();
    let one = run.child("one", 500).unwrap();
    let two = run.child("two", 600).unwrap();
    [process, run, one, two]
}

#[test]
fn each_level_bounds_what_is_below_it() {
    let [process, run, one, two] = tree();
    let a = one.reserve(400).unwrap();
    let b = two.reserve(400).unwrap();
    assert_eq!([&process, &run, &one, &two].map(Budget::used_bytes), [800, 800, 400, 400]);
    let error = two.reserve(1).unwrap_err();
    let expected = vec![("one".to_owned(), 400), ("two".to_owned(), 400)];
    match error.kind() {
        ErrorKind::OverBudget {
            budget,
            requested_bytes: 1,
            used_bytes: 800,
            limit_bytes: 800,
            holders,
        } => {
            assert_eq!((budget.as_str(), holders), ("run", &expected));
        }
        other => panic!("{other:?}"),
    }
    drop((a, b));
    assert_eq!(process.usage().peak_bytes, 800);
    assert_eq!([&process, &run, &one, &two].map(Budget::used_bytes), [0; 4]);
}

#[test]
fn a_refusal_names_the_five_largest_and_only_those_under_the_level_that_refused() {
    let process = Budget::new("process", 10_000);
    let elsewhere = process.child("elsewhere", 5000).unwrap();
    let run = process.child("run", 3000).unwrap();
    let _elsewhere = elsewhere.reserve(5000).unwrap();
    let agents: Vec<_> =
        (0..20).map(|number| run.child(format!("agent {number}"), 1000).unwrap()).collect();
    let _held: Vec<_> = agents
        .iter()
        .enumerate()
        .map(|(number, agent)| agent.reserve(10 * number as u64 + 1).unwrap())
        .collect();
    let message = agents[0].reserve(1000).unwrap_err().to_string();
    assert!(message.contains("'agent 0'"), "{message}");
    let message = run.reserve(2500).unwrap_err().to_string();
    assert!(
        message.ends_with(
            "largest holders: agent 19 191 B, agent 18 181 B, agent 17 171 B, agent 16 161 B, agent 15 151 B"
        ),
        "{message}"
    );
}

#[test]
fn reserved_becomes_committed_and_both_are_used() {
    let [process, _, one, _] = tree();
    let mut reservation = one.reserve(300).unwrap();
    reservation.commit(100).unwrap();
    assert_eq!((process.usage().reserved_bytes, process.used_bytes()), (200, 300));
    reservation.commit(201).unwrap_err();
    reservation.grow(100).unwrap();
    reservation.grow(200).unwrap_err();
    reservation.release(350).unwrap();
    assert_eq!((reservation.bytes(), reservation.committed_bytes()), (50, 50));
    reservation.release(51).unwrap_err();
    assert_eq!((process.usage().reserved_bytes, process.used_bytes()), (0, 50));
    drop(reservation);
    assert_eq!((process.usage().reserved_bytes, process.used_bytes()), (0, 0));
}

#[test]
fn limits_change_but_not_below_what_is_used() {
    let budget = Budget::new("all", 100);
    let _held = budget.reserve(60).unwrap();
    assert!(matches!(budget.set_limit(59).unwrap_err().kind(), ErrorKind::BadSetting { .. }));
    budget.set_limit(60).unwrap();
    budget.reserve(1).unwrap_err();
    assert!(matches!(budget.child("none", 0).unwrap_err().kind(), ErrorKind::BadSetting { .. }));
    budget.reserve(u64::MAX).unwrap_err();
}

#[test]
fn levels_that_are_gone_make_room_for_others() {
    let root = Budget::new("root", 100);
    for round in 0..1000 {
        let child = root.child(format!("child {round}"), 100).unwrap();
        let held = child.reserve(100).unwrap();
        drop(child);
        root.reserve(1).unwrap_err();
        drop(held);
    }
    assert_eq!(root.used_bytes(), 0);
}

#[test]
fn a_failing_upstream_leaves_the_budget_as_it_was() {
    let budget = Budget::new("all", 1 << 20);
    let resource: SharedResource =
        Arc::new(Budgeted::new(Fail::nth(Pages, 2), budget.clone(), Pages::page_bytes() as u64));
    let first = Buffer::new(&resource, 100, 64).unwrap();
    let used = budget.used_bytes();
    Buffer::new(&resource, 5000, 64).unwrap_err();
    Buffer::new(&resource, usize::MAX / 2 + 2, 1).unwrap_err();
    assert_eq!(budget.used_bytes(), used);
    drop(first);
    assert_eq!(budget.used_bytes(), 0);
}

/// Never above, under any interleaving, and a large request that is refused never fails a small one
/// that fits: one thread's small share is left free by all others. 10⁸ operations with `POPULACE_LONG`.
#[test]
fn many_threads_never_exceed_any_level() {
    let operations = if std::env::var_os("POPULACE_LONG").is_some() { 34_000_000 } else { 100_000 };
    let process = Budget::new("process", 1010);
    let runs = ["one", "two"].map(|name| process.child(name, 700).unwrap());
    let greedy = Budget::clone(&process).child("greedy", 1000).unwrap();
    let _agents: Vec<_> = runs.iter().map(|run| run.child("agent", 300).unwrap()).collect();
    let leaves: Vec<_> = (0..3)
        .map(
            |at| if at == 2 { greedy.clone() } else { greedy.child(format!("{at}"), 600).unwrap() },
        )
        .collect();
    let small = runs[0].child("small", 10).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let workers: Vec<_> = leaves
            .iter()
            .enumerate()
            .map(|(number, leaf)| {
                scope.spawn(move || {
                    let mut random = number as u64 + 1;
                    let mut held = Vec::new();
                    for _ in 0..operations {
                        random = random
                            .wrapping_mul(6364136223846793005)
                            .wrapping_add(1442695040888963407);
                        let draw = random >> 33;
                        match draw % 4 {
                            0 | 1 => held.extend(leaf.reserve(draw / 4 % 400).ok()),
                            2 => {
                                held.pop();
                            }
                            _ => {
                                if let Some(last) = held.last_mut() {
                                    let rest: u64 = last.bytes() - last.committed_bytes();
                                    last.commit(rest.min(50)).unwrap();
                                }
                            }
                        }
                        let usage = leaf.usage();
                        assert!(usage.used_bytes <= usage.limit_bytes, "{usage:?}");
                        assert!(usage.reserved_bytes <= usage.used_bytes, "{usage:?}");
                    }
                })
            })
            .collect();
        let small = &small;
        let done = &done;
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                small.reserve(10).unwrap();
            }
        });
        for worker in workers {
            worker.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    let usage = process.usage();
    assert!(usage.peak_bytes <= 1010, "{usage:?}");
    assert_eq!((usage.used_bytes, usage.reserved_bytes), (0, 0));
}

proptest! {
    /// The tree does what a list of reservations, added up anew each time, says.
    #[test]
    fn a_tree_agrees_with_sums(steps in prop::collection::vec((0_usize..4, 0_u64..600, any::<bool>()), 1..100)) {
        let levels = tree();
        let above: [&[usize]; 4] = [&[0], &[1, 0], &[2, 1, 0], &[3, 1, 0]];
        let limits = [1000, 800, 500, 600];
        let mut used = [0_u64; 4];
        let mut held: Vec<(usize, populace_pool::Reservation)> = Vec::new();
        for (level, bytes, takes) in steps {
            if takes {
                let fits = above[level].iter().all(|&at| used[at] + bytes <= limits[at]);
                let reservation = levels[level].reserve(bytes);
                prop_assert_eq!(reservation.is_ok(), fits);
                if let Ok(reservation) = reservation {
                    above[level].iter().for_each(|&at| used[at] += bytes);
                    held.push((level, reservation));
                }
            } else if let Some((level, reservation)) = held.pop() {
                above[level].iter().for_each(|&at| used[at] -= reservation.bytes());
            }
            for (level, used) in levels.iter().zip(used) {
                prop_assert_eq!(level.used_bytes(), used);
            }
        }
    }
}
