//! Sophisticated inference: a tree of policies and outcomes for every agent of a block, grown one
//! depth at a time.
//!
//! Agents are searched one after another, since their trees differ; within a tree the lanes are
//! beliefs of one depth, so that inference, planning and prediction are the block's own kernels. A
//! belief keeps what was predicted and which outcomes led to it; its posterior is computed when it
//! is expanded, which leaves of the last depth never are.
//!
//! Invariants: in `order` a belief comes after the one it follows from, so that backing up is one
//! pass from the end and pruning one from the start; live beliefs and branches together stay below
//! `max_nodes`, so that the arena, made once, never grows.

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::lanes::{LANES, Lane, contract, contract_lanes};
use populace_tensor::simd::{Real, Simd, Vector};

use super::kernels::{scale, softmax, x_ln_x};
use super::learn::LearningScratch;
use super::plan::Evaluate;
use super::scratch::Scratch;
use super::states::{InferStates, joint_belief, product};
use crate::compiled::likelihood::EvidenceTable;
use crate::compiled::search::Search;
use crate::{CompiledModel, Result};

/// −EFE of the root from which the search stops.
const NEG_EFE_STOP: f64 = 1e10;

/// The slot that the root follows from.
const ROOT: u32 = u32::MAX;

/// The trees of a thread: one at a time.
#[derive(Debug)]
pub(crate) struct Trees<T: Real> {
    /// The beliefs of the block's agents.
    roots: Array<Lane<T>>,
    /// What was predicted of each belief, `width` numbers.
    predicted: Array<T>,
    /// What was then observed, an outcome a modality.
    observed: Array<i32>,
    /// The slot that a belief follows from, and with what probability.
    parents: Array<u32>,
    probabilities: Array<T>,
    values: Array<T>,
    expanded: Array<u8>,
    /// Policies under beliefs, a slot each: −EFE of the step, π, what follows, how many beliefs do.
    neg_efe: Array<T>,
    q_pi: Array<T>,
    following: Array<T>,
    counts: Array<u32>,
    alive: Array<u8>,
    /// Live beliefs, and places for new ones.
    order: Array<u32>,
    order_len: usize,
    free: Array<u32>,
    free_len: usize,
    /// Predicted outcomes of all modalities, and of one lane, the likeliest first.
    outcomes: Array<Lane<T>>,
    ranked: Vec<Vec<(i32, T)>>,
    chosen: Vec<i32>,
    /// What the block's agents observed, while their trees observe.
    observations: Vec<[i32; LANES]>,
    /// What the block's agents have learnt, while one of them searches with what it has.
    expected: Array<Lane<T>>,
    tables: Array<Lane<T>>,
    /// π of a slot of the root that no policy has.
    padded_root: T,
    /// Numbers of a belief.
    width: usize,
    policies: usize,
}

impl<T: Real> Trees<T> {
    pub(super) fn new(
        model: &CompiledModel<T>,
        search: &Search<T>,
        learning: &LearningScratch<T>,
        memory: &SharedResource,
    ) -> Result<Self> {
        let (width, policies, room) = (model.belief_len(), model.policy_count(), search.capacity);
        let slots = room.saturating_mul(policies);
        Ok(Self {
            roots: Array::zeroed(memory, width)?,
            predicted: Array::zeroed(memory, room.saturating_mul(width))?,
            observed: Array::zeroed(memory, room.saturating_mul(model.outcomes.len()))?,
            parents: Array::zeroed(memory, room)?,
            probabilities: Array::zeroed(memory, room)?,
            values: Array::zeroed(memory, room)?,
            expanded: Array::zeroed(memory, room)?,
            neg_efe: Array::zeroed(memory, slots)?,
            q_pi: Array::zeroed(memory, slots)?,
            following: Array::zeroed(memory, slots)?,
            counts: Array::zeroed(memory, slots)?,
            alive: Array::zeroed(memory, slots)?,
            order: Array::zeroed(memory, room)?,
            order_len: 0,
            free: Array::zeroed(memory, room)?,
            free_len: 0,
            outcomes: Array::zeroed(memory, model.outcomes.iter().sum())?,
            ranked: model.outcomes.iter().map(|&count| Vec::with_capacity(count)).collect(),
            chosen: vec![0; model.outcomes.len()],
            observations: vec![[-1; LANES]; model.outcomes.len()],
            expected: Array::zeroed(memory, learning.expected.len())?,
            tables: Array::zeroed(memory, learning.outcomes.len())?,
            padded_root: T::ZERO,
            width,
            policies,
        })
    }

