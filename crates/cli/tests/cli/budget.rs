//! The budget holds, every byte has a name, and what does not fit is refused before tick 0.

use serde_json::Value;

use crate::populace::{Place, golden};

fn bytes(report: &Value, field: &str) -> u64 {
    report[field].as_u64().unwrap_or_else(|| panic!("{field} in {report}"))
}

/// The promises that hold of every run.
#[track_caller]
fn accounted(report: &Value) {
    let classes = report["bytes"].as_object().unwrap();
    let names: Vec<&str> = classes.keys().map(String::as_str).collect();
    let expected = ["agents", "overhead", "padding", "pool_idle", "scratch", "shared"];
    assert_eq!(names, expected);
    let sum: u64 = classes.values().map(|bytes| bytes.as_u64().unwrap()).sum();
    assert_eq!(sum, bytes(report, "engine_bytes_peak"), "{report}");
    assert!(sum <= bytes(report, "budget_bytes"), "{report}");
    let resident = bytes(report, "resident_bytes_peak") - bytes(report, "resident_bytes_baseline");
    let allowed = sum * 105 / 100 + (32 << 20);
    assert!(resident <= allowed, "{report}");
    assert!(bytes(report, "resident_bytes_baseline") <= 48 << 20, "{report}");
}

#[test]
fn the_six_classes_are_the_engine_and_within_the_budget() {
    let place = Place::new();
    for belief in ["auto", "dense", "sparse"] {
        for precision in ["f32", "f64"] {
            let common = ["run", "--agents", "3000", "--steps", "12"];
            let tier = ["--belief", belief, "--precision", precision];
            accounted(&place.json(&[&common[..], &tier].concat()));
            let model = golden("tmaze");
            let model = ["--model", model.to_str().unwrap()];
            accounted(&place.json(&[&common[..], &tier, &model].concat()));
        }
    }
}

#[test]
fn the_default_budget_holds_a_million_sparse_agents() {
    let place = Place::new();
    let million = ["run", "--agents", "1000000", "--steps", "2", "--belief"];
    accounted(&place.json(&[&million[..], &["sparse"]].concat()));
    place
        .run(&[&million[..], &["dense", "--budget", "256MiB"]].concat())
        .refused(3, &["256.0 MiB", "agents"]);
}

#[test]
fn what_is_resident_is_the_engine_and_little_more() {
    let place = Place::new();
    place.write("maze.toml", "[model]\nbuiltin = \"tmaze\"\n");
    let long = std::env::var_os("POPULACE_LONG").is_some();
    let steps = if long { "100" } else { "3" };
    let cases: [(&str, &[&str]); 5] = [
        ("100000", &["run"]),
        ("100000", &["run", "--belief", "dense"]),
        ("1000000", &["run", "--belief", "sparse"]),
        ("1000000", &["run", "maze.toml"]),
        ("100000", &["run", "--history", "100"]),
    ];
    for (agents, run) in cases {
        let size = ["--agents", agents, "--steps", steps, "--budget", "1GiB"];
        let report = place.json(&[run, &size].concat());
        let resident =
            bytes(&report, "resident_bytes_peak") - bytes(&report, "resident_bytes_baseline");
        let engine = bytes(&report, "engine_bytes_peak");
        println!("{run:?} {agents}: {resident} resident, {engine} engine");
        accounted(&report);
    }
}

#[test]
fn who_comes_and_goes_and_is_on_disk_is_not_resident() {
    let place = Place::new();
    let lives = "[lifecycle]\nevery = 2\nspawn = 2000\nretire = 0.01\nlifetime = 30\n\
        [memory]\nbelief = \"dense\"\n[population]\nagents = 100_000\n[run]\nsteps = 6\n";
    place.write("lives.toml", lives);
    let run = ["run", "lives.toml"];
    let spilling = ["--spill", "s", "--budget", "64MiB"];
    let report = place.json(&[&run[..], &spilling].concat());
    accounted(&report);
    // 160 MB of beliefs, most of which went through memory at every tick.
    assert!(bytes(&report, "spill_read_bytes") > 5 * (64 << 20), "{report}");
    let roomy = place.json(&[&run[..], &["--budget", "512MiB"]].concat());
    assert_eq!(report["trajectory_hash"], roomy["trajectory_hash"]);
    assert_eq!(report["lifecycle"], roomy["lifecycle"]);
}

