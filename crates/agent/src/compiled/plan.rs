//! From policies to a program.
//!
//! Two planners draft it. [`tree`] weighs every policy; [`graph`] weighs first actions, over what
//! may follow them, without making the policies. Both ask a [`draft`] for steps. Where beliefs are a
//! policy's own there is no program ([`none`]).

mod draft;
mod graph;
mod none;
mod tree;

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::simd::Real;

use super::family::Family;
use super::inductive::Paths;
use super::likelihood::Structure;
use super::novelty::novelty_weights;
use super::outcome::SparseOutcome;
use super::program::Value;
use super::sequence::{Passing, Sequence};
use super::transition::Transition;
use crate::{Model, Policies, Result, Tensor};
use draft::Draft;

/// A dense outcome table: (1 + O, rest…, S of the first factor to contract), row 0 the linear part.
#[derive(Debug)]
pub(crate) struct DenseOutcome<T> {
    /// The values, row-major.
    pub(crate) values: Array<T>,
    /// S of the factor that is contracted first.
    pub(crate) states: usize,
    /// 1 + O, times what is left of the joint states.
    pub(crate) rows: usize,
    /// How the table follows from an A that agents learn; `values` are then empty.
    pub(crate) learnt: Option<LearntOutcome<T>>,
}

/// An outcome table that every block makes for itself, from its agents' own A.
#[derive(Debug)]
pub(crate) struct LearntOutcome<T> {
    /// The modality.
    pub(crate) m: usize,
    /// Whether it is of what A gains: A, and then w(pA). Else of what outcomes are worth.
    pub(crate) novel: bool,
    /// Where the table starts among those of its kind of the block.
    pub(crate) first: usize,
    /// Where each joint state of A stands in a row of the table.
    pub(crate) place: Array<u32>,
    /// C, by outcome; zeros without utility.
    pub(crate) preferences: Array<T>,
    /// Whether the table has the outcomes, for their entropy, and l the ambiguity.
    pub(crate) gain: bool,
}

/// How policies are weighed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planner {
    /// Every policy by itself, what policies share computed once.
    Enumeration,
    /// First actions, over a graph of the beliefs that may follow: the marginals of the same
    /// posterior, at a cost that grows with the distinct beliefs instead of the policies.
    Graph,
    /// Policies of one step, over a tree of what may be observed and done after them: sophisticated
    /// inference.
    Search,
}

/// What a model is compiled to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// −EFE and the posterior of every policy, as long as policies can be enumerated.
    Policies,
    /// What to do next: by the graph where there are many policies and its answer is the same.
    Actions,
    /// What to do next: by the graph wherever its answer is the same, few policies or many.
    FirstActions,
}

/// The compiled plan: a program and the tables that it reads.
#[derive(Debug)]
pub(crate) struct Plan<T> {
    pub(crate) planner: Planner,
    pub(crate) words: Array<u32>,
    pub(crate) sparse: Vec<SparseOutcome<T>>,
    pub(crate) families: Vec<Family<T>>,
    pub(crate) dense: Vec<DenseOutcome<T>>,
    /// By factor, where the goal is; empty without inductive inference.
    pub(crate) paths: Vec<Paths<T>>,
    /// By factor, what moves are to be learnt: w(pB), (U, S', joint); empty where that is worth
    /// nothing.
    pub(crate) learnt: Vec<Array<T>>,
    /// Numbers that the program names.
    pub(crate) constants: Array<T>,
    /// Enumeration: the row of every policy's score (none without a program). Graph: the row of the logarithmic weight of
    /// every first action.
    pub(crate) scores: Array<u32>,
    /// Graph, where whole policies are chosen: the rows of the logarithmic weights that the first
    /// action is chosen by; else empty.
    pub(crate) choice: Array<u32>,
    /// ln E (in the dialect's logarithm), by policy; of a graph, which has it in its constants, zeros.
    pub(crate) ln_habit: Array<T>,
    /// The first actions of every policy, or those to choose from, (P, F).
    pub(crate) first_actions: Array<u32>,
    /// Rows that the program needs, beliefs before the first step included.
    pub(crate) rows: usize,
}