    /// Puts what the block has learnt by, or back.
    fn swap_learnt(&mut self, scratch: &mut Scratch<T>) {
        std::mem::swap(&mut scratch.learning.expected, &mut self.expected);
        std::mem::swap(&mut scratch.learning.outcomes, &mut self.tables);
    }

    /// Gives what one agent has learnt to all lanes: they are its beliefs.
    fn lend_learnt(&self, scratch: &mut Scratch<T>, agent: usize) {
        let own = &mut scratch.learning;
        let lent = own.expected.iter_mut().chain(own.outcomes.iter_mut());
        for (to, from) in lent.zip(self.expected.iter().chain(self.tables.iter())) {
            *to = Lane([from[agent]; LANES]);
        }
    }

    /// A tree of its root alone.
    fn plant(&mut self) {
        self.free_len = self.free.len();
        let places = self.free_len as u32;
        for (place, free) in self.free.iter_mut().enumerate() {
            // The last is taken first.
            *free = places - 1 - place as u32;
        }
        self.order_len = 0;
        self.q_pi[..self.policies].fill(T::ZERO);
        self.grow(ROOT, T::ONE);
    }

    /// A new belief at the end of the order, or `None` where there is no room.
    fn grow(&mut self, parent: u32, probability: T) -> Option<usize> {
        self.free_len = self.free_len.checked_sub(1)?;
        let belief = self.free[self.free_len] as usize;
        self.parents[belief] = parent;
        self.probabilities[belief] = probability;
        self.expanded[belief] = 0;
        self.order[self.order_len] = belief as u32;
        self.order_len += 1;
        Some(belief)
    }

    fn slots(&self, belief: usize) -> std::ops::Range<usize> {
        belief * self.policies..(belief + 1) * self.policies
    }

    /// Live beliefs and branches.
    fn nodes(&self) -> usize {
        let live = &self.order[..self.order_len];
        let branches = live.iter().filter(|&&b| self.expanded[b as usize] == 1).map(|&b| {
            self.alive[self.slots(b as usize)]
                .iter()
                .map(|&alive| usize::from(alive))
                .sum::<usize>()
        });
        live.len() + branches.sum::<usize>()
    }

    /// Takes the growth from `frontier` on back.
    fn discard(&mut self, frontier: usize, end: usize) {
        for place in end..self.order_len {
            self.free[self.free_len] = self.order[place];
            self.free_len += 1;
        }
        self.order_len = end;
        for place in frontier..end {
            self.expanded[self.order[place] as usize] = 0;
        }
    }

    /// Values from the leaves up; policies that have become improbable are pruned for good. Answers
    /// whether any was.
    #[inline(always)]
    fn back_up<S: Simd>(&mut self, simd: S, search: &Search<T>) -> bool {
        let arguments = &search.arguments;
        let penalty = T::from_f64(-arguments.prune_penalty);
        let gamma = T::from_f64(arguments.gamma);
        let threshold = T::from_f64(arguments.policy_prune_threshold);
        let padding = T::from_f64((arguments.max_branching - self.policies) as f64);
        let mut pruned = false;
        for place in (0..self.order_len).rev() {
            let belief = self.order[place] as usize;
            let mut value = T::ZERO;
            if self.expanded[belief] == 1 {
                let slots = self.slots(belief);
                let mut most = if padding > T::ZERO { Some(gamma * penalty) } else { None };
                for slot in slots.clone() {
                    let led = self.alive[slot] == 1 && self.counts[slot] > 0;
                    let worth =
                        if led { self.neg_efe[slot] + self.following[slot] } else { penalty };
                    self.following[slot] = worth;
                    let weight = gamma * worth;
                    most =
                        Some(most.map_or(weight, |most| if weight > most { weight } else { most }));
                }
                let most = most.unwrap_or(T::ZERO);
                for slot in slots.clone() {
                    self.q_pi[slot] = gamma * self.following[slot] - most;
                }
                let mut padded = [gamma * penalty - most];
                exp(simd, &mut self.q_pi[slots.clone()]);
                exp(simd, &mut padded);
                let mut sum = padding * padded[0];
                for &q in &self.q_pi[slots.clone()] {
                    sum += q;
                }
                value = padding * padded[0] / sum * penalty;
                for slot in slots {
                    let q = self.q_pi[slot] / sum;
                    value += q * self.following[slot];
                    self.q_pi[slot] = q;
                    self.following[slot] = T::ZERO;
                    if self.alive[slot] == 1 && q < threshold {
                        self.alive[slot] = 0;
                        pruned = true;
                    }
                }
                self.padded_root = padded[0] / sum;
            }
            self.values[belief] = value;
            let parent = self.parents[belief];
            if parent != ROOT {
                self.following[parent as usize] += self.probabilities[belief] * value;
            }
        }
        pruned
    }

