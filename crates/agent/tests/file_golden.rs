//! Every golden file is a model file: it loads, and comes back from disk bit for bit.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use populace_agent::{Dialect, Model, ModelFile, Observations, Recording, Values};
use safetensors::SafeTensors;

fn golden() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    let folders = ["pymdp-0", "pymdp-1"].map(|folder| root.join(folder));
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 66);
    files
}

fn open(path: &Path) -> (Model, Recording) {
    let mut file = ModelFile::open(path).unwrap();
    let model = file.model().unwrap();
    let recording = file.recording(&model).unwrap().unwrap();
    (model, recording)
}

#[test]
fn every_file_loads_and_round_trips() {
    let folder = tempfile::tempdir().unwrap();
    for path in golden() {
        let (model, recording) = open(&path);
        let folder_name = path.parent().unwrap().file_name().unwrap();
        let dialect = if folder_name == "pymdp-0" { Dialect::Pymdp0 } else { Dialect::Pymdp1 };
        assert_eq!(model.dialect, dialect);

        let copy = folder.path().join("copy.safetensors");
        model.save_with(&copy, &recording).unwrap();
        assert_eq!(open(&copy), (model, recording), "{}", path.display());

        // The format's own library reads the copy, and every tensor that is no answer has the
        // same bytes in both.
        let (ours, theirs) = (std::fs::read(&copy).unwrap(), std::fs::read(&path).unwrap());
        let ours = SafeTensors::deserialize(&ours).unwrap();
        for (name, tensor) in SafeTensors::deserialize(&theirs).unwrap().iter() {
            if !name.starts_with("expect.") {
                let own = ours.tensor(name).unwrap();
                assert_eq!(own.dtype(), tensor.dtype(), "{name}");
                assert_eq!(own.shape(), tensor.shape(), "{name}");
                assert_eq!(own.data(), tensor.data(), "{name}");
            }
        }
    }
}

#[test]
fn sparse_copies_round_trip() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.safetensors");
    for path in golden() {
        let (mut model, _) = open(&path);
        model.a.iter_mut().chain(&mut model.b).for_each(|tensor| *tensor = tensor.to_sparse());
        model.p_a.iter_mut().for_each(|tensor| *tensor = tensor.to_sparse());
        model.save(&copy).unwrap();
        assert_eq!(Model::load(&copy).unwrap(), model, "{}", path.display());
    }
}

#[test]
fn answers_stand_beside_the_model() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden/pymdp-1/factored_soft_observations.safetensors");
    let mut file = ModelFile::open(&path).unwrap();
    let model = file.model().unwrap();
    let recording = file.recording(&model).unwrap().unwrap();
    assert!(matches!(&recording.observations, Observations::Soft(all) if all.len() == 3));

    let beliefs = file.tensor("expect.qs.0").unwrap().unwrap();
    assert_eq!(beliefs.shape, [recording.steps, 4]);
    let first: f64 = beliefs.values.to_f64()[..4].iter().sum();
    assert!((first - 1.0).abs() < 1e-12);
    let action = file.tensor("expect.action").unwrap().unwrap();
    assert!(matches!(action.values, Values::I32(_)));
    assert!(file.tensor("expect.nothing").unwrap().is_none());
}

#[test]
fn numbers_keep_every_bit_through_the_json() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.safetensors");
    let (mut model, _) = open(&golden()[0]);
    for gamma in [0.1 + 0.2, 1.0 / 3.0, 5e-324, f64::MAX, -0.0, 16.0] {
        model.arguments.gamma = gamma;
        model.save(&path).unwrap();
        assert_eq!(Model::load(&path).unwrap().arguments.gamma.to_bits(), gamma.to_bits());
    }
}
