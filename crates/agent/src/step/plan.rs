//! What policies are worth: runs the compiled program on a block.

use populace_tensor::lanes::{Lane, contract, contract_lanes, dot};
use populace_tensor::simd::{Kernel, Real, Simd, Vector};

use super::by_policy;
use super::door::{Number, Stage};
use super::following::commit;
use super::joint::worth;
use super::kernels::{softmax, splat};
use super::scratch::Scratch;
use super::search::search;
use super::states::product;
use crate::compiled::outcome::dense_value;
use crate::compiled::program::Operation;
use crate::{CompiledModel, EPSILON, Planner};

impl<T: Number> CompiledModel<T> {
    /// Weighs the policies of a block by its beliefs: −EFE and the posterior over policies (pymdp's
    /// `infer_policies`). Where [`CompiledModel::infers_by_policy`], inference has weighed them by the
    /// beliefs of each, and here that becomes their posterior.
    pub fn infer_policies(&self, scratch: &mut Scratch<T>) {
        T::run(Stage::InferPolicies, self, scratch);
    }
}

pub(super) struct InferPolicies<'a, T: Real> {
    pub(super) model: &'a CompiledModel<T>,
    pub(super) scratch: &'a mut Scratch<T>,
}

impl<T: Real> Kernel for InferPolicies<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { model, scratch } = self;
        if let Some(wanted) = &model.search {
            return search(simd, model, wanted, scratch);
        }
        if model.by_policy.is_some() {
            return by_policy::weigh(simd, scratch);
        }
        let following = model.following.as_ref();
        if following.is_none() || !scratch.only_follows() {
            simd.call(Evaluate { model, scratch });
            weigh(simd, model, scratch);
        }
        if let Some(following) = following {
            commit(following, scratch);
        }
    }
}

/// Runs the program of a plan: from a block's beliefs to the rows of its scores.
pub(super) struct Evaluate<'a, T: Real> {
    pub(super) model: &'a CompiledModel<T>,
    pub(super) scratch: &'a mut Scratch<T>,
}

impl<T: Real> Kernel for Evaluate<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { model, scratch } = self;
        let mut words = Words { words: &model.plan.words };
        while let Some(operation) = words.operation() {
            execute(simd, model, scratch, operation, &mut words);
        }
    }
}

/// Reads a program.
pub(super) struct Words<'a> {
    pub(super) words: &'a [u32],
}

impl<'a> Words<'a> {
    #[inline(always)]
    pub(super) fn operation(&mut self) -> Option<Operation> {
        let (&word, rest) = self.words.split_first()?;
        self.words = rest;
        Some(Operation::of(word))
    }

    #[inline(always)]
    pub(super) fn take<const N: usize>(&mut self) -> [usize; N] {
        let (taken, rest) = self.words.split_at(N);
        self.words = rest;
        std::array::from_fn(|i| taken[i] as usize)
    }

    #[inline(always)]
    pub(super) fn list(&mut self, len: usize) -> &'a [u32] {
        let (taken, rest) = self.words.split_at(len);
        self.words = rest;
        taken
    }
}

