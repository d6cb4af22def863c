//! How a belief is stored: its record.
//!
//! A record is the beliefs of all factors, one after another, and the agent's [`Experience`] where the
//! model learns. A factor's belief of S states is
//!
//! - dense: S numbers, or
//! - sparse: n numbers, then their n states in the narrowest of 1, 2 or 4 bytes that holds S.
//!
//! Every part is padded to the size of a number, so that records can be read in place.

use bytemuck::Pod;
use populace_agent::CompiledModel;
use populace_tensor::lanes::Lane;

use crate::chunk::action_codes;
use crate::experience::Experience;
use crate::{Belief, Result};

/// `f32` or `f64`, stored as bytes.
pub(crate) trait Number: populace_agent::Number + Pod {}
impl Number for f32 {}
impl Number for f64 {}

/// The length of a dense factor in a chunk's column of lengths.
pub(crate) const DENSE: u32 = u32::MAX;

/// How the beliefs of one factor may be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Always dense.
    Dense,
    /// Always sparse.
    Sparse,
    /// Dense from `dense_from` states on, sparse again up to `sparse_to` states.
    Either { dense_from: usize, sparse_to: usize },
}

/// How one factor is stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Factor {
    pub(crate) states: usize,
    pub(crate) keep: Keep,
    /// The most states that a sparse belief can have.
    pub(crate) most: usize,
    /// Bytes of a state's index.
    index_bytes: usize,
}

/// How records are laid out.
#[derive(Debug, Clone)]
pub(crate) struct RecordLayout {
    pub(crate) factors: Vec<Factor>,
    pub(crate) experience: Experience,
    number_bytes: usize,
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
        belief: Belief,
        steps: Option<u64>,
        soft: bool,
    ) -> Result<Self> {
        let number_bytes = size_of::<T>();
        let bound = model.support_bound(steps);
        let belief = if model.keeps_all() { Belief::Dense } else { belief };
        let factors = model.num_states().iter().map(|&states| {
            let most = bound.min(states);
            let index_bytes = width_for(states as u64);
            let sparse = |n| sparse_bytes(n, number_bytes, index_bytes);
            let keep = match belief {
                Belief::Dense => Keep::Dense,
                Belief::Sparse => Keep::Sparse,
                // A bound that keeps sparse records well below dense ones decides at once.
                Belief::Auto if 2 * sparse(most) <= states * number_bytes => Keep::Sparse,
                // From about an eighth of the states on the dense step is the faster one. The gap
                // keeps a belief that hovers there from changing at every tick.
                Belief::Auto if model.steps_sparse() && states >= 64 => {
                    Keep::Either { dense_from: states / 8 + 1, sparse_to: states / 16 }
                }
                Belief::Auto => Keep::Dense,
            };
            Factor { states, keep, most, index_bytes }
        });
        let codes = action_codes(model.num_actions()).unwrap_or(u64::MAX);
        let experience = Experience::new(model, model.window(steps)?, soft, codes);
        Ok(Self { factors: factors.collect(), experience, number_bytes })
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

    /// Bytes of a factor's belief of that length.
    pub(crate) fn part_bytes(&self, factor: &Factor, length: u32) -> usize {
        match length {
            DENSE => factor.states * self.number_bytes,
            n => sparse_bytes(n as usize, self.number_bytes, factor.index_bytes),
        }
    }

    /// Bytes of a record's beliefs, of which `length` answers the variable factors' lengths.
    pub(crate) fn bytes_of(&self, length: impl Fn(usize) -> u32) -> usize {
        let mut variable = 0;
        let mut bytes = 0;
        for factor in &self.factors {
            bytes += if factor.keep == Keep::Dense {
                self.part_bytes(factor, DENSE)
            } else {
                variable += 1;
                self.part_bytes(factor, length(variable - 1))
            };
        }
        bytes
    }

    /// The most bytes of a record.
    pub(crate) fn most_bytes(&self) -> usize {
        let most = |factor: &Factor| {
            let dense = self.part_bytes(factor, DENSE);
            match factor.keep {
                Keep::Dense => dense,
                Keep::Sparse => self.part_bytes(factor, factor.most as u32),
                Keep::Either { dense_from, .. } => {
                    dense.max(self.part_bytes(factor, dense_from as u32))
                }
            }
        };
        self.factors.iter().map(most).sum::<usize>() + self.experience.most_bytes()
    }
}

