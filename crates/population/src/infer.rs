//! The engine over recorded observations.

use std::ops::Range;
use std::sync::Mutex;

use populace_agent::{Model, Observations, Precision, Recording, Scratch};
use populace_pool::SharedResource;
use populace_tensor::lanes::Lane;

use crate::population::{Population, Source};
use crate::record::Number;
use crate::{Environment, Memory, Moment, Result, Settings};

/// What an agent computed from a recording; all row-major, a row a step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Inference {
    /// How many steps.
    pub steps: usize,
    /// Beliefs of every factor, (steps, S_f).
    pub qs: Vec<Vec<f64>>,
    /// −EFE of every policy, (steps, P).
    pub neg_efe: Vec<f64>,
    /// The posterior over policies, (steps, P).
    pub q_pi: Vec<f64>,
    /// The action that it chose, flat per factor, (steps, F).
    pub action: Vec<i32>,
    /// How many policies.
    pub policies: usize,
    /// Engine memory when there was most.
    pub peak: Memory,
}

/// Steps `settings.agents` agents through a recording, all of them through the same; answers what
/// the last one computed.
///
/// Where the recording knows the actions that were taken, they lead from step to step; else each
/// agent's own do.
///
/// # Errors
///
/// The model, the recording or the settings are not valid, ask for what is not there yet, or need
/// more memory than the budget.
pub fn infer(model: &Model, recording: &Recording, settings: &Settings) -> Result<Inference> {
    model.check()?;
    recording.check(model)?;
    let environment = |_: &SharedResource| -> Result<Box<dyn Environment>> {
        Ok(Box::new(Replay { recording: recording.clone() }))
    };
    let source = Source {
        model,
        environment: &environment,
        steps: Some(recording.steps as u64),
        keep_arrays: false,
    };
    match settings.precision {
        Precision::F32 => replay(Population::<f32>::new(&source, settings)?, recording, settings),
        Precision::F64 => replay(Population::<f64>::new(&source, settings)?, recording, settings),
    }
}

fn replay<T: Number>(
    mut population: Population<T>,
    recording: &Recording,
    settings: &Settings,
) -> Result<Inference> {
    let factors = population.model.num_states().len();
    let inference = Mutex::new(Inference {
        steps: recording.steps,
        qs: vec![Vec::new(); factors],
        policies: population.model.policy_count(),
        ..Inference::default()
    });
    let last = settings.agents - 1;
    let probe = |agent: u64, lane: usize, beliefs: &[Lane<T>], scratch: &Scratch<T>| {
        if agent == last
            && let Ok(mut inference) = inference.lock()
        {
            inference.note(lane, beliefs, scratch);
        }
    };
    for _ in 0..recording.steps {
        population.tick(Some(&probe))?;
    }
    let mut inference = inference.into_inner().unwrap_or_default();
    inference.peak = population.peak();
    Ok(inference)
}

impl Inference {
    fn note<T: Number>(&mut self, lane: usize, beliefs: &[Lane<T>], scratch: &Scratch<T>) {
        let column =
            |rows: &[Lane<T>]| -> Vec<f64> { rows.iter().map(|row| row[lane].to_f64()).collect() };
        for (factor, qs) in self.qs.iter_mut().enumerate() {
            qs.extend(column(&beliefs[scratch.rows_of(factor)]));
            self.action.push(scratch.action(factor, lane) as i32);
        }
        self.neg_efe.extend(column(scratch.neg_efe()));
        self.q_pi.extend(column(scratch.q_pi()));
    }
}

/// A world that has happened already.
struct Replay {
    recording: Recording,
}

impl Environment for Replay {
    fn state_bytes(&self) -> usize {
        0
    }

    fn begin(&self, _seed: u64, _agents: Range<u64>, _states: &mut [u8]) {}

    fn observe(
        &self,
        moment: Moment,
        _agents: Range<u64>,
        _states: &mut [u8],
        observations: &mut [i32],
    ) {
        if let Observations::Discrete(outcomes) = &self.recording.observations {
            let width = outcomes.len() / self.recording.steps;
            let row = &outcomes[moment.tick as usize * width..][..width];
            for observed in observations.chunks_exact_mut(width) {
                observed.copy_from_slice(row);
            }
        }
    }

    fn observe_soft(&self, moment: Moment, _agents: Range<u64>, observations: &mut [f64]) -> bool {
        let Observations::Soft(modalities) = &self.recording.observations else { return false };
        let steps = self.recording.steps;
        let width: usize = modalities.iter().map(|values| values.len() / steps).sum();
        for observed in observations.chunks_exact_mut(width) {
            let mut rest = observed;
            for values in modalities {
                let outcomes = values.len() / steps;
                let (modality, next) = rest.split_at_mut(outcomes);
                modality.copy_from_slice(&values[moment.tick as usize * outcomes..][..outcomes]);
                rest = next;
            }
        }
        true
    }

    fn is_soft(&self) -> bool {
        matches!(self.recording.observations, Observations::Soft(_))
    }

    fn act(&self, moment: Moment, _agents: Range<u64>, _states: &mut [u8], actions: &mut [i32]) {
        if let Some(taken) = &self.recording.actions {
            let width = taken.len() / self.recording.steps;
            let row = &taken[moment.tick as usize * width..][..width];
            for actions in actions.chunks_exact_mut(width) {
                actions.iter_mut().zip(row).for_each(|(to, &from)| *to = from as i32);
            }
        }
    }
}
