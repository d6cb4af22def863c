//! Scenario files: every key has an effect, flags go first, paths are relative to the file.

use crate::populace::{Place, golden};
use crate::tensors::File;

/// The hash of a short run of a scenario.
fn hash(place: &Place, toml: &str, flags: &[&str]) -> String {
    place.write("s.toml", toml);
    let short = ["run", "s.toml", "--agents", "100", "--steps", "5"];
    place.json(&[&short, flags].concat())["trajectory_hash"].to_string()
}

#[test]
fn an_empty_scenario_is_the_default_run() {
    let place = Place::new();
    let default = place.json(&["run", "--agents", "100", "--steps", "5"]);
    assert_eq!(hash(&place, "", &[]), default["trajectory_hash"].to_string());
    let spelled = "[model]\nbuiltin = \"grid\"\nside = 20\nslip = 0.0\nnoise = 0.1\n\
        start = \"block\"\nseed = 0\n[environment]\nkind = \"generative\"\n[memory]\n\
        budget = \"256MiB\"\nbelief = \"auto\"\n[run]\nseed = 1\n";
    assert_eq!(hash(&place, spelled, &[]), default["trajectory_hash"].to_string());
}

#[test]
fn every_key_of_the_world_has_an_effect() {
    let place = Place::new();
    let default = hash(&place, "", &[]);
    for key in ["side = 10", "slip = 0.2", "noise = 0.3", "start = \"anywhere\"", "seed = 5"] {
        assert_ne!(hash(&place, &format!("[model]\n{key}\n"), &[]), default, "{key}");
    }
    assert_ne!(hash(&place, "[run]\nseed = 2\n", &[]), default);
}

#[test]
fn the_population_and_the_budget_are_as_said() {
    let place = Place::new();
    place.write(
        "s.toml",
        "[population]\nagents = 1_23\n[memory]\nbudget = \"100MiB\"\nbelief = \"dense\"\n\
        [run]\nsteps = 4\n",
    );
    let report = place.json(&["run", "s.toml"]);
    assert_eq!(report["agents"], 123);
    assert_eq!(report["steps"], 4);
    assert_eq!(report["budget_bytes"], 100 << 20);
    assert_eq!(report["tiers"]["dense"], 123);
    place.write("s.toml", "[population]\nagents = 9\n[memory]\nbudget = 33554432\n");
    let report = place.json(&["run", "s.toml", "--steps", "1"]);
    assert_eq!(report["budget_bytes"], 32 << 20);
}

#[test]
fn flags_go_before_the_file() {
    let place = Place::new();
    let file =
        "[run]\nsteps = 50\nseed = 9\n[population]\nagents = 7\n[memory]\nbelief = \"dense\"\n";
    place.write("s.toml", file);
    let flags = ["--steps", "2", "--agents", "5", "--budget", "64MiB", "--belief", "sparse"];
    let report = place.json(&[&["run", "s.toml"][..], &flags].concat());
    assert_eq!(report["steps"], 2);
    assert_eq!(report["agents"], 5);
    assert_eq!(report["budget_bytes"], 64 << 20);
    assert_eq!(report["tiers"]["sparse"], 5);
    assert_eq!(hash(&place, file, &["--seed", "1"]), hash(&place, "", &["--seed", "1"]));
}

#[test]
fn paths_are_relative_to_the_file() {
    let place = Place::new();
    std::fs::create_dir(place.path("world")).unwrap();
    std::fs::copy(golden("tmaze"), place.path("world/maze.safetensors")).unwrap();
    place.write("world/s.toml", "[model]\npath = \"maze.safetensors\"\n");
    let short = ["--agents", "20", "--steps", "4"];
    let ran = place.json(&[&["run", "world/s.toml"][..], &short].concat());
    let same = place.json(&[&["run", "--model", "world/maze.safetensors"][..], &short].concat());
    assert_eq!(ran["trajectory_hash"], same["trajectory_hash"]);
}

#[test]
fn the_process_may_be_another_model() {
    let place = Place::new();
    // The same maze, its truth settled: the reward is always on the left.
    let mut truth = File::read(&golden("tmaze"));
    truth.change("D.1", |d| d.copy_from_slice(&[1.0, 0.0]));
    place.write("truth.safetensors", truth.bytes());
    std::fs::copy(golden("tmaze"), place.path("maze.safetensors")).unwrap();
    let model = "[model]\npath = \"maze.safetensors\"\n";
    let observations = |toml: &str| {
        hash(&place, toml, &["--trace", "t"]);
        File::read(&place.path("t")).integers("observations")
    };
    let other = format!("{model}[environment]\nprocess = \"truth.safetensors\"\n");
    let own = format!("{model}[environment]\nprocess = \"maze.safetensors\"\n");
    assert_ne!(observations(model), observations(&other));
    assert_eq!(observations(model), observations(&own));
    let wrong = format!("{model}[environment]\nprocess = \"nowhere.safetensors\"\n");
    place.write("s.toml", &wrong);
    place.run(&["run", "s.toml"]).refused(2, &["nowhere.safetensors"]);
}

#[test]
fn agents_come_and_go_alike_in_any_chunks_and_on_any_threads() {
    let place = Place::new();
    let toml = "[lifecycle]\nevery = 2\nspawn = 7\nretire = 0.05\nlifetime = 9\nhibernate = 0.2\n\
        wake = 0.5\nstore = \"rest\"\n[population]\nagents = 300\n[run]\nsteps = 20\n";
    place.write("s.toml", toml);
    let run = |flags: &[&str]| {
        let report = place.json(&[&["run", "s.toml"], flags].concat());
        std::fs::remove_file(place.path("rest")).unwrap();
        report
    };
    let one = run(&["--threads", "1", "--chunk", "3"]);
    let two = run(&["--threads", "2", "--chunk", "64"]);
    assert_eq!(one["trajectory_hash"], two["trajectory_hash"]);
    assert_eq!(one["lifecycle"], two["lifecycle"]);
    let of = |name: &str| one["lifecycle"][name].as_u64().unwrap();
    assert_eq!(of("active") + of("hibernated") + of("retired"), 300 + 9 * 7);
    assert!(of("hibernated") > 0 && of("retired") >= 300);
    assert!(of("agent_steps") < 20 * 300);
    let forever = toml.replace("lifetime = 9", "");
    place.write("s.toml", &forever);
    assert_ne!(run(&[])["trajectory_hash"], one["trajectory_hash"]);
}

#[test]
fn a_life_that_makes_no_sense_is_refused() {
    let place = Place::new();
    for (toml, says) in [
        ("every = 0", "lifecycle: every: 0"),
        ("retire = 1.5", "lifecycle: retire: 1.5 is no chance"),
        ("lifetime = 0", "lifecycle: lifetime: 0"),
        ("hibernate = 0.1", "can only be hibernated in a store"),
        ("spwan = 1", "did you mean `spawn`?"),
    ] {
        place.write("s.toml", format!("[lifecycle]\n{toml}\n"));
        place.run(&["run", "s.toml", "--agents", "10", "--steps", "2"]).refused(2, &[says]);
    }
    place.write("s.toml", "[lifecycle]\nspawn = 1\n");
    place.run(&["run", "s.toml", "--trace", "t.safetensors"]).refused(2, &["--trace"]);
    assert_eq!(place.files(), ["s.toml"]);
}
