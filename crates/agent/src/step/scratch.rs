//! The working memory of one block of agents.

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::lanes::{LANES, Lane};
use populace_tensor::simd::Real;

use super::bound::Bounds;
use super::by_policy::PolicyScratch;
use super::learn::LearningScratch;
use super::search::Trees;
use super::sequence::SequenceScratch;
use super::sparse::SparseScratch;
use super::vanilla::VanillaScratch;
use super::window::WindowScratch;
use crate::{CompiledModel, Planner, Result, Window};

/// The action of an agent that has not acted yet: its prior is D.
pub(crate) const NONE: u32 = u32::MAX;

/// The working memory of one block of up to [`LANES`] agents; a thread has one.
///
/// Inputs are set lane by lane ([`Scratch::took_last_first`], [`Scratch::observe`]; beliefs as rows
/// of lanes, [`Scratch::beliefs_mut`]), then [`CompiledModel::infer_states`], [`CompiledModel::infer_policies`] and
/// [`CompiledModel::sample_action`] run in that order, and results are read lane by lane. The first
/// lanes are agents. Lanes that nobody set compute as if they had just been born; nobody reads them.
#[derive(Debug)]
pub struct Scratch<T: Real> {
    /// The plan's rows; the beliefs of all factors are the first of them.
    pub(crate) rows: Array<Lane<T>>,
    /// Priors of all factors.
    pub(crate) prior: Array<Lane<T>>,
    /// Evidence of all groups, one after another.
    pub(crate) evidence: Array<Lane<T>>,
    /// Joint beliefs, and what is left of evidence while messages are computed.
    pub(crate) joint: Array<Lane<T>>,
    /// Messages to all factors.
    pub(crate) messages: Array<Lane<T>>,
    /// What does not change while they iterate.
    pub(crate) constant: Array<Lane<T>>,
    /// −EFE by policy; none of a graph.
    pub(crate) neg_efe: Array<Lane<T>>,
    /// q_π by policy; by first action of a graph.
    pub(crate) q_pi: Array<Lane<T>>,
    /// Weights that actions are chosen by.
    pub(crate) choice: Array<Lane<T>>,
    /// Soft observations, all modalities one after another; empty without.
    pub(crate) soft: Array<Lane<T>>,
    /// The outcome of every modality and lane; −1 is missing.
    pub(crate) observations: Vec<[i32; LANES]>,
    /// The action of every factor and lane that led here, [`NONE`] before the first.
    pub(crate) taken: Vec<[u32; LANES]>,
    /// The action of every factor and lane that was chosen.
    pub(crate) chosen: Vec<[u32; LANES]>,
    /// What every lane follows, 0 nothing.
    pub(crate) followed: [u32; LANES],
    /// One number in [0, 1) a factor and lane: what drawn actions are drawn with.
    pub(crate) draws: Vec<[f64; LANES]>,
    /// What the worth of a joint belief is computed in.
    pub(crate) worth: Array<Lane<T>>,
    pub(crate) vanilla: VanillaScratch,
    pub(crate) learning: LearningScratch<T>,
    pub(crate) window: WindowScratch<T>,
    pub(crate) sequence: SequenceScratch<T>,
    pub(crate) policies: PolicyScratch<T>,
    pub(crate) sparse: Option<SparseScratch<T>>,
    /// How far beliefs may be from the exact ones, where that is carried.
    pub(crate) bounds: Option<Bounds<T>>,
    /// The first row of each factor.
    first_row: Vec<usize>,
    pub(crate) use_soft: bool,
    /// Lanes that observe something: agents.
    pub(crate) agents: usize,
    pub(crate) trees: Option<Trees<T>>,
}

impl<T: Real> CompiledModel<T> {
    /// Working memory for a block of agents of this model that keep `window` of their past, in
    /// `memory`.
    ///
    /// # Errors
    ///
    /// Memory is refused.
    pub fn scratch(&self, window: Window, memory: &SharedResource) -> Result<Scratch<T>> {
        let rows = |len| Array::zeroed(memory, len);
        let total = self.belief_len();
        let evidence: usize = self.groups.iter().map(|group| group.joint).sum();
        let novel = !self.plan.learnt.is_empty();
        let moved = self.transitions.iter().map(|t| {
            let joint: usize = t.dependencies.iter().map(|&d| self.states[d]).product();
            // A joint belief and the outer products on the way there; then the moved belief.
            let products = if t.dependencies.len() > 1 || novel { 2 * joint } else { 0 };
            products + t.states
        });
        // A message works with the products of all but the last factor, each at most the joint, and
        // with two rooms for what is left of the evidence.
        let messages = self.groups.iter().map(|group| (group.dependencies.len() + 2) * group.joint);
        let exact = self.exact_joint.iter().map(|exact| exact.joint);
        let widest = self.actions.iter().copied().max().unwrap_or(1);
        let policies = self.policy_count();
        let learning = LearningScratch::new(self, memory)?;
        Ok(Scratch {
            rows: rows(self.plan.rows)?,
            prior: rows(total)?,
            evidence: rows(evidence)?,
            joint: rows(moved.chain(messages).chain(exact).max().unwrap_or(0))?,
            messages: rows(total)?,
            constant: rows(total)?,
            neg_efe: rows(match self.planner() {
                Planner::Enumeration => policies,
                Planner::Graph | Planner::Search => 0,
            })?,
            q_pi: rows(policies)?,
            choice: rows(policies.max(widest))?,
            soft: rows(self.outcomes.iter().sum())?,
            observations: vec![[-1; LANES]; self.outcomes.len()],
            taken: vec![[NONE; LANES]; self.states.len()],
            chosen: vec![[0; LANES]; self.states.len()],
            followed: [0; LANES],
            draws: vec![[0.0; LANES]; self.states.len()],
            worth: rows(self.joint_outcome.as_ref().map_or(0, |o| o.joint + 1 + o.gain))?,
            vanilla: VanillaScratch::new(self, memory)?,
            window: WindowScratch::new(self, window, memory)?,
            sequence: SequenceScratch::new(self, window, memory)?,
            policies: PolicyScratch::new(self, window, memory)?,
            sparse: self.sparse_scratch(memory)?,
            bounds: None,
            first_row: self.first_row.clone(),
            use_soft: false,
            agents: 0,
            trees: match &self.search {
                Some(search) => Some(Trees::new(self, search, &learning, memory)?),
                None => None,
            },
            learning,
        })
    }
}

