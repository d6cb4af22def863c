//! Bad files: one line each, which names the culprit, its value and the rule; never a panic, never
//! memory on a stranger's word.
#![allow(clippy::unwrap_used, clippy::type_complexity)]

use std::path::{Path, PathBuf};

use populace_agent::{ErrorKind, Model, ModelFile, Recording};

/// Files of one test, by name.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join("m.safetensors");
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

/// A file of a header and data.
fn raw(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

/// The error without the path, which must come first.
fn refusal(path: &Path, error: populace_agent::Error) -> String {
    let line = error.to_string();
    assert!(!line.contains('\n'), "{line}");
    let prefix = format!("{}: ", path.display());
    line.strip_prefix(&prefix).unwrap_or_else(|| panic!("no path: {line}")).to_owned()
}

fn load(path: &Path) -> String {
    let error = Model::load(path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    refusal(path, error)
}

/// A tensor by name: shape, dtype and values.
enum Numbers<'a> {
    F64(&'a [f64]),
    F32(&'a [f32]),
    I32(&'a [i32]),
    U32(&'a [u32]),
    U64(&'a [u64]),
}

fn file(json: &str, tensors: &[(&str, &[usize], Numbers<'_>)]) -> Vec<u8> {
    let mut data: Vec<u8> = Vec::new();
    let mut header = format!("{{\"__metadata__\":{{\"populace\":{}}}", quoted(json));
    for (name, shape, numbers) in tensors {
        let start = data.len();
        let dtype = match numbers {
            Numbers::F64(all) => append(&mut data, all.iter().map(|x| x.to_le_bytes()), "F64"),
            Numbers::F32(all) => append(&mut data, all.iter().map(|x| x.to_le_bytes()), "F32"),
            Numbers::I32(all) => append(&mut data, all.iter().map(|x| x.to_le_bytes()), "I32"),
            Numbers::U32(all) => append(&mut data, all.iter().map(|x| x.to_le_bytes()), "U32"),
            Numbers::U64(all) => append(&mut data, all.iter().map(|x| x.to_le_bytes()), "U64"),
        };
        header += &format!(
            ",\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape:?},\"data_offsets\":[{start},{}]}}",
            data.len()
        );
    }
    raw(&(header + "}"), &data)
}

fn append<const N: usize>(
    data: &mut Vec<u8>,
    numbers: impl Iterator<Item = [u8; N]>,
    dtype: &'static str,
) -> &'static str {
    data.extend(numbers.flatten());
    dtype
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\\\""))
}

use Numbers::{F32, F64, I32, U32, U64};

const A: (&str, &[usize], Numbers<'static>) = ("A.0", &[2, 2], F64(&[1.0, 0.5, 0.0, 0.5]));
const B: (&str, &[usize], Numbers<'static>) = ("B.0", &[2, 2, 1], F64(&[1.0, 0.0, 0.0, 1.0]));

#[test]
fn the_sound_file_of_these_tests_loads() {
    let folder = Folder::new();
    let model = Model::load(folder.file(&file("{}", &[A, B]))).unwrap();
    assert_eq!((model.num_states(), model.num_obs()), (vec![2], vec![2]));
}

#[test]
fn what_is_no_safetensors_file() {
    let folder = Folder::new();
    let missing = folder.0.path().join("none.safetensors");
    assert_eq!(load(&missing), "cannot be read: No such file or directory (os error 2)");
    assert_eq!(load(folder.0.path()), "cannot be read: it is not a regular file");

    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    let huge = (1_u64 << 60).to_le_bytes();
    let long = [&(5_u64 << 20).to_le_bytes()[..], &vec![b' '; 5 << 20]].concat();
    let cases: &[(&[u8], &str)] = &[
        (b"", "the file is empty"),
        (b"\x01\x02", "not a safetensors file: 2 bytes are too few"),
        (
            png,
            "not a safetensors file, or cut short: its header claims 727905341920923785 bytes, but \
             8 follow",
        ),
        (
            &huge,
            "not a safetensors file, or cut short: its header claims 1152921504606846976 bytes, \
             but 0 follow",
        ),
        (&long, "its header claims 5242880 bytes, and at most 4194304 are read"),
        (
            &raw("\u{1}", &[])[..8],
            "not a safetensors file, or cut short: its header claims 1 bytes, but 0 follow",
        ),
    ];
    for (bytes, message) in cases {
        assert_eq!(load(&folder.file(bytes)), *message);
    }
    let mut not_utf8 = raw("{}xx", &[]);
    not_utf8[9] = 0xFF;
    assert_eq!(
        load(&folder.file(&not_utf8)),
        "not a safetensors file: its header is not UTF-8 (invalid utf-8 sequence of 1 bytes from \
         index 1)"
    );
}

#[test]
fn headers_that_cannot_be() {
    let folder = Folder::new();
    let one = |dtype: &str, shape: &str, range: &str| {
        format!("{{\"A.0\":{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":{range}}}}}")
    };
    let two = |first: &str, second: &str| {
        format!(
            "{{\"A.0\":{{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":{first}}},\
             \"B.0\":{{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":{second}}}}}"
        )
    };
    let cases = [
        (
            "[]".into(),
            0,
            "its header is not what safetensors has: invalid type: sequence, expected an object of tensors at line 1 column 0",
        ),
        (
            "{".into(),
            0,
            "its header is not what safetensors has: EOF while parsing an object at line 1 column 1",
        ),
        (
            r#"{"A.0":{"dtype":"F64"}}"#.into(),
            0,
            "its header is not what safetensors has: missing field `shape` at line 1 column 22",
        ),
        (
            one("F64", "[-1]", "[0,8]"),
            8,
            "its header is not what safetensors has: invalid value: integer `-1`, expected usize at line 1 column 33",
        ),
        (
            one("F64", "[2]", "[0,16]"),
            8,
            "A.0: its data are bytes 0 to 16, but the file has 8 (cut short?)",
        ),
        (
            one("F64", "[1]", "[8,0]"),
            8,
            "A.0: its data are bytes 8 to 0, but the file has 8 (cut short?)",
        ),
        (one("F64", "[2]", "[0,8]"), 8, "A.0: shape (2,) of F64 is not 8 bytes of data"),
        (
            one("F64", "[4294967296,4294967296]", "[0,8]"),
            8,
            "A.0: shape (4294967296, 4294967296) of F64 is not 8 bytes of data",
        ),
        (
            one("F64", "[18446744073709551615,0,18446744073709551615]", "[0,0]"),
            0,
            "A.0: shape (18446744073709551615, 0, 18446744073709551615) of F64 is not 0 bytes of data",
        ),
        (one("Q8", "[8]", "[0,8]"), 8, "A.0: its dtype is Q8, which is not known"),
        (one("F64", "[1]", "[0,8]"), 9, "the last 1 bytes belong to no tensor"),
        (one("F64", "[1]", "[8,16]"), 16, "A.0: bytes 0 to 8 before its data belong to no tensor"),
        (
            two("[0,8]", "[4,12]"),
            12,
            "B.0: its data, bytes 4 to 12, overlap those of A.0, which end at 8",
        ),
        (
            r#"{"A.0":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"A.0":1}"#.into(),
            0,
            "its header is not what safetensors has: A.0 comes twice at line 1 column 63",
        ),
        (
            r#"{"__metadata__":{"populace":"{}","populace":"{}"}}"#.into(),
            0,
            "its header is not what safetensors has: populace comes twice at line 1 column 49",
        ),
        (
            r#"{"A.\n":{"dtype":"U8","shape":[1],"data_offsets":[0,9]}}"#.into(),
            0,
            "A.\\n: its data are bytes 0 to 9, but the file has 0 (cut short?)",
        ),
        (
            r#"{"a.0":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#.into(),
            1,
            "a.0: is no tensor of a model (did you mean A.0?)",
        ),
        (
            r#"{"policys":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#.into(),
            1,
            "policys: is no tensor of a model (did you mean policies?)",
        ),
        (
            r#"{"A.00":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#.into(),
            1,
            "A.00: is no tensor of a model (did you mean A.0?)",
        ),
        (
            r#"{"C.0.indptr":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#.into(),
            1,
            "C.0.indptr: is no tensor of a model",
        ),
        ("{}".into(), 0, "is no model file: it has no metadata key `populace`"),
        (r#"{"__metadata__":{"popilace":"{}"}}"#.into(), 0, "unknown metadata key `popilace`"),
    ];
    for (header, bytes, message) in cases {
        let header: String = header;
        assert_eq!(load(&folder.file(&raw(&header, &vec![0; bytes]))), message, "{header}");
    }
}