/// What a planner has drafted, besides the program.
struct Drafted {
    planner: Planner,
    scores: Vec<Value>,
    choice: Vec<Value>,
    constants: Vec<f64>,
    ln_habit: Vec<f64>,
    first_actions: Vec<u32>,
}

impl<T: Real> Plan<T> {
    pub(super) fn compile(
        model: &Model,
        answers: Answers,
        transitions: &[Transition<T>],
        structures: &[Option<Structure>],
        memory: &SharedResource,
    ) -> Result<Self> {
        let (draft, drafted) = match graph::habits(model, answers) {
            Some(habits) => {
                let steps = model.joint_actions();
                let used = used(model.factors(), &steps.concat());
                let mut draft = Draft::new(model, transitions, structures, used, memory);
                let drafted = graph::draft(&mut draft, model, &steps, &habits)?;
                (draft, drafted)
            }
            None => {
                let policies = model.all_policies()?;
                let used = used(policies.factors, &policies.actions);
                let mut draft = Draft::new(model, transitions, structures, used, memory);
                let drafted = match Sequence::of(model).map(|sequence| sequence.passing) {
                    Some(Passing::ByPolicy) => none::draft(&mut draft, model, &policies)?,
                    _ => tree::draft(&mut draft, model, &policies)?,
                };
                (draft, drafted)
            }
        };
        let mut roots = Vec::new();
        let mut first = 0;
        for transition in transitions {
            roots.push(first);
            first += transition.states;
        }
        let kept = [&drafted.scores[..], &drafted.choice].concat();
        let layout = draft.builder.finish(&roots, first, &kept);
        let rows: Vec<u32> = layout.kept.iter().map(|&row| row as u32).collect();
        let (scores, choice) = rows.split_at(drafted.scores.len());
        let real = |values: &[f64]| -> Vec<T> { values.iter().map(|&x| T::from_f64(x)).collect() };
        Ok(Self {
            planner: drafted.planner,
            words: Array::copied(memory, &layout.words)?,
            sparse: draft.sparse,
            families: draft.families,
            dense: draft.dense,
            paths: Paths::compile(model, memory)?,
            learnt: learnt(model, memory)?,
            constants: Array::copied(memory, &real(&drafted.constants))?,
            scores: Array::copied(memory, scores)?,
            choice: Array::copied(memory, choice)?,
            ln_habit: Array::copied(memory, &real(&drafted.ln_habit))?,
            first_actions: Array::copied(memory, &drafted.first_actions)?,
            rows: layout.end,
        })
    }
}

/// ln E, by policy.
fn ln_habit(model: &Model, policies: &Policies) -> Vec<f64> {
    match &model.e {
        Some(e) => e.iter().map(|&e| model.dialect.ln(e)).collect(),
        None => vec![model.dialect.ln(1.0 / policies.count as f64); policies.count],
    }
}

/// The first step of every policy, (P, F).
fn first_actions(policies: &Policies) -> Vec<u32> {
    (0..policies.count).flat_map(|policy| policies.step(policy, 0).iter().copied()).collect()
}

/// What actions each factor has over all steps, given as actions of all factors in turn.
fn used(factors: usize, actions: &[u32]) -> Vec<Vec<u32>> {
    let mut seen = vec![std::collections::BTreeSet::new(); factors];
    for step in actions.chunks_exact(factors.max(1)) {
        for (seen, &action) in seen.iter_mut().zip(step) {
            seen.insert(action);
        }
    }
    seen.into_iter().map(|seen| seen.into_iter().collect()).collect()
}

/// w(pB) of every factor with the action slowest, as transitions have it.
fn learnt<T: Real>(model: &Model, memory: &SharedResource) -> Result<Vec<Array<T>>> {
    if !model.arguments.use_param_info_gain {
        return Ok(Vec::new());
    }
    let factor = |(f, counts): (usize, &Tensor)| {
        let actions = model.actions_of(f);
        let weights = novelty_weights(counts, model.dialect);
        let size = weights.len() / actions;
        let weight = |place: usize| T::from_f64(weights[place % size * actions + place / size]);
        Ok(Array::copied(memory, &(0..weights.len()).map(weight).collect::<Vec<_>>())?)
    };
    model.p_b.iter().enumerate().map(factor).collect()
}
