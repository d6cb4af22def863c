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

use super::{Dim, OUT, Pass};
use crate::dtype::{Arithmetic, Element};
use crate::lanes::LANES;
use crate::simd::{Kernel, Simd, Vector, prefetch};

/// Longer rows come from beyond the first cache: fewer streams at once are read ahead better.
const LONG: usize = 512;

/// The processor reads ahead within a page. Where rows are shorter, and all of them together longer than the
/// second cache, it is told of rows to come, and fewer are summed at once: 10⁴ rows of 100 take 0.80 of the time
/// in f32 and 0.85 in f64; but rows of two pages take 1.04, and what the cache holds 1.2.
const PAGE_BYTES: usize = 4096;
/// See [`PAGE_BYTES`].
const CACHE_BYTES: usize = 1 << 20;
/// How many rows ahead are asked for.
const ROWS_AHEAD: isize = 4;

/// `U` is how many vectors of partial sums a row has: one where there are many rows, which are
/// then independent enough; more where there is but one.
struct Rows<T, A, D, const TWO: bool, const U: usize> {
    first: *const A,
    second: *const T,
    out: *mut D,
    rows: Dim,
    inner: Dim,
    add: bool,
    /// Whether later rows are asked for while these are summed.
    ahead: bool,
    arithmetic: PhantomData<T>,
}

impl<T: Arithmetic, A: Element, D: Element, const TWO: bool> Pass<T, A, D, TWO> {
    /// Sums along `inner` for every row of `rows`; a single sum has more partial sums.
    ///
    /// # Safety
    ///
    /// As for [`super::Loops::run`], for every row. `D` is `T` if `add` is set.
    pub(super) unsafe fn sum<const U: usize>(
        &self,
        rows: &Dim,
        inner: &Dim,
        at: [isize; 3],
        add: bool,
    ) {
        // SAFETY: the loops' first offsets lie inside the arrays; `second` only where it is there.
        let (first, second, out) = unsafe {
            let second = if TWO { self.second.offset(at[1]) } else { self.second };
            (self.first.offset(at[0]), second, self.out.offset(at[OUT]))
        };
        self.isa.dispatch(Rows::<T, A, D, TWO, U> {
            first,
            second,
            out,
            rows: *rows,
            inner: *inner,
            add,
            ahead: self.bytes > CACHE_BYTES && inner.size * size_of::<T>() < PAGE_BYTES,
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
        // SAFETY: the caller of `sum` vouches for every row.
        unsafe {
            if U == 1 {
                while !self.ahead && self.inner.size < LONG && row + 8 <= self.rows.size {
                    self.group::<S, 8>(simd, row);
                    row += 8;
                }
                while self.ahead && size_of::<T>() == 8 && row + 2 <= self.rows.size {
                    self.group::<S, 2>(simd, row);
                    row += 2;
                }
                while row + 4 <= self.rows.size {
                    self.group::<S, 4>(simd, row);
                    row += 4;
                }
            }
            while row < self.rows.size {
                self.group::<S, 1>(simd, row);
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
    unsafe fn group<S: Simd, const R: usize>(&self, simd: S, row: usize) {
        let row = row as isize;
        let [sa, sb, _] = self.inner.strides;
        // SAFETY: the caller's promise.
        unsafe {
            let first = self.first.offset(row * self.rows.strides[0]);
            let second = self.second.wrapping_offset(row * self.rows.strides[1]);
            let totals: [T; R] = if sa == 1 && (sb == 1 || !TWO) && A::DTYPE == T::DTYPE {
                self.contiguous(simd, first.cast(), second)
            } else {
                self.strided(first, second)
            };
            for r in 0..R {
                let to = self.out.offset((row + r as isize) * self.rows.strides[OUT]);
                *to = if self.add { (T::load(*to) + totals[r]).store() } else { totals[r].store() };
            }
        }
    }

    /// # Safety
    ///
    /// `R` rows are there from these addresses.
    #[inline(always)]
    unsafe fn contiguous<S: Simd, const R: usize>(
        &self,
        simd: S,
        first: *const T,
        second: *const T,
    ) -> [T; R] {
        let count = self.inner.size;
        let mut totals = [T::ZERO; R];
        let mut at = 0;
        if count >= LANES {
            let mut sums = [[Vector::splat(simd, T::ZERO); U]; R];
            // SAFETY: the caller's promise; whole vectors below `count`.
            unsafe {
                while at + U * LANES <= count {
                    for u in 0..U {
                        self.step(
                            simd,
                            &mut sums,
                            u,
                            first.add(at + u * LANES),
                            second,
                            at + u * LANES,
                        );
                    }
                    at += U * LANES;
                }
                // Fewer than `U` are left; a loop of a fixed length keeps the sums in registers.
                for u in 0..U {
                    if U > 1 && at + LANES <= count {
                        self.step(simd, &mut sums, u, first.add(at), second, at);
                        at += LANES;
                    }
                }
            }
            for r in 0..R {
                totals[r] = total_of(sums[r]);
            }
        }
        while at < count {
            for r in 0..R {
                let row = r as isize;
                // SAFETY: element `at` is there, in every row.
                totals[r] += unsafe {
                    let x = *first.offset(row * self.rows.strides[0]).add(at);
                    let y = second.wrapping_offset(row * self.rows.strides[1]);
                    if TWO { x * *y.add(at) } else { x }
                };
            }
            at += 1;
        }
        totals
    }

    /// Adds the products of one vector to the partial sums `u`.
    ///
    /// # Safety
    ///
    /// A whole vector is there at `first` and at `second + at`, and so in every row.
    #[inline(always)]
    unsafe fn step<S: Simd, const R: usize>(
        &self,
        simd: S,
        sums: &mut [[Vector<T, S>; U]; R],
        u: usize,
        first: *const T,
        second: *const T,
        at: usize,
    ) {
        let mut y = Vector::splat(simd, T::ONE);
        for r in 0..R {
            let row = r as isize;
            if self.ahead {
                let next = first.wrapping_offset((row + ROWS_AHEAD) * self.rows.strides[0]);
                for line in (0..LANES).step_by(64 / size_of::<T>()) {
                    prefetch(next.wrapping_add(line));
                }
            }
            // SAFETY: the caller's promise.
            let x = unsafe {
                if TWO && (r == 0 || self.rows.strides[1] != 0) {
                    y = vector(simd, second.offset(row * self.rows.strides[1]).add(at));
                }
                vector(simd, first.offset(row * self.rows.strides[0]))
            };
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

/// # Safety
///
/// [`LANES`] elements are there.
#[inline(always)]
unsafe fn vector<T: Arithmetic, S: Simd>(simd: S, from: *const T) -> Vector<T, S> {
    // SAFETY: the caller's promise.
    Vector::load_slice(simd, unsafe { std::slice::from_raw_parts(from, LANES) })
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
    let mut lanes = [T::ZERO; LANES];
    sums[0].store_slice(&mut lanes);
    // Opaque, or else the compiler adds the lanes of several rows together, and gathers them one
    // by one to do so.
    fold(std::hint::black_box(&lanes))
}

/// The sum of the lanes, halves first.
#[inline(always)]
fn fold<T: Arithmetic>(lanes: &[T; LANES]) -> T {
    let (mut eight, mut four, mut two) = ([T::ZERO; 8], [T::ZERO; 4], [T::ZERO; 2]);
    for l in 0..8 {
        eight[l] = lanes[l] + lanes[l + 8];
    }
    for l in 0..4 {
        four[l] = eight[l] + eight[l + 4];
    }
    for l in 0..2 {
        two[l] = four[l] + four[l + 2];
    }
    two[0] + two[1]
}
