//! The innermost loops that sum: `out[r] (+)= Σᵢ first[r, i]·second[r, i]` for the rows of one
//! loop.
//!
//! Law: the order of a sum depends on its length and on the plan, never on the instruction set's
//! width or on how many rows are summed together.
//!
//! The kernels use plain loops over constant ranges: what an iterator or a closure takes by
//! reference is spilt to the stack in every iteration, if the compiler does not inline it into
//! the code for the instruction set.
#![allow(clippy::needless_range_loop)]

use std::marker::PhantomData;

use super::{Dim, OUT, Pass, vector};
use crate::dtype::{Arithmetic, Element};
use crate::lanes::LANES;
use crate::simd::{Kernel, Mask, Simd, Vector, prefetch};

/// How far ahead of the sum the last cache is asked: the processor itself looks no farther than the end of a
/// page.
const AHEAD_BYTES: usize = 4096;

/// `U` is how many vectors of partial sums a row has: one where several rows are summed at a time, which are
/// then independent enough; more where one is.
struct Rows<T, A, D, const TWO: bool, const U: usize> {
    first: *const A,
    second: *const T,
    out: *mut D,
    rows: Dim,
    inner: Dim,
    add: bool,
    /// How many elements ahead of each factor's are asked for, if any.
    ahead: Option<[isize; 2]>,
    arithmetic: PhantomData<T>,
}

impl<T: Arithmetic, A: Element, D: Element, const TWO: bool> Pass<T, A, D, TWO> {
    /// Sums along `inner` for every row of `rows`; if `alone`, there is but one row in all the loops.
    ///
    /// # Safety
    ///
    /// As for [`super::Loops::run`], for every row. `D` is `T` if `add` is set.
    pub(super) unsafe fn sum(
        &self,
        [rows, inner]: [&Dim; 2],
        at: [isize; 3],
        add: bool,
        alone: bool,
    ) {
        // SAFETY: the caller's promises.
        unsafe {
            match (alone, self.one_stream()) {
                (true, _) => self.sum_by::<4>([rows, inner], at, add),
                (false, true) => self.sum_by::<2>([rows, inner], at, add),
                (false, false) => self.sum_by::<1>([rows, inner], at, add),
            }
        }
    }

    /// [`Self::sum`] with `U` vectors of partial sums a row.
    ///
    /// # Safety
    ///
    /// As for [`Self::sum`].
    unsafe fn sum_by<const U: usize>(&self, [rows, inner]: [&Dim; 2], at: [isize; 3], add: bool) {
        // SAFETY: the loops' first offsets lie inside the arrays; `second` only where it is there.
        let (first, second, out) = unsafe {
            let second = if TWO { self.second.offset(at[1]) } else { self.second };
            (self.first.offset(at[0]), second, self.out.offset(at[OUT]))
        };
        // So many elements, or so many rows; where these are long, the next one.
        let elements = AHEAD_BYTES / size_of::<T>();
        let later = |dim: &Dim, steps: usize| [0, 1].map(|t| dim.strides[t] * steps as isize);
        let ahead = match rows.size {
            1 => later(inner, elements),
            _ => later(rows, elements.div_ceil(inner.size.max(1))),
        };
        self.isa.dispatch(Rows::<T, A, D, TWO, U> {
            first,
            second,
            out,
            rows: *rows,
            inner: *inner,
            add,
            ahead: self.one_stream().then_some(ahead),
            arithmetic: PhantomData,
        });
    }
}

impl<T: Arithmetic, A: Element, D: Element, const TWO: bool, const U: usize> Kernel
    for Rows<T, A, D, TWO, U>
{
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let mut row = 0;
        let summed = summed(simd, self.inner.size);
        // SAFETY: the caller of `sum` vouches for every row.
        unsafe {
            while U == 1 && row + 8 <= self.rows.size {
                self.group::<S, 8>(summed, row);
                row += 8;
            }
            while U == 1 && row + 4 <= self.rows.size {
                self.group::<S, 4>(summed, row);
                row += 4;
            }
            while row < self.rows.size {
                self.group::<S, 1>(summed, row);
                row += 1;
            }
        }
    }
}

impl<T: Arithmetic, A: Element, D: Element, const TWO: bool, const U: usize> Rows<T, A, D, TWO, U> {
    /// Sums `R` rows from `row`.
    ///
    /// # Safety
    ///
    /// The rows are there.
    #[inline(always)]
    unsafe fn group<S: Simd, const R: usize>(&self, summed: Mask<T, S>, row: usize) {
        let row = row as isize;
        let [sa, sb, _] = self.inner.strides;
        // SAFETY: the caller's promise.
        unsafe {
            let first = self.first.offset(row * self.rows.strides[0]);
            let second = self.second.wrapping_offset(row * self.rows.strides[1]);
            let totals: [T; R] = if sa == 1 && (sb == 1 || !TWO) && A::DTYPE == T::DTYPE {
                self.contiguous(summed, first.cast(), second)
            } else {
                self.strided(first, second)
            };
            for r in 0..R {
                let to = self.out.offset((row + r as isize) * self.rows.strides[OUT]);
                *to = if self.add { (T::load(*to) + totals[r]).store() } else { totals[r].store() };
            }
        }
    }

