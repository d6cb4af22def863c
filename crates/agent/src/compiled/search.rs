//! Sophisticated inference, compiled: what a search of policies and outcomes needs of a model.

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::simd::Real;

use crate::{InferenceAlgorithm, Model, Result, Sophisticated};

/// What the search reads besides the plan of one step.
#[derive(Debug)]
pub(crate) struct Search<T> {
    pub(crate) arguments: Sophisticated,
    /// A of every modality, (O, joint states of its dependencies); empty where agents learn it.
    pub(crate) likelihoods: Vec<Array<T>>,
    /// The most beliefs that a tree can have.
    pub(crate) capacity: usize,
    /// The reference gives `vmp` no past in a search: it forgets the belief it should start from.
    pub(crate) forgets: bool,
}

impl<T: Real> Search<T> {
    pub(super) fn compile(
        model: &Model,
        policies: usize,
        memory: &SharedResource,
    ) -> Result<Option<Self>> {
        let Some(arguments) = &model.sophisticated else { return Ok(None) };
        let mut likelihoods = Vec::new();
        // Of those that agents learn, each has its own.
        let shared = if model.arguments.learn_a { &[][..] } else { &model.a[..] };
        for a in shared {
            let (outcomes, joint) = (a.rows(), a.columns());
            let mut values = Array::zeroed(memory, outcomes * joint)?;
            for column in 0..joint {
                for (o, p) in a.column(column) {
                    values[o * joint + column] = T::from_f64(p);
                }
            }
            likelihoods.push(values);
        }
        Ok(Some(Self {
            arguments: arguments.clone(),
            likelihoods,
            capacity: capacity(arguments, policies),
            forgets: model.arguments.inference_algo == InferenceAlgorithm::Vmp,
        }))
    }
}

/// Σ_d (P·b)^d beliefs to the horizon, at most `max_nodes`.
fn capacity(arguments: &Sophisticated, policies: usize) -> usize {
    let branching = policies.saturating_mul(arguments.max_branching);
    let (mut total, mut level) = (1_usize, 1_usize);
    for _ in 0..arguments.horizon {
        level = level.saturating_mul(branching);
        total = total.saturating_add(level);
        if total >= arguments.max_nodes {
            return arguments.max_nodes;
        }
    }
    total
}
