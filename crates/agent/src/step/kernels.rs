//! Probabilities on blocks of lanes: rows of sixteen agents side by side.
//!
//! A belief over S states is S rows; contractions of beliefs are `populace_tensor::lanes`'. Every sum
//! runs over the rows in ascending order, so that neighbours and threads change no bit.
//!
//! Laws:
//!
//! - [`softmax`]: q\[i\] ← exp(q\[i\] − max q) / Σ exp(q − max q)
//! - [`neg_entropy`]: Σ_i q\[i\] · ln max(q\[i\], ε)

use populace_tensor::lanes::Lane;
use populace_tensor::simd::{Kernel, Real, Simd, Vector};

use crate::EPSILON;

#[inline(always)]
pub(crate) fn splat<T: Real, S: Simd>(simd: S, x: f64) -> Vector<T, S> {
    Vector::splat(simd, T::from_f64(x))
}

/// The largest of the rows, lane by lane.
#[inline(always)]
pub(crate) fn max<T: Real, S: Simd>(simd: S, rows: &[Lane<T>]) -> Vector<T, S> {
    let mut most = Vector::load(simd, &rows[0]);
    for row in &rows[1..] {
        most = most.max(Vector::load(simd, row));
    }
    most
}

/// Divides the rows by their sum.
#[inline(always)]
pub(crate) fn normalise<T: Real, S: Simd>(simd: S, rows: &mut [Lane<T>]) {
    let mut sum = splat::<T, S>(simd, 0.0);
    for row in rows.iter() {
        sum = sum + Vector::load(simd, row);
    }
    scale(simd, splat::<T, S>(simd, 1.0) / sum, rows);
}

/// Multiplies every row by `factor`.
#[inline(always)]
pub(crate) fn scale<T: Real, S: Simd>(simd: S, factor: Vector<T, S>, rows: &mut [Lane<T>]) {
    for row in rows {
        (Vector::load(simd, row) * factor).store(row);
    }
}

/// Logarithms to probabilities, in place.
#[inline(always)]
pub(crate) fn softmax<T: Real, S: Simd>(simd: S, rows: &mut [Lane<T>]) {
    simd.call(Softmax { rows });
}

struct Softmax<'a, T> {
    rows: &'a mut [Lane<T>],
}

impl<T: Real> Kernel for Softmax<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { rows } = self;
        let most = max(simd, rows);
        let mut sum = splat::<T, S>(simd, 0.0);
        for row in rows.iter_mut() {
            let x = (Vector::load(simd, row) - most).exp();
            sum = sum + x;
            x.store(row);
        }
        scale(simd, splat::<T, S>(simd, 1.0) / sum, rows);
    }
}

/// x · ln max(x, ε).
#[inline(always)]
pub(crate) fn x_ln_x<T: Real, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    x * x.max(splat(x.simd(), EPSILON)).ln()
}

/// Σ_i q\[i\] · ln max(q\[i\], ε).
#[inline(always)]
pub(crate) fn neg_entropy<T: Real, S: Simd>(simd: S, q: &[Lane<T>]) -> Vector<T, S> {
    let mut sum = splat::<T, S>(simd, 0.0);
    for q in q {
        sum = sum + x_ln_x(Vector::load(simd, q));
    }
    sum
}

/// out\[i\] ← ln max(q\[i\], ε).
#[inline(always)]
pub(crate) fn ln_clipped<T: Real, S: Simd>(simd: S, q: &[Lane<T>], out: &mut [Lane<T>]) {
    let epsilon = splat::<T, S>(simd, EPSILON);
    for (q, out) in q.iter().zip(out) {
        Vector::load(simd, q).max(epsilon).ln().store(out);
    }
}

/// Adds `from` to `to`, row by row.
#[inline(always)]
pub(crate) fn add<T: Real, S: Simd>(simd: S, from: &[Lane<T>], to: &mut [Lane<T>]) {
    for (from, to) in from.iter().zip(to) {
        (Vector::load(simd, from) + Vector::load(simd, to)).store(to);
    }
}