    /// Vectors, and then the last one of the row, of which only what was not yet summed counts:
    /// what would be left over takes as long one by one as a hundred in vectors.
    ///
    /// # Safety
    ///
    /// `R` rows are there from these addresses.
    #[inline(always)]
    unsafe fn contiguous<S: Simd, const R: usize>(
        &self,
        summed: Mask<T, S>,
        first: *const T,
        second: *const T,
    ) -> [T; R] {
        let simd = summed.simd();
        let count = self.inner.size;
        let mut totals = [T::ZERO; R];
        if count < LANES {
            for at in 0..count {
                for r in 0..R {
                    let row = r as isize;
                    // SAFETY: element `at` is there, in every row.
                    totals[r] += unsafe {
                        let x = *first.offset(row * self.rows.strides[0]).add(at);
                        let y = second.wrapping_offset(row * self.rows.strides[1]);
                        if TWO { x * *y.add(at) } else { x }
                    };
                }
            }
            return totals;
        }
        let mut sums = [[Vector::splat(simd, T::ZERO); U]; R];
        let mut at = 0;
        // SAFETY: the caller's promise; whole vectors below `count`.
        unsafe {
            while at + U * LANES <= count {
                for u in 0..U {
                    self.step(&mut sums, u, first, second, at + u * LANES, None);
                }
                at += U * LANES;
            }
            // Fewer than `U` are left; a loop of a fixed length keeps the sums in registers.
            for u in 0..U {
                if U > 1 && at + LANES <= count {
                    self.step(&mut sums, u, first, second, at, None);
                    at += LANES;
                }
            }
            if at < count {
                self.step(&mut sums, U - 1, first, second, count - LANES, Some(summed));
            }
        }
        for r in 0..R {
            totals[r] = total_of(sums[r]);
        }
        totals
    }

    /// Adds the products of the vectors at `at` to the partial sums `u`, but for the lanes that were `summed`
    /// before.
    ///
    /// # Safety
    ///
    /// Whole vectors are there, in every row.
    #[inline(always)]
    unsafe fn step<S: Simd, const R: usize>(
        &self,
        sums: &mut [[Vector<T, S>; U]; R],
        u: usize,
        first: *const T,
        second: *const T,
        at: usize,
        summed: Option<Mask<T, S>>,
    ) {
        let simd = sums[0][0].simd();
        let zero = Vector::splat(simd, T::ZERO);
        let mut y = Vector::splat(simd, T::ONE);
        for r in 0..R {
            let row = r as isize;
            let x = first.wrapping_offset(row * self.rows.strides[0]).wrapping_add(at);
            let moves = TWO && (r == 0 || self.rows.strides[1] != 0);
            if U > 1
                && let Some(ahead) = self.ahead
            {
                ask(x.wrapping_offset(ahead[0]));
                if moves && ahead[1] != 0 {
                    ask(second
                        .wrapping_offset(row * self.rows.strides[1] + ahead[1])
                        .wrapping_add(at));
                }
            }
            // SAFETY: the caller's promise.
            let mut x = unsafe {
                if moves {
                    y = vector(simd, second.offset(row * self.rows.strides[1]).add(at));
                }
                vector(simd, x)
            };
            // Both factors: zero times an infinity would be a NaN.
            let mut y = y;
            if let Some(summed) = summed {
                (x, y) = (summed.select(zero, x), summed.select(zero, y));
            }
            sums[r][u] = if TWO { x.mul_add(y, sums[r][u]) } else { x + sums[r][u] };
        }
    }

    /// The same for any strides and types, element by element, in four partial sums.
    ///
    /// # Safety
    ///
    /// `R` rows are there from these addresses.
    #[inline(always)]
    unsafe fn strided<const R: usize>(&self, first: *const A, second: *const T) -> [T; R] {
        const PARTS: usize = 4;
        let [sa, sb, _] = self.inner.strides;
        let [row_a, row_b, _] = self.rows.strides;
        let mut totals = [T::ZERO; R];
        for r in 0..R {
            let row = r as isize;
            let mut sums = [T::ZERO; PARTS];
            for i in 0..self.inner.size {
                let at = i as isize;
                // SAFETY: the caller's promise.
                sums[i % PARTS] += unsafe {
                    let x = T::load(*first.offset(row * row_a + at * sa));
                    if TWO { x * *second.offset(row * row_b + at * sb) } else { x }
                };
            }
            totals[r] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        }
        totals
    }
}

/// Asks for a vector that is read soon.
#[inline(always)]
fn ask<T>(first: *const T) {
    for at in (0..LANES).step_by(64 / size_of::<T>()) {
        prefetch(first.wrapping_add(at));
    }
}

/// The lanes of a row's last vector that the vector before it has too, the row being `count` long: it ends with the
/// row, and so overlaps where that is no whole number of vectors.
#[inline(always)]
fn summed<T: Arithmetic, S: Simd>(simd: S, count: usize) -> Mask<T, S> {
    let lanes = std::array::from_fn::<T, LANES, _>(|lane| T::load(lane as f64));
    let overlap = LANES - count % LANES;
    Vector::load_slice(simd, &lanes).less(Vector::splat(simd, T::load(overlap as f64)))
}

/// The sum of all lanes of some vectors, halves first.
#[inline(always)]
fn total_of<T: Arithmetic, S: Simd, const U: usize>(mut sums: [Vector<T, S>; U]) -> T {
    let mut width = U / 2;
    while width > 0 {
        for u in 0..width {
            sums[u] = sums[u] + sums[u + width];
        }
        width /= 2;
    }
    sums[0].sum()
}
