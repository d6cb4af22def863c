//! How a belief is stored: its record.
//!
//! A record is the beliefs of all factors, one after another, and the agent's [`Experience`] where the
//! model learns. A factor's belief of S states is
//!
//! - dense: S numbers, or
//! - sparse: n numbers, then their n states in the narrowest of 1, 2 or 4 bytes that holds S.
//!
//! Numbers are exact, or in a [`Code`] of fewer bytes where the user asks for it. Every exact part is
//! padded to the size of a number, so that it can be read in place.
//!
//! Nothing is lost from a belief that counts are learnt from, or that is inferred anew from a window:
//! those are dense and exact, whatever is asked for.

mod code;
#[cfg(test)]
mod contract;
mod factor;
mod shed;

use bytemuck::Pod;
use populace_agent::CompiledModel;

pub(crate) use self::code::Code;
pub(crate) use self::factor::{DENSE, Factor, Keep};
pub(crate) use self::shed::{MOST_MASS, Shedding, distance, shed, surprise};
use crate::chunk::{Columns, NOT_BORN, action_codes};
use crate::experience::Experience;
use crate::{Belief, Result, Settings};

/// `f32` or `f64`, stored as bytes.
pub(crate) trait Number: populace_agent::Number + Pod {}
impl Number for f32 {}
impl Number for f64 {}

/// How records are laid out.
#[derive(Debug, Clone)]
pub(crate) struct RecordLayout {
    pub(crate) factors: Vec<Factor>,
    pub(crate) experience: Experience,
    pub(crate) shedding: Shedding,
    /// Whether agents carry a bound on how far their beliefs are from the exact ones.
    pub(crate) bounded: bool,
    /// The lowest tier that beliefs may be demoted to.
    demote: Option<Belief>,
}

/// The least bytes that hold a number below `count`: 1, 2 or 4.
pub(crate) fn width_for(count: u64) -> usize {
    match count {
        0..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        _ => 4,
    }
}

impl RecordLayout {
    /// The layout of a model's beliefs over `steps` steps (any number: `None`).
    pub(crate) fn new<T: Number>(
        model: &CompiledModel<T>,
        settings: &Settings,
        steps: Option<u64>,
        soft: bool,
    ) -> Result<Self> {
        let bound = model.support_bound(steps);
        let lossless = model.keeps_all() || model.infers_windows();
        let belief = match settings.belief {
            _ if model.keeps_all() => Belief::Dense,
            Belief::F16 | Belief::Log8 if lossless => Belief::Auto,
            belief => belief,
        };
        let code = match belief {
            Belief::Auto | Belief::Dense | Belief::Sparse => Code::Exact,
            Belief::F16 => Code::F16,
            Belief::Log8 => Code::Log8,
        };
        let factors = model.num_states().iter().map(|&states| {
            let most = bound.min(states);
            let index_bytes = width_for(states as u64);
            let code_bytes = code.bytes::<T>();
            let keep = Keep::Dense;
            let factor = Factor { states, keep, code, most, code_bytes, index_bytes };
            let keep = match belief {
                Belief::Dense => Keep::Dense,
                Belief::Sparse => Keep::Sparse,
                // A bound that keeps sparse records well below dense ones decides at once.
                _ if 2 * factor.sparse_bytes(most) <= factor.part_bytes(DENSE) => Keep::Sparse,
                // From about an eighth of the states on the dense step is the faster one. The gap
                // keeps a belief that hovers there from changing at every tick.
                _ if model.steps_sparse() && states >= 64 => {
                    Keep::Either { dense_from: states / 8 + 1, sparse_to: states / 16 }
                }
                _ => Keep::Dense,
            };
            Factor { keep, ..factor }
        });
        let factors: Vec<Factor> = factors.collect();
        let codes = action_codes(model.num_actions()).unwrap_or(u64::MAX);
        let experience = Experience::new(model, model.window(steps)?, soft, codes);
        let mass = if lossless { 0.0 } else { settings.mass };
        let layout = Self {
            factors,
            experience,
            shedding: Shedding { mass, tolerance: settings.tolerance },
            bounded: false,
            // What is never lossy cannot be demoted.
            demote: settings.demote.filter(|_| !lossless),
        };
        let loses = layout.is_lossy() || layout.demote.is_some();
        Ok(Self { bounded: loses && model.bounds_errors(), ..layout })
    }

    /// The same records in the tiers below, as far as beliefs may be demoted, one after another.
    pub(crate) fn lower<T: Number>(&self) -> Vec<Self> {
        let codes = match self.demote {
            None | Some(Belief::Auto | Belief::Dense | Belief::Sparse) => &[][..],
            Some(Belief::F16) => &[Code::F16],
            Some(Belief::Log8) => &[Code::F16, Code::Log8],
        };
        let smaller = |code: &&Code| {
            let above = |factor: &Factor| factor.code.bytes::<T>() > code.bytes::<T>();
            self.factors.iter().all(above)
        };
        let coded = |&code: &Code| {
            let factors = self.factors.iter().map(|factor| factor.coded::<T>(code)).collect();
            Self { factors, ..self.clone() }
        };
        codes.iter().filter(smaller).map(coded).collect()
    }

    /// Whether a stored belief may differ from the one that was computed.
    pub(crate) fn is_lossy(&self) -> bool {
        let drops = |factor: &Factor| factor.keep != Keep::Dense && self.shedding.mass > 0.0;
        self.factors.iter().any(|factor| factor.code.is_lossy() || drops(factor))
    }

    /// Whether every record has the same length.
    pub(crate) fn fixed(&self) -> bool {
        self.experience.is_empty() && self.factors.iter().all(|factor| factor.keep == Keep::Dense)
    }

    /// The factors whose lengths a chunk keeps.
    pub(crate) fn variable(&self) -> usize {
        self.factors.iter().filter(|factor| factor.keep != Keep::Dense).count()
    }

    /// Bytes of a length in a chunk's columns: it counts up to the most states, or says dense.
    pub(crate) fn length_bytes(&self) -> usize {
        let most = self.factors.iter().map(|factor| match factor.keep {
            Keep::Dense => 0,
            Keep::Sparse => factor.most,
            Keep::Either { dense_from, .. } => dense_from,
        });
        width_for(most.max().unwrap_or(0) as u64 + 2)
    }

    /// Bytes of a record's beliefs, of which `length` answers the variable factors' lengths.
    pub(crate) fn bytes_of(&self, length: impl Fn(usize) -> u32) -> usize {
        let mut variable = 0;
        let mut bytes = 0;
        for factor in &self.factors {
            bytes += if factor.keep == Keep::Dense {
                factor.part_bytes(DENSE)
            } else {
                variable += 1;
                factor.part_bytes(length(variable - 1))
            };
        }
        bytes
    }

    /// Bytes of the beliefs of an agent in a chunk with these columns: none before its first step.
    #[inline]
    pub(crate) fn bytes_in(&self, columns: &Columns<'_>, agent: usize) -> usize {
        if columns.action(agent) == NOT_BORN {
            return 0;
        }
        let variable = self.variable();
        self.bytes_of(|v| columns.length(agent * variable + v))
    }

    /// The most bytes of a record.
    pub(crate) fn most_bytes(&self) -> usize {
        self.factors.iter().map(Factor::most_bytes).sum::<usize>() + self.experience.most_bytes()
    }
}