#[inline(always)]
fn execute<T: Real, S: Simd>(
    simd: S,
    model: &CompiledModel<T>,
    scratch: &mut Scratch<T>,
    operation: Operation,
    words: &mut Words<'_>,
) {
    let rows = &mut scratch.rows[..];
    match operation {
        Operation::Belief => {
            let [factor, action, out] = words.take();
            let learnt = &scratch.learning.expected[..];
            let transition = &model.transitions[factor];
            let from = words.list(transition.dependencies.len());
            if let &[from] = from {
                let (q, out) =
                    apart(rows, (from as usize, transition.states), (out, transition.states));
                transition.apply(simd, learnt, action, q, out);
            } else {
                let beliefs = transition.dependencies.iter().zip(from).map(|(&f, &from)| {
                    let from = from as usize;
                    &rows[from..from + model.states[f]]
                });
                let joint = product(simd, beliefs, &mut scratch.joint);
                let out = &mut rows[out..out + transition.states];
                transition.apply(simd, learnt, action, joint, out);
            }
        }
        Operation::Family => {
            let [family, out, belief] = words.take();
            let family = &model.plan.families[family];
            let (q, out) = apart(rows, (belief, family.states()), (out, family.tables()));
            family.values(simd, q, out);
        }
        Operation::Sparse => {
            let [_, out, value, _] = words.take();
            rows[out] = rows[value];
        }
        Operation::Contract => {
            let [table, out, belief] = words.take();
            let table = &model.plan.dense[table];
            let (q, out) = apart(rows, (belief, table.states), (out, table.rows));
            match &table.learnt {
                None => contract(simd, &table.values, q, out),
                Some(learnt) => {
                    let size = table.rows * table.states;
                    let own = &scratch.learning;
                    let tables = if learnt.novel { &own.gains } else { &own.outcomes };
                    let table = &tables[learnt.first..learnt.first + size];
                    contract_lanes(simd, table, q, out);
                }
            }
        }
        Operation::ContractLanes => {
            let [n, s, out, partial, belief] = words.take();
            let (x, q, out) = three_apart(rows, (partial, n * s), (belief, s), (out, n));
            contract_lanes(simd, x, q, out);
        }
        Operation::Dense => {
            let [len, out, contraction] = words.take();
            let value = dense_value(simd, &rows[contraction..contraction + len]);
            value.store(&mut rows[out]);
        }
        Operation::Goal => {
            let [factor, out, present] = words.take();
            let states = model.states[factor];
            let paths = &model.plan.paths[factor];
            let transition = &model.transitions[factor];
            match transition.learnt() {
                None => {
                    let (present, out) = apart(rows, (present, states), (out, states));
                    paths.worth(present, out);
                }
                Some(first) => {
                    let room = states * (1 + paths.depth());
                    let (present, out) = apart(rows, (present, states), (out, room));
                    let size = transition.actions * states * states;
                    let b = &scratch.learning.expected[first..first + size];
                    paths.worth_learnt(present, b, out);
                }
            }
        }
        Operation::Products => {
            let [len, out, contraction] = words.take();
            let (outcomes, weights) = rows[contraction..contraction + len].split_at(len / 2);
            let sum = dot(simd, outcomes, weights);
            (splat::<T, S>(simd, 0.0) - sum).store(&mut rows[out]);
        }
        Operation::Learnt => {
            let [factor, action, out, after] = words.take();
            let transition = &model.transitions[factor];
            let from = words.list(transition.dependencies.len());
            let beliefs = transition.dependencies.iter().zip(from).map(|(&f, &from)| {
                let from = from as usize;
                &rows[from..from + model.states[f]]
            });
            let (weighed, room) = scratch.joint.split_at_mut(transition.states);
            let joint = product(simd, beliefs, room);
            let size = transition.states * joint.len();
            match transition.learnt() {
                None => {
                    let table = &model.plan.learnt[factor][action * size..][..size];
                    contract(simd, table, joint, weighed);
                }
                Some(first) => {
                    let table = &scratch.learning.moves[first + action * size..][..size];
                    contract_lanes(simd, table, joint, weighed);
                }
            }
            let sum = dot(simd, weighed, &rows[after..after + transition.states]);
            (splat::<T, S>(simd, 0.0) - sum).store(&mut rows[out]);
        }
        Operation::Joint => {
            let [time, out] = words.take();
            let Some(outcome) = &model.joint_outcome else { return };
            let from = words.list(model.states.len());
            let beliefs = from.iter().zip(&model.states).map(|(&from, &states)| {
                let from = from as usize;
                &rows[from..from + states]
            });
            let q = product(simd, beliefs, &mut scratch.joint);
            let learnt = &scratch.learning.outcomes;
            let value = worth(simd, outcome, learnt, time, q, &mut scratch.worth);
            value.store(&mut rows[out]);
        }
        Operation::Score | Operation::Weight | Operation::LogSumExp | Operation::Max => {
            combine(simd, model, rows, operation, words)
        }
    }
}

