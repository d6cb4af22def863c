//! Outputs that cannot be written: exit code 1, and what stood there before is still there.

use std::fs::File;
use std::process::Stdio;

use crate::populace::{Place, golden};

/// Commands that write a file, without the file.
const WRITING: [&[&str]; 3] = [
    &["export", "tmaze", "-o"],
    &["infer", "tmaze.safetensors", "-o"],
    &["run", "--agents", "10", "--steps", "3", "--trace"],
];

fn place() -> Place {
    let place = Place::new();
    std::fs::copy(golden("tmaze"), place.path("tmaze.safetensors")).unwrap();
    place
}

#[test]
fn an_output_that_cannot_be_written() {
    let place = place();
    place.write("file", "not a directory");
    for command in WRITING {
        for (output, why) in [
            ("nowhere/out", "No such file"),
            ("file/out", "Not a directory"),
            ("/dev/full", ""),
            (".", ""),
        ] {
            place.run(&[command, &[output]].concat()).refused(1, &[output, why]);
        }
    }
    assert_eq!(place.files(), ["file", "tmaze.safetensors"]);
}

#[test]
fn a_directory_that_is_read_only() {
    // The kernel's own table is read-only for everyone, root included.
    let place = place();
    for command in WRITING {
        place.run(&[command, &["/proc/populace"]].concat()).refused(1, &["/proc/populace"]);
    }
}

#[test]
fn a_full_disk_under_standard_output() {
    let place = place();
    for arguments in [
        ["run", "--agents", "10", "--steps", "3"].as_slice(),
        &["inspect", "tmaze.safetensors"],
        &["completions", "bash"],
        &["--version"],
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ran = place.command(arguments).stdout(full).output().unwrap();
        assert_eq!(ran.status.code(), Some(1), "{arguments:?}");
        let stderr = String::from_utf8(ran.stderr).unwrap();
        assert!(stderr.contains("standard output"), "{stderr}");
    }
}

#[test]
fn a_reader_that_has_gone_away_is_no_failure() {
    let place = place();
    let mut child = place.command(&["completions", "bash"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_refused_command_leaves_the_old_file() {
    let place = place();
    let old = place.write("old", "old");
    place.run(&["infer", "nowhere.safetensors", "-o", "old"]).refused(2, &["nowhere"]);
    place.run(&["run", "--budget", "1KiB", "--trace", "old"]).refused(3, &["1.0 KiB"]);
    assert_eq!(std::fs::read_to_string(old).unwrap(), "old");
    assert_eq!(place.files(), ["old", "tmaze.safetensors"]);
}

#[test]
fn a_written_file_takes_the_place_of_the_old_one() {
    let place = place();
    place.write("out", "old");
    for command in WRITING {
        let ran = place.run(&[command, &["out"]].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let file = std::fs::read(place.path("out")).unwrap();
        safetensors::SafeTensors::deserialize(&file).unwrap();
    }
    assert_eq!(place.files(), ["out", "tmaze.safetensors"]);
}
