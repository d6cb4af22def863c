//! How beliefs move: q'\[s'\] = Σ_s B\[s', s, u\] · q\[s\], s over the joint states of B's dependencies.

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::lanes::Lane;
use populace_tensor::simd::{Real, Simd};

use super::rows::Rows;
use crate::step::kernels::contract;
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
    pub(super) fn compile(model: &Model, f: usize, memory: &SharedResource) -> Result<Self> {
        let tensor = &model.b[f];
        let states = tensor.rows();
        let dependencies = model.b_dependencies[f].clone();
        let joint: usize = dependencies.iter().map(|&d| model.b[d].rows()).product();
        let actions = tensor.columns() / joint;
        let size = states * joint * actions;
        let moves = || moves(tensor, actions).map(|(u, s, next, p)| (u * states + next, s, p));
        let table = if moves().count() as f64 <= SPARSE_BELOW * size as f64 {
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

    /// q' after `action`, from the joint belief over the dependencies.
    #[inline(always)]
    pub(crate) fn apply<S: Simd>(
        &self,
        simd: S,
        action: usize,
        joint: &[Lane<T>],
        out: &mut [Lane<T>],
    ) {
        match &self.table {
            Table::Sparse(rows) => rows.apply(simd, action * self.states, joint, out),
            Table::Dense(table) => {
                let size = self.states * joint.len();
                contract(simd, &table[action * size..][..size], joint, out);
            }
        }
    }

    /// The rows, where only non-zeros are kept.
    pub(crate) fn sparse(&self) -> Option<&Rows<T>> {
        match &self.table {
            Table::Sparse(rows) => Some(rows),
            Table::Dense(_) => None,
        }
    }
}
