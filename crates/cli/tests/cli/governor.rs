//! What is done to keep to the budget, by flags and scenarios; told by the summary, by `--json` and,
//! beforehand, by `plan`.

use serde_json::Value;

use crate::populace::{Place, Ran};

const SLIP: &str =
    "[model]\nbuiltin = \"grid\"\nslip = 0.1\n[population]\nagents = 4000\n[run]\nsteps = 12\n";

fn count(report: &Value, field: &str) -> u64 {
    report[field].as_u64().unwrap_or_else(|| panic!("{field} in {report}"))
}

#[test]
fn beliefs_of_a_maze_are_stored_once() {
    let place = Place::new();
    place.write("maze.toml", "[model]\nbuiltin = \"tmaze\"\n[population]\nagents = 20000\n");
    let report = place.json(&["run", "maze.toml"]);
    let governor = &report["governor"];
    assert_eq!(count(governor, "sharing_agents"), 20_000, "{report}");
    assert!(count(governor, "shared_records") < 2000, "{report}");
    assert!(report["bytes_per_agent"].as_f64().unwrap() < 12.0, "{report}");
    let text = place.run(&["run", "maze.toml"]).stdout;
    assert!(text.contains("  governor  beliefs of 20,000 agents stored as "), "{text}");
    let plan = place.json(&["plan", "maze.toml"]);
    assert!(count(&plan["governor"], "sharing_agents") > 19_000, "{plan}");
    // A grid's are all different; nothing is said of what was not done.
    let grid = place.run(&["run", "--agents", "2000", "--steps", "8"]).stdout;
    assert!(!grid.contains("governor"), "{grid}");
}

/// The budget in the middle of what is needed with and without demotion.
fn between(place: &Place) -> String {
    let worst = |flags: &[&str]| {
        let plan = place.json(&[&["plan", "slip.toml"], flags].concat());
        count(&plan, "worst_bytes")
    };
    ((worst(&[]) + worst(&["--demote", "log8"])) / 2).to_string()
}

#[test]
fn beliefs_are_demoted_where_the_budget_asks_for_it_and_the_user_allows_it() {
    let place = Place::new();
    place.write("slip.toml", SLIP);
    let budget = between(&place);
    let common = ["run", "slip.toml", "--budget", &budget];
    place.run(&common).refused(3, &["4000 agents need", "largest holders: agents "]);

    let demote = [&common[..], &["--belief", "dense", "--demote", "log8"]].concat();
    let report = place.json(&demote);
    assert!(count(&report["governor"], "demotions") > 0, "{report}");
    assert!(count(&report, "engine_bytes_peak") <= budget.parse().unwrap());
    assert!(count(&report["tiers"], "dense_f16") + count(&report["tiers"], "dense") == 4000);
    assert!(report["error_bound_max"].as_f64().unwrap() > 0.0);
    let again = place.json(&demote);
    assert_eq!(again["trajectory_hash"], report["trajectory_hash"]);
    let text = place.run(&demote).stdout;
    assert!(text.contains(" agents demoted at the end, "), "{text}");

    // A checkpoint knows of it.
    let saved = [&demote[..], &["--checkpoint", "run.ckpt"]].concat();
    let grown = [&saved[..], &["--budget", "64MiB"]].concat();
    assert_eq!(place.run(&grown).code, Some(2), "a flag stands there twice");
    let saved: Vec<&str> =
        saved.iter().map(|&it| if it == budget.as_str() { "40MiB" } else { it }).collect();
    place.json(&saved);
    let resume = |flags: &[&str]| -> Ran {
        place.run(&[&["run", "--resume", "run.ckpt", "--budget", "40MiB"], flags].concat())
    };
    assert_eq!(resume(&["--demote", "log8"]).code, Some(0));
    resume(&["--demote", "f16"]).refused(2, &["demote", "f16", "log8"]);
}

