//! A plan: the steps of one operation for operands of given shapes, strides and types.
//!
//! Planning orders the contraction, chooses how each step is executed and lays out every
//! temporary, so that running does none of it and allocates nothing. Invariants: a run uses exactly
//! [`Plan::peak_temporary_bytes`] of scratch; it writes `out` only after everything was checked.

mod build;
mod order;
mod pair;
mod run;
mod scratch;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::contraction::Contraction;
use crate::gemm::Product;
use crate::layout::Layout;
use crate::loops::{Dim, Loops};
use crate::{Dtype, Error, ErrorKind, Operand, Output, Result};

/// What a plan depends on of an operand or an output.
pub(crate) type Signature = (Dtype, Layout);

/// Which operation a plan is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Operation {
    /// An einsum of this expression.
    Einsum(String),
    /// NumPy's matmul.
    Matmul,
    /// NumPy's dot.
    Dot,
    /// A shared matrix times many vectors.
    Matvecs,
}

impl Operation {
    /// What is calculated for operands of these layouts.
    pub(crate) fn contraction(&self, operands: &[(Dtype, Layout)]) -> Result<Contraction> {
        let two = |of: fn(&[usize], &[usize]) -> Result<Contraction>| match operands {
            [left, right] => of(&left.1.shape, &right.1.shape),
            _ => {
                let given = operands.len();
                Err(Error::new(ErrorKind::OperandCount { expected: 2, given }))
            }
        };
        match self {
            Self::Einsum(text) => {
                let shapes = operands.iter().map(|(_, layout)| layout.shape.as_slice());
                crate::expression::contraction(text, shapes)
            }
            Self::Matmul => two(Contraction::matmul),
            Self::Dot => two(Contraction::dot),
            Self::Matvecs => two(Contraction::matvecs),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Einsum(text) => text,
            Self::Matmul => "matmul",
            Self::Dot => "dot",
            Self::Matvecs => "matvecs",
        })
    }
}

/// Bounds on what a plan may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most threads a step takes; steps that would lose by it take one.
    pub threads: usize,
    /// The most bytes of temporaries; a plan that needs more is refused.
    pub temporary_bytes: u64,
}

impl Default for Limits {
    /// All processors, any memory.
    fn default() -> Self {
        Self { threads: crate::team::size(), temporary_bytes: u64::MAX }
    }
}

/// The steps of one operation. Made by [`crate::Planner`].
#[derive(Debug)]
pub struct Plan {
    operation: Operation,
    operands: Vec<Signature>,
    out: Signature,
    /// f32 or f64.
    arithmetic: Dtype,
    steps: Vec<Step>,
    /// Offsets in the scratch memory, in bytes.
    temporaries: Vec<usize>,
    peak_bytes: usize,
    multiply_adds: u64,
    /// Whether the result is new and row-major.
    is_new: bool,
    calls: AtomicU64,
}

/// Where a step reads or writes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Operand(usize),
    Temporary(usize),
    Out,
}

#[derive(Debug)]
struct Step {
    work: Work,
    out: Place,
    threads: usize,
}

#[derive(Debug)]
enum Work {
    /// Zeros, where a sum has no terms.
    Zero { loops: Loops },
    /// Copies or sums one value, and converts it.
    Convert { loops: Loops, from: Place, from_dtype: Dtype, to_dtype: Dtype },
    /// Multiplies two values by strided loops.
    Multiply { loops: Loops, first: Place, second: Place },
    /// Multiplies matrices, once for every index of `batch`.
    Product {
        product: Matrices,
        batch: Vec<Dim>,
        lhs: Place,
        rhs: Place,
        /// Scratch for packing: the temporary, and the elements of it that one thread takes.
        packed: usize,
        packed_elements: usize,
    },
    /// Reduces integers mod 2⁸ in place, so that products of bytes stay exact.
    Wrap { count: usize },
}

/// A product in the type of the plan's arithmetic.
#[derive(Debug)]
enum Matrices {
    F32(Box<Product<f32>>),
    F64(Box<Product<f64>>),
}

impl Matrices {
    /// Rows, columns and depth.
    fn sizes(&self) -> [usize; 3] {
        match self {
            Self::F32(product) => [product.rows, product.columns, product.depth],
            Self::F64(product) => [product.rows, product.columns, product.depth],
        }
    }
}

impl Plan {
    /// Which operation this is.
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// The size of every axis of the result.
    pub fn shape(&self) -> &[usize] {
        &self.out.1.shape
    }

    /// The element type of the result.
    pub fn dtype(&self) -> Dtype {
        self.out.0
    }

    /// The shapes and types of the operands.
    pub fn operands(&self) -> impl Iterator<Item = (Dtype, &[usize])> {
        self.operands.iter().map(|(dtype, layout)| (*dtype, layout.shape.as_slice()))
    }

    /// The scratch memory that a run uses, in bytes: intermediate results, converted operands and
    /// packed blocks, at the step that needs most.
    pub fn peak_temporary_bytes(&self) -> usize {
        self.peak_bytes
    }

    /// The multiplications and additions of a run, counted in pairs.
    pub fn multiply_adds(&self) -> u64 {
        self.multiply_adds
    }

    /// The operands, and `out` unless the result is new.
    pub(crate) fn layouts(&self) -> (&[Signature], Option<&Signature>) {
        (&self.operands, (!self.is_new).then_some(&self.out))
    }

    pub(crate) fn same_call(&self, other: &Self) -> bool {
        self.operation == other.operation && self.layouts() == other.layouts()
    }

    /// How often it was run while recording.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(crate) fn count_call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// One line a step: how it is executed.
    pub fn describe(&self) -> String {
        let line = |step: &Step| match &step.work {
            Work::Zero { .. } => "zero".to_owned(),
            Work::Convert { from_dtype, to_dtype, loops, .. } => {
                format!("convert {from_dtype} to {to_dtype}, {} elements", loops.iterations())
            }
            Work::Multiply { loops, .. } => format!("loops, {} products", loops.iterations()),
            Work::Product { product, batch, .. } => {
                let ([rows, columns, depth], threads) = (product.sizes(), step.threads);
                let times = batch.iter().map(|dim| dim.size).product::<usize>();
                format!(
                    "matrix product {rows} x {depth} x {columns}, {times} times, {threads} threads"
                )
            }
            Work::Wrap { count } => format!("mod 256, {count} elements"),
        };
        self.steps.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Whether this is the plan for such operands and such an output.
    pub(crate) fn fits(&self, operands: &[Operand<'_>], out: Option<&Output<'_>>) -> bool {
        self.is_new == out.is_none() && self.describes(operands, out)
    }

    /// Whether the operands, and `out` if it is given, have the types, shapes and strides of the plan's.
    fn describes(&self, operands: &[Operand<'_>], out: Option<&Output<'_>>) -> bool {
        let same = |((dtype, layout), given): (&Signature, &Operand<'_>)| {
            *dtype == given.dtype && *layout == given.layout
        };
        operands.len() == self.operands.len()
            && self.operands.iter().zip(operands).all(same)
            && out.is_none_or(|out| self.out.0 == out.dtype && self.out.1 == out.layout)
    }
}
