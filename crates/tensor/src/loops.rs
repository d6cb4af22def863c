//! Strided loops: `out[kept] = Σ_summed first[kept, summed] · second[kept, summed]`, the second
//! factor being optional.
//!
//! What is no matrix product is done here: copies, conversions, sums, diagonals, element-wise and
//! outer products, and products of a matrix and a vector that read the matrix along its rows. The
//! innermost loop is chosen so that it is contiguous where possible; it is compiled for several
//! processor levels.

mod pieces;
mod row;
mod sum;

use std::ops::Range;

pub(crate) use pieces::Pieces;
use smallvec::SmallVec;

use crate::dtype::{Arithmetic, Element};
use crate::lanes::LANES;
use crate::simd::{Isa, Simd, Vector};

/// One loop: how often, and how far each of first, second and out move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Dim {
    pub(crate) size: usize,
    pub(crate) strides: [isize; 3],
}

/// Index of `out` in [`Dim::strides`].
pub(crate) const OUT: usize = 2;

/// Merges loops that run on without a jump: `outer.stride = inner.stride · inner.size` for all
/// three. The order of the elements stays.
pub(crate) fn fuse(dims: impl IntoIterator<Item = Dim>) -> Vec<Dim> {
    let mut fused: Vec<Dim> = Vec::new();
    for dim in dims {
        if dim.size == 1 {
            continue;
        }
        match fused.last_mut() {
            Some(outer)
                if (0..3).all(|t| outer.strides[t] == dim.strides[t] * dim.size as isize) =>
            {
                *outer = Dim { size: outer.size * dim.size, strides: dim.strides };
            }
            _ => fused.push(dim),
        }
    }
    fused
}

/// What the second cache holds.
pub(crate) const CACHE_BYTES: usize = 1 << 20;

/// What the last cache holds, or some of it where it is large.
const LAST_CACHE_BYTES: usize = 1 << 24;

/// A loop nest, outermost loop first.
///
/// Invariant: no stride of `out` is used in `summed`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Loops {
    kept: Vec<Dim>,
    summed: Vec<Dim>,
    /// Whether the innermost loop is the last of `summed` rather than the last of `kept`.
    reduces: bool,
    /// In how many pieces the sums are done, each with results of its own; 1 for the whole.
    pieces: usize,
}

/// Elements of a row that are summed up before those after them: they stay in the first-level cache.
const STRETCH: usize = 2048;

impl Loops {
    /// Arranges the loops. `factors`: 1 or 2. The flag that comes with it says that the factors
    /// are to be exchanged, which only a product of two permits.
    pub(crate) fn arrange(
        mut kept: Vec<Dim>,
        mut summed: Vec<Dim>,
        factors: usize,
    ) -> (Self, bool) {
        kept.sort_by_key(|dim| std::cmp::Reverse(dim.strides[OUT].unsigned_abs()));
        let step = |dim: &Dim| dim.strides[..factors].iter().map(|s| s.unsigned_abs()).min();
        summed.sort_by_key(|dim| std::cmp::Reverse(step(dim)));
        let (mut kept, mut summed) = (fuse(kept), fuse(summed));

        let kept_costs = kept.iter().map(|dim| row_cost(dim, factors, !summed.is_empty()));
        let summed_costs = summed.iter().map(|dim| reduction_cost(dim, factors));
        let best = |costs: &mut dyn Iterator<Item = f64>| {
            costs.enumerate().min_by(|a, b| a.1.total_cmp(&b.1))
        };
        let (row, reduction) = (best(&mut { kept_costs }), best(&mut { summed_costs }));
        let reduces = match (row, reduction) {
            (Some((_, row)), Some((_, reduction))) => reduction < row,
            (row, _) => row.is_none(),
        };
        let mut swap = false;
        if reduces {
            if let Some((index, _)) = reduction {
                let dim = summed.remove(index);
                summed.push(dim);
            }
            let shares = |constant: usize, moving: usize| {
                move |dim: &Dim| dim.strides[constant] == 0 && dim.strides[moving] != 0
            };
            let found = if factors == 2 {
                let second = kept.iter().rposition(shares(1, 0));
                swap = second.is_none() && kept.iter().any(shares(0, 1));
                second.or_else(|| kept.iter().rposition(shares(0, 1)))
            } else {
                None
            };
            if let Some(index) = found {
                let dim = kept.remove(index);
                kept.push(dim);
            }
        } else if let Some((index, _)) = row {
            let dim = kept.remove(index);
            kept.push(dim);
        }
        if swap {
            kept.iter_mut().chain(&mut summed).for_each(|dim| dim.strides.swap(0, 1));
        }
        (Self { kept, summed, reduces, pieces: 1 }, swap)
    }

