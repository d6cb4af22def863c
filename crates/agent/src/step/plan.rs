//! What policies are worth: runs the compiled program on a block.

use populace_tensor::lanes::Lane;
use populace_tensor::simd::{Kernel, Real, Simd, Vector};

use super::kernels::{contract, contract_lanes, softmax, splat};
use super::scratch::Scratch;
use super::states::product;
use crate::CompiledModel;
use crate::compiled::outcome::dense_value;
use crate::compiled::program::Operation;

impl<T: Real> CompiledModel<T> {
    /// Weighs the policies of a block by its beliefs: −EFE and the posterior over policies (pymdp's
    /// `infer_policies`).
    pub fn infer_policies(&self, scratch: &mut Scratch<T>) {
        self.isa.dispatch(InferPolicies { model: self, scratch });
    }
}

struct InferPolicies<'a, T: Real> {
    model: &'a CompiledModel<T>,
    scratch: &'a mut Scratch<T>,
}

impl<T: Real> Kernel for InferPolicies<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { model, scratch } = self;
        let mut words = Words { words: &model.plan.words };
        while let Some(operation) = words.operation() {
            execute(simd, model, scratch, operation, &mut words);
        }
        weigh(simd, model, scratch);
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
            let transition = &model.transitions[factor];
            let from = words.list(transition.dependencies.len());
            if let &[from] = from {
                let (q, out) =
                    apart(rows, (from as usize, transition.states), (out, transition.states));
                transition.apply(simd, action, q, out);
            } else {
                let beliefs = transition.dependencies.iter().zip(from).map(|(&f, &from)| {
                    let from = from as usize;
                    &rows[from..from + model.states[f]]
                });
                let joint = product(simd, beliefs, &mut scratch.joint);
                transition.apply(simd, action, joint, &mut rows[out..out + transition.states]);
            }
        }
        Operation::Sparse => {
            let [table, out, belief] = words.take();
            let table = &model.plan.sparse[table];
            let value = table.value(simd, &rows[belief..belief + table.linear.len()]);
            value.store(&mut rows[out]);
        }
        Operation::Contract => {
            let [table, out, belief] = words.take();
            let table = &model.plan.dense[table];
            let n = table.values.len() / table.states;
            let (q, out) = apart(rows, (belief, table.states), (out, n));
            contract(simd, &table.values, q, out);
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
        Operation::Score => score(simd, rows, words),
    }
}

/// out = Σ terms.
#[inline(always)]
pub(super) fn score<T: Real, S: Simd>(simd: S, rows: &mut [Lane<T>], words: &mut Words<'_>) {
    let [count, out] = words.take();
    let mut sum = splat::<T, S>(simd, 0.0);
    for &term in words.list(count) {
        sum = sum + Vector::load(simd, &rows[term as usize]);
    }
    sum.store(&mut rows[out]);
}

/// −EFE and q_π from the scores: softmax(gamma·G + ln E).
#[inline(always)]
pub(super) fn weigh<T: Real, S: Simd>(simd: S, model: &CompiledModel<T>, scratch: &mut Scratch<T>) {
    let gamma = Vector::splat(simd, model.gamma);
    for (policy, &row) in model.plan.scores.iter().enumerate() {
        let score = Vector::load(simd, &scratch.rows[row as usize]);
        score.store(&mut scratch.neg_efe[policy]);
        let habit = Vector::splat(simd, model.ln_habit[policy]);
        gamma.mul_add(score, habit).store(&mut scratch.q_pi[policy]);
    }
    softmax(simd, &mut scratch.q_pi);
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