impl<T: Real> Scratch<T> {
    /// Forgets the block before: no lane has acted or observes anything.
    pub fn start(&mut self) {
        self.observations.fill([-1; LANES]);
        self.taken.fill([NONE; LANES]);
        self.followed = [0; LANES];
        self.use_soft = false;
        self.agents = 0;
        self.learning.start();
        if let Some(bounds) = &mut self.bounds {
            bounds.lanes.fill(0.0);
        }
    }

    /// The action of every factor that led an agent here, the last factor's first; without, it has
    /// just been born.
    pub fn took_last_first(&mut self, lane: usize, actions: impl IntoIterator<Item = u32>) {
        for (taken, action) in self.taken.iter_mut().rev().zip(actions) {
            taken[lane] = action;
        }
    }

    /// What an agent observes, by modality; −1 is nothing. Outcomes are in range: the caller has
    /// checked them.
    pub fn observe(&mut self, lane: usize, outcomes: impl IntoIterator<Item = i32>) {
        self.agents = self.agents.max(lane + 1);
        for (observed, outcome) in self.observations.iter_mut().zip(outcomes) {
            observed[lane] = outcome;
        }
    }

    /// What an agent observes as distributions over outcomes, all modalities one after another.
    /// Then all lanes of the block do.
    pub fn observe_soft(&mut self, lane: usize, outcomes: &[T]) {
        self.use_soft = true;
        self.agents = self.agents.max(lane + 1);
        for (row, &p) in self.soft.iter_mut().zip(outcomes) {
            row[lane] = p;
        }
    }

    /// Whether the block's observations are distributions.
    pub(crate) fn is_soft(&self) -> bool {
        self.use_soft
    }

    /// The number in [0, 1) that a factor's action is drawn with.
    pub fn draw(&mut self, factor: usize, lane: usize, number: f64) {
        self.draws[factor][lane] = number;
    }

    /// The beliefs of all factors, one row a state, sixteen lanes a row.
    pub fn beliefs(&self) -> &[Lane<T>] {
        &self.rows[..self.prior.len()]
    }

    /// The beliefs of all factors, to set them.
    pub fn beliefs_mut(&mut self) -> &mut [Lane<T>] {
        let len = self.prior.len();
        &mut self.rows[..len]
    }

    /// The priors of all factors, in rows as the beliefs.
    pub fn prior(&self) -> &[Lane<T>] {
        &self.prior
    }

    /// The priors of all factors, to set them.
    pub fn prior_mut(&mut self) -> &mut [Lane<T>] {
        &mut self.prior
    }

    /// The rows of a factor's belief.
    pub fn rows_of(&self, factor: usize) -> std::ops::Range<usize> {
        self.first_row[factor]..self.first_row[factor + 1]
    }

    /// −EFE of each policy; none where [`CompiledModel::planner`] is no enumeration.
    pub fn neg_efe(&self) -> &[Lane<T>] {
        &self.neg_efe
    }

    /// The posterior over policies; over first actions, where [`CompiledModel::planner`] is the graph.
    pub fn q_pi(&self) -> &[Lane<T>] {
        &self.q_pi
    }

    /// The posterior over policies, to set it.
    pub fn q_pi_mut(&mut self) -> &mut [Lane<T>] {
        &mut self.q_pi
    }

    /// The action of a factor that an agent chose.
    pub fn action(&self, factor: usize, lane: usize) -> u32 {
        self.chosen[factor][lane]
    }

    /// Spreads the sparse beliefs of the first `agents` lanes over [`Scratch::beliefs`].
    pub fn spread_sparse(&mut self, agents: usize) {
        let len = self.prior.len();
        let Some(sparse) = &self.sparse else { return };
        for lane in 0..agents.min(LANES) {
            for row in &mut self.rows[..len] {
                row[lane] = T::ZERO;
            }
            let (states, values) = sparse.belief(lane);
            for (&s, &value) in states.iter().zip(values) {
                self.rows[s as usize][lane] = value;
            }
        }
    }

    /// The beliefs of a block in their sparse form, where the model steps that.
    pub fn sparse(&mut self) -> Option<&mut SparseScratch<T>> {
        self.sparse.as_mut()
    }
}
