//! What a record means depends on the model, on how records are laid out and on the world: a hash of
//! these. And a hash of all that a run follows from.

use std::fmt::{self, Write};
use std::hash::Hasher;

use populace_agent::{Model, Tensor};
use twox_hash::XxHash3_64;

use crate::{Schedule, Settings};

/// A hash of all that a run of agents that come and go follows from: runs with the same are the same,
/// tick by tick.
pub(crate) fn fingerprint_of_run(
    model: &Model,
    world: &Model,
    settings: &Settings,
    schedule: &Schedule,
) -> u64 {
    let mut hash = Fingerprint(XxHash3_64::new());
    hash.0.write_u64(fingerprint(model, settings, 0));
    hash.0.write_u64(fingerprint(world, settings, 0));
    let Schedule { every, spawn, retire, lifetime, hibernate, wake, store: _ } = schedule;
    let Settings { agents, seed, .. } = settings;
    let parts: [&dyn fmt::Debug; 8] =
        [agents, seed, every, spawn, retire, lifetime, hibernate, wake];
    for part in parts {
        let _ = write!(hash, "{part:?};");
    }
    hash.0.finish()
}

/// A hash of the contents of a model and of what records depend on besides: settings, and how many bytes
/// an agent has in its world.
pub(crate) fn fingerprint(model: &Model, settings: &Settings, state_bytes: usize) -> u64 {
    let mut hash = Fingerprint(XxHash3_64::new());
    let Settings { belief, mass, tolerance, precision, .. } = settings;
    let Model { dialect, a_dependencies, b_dependencies, b_action_dependencies, .. } = model;
    if state_bytes > 0 {
        hash.0.write_u64(state_bytes as u64);
    }
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
