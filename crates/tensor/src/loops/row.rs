//! The innermost loop that writes a row, compiled for every instruction set.

use super::{Dim, Pass};
use crate::dtype::{Arithmetic, Dtype, Element};
use crate::simd::{Kernel, Simd};

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
