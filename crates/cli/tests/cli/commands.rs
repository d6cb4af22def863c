//! The commands around a run, and what every command has in common.

use crate::populace::{Place, golden};
use crate::tensors::File;

const BUILTINS: [&str; 4] = ["grid", "tmaze", "cue-chaining", "graph"];

#[test]
fn the_version_is_the_packages() {
    let ran = Place::new().run(&["--version"]);
    assert_eq!(ran.stdout, format!("populace {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(ran.code, Some(0));
}

#[test]
fn help_names_every_command_and_explains_every_flag() {
    let place = Place::new();
    let help = place.run(&["--help"]);
    assert_eq!(help.code, Some(0));
    for command in ["run", "infer", "plan", "inspect", "export", "bench", "completions"] {
        assert!(help.stdout.contains(command), "{command}");
        let own = place.run(&[command, "--help"]);
        assert_eq!(own.code, Some(0), "{command}");
        assert!(own.stdout.contains("Usage: populace"), "{command}");
    }
}

#[test]
fn nothing_asked_is_a_mistake_that_shows_the_help() {
    let ran = Place::new().run(&[]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("Usage: populace"), "{ran:?}");
    assert_eq!(ran.stdout, "");
}

#[test]
fn completions_exist_for_the_shells() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = Place::new().run(&["completions", shell]);
        assert_eq!(ran.code, Some(0), "{shell}");
        assert!(ran.stdout.contains("populace") && ran.stdout.contains("budget"), "{shell}");
    }
}

