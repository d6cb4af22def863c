//! What agents of a crowd have learnt, for those that are asked about.

use std::sync::PoisonError;

use bytemuck::cast_slice;
use populace_agent::{CompiledModel, Reals, Scratch};

use crate::experience::Experience;
use crate::population::Population;
use crate::record::Number;
use crate::{Error, Result};

/// What agents have learnt: of every modality or factor an array (ids, then the shape of the model's);
/// a family that is not learnt has none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parameters {
    /// Dirichlet counts of A by modality.
    pub p_a: Vec<Reals>,
    /// Of B by factor.
    pub p_b: Vec<Reals>,
    /// Of D by factor.
    pub p_d: Vec<Reals>,
    /// A as it follows from the counts; the given one before their first update.
    pub a: Vec<Reals>,
    /// B likewise.
    pub b: Vec<Reals>,
}

/// Gives all lanes the counts that agents start from.
pub(super) fn forget<T: Number>(model: &CompiledModel<T>, scratch: &mut Scratch<T>) {
    for (row, &count) in scratch.counts_mut().iter_mut().zip(model.shared_counts().0) {
        row.0.fill(count);
    }
}

/// Gives a lane the counts that are an agent's own; `part` starts with its experience.
pub(super) fn recall<T: Number>(
    model: &CompiledModel<T>,
    experience: &Experience,
    part: &[u8],
    scratch: &mut Scratch<T>,
    lane: usize,
) {
    if !model.learns() {
        return;
    }
    let mask = experience.mask(part);
    scratch.mask_mut(lane).copy_from_slice(mask);
    let mut own = &part[experience.counts_start(part)..];
    for (block, range) in model.shared_counts().1.iter().enumerate() {
        if CompiledModel::<T>::owns(mask, block) {
            let (counts, rest) = own.split_at(range.len() * size_of::<T>());
            let counts: &[T] = cast_slice(counts);
            for (row, &count) in scratch.counts_mut()[range.clone()].iter_mut().zip(counts) {
                row[lane] = count;
            }
            own = rest;
        }
    }
}

impl Parameters {
    /// Of the families in the order of the fields.
    pub(super) fn new<T>(families: [Vec<Vec<T>>; 5]) -> Self
    where
        Reals: From<Vec<T>>,
    {
        let [p_a, p_b, p_d, a, b] =
            families.map(|family| family.into_iter().map(Reals::from).collect());
        Self { p_a, p_b, p_d, a, b }
    }
}

impl<T: Number> Population<T> {
    /// The families of [`Parameters`], in the order of its fields.
    pub(super) fn parameters(&mut self, ids: &[u64]) -> Result<[Vec<Vec<T>>; 5]> {
        if !self.model.learns() {
            return Err(Error::invalid("parameters: the agents of this model learn nothing"));
        }
        let all = |model: &CompiledModel<T>, scratch: &Scratch<T>, lane: usize| {
            let counts = model.counts_of(scratch, lane);
            let (a, b) = model.expected_of(scratch, lane);
            [counts.a, counts.b, counts.d, a, b]
        };
        let worker = self.workers[0].get_mut().unwrap_or_else(PoisonError::into_inner);
        let room = |array: &Vec<f64>| vec![T::ZERO; ids.len() * array.len()];
        let mut families = all(&self.model, &worker.scratch, 0)
            .map(|family| family.iter().map(room).collect::<Vec<_>>());
        self.visit(ids, |model, scratch, places| {
            model.expect(scratch);
            for (lane, &place) in places.iter().enumerate() {
                for (family, arrays) in families.iter_mut().zip(all(model, scratch, lane)) {
                    for (rows, array) in family.iter_mut().zip(arrays) {
                        let row = &mut rows[place * array.len()..(place + 1) * array.len()];
                        row.iter_mut().zip(array).for_each(|(to, from)| *to = T::from_f64(from));
                    }
                }
            }
        })?;
        Ok(families)
    }
}
