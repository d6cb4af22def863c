//! What is measured.

use std::io::Write;

use populace_agent::models::{self, Builtin, GridOptions};
use populace_agent::random::{Purpose, Stream};
use populace_agent::{Model, Precision, Sophisticated, Tensor};
use populace_population::{Belief, Settings};

use crate::failure::{Failure, Outcome};

/// One benchmark: a population of a model.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) agents: u64,
    pub(super) belief: Belief,
    pub(super) model: fn() -> Outcome<Model>,
    /// What an answer may differ from the oracle's by, of max(1, |value|).
    pub(super) tolerance: f64,
}

/// Every benchmark.
pub(super) const CASES: [Case; 9] = [
    // The main job: deterministic moves, beliefs of at most 16 states.
    Case {
        name: "grid-sparse",
        agents: 1_000_000,
        belief: Belief::Sparse,
        model: grid::<20>,
        tolerance: 1e-4,
    },
    Case {
        name: "grid-dense",
        agents: 100_000,
        belief: Belief::Dense,
        model: grid::<20>,
        tolerance: 1e-4,
    },
    Case {
        name: "grid-50",
        agents: 100_000,
        belief: Belief::Auto,
        model: grid::<50>,
        tolerance: 1e-4,
    },
    // Every action may slip, so beliefs spread again and again: about as costly as a grid gets.
    Case {
        name: "grid-slip",
        agents: 20_000,
        belief: Belief::Auto,
        model: slippery,
        tolerance: 1e-4,
    },
    // 400 × 400 likelihoods, all random: matrix products and nothing to skip.
    Case {
        name: "dense-400",
        agents: 2_000,
        belief: Belief::Dense,
        model: dense400,
        tolerance: 1e-4,
    },
    // Three factors of 8 states, three dense modalities, 27 policies, 16 iterations.
    Case {
        name: "dense888",
        agents: 20_000,
        belief: Belief::Dense,
        model: dense888,
        tolerance: 5e-2,
    },
    Case { name: "tmaze", agents: 200_000, belief: Belief::Auto, model: tmaze, tolerance: 1e-4 },
    // Sophisticated inference three steps deep, which the reference runs an agent at a time.
    Case {
        name: "sophisticated",
        agents: 1_000,
        belief: Belief::Auto,
        model: sophisticated,
        tolerance: 1e-4,
    },
    // The latency of one agent's step.
    Case { name: "infer-one", agents: 1, belief: Belief::Auto, model: grid::<20>, tolerance: 1e-4 },
];

impl Case {
    /// The settings of a run, in single precision and with room to spare.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            agents: self.agents,
            budget_bytes: 4 << 30,
            threads: 1,
            belief: self.belief,
            precision: Precision::F32,
            ..Settings::default()
        }
    }
}

pub(super) fn grid<const SIDE: usize>() -> Outcome<Model> {
    Ok(models::grid(&GridOptions { side: SIDE, ..GridOptions::default() })?)
}

pub(super) fn slippery() -> Outcome<Model> {
    Ok(models::grid(&GridOptions { slip: 0.1, ..GridOptions::default() })?)
}

/// The grid's certain moves under a random likelihood: cubed uniform numbers, columns normalised.
pub(super) fn dense400() -> Outcome<Model> {
    const STATES: usize = 400;
    let stream = Stream::new(0, 0, Purpose::Observe);
    let mut likelihood: Vec<f64> =
        (0..STATES * STATES).map(|entry| stream.uniform(entry as u64).powi(3)).collect();
    for state in 0..STATES {
        let sum: f64 = likelihood.iter().skip(state).step_by(STATES).sum();
        likelihood.iter_mut().skip(state).step_by(STATES).for_each(|p| *p /= sum);
    }
    let mut model = grid::<20>()?;
    model.a = vec![Tensor::dense([STATES, STATES], likelihood)?];
    Ok(model)
}

pub(super) fn tmaze() -> Outcome<Model> {
    Ok(Builtin::Tmaze.model()?)
}

/// The T-maze, where agents search what they may observe and do in the next three steps.
fn sophisticated() -> Outcome<Model> {
    let mut model = tmaze()?;
    model.arguments.policy_len = 1;
    model.sophisticated = Some(Sophisticated { horizon: 3, ..Sophisticated::default() });
    Ok(model)
}

/// The file is a part of the binary, so that benchmarks run wherever it is.
const DENSE888: &[u8] = include_bytes!("../../../../../benches/dense888.safetensors");

fn dense888() -> Outcome<Model> {
    let unwritable = |error| Failure::unwritable(&std::env::temp_dir(), &error);
    let mut file = tempfile::NamedTempFile::new().map_err(unwritable)?;
    file.write_all(DENSE888).map_err(unwritable)?;
    Ok(Model::load(file.path())?)
}
