//! Whatever is done to a file, reading it answers with a model or a line, never with a panic.
//!
//! Bits are flipped and ends cut off at places that a fixed generator draws; the fuzz target
//! `fuzz/fuzz_targets/model_file.rs` goes on where this stops.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use populace_agent::{Model, ModelFile};

/// SplitMix64.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) % bound as u64) as usize
    }
}

/// Reads all that can be read; true where the file was taken for sound.
fn read(bytes: Vec<u8>) -> bool {
    let one_line = |error: populace_agent::Error| assert!(!error.to_string().contains('\n'));
    let Ok(mut file) = ModelFile::from_bytes("m", bytes).map_err(one_line) else { return false };
    let names: Vec<String> = file.names().map(str::to_owned).collect();
    for name in names {
        let _ = file.tensor(&name).map_err(one_line);
    }
    let Ok(model) = file.model().map_err(one_line) else { return false };
    let _ = file.recording(&model).map_err(one_line);
    model.policy_count().is_ok()
}

#[test]
fn no_mutation_panics() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    let mut draws = Draws(1);
    let mut sound = 0;
    for name in [
        "pymdp-1/sophisticated_h1.safetensors",
        "pymdp-1/learn_soft.safetensors",
        "pymdp-1/multi_action_uncontrolled.safetensors",
        "pymdp-1/edges_given_policies.safetensors",
        "pymdp-0/v0_learn_D.safetensors",
    ] {
        let mut original = std::fs::read(golden.join(name)).unwrap();
        // Sparse parts, too.
        let mut model = Model::load(golden.join(name)).unwrap();
        model.b.iter_mut().for_each(|tensor| *tensor = tensor.to_sparse());
        for form in 0..2 {
            if form == 1 {
                model.save(&path).unwrap();
                original = std::fs::read(&path).unwrap();
            }
            let header = 8 + u64::from_le_bytes(original[..8].try_into().unwrap()) as usize;
            for round in 0..4000 {
                let mut bytes = original.clone();
                // Most of what can go wrong stands in the header.
                let reach = if round % 4 == 0 { bytes.len() } else { header };
                for _ in 0..=draws.below(3) {
                    let place = draws.below(reach);
                    bytes[place] ^= 1 << draws.below(8);
                }
                if round % 5 == 0 {
                    bytes.truncate(draws.below(bytes.len()));
                }
                sound += usize::from(read(bytes));
            }
        }
    }
    // Some mutations touch nothing that matters; most are found out.
    assert!((1..10_000).contains(&sound), "{sound} of 40,000 were taken for sound");
}
