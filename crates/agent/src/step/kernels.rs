//! Arithmetic on blocks of lanes: rows of sixteen agents side by side.
//!
//! A belief over S states is S rows. Every sum runs over the rows in ascending order, one
//! accumulator an output, whatever the tiling: so tiles, neighbours and threads change no bit.
//!
//! Laws, for n outputs and s inputs:
//!
//! - [`contract`]: out\[i\] = Σ_j table\[i·s + j\] · q\[j\], the table shared by all lanes
//! - [`contract_lanes`]: out\[i\] = Σ_j x\[i·s + j\] · q\[j\], every lane its own x
//! - [`softmax`]: q\[i\] ← exp(q\[i\] − max q) / Σ exp(q − max q)
//! - [`neg_entropy`]: Σ_i q\[i\] · ln max(q\[i\], ε)

use populace_tensor::lanes::Lane;
use populace_tensor::simd::{Real, Simd, Vector};

use crate::EPSILON;

/// How many table rows a tile of [`contract`] takes at once: enough independent sums to hide the
/// latency of a multiply-add.
const TILE: usize = 8;

#[inline(always)]
pub(crate) fn splat<T: Real, S: Simd>(simd: S, x: f64) -> Vector<T, S> {
    Vector::splat(simd, T::from_f64(x))
}

/// out\[i\] = Σ_j table\[i·s + j\] · q\[j\]; s = `q.len()`, n = `out.len()`.
#[inline(always)]
pub(crate) fn contract<T: Real, S: Simd>(simd: S, table: &[T], q: &[Lane<T>], out: &mut [Lane<T>]) {
    let s = q.len();
    let whole = out.len() / TILE * TILE;
    let (tiles, rest) = out.split_at_mut(whole);
    let (table, last) = table.split_at(whole * s);
    for (out, rows) in tiles.chunks_exact_mut(TILE).zip(table.chunks_exact((s * TILE).max(1))) {
        tile::<T, S, TILE>(simd, rows, q, out);
    }
    match rest.len() {
        0 => {}
        1 => tile::<T, S, 1>(simd, last, q, rest),
        2 => tile::<T, S, 2>(simd, last, q, rest),
        3 => tile::<T, S, 3>(simd, last, q, rest),
        4 => tile::<T, S, 4>(simd, last, q, rest),
        5 => tile::<T, S, 5>(simd, last, q, rest),
        6 => tile::<T, S, 6>(simd, last, q, rest),
        _ => tile::<T, S, 7>(simd, last, q, rest),
    }
}

/// R rows of [`contract`].
#[inline(always)]
fn tile<T: Real, S: Simd, const R: usize>(simd: S, rows: &[T], q: &[Lane<T>], out: &mut [Lane<T>]) {
    let s = q.len();
    let rows = &rows[..R * s];
    let mut sums = [splat::<T, S>(simd, 0.0); R];
    for (j, q) in q.iter().enumerate() {
        let q = Vector::load(simd, q);
        for (r, sum) in sums.iter_mut().enumerate() {
            *sum = Vector::splat(simd, rows[r * s + j]).mul_add(q, *sum);
        }
    }
    for (out, sum) in out.iter_mut().zip(sums) {
        sum.store(out);
    }
}

/// out\[i\] = Σ_j x\[i·s + j\] · q\[j\]; s = `q.len()`, n = `out.len()`.
#[inline(always)]
pub(crate) fn contract_lanes<T: Real, S: Simd>(
    simd: S,
    x: &[Lane<T>],
    q: &[Lane<T>],
    out: &mut [Lane<T>],
) {
    for (out, x) in out.iter_mut().zip(x.chunks_exact(q.len())) {
        let mut sum = splat::<T, S>(simd, 0.0);
        for (x, q) in x.iter().zip(q) {
            sum = Vector::load(simd, x).mul_add(Vector::load(simd, q), sum);
        }
        sum.store(out);
    }
}

/// Σ_i p\[i\] · q\[i\].
#[inline(always)]
pub(crate) fn dot<T: Real, S: Simd>(simd: S, p: &[Lane<T>], q: &[Lane<T>]) -> Vector<T, S> {
    let mut sum = splat::<T, S>(simd, 0.0);
    for (p, q) in p.iter().zip(q) {
        sum = Vector::load(simd, p).mul_add(Vector::load(simd, q), sum);
    }
    sum
}

/// out\[i·s + j\] = p\[i\] · q\[j\]; s = `q.len()`.
#[inline(always)]
pub(crate) fn outer<T: Real, S: Simd>(simd: S, p: &[Lane<T>], q: &[Lane<T>], out: &mut [Lane<T>]) {
    for (p, out) in p.iter().zip(out.chunks_exact_mut(q.len())) {
        let p = Vector::load(simd, p);
        for (q, out) in q.iter().zip(out) {
            (p * Vector::load(simd, q)).store(out);
        }
    }
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
    let most = max(simd, rows);
    let mut sum = splat::<T, S>(simd, 0.0);
    for row in rows.iter_mut() {
        let x = (Vector::load(simd, row) - most).exp();
        sum = sum + x;
        x.store(row);
    }
    scale(simd, splat::<T, S>(simd, 1.0) / sum, rows);
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
