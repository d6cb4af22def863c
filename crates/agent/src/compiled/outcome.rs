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
use crate::step::kernels::neg_entropy;
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

/// An outcome of a table: how likely it is where no state makes it likelier, and by how much those
/// that do.
pub(super) struct OutcomeRow {
    /// b of the outcome.
    pub(super) background: f64,
    /// (s, e\[o, s\]), states ascending, each once.
    pub(super) entries: Vec<(u32, f64)>,
}

/// The outcomes of a table, from (outcome, state, e\[o, s\]); several of the same place add up.
pub(super) fn outcome_rows(background: &[f64], entries: &[Entry]) -> Vec<OutcomeRow> {
    let row = |&background: &f64| OutcomeRow { background, entries: Vec::new() };
    let mut rows: Vec<OutcomeRow> = background.iter().map(row).collect();
    let mut entries = entries.to_vec();
    entries.sort_by_key(|&(o, s, _)| (o, s));
    for (o, s, value) in entries {
        let row = &mut rows[o].entries;
        match row.last_mut() {
            Some(last) if last.0 == s => last.1 += value,
            _ => row.push((s, value)),
        }
    }
    rows
}

/// The outcomes of a structured likelihood of one factor by state, possibly seen from a step before:
/// composed with the transition of an action, so that a leaf of the plan needs no belief of its own.
/// What the sparse step reads, a lane at a time; blocks read a [`Family`](super::family::Family).
#[derive(Debug)]
pub(crate) struct SparseOutcome<T> {
    /// l, by state.
    pub(crate) linear: Array<T>,
    /// b of the outcomes that any state makes likelier than that; none without information gain.
    pub(crate) background: Array<T>,
    /// f(b) of those outcomes.
    pub(crate) background_f: Array<T>,
    /// Row s = the (outcome, value) that state s contributes.
    pub(crate) columns: Rows<T>,
    /// Σ f(b) over all outcomes.
    pub(crate) all: T,
}

impl<T: Real> SparseOutcome<T> {
    pub(super) fn new(
        memory: &SharedResource,
        linear: &[f64],
        outcomes: &[OutcomeRow],
    ) -> Result<Self> {
        let all: f64 = outcomes.iter().map(|outcome| f(outcome.background)).sum();
        let likelier: Vec<&OutcomeRow> =
            outcomes.iter().filter(|outcome| !outcome.entries.is_empty()).collect();
        let real = |values: Vec<f64>| -> Vec<T> { values.into_iter().map(T::from_f64).collect() };
        let background: Vec<f64> = likelier.iter().map(|outcome| outcome.background).collect();
        let entries = likelier.iter().enumerate().flat_map(|(index, outcome)| {
            outcome.entries.iter().map(move |&(s, value)| (s as usize, index as u32, value))
        });
        Ok(Self {
            linear: Array::copied(memory, &real(linear.to_vec()))?,
            background_f: Array::copied(memory, &real(background.iter().map(|&b| f(b)).collect()))?,
            background: Array::copied(memory, &real(background))?,
            columns: Rows::new(memory, linear.len(), entries)?,
            all: T::from_f64(all),
        })
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