    /// Drops the beliefs below pruned policies; answers how many of the first `before` are left.
    fn prune(&mut self, before: usize) -> usize {
        let (mut kept, mut left) = (0, 0);
        for place in 0..self.order_len {
            let belief = self.order[place] as usize;
            let parent = self.parents[belief];
            if parent != ROOT && self.alive[parent as usize] == 0 {
                // What follows from it goes, too.
                let slots = self.slots(belief);
                self.alive[slots].fill(0);
                self.free[self.free_len] = belief as u32;
                self.free_len += 1;
                continue;
            }
            self.order[kept] = belief as u32;
            kept += 1;
            left += usize::from(place < before);
        }
        self.order_len = kept;
        left
    }

    /// Whether the root's answer is good enough to stop at.
    #[inline(always)]
    fn settled<S: Simd>(&self, simd: S, search: &Search<T>) -> bool {
        let padding = (search.arguments.max_branching - self.policies) as f64;
        let mut entropy = T::ZERO;
        let padded = [self.padded_root];
        let parts = [(&self.q_pi[..self.policies], 1.0), (&padded[..], padding)];
        for (q, times) in parts {
            for &q in q {
                let x = Vector::<T, S>::splat(simd, q);
                let mut value = Lane([T::ZERO; LANES]);
                x_ln_x(x).store(&mut value);
                entropy += T::from_f64(-times) * value[0];
            }
        }
        entropy <= T::from_f64(search.arguments.entropy_stop_threshold)
            || self.values[0] >= T::from_f64(NEG_EFE_STOP)
    }

    /// The outcomes of a lane by modality, the likeliest first, the lowest of equals first.
    fn rank(&mut self, num_obs: &[usize], lane: usize) {
        let mut first = 0;
        for (ranked, &count) in self.ranked.iter_mut().zip(num_obs) {
            let rows = &self.outcomes[first..first + count];
            first += count;
            let mut total = T::ZERO;
            for row in rows {
                total += row[lane];
            }
            ranked.clear();
            ranked.extend(rows.iter().enumerate().map(|(o, row)| (o as i32, row[lane] / total)));
            ranked
                .sort_unstable_by(|a, b| b.1.to_f64().total_cmp(&a.1.to_f64()).then(a.0.cmp(&b.0)));
        }
    }

    /// Grows a belief for every combination of ranked outcomes from modality `m` on that is likely
    /// enough, the last modality fastest; `probability` is that of the outcomes chosen before.
    /// Answers false as soon as there are `most` nodes; those past `max_branching` count without
    /// being grown.
    fn combine(&mut self, under: &mut Under<'_, T>, m: usize, probability: T) -> bool {
        if m == self.ranked.len() {
            under.nodes += 1;
            if under.nodes >= under.most {
                return false;
            }
            if self.counts[under.slot] as usize >= under.branching {
                return true;
            }
            let Some(belief) = self.grow(under.slot as u32, probability) else { return false };
            self.counts[under.slot] += 1;
            let predicted = &mut self.predicted[belief * self.width..(belief + 1) * self.width];
            for (to, row) in predicted.iter_mut().zip(under.predicted) {
                *to = row[under.lane];
            }
            let modalities = self.chosen.len();
            self.observed[belief * modalities..(belief + 1) * modalities]
                .copy_from_slice(&self.chosen);
            return true;
        }
        for place in 0..self.ranked[m].len() {
            let (outcome, p) = self.ranked[m][place];
            let both = probability * p;
            // Descending, and no later factor is above 1: nothing likely enough comes after.
            if both <= under.threshold {
                break;
            }
            self.chosen[m] = outcome;
            if !self.combine(under, m + 1, both) {
                return false;
            }
        }
        true
    }
}

