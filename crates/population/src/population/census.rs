//! How a population's beliefs are stored, counted over its chunks wherever they are.

use super::Population;
use crate::chunk::{Chunk, ChunkLayout, NOT_BORN};
use crate::record::{DENSE, Keep, Number};
use crate::{Bounds, Economies, Tiers};

impl<T: Number> Population<T> {
    /// How beliefs are stored now.
    pub(crate) fn tiers(&mut self) -> Tiers {
        let mut tiers = Tiers::default();
        for place in 0..self.chunks.len() {
            // Agents that cannot be read back are not counted; the next tick will say why.
            let _ = self.with_chunk(place, |layout, chunk| {
                tiers.count(layout, chunk);
                Ok(())
            });
        }
        tiers
    }

    /// What was done to store beliefs in less memory.
    pub(crate) fn economies(&mut self) -> Economies {
        let mut economies = Economies { demotions: self.demotions, ..Economies::default() };
        for place in 0..self.chunks.len() {
            // As for tiers.
            let _ = self.with_chunk(place, |layout, chunk| {
                economies.count(layout, chunk);
                Ok(())
            });
        }
        economies
    }

    /// How far beliefs may be from the exact ones now.
    pub(crate) fn bounds(&mut self) -> Bounds {
        let (mut bounds, mut sum, mut agents) = (Bounds::default(), 0.0, 0);
        for place in 0..self.chunks.len() {
            // As for tiers.
            let _ = self.with_chunk(place, |layout, chunk| {
                let len = chunk.len();
                let form = chunk.form(layout);
                let (columns, _) = chunk.parts(layout);
                for bound in (0..len).map(|agent| layout.bound(&columns, form, agent)) {
                    bounds.max = bounds.max.max(bound);
                    bounds.above += u64::from(bound > layout.record.shedding.tolerance);
                    sum += bound;
                }
                agents += len;
                Ok(())
            });
        }
        bounds.mean = if agents > 0 { sum / agents as f64 } else { 0.0 };
        bounds
    }
}

impl Tiers {
    /// Counts the beliefs of a chunk.
    fn count(&mut self, layout: &ChunkLayout, chunk: &mut Chunk) {
        let record = layout.records(chunk.form(layout));
        let variable = record.variable();
        let len = chunk.len();
        let (columns, _) = chunk.parts(layout);
        for agent in 0..len {
            if columns.action(agent) == NOT_BORN {
                self.initial += record.factors.len() as u64;
                continue;
            }
            let mut place = agent * variable;
            for factor in &record.factors {
                let mut length = DENSE;
                if factor.keep != Keep::Dense {
                    length = columns.length(place);
                    place += 1;
                }
                *self.of(factor.code, length == DENSE) += 1;
            }
        }
    }
}
