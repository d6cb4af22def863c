//! `--history` and `[history]`: what is kept is told, and changes nothing else.

use crate::populace::Place;

#[test]
fn a_run_with_history_says_how_much_there_is_and_is_the_same_run() {
    let place = Place::new();
    let run = ["run", "--agents", "3000", "--steps", "30", "--threads", "2"];
    let without = place.json(&run);
    assert!(without.get("history").is_none());
    let with = place.json(&[&run[..], &["--history", "10"]].concat());
    assert_eq!(with["trajectory_hash"], without["trajectory_hash"]);
    assert_eq!(with["allocations"], 0);
    let history = &with["history"];
    assert_eq!((&history["ticks"], &history["dropped"]), (&10.into(), &0.into()));
    let (raw, stored) = (&history["raw_bytes"], &history["stored_bytes"]);
    let ratio = raw.as_f64().unwrap() / stored.as_f64().unwrap();
    assert_eq!(history["ratio"].as_f64().unwrap(), ratio);
    assert!(ratio > 5.0, "{history}");
    let ran = place.run(&[&run[..], &["--history", "10"]].concat());
    assert!(ran.stdout.contains("  history  the last 10 ticks in "), "{}", ran.stdout);
}

#[test]
fn a_scenario_says_what_is_kept_and_a_flag_goes_before_it() {
    let place = Place::new();
    place.write(
        "kept.toml",
        "[population]\nagents = 500\n[run]\nsteps = 40\n\
         [history]\nticks = 20\nbytes = \"1MiB\"\ncodec = \"lz4\"\nbeliefs = true\n",
    );
    let ticks = |arguments: &[&str]| place.json(arguments)["history"]["ticks"].clone();
    assert_eq!(ticks(&["run", "kept.toml"]), 20);
    assert_eq!(ticks(&["run", "kept.toml", "--history", "7"]), 7);
    let plan = place.json(&["plan", "kept.toml"]);
    let bytes = |key: &str| plan["history"][key].as_u64().unwrap();
    let (least, expected, worst) =
        (bytes("least_bytes"), bytes("expected_bytes"), bytes("worst_bytes"));
    assert!(0 < least && least <= worst && 0 < expected && expected <= worst, "{plan}");
    assert!(worst <= 1 << 20);
}

#[test]
fn what_cannot_be_kept_is_refused_by_name() {
    let place = Place::new();
    place.run(&["run", "--history", "0"]).refused(2, &["history", "0 ticks"]);
    place.write("small.toml", "[history]\nbytes = \"1KiB\"\n");
    place.run(&["run", "small.toml"]).refused(3, &["history", "1.0 KiB is too little"]);
    place.write("codec.toml", "[history]\ncodec = \"zsdt\"\n");
    place.run(&["run", "codec.toml"]).refused(2, &["codec.toml:2", "did you mean `zstd`"]);
    assert_eq!(place.files(), ["codec.toml", "small.toml"]);
}
