//! What a policy's step is worth: utility and information gain of one modality under a belief.
//!
//! With q_o = A q, preferences C and the ambiguity H\[A\]:
//!
//! ```text
//! q_o·C + H[q_o] − E_q H[A]  =  l·q − Σ_o f(q_o),   f(x) = x·ln max(x, ε)
//! l[s] = Σ_o A[o, s]·(C[o] + ln max(A[o, s], ε))
//! ```
//!
//! Everything linear in q is folded into l once per model; only f needs the outcomes.

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::lanes::Lane;
use populace_tensor::simd::{Real, Simd, Vector};

use super::likelihood::Structure;
use super::rows::{Entry, Rows};
use crate::step::kernels::{neg_entropy, splat, x_ln_x};
use crate::{EPSILON, Result, Tensor};

/// f(x) = x·ln max(x, ε).
pub(super) fn f(x: f64) -> f64 {
    x * x.max(EPSILON).ln()
}

/// l of a modality over the joint states; without `utility` or `gain` that part is 0.
pub(super) fn linear(a: &Tensor, preferences: &[f64], utility: bool, gain: bool) -> Vec<f64> {
    let value = |(o, p): (usize, f64)| {
        let worth = if utility { preferences[o] } else { 0.0 };
        let clear = if gain { p.max(EPSILON).ln() } else { 0.0 };
        p * (worth + clear)
    };
    (0..a.columns()).map(|column| a.column(column).map(value).sum()).collect()
}

/// The outcomes of a structured likelihood of one factor, possibly seen from a step before: composed
/// with the transition of an action, so that a leaf of the plan needs no belief of its own.
#[derive(Debug)]
pub(crate) struct SparseOutcome<T> {
    /// l, by state.
    pub(crate) linear: Array<T>,
    /// Rows of the outcomes that any state makes likelier than its background, those of one state
    /// first; none without information gain.
    pub(crate) rows: Rows<T>,
    /// How many rows have one state.
    singles: usize,
    /// b of those outcomes.
    pub(crate) background: Array<T>,
    /// f(b) of those outcomes.
    pub(crate) background_f: Array<T>,
    /// The same table by state, row s = the (row index, value) that state s contributes.
    pub(crate) columns: Rows<T>,
    /// Σ f(b) over the other outcomes.
    pub(crate) rest: T,
    /// Σ f(b) over all outcomes.
    pub(crate) all: T,
}

impl<T: Real> SparseOutcome<T> {
    /// `entries`: (outcome, state, e\[o, s\]); several of the same place add up.
    pub(super) fn new(
        memory: &SharedResource,
        states: usize,
        linear: &[f64],
        structure: Option<(&[f64], Vec<Entry>)>,
    ) -> Result<Self> {
        let (background, mut entries) = structure.unwrap_or((&[], Vec::new()));
        entries.sort_by_key(|&(o, s, _)| (o, s));
        entries.dedup_by(|next, kept| {
            let same = (next.0, next.1) == (kept.0, kept.1);
            if same {
                kept.2 += next.2;
            }
            same
        });
        let mut outcomes: Vec<usize> = entries.iter().map(|&(o, ..)| o).collect();
        outcomes.dedup();
        let mut counts = vec![0_usize; background.len()];
        entries.iter().for_each(|&(o, ..)| counts[o] += 1);
        outcomes.sort_by_key(|&o| (counts[o] != 1, o));
        let mut index = vec![usize::MAX; background.len()];
        for (row, &o) in outcomes.iter().enumerate() {
            index[o] = row;
        }
        let rest = (0..background.len()).filter(|&o| index[o] == usize::MAX);
        let real =
            |values: &mut dyn Iterator<Item = f64>| -> Vec<T> { values.map(T::from_f64).collect() };
        Ok(Self {
            linear: Array::copied(memory, &real(&mut linear.iter().copied()))?,
            rows: Rows::new(
                memory,
                outcomes.len(),
                entries.iter().map(|&(o, s, value)| (index[o], s, value)),
            )?,
            background: Array::copied(memory, &real(&mut outcomes.iter().map(|&o| background[o])))?,
            background_f: Array::copied(
                memory,
                &real(&mut outcomes.iter().map(|&o| f(background[o]))),
            )?,
            columns: Rows::new(
                memory,
                states,
                entries.iter().map(|&(o, s, value)| (s as usize, index[o] as u32, value)),
            )?,
            singles: outcomes.iter().take_while(|&&o| counts[o] == 1).count(),
            rest: T::from_f64(rest.map(|o| f(background[o])).sum()),
            all: T::from_f64(background.iter().map(|&b| f(b)).sum()),
        })
    }

    /// l·q − Σ_o f(q_o).
    #[inline(always)]
    pub(crate) fn value<S: Simd>(&self, simd: S, q: &[Lane<T>]) -> Vector<T, S> {
        let mut linear = splat::<T, S>(simd, 0.0);
        for (&l, q) in self.linear.iter().zip(q) {
            linear = Vector::splat(simd, l).mul_add(Vector::load(simd, q), linear);
        }
        let mut nonlinear = Vector::splat(simd, self.rest);
        let (single, several) = self.background.split_at(self.singles);
        for ((&background, &column), &value) in
            single.iter().zip(self.rows.columns()).zip(self.rows.values())
        {
            let q = Vector::load(simd, &q[column as usize]);
            let x = Vector::splat(simd, value).mul_add(q, Vector::splat(simd, background));
            nonlinear = nonlinear + x_ln_x(x);
        }
        for (row, &background) in several.iter().enumerate() {
            let x = Vector::splat(simd, background) + self.rows.dot(simd, self.singles + row, q);
            nonlinear = nonlinear + x_ln_x(x);
        }
        linear - nonlinear
    }
}

/// The entries of a structured likelihood: (o, s, e\[o, s\]).
pub(super) fn excess(structure: &Structure) -> Vec<Entry> {
    let above = |&(o, s, value): &Entry| (o, s, value - structure.background[o]);
    structure.exceptions.iter().map(above).collect()
}

/// l·q − Σ_o f(q_o) of outcomes that were contracted already: `rows` = q_o, and l·q last.
#[inline(always)]
pub(crate) fn dense_value<T: Real, S: Simd>(simd: S, rows: &[Lane<T>]) -> Vector<T, S> {
    let (linear, outcomes) = rows.split_at(1);
    Vector::load(simd, &linear[0]) - neg_entropy(simd, outcomes)
}
