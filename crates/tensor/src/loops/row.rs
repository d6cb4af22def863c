//! The innermost loops that write a row, compiled for every instruction set: a copy or a product
//! (`out[i] = first[i]·second[i]`), and sums of rows (`out[i] = Σₖ first[k, i]·second[k, i]`).
//!
//! Law: every element is summed in the order of its rows, one accumulator an element, whatever is taken
//! together.
#![allow(clippy::needless_range_loop)] // See `sum`.

use super::{Dim, OUT, Pass, advance, put, vector};
use crate::dtype::{Arithmetic, Dtype, Element};
use crate::lanes::LANES;
use crate::simd::{Kernel, Simd, Vector};

/// How many rows are piled up together, but from the last cache.
const TOGETHER: usize = 4;

/// Plain code, compiled for an instruction set: the compiler finds the vectors.
struct Compiled<F>(F);

impl<R, F: FnOnce() -> R> Kernel for Compiled<F> {
    type Output = R;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> R {
        (self.0)()
    }
}

impl<T: Arithmetic, A: Element, D: Element, const TWO: bool> Pass<T, A, D, TWO> {
    /// `out[i] = first[i]·second[i]` along one loop.
    ///
    /// # Safety
    ///
    /// As for [`super::Loops::run`].
    pub(super) unsafe fn set(&self, dim: &Dim, at: [isize; 3]) {
        // SAFETY: the caller's promise.
        self.isa.dispatch(Compiled(
            #[inline(always)]
            || unsafe { self.row::<false>(dim, at) },
        ));
    }

    /// `out[i] (+)= Σₖ first[k, i]·second[k, i]`: a row for every `k` of `sums`, piled up in ascending order.
    ///
    /// # Safety
    ///
    /// As for [`super::Loops::run`].
    pub(super) unsafe fn pile(&self, [row, sums]: [&Dim; 2], at: [isize; 3], add: bool) {
        self.isa.dispatch(Pile { pass: self, row: *row, sums: *sums, at, add });
    }

    #[inline(always)]
    unsafe fn row<const ADD: bool>(&self, dim: &Dim, at: [isize; 3]) {
        let n = dim.size;
        // SAFETY: the loops' first offsets lie inside the arrays; `second` only where it is there.
        let (a, b, out) = unsafe {
            let b = if TWO { self.second.offset(at[1]) } else { self.second };
            (self.first.offset(at[0]), b, self.out.offset(at[2]))
        };
        let put = |to: &mut D, value: T| {
            *to = if ADD { (T::load(*to) + value).store() } else { value.store() };
        };
        let [sa, sb, so] = dim.strides;
        let sb = if TWO { sb } else { 0 };
        // SAFETY: the caller's promise: `n` elements at these strides; `out` overlaps no factor.
        unsafe {
            if !TWO
                && !ADD
                && so == 1
                && sa == 1
                && D::DTYPE == Dtype::F32
                && T::DTYPE == Dtype::F32
            {
                A::to_f32s(slice(a, n), slice_mut(out.cast::<f32>(), n));
            } else if so == 1 && sa == 1 && sb == 0 {
                let factor = if TWO { *b } else { T::ONE };
                let (out, a) = (slice_mut(out, n), slice(a, n));
                for (to, &x) in out.iter_mut().zip(a) {
                    put(to, if TWO { T::load(x) * factor } else { T::load(x) });
                }
            } else if so == 1 && sa == 1 && sb == 1 {
                let (out, a, b) = (slice_mut(out, n), slice(a, n), slice(b, n));
                for ((to, &x), &y) in out.iter_mut().zip(a).zip(b) {
                    put(to, T::load(x) * y);
                }
            } else if so == 1 && sa == 0 && sb == 1 {
                let factor = T::load(*a);
                let (out, b) = (slice_mut(out, n), slice(b, n));
                for (to, &y) in out.iter_mut().zip(b) {
                    put(to, factor * y);
                }
            } else {
                for i in 0..n as isize {
                    let x = T::load(*a.offset(i * sa));
                    let value = if TWO { x * *b.offset(i * sb) } else { x };
                    put(&mut *out.offset(i * so), value);
                }
            }
        }
    }
}

/// The rows of [`Pass::pile`].
struct Pile<'p, T, A, D, const TWO: bool> {
    pass: &'p Pass<T, A, D, TWO>,
    row: Dim,
    sums: Dim,
    at: [isize; 3],
    add: bool,
}

impl<T: Arithmetic, A: Element, D: Element, const TWO: bool> Kernel for Pile<'_, T, A, D, TWO> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let [sa, sb, so] = self.row.strides;
        let vectors =
            so == 1 && self.row.size >= LANES && A::DTYPE == T::DTYPE && D::DTYPE == T::DTYPE;
        // SAFETY: the caller of `pile` vouches for every row.
        unsafe {
            match (sa, sb) {
                (1, _) if vectors && !TWO => self.all::<S, true, false>(simd),
                (1, 0) if vectors => self.all::<S, true, false>(simd),
                (0, 1) if vectors => self.all::<S, false, true>(simd),
                (1, 1) if vectors => self.all::<S, true, true>(simd),
                _ => {
                    while self.sums.size > 0 {
                        if self.add {
                            self.pass.row::<true>(&self.row, self.at);
                        } else {
                            self.pass.row::<false>(&self.row, self.at);
                        }
                        self.at = advance(self.at, self.sums.strides, 1);
                        self.sums.size -= 1;
                        self.add = true;
                    }
                }
            }
        }
    }
}

