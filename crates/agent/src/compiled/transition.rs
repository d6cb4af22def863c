//! How beliefs move: q'\[s'\] = Σ_s B\[s', s, u\] · q\[s\], s over the joint states of B's dependencies.

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::lanes::{LANES, Lane, contract, contract_lanes, interleave_with};
use populace_tensor::simd::{Real, Simd, Vector};

use super::learning::Learning;
use super::rows::Rows;
use crate::step::NONE;
use crate::{Model, Result, Tensor};

/// The transitions of one factor.
#[derive(Debug)]
pub(crate) struct Transition<T> {
    /// The factors that the next state depends on.
    pub(crate) dependencies: Vec<usize>,
    /// S_f.
    pub(crate) states: usize,
    /// Flat actions of the factor.
    pub(crate) actions: usize,
    table: Table<T>,
}

/// Row u·S + s' holds B\[s', ·, u\].
#[derive(Debug)]
enum Table<T> {
    Sparse(Rows<T>),
    Dense(Array<T>),
    /// An agent's own B: where it starts in what a block has learnt.
    Learnt {
        first: usize,
    },
}

/// Where a table has at most this share of non-zeros, they alone are kept.
pub(super) const SPARSE_BELOW: f64 = 0.25;

/// What is not zero in a transition tensor: (action, joint state before, state after, probability).
pub(super) fn moves(
    b: &Tensor,
    actions: usize,
) -> impl Iterator<Item = (usize, u32, usize, f64)> + '_ {
    // The file's columns run over (joint state, action), the action fastest.
    (0..b.columns()).flat_map(move |column| {
        let (s, u) = (column / actions, column % actions);
        let entries = b.column(column).filter(|&(_, p)| p != 0.0);
        entries.map(move |(next, p)| (u, s as u32, next, p))
    })
}

impl<T: Real> Transition<T> {
    pub(super) fn compile(
        model: &Model,
        f: usize,
        learning: Option<&Learning<T>>,
        memory: &SharedResource,
    ) -> Result<Self> {
        let tensor = &model.b[f];
        let states = tensor.rows();
        let dependencies = model.b_dependencies[f].clone();
        let joint: usize = dependencies.iter().map(|&d| model.b[d].rows()).product();
        let actions = tensor.columns() / joint;
        let size = states * joint * actions;
        let moves = || moves(tensor, actions).map(|(u, s, next, p)| (u * states + next, s, p));
        let table = if let Some(counts) = learning.and_then(|learning| learning.b.get(f)) {
            Table::Learnt { first: counts.first }
        } else if moves().count() as f64 <= SPARSE_BELOW * size as f64 {
            Table::Sparse(Rows::new(memory, actions * states, moves())?)
        } else {
            let mut table = Array::zeroed(memory, size)?;
            for (row, s, p) in moves() {
                table[row * joint + s as usize] = T::from_f64(p);
            }
            Table::Dense(table)
        };
        Ok(Self { dependencies, states, actions, table })
    }

    /// q' after `action`, from the joint belief over the dependencies; `learnt` is what the block has
    /// learnt.
    #[inline(always)]
    pub(crate) fn apply<S: Simd>(
        &self,
        simd: S,
        learnt: &[Lane<T>],
        action: usize,
        joint: &[Lane<T>],
        out: &mut [Lane<T>],
    ) {
        let size = self.states * joint.len();
        match &self.table {
            Table::Sparse(rows) => rows.apply(simd, action * self.states, joint, out),
            Table::Dense(table) => {
                contract(simd, &table[action * size..][..size], joint, out);
            }
            Table::Learnt { first } => {
                contract_lanes(simd, &learnt[first + action * size..][..size], joint, out);
            }
        }
    }

    /// out\[s\] += Σ_{s'} B\[s', s, u\]·r\[s'\]: from the states after `action` back to the joint states
    /// before it.
    #[inline(always)]
    pub(crate) fn apply_back<S: Simd>(
        &self,
        simd: S,
        learnt: &[Lane<T>],
        action: usize,
        r: &[Lane<T>],
        out: &mut [Lane<T>],
    ) {
        let joint = out.len();
        let size = self.states * joint;
        match &self.table {
            Table::Sparse(rows) => {
                for (next, r) in r.iter().enumerate() {
                    let r = Vector::load(simd, r);
                    for (s, p) in rows.row(action * self.states + next) {
                        let sum = Vector::load(simd, &out[s]);
                        Vector::splat(simd, p).mul_add(r, sum).store(&mut out[s]);
                    }
                }
            }
            Table::Dense(table) => {
                for (row, r) in table[action * size..][..size].chunks_exact(joint).zip(r) {
                    let r = Vector::load(simd, r);
                    for (&p, out) in row.iter().zip(out.iter_mut()) {
                        Vector::splat(simd, p).mul_add(r, Vector::load(simd, out)).store(out);
                    }
                }
            }
            Table::Learnt { first } => {
                let own = &learnt[first + action * size..][..size];
                for (row, r) in own.chunks_exact(joint).zip(r) {
                    let r = Vector::load(simd, r);
                    for (p, out) in row.iter().zip(out.iter_mut()) {
                        Vector::load(simd, p).mul_add(r, Vector::load(simd, out)).store(out);
                    }
                }
            }
        }
    }

    /// B at every lane's action, (S, joint); a lane without an action gets the first one's.
    #[inline(always)]
    pub(crate) fn gather<S: Simd>(
        &self,
        simd: S,
        learnt: &[Lane<T>],
        actions: &[u32; LANES],
        out: &mut [Lane<T>],
    ) {
        let size = out.len();
        let joint = size / self.states;
        let action = |lane: usize| match actions[lane] {
            NONE => 0,
            action => action as usize,
        };
        match &self.table {
            Table::Sparse(rows) => {
                out.fill(Lane([T::ZERO; LANES]));
                for lane in 0..LANES {
                    for (next, out) in out.chunks_exact_mut(joint).enumerate() {
                        for (s, p) in rows.row(action(lane) * self.states + next) {
                            out[s][lane] = p;
                        }
                    }
                }
            }
            Table::Dense(table) => {
                let from = std::array::from_fn(|lane| &table[action(lane) * size..][..size]);
                interleave_with(simd, &from, out);
            }
            Table::Learnt { first } => {
                for lane in 0..LANES {
                    let own = &learnt[first + action(lane) * size..][..size];
                    for (out, own) in out.iter_mut().zip(own) {
                        out[lane] = own[lane];
                    }
                }
            }
        }
    }

    /// The most products that an entry of q' is a sum of.
    pub(crate) fn most_terms(&self) -> usize {
        match &self.table {
            Table::Sparse(rows) => rows.longest(),
            Table::Dense(table) => table.len() / (self.states * self.actions),
            Table::Learnt { .. } => self.states,
        }
    }

    /// Where an agent's own B starts in what a block has learnt, if it is its own.
    pub(crate) fn learnt(&self) -> Option<usize> {
        match &self.table {
            Table::Learnt { first } => Some(*first),
            Table::Sparse(_) | Table::Dense(_) => None,
        }
    }

    /// The rows, where only non-zeros are kept.
    pub(crate) fn sparse(&self) -> Option<&Rows<T>> {
        match &self.table {
            Table::Sparse(rows) => Some(rows),
            Table::Dense(_) | Table::Learnt { .. } => None,
        }
    }
}
