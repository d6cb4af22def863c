//! The oracle against every reference run.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use populace_oracle::{answers, load, replay};

fn golden(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden").join(folder);
    let mut files: Vec<PathBuf> =
        root.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn compare(path: &Path) {
    let file = path.file_name().unwrap().to_str().unwrap();
    let single = file.starts_with("sophisticated");
    let (relative, floor, tie): (f64, f64, f64) =
        if single { (1e-4, 1e-4, 1e-4) } else { (1e-9, 1e-12, 1e-6) };
    let case = load(path).unwrap();
    let steps = replay(&case.problem, &case.observations, case.actions.as_deref());
    let answers = answers(&steps);
    assert!(case.expect.contains_key("q_pi") && case.expect.contains_key("action"), "{file}");
    for (name, expected) in &case.expect {
        let answered = &answers[name];
        assert_eq!(answered.shape, expected.shape, "{file}: shape of {name}");
        let entries = expected.data.len() / expected.shape[0];
        for (i, (x, y)) in answered.data.iter().zip(&expected.data).enumerate() {
            let bound = floor.max(relative * y.abs());
            let tied = name == "action" && steps[i / entries].action_gap <= tie;
            assert!((x - y).abs() <= bound || tied, "{file}: {name}[{i}] is {x}, expected {y}");
        }
    }
}

#[test]
fn pymdp_1() {
    let files = golden("pymdp-1");
    assert_eq!(files.len(), 50);
    files.iter().for_each(|file| compare(file));
}

#[test]
fn pymdp_0() {
    let files = golden("pymdp-0");
    assert_eq!(files.len(), 16);
    files.iter().for_each(|file| compare(file));
}