impl<T: Arithmetic, A: Element, D: Element, const TWO: bool> Pile<'_, T, A, D, TWO> {
    /// All rows; `X` and `Y` say whether the first and the second factor vary along them.
    ///
    /// The last vector of a row overlaps the one before it, and comes to the same there. It stays in a register
    /// until the end: written for every row, it would hold up the next one, which reads what two stores wrote.
    ///
    /// # Safety
    ///
    /// The rows are there, and are contiguous.
    #[inline(always)]
    unsafe fn all<S: Simd, const X: bool, const Y: bool>(&mut self, simd: S) {
        let last = self.row.size - LANES;
        let mut tail = Vector::splat(simd, T::ZERO);
        // SAFETY: the caller's promise: whole vectors of all rows are there, also of `out`.
        unsafe {
            let out = self.pass.out.offset(self.at[OUT]).cast::<T>();
            if self.add {
                tail = vector(simd, out.add(last));
            }
            while !self.pass.one_stream() && self.sums.size >= TOGETHER {
                tail = self.together::<S, X, Y, TOGETHER>(out, tail);
            }
            while self.sums.size > 0 {
                tail = self.together::<S, X, Y, 1>(out, tail);
            }
            put(tail, out.add(last));
        }
    }

    /// `K` rows at once, so that `out` is read and written once for all of them; all but the last vector, which
    /// is added to `tail`.
    ///
    /// # Safety
    ///
    /// The rows are there, and are contiguous.
    #[inline(always)]
    unsafe fn together<S: Simd, const X: bool, const Y: bool, const K: usize>(
        &mut self,
        out: *mut T,
        tail: Vector<T, S>,
    ) -> Vector<T, S> {
        let simd = tail.simd();
        let last = self.row.size - LANES;
        let mut fixed = [Vector::splat(simd, T::ONE); K];
        for k in 0..K {
            let [x, y, _] = advance(self.at, self.sums.strides, k);
            // SAFETY: the caller's promise: a factor that does not vary along a row has one element there.
            unsafe {
                if TWO && !X {
                    fixed[k] = Vector::splat(simd, *self.pass.first.cast::<T>().offset(x));
                } else if TWO && !Y {
                    fixed[k] = Vector::splat(simd, *self.pass.second.offset(y));
                }
            }
        }
        // SAFETY: the caller's promise.
        let tail = unsafe {
            let mut at = 0;
            while at < last {
                let mut sum = Vector::splat(simd, T::ZERO);
                if self.add {
                    sum = vector(simd, out.add(at));
                }
                put(self.sum::<S, X, Y, K>(&fixed, sum, at), out.add(at));
                at += LANES;
            }
            self.sum::<S, X, Y, K>(&fixed, tail, last)
        };
        self.at = advance(self.at, self.sums.strides, K);
        self.sums.size -= K;
        self.add = true;
        tail
    }

    /// `sum` and the products of the vectors at `at` of `K` rows; `fixed` is the factor that does not vary.
    /// Where nothing is added to, the sum begins with its first term, not with 0: so -0 stays what it is.
    ///
    /// # Safety
    ///
    /// The vectors are there.
    #[inline(always)]
    unsafe fn sum<S: Simd, const X: bool, const Y: bool, const K: usize>(
        &self,
        fixed: &[Vector<T, S>; K],
        mut sum: Vector<T, S>,
        at: usize,
    ) -> Vector<T, S> {
        let simd = sum.simd();
        for k in 0..K {
            let from = advance(self.at, self.sums.strides, k);
            // SAFETY: the caller's promise.
            let (x, y) = unsafe {
                let first = self.pass.first.cast::<T>().wrapping_offset(from[0]);
                let second = self.pass.second.wrapping_offset(from[1]);
                (
                    if X { vector(simd, first.add(at)) } else { fixed[k] },
                    if Y { vector(simd, second.add(at)) } else { fixed[k] },
                )
            };
            let begins = k == 0 && !self.add;
            sum = match (TWO, begins) {
                (true, true) => x * y,
                (true, false) => x.mul_add(y, sum),
                (false, true) => x,
                (false, false) => x + sum,
            };
        }
        sum
    }
}

#[inline(always)]
unsafe fn slice<'a, E>(first: *const E, n: usize) -> &'a [E] {
    // SAFETY: the caller's promise: `n` elements that nothing writes.
    unsafe { std::slice::from_raw_parts(first, n) }
}

#[inline(always)]
unsafe fn slice_mut<'a, E>(first: *mut E, n: usize) -> &'a mut [E] {
    // SAFETY: the caller's promise: `n` elements that nothing else touches.
    unsafe { std::slice::from_raw_parts_mut(first, n) }
}
