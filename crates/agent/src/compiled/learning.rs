//! What agents learn: Dirichlet counts, shared by all until an agent has its own.
//!
//! The counts of a model, and the arrays that they are counts of, are one vector of *blocks*. A block
//! is what one event touches, so it is what an agent takes a copy of when it first learns from such
//! an event:
//!
//! ```text
//! pA_m   O_m blocks, one an outcome: J numbers, J the joint states that the modality depends on
//! pB_f   U_f blocks, one an action:  S_f · J numbers, J the joint states that the factor depends on
//! pD_f   one block of S_f numbers
//! pE     one block of P numbers
//! ```
//!
//! Invariants: `blocks` cover `counts` and `given` in order, without gaps; a family that is not
//! learnt has no blocks.

use std::ops::Range;

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::simd::Real;

use crate::{Dialect, InferenceAlgorithm, Model, Result, Tensor};

/// Bits of an agent's mask that say whether A, B, D and E have been updated; its blocks' bits follow.
pub(crate) const FLAGS: usize = 4;

/// The families of counts: the bit of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    A = 0,
    B = 1,
    D = 2,
    E = 3,
}

/// What is learnt, from what, and how.
#[derive(Debug)]
pub(crate) struct Learning<T> {
    /// By modality, factor, factor; empty where that family is not learnt.
    pub(crate) a: Vec<Counts>,
    pub(crate) b: Vec<Counts>,
    pub(crate) d: Vec<Counts>,
    pub(crate) e: Option<Counts>,
    /// The counts as given, block by block.
    pub(crate) counts: Array<T>,
    /// A, B, D and E as given: they hold until their first update.
    pub(crate) given: Array<T>,
    pub(crate) blocks: Vec<Range<usize>>,
    /// By family.
    pub(crate) rates: [Rates<T>; FLAGS],
    /// Whether a count of 0 stays 0.
    pub(crate) keep_zeros: bool,
    pub(crate) joint: Joint,
    pub(crate) dialect: Dialect,
}

/// How fast counts of a family change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rates<T> {
    /// What an event adds is multiplied with this.
    pub(crate) learn: T,
    /// What was there before is multiplied with this; `None`, it stays as it is.
    pub(crate) keep: Option<T>,
}

impl<T: Real> Rates<T> {
    fn new(learn: f64, keep: f64) -> Self {
        Self { learn: T::from_f64(learn), keep: (keep < 1.0).then(|| T::from_f64(keep)) }
    }
}

/// The counts of one array.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    /// Where they start.
    pub(crate) first: usize,
    pub(crate) first_block: usize,
    /// Tables that follow each other; a table is (rows, joint), and its columns are distributions.
    pub(crate) tables: usize,
    pub(crate) rows: usize,
    pub(crate) joint: usize,
    /// Whether they grow. The array of those that do not is that of its counts all the same, from the
    /// first update of its family on.
    pub(crate) grow: bool,
}

/// What B is learnt from: the joint belief over two consecutive steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joint {
    /// q_t ⊗ q_{t−1}.
    Independent,
    /// q_t(s')·B\[s', s\]·q_{t−1}(s) / norm, norm = Σ_s B q_{t−1}, ε where that is 0 (`ovf`).
    Smoothed,
    /// The same with max(norm, ε) (`exact`).
    SmoothedClipped,
}

impl Counts {
    /// Where table `table` stands.
    pub(crate) fn table(&self, table: usize) -> Range<usize> {
        let size = self.rows * self.joint;
        self.first + table * size..self.first + (table + 1) * size
    }

    /// Where all of it stands.
    pub(crate) fn range(&self) -> Range<usize> {
        self.first..self.first + self.tables * self.rows * self.joint
    }
}

