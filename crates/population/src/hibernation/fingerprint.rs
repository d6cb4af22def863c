//! What a record means depends on the model and on how records are laid out: a hash of both.

use std::fmt::{self, Write};
use std::hash::Hasher;

use populace_agent::{Model, Tensor};
use twox_hash::XxHash3_64;

use crate::Settings;

/// A hash of the contents of a model and of the settings that records depend on.
pub(crate) fn fingerprint(model: &Model, settings: &Settings) -> u64 {
    let mut hash = Fingerprint(XxHash3_64::new());
    let Settings { belief, mass, tolerance, precision, .. } = settings;
    let Model { dialect, a_dependencies, b_dependencies, b_action_dependencies, .. } = model;
    let Model { num_controls, policies, arguments, sophisticated, e, .. } = model;
    // Numbers are printed so that they can be read back, each its own text.
    let parts: [&dyn fmt::Debug; 13] = [
        belief,
        mass,
        tolerance,
        precision,
        dialect,
        a_dependencies,
        b_dependencies,
        b_action_dependencies,
        num_controls,
        policies,
        arguments,
        sophisticated,
        e,
    ];
    for part in parts {
        // Writing into a hash cannot fail.
        let _ = write!(hash, "{part:?};");
    }
    for family in
        [&model.a, &model.b, &model.c, &model.d, &model.p_a, &model.p_b, &model.p_d, &model.h]
    {
        hash.0.write_u64(family.len() as u64);
        family.iter().for_each(|tensor| hash.tensor(tensor));
    }
    hash.0.finish()
}

struct Fingerprint(XxHash3_64);

impl Fingerprint {
    fn tensor(&mut self, tensor: &Tensor) {
        let _ = write!(self, "{:?}", tensor.shape());
        for column in 0..tensor.columns() {
            for (row, value) in tensor.column(column).filter(|&(_, value)| value != 0.0) {
                self.0.write_u64(row as u64);
                self.0.write_u64(value.to_bits());
            }
            self.0.write_u64(u64::MAX);
        }
    }
}

impl Write for Fingerprint {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}
