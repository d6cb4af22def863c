//! A user's mistakes: one line that names the culprit, the right exit code, nothing written, no
//! memory taken (each runs in a gibibyte of address space).

use safetensors::tensor::Dtype;

use crate::populace::{Place, golden};
use crate::tensors::{File, Raw};

/// `infer` and `run` refuse a model file and name what is wrong with it.
#[track_caller]
fn refused(contents: &[u8], culprits: &[&str]) {
    let place = Place::new();
    place.write("bad.safetensors", contents);
    let mut culprits = culprits.to_vec();
    culprits.push("bad.safetensors");
    let infer = ["infer", "bad.safetensors", "-o", "out.safetensors"];
    place.run_confined(&infer).refused(2, &culprits);
    let run = ["run", "--model", "bad.safetensors", "--trace", "trace.safetensors"];
    place.run_confined(&run).refused(2, &culprits);
    assert_eq!(place.files(), ["bad.safetensors"]);
}

/// As [`refused`], for the T-maze after a change.
#[track_caller]
fn tmaze_refused(change: impl FnOnce(&mut File), culprits: &[&str]) {
    let mut file = File::read(&golden("tmaze"));
    change(&mut file);
    refused(&file.bytes(), culprits);
}

#[test]
fn no_such_file() {
    let place = Place::new();
    for arguments in [
        ["infer", "nowhere.safetensors"].as_slice(),
        &["run", "--model", "nowhere.safetensors"],
        &["run", "nowhere.toml"],
        &["inspect", "nowhere.safetensors"],
        &["plan", "nowhere.safetensors", "--agents", "3"],
        &["infer", golden("tmaze").to_str().unwrap(), "--observations", "nowhere.safetensors"],
    ] {
        place.run(arguments).refused(2, &["nowhere", "No such file"]);
    }
    assert!(place.files().is_empty());
}

#[test]
fn a_directory() {
    let place = Place::new();
    place.run(&["infer", "."]).refused(2, &["."]);
    place.run(&["run", "."]).refused(2, &["."]);
}

#[test]
fn a_picture_renamed() {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0".to_vec();
    png.resize(4096, 7);
    refused(&png, &[]);
}

#[test]
fn an_empty_file() {
    refused(b"", &[]);
}

#[test]
fn a_truncated_file() {
    let whole = std::fs::read(golden("tmaze")).unwrap();
    for len in [4, 8, 100, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..len], &[]);
    }
}