    /// How often the innermost body runs.
    pub(crate) fn iterations(&self) -> usize {
        self.kept.iter().chain(&self.summed).map(|dim| dim.size).product()
    }

    /// How far the outermost kept loop goes, or how many pieces there are: threads share them out.
    pub(crate) fn outer(&self) -> usize {
        match self.kept.first() {
            Some(dim) if self.pieces == 1 => dim.size,
            _ => self.pieces,
        }
    }

    /// Where threads should cut what [`Self::outer`] counts: vectors stay whole where that is a row.
    pub(crate) fn unit(&self) -> usize {
        if self.pieces == 1 && !self.reduces && self.kept.len() == 1 { LANES } else { 1 }
    }

    /// Runs the nest over a part of what [`Self::outer`] counts.
    ///
    /// # Safety
    ///
    /// The pointers are the first elements of arrays that reach as far as the loops' sizes and
    /// strides say; `out` overlaps neither of the others and nothing else touches it. With one
    /// factor, `TWO` is false and `second` is never read. If there are summed loops, `D` is `T`.
    pub(crate) unsafe fn run<T: Arithmetic, A: Element, D: Element, const TWO: bool>(
        &self,
        first: *const A,
        second: *const T,
        out: *mut D,
        part: Range<usize>,
    ) {
        let reads = self.kept.iter().chain(&self.summed).filter(|dim| dim.strides[0] != 0);
        let bytes = reads.map(|dim| dim.size).product::<usize>() * size_of::<A>();
        let pass = Pass::<T, A, D, TWO> { first, second, out, bytes, isa: Isa::best() };
        if self.pieces > 1 {
            // SAFETY: the caller's promises.
            return unsafe { self.run_pieces(&pass, part) };
        }
        let mut at = [0; 3];
        let mut kept: SmallVec<[Dim; MAX_LOOPS]> = SmallVec::from_slice(&self.kept);
        if let Some(outer) = kept.first_mut() {
            at = advance(at, outer.strides, part.start);
            outer.size = part.len();
        }
        // SAFETY: the caller's promises.
        unsafe { self.run_nest(&pass, &kept, &self.summed, at) };
    }

    /// Runs these loops, which are all of the nest or a part of it.
    ///
    /// # Safety
    ///
    /// As for [`Self::run`].
    unsafe fn run_nest<T: Arithmetic, A: Element, D: Element, const TWO: bool>(
        &self,
        pass: &Pass<T, A, D, TWO>,
        kept: &[Dim],
        summed: &[Dim],
        at: [isize; 3],
    ) {
        // SAFETY: the caller's promises.
        unsafe {
            if self.reduces {
                pass.reduce(kept, summed, at);
            } else {
                pass.rows(kept, summed, at);
            }
        }
    }
}

impl<T: Arithmetic, A: Element, D: Element, const TWO: bool> Pass<T, A, D, TWO> {
    /// Whether `first` comes from the last cache. That gives most to one reader that goes through it row after row:
    /// four rows at a time take 1.2 of the time (8 MB of f64). Memory gives most to several: of 32 MB, four rows
    /// at a time take 0.7 to 0.8.
    #[inline(always)]
    fn one_stream(&self) -> bool {
        (CACHE_BYTES + 1..=LAST_CACHE_BYTES).contains(&self.bytes)
    }

