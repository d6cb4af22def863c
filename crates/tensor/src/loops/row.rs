//! The innermost loops, compiled for every processor level.

use super::{Dim, Pass};
use crate::dtype::{Arithmetic, Element};
use crate::simd::{Kernel, Simd};

/// Partial sums that a reduction keeps, whatever the processor: the order of a sum depends on its
/// length alone.
const LANES: usize = 32;

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

    /// `out[i] += first[i]·second[i]` along one loop.
    ///
    /// # Safety
    ///
    /// As for [`super::Loops::run`].
    pub(super) unsafe fn add(&self, dim: &Dim, at: [isize; 3]) {
        // SAFETY: the caller's promise.
        self.isa.dispatch(Compiled(
            #[inline(always)]
            || unsafe { self.row::<true>(dim, at) },
        ));
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
            if so == 1 && sa == 1 && sb == 0 {
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

    /// `Σᵢ first[r, i]·second[i]` for `R` rows that lie `row` apart.
    ///
    /// # Safety
    ///
    /// As for [`super::Loops::run`], for every row.
    pub(super) unsafe fn dot<const R: usize>(
        &self,
        dim: &Dim,
        row: isize,
        at: [isize; 3],
    ) -> [T; R] {
        // SAFETY: the caller's promise.
        self.isa.dispatch(Compiled(
            #[inline(always)]
            || unsafe { self.dots::<R>(dim, row, at) },
        ))
    }

    #[inline(always)]
    unsafe fn dots<const R: usize>(&self, dim: &Dim, row: isize, at: [isize; 3]) -> [T; R] {
        let n = dim.size;
        let [sa, sb, _] = dim.strides;
        // SAFETY: the loops' first offsets lie inside the arrays; `second` only where it is there.
        let (a, b) = unsafe {
            let b = if TWO { self.second.offset(at[1]) } else { self.second };
            (self.first.offset(at[0]), b)
        };
        let mut sums = [T::ZERO; R];
        // SAFETY: the caller's promise: `n` elements at these strides, in every row.
        unsafe {
            let value = |r: usize, i: usize, sa: isize, sb: isize| {
                let x = T::load(*a.offset(r as isize * row + i as isize * sa));
                if TWO { x * *b.offset(i as isize * sb) } else { x }
            };
            let mut done = 0;
            if sa == 1 && (sb == 1 || !TWO) && n >= LANES {
                let mut lanes = [[T::ZERO; LANES]; R];
                while done + LANES <= n {
                    for (r, lanes) in lanes.iter_mut().enumerate() {
                        for (l, lane) in lanes.iter_mut().enumerate() {
                            *lane += value(r, done + l, 1, 1);
                        }
                    }
                    done += LANES;
                }
                for (sum, mut lanes) in sums.iter_mut().zip(lanes) {
                    let mut width = LANES / 2;
                    while width > 0 {
                        for l in 0..width {
                            lanes[l] += lanes[l + width];
                        }
                        width /= 2;
                    }
                    *sum = lanes[0];
                }
            }
            for (r, sum) in sums.iter_mut().enumerate() {
                for i in done..n {
                    *sum += value(r, i, sa, sb);
                }
            }
        }
        sums
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
