//! What agents of a crowd have learnt, for those that are asked about.

use populace_agent::{CompiledModel, Reals, Scratch};

use crate::membership::worker;
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
    /// Of E: one array, (ids, P).
    pub p_e: Vec<Reals>,
    /// A as it follows from the counts; the given one before their first update.
    pub a: Vec<Reals>,
    /// B likewise.
    pub b: Vec<Reals>,
}

impl Parameters {
    /// Of the families in the order of the fields.
    pub(super) fn new<T>(families: [Vec<Vec<T>>; 6]) -> Self
    where
        Reals: From<Vec<T>>,
    {
        let [p_a, p_b, p_d, p_e, a, b] =
            families.map(|family| family.into_iter().map(Reals::from).collect());
        Self { p_a, p_b, p_d, p_e, a, b }
    }
}

impl<T: Number> Population<T> {
    /// The families of [`Parameters`], in the order of its fields.
    pub(crate) fn parameters(&mut self, ids: &[u64]) -> Result<[Vec<Vec<T>>; 6]> {
        if !self.model.learns() {
            return Err(Error::invalid("parameters: the agents of this model learn nothing"));
        }
        let all = |model: &CompiledModel<T>, scratch: &Scratch<T>, lane: usize| {
            let counts = model.counts_of(scratch, lane);
            let (a, b) = model.expected_of(scratch, lane);
            let habits = if counts.e.is_empty() { Vec::new() } else { vec![counts.e] };
            [counts.a, counts.b, counts.d, habits, a, b]
        };
        let scratch = &worker(&mut self.workers).scratch;
        let room = |array: &Vec<f64>| vec![T::ZERO; ids.len() * array.len()];
        let mut families =
            all(&self.model, scratch, 0).map(|family| family.iter().map(room).collect::<Vec<_>>());
        self.visit(ids, false, |model, scratch, places| {
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
