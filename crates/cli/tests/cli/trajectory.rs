//! One seed, one trajectory: whatever the threads and the chunks, and anyone can check it.

use serde_json::Value;

use crate::populace::{Place, golden};
use crate::tensors::File;

const SMALL: [&str; 5] = ["run", "--agents", "203", "--steps", "7"];

fn hash(report: &Value) -> u64 {
    let hash = report["trajectory_hash"].as_str().unwrap();
    assert_eq!(hash.len(), 16, "{hash}");
    u64::from_str_radix(hash, 16).unwrap()
}

/// The hash of a trace, from its definition in the README.
pub(crate) fn recomputed(trace: &File) -> u64 {
    let shape = &trace.raw("actions").shape;
    let (agents, factors) = (shape[1], shape[2]);
    let mut sum = 0_u64;
    for (index, action) in trace.integers("actions").into_iter().enumerate() {
        let (t, a, f) = (index / factors / agents, index / factors % agents, index % factors);
        let key = (a as u64)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .wrapping_add((t as u64).wrapping_mul(0xC2B2_AE3D_27D4_EB4F))
            .wrapping_add((f as u64).wrapping_mul(0x1656_67B1_9E37_79F9))
            .wrapping_add(action as u64);
        sum = sum.wrapping_add(mix(key));
    }
    sum
}

fn mix(mut x: u64) -> u64 {
    x ^= x >> 30;
    x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^= x >> 27;
    x = x.wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ x >> 31
}

/// The models, and how `run` is asked for them.
fn models() -> Vec<(&'static str, Vec<String>)> {
    let model = |name| vec!["--model".to_owned(), golden(name).to_str().unwrap().to_owned()];
    vec![
        ("the default grid", vec![]),
        ("tmaze", model("tmaze")),
        ("four factors", model("edges_four_factors")),
        ("several controls", model("multi_action")),
        ("dense888", model("dense888")),
    ]
}

#[test]
fn the_hash_can_be_recomputed_from_the_trace() {
    for (name, model) in models() {
        let model: Vec<&str> = model.iter().map(String::as_str).collect();
        let place = Place::new();
        let report = place.json(&[&SMALL, model.as_slice(), &["--trace", "t"]].concat());
        let trace = File::read(&place.path("t"));
        assert_eq!(hash(&report), recomputed(&trace), "{name}");
        assert_eq!(trace.raw("observations").shape[..2], [7, 203], "{name}");
        assert_eq!(trace.raw("actions").shape[..2], [7, 203], "{name}");
        assert_eq!(place.files(), ["t"]);
    }
}

#[test]
fn threads_and_chunks_change_no_bit() {
    for (name, model) in models() {
        let model: Vec<&str> = model.iter().map(String::as_str).collect();
        for precision in ["f32", "f64"] {
            let common = [&SMALL, model.as_slice(), &["--precision", precision]].concat();
            let place = Place::new();
            let mut traces = Vec::new();
            for variant in [
                ["--threads", "1"].as_slice(),
                &["--threads", "2"],
                &["--threads", "2", "--chunk", "1"],
                &["--threads", "1", "--chunk", "7"],
                &["--threads", "2", "--chunk", "96"],
                &["--threads", "1", "--chunk", "203"],
            ] {
                let report = place.json(&[&common, variant, &["--trace", "t"]].concat());
                traces.push((hash(&report), std::fs::read(place.path("t")).unwrap()));
            }
            let (first, rest) = traces.split_first().unwrap();
            for (index, other) in rest.iter().enumerate() {
                assert!(first == other, "{name} {precision}: variant {} differs", index + 1);
            }
        }
    }
}

#[test]
fn lossy_tiers_say_what_they_store_and_how_far_off_they_may_be() {
    let place = Place::new();
    let run = ["run", "--agents", "20000", "--steps", "4"];
    let exact = place.json(&run);
    assert_eq!((&exact["error_bound_max"], &exact["above_tolerance"]), (&0.0.into(), &0.into()));
    for belief in ["f16", "log8"] {
        let report = place.json(&[&run[..], &["--belief", belief]].concat());
        assert_eq!(report["tiers"][format!("sparse_{belief}")], 20_000, "{report}");
        assert!(report["error_bound_max"].as_f64().unwrap() > 0.0, "{report}");
        let (less, more) = (&report["bytes_per_agent"], &exact["bytes_per_agent"]);
        assert!(less.as_f64().unwrap() < 0.8 * more.as_f64().unwrap(), "{less} {more}");
        let text = place.run(&[&run[..], &["--belief", belief]].concat()).stdout;
        assert!(text.contains("of the exact one on average"), "{text}");
    }
}

#[test]
fn tiers_change_no_action() {
    for (name, model) in models() {
        let model: Vec<&str> = model.iter().map(String::as_str).collect();
        let place = Place::new();
        let hashes = ["dense", "sparse", "auto"].map(|belief| {
            hash(&place.json(
                &[&SMALL, model.as_slice(), &["--belief", belief, "--precision", "f64"]].concat(),
            ))
        });
        assert!(hashes.iter().all(|it| *it == hashes[0]), "{name}: {hashes:x?}");
    }
}

#[test]
fn another_seed_is_another_run() {
    let place = Place::new();
    let one = hash(&place.json(&[&SMALL[..], &["--seed", "1"]].concat()));
    let two = hash(&place.json(&[&SMALL[..], &["--seed", "2"]].concat()));
    assert_ne!(one, two);
    assert_eq!(one, hash(&place.json(&SMALL)), "the default seed is 1");
}

/// Every agent of a run is an agent of `infer`: replayed from the trace, it would have chosen the
/// same (the T-maze's choices are deterministic).
#[test]
fn an_agent_of_a_run_can_be_replayed() {
    let place = Place::new();
    let model = golden("tmaze");
    let arguments = ["--model", model.to_str().unwrap(), "--precision", "f64", "--trace", "t"];
    place.json(&[&SMALL[..], &arguments].concat());
    let trace = File::read(&place.path("t"));
    let mut replay = File::read(&model);
    replay.tensors.retain(|name, _| !name.starts_with("expect."));
    for agent in [0, 101, 202] {
        for name in ["observations", "actions"] {
            let raw = trace.raw(name);
            let (steps, agents, each) = (raw.shape[0], raw.shape[1], raw.shape[2]);
            let mut one = raw.clone();
            one.shape = vec![steps, each];
            one.bytes = (0..steps)
                .flat_map(|step| &raw.bytes[4 * each * (step * agents + agent)..][..4 * each])
                .copied()
                .collect();
            replay.tensors.insert(name.into(), one);
        }
        place.write("agent.safetensors", replay.bytes());
        let ran = place.run(&["infer", "agent.safetensors", "-o", "o", "--precision", "f64"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let chosen = File::read(&place.path("o")).integers("action");
        assert_eq!(chosen, replay.integers("actions"), "agent {agent}");
    }
}