#[test]
fn a_scenario_says_it_too_and_parts_the_budget() {
    let place = Place::new();
    place.write("slip.toml", SLIP);
    let budget = between(&place);
    let memory = format!("[memory]\nbudget = {budget}\ndemote = \"log8\"\nbelief = \"dense\"\n");
    place.write("demote.toml", format!("{SLIP}{memory}"));
    assert!(count(&place.json(&["run", "demote.toml"])["governor"], "demotions") > 0);

    let with = |name: &str, keys: &str| {
        let population = format!("[population]\n{keys}");
        place.write(name, SLIP.replace("[population]\n", &population));
        place.run(&["run", name])
    };
    assert_eq!(with("part.toml", "budget = \"64MiB\"\n").code, Some(0));
    with("small.toml", "budget = \"1MiB\"\n").refused(3, &["the budget is 1.0 MiB"]);
    let large = with("large.toml", "budget = \"1GiB\"\n");
    large.refused(3, &["1.0 GiB requested", "budget 'run' of 256.0 MiB"]);
    let limited = with("agent.toml", "agent_budget = \"1KiB\"\n");
    limited.refused(3, &["an agent needs ", "limit is 1.0 KiB", "belief of factor 0 1.6 KiB"]);
    let flags = ["run", "agent.toml", "--demote", "log8"];
    assert_eq!(place.run(&flags).code, Some(0));
    assert!(count(&place.json(&flags)["governor"], "demotions") > 0);
}

#[test]
fn what_cannot_be_demoted_is_refused_by_name() {
    let place = Place::new();
    let run = ["run", "--agents", "10", "--steps", "1"];
    let refused = |flags: &[&str], culprits: &[&str]| {
        place.run(&[&run[..], flags].concat()).refused(2, culprits);
    };
    refused(&["--belief", "log8", "--demote", "f16"], &["demote: f16 is not below log8"]);
    refused(&["--demote", "dense"], &["dense", "f16"]);
}

/// What a plan says of everything that takes memory, and what the run then takes.
#[test]
fn a_plan_covers_whatever_is_asked_for() {
    let place = Place::new();
    place.write("slip.toml", SLIP);
    let maze = "[model]\nbuiltin = \"tmaze\"\n[population]\nagents = 40000\n[run]\nsteps = 12\n";
    place.write("maze.toml", maze);
    let life = "[lifecycle]\nspawn = 400\nlifetime = 20\n";
    place.write("life.toml", format!("{maze}{life}"));
    let budget = between(&place);
    let spill = place.path("spilled");
    let spill = spill.to_str().unwrap();
    let cases: [(&str, &[&str], f64); 13] = [
        ("slip.toml", &[], 0.02),
        ("slip.toml", &["--belief", "f16"], 0.02),
        ("slip.toml", &["--belief", "log8"], 0.02),
        ("slip.toml", &["--belief", "sparse", "--mass", "1e-2"], 0.02),
        ("slip.toml", &["--history", "8"], 0.03),
        ("slip.toml", &["--belief", "dense", "--demote", "f16", "--budget", &budget], 0.03),
        ("slip.toml", &["--belief", "dense", "--demote", "log8", "--budget", &budget], 0.03),
        ("slip.toml", &["--belief", "dense", "--spill", spill, "--budget", &budget], 0.05),
        ("maze.toml", &[], 0.02),
        ("maze.toml", &["--belief", "f16"], 0.02),
        ("maze.toml", &["--history", "8"], 0.03),
        ("life.toml", &[], 0.02),
        ("slip.toml", &["--precision", "f64", "--threads", "2"], 0.02),
    ];
    for (scenario, flags, within) in cases {
        let common = [&[scenario], flags].concat();
        let plan = place.json(&[&["plan"], &common[..]].concat());
        let run = place.json(&[&["run"], &common[..]].concat());
        let (said, taken) = (count(&plan, "engine_bytes_peak"), count(&run, "engine_bytes_peak"));
        let off = said as f64 / taken as f64 - 1.0;
        println!("{common:?}: {said} planned, {taken} taken, {:+.2} %", 100.0 * off);
        assert!(off.abs() <= within, "{common:?}: {said}, then {taken}");
        // With demotion it is the lowest tier's, and with a directory what was asked for is on disk.
        let gives_way = flags.contains(&"--spill") || flags.contains(&"--demote");
        assert!(count(&plan, "worst_bytes") >= taken || gives_way, "{common:?}: {plan}");
    }
}
