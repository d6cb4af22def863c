//! The oracle against every reference run.

use std::path::{Path, PathBuf};

use populace_oracle::{Agent, Array, Case, Observation, Step, load};

fn golden(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden").join(folder);
    let mut files: Vec<PathBuf> =
        root.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Steps an agent over a recording, following its actions.
fn replay(case: &Case) -> Vec<Step> {
    let mut agent = Agent::new(&case.problem);
    let step = |(t, observation): (usize, &Observation)| {
        let taken = case.actions.as_ref().map(|actions| &actions[t][..]);
        agent.step(observation, taken)
    };
    case.observations.iter().enumerate().map(step).collect()
}

/// Everything that an `expect.*` tensor of this name holds, as the oracle answers it.
fn answer(name: &str, steps: &[Step]) -> Vec<f64> {
    let (name, index) = match name.split_once('.') {
        Some((name, index)) => (name, index.parse::<usize>().unwrap()),
        None => (name, 0),
    };
    let counts = |of: fn(&Step) -> &Vec<Array>| -> Vec<f64> {
        let updates = steps.iter().filter(|step| !of(step).is_empty());
        updates.flat_map(|step| of(step)[index].data.clone()).collect()
    };
    match name {
        "qs" => steps.iter().flat_map(|step| step.qs[index].clone()).collect(),
        "neg_efe" => steps.iter().flat_map(|step| step.neg_efe.clone()).collect(),
        "q_pi" => steps.iter().flat_map(|step| step.q_pi.clone()).collect(),
        "free_energy" => steps.iter().flat_map(|step| step.free_energy.clone()).collect(),
        "qs_policy" => {
            let last = steps.last().unwrap();
            last.qs_policy.iter().flatten().flat_map(|qs| qs[index].clone()).collect()
        }
        "pA_after" => counts(|step| &step.p_a_after),
        "pB_after" => counts(|step| &step.p_b_after),
        "pD_after" => counts(|step| &step.p_d_after),
        _ => panic!("expect.{name}: unknown"),
    }
}

fn compare(path: &Path) {
    let file = path.file_name().unwrap().to_str().unwrap();
    let single = file.starts_with("sophisticated");
    let (relative, floor, tie): (f64, f64, f64) =
        if single { (1e-4, 1e-4, 1e-4) } else { (1e-9, 1e-12, 1e-6) };
    let case = load(path).unwrap();
    let steps = replay(&case);
    assert!(case.expect.contains_key("q_pi") && case.expect.contains_key("action"), "{file}");
    for (name, expected) in &case.expect {
        if name == "action" {
            let width = expected.shape[1];
            for (t, (step, row)) in steps.iter().zip(expected.data.chunks(width)).enumerate() {
                let row: Vec<i32> = row.iter().map(|&u| u as i32).collect();
                assert!(step.action == row || step.action_gap <= tie, "{file}: action of step {t}");
            }
            continue;
        }
        let answered = answer(name, &steps);
        assert_eq!(answered.len(), expected.data.len(), "{file}: {name} has another length");
        for (i, (x, y)) in answered.iter().zip(&expected.data).enumerate() {
            let bound = floor.max(relative * y.abs());
            assert!((x - y).abs() <= bound, "{file}: {name}[{i}] is {x}, expected {y}");
        }
    }
}

#[test]
fn pymdp_1() {
    let files = golden("pymdp-1");
    assert_eq!(files.len(), 46);
    files.iter().for_each(|file| compare(file));
}

#[test]
fn pymdp_0() {
    let files = golden("pymdp-0");
    assert_eq!(files.len(), 15);
    files.iter().for_each(|file| compare(file));
}