/// Operations on single rows: they come after all that they need in any order of the others.
#[inline(always)]
pub(super) fn combine<T: Real, S: Simd>(
    simd: S,
    model: &CompiledModel<T>,
    rows: &mut [Lane<T>],
    operation: Operation,
    words: &mut Words<'_>,
) {
    let load = |rows: &[Lane<T>], row: u32| Vector::<T, S>::load(simd, &rows[row as usize]);
    let zero = splat::<T, S>(simd, 0.0);
    let (out, value) = match operation {
        Operation::Weight => {
            let [count, scale, habit, out] = words.take();
            let terms = words.list(count);
            let constant = |index: usize| Vector::splat(simd, model.plan.constants[index]);
            let now = constant(scale).mul_add(load(rows, terms[0]), constant(habit));
            (out, terms[1..].iter().fold(now, |sum, &future| sum + load(rows, future)))
        }
        Operation::LogSumExp => {
            let [count, out] = words.take();
            let terms = words.list(count);
            let first = load(rows, terms[0]);
            let most = terms[1..].iter().fold(first, |most, &term| most.max(load(rows, term)));
            let sum = |sum, &term: &u32| sum + (load(rows, term) - most).exp();
            (out, most + terms.iter().fold(zero, sum).ln())
        }
        Operation::Max => {
            let [count, out] = words.take();
            let terms = words.list(count);
            let first = load(rows, terms[0]);
            (out, terms[1..].iter().fold(first, |most, &term| most.max(load(rows, term))))
        }
        _ => {
            let [count, out] = words.take();
            let terms = words.list(count);
            (out, terms.iter().fold(zero, |sum, &term| sum + load(rows, term)))
        }
    };
    value.store(&mut rows[out]);
}

/// −EFE and q_π: softmax(gamma·G + ln E) of the scores, or of the weights of a graph.
#[inline(always)]
pub(super) fn weigh<T: Real, S: Simd>(simd: S, model: &CompiledModel<T>, scratch: &mut Scratch<T>) {
    match model.plan.planner {
        Planner::Enumeration => {
            let gamma = Vector::splat(simd, model.gamma);
            let own = model.learning.as_ref().and_then(|learning| learning.e);
            let own = own.map(|counts| &scratch.learning.expected[counts.range()]);
            for (policy, &row) in model.plan.scores.iter().enumerate() {
                let score = Vector::load(simd, &scratch.rows[row as usize]);
                score.store(&mut scratch.neg_efe[policy]);
                let habit = match own {
                    None => Vector::splat(simd, model.plan.ln_habit[policy]),
                    Some(own) => ln_of(Vector::load(simd, &own[policy])),
                };
                gamma.mul_add(score, habit).store(&mut scratch.q_pi[policy]);
            }
        }
        Planner::Graph | Planner::Search => {
            for (weight, &row) in scratch.q_pi.iter_mut().zip(model.plan.scores.iter()) {
                *weight = scratch.rows[row as usize];
            }
        }
    }
    softmax(simd, &mut scratch.q_pi);
}

/// ln max(p, ε).
#[inline(always)]
fn ln_of<T: Real, S: Simd>(p: Vector<T, S>) -> Vector<T, S> {
    p.max(splat(p.simd(), EPSILON)).ln()
}

/// Rows (first, count) to read and others to write. The program never overlaps them.
#[inline(always)]
fn apart<T>(
    rows: &mut [Lane<T>],
    read: (usize, usize),
    write: (usize, usize),
) -> (&[Lane<T>], &mut [Lane<T>]) {
    if read.0 < write.0 {
        let (low, high) = rows.split_at_mut(write.0);
        (&low[read.0..read.0 + read.1], &mut high[..write.1])
    } else {
        let (low, high) = rows.split_at_mut(read.0);
        (&high[..read.1], &mut low[write.0..write.0 + write.1])
    }
}

/// Rows of lanes that are read.
type Rows<'a, T> = &'a [Lane<T>];

/// As [`apart`], with two parts to read.
#[inline(always)]
fn three_apart<T>(
    rows: &mut [Lane<T>],
    one: (usize, usize),
    two: (usize, usize),
    write: (usize, usize),
) -> (Rows<'_, T>, Rows<'_, T>, &mut [Lane<T>]) {
    let (low, rest) = rows.split_at_mut(write.0);
    let (out, high) = rest.split_at_mut(write.1);
    let (low, high) = (&*low, &*high);
    let end = write.0 + write.1;
    let part = |(first, count): (usize, usize)| {
        if first < write.0 { &low[first..first + count] } else { &high[first - end..][..count] }
    };
    (part(one), part(two), out)
}
