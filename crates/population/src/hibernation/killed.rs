//! Whenever a process is killed or a machine loses its power, letting agents rest or opening the file
//! that this has left: everybody is there who was, or who was to be.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::tests::{image, open, take_in};
use crate::fault::instants::{Dice, Disk, Left, Written, so_many};

/// Who is in the file after each of its commits.
type Told = Vec<BTreeSet<u64>>;

/// Agents come to rest, many and few, wake, and are gone.
fn tell() -> (Told, Written) {
    let mut disk = Disk::new(Vec::new());
    let (mut store, mut there, mut told) = (open(&disk), BTreeSet::new(), Vec::new());
    let mut commit = |disk: &mut Disk, there: &BTreeSet<u64>| {
        disk.committed();
        told.push(there.clone());
    };
    commit(&mut disk, &there);
    for ids in [0..60, 60..3000, 3000..3010] {
        take_in(&mut store, ids.clone()).unwrap();
        there.extend(ids);
        commit(&mut disk, &there);
        // Until the next commit the file has them.
        let woken: Vec<u64> = there.iter().copied().step_by(7).collect();
        store.release(&woken);
        there.retain(|id| !woken.contains(id));
        let gone: Vec<u64> = there.iter().copied().skip(5).step_by(2).collect();
        store.dismiss(&gone).unwrap();
        there.retain(|id| !gone.contains(id));
        commit(&mut disk, &there);
    }
    let woken: Vec<u64> = there.iter().copied().take(9).collect();
    store.release(&woken);
    there.retain(|id| !woken.contains(id));
    drop(store);
    // Closing makes that durable.
    commit(&mut disk, &there);
    (told, disk.written())
}

/// Opens what is left, which is as it was after one of these commits; answers which.
fn check(told: &Told, (left, commits): Left) -> (Written, usize) {
    let mut disk = Disk::new(left);
    let store = open(&disk);
    let mut held = Vec::new();
    store.each_id(|id| held.push(id)).unwrap();
    let mut is_it = |&commit: &usize| told[commit].iter().eq(&held);
    let commit = commits.clone().find(&mut is_it).unwrap_or_else(|| panic!("none of {commits:?}"));
    for some in held.chunks(100) {
        let mut bytes = Vec::new();
        assert_eq!(store.read(some, &mut bytes).unwrap().len(), some.len());
        assert!(bytes == some.iter().copied().flat_map(image).collect::<Vec<_>>());
    }
    disk.committed();
    drop(store);
    (disk.written(), commit)
}

fn only(commit: usize) -> RangeInclusive<usize> {
    commit..=commit
}

#[test]
fn killed_at_any_instant_or_when_it_is_opened_again_everybody_is_there() {
    let (told, written) = tell();
    let instants = (written.first_commit()..=written.changes()).step_by(so_many(41, 1));
    let (mut killed, mut twice) = (0, 0);
    for left in written.killed(instants) {
        let (again, commit) = check(&told, left);
        for (left, _) in again.killed(0..=again.changes()) {
            check(&told, (left, only(commit)));
            twice += 1;
        }
        killed += 1;
    }
    eprintln!("killed at {killed} instants, and then at {twice} more");
}

#[test]
fn whatever_a_machine_without_power_leaves_everybody_is_there() {
    let (told, written) = tell();
    let mut inner = Dice(1 << 32);
    written.without_power(so_many(16, 200), &mut Dice(0), |left| {
        let (again, commit) = check(&told, left);
        again.without_power(so_many(1, 4), &mut inner, |(left, _)| {
            check(&told, (left, only(commit)));
        });
    });
}