#[test]
fn a_header_that_claims_an_exabyte() {
    let mut file = (1_u64 << 60).to_le_bytes().to_vec();
    file.extend_from_slice(br#"{"A.0":{"dtype":"F64","shape":[2,2],"data_offsets":[0,32]}}"#);
    refused(&file, &[]);

    let header = br#"{"A.0":{"dtype":"F64","shape":[1073741824,1073741824],"data_offsets":[0,1152921504606846976]}}"#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header);
    refused(&file, &[]);
}

#[test]
fn a_column_that_sums_to_0_93() {
    tmaze_refused(|file| file.change("A.0", |a| a[0] -= 0.07), &["A.0", "0.93", "sum"]);
    tmaze_refused(|file| file.change("B.0", |b| b[0] -= 0.07), &["B.0", "0.93", "sum"]);
    tmaze_refused(|file| file.change("D.0", |d| d[0] -= 0.07), &["D.0", "0.93", "sum"]);
}

#[test]
fn not_a_number() {
    tmaze_refused(|file| file.change("C.1", |c| c[2] = f64::NAN), &["C.1", "NaN", "2"]);
    tmaze_refused(|file| file.change("A.0", |a| a[3] = f64::NAN), &["A.0", "NaN"]);
    tmaze_refused(|file| file.change("C.1", |c| c[2] = f64::INFINITY), &["C.1", "inf", "2"]);
}

#[test]
fn a_negative_probability() {
    let negative = |a: &mut [f64]| {
        a[0] -= 1.25;
        a[5] += 1.25;
    };
    tmaze_refused(|file| file.change("A.0", negative), &["A.0", "-0.25"]);
}

#[test]
fn a_dependency_out_of_range() {
    let out = |file: &mut File| file.metadata["A_dependencies"][1] = serde_json::json!([0, 7]);
    tmaze_refused(out, &["A_dependencies", "7"]);
    let out = |file: &mut File| file.metadata["B_dependencies"][0] = serde_json::json!([9]);
    tmaze_refused(out, &["B_dependencies", "9"]);
}

#[test]
fn a_shape_that_contradicts_a_dependency() {
    let fewer = |file: &mut File| file.metadata["A_dependencies"][1] = serde_json::json!([0]);
    tmaze_refused(fewer, &["A.1"]);
}

#[test]
fn unknown_names_in_a_model() {
    tmaze_refused(|file| file.metadata["agent"]["gama"] = 3.into(), &["gama"]);
    tmaze_refused(|file| file.metadata["A_dependences"] = 3.into(), &["A_dependences"]);
    tmaze_refused(|file| file.metadata["format"] = 99.into(), &["format", "99"]);
    tmaze_refused(|file| file.metadata["dialect"] = "pymdp-7".into(), &["pymdp-7"]);
    let stray = |file: &mut File| {
        let raw = Raw { dtype: Dtype::F64, shape: vec![1], bytes: vec![0; 8] };
        file.tensors.insert("Q.0".into(), raw);
    };
    tmaze_refused(stray, &["Q.0"]);
}

#[test]
fn a_tensor_that_is_missing() {
    tmaze_refused(|file| drop(file.tensors.remove("A.0")), &["A.0"]);
    tmaze_refused(|file| drop(file.tensors.remove("A.1")), &["A"]);
}

#[test]
fn an_observation_out_of_range() {
    for (value, shown) in [(7, "7"), (-2, "-2")] {
        let mut file = File::read(&golden("tmaze"));
        let raw = file.tensors.get_mut("observations").unwrap();
        // Step 2, modality 1, of three.
        raw.bytes[4 * (2 * 3 + 1)..][..4].copy_from_slice(&i32::to_le_bytes(value));
        let place = Place::new();
        place.write("bad.safetensors", file.bytes());
        place
            .run(&["infer", "bad.safetensors", "-o", "out.safetensors"])
            .refused(2, &["bad.safetensors", "observations", shown]);
        assert_eq!(place.files(), ["bad.safetensors"]);
    }
}

#[test]
fn an_unknown_key_in_a_scenario() {
    let place = Place::new();
    place.write("s.toml", "[run]\nseed = 1\n\n[population]\nagnets = 10\n");
    place.run(&["run", "s.toml"]).refused(2, &["s.toml:5", "agnets", "did you mean `agents`?"]);
    place.write("s.toml", "[populaton]\nagents = 10\n");
    place.run(&["run", "s.toml"]).refused(2, &["s.toml:1", "populaton", "`population`?"]);
}

#[test]
fn an_unknown_flag() {
    let place = Place::new();
    place.run(&["run", "--agnets", "3"]).refused(2, &["--agnets", "--agents"]);
    place.run(&["inspct"]).refused(2, &["inspct", "inspect"]);
    // What comes with later issues is unknown, not silently accepted.
    for later in ["--record", "--report", "--serve"] {
        place.run(&["run", later, "x"]).refused(2, &[later]);
    }
}

#[test]
fn a_mass_or_a_tolerance_out_of_range() {
    let place = Place::new();
    for mass in ["0.6", "-0.1", "nan"] {
        let flag = format!("--mass={mass}");
        place.run(&["run", &flag]).refused(2, &["mass", "0.5"]);
    }
    place.run(&["run", "--tolerance", "0"]).refused(2, &["tolerance: 0"]);
    place.run(&["run", "--mass", "little"]).refused(2, &["--mass", "little"]);
    place.run(&["run", "--belief", "f61"]).refused(2, &["f61", "f16"]);
}

#[test]
fn a_budget_in_potatoes() {
    let place = Place::new();
    place.run(&["run", "--budget", "12 potatoes"]).refused(2, &["--budget", "12 potatoes"]);
    place.write("s.toml", "[memory]\nbudget = \"12 potatoes\"\n");
    place.run(&["run", "s.toml"]).refused(2, &["s.toml:2", "potatoes"]);
}

#[test]
fn no_agents() {
    let place = Place::new();
    place.run(&["run", "--agents", "0"]).refused(2, &["agents", "0"]);
    place.run(&["run", "--agents", "-3"]).refused(2, &["--agents", "-3"]);
    place.run(&["run", "--agents", "many"]).refused(2, &["agents", "many"]);
    place.write("s.toml", "[population]\nagents = 0\n");
    place.run(&["run", "s.toml"]).refused(2, &["agents", "0"]);
    let tmaze = golden("tmaze");
    place.run(&["infer", tmaze.to_str().unwrap(), "--agents", "0"]).refused(2, &["agents", "0"]);
}

#[test]
fn a_million_million_agents() {
    let place = Place::new();
    let many = "1000000000000";
    place.run_confined(&["run", "--agents", many, "--trace", "t"]).refused(3, &["256.0 MiB"]);
    let tmaze = golden("tmaze");
    place
        .run_confined(&["infer", tmaze.to_str().unwrap(), "--agents", many, "-o", "out"])
        .refused(3, &[]);
    assert!(place.files().is_empty());
}

#[test]
fn values_that_cannot_be() {
    let place = Place::new();
    for (flag, value) in [
        ("--threads", "0"),
        ("--threads", "1000000"),
        ("--chunk", "0"),
        ("--steps", "0"),
        ("--precision", "f8"),
        ("--seed", "x"),
        ("--mass", "-0.5"),
        ("--tolerance", "NaN"),
        ("--budget", "-5"),
        ("--agent-budget", "-5"),
        ("--demote", "f8"),
        ("--history", "-1"),
    ] {
        place.run(&["run", flag, value]).refused(2, &[&flag[2..], value]);
    }
    place.run(&["run", "--checkpoint", "c", "--every", "-1"]).refused(2, &["--every", "-1"]);
    for (toml, culprits) in [
        ("[model]\nside = 2\n", ["side: is 2", "s.toml"]),
        ("[model]\nslip = 1.5\n", ["slip", "1.5"]),
        ("[model]\nnoise = -0.5\n", ["noise", "-0.5"]),
        ("[model]\nbuiltin = \"gird\"\n", ["gird", "did you mean grid?"]),
        ("[model]\nbuiltin = \"tmaze\"\nside = 9\n", ["side", "tmaze"]),
        ("[model]\nbuiltin = \"grid\"\npath = \"x\"\n", ["path", "builtin"]),
        ("[environment]\nkind = \"mujoco\"\n", ["mujoco", "generative"]),
        ("[population]\nagents = \"ten\"\n", ["s.toml:2", "ten"]),
        ("[run\n", ["s.toml:1", ""]),
        ("[run]\nsteps = -1\n", ["s.toml:2", "expected a whole number from 0 on"]),
        ("[population]\nbudget = nan\n", ["s.toml:2", "a number of bytes"]),
        ("[lifecycle]\nretire = nan\n", ["retire: NaN", "s.toml"]),
        ("[lifecycle]\nstore = \"\"\nhibernate = 0.1\n", ["store: is empty", "s.toml"]),
    ] {
        place.write("s.toml", toml);
        place.run(&["run", "s.toml"]).refused(2, &culprits);
    }
    place.write("s.toml", b"\xff\xfe");
    place.run(&["run", "s.toml"]).refused(2, &["s.toml"]);
    // More than can ever be held: not even the file where they would rest is made.
    let file = "[lifecycle]\nspawn = 9000000000000000000\nstore = \"rest\"\nhibernate = 0.1\n";
    place.write("s.toml", file);
    place.run(&["run", "s.toml", "--checkpoint", "c"]).refused(3, &["agents need"]);
    assert_eq!(place.files(), ["s.toml"]);
}