fn sparse_bytes(n: usize, number_bytes: usize, index_bytes: usize) -> usize {
    n * number_bytes + (n * index_bytes).next_multiple_of(number_bytes)
}

impl Factor {
    /// How a belief of `n` states, now stored with `length`, will be stored.
    pub(crate) fn choose(&self, n: usize, length: u32) -> u32 {
        let dense = match self.keep {
            Keep::Dense => true,
            Keep::Sparse => false,
            Keep::Either { dense_from, sparse_to } => {
                n >= dense_from || (length == DENSE && n > sparse_to)
            }
        };
        if dense { DENSE } else { n as u32 }
    }

    /// Reads a sparse belief into lists.
    #[inline]
    pub(crate) fn read_sparse<T: Number>(
        &self,
        part: &[u8],
        n: usize,
        states: &mut [u32],
        values: &mut [T],
    ) {
        let (numbers, indices) = part.split_at(n * size_of::<T>());
        values[..n].copy_from_slice(bytemuck::cast_slice(numbers));
        let states = &mut states[..n];
        match self.index_bytes {
            1 => states.iter_mut().zip(indices).for_each(|(s, &i)| *s = i.into()),
            2 => {
                let indices = bytemuck::cast_slice::<u8, u16>(&indices[..2 * n]);
                states.iter_mut().zip(indices).for_each(|(s, &i)| *s = i.into());
            }
            _ => states.copy_from_slice(bytemuck::cast_slice(&indices[..4 * n])),
        }
    }

    /// Writes lists as a sparse belief.
    #[inline]
    pub(crate) fn write_sparse<T: Number>(&self, states: &[u32], values: &[T], part: &mut [u8]) {
        let n = states.len();
        let (numbers, indices) = part.split_at_mut(n * size_of::<T>());
        bytemuck::cast_slice_mut(numbers).copy_from_slice(values);
        match self.index_bytes {
            1 => indices.iter_mut().zip(states).for_each(|(i, &s)| *i = s as u8),
            2 => {
                let indices = bytemuck::cast_slice_mut::<u8, u16>(&mut indices[..2 * n]);
                indices.iter_mut().zip(states).for_each(|(i, &s)| *i = s as u16);
            }
            _ => bytemuck::cast_slice_mut(&mut indices[..4 * n]).copy_from_slice(states),
        }
    }

    /// Reads a stored belief into a lane of rows.
    #[inline]
    pub(crate) fn read_rows<T: Number>(
        &self,
        part: &[u8],
        length: u32,
        rows: &mut [Lane<T>],
        lane: usize,
    ) {
        if length == DENSE {
            let values: &[T] = bytemuck::cast_slice(part);
            rows.iter_mut().zip(values).for_each(|(row, &value)| row[lane] = value);
            return;
        }
        rows.iter_mut().for_each(|row| row[lane] = T::ZERO);
        let n = length as usize;
        let (numbers, indices) = part.split_at(n * size_of::<T>());
        let values: &[T] = bytemuck::cast_slice(numbers);
        for (k, &value) in values.iter().enumerate() {
            rows[self.index(indices, k)][lane] = value;
        }
    }

    #[inline]
    fn index(&self, indices: &[u8], k: usize) -> usize {
        match self.index_bytes {
            1 => indices[k].into(),
            2 => u16::from_ne_bytes([indices[2 * k], indices[2 * k + 1]]).into(),
            _ => bytemuck::cast_slice::<u8, u32>(indices)[k] as usize,
        }
    }

    /// Moves the probabilities of a dense belief that a sparse one keeps to its front, and puts
    /// their states into a list.
    #[inline]
    pub(crate) fn gather<T: Number>(belief: &mut [T], threshold: T, states: &mut [u32]) {
        let mut n = 0;
        for s in 0..belief.len() {
            if belief[s] > threshold {
                states[n] = s as u32;
                belief[n] = belief[s];
                n += 1;
            }
        }
    }
}