/// Minutes without optimisation, so only where they were asked for.
#[test]
fn a_gibibyte_holds_ten_million_sparse_agents() {
    if std::env::var_os("POPULACE_LONG").is_none() {
        println!("skipped: POPULACE_LONG is not set");
        return;
    }
    let many = ["run", "--agents", "10000000", "--steps", "4", "--budget", "1GiB"];
    accounted(&Place::new().json(&[&many[..], &["--belief", "sparse"]].concat()));
}

#[test]
fn the_smallest_budget_that_is_accepted_is_kept() {
    let place = Place::new();
    for belief in ["dense", "sparse"] {
        let common = ["run", "--agents", "5000", "--steps", "20", "--belief", belief];
        let with = |budget: u64| {
            let budget = budget.to_string();
            let ran = place.run(&[&common[..], &["--json", "--budget", &budget]].concat());
            match ran.code {
                Some(0) => Some(serde_json::from_str::<Value>(&ran.stdout).unwrap()),
                _ => {
                    ran.refused(3, &[]);
                    None
                }
            }
        };
        let (mut refused, mut accepted) = (0, 64 << 20);
        while accepted - refused > 4096 {
            let middle = (accepted + refused) / 2;
            match with(middle) {
                Some(_) => accepted = middle,
                None => refused = middle,
            }
        }
        accounted(&with(accepted).unwrap());
    }
}

/// Every built-in model, and the grid whose beliefs spread: as a scenario's `[model]`.
const MODELS: [&str; 5] = [
    "builtin = \"grid\"",
    "builtin = \"grid\"\nslip = 0.1",
    "builtin = \"tmaze\"",
    "builtin = \"cue-chaining\"",
    "builtin = \"graph\"",
];

#[test]
fn nothing_is_allocated_in_the_second_half() {
    let place = Place::new();
    for model in MODELS {
        place.write("s.toml", format!("[model]\n{model}\n"));
        let common = ["run", "s.toml", "--agents", "600", "--steps", "12"];
        for belief in ["dense", "sparse"] {
            for precision in ["f32", "f64"] {
                for threads in ["1", "2"] {
                    let tier = ["--belief", belief, "--precision", precision, "--threads", threads];
                    let report = place.json(&[&common[..], &tier].concat());
                    assert_eq!(report["allocations"], 0, "{model} {tier:?}: {report}");
                }
            }
        }
    }
}

/// `plan` says beforehand what `run` then takes.
#[test]
fn a_plan_is_kept_within_two_percent() {
    let place = Place::new();
    for model in MODELS {
        place.write("s.toml", format!("[model]\n{model}\n[run]\nsteps = 6\n"));
        for precision in ["f32", "f64"] {
            let common =
                ["s.toml", "--agents", "10000", "--budget", "1GiB", "--precision", precision];
            let plan = place.json(&[&["plan"][..], &common].concat());
            for belief in ["auto", "dense", "sparse"] {
                let plan = &plan["tiers"][belief];
                let run = place.json(&[&["run"][..], &common, &["--belief", belief]].concat());
                let (said, taken) =
                    (bytes(plan, "engine_bytes_peak"), bytes(&run, "engine_bytes_peak"));
                let case = format!("{model} {precision} {belief}: {said}, then {taken}");
                assert!((said as f64 / taken as f64 - 1.0).abs() <= 0.02, "{case}");
                assert!(bytes(plan, "worst_bytes") >= taken, "{case}");
            }
        }
    }
}

#[test]
fn the_largest_population_of_a_plan_fits_and_one_more_does_not() {
    let place = Place::new();
    let common = ["--budget", "4MiB", "--belief", "dense", "--steps", "2"];
    let plan = place.json(&[&["plan", "--agents", "1000000"][..], &common].concat());
    assert_eq!(plan["fits"], false);
    let most = bytes(&plan, "largest_agents");
    let run =
        |agents: u64| place.run(&[&["run", "--agents", &agents.to_string()][..], &common].concat());
    assert_eq!(run(most).code, Some(0));
    // Page rounding may let a few more in, but no percent of them.
    run(most + most / 100 + 1).refused(3, &["4.0 MiB", "fit"]);
}