    /// The innermost loop sums.
    ///
    /// # Safety
    ///
    /// As for [`Loops::run`].
    unsafe fn reduce(&self, kept: &[Dim], summed: &[Dim], at: [isize; 3]) {
        const ONCE: Dim = Dim { size: 1, strides: [0; 3] };
        let (inner, outer_sums) = summed.split_last().unwrap_or((&ONCE, &[]));
        let (rows, outer) = kept.split_last().unwrap_or((&ONCE, &[]));
        nest(outer, at, &mut |at| {
            let mut add = false;
            nest(outer_sums, at, &mut |at| {
                // SAFETY: the caller's promises: `at` is an offset of the loops.
                unsafe { self.sum([rows, inner], at, add, kept.is_empty()) };
                add = true;
            });
        });
    }

    /// The innermost loop writes a row of `out`.
    ///
    /// # Safety
    ///
    /// As for [`Loops::run`].
    unsafe fn rows(&self, kept: &[Dim], summed: &[Dim], at: [isize; 3]) {
        let Some((row, outer)) = kept.split_last() else { return };
        let stretch = if summed.is_empty() { row.size.max(1) } else { STRETCH };
        nest(outer, at, &mut |at| {
            let mut start = 0;
            while start < row.size {
                let size = stretch.min(row.size - start);
                let part = Dim { size, strides: row.strides };
                let at = advance(at, row.strides, start);
                start += size;
                let Some((inner, outer_sums)) = summed.split_last() else {
                    // SAFETY: the caller's promises: `at` is an offset of the loops.
                    unsafe { self.set(&part, at) };
                    continue;
                };
                let mut add = false;
                nest(outer_sums, at, &mut |at| {
                    // SAFETY: as above.
                    unsafe { self.pile([&part, inner], at, add) };
                    add = true;
                });
            }
        });
    }
}

/// No nest has more loops than there are labels.
const MAX_LOOPS: usize = crate::contraction::MAX_LABELS;

/// The three arrays of one run.
struct Pass<T, A, D, const TWO: bool> {
    first: *const A,
    second: *const T,
    out: *mut D,
    /// How much all loops read of `first`.
    bytes: usize,
    isa: Isa,
}

/// What a row costs an element, in rough nanoseconds: only the order of the answers matters.
fn row_cost(dim: &Dim, factors: usize, accumulates: bool) -> f64 {
    let contiguous = dim.strides[OUT] == 1
        && dim.strides[..factors].iter().all(|&stride| stride == 0 || stride == 1);
    let element = if contiguous { 0.08 } else { 0.6 };
    element + if accumulates { 0.05 } else { 0.0 } + 5.0 / dim.size as f64
}

/// As [`row_cost`], for a sum.
fn reduction_cost(dim: &Dim, factors: usize) -> f64 {
    let contiguous = dim.strides[..factors].iter().all(|&stride| stride == 1);
    (if contiguous { 0.07 } else { 1.0 }) + 8.0 / dim.size as f64
}

#[inline(always)]
fn advance(at: [isize; 3], strides: [isize; 3], steps: usize) -> [isize; 3] {
    let step = steps as isize;
    [at[0] + step * strides[0], at[1] + step * strides[1], at[2] + step * strides[2]]
}

/// # Safety
///
/// [`LANES`] elements are there.
#[inline(always)]
unsafe fn vector<T: Arithmetic, S: Simd>(simd: S, from: *const T) -> Vector<T, S> {
    // SAFETY: the caller's promise.
    Vector::load_slice(simd, unsafe { std::slice::from_raw_parts(from, LANES) })
}

/// # Safety
///
/// [`LANES`] elements can be written.
#[inline(always)]
unsafe fn put<T: Arithmetic, S: Simd>(vector: Vector<T, S>, to: *mut T) {
    // SAFETY: the caller's promise.
    vector.store_slice(unsafe { std::slice::from_raw_parts_mut(to, LANES) });
}

/// Calls `body` with the offsets of every index of the loops, the last one fastest.
fn nest(dims: &[Dim], at: [isize; 3], body: &mut dyn FnMut([isize; 3])) {
    match dims {
        [] => body(at),
        [last] => (0..last.size).for_each(|i| body(advance(at, last.strides, i))),
        [outer, inner @ ..] => {
            (0..outer.size).for_each(|i| nest(inner, advance(at, outer.strides, i), body));
        }
    }
}
