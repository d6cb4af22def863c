//! A second process reads what the first wrote, and nothing is left when either is killed.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // The lint's exception covers test functions, not what they call.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use populace_pool::{Buffer, MappedFile, Pool, SharedMemory, SharedResource, SharedView};

const ROLE: &str = "POPULACE_TEST_ROLE";
const SIZE: usize = 3 << 20;

/// This test program again, running `test` with a role to play.
fn second_process(test: &str, role: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(ROLE, role)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The first line of a process's output that begins with `word`, without it.
fn line_after(process: &mut Child, word: &str) -> String {
    // The pipe stays open in the process's handle: whoever writes into a closed one fails.
    let lines = BufReader::new(process.stdout.as_mut().unwrap()).lines();
    lines.map(Result::unwrap).find_map(|line| line.strip_prefix(word).map(str::to_owned)).unwrap()
}

fn pattern(index: usize) -> u8 {
    (index * 31 % 253) as u8
}

#[test]
fn a_second_process_reads_what_the_first_wrote() {
    if let Ok(role) = std::env::var(ROLE) {
        let (path, offset) = role.split_once('@').unwrap();
        let view = SharedView::new(File::open(path).unwrap()).unwrap();
        let offset: usize = offset.parse().unwrap();
        // SAFETY: the writer waits for the answer, so nobody writes; the block lies in the view.
        let bytes = unsafe { std::slice::from_raw_parts(view.as_ptr().add(offset), SIZE) };
        let right = bytes.iter().enumerate().all(|(index, &byte)| byte == pattern(index));
        let mut last = [0];
        view.read(offset + SIZE - 1, &mut last).unwrap();
        view.read(view.len(), &mut last).unwrap_err();
        println!("\nread {}", right && last[0] == pattern(SIZE - 1));
        return;
    }
    let memory = Arc::new(SharedMemory::new(16 << 20).unwrap());
    let resource: SharedResource = memory.clone();
    let pool = Pool::builder(resource).build().unwrap();
    let _other = pool.acquire(5000).unwrap();
    let mut buffer = pool.acquire(SIZE).unwrap();
    buffer.as_mut_slice().iter_mut().enumerate().for_each(|(at, byte)| *byte = pattern(at));
    let offset = memory.offset_of(buffer.region().block()).unwrap();
    let role = format!("{}@{offset}", memory.path().display());
    let mut reader = second_process("a_second_process_reads_what_the_first_wrote", &role);
    assert_eq!(line_after(&mut reader, "read "), "true");
    assert!(reader.wait().unwrap().success());
}

#[test]
fn a_killed_writer_leaves_nothing_and_its_reader_keeps_what_it_maps() {
    const TEST: &str = "a_killed_writer_leaves_nothing_and_its_reader_keeps_what_it_maps";
    if std::env::var_os(ROLE).is_some() {
        let directory = std::env::temp_dir();
        let memory = Arc::new(SharedMemory::new(1 << 20).unwrap());
        let shared: SharedResource = memory.clone();
        let file: SharedResource = Arc::new(MappedFile::unnamed(&directory, 1 << 20).unwrap());
        let mut buffers = [&shared, &file].map(|home| Buffer::new(home, 100, 64).unwrap());
        buffers.iter_mut().for_each(|buffer| buffer.as_mut_slice().fill(42));
        println!("\nready {}", memory.path().display());
        std::io::stdout().flush().unwrap();
        // Killed here.
        std::io::stdin().read_line(&mut String::new()).unwrap();
        return;
    }
    let names = || {
        let shared = std::fs::read_dir("/dev/shm").into_iter().flatten();
        shared.flatten().map(|entry| entry.file_name()).collect::<Vec<_>>()
    };
    let before = names();
    let mut writer = second_process(TEST, "writer");
    let path = line_after(&mut writer, "ready ");
    let view = SharedView::new(File::open(&path).unwrap()).unwrap();
    writer.kill().unwrap();
    writer.wait().unwrap();
    let mut bytes = [0; 100];
    view.read(0, &mut bytes).unwrap();
    assert_eq!(bytes, [42; 100]);
    assert!(!std::path::Path::new(&path).exists());
    assert_eq!(names(), before, "nothing with a name is left");
}

#[test]
fn others_can_neither_write_nor_resize() {
    use std::os::unix::fs::PermissionsExt;
    let memory = SharedMemory::new(1 << 20).unwrap();
    let mut theirs = File::from(memory.descriptor().unwrap());
    theirs.write_all(b"x").unwrap_err();
    assert_eq!(theirs.metadata().unwrap().permissions().mode() & 0o777, 0o400);
    SharedView::new(&theirs).unwrap();
    // Root may open it to write all the same, but not change its length.
    if let Ok(file) = File::options().write(true).open(memory.path()) {
        file.set_len(0).unwrap_err();
        file.set_len(1 << 21).unwrap_err();
    }
    let plain = std::env::current_exe().unwrap();
    SharedView::new(File::open(plain).unwrap()).unwrap_err();
}

#[test]
fn a_full_mapping_says_so_and_freed_pages_go_back() {
    let memory = Arc::new(SharedMemory::new(1 << 20).unwrap());
    let resource: SharedResource = memory.clone();
    let mut all = Buffer::new(&resource, 1 << 20, 64).unwrap();
    all.as_mut_slice().fill(1);
    let error = Buffer::new(&resource, 1, 1).unwrap_err().to_string();
    assert_eq!(
        error,
        "1 B requested, but 1.0 MiB of the limit of 1.0 MiB is taken and 0 B remains"
    );
    drop(all);
    let blocks =
        |path| std::os::linux::fs::MetadataExt::st_blocks(&std::fs::metadata(path).unwrap());
    assert_eq!(blocks(memory.path()), 0);
    SharedMemory::new(0).unwrap_err();
}

#[test]
fn a_named_file_is_new_and_private() {
    use std::os::unix::fs::PermissionsExt;
    let path = std::env::temp_dir().join(format!("populace-{}.map", std::process::id()));
    // SAFETY: nobody else knows the file.
    let file = unsafe { MappedFile::create(&path, 1 << 20) }.unwrap();
    // SAFETY: as above; it is there already.
    unsafe { MappedFile::create(&path, 1 << 20) }.unwrap_err();
    let resource: SharedResource = Arc::new(file);
    let mut buffer = Buffer::new(&resource, 4096, 64).unwrap();
    buffer.as_mut_slice().fill(5);
    assert_eq!(std::fs::read(&path).unwrap()[..4096], [5; 4096]);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    drop((buffer, resource));
    std::fs::remove_file(path).unwrap();
}