/// A policy under a belief, and what its outcomes are grown with.
struct Under<'a, T> {
    slot: usize,
    lane: usize,
    /// The beliefs predicted in all lanes.
    predicted: &'a [Lane<T>],
    threshold: T,
    branching: usize,
    /// Nodes so far, and how many are too many.
    nodes: usize,
    most: usize,
}

/// e^x of every number.
#[inline(always)]
fn exp<T: Real, S: Simd>(simd: S, xs: &mut [T]) {
    for xs in xs.chunks_mut(LANES) {
        let mut lane = Lane([T::ZERO; LANES]);
        lane.0[..xs.len()].copy_from_slice(xs);
        Vector::load(simd, &lane).exp().store(&mut lane);
        xs.copy_from_slice(&lane.0[..xs.len()]);
    }
}

/// The posterior over policies of every agent of the block.
#[inline(always)]
pub(super) fn search<T: Real, S: Simd>(
    simd: S,
    model: &CompiledModel<T>,
    search: &Search<T>,
    scratch: &mut Scratch<T>,
) {
    let Some(mut trees) = scratch.trees.take() else { panic!("the scratch is another model's") };
    // Trees are grown in the block's own memory: what it holds is put by.
    let soft = std::mem::take(&mut scratch.use_soft);
    std::mem::swap(&mut scratch.observations, &mut trees.observations);
    trees.roots.copy_from_slice(&scratch.rows[..trees.width]);
    trees.swap_learnt(scratch);
    for lane in 0..scratch.agents {
        trees.lend_learnt(scratch, lane);
        one(simd, model, search, &mut trees, scratch, lane);
        for (policy, q) in scratch.q_pi.iter_mut().enumerate() {
            q[lane] = trees.q_pi[policy];
        }
    }
    trees.swap_learnt(scratch);
    scratch.rows[..trees.width].copy_from_slice(&trees.roots);
    std::mem::swap(&mut scratch.observations, &mut trees.observations);
    scratch.use_soft = soft;
    scratch.trees = Some(trees);
}

/// The tree of one agent; its answer is π of the root.
#[inline(always)]
fn one<T: Real, S: Simd>(
    simd: S,
    model: &CompiledModel<T>,
    search: &Search<T>,
    trees: &mut Trees<T>,
    scratch: &mut Scratch<T>,
    lane: usize,
) {
    trees.plant();
    let mut frontier = 0;
    for _ in 0..search.arguments.horizon {
        let end = trees.order_len;
        if !expand(simd, model, search, trees, scratch, frontier..end, lane) {
            trees.discard(frontier, end);
            return;
        }
        let pruned = trees.back_up(simd, search);
        frontier = trees.prune(end);
        let still = frontier == trees.order_len && !pruned;
        if still || trees.settled(simd, search) {
            return;
        }
    }
}

/// Expands the beliefs at `places` of the order; false if the tree has too many nodes then.
#[inline(always)]
fn expand<T: Real, S: Simd>(
    simd: S,
    model: &CompiledModel<T>,
    search: &Search<T>,
    trees: &mut Trees<T>,
    scratch: &mut Scratch<T>,
    places: std::ops::Range<usize>,
    agent: usize,
) -> bool {
    let most = search.arguments.max_nodes - 1;
    let mut nodes = trees.nodes();
    for start in places.clone().step_by(LANES) {
        let mut beliefs = [0; LANES];
        let count = (places.end - start).min(LANES);
        for (belief, &place) in beliefs.iter_mut().zip(&trees.order[start..start + count]) {
            *belief = place as usize;
        }
        let beliefs = &beliefs[..count];
        believe(simd, model, search, trees, scratch, beliefs, agent);
        nodes += value(simd, model, search, trees, scratch, beliefs);
        if nodes >= most {
            return false;
        }
        for policy in 0..trees.policies {
            let lives = |&belief: &usize| trees.alive[belief * trees.policies + policy] == 1;
            if !beliefs.iter().any(lives) {
                continue;
            }
            predict(simd, model, search, trees, scratch, policy);
            for (lane, &belief) in beliefs.iter().enumerate() {
                let slot = belief * trees.policies + policy;
                if trees.alive[slot] == 0 {
                    continue;
                }
                trees.rank(&model.outcomes, lane);
                let mut under = Under {
                    slot,
                    lane,
                    predicted: &scratch.prior,
                    threshold: T::from_f64(search.arguments.observation_prune_threshold),
                    branching: search.arguments.max_branching,
                    nodes,
                    most,
                };
                if !trees.combine(&mut under, 0, T::ONE) {
                    return false;
                }
                nodes = under.nodes;
            }
        }
    }
    nodes < most
}

