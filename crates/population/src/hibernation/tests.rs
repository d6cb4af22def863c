//! A disk that fails at any of its writes loses nobody.

#![allow(clippy::unwrap_used)] // tests' helpers

use std::ops::Range;
use std::path::Path;

use super::{Hibernation, open_in};
use crate::ErrorKind;
use crate::fault::FAULTS;
use crate::fault::instants::Disk;

fn try_open(disk: &Disk) -> crate::Result<Hibernation> {
    let open = disk.opener();
    Hibernation::open_with(Path::new("rest"), 7, Box::new(move || open_in(open())))
}

/// The store of a disk.
pub(super) fn open(disk: &Disk) -> Hibernation {
    try_open(disk).unwrap()
}

/// What agent `id` looks like at rest.
pub(super) fn image(id: u64) -> Vec<u8> {
    vec![id as u8; 300]
}

pub(super) fn take_in(store: &mut Hibernation, ids: Range<u64>) -> crate::Result<()> {
    store.take_in(|put| ids.clone().try_for_each(|id| put(id, &mut image(id))))
}

/// Checks that exactly these agents are there, as they were.
fn check(store: &Hibernation, ids: Range<u64>) {
    assert_eq!(store.count(), ids.end - ids.start);
    let mut held = Vec::new();
    store.each_id(|id| held.push(id)).unwrap();
    assert_eq!(held, ids.clone().collect::<Vec<_>>());
    let mut bytes = Vec::new();
    let ends = store.read(&held, &mut bytes).unwrap();
    assert_eq!(ends.len(), held.len());
    assert_eq!(bytes, ids.flat_map(image).collect::<Vec<_>>());
}

#[test]
fn a_disk_that_fails_at_any_write_loses_nobody() {
    for (errno, reason) in FAULTS {
        let mut failures = 0;
        for call in 1.. {
            let disk = Disk::new(Vec::new());
            let mut store = open(&disk);
            take_in(&mut store, 0..60).unwrap();
            store.release(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
            disk.fault.arm(call, errno);
            let taken = take_in(&mut store, 60..120);
            let gone = store.dismiss(&[10, 11]);
            disk.fault.disarm();
            store.revive();
            let last = if taken.is_ok() { 120 } else { 60 };
            // A disk that fails for good does not tell whether it had written all when it failed.
            let first = if gone.is_ok() || store.count() == last - 12 { 12 } else { 10 };
            check(&store, first..last);
            for error in [&taken, &gone].into_iter().filter_map(|result| result.as_ref().err()) {
                failures += 1;
                assert_eq!(error.kind(), ErrorKind::System);
                let text = error.to_string();
                let again = "could not be opened again after it had failed";
                let says = text.ends_with(reason) || text.ends_with(again);
                assert!(text.starts_with("rest: ") && says, "{text}");
            }
            if taken.is_ok() && gone.is_ok() {
                break;
            }
            // It is good for whatever comes next.
            if taken.is_err() {
                take_in(&mut store, 60..120).unwrap();
            }
            check(&store, first..120);
        }
        assert!(failures > 10, "{failures}");
    }
}

#[test]
fn a_flipped_bit_of_the_header_is_found_or_means_nothing() {
    let disk = Disk::new(Vec::new());
    let mut store = open(&disk);
    take_in(&mut store, 0..60).unwrap();
    store.release(&(0..10).collect::<Vec<u64>>());
    drop(store);
    let file = disk.written().file();
    let (bits, mut found) = (8 * 320, 0);
    for bit in 0..bits {
        let mut flipped = file.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        match try_open(&Disk::new(flipped)) {
            Ok(store) => check(&store, 10..60),
            Err(error) => {
                assert!(error.to_string().starts_with("rest: "), "{error}");
                found += 1;
            }
        }
    }
    assert!(found > 100, "{found} of {bits}");
}

#[test]
fn a_disk_that_fails_while_a_file_is_restored_leaves_it_as_it_was() {
    use redb::{Builder, ReadableDatabase, backends::InMemoryBackend};
    // What a checkpoint has: some that the file has too, some as they were before, some more.
    let kept = Builder::new().create_with_backend(InMemoryBackend::new()).unwrap();
    let write = kept.begin_write().unwrap();
    {
        let mut table = write.open_table(super::AGENTS).unwrap();
        for id in 40..90 {
            let mut sealed = if id == 50 { vec![9; 10] } else { image(id) };
            let sum = super::checksum(id, &sealed);
            sealed.extend_from_slice(&sum.to_le_bytes());
            table.insert(id, &sealed[..]).unwrap();
        }
    }
    write.commit().unwrap();
    let kept = kept.begin_read().unwrap().open_table(super::AGENTS).unwrap();
    let mut failures = 0;
    for call in 1.. {
        let disk = Disk::new(Vec::new());
        let mut store = open(&disk);
        store.belong_to(3).unwrap();
        take_in(&mut store, 0..60).unwrap();
        let theirs = store.restore(4, Some(&kept)).unwrap_err().to_string();
        assert_eq!(theirs, "rest: holds 60 agents of another run");
        disk.fault.arm(call, FAULTS[0].0);
        let restored = store.restore(3, Some(&kept));
        disk.fault.disarm();
        store.revive();
        let Err(error) = restored else {
            assert_eq!((store.count(), store.last_id().unwrap()), (50, Some(89)));
            break;
        };
        failures += 1;
        assert_eq!(error.kind(), ErrorKind::System);
        assert!(error.to_string().starts_with("rest: "), "{error}");
        // The last call may fail when all is written.
        if store.count() == 60 {
            check(&store, 0..60);
        }
        store.restore(3, Some(&kept)).unwrap();
        let (mut bytes, ids) = (Vec::new(), (51..90).collect::<Vec<u64>>());
        store.read(&ids, &mut bytes).unwrap();
        assert_eq!(bytes, ids.into_iter().flat_map(image).collect::<Vec<_>>());
        store.restore(3, None).unwrap();
        assert_eq!((store.count(), store.last_id().unwrap()), (0, None));
    }
    assert!(failures > 3, "{failures}");
}
