//! Long sums in pieces, so that threads have something to share out where there is one result, or one row of them:
//! `out[p] = Σᵢ first[i]·second[i]` over the `i` of piece `p`, and then `Σₚ out[p]` by other loops.
//!
//! Halves of a row would do as well for a row of results; but memory is read fastest in whole rows.
//!
//! Law: what the pieces are depends on the sizes and on nothing else, so neither does what is computed.

use std::ops::Range;

use smallvec::SmallVec;

use super::{Dim, Loops, MAX_LOOPS, OUT, Pass, advance};
use crate::dtype::{Arithmetic, Element};
use crate::lanes::LANES;
use crate::team;

/// How much a piece reads.
const PIECE_BYTES: usize = 1 << 19;

/// There are no more pieces than this, and each has so many terms of a result: adding them up takes no time.
const MOST_PIECES: usize = 64;
/// See [`MOST_PIECES`].
const LEAST_TERMS: usize = 32;

/// Sums in pieces.
pub(crate) struct Pieces {
    /// The loops of the pieces, whose results lie one after another.
    pub(crate) parts: Loops,
    /// How many results all pieces have.
    pub(crate) results: usize,
    /// The loops that add them up.
    pub(crate) total: Loops,
}

impl Loops {
    /// The same in pieces, where it is long and there is one result or a row of them.
    pub(crate) fn in_pieces(&self, item_bytes: usize) -> Option<Pieces> {
        let results = match self.kept[..] {
            [] => 1,
            [row] if !self.reduces => row.size,
            _ => return None,
        };
        let longest = self.summed.iter().map(|dim| dim.size).max()?;
        let bytes = self.iterations().saturating_mul(item_bytes);
        let pieces = (bytes / PIECE_BYTES).next_power_of_two().min(MOST_PIECES);
        if pieces < 2 || longest < pieces || self.iterations() / results < LEAST_TERMS * pieces {
            return None;
        }
        let (mut parts, mut total) = (Self { pieces, ..self.clone() }, self.clone());
        parts.kept.iter_mut().for_each(|dim| dim.strides[OUT] = 1);
        total.kept.iter_mut().for_each(|dim| dim.strides = [1, 0, dim.strides[OUT]]);
        total.summed = vec![Dim { size: pieces, strides: [results as isize, 0, 0] }];
        Some(Pieces { parts, results: pieces * results, total })
    }

    /// Runs some of the pieces.
    ///
    /// # Safety
    ///
    /// As for [`Loops::run`].
    pub(super) unsafe fn run_pieces<T: Arithmetic, A: Element, D: Element, const TWO: bool>(
        &self,
        pass: &Pass<T, A, D, TWO>,
        part: Range<usize>,
    ) {
        let mut summed: SmallVec<[Dim; MAX_LOOPS]> = SmallVec::from_slice(&self.summed);
        let longest = (0..summed.len()).max_by_key(|&index| summed[index].size).unwrap_or(0);
        let Dim { size, strides } = summed[longest];
        let results = self.kept.first().map_or(1, |dim| dim.size);
        // No piece is empty: there are at least as many units as pieces.
        let unit = (size / self.pieces).clamp(1, LANES);
        for index in part {
            let piece = team::part(size, unit, index, self.pieces);
            summed[longest].size = piece.len();
            let mut at = advance([0; 3], strides, piece.start);
            at[OUT] = (index * results) as isize;
            // SAFETY: the caller's promises; every piece has its own results.
            unsafe { self.run_nest(pass, &self.kept, &summed, at) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(results: &[usize], terms: usize) -> Option<usize> {
        let kept = results.iter().map(|&size| Dim { size, strides: [1, 0, 1] }).collect();
        let step = results.iter().product::<usize>() as isize;
        let (loops, _) = Loops::arrange(kept, vec![Dim { size: terms, strides: [step, 0, 0] }], 1);
        loops.in_pieces(8).map(|pieces| {
            assert_eq!(pieces.results, pieces.parts.pieces * results.iter().product::<usize>());
            assert_eq!(pieces.total.iterations(), pieces.results);
            pieces.parts.pieces
        })
    }

    #[test]
    fn sums_are_cut_where_they_are_long() {
        assert_eq!(pieces(&[], 1000), None);
        assert_eq!(pieces(&[], 1 << 17), Some(2));
        assert_eq!(pieces(&[], 1_000_000), Some(16));
        assert_eq!(pieces(&[], 1 << 30), Some(MOST_PIECES));
        assert_eq!(pieces(&[1000], 1000), Some(16));
        // Adding them up would take as long as the pieces.
        assert_eq!(pieces(&[1_000_000], 100), None);
    }
}