/// Puts what is believed into the rows: the agent's belief at the root, else the posterior of what
/// was predicted and observed.
#[inline(always)]
fn believe<T: Real, S: Simd>(
    simd: S,
    model: &CompiledModel<T>,
    search: &Search<T>,
    trees: &Trees<T>,
    scratch: &mut Scratch<T>,
    beliefs: &[usize],
    agent: usize,
) {
    if trees.parents[beliefs[0]] == ROOT {
        for (row, root) in scratch.rows.iter_mut().zip(trees.roots.iter()) {
            *row = Lane([root[agent]; LANES]);
        }
        return;
    }
    // Lanes past the last belief repeat it.
    let last = beliefs.len() - 1;
    for lane in 0..LANES {
        let belief = beliefs[lane.min(last)];
        let predicted = &trees.predicted[belief * trees.width..(belief + 1) * trees.width];
        for (row, &q) in scratch.prior.iter_mut().zip(predicted) {
            row[lane] = if search.forgets { T::ONE } else { q };
        }
        let observed = &trees.observed[belief * model.outcomes.len()..];
        for (row, &outcome) in scratch.observations.iter_mut().zip(observed) {
            row[lane] = outcome;
        }
    }
    simd.call(InferStates { model, scratch });
}

/// Values the policies of a step under each belief; answers how many are worth following.
#[inline(always)]
fn value<T: Real, S: Simd>(
    simd: S,
    model: &CompiledModel<T>,
    search: &Search<T>,
    trees: &mut Trees<T>,
    scratch: &mut Scratch<T>,
    beliefs: &[usize],
) -> usize {
    simd.call(Evaluate { model, scratch });
    let weights = &mut scratch.choice[..trees.policies];
    for (weight, &row) in weights.iter_mut().zip(model.plan.scores.iter()) {
        *weight = scratch.rows[row as usize];
    }
    scale(simd, Vector::splat(simd, T::from_f64(search.arguments.gamma)), weights);
    softmax(simd, weights);
    let threshold = T::from_f64(search.arguments.policy_prune_threshold);
    let mut alive = 0;
    for (lane, &belief) in beliefs.iter().enumerate() {
        trees.expanded[belief] = 1;
        for policy in 0..trees.policies {
            let slot = belief * trees.policies + policy;
            let score = model.plan.scores[policy] as usize;
            trees.neg_efe[slot] = scratch.rows[score][lane];
            trees.following[slot] = T::ZERO;
            trees.counts[slot] = 0;
            let lives = scratch.choice[policy][lane] > threshold;
            trees.alive[slot] = u8::from(lives);
            alive += usize::from(lives);
        }
    }
    alive
}

/// What a policy leads to: beliefs in `prior`, outcomes in `outcomes`.
#[inline(always)]
fn predict<T: Real, S: Simd>(
    simd: S,
    model: &CompiledModel<T>,
    search: &Search<T>,
    trees: &mut Trees<T>,
    scratch: &mut Scratch<T>,
    policy: usize,
) {
    let factors = model.states.len();
    for (f, transition) in model.transitions.iter().enumerate() {
        let action = model.plan.first_actions[policy * factors + f] as usize;
        let out = &mut scratch.prior[model.first_row[f]..model.first_row[f + 1]];
        let (joint, _) = joint_belief(simd, model, transition, &scratch.rows, &mut scratch.joint);
        transition.apply(simd, &scratch.learning.expected, action, joint, out);
    }
    let mut first = 0;
    for (m, (evidence, &count)) in model.evidence.iter().zip(&model.outcomes).enumerate() {
        let out = &mut trees.outcomes[first..first + count];
        first += count;
        let belief = |&f: &usize| &scratch.prior[model.first_row[f]..model.first_row[f + 1]];
        let q = match &evidence.dependencies[..] {
            [f] => belief(f),
            dependencies => product(simd, dependencies.iter().map(belief), &mut scratch.joint),
        };
        match evidence.table {
            EvidenceTable::Learnt { first } => {
                contract_lanes(
                    simd,
                    &scratch.learning.expected[first..][..count * q.len()],
                    q,
                    out,
                );
            }
            _ => contract(simd, &search.likelihoods[m], q, out),
        }
    }
}
