//! The engine over recorded observations.

use std::ops::Range;
use std::sync::Mutex;

use populace_agent::{
    Answers, CompiledModel, LearntCounts, Model, Observations, Planner, Precision, Recording,
    Scratch,
};
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
    /// How policies were weighed.
    pub planner: Option<Planner>,
    /// −EFE of every policy, (steps, P); empty where they are too many to enumerate.
    pub neg_efe: Vec<f64>,
    /// The posterior over policies, (steps, P); empty where they are too many to enumerate.
    pub q_pi: Vec<f64>,
    /// The posterior over the first joint action of all controls, in the order of enumeration,
    /// (steps, Π U): where policies are too many to enumerate, else empty.
    pub q_first: Vec<f64>,
    /// The action that it chose, flat per factor, (steps, F).
    pub action: Vec<i32>,
    /// Dirichlet counts after each update, one update after another, in the shapes of the model's
    /// `pA`, `pB` and `pD`: by modality, factor, factor. Empty where nothing is learnt.
    pub p_a_after: Vec<Vec<f64>>,
    /// As `p_a_after`, of B.
    pub p_b_after: Vec<Vec<f64>>,
    /// As `p_a_after`, of D.
    pub p_d_after: Vec<Vec<f64>>,
    /// As `p_a_after`, of E: (updates, P).
    pub p_e_after: Vec<f64>,
    /// Variational free energy of every policy, (steps, P); empty where all have one belief.
    pub free_energy: Vec<f64>,
    /// By factor, what policies believe at the last step, (P, window, S_f); empty where all have one
    /// belief, which is then `qs`. Else `qs` is their mean, at the present, by `q_pi`.
    pub qs_policy: Vec<Vec<f64>>,
    /// How many policies, or first actions.
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
        answers: Answers::Policies,
        environment: &environment,
        steps: Some(recording.steps as u64),
        keep_arrays: false,
        changes: false,
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
        planner: Some(population.model.planner()),
        policies: population.model.policy_count(),
        ..Inference::default()
    });
    let last = settings.agents - 1;
    let probe = |agent: u64, lane: usize, model: &CompiledModel<T>, scratch: &Scratch<T>| {
        if agent == last
            && let Ok(mut inference) = inference.lock()
        {
            inference.note(lane, scratch);
            inference.note_policies(lane, scratch);
            inference.note_counts(model.learnt(scratch, lane));
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
    fn note<T: Number>(&mut self, lane: usize, scratch: &Scratch<T>) {
        let column =
            |rows: &[Lane<T>]| -> Vec<f64> { rows.iter().map(|row| row[lane].to_f64()).collect() };
        for (factor, qs) in self.qs.iter_mut().enumerate() {
            qs.extend(column(&scratch.beliefs()[scratch.rows_of(factor)]));
            self.action.push(scratch.action(factor, lane) as i32);
        }
        self.neg_efe.extend(column(scratch.neg_efe()));
        let q =
            if self.planner == Some(Planner::Graph) { &mut self.q_first } else { &mut self.q_pi };
        q.extend(column(scratch.q_pi()));
    }

    fn note_policies<T: Number>(&mut self, lane: usize, scratch: &Scratch<T>) {
        let energies = scratch.free_energy();
        self.free_energy.extend(energies.iter().map(|row| row[lane].to_f64()));
        // The last step's stay.
        self.qs_policy.clear();
        if energies.is_empty() {
            return;
        }
        for factor in 0..self.qs.len() {
            let rows = scratch.rows_of(factor);
            let mut qs = Vec::new();
            for policy in 0..energies.len() {
                for step in 0..scratch.policy_steps() {
                    let beliefs = &scratch.policy_beliefs(policy, step)[rows.clone()];
                    qs.extend(beliefs.iter().map(|row| row[lane].to_f64()));
                }
            }
            self.qs_policy.push(qs);
        }
    }

    fn note_counts(&mut self, learnt: LearntCounts) {
        self.p_e_after.extend(learnt.e);
        let families = [
            (&mut self.p_a_after, learnt.a),
            (&mut self.p_b_after, learnt.b),
            (&mut self.p_d_after, learnt.d),
        ];
        for (all, updated) in families {
            all.resize(all.len().max(updated.len()), Vec::new());
            all.iter_mut().zip(updated).for_each(|(all, counts)| all.extend(counts));
        }
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