#[test]
fn a_run_in_a_pipe_is_silent_but_for_its_summary() {
    let ran = Place::new().run(&["run", "--agents", "1234", "--steps", "3"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    for word in ["1,234 agents", "agents", "shared", "scratch", "pool idle", "padding", "overhead"]
    {
        assert!(ran.stdout.contains(word), "{word} in {}", ran.stdout);
    }
}

#[test]
fn the_json_of_a_run_has_every_field() {
    let report = Place::new().json(&["run", "--agents", "100", "--steps", "4", "--threads", "2"]);
    let object = report.as_object().unwrap();
    let fields = [
        "version",
        "agents",
        "steps",
        "seconds",
        "agent_steps_per_second",
        "bytes_per_agent",
        "bytes",
        "engine_bytes_peak",
        "budget_bytes",
        "resident_bytes_peak",
        "resident_bytes_baseline",
        "tiers",
        "governor",
        "hibernated",
        "resumed_steps",
        "spilled",
        "spilled_bytes",
        "spill_read_bytes",
        "spill_written_bytes",
        "allocations",
        "trajectory_hash",
        "threads",
        "precision",
        "planner",
        "error_bound_max",
        "error_bound_mean",
        "above_tolerance",
    ];
    for field in fields {
        assert!(object.contains_key(field), "{field} in {report}");
    }
    assert_eq!(object.len(), fields.len(), "{report}");
    assert_eq!(report["threads"], 2);
    assert_eq!(report["precision"], "f32");
    let rate = report["agent_steps_per_second"].as_f64().unwrap();
    let seconds = report["seconds"].as_f64().unwrap();
    assert!((rate * seconds - 400.0).abs() < 1e-6, "{report}");
}

#[test]
fn an_exported_model_runs_as_the_built_in() {
    for builtin in BUILTINS {
        let place = Place::new();
        let ran = place.run(&["export", builtin, "-o", "m.safetensors"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
        place.write("s.toml", format!("[model]\nbuiltin = \"{builtin}\"\n"));
        let short = ["--agents", "150", "--steps", "6"];
        let file = place.json(&[&["run", "--model", "m.safetensors"][..], &short].concat());
        let own = place.json(&[&["run", "s.toml"][..], &short].concat());
        assert_eq!(file["trajectory_hash"], own["trajectory_hash"], "{builtin}");
    }
}

#[test]
fn the_exported_mazes_are_the_reference_runs_models() {
    for (builtin, reference) in [("tmaze", "tmaze"), ("cue-chaining", "cue_chaining")] {
        let place = Place::new();
        place.run(&["export", builtin, "-o", "m"]);
        let (own, reference) = (File::read(&place.path("m")), File::read(&golden(reference)));
        assert_eq!(own.metadata["agent"]["policy_len"], reference.metadata["agent"]["policy_len"]);
        assert_eq!(own.metadata["num_controls"], reference.metadata["num_controls"]);
    }
}

#[test]
fn an_unknown_built_in_is_refused() {
    let place = Place::new();
    place.run(&["export", "gird", "-o", "m"]).refused(2, &["gird", "grid"]);
    assert!(place.files().is_empty());
}

#[test]
fn inspect_shows_shapes_types_and_sparsity() {
    let place = Place::new();
    let model = golden("tmaze");
    let report = place.json(&["inspect", model.to_str().unwrap()]);
    assert_eq!(report["version"], 1);
    assert_eq!(report["factors"], serde_json::json!([5, 2]));
    assert_eq!(report["modalities"], serde_json::json!([5, 3, 3]));
    assert_eq!(report["policies"], 25);
    let tensors = report["tensors"].as_array().unwrap();
    let b = tensors.iter().find(|it| it["name"] == "B.0").unwrap();
    assert_eq!(b["shape"], serde_json::json!([5, 5, 5]));
    assert_eq!(b["dtype"], "f64");
    assert_eq!(b["nonzeros"], 25);
    // 7 numbers of 4, 2 or 1 bytes, and the last action; half a byte more for each that log8 refines.
    let bytes = &report["agent_bytes"];
    assert_eq!(
        (&bytes["dense"], &bytes["f16"], &bytes["log8"]),
        (&29.into(), &15.into(), &12.into())
    );
    let text = place.run(&["inspect", model.to_str().unwrap()]).stdout;
    assert!(text.contains("B.0") && text.contains("20.0 %"), "{text}");
}

#[test]
fn infer_shows_what_the_agent_saw_believed_and_chose() {
    let ran = Place::new().run(&["infer", golden("tmaze").to_str().unwrap()]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(ran.stdout.lines().count() >= 12, "{}", ran.stdout);
}

#[test]
fn the_models_of_benchmarks_are_files_that_run() {
    let place = Place::new();
    let names = ["grid-slip", "dense-400", "tmaze"];
    let ran = place.run(&[&["bench", "--models", "models"][..], &names].concat());
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    for name in names {
        let model = format!("models/{name}.safetensors");
        let report = place.json(&["run", "--model", &model, "--agents", "40", "--steps", "3"]);
        assert_eq!(report["agents"], 40, "{name}");
    }
    assert_eq!(std::fs::read_dir(place.path("models")).unwrap().count(), names.len());
}

#[test]
fn a_benchmark_is_checked_against_the_oracle_and_says_where_it_ran() {
    let report = Place::new().json(&["bench", "infer-one"]);
    assert_eq!(report["version"], 1);
    assert!(report["machine"]["cores"].as_u64().unwrap() > 0);
    let row = &report["benches"][0];
    assert_eq!(row["name"], "infer-one");
    assert_eq!(row["checked"], true);
    let (nanoseconds, rate) = (
        row["median_ns_per_agent_step"].as_f64().unwrap(),
        row["agent_steps_per_second_per_core"].as_f64().unwrap(),
    );
    assert!((nanoseconds * rate / 1e9 - 1.0).abs() < 1e-9, "{row}");
}

#[test]
fn the_pools_workloads_run_beside_the_systems_allocator() {
    let report = Place::new().json(&["bench", "pool", "sequential", "interleaved"]);
    let rows = report["benches"].as_array().unwrap();
    let seen: Vec<_> =
        rows.iter().map(|row| (row["name"].as_str().unwrap(), &row["resource"])).collect();
    let (pool, system) = (serde_json::json!("pool"), serde_json::json!("system"));
    assert_eq!(
        seen,
        [
            ("sequential", &pool),
            ("sequential", &system),
            ("interleaved", &pool),
            ("interleaved", &system)
        ]
    );
    for row in rows {
        assert_eq!(row["checked"], true, "{row}");
        assert!(row["ns_per_pair_median"].as_f64().unwrap() > 0.0);
        let counted = row["resource"] == "pool";
        for count in ["hit_rate", "internal_waste", "peak_reserved_over_requested"] {
            assert_eq!(row[count].is_number(), counted, "{row}");
            assert_eq!(row.get(count).unwrap().is_null(), !counted, "{row}");
        }
    }
}

#[test]
fn tensor_operations_are_checked_before_they_are_timed() {
    let report = Place::new().json(&["bench", "matvecs"]);
    let rows = report["benches"].as_array().unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        assert_eq!((&row["checked"], &row["operation"]), (&true.into(), &"matvecs".into()));
    }
}