#[test]
fn json_that_means_nothing() {
    let folder = Folder::new();
    let cases = [
        ("nonsense", "metadata `populace`: expected ident at line 1 column 2"),
        (
            "[]",
            "metadata `populace`: invalid type: sequence, expected an object at line 1 column 0",
        ),
        (
            r#"{"dialect":"pymdp-1","dialect":"pymdp-0"}"#,
            "metadata `populace`: dialect comes twice at line 1 column 41",
        ),
        (r#"{"format":2}"#, "format: is 2, and this version reads 1"),
        (r#"{"format":"1"}"#, "format: is \"1\", and this version reads 1"),
        (r#"{"dialekt":"pymdp-1"}"#, "unknown key `dialekt` (did you mean dialect?)"),
        (r#"{"dialect":"pymdp-2"}"#, "dialect: \"pymdp-2\" is not one of \"pymdp-1\", \"pymdp-0\""),
        (r#"{"A_dependencies":[0]}"#, "A_dependencies[0]: 0 is not a list"),
        (
            r#"{"A_dependencies":[[-1]]}"#,
            "A_dependencies[0][0]: -1 is not a whole number of at least 0",
        ),
        (
            r#"{"A_dependencies":[[3]]}"#,
            "A_dependencies[0]: 3 is out of range, there are 1 factors",
        ),
        (r#"{"num_controls":[1.5]}"#, "num_controls[0]: 1.5 is not a whole number of at least 0"),
        (
            r#"{"B_action_dependencies":[[]]}"#,
            "num_controls: is missing; B_action_dependencies needs it",
        ),
        (r#"{"agent":3}"#, "agent: 3 is not an object"),
        (
            r#"{"agent":{"polcy_len":1}}"#,
            "agent.polcy_len: there is no such argument (did you mean policy_len?)",
        ),
        (r#"{"agent":{"gamma":"high"}}"#, "agent.gamma: \"high\" is not a number"),
        (r#"{"agent":{"use_utility":1}}"#, "agent.use_utility: 1 is not true or false"),
        (
            r#"{"agent":{"inference_algo":"bp"}}"#,
            "agent.inference_algo: \"bp\" is not one of \"fpi\", \"mmp\", \"vmp\", \"ovf\", \"exact\", \"exact-joint\", \"VANILLA\"",
        ),
        (
            r#"{"agent":{"gamma":1,"alpha":2,"gamma":3}}"#,
            "metadata `populace`: gamma comes twice at line 1 column 40",
        ),
        (
            r#"{"sophisticated":{"horizon":1,"horizon":1}}"#,
            "metadata `populace`: horizon comes twice at line 1 column 42",
        ),
        (
            r#"{"agent":{"num_iter":10000000}}"#,
            "agent.num_iter: is 10000000, and at most 1000000 are made",
        ),
        (
            r#"{"agent":{"learn_E":true}}"#,
            "agent.learn_E: needs Dirichlet counts, but pE is missing",
        ),
        (r#"{"agent":{"policy_len":0}}"#, "agent.policy_len: is 0, not at least 1"),
        (r#"{"sophisticated":{"depth":3}}"#, "sophisticated.depth: there is no such argument"),
        (r#"{"sparse":{"B.0":[2,2,1]}}"#, "sparse: has a shape of B.0, but there is no B.0.indptr"),
        (r#"{"reference":7}"#, "reference: 7 is not a text"),
    ];
    for (json, message) in cases {
        assert_eq!(load(&folder.file(&file(json, &[A, B]))), message, "{json}");
    }
    let path = folder.file(&file(r#"{"agent":{"learn_C":true}}"#, &[A, B]));
    let error = Model::load(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(refusal(&path, error), "agent.learn_C: is true, and this version does only false");
}

#[test]
fn tensors_that_break_a_rule() {
    let folder = Folder::new();
    let sparse = r#"{"sparse":{"B.0":[2,2,1]}}"#;
    let vast = r#"{"sparse":{"A.0":[4294967295,2]}}"#;
    let cases: &[(&str, &[(&str, &[usize], Numbers<'_>)], &str)] = &[
        ("{}", &[B], "A.0: is missing"),
        ("{}", &[A], "B.0: is missing"),
        ("{}", &[A, B, ("A.2", &[2, 2], F64(&[1.0; 4]))], "A.1: is missing, but A.2 is there"),
        ("{}", &[A, ("B.0", &[4], I32(&[1, 0, 0, 1]))], "B.0: its dtype is I32, not F32 or F64"),
        ("{}", &[A, ("B.0", &[], F64(&[1.0]))], "B.0: has no axis, but at least one is needed"),
        (
            "{}",
            &[A, ("B.0", &[2, 2, 0], F64(&[]))],
            "B.0: shape (2, 2, 0) has nothing along axis 2",
        ),
        (
            "{}",
            &[A, ("B.0", &[4, 1, 1], F64(&[0.25; 4]))],
            "B.0: shape has 4 states to go to, but only 1 columns to come from",
        ),
        (
            "{}",
            &[A, ("B.0", &[2, 2, 1], F64(&[1.0, 0.03, 0.0, 0.9]))],
            "B.0: column (1, 0) sums to 0.93, not 1 (±1e-6)",
        ),
        (
            "{}",
            &[("A.0", &[2, 2], F32(&[1.0, f32::NAN, 0.0, 0.5])), B],
            "A.0: (0, 1) is NaN, not a probability",
        ),
        (
            "{}",
            &[A, B, ("C.0", &[2], F64(&[0.0, f64::NAN]))],
            "C.0: (1,) is NaN, not a finite number",
        ),
        ("{}", &[A, B, ("E", &[1, 1], F64(&[1.0]))], "E: shape is (1, 1), not (P,)"),
        ("{}", &[A, B, ("policies", &[1], I32(&[0]))], "policies: shape is (1,), not (P, T, F)"),
        (
            "{}",
            &[A, B, ("policies", &[1, 1, 1], I32(&[-1]))],
            "policies: -1 is not an action, which count from 0",
        ),
        (
            "{}",
            &[A, B, ("policies", &[1, 1, 1], I32(&[1]))],
            "policies: (0, 0, 0) is 1, but factor 0 has 1 actions",
        ),
        ("{}", &[A, B, ("B.0.values", &[1], F64(&[1.0]))], "B.0: is there twice, dense and sparse"),
        (
            "{}",
            &[A, ("B.0.values", &[1], F64(&[1.0]))],
            "B.0: is sparse and needs all of .indptr, .indices and .values",
        ),
        (
            "{}",
            &[
                A,
                ("B.0.indptr", &[3], U64(&[0, 1, 2])),
                ("B.0.indices", &[2], U32(&[0, 1])),
                ("B.0.values", &[2], F64(&[1.0; 2])),
            ],
            "B.0: is sparse, but the key `sparse` does not have its shape",
        ),
        (
            sparse,
            &[
                A,
                ("B.0.indptr", &[3], U64(&[0, 1, 2])),
                ("B.0.indices", &[2], I32(&[0, 1])),
                ("B.0.values", &[2], F64(&[1.0; 2])),
            ],
            "B.0.indices: its dtype is I32, not U32",
        ),
        (
            sparse,
            &[
                A,
                ("B.0.indptr", &[2], U64(&[0, 1])),
                ("B.0.indices", &[1], U32(&[0])),
                ("B.0.values", &[1], F64(&[1.0])),
            ],
            "B.0: indptr has 2 entries, but 2 columns need 3",
        ),
        (
            sparse,
            &[
                A,
                ("B.0.indptr", &[3], U64(&[0, 1, 2])),
                ("B.0.indices", &[2], U32(&[0, 2])),
                ("B.0.values", &[2], F64(&[1.0; 2])),
            ],
            "B.0: column (1, 0): row 2 is out of range, there are 2",
        ),
        (
            vast,
            &[
                B,
                ("A.0.indptr", &[3], U64(&[0, 1, 2])),
                ("A.0.indices", &[2], U32(&[0, 1])),
                ("A.0.values", &[2], F64(&[1.0; 2])),
            ],
            "C.0: is missing; for 4294967295 outcomes it must be given",
        ),
    ];
    for (json, tensors, message) in cases {
        assert_eq!(load(&folder.file(&file(json, tensors))), *message);
    }
}

/// Nothing takes long or much memory because a file has many of something.
#[test]
fn files_of_very_many_tensors() {
    let folder = Folder::new();
    let many = |count: usize, axes: usize| {
        let shape = vec!["1"; axes].join(",");
        let mut header = "{\"__metadata__\":{\"populace\":\"{}\"}".to_owned();
        for index in 0..count {
            for (place, family) in ["A", "B"].iter().enumerate() {
                let start = 4 * (2 * index + place);
                header += &format!(
                    ",\"{family}.{index}\":{{\"dtype\":\"F32\",\"shape\":[{shape}],\"data_offsets\":[{start},{}]}}",
                    start + 4
                );
            }
        }
        raw(&(header + "}"), &1.0_f32.to_le_bytes().repeat(2 * count))
    };
    assert_eq!(
        load(&folder.file(&many(20_000, 2))),
        "A_dependencies: are missing; for 20000 modalities and 20000 factors they must be given"
    );
    assert_eq!(
        load(&folder.file(&many(1, 300_000))),
        "A.0: shape is (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, … 300000 in all), not (1, 1) \
         (A_dependencies [0])"
    );
}

#[test]
fn recordings_that_do_not_fit() {
    let folder = Folder::new();
    let soft = r#"{"agent":{"categorical_obs":true}}"#;
    let old = r#"{"dialect":"pymdp-0"}"#;
    let cases: &[(&str, &[(&str, &[usize], Numbers<'_>)], &str)] = &[
        (
            "{}",
            &[A, B, ("observations", &[2], I32(&[0, 1]))],
            "observations: shape is (2,), not (steps, 1)",
        ),
        ("{}", &[A, B, ("observations", &[0, 1], I32(&[]))], "observations: there are no steps"),
        (
            "{}",
            &[A, B, ("observations", &[2, 1], F64(&[0.0; 2]))],
            "observations: its dtype is F64, not I32",
        ),
        (
            "{}",
            &[A, B, ("observations", &[2, 1], I32(&[-1, 2]))],
            "observations: (1, 0) is 2, out of range of the 2 outcomes of A.0, and is not -1 (missing)",
        ),
        (
            old,
            &[A, B, ("observations", &[2, 1], I32(&[0, -1]))],
            "observations: (1, 0) is -1, out of range of the 2 outcomes of A.0 (pymdp-0 knows no missing observations)",
        ),
        (
            soft,
            &[A, B, ("observations", &[2, 1], I32(&[0, 1]))],
            "observations: are discrete, but agent.categorical_obs asks for soft ones, observations.0 and so on",
        ),
        (
            "{}",
            &[A, B, ("observations.0", &[1, 2], F64(&[0.5; 2]))],
            "observations.0: is soft, but agent.categorical_obs is false",
        ),
        (
            soft,
            &[A, B, ("observations.0", &[1, 2], F64(&[0.5, 0.4]))],
            "observations.0: step 0 sums to 0.9, not 1 (±1e-4), nor 0 (missing)",
        ),
        (
            soft,
            &[A, B, ("observations.0", &[1, 2], F64(&[2.0, -1.0]))],
            "observations.0: (0, 1) is -1, not a probability",
        ),
        (soft, &[A, B, ("observations.1", &[1, 2], F64(&[0.5; 2]))], "observations.0: is missing"),
        (
            soft,
            &[
                A,
                B,
                ("observations.0", &[1, 2], F64(&[0.5; 2])),
                ("observations.1", &[1, 2], F64(&[0.5; 2])),
            ],
            "observations.1: is one too many, there are 1 modalities",
        ),
        (
            "{}",
            &[
                A,
                B,
                ("observations", &[1, 1], I32(&[0])),
                ("observations.0", &[1, 2], F64(&[0.5; 2])),
            ],
            "observations: are there twice, discrete and soft",
        ),
        ("{}", &[A, B, ("actions", &[1, 1], I32(&[0]))], "actions: are there without observations"),
        (
            "{}",
            &[A, B, ("observations", &[1, 1], I32(&[0])), ("actions", &[2, 1], I32(&[0; 2]))],
            "actions: there are 2 steps, but 1 of observations",
        ),
        (
            "{}",
            &[A, B, ("observations", &[1, 1], I32(&[0])), ("actions", &[1, 1], I32(&[1]))],
            "actions: (0, 0) is 1, but factor 0 has 1 actions",
        ),
        (
            "{}",
            &[A, B, ("observations", &[1, 1], I32(&[0])), ("actions", &[1, 1], I32(&[-1]))],
            "actions: (0, 0) is -1, below 0",
        ),
    ];
    for (json, tensors, message) in cases {
        let path = folder.file(&file(json, tensors));
        let mut file = ModelFile::open(&path).unwrap();
        let model = file.model().unwrap();
        assert_eq!(refusal(&path, file.recording(&model).unwrap_err()), *message);
    }
    let path = folder.file(&file("{}", &[A, B]));
    let model = Model::load(&path).unwrap();
    assert_eq!(
        refusal(&path, Recording::load(&path, &model).unwrap_err()),
        "observations: are missing"
    );
    // A recording may stand alone, without a model's JSON.
    let path = folder.file(&raw(
        r#"{"observations":{"dtype":"I32","shape":[2,1],"data_offsets":[0,8]}}"#,
        &[1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF],
    ));
    assert_eq!(Recording::load(&path, &model).unwrap().steps, 2);
}

#[test]
fn an_output_that_cannot_be_written() {
    let folder = Folder::new();
    let model = Model::load(folder.file(&file("{}", &[A, B]))).unwrap();
    let missing = folder.0.path().join("none/m.safetensors");
    for path in [missing.as_path(), folder.0.path()] {
        let error = model.save(path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        let line = refusal(path, error);
        assert!(line.starts_with("cannot be written: "), "{line}");
    }
    // Nothing is left behind, and a device is not replaced.
    assert_eq!(std::fs::read_dir(folder.0.path()).unwrap().count(), 1);
    model.save("/dev/null").unwrap();
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
}
