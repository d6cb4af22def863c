//! A benchmark's answers, held against the oracle before anything is timed.
//!
//! A small population of the case runs a few ticks; then two of its agents are replayed twice, by
//! the engine (through `infer`, with the settings that are timed) and by the oracle. Beliefs and
//! policies must agree, and every action taken must be one that the oracle could have drawn.

use std::path::Path;

use populace_agent::{Model, NamedTensor, Observations, Recording};
use populace_population::{Settings, Simulation, infer};

use super::super::infer::answers;
use super::cases::Case;
use crate::failure::{Failure, Outcome};
use crate::flags::Precision;

const AGENTS: u64 = 40;
const TICKS: u64 = 6;

/// Refuses a case whose answers are not the oracle's.
pub(super) fn against_oracle(case: &Case) -> Outcome {
    let model = (case.model)()?;
    let settings = Settings { agents: case.agents.min(AGENTS), ..case.settings() };
    let scratch =
        tempfile::tempdir().map_err(|error| Failure::unwritable(&std::env::temp_dir(), &error))?;
    for agent in [0, settings.agents as usize - 1] {
        let recording = record(&model, &settings, agent)?;
        let ours = infer(&model, &recording, &Settings { agents: 1, ..settings.clone() })?;
        let file = scratch.path().join("case.safetensors");
        model.save_with(&file, &recording)?;
        compare(case, &answers(&model, ours, Precision::F32), &file).map_err(|difference| {
            Failure::other(format!("{}: agent {agent}: {difference}", case.name))
        })?;
    }
    Ok(())
}

/// What one agent of a population saw and did.
fn record(model: &Model, settings: &Settings, agent: usize) -> Outcome<Recording> {
    let mut simulation = Simulation::new(model, None, settings, TICKS, true)?;
    let (mut observations, mut actions) = (Vec::new(), Vec::new());
    for _ in 0..TICKS {
        simulation.tick()?;
        let row = |all: &[i32], width: usize| {
            all.iter().skip(agent * width).take(width).copied().collect::<Vec<_>>()
        };
        observations.extend(row(simulation.observations(), model.modalities()));
        actions.extend(row(simulation.actions(), model.factors()).into_iter().map(|u| u as u32));
    }
    Ok(Recording {
        steps: TICKS as usize,
        observations: Observations::Discrete(observations),
        actions: Some(actions),
    })
}

fn compare(case: &Case, ours: &[NamedTensor], file: &Path) -> Result<(), String> {
    let reference = populace_oracle::load(file)?;
    let actions = reference.actions.as_deref();
    let steps = populace_oracle::replay(&reference.problem, &reference.observations, actions);
    for (step, taken) in steps.iter().zip(actions.unwrap_or_default()) {
        let possible = step.action_probabilities.iter().any(|(it, p)| it == taken && *p > 0.0);
        // Between choices this close, rounding decides.
        if !possible && step.action_gap > case.tolerance {
            return Err(format!("took {taken:?}, which the oracle never does"));
        }
    }
    let answers = populace_oracle::answers(&steps);
    for tensor in ours {
        let Some(expected) = answers.get(&tensor.name).filter(|_| tensor.name != "action") else {
            continue;
        };
        for (index, (got, want)) in tensor.values.to_f64().iter().zip(&expected.data).enumerate() {
            if (got - want).abs() > case.tolerance * want.abs().max(1.0) {
                return Err(format!("{}[{index}] is {got}, the oracle has {want}", tensor.name));
            }
        }
    }
    Ok(())
}
