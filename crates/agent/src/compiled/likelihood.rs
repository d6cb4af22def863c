//! What observations say: the evidence of a modality, and its outcomes under a belief.
//!
//! A likelihood is *structured* where it is a background per outcome plus few exceptions:
//! A\[o, s\] = b\[o\] + e\[o, s\] with b\[o\] = min_s A\[o, s\] and e ≥ 0 sparse. Its evidence then touches
//! the exceptions of one outcome only: relative to the background, which the normalisation takes
//! out, state s weighs r\[o, s\] = max(A\[o, s\], ε) / max(b\[o\], ε) ≥ 1, and 1 without an exception.

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::simd::Real;

use super::learning::Learning;
use super::rows::{Entry, Rows};
use super::transition::SPARSE_BELOW;
use crate::{EPSILON, Model, Result, Tensor};

/// A = background + exceptions, by outcome.
#[derive(Debug, Clone)]
pub(super) struct Structure {
    /// b\[o\].
    pub(super) background: Vec<f64>,
    /// (o, joint state, A\[o, s\]) where A\[o, s\] > b\[o\], by column.
    pub(super) exceptions: Vec<Entry>,
}

impl Structure {
    /// The structure of a likelihood, or `None` where it has too many exceptions to pay.
    pub(super) fn of(a: &Tensor) -> Option<Self> {
        let (outcomes, joint) = (a.rows(), a.columns());
        let mut background = vec![f64::INFINITY; outcomes];
        let mut present = vec![0_usize; outcomes];
        for column in 0..joint {
            for (o, value) in a.column(column) {
                background[o] = background[o].min(value);
                present[o] += 1;
            }
        }
        for (background, present) in background.iter_mut().zip(present) {
            if present < joint {
                *background = 0.0;
            }
        }
        let exceptions = || {
            (0..joint).flat_map(|column| {
                a.column(column).map(move |(o, value)| (o, column as u32, value))
            })
        };
        let few = SPARSE_BELOW * (outcomes * joint) as f64;
        let background = &background;
        let above = |&(o, _, value): &Entry| value > background[o];
        if exceptions().filter(above).count() as f64 > few {
            return None;
        }
        let exceptions = exceptions().filter(above).collect();
        Some(Self { background: background.clone(), exceptions })
    }
}

/// The evidence of one modality.
#[derive(Debug)]
pub(crate) struct Evidence<T> {
    /// O_m.
    pub(crate) outcomes: usize,
    /// The factors that the modality depends on.
    pub(crate) dependencies: Vec<usize>,
    /// Π S over the dependencies.
    pub(crate) joint: usize,
    pub(crate) table: EvidenceTable<T>,
}

/// In what form an outcome says something of a joint state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// max(A, ε), where the model has one factor and one pass gives its posterior.
    Weight,
    /// ln max(A, ε), where it has several, or states are inferred from a window.
    Logarithm,
    /// A itself, in `pymdp-0`.
    Likelihood,
}

impl Said {
    fn of(self, p: f64) -> f64 {
        match self {
            Said::Weight => p.max(EPSILON),
            Said::Logarithm => p.max(EPSILON).ln(),
            Said::Likelihood => p,
        }
    }
}

/// What an outcome says of each joint state.
#[derive(Debug)]
pub(crate) enum EvidenceTable<T> {
    /// r\[o, s\] (or its logarithm) of the exceptions; 1 (or 0) elsewhere.
    Structured(Rows<T>),
    /// What is [`Said`] of A\[o, s\], (O + 1, joint): the last row, of a missing
    /// observation, says nothing.
    Dense(Array<T>),
    /// An agent's own A, (O, joint): where it starts in what a block has learnt.
    Learnt { first: usize },
}

impl<T: Real> Evidence<T> {
    pub(super) fn compile(
        model: &Model,
        m: usize,
        structure: Option<&Structure>,
        learning: Option<&Learning<T>>,
        said: Said,
        memory: &SharedResource,
    ) -> Result<Self> {
        let a = &model.a[m];
        let (outcomes, joint) = (a.rows(), a.columns());
        let table = match (learning.and_then(|learning| learning.a.get(m)), structure) {
            (Some(counts), _) => EvidenceTable::Learnt { first: counts.first },
            (None, Some(structure)) => {
                let entries = structure.exceptions.iter().map(|&(o, s, value)| {
                    let ratio = value.max(EPSILON) / structure.background[o].max(EPSILON);
                    (o, s, said.of(ratio))
                });
                EvidenceTable::Structured(Rows::new(memory, outcomes, entries)?)
            }
            (None, None) => {
                let mut table = Array::zeroed(memory, (outcomes + 1) * joint)?;
                table[..outcomes * joint].fill(T::from_f64(said.of(0.0)));
                table[outcomes * joint..].fill(T::from_f64(said.of(1.0)));
                for column in 0..joint {
                    for (o, value) in a.column(column) {
                        table[o * joint + column] = T::from_f64(said.of(value));
                    }
                }
                EvidenceTable::Dense(table)
            }
        };
        Ok(Self { outcomes, dependencies: model.a_dependencies[m].clone(), joint, table })
    }
}