impl<T: Real> Learning<T> {
    pub(super) fn compile(model: &Model, memory: &SharedResource) -> Result<Option<Self>> {
        let agent = &model.arguments;
        if !agent.learn_a && !agent.learn_b && !agent.learn_d && !agent.learn_e {
            return Ok(None);
        }
        let mut vectors = Vectors::default();
        let mut learning = Self {
            a: Vec::new(),
            b: Vec::new(),
            d: Vec::new(),
            e: None,
            counts: Array::zeroed(memory, 0)?,
            given: Array::zeroed(memory, 0)?,
            blocks: Vec::new(),
            rates: [
                Rates::new(agent.lr_pa, agent.fr_pa),
                Rates::new(agent.lr_pb, agent.fr_pb),
                Rates::new(agent.lr_pd, agent.fr_pd),
                Rates::new(agent.lr_pe, agent.fr_pe),
            ],
            keep_zeros: agent.keep_zeros,
            joint: match agent.inference_algo {
                InferenceAlgorithm::Ovf => Joint::Smoothed,
                InferenceAlgorithm::Exact => Joint::SmoothedClipped,
                _ => Joint::Independent,
            },
            dialect: model.dialect,
        };
        if agent.learn_a {
            for (m, (counts, a)) in model.p_a.iter().zip(&model.a).enumerate() {
                let grow = is_chosen(&agent.modalities_to_learn, m);
                let counts = vectors.push(counts, a, 1, counts.columns());
                learning.a.push(Counts { grow, ..counts });
            }
        }
        if agent.learn_b {
            for (f, (counts, b)) in model.p_b.iter().zip(&model.b).enumerate() {
                let actions = model.actions_of(f);
                let block = counts.rows() * counts.columns() / actions;
                let grow = is_chosen(&agent.factors_to_learn, f);
                learning.b.push(Counts { grow, ..vectors.push(counts, b, actions, block) });
            }
        }
        if agent.learn_d {
            for (f, (counts, d)) in model.p_d.iter().zip(&model.d).enumerate() {
                let grow = is_chosen(&agent.factors_to_learn, f);
                learning.d.push(Counts { grow, ..vectors.push(counts, d, 1, counts.rows()) });
            }
        }
        if agent.learn_e {
            let given = match &model.e {
                Some(e) => Tensor::vector(e.clone()),
                None => Tensor::uniform(model.p_e.len()),
            };
            let counts = Tensor::vector(model.p_e.clone());
            learning.e = Some(vectors.push(&counts, &given, 1, counts.rows()));
        }
        learning.counts = Array::copied(memory, &vectors.counts)?;
        learning.given = Array::copied(memory, &vectors.given)?;
        learning.blocks = vectors.blocks;
        Ok(Some(learning))
    }
}

fn is_chosen(chosen: &Option<Vec<usize>>, index: usize) -> bool {
    chosen.as_ref().is_none_or(|chosen| chosen.contains(&index))
}

struct Vectors<T> {
    counts: Vec<T>,
    given: Vec<T>,
    blocks: Vec<Range<usize>>,
}

impl<T> Default for Vectors<T> {
    fn default() -> Self {
        Self { counts: Vec::new(), given: Vec::new(), blocks: Vec::new() }
    }
}

impl<T: Real> Vectors<T> {
    /// Adds an array of `tables` (the file's fastest axis) in blocks of `block` numbers.
    fn push(&mut self, counts: &Tensor, given: &Tensor, tables: usize, block: usize) -> Counts {
        let (rows, joint) = (counts.rows(), counts.columns() / tables);
        let (first, first_block) = (self.counts.len(), self.blocks.len());
        put(counts, tables, &mut self.counts);
        put(given, tables, &mut self.given);
        let end = self.counts.len();
        self.blocks.extend((first..end).step_by(block).map(|start| start..start + block));
        Counts { first, first_block, tables, rows, joint, grow: true }
    }
}

/// Appends a tensor (rows, joint, tables) as (tables, rows, joint).
fn put<T: Real>(tensor: &Tensor, tables: usize, out: &mut Vec<T>) {
    let first = out.len();
    let joint = tensor.columns() / tables;
    out.resize(first + tensor.len(), T::ZERO);
    for column in 0..tensor.columns() {
        let (s, table) = (column / tables, column % tables);
        for (row, value) in tensor.column(column) {
            out[first + (table * tensor.rows() + row) * joint + s] = as_positive(value);
        }
    }
}

/// A number in the precision of `T`; above 0 where it was: that is asked of arrays and counts.
fn as_positive<T: Real>(value: f64) -> T {
    let number = T::from_f64(value);
    let lost = number == T::ZERO && value > 0.0;
    if lost { T::from_f64(f64::from(f32::MIN_POSITIVE)) } else { number }
}

/// A vector of (tables, rows, joint) as the file's (rows, joint, tables).
pub(crate) fn in_file_order(counts: &Counts, value: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut out = Vec::with_capacity(counts.range().len());
    for row in 0..counts.rows {
        for s in 0..counts.joint {
            let at = |table: usize| counts.table(table).start + row * counts.joint + s;
            out.extend((0..counts.tables).map(|table| value(at(table))));
        }
    }
    out
}
