//! Slots hold what their owner wrote, files are never wiped, and temporary ones go with the process.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // The lint's exception covers test functions, not what they call.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use populace_pool::{ErrorKind, SlotFile};
use proptest::prelude::*;

const ROLE: &str = "POPULACE_TEST_ROLE";

/// A directory of this test's own, empty.
fn directory(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("populace-slots-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

proptest! {
    #[test]
    fn a_file_agrees_with_a_list_of_slots(
        slots in 1_usize..50,
        slot_bytes in 1_usize..200,
        fill in any::<u8>(),
        writes in prop::collection::vec((0_usize..60, any::<u8>()), 0..100),
    ) {
        let mut file = SlotFile::unnamed(&std::env::temp_dir(), slots, slot_bytes, fill).unwrap();
        let mut list = vec![vec![fill; slot_bytes]; slots];
        for (slot, value) in writes {
            match (file.slot_mut(slot), list.get_mut(slot)) {
                (Ok(bytes), Some(expected)) => {
                    bytes.fill(value);
                    expected.fill(value);
                }
                (Err(error), None) => {
                    let kind = ErrorKind::NoSlot { slot, slots, slot_bytes };
                    prop_assert_eq!(error.kind(), &kind);
                }
                (got, expected) => prop_assert!(false, "{:?} and {:?}", got, expected),
            }
            for (slot, expected) in list.iter().enumerate() {
                prop_assert_eq!(file.slot(slot).unwrap(), &expected[..]);
            }
        }
        prop_assert_eq!(file.bytes(), list.concat());
    }
}

#[test]
fn a_named_file_is_kept_locked_and_never_wiped() {
    use std::os::unix::fs::PermissionsExt;
    let directory = directory("named");
    let path = directory.join("slots");
    // SAFETY: nobody else knows the file.
    let create = || unsafe { SlotFile::create(&path, 5, 12, 0xff) };
    // SAFETY: as above.
    let open = || unsafe { SlotFile::open(&path) };
    open().unwrap_err();
    let mut file = create().unwrap();
    file.slot_mut(4).unwrap().copy_from_slice(b"twelve bytes");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let error = open().unwrap_err().to_string();
    assert!(error.ends_with("is open elsewhere"), "{error}");
    drop(file);
    create().unwrap_err();
    let file = open().unwrap();
    assert_eq!((file.slots(), file.slot_bytes()), (5, 12));
    assert_eq!(file.slot(4).unwrap(), b"twelve bytes");
    assert_eq!(file.slot(3).unwrap(), [0xff; 12]);
    drop(file);
    let whole = std::fs::read(&path).unwrap();
    for cut in [0, 31, 4096, whole.len() - 1] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let error = open().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadFile { .. }), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), &whole[..cut], "a file that is none stays");
    }
    let mut other = whole.clone();
    other[16..24].fill(0xff);
    std::fs::write(&path, &other).unwrap();
    open().unwrap_err();
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_file_of_nothing_is_refused() {
    for (slots, slot_bytes) in [(0, 4), (4, 0), (usize::MAX, 2), (usize::MAX / 2, 1)] {
        let error = SlotFile::unnamed(&std::env::temp_dir(), slots, slot_bytes, 0).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadShape { .. }), "{error}");
    }
}

#[test]
fn a_killed_process_leaves_no_temporary_file() {
    if let Ok(directory) = std::env::var(ROLE) {
        let mut file = SlotFile::unnamed(directory.as_ref(), 1000, 64, 0xff).unwrap();
        file.bytes_mut().fill(7);
        println!("\nready {}", file.slot(999).unwrap()[63]);
        // Killed here.
        std::io::stdin().read_line(&mut String::new()).unwrap();
        return;
    }
    let directory = directory("killed");
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["a_killed_process_leaves_no_temporary_file", "--exact", "--nocapture"])
        .env(ROLE, &directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "ready 7"));
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
    std::fs::remove_dir(directory).unwrap();
}
