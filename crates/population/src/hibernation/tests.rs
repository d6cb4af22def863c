//! A disk that fails at any of its writes loses nobody.

#![allow(clippy::unwrap_used)] // tests' helpers

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use redb::{Builder, StorageBackend};

use super::{Hibernation, refused};
use crate::ErrorKind;

/// A disk in memory, good for so many writes.
#[derive(Debug)]
struct Disk {
    bytes: Mutex<Vec<u8>>,
    writes_left: AtomicU64,
    fault: i32,
}

impl Disk {
    fn write_once(&self) -> io::Result<()> {
        let left = |left: u64| left.checked_sub(1);
        match self.writes_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left) {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::from_raw_os_error(self.fault)),
        }
    }
}

#[derive(Debug)]
struct Handle(Arc<Disk>);

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.0.bytes.lock().unwrap();
        let start = offset as usize;
        out.copy_from_slice(
            bytes.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?,
        );
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.write_once()?;
        self.0.bytes.lock().unwrap().resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.write_once()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_once()?;
        let start = offset as usize;
        self.0.bytes.lock().unwrap()[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }
}

/// What agent `id` looks like at rest.
fn image(id: u64) -> Vec<u8> {
    vec![id as u8; 300]
}

fn take_in(store: &mut Hibernation, ids: std::ops::Range<u64>) -> crate::Result<()> {
    store.take_in(|put| ids.clone().try_for_each(|id| put(id, &mut image(id))))
}

/// Checks that exactly these agents are there, as they were.
fn check(store: &Hibernation, ids: std::ops::Range<u64>) {
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
    let path = Path::new("rest");
    // No space left, an error of the device, a file system that became read-only.
    for fault in [28, 5, 30] {
        let mut failures = 0;
        for writes in 0.. {
            let disk = Arc::new(Disk {
                bytes: Mutex::default(),
                writes_left: AtomicU64::new(u64::MAX),
                fault,
            });
            let shared = disk.clone();
            let open = move || {
                let handle = Handle(shared.clone());
                Builder::new().set_cache_size(1 << 16).create_with_backend(handle).map_err(refused)
            };
            let mut store = Hibernation::open_with(path, 7, Box::new(open)).unwrap();
            take_in(&mut store, 0..60).unwrap();
            store.release(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
            disk.writes_left.store(writes, Ordering::Relaxed);
            let taken = take_in(&mut store, 60..120);
            let gone = store.dismiss(&[10, 11]);
            disk.writes_left.store(u64::MAX, Ordering::Relaxed);
            store.revive();
            let last = if taken.is_ok() { 120 } else { 60 };
            // A disk that fails for good does not tell whether it had written all when it failed.
            let first = if gone.is_ok() || store.count() == last - 12 { 12 } else { 10 };
            check(&store, first..last);
            for error in [&taken, &gone].into_iter().filter_map(|result| result.as_ref().err()) {
                failures += 1;
                assert_eq!(error.kind(), ErrorKind::System);
                assert!(error.to_string().starts_with("rest: "), "{error}");
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
fn a_disk_that_fails_while_a_file_is_restored_leaves_it_as_it_was() {
    use redb::{ReadableDatabase, backends::InMemoryBackend};
    let path = Path::new("rest");
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
    for writes in 0.. {
        let writes_left = AtomicU64::new(u64::MAX);
        let disk = Arc::new(Disk { bytes: Mutex::default(), writes_left, fault: 28 });
        let shared = disk.clone();
        let open = move || {
            let handle = Handle(shared.clone());
            Builder::new().set_cache_size(1 << 16).create_with_backend(handle).map_err(refused)
        };
        let mut store = Hibernation::open_with(path, 7, Box::new(open)).unwrap();
        store.belong_to(3).unwrap();
        take_in(&mut store, 0..60).unwrap();
        let theirs = store.restore(4, Some(&kept)).unwrap_err().to_string();
        assert_eq!(theirs, "rest: holds 60 agents of another run");
        disk.writes_left.store(writes, Ordering::Relaxed);
        let restored = store.restore(3, Some(&kept));
        disk.writes_left.store(u64::MAX, Ordering::Relaxed);
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
