//! What is to be learnt, of counts that agents have of their own: as `compiled/novelty.rs`, in lanes.

use populace_tensor::lanes::{LANES, Lane};
use populace_tensor::simd::{Real, Simd, Vector};

use super::kernels::splat;
use crate::compiled::novelty::{EPSILON_0, LARGE, SERIES};
use crate::{Dialect, EPSILON};

/// w of the counts of a table, (rows, joint), its columns put where `place` says (`None`: as they
/// stand). `sums` is room for a number a column.
#[inline(always)]
pub(super) fn weights<T: Real, S: Simd>(
    simd: S,
    dialect: Dialect,
    counts: &[Lane<T>],
    place: Option<&[u32]>,
    sums: &mut [Lane<T>],
    out: &mut [Lane<T>],
) {
    let joint = sums.len();
    let zero = splat::<T, S>(simd, 0.0);
    sums.fill(Lane([T::ZERO; LANES]));
    for row in counts.chunks_exact(joint) {
        for (count, sum) in row.iter().zip(sums.iter_mut()) {
            (Vector::load(simd, sum) + lifted(dialect, Vector::load(simd, count))).store(sum);
        }
    }
    for sum in sums.iter_mut() {
        worth(dialect, Vector::load(simd, sum)).store(sum);
    }
    for (row, out) in counts.chunks_exact(joint).zip(out.chunks_exact_mut(joint)) {
        for (column, (count, sum)) in row.iter().zip(sums.iter()).enumerate() {
            let count = Vector::load(simd, count);
            let weight = Vector::load(simd, sum) - worth(dialect, lifted(dialect, count));
            let to = place.map_or(column, |place| place[column] as usize);
            zero.less(count).select(weight, zero).store(&mut out[to]);
        }
    }
}

#[inline(always)]
fn lifted<T: Real, S: Simd>(dialect: Dialect, count: Vector<T, S>) -> Vector<T, S> {
    match dialect {
        Dialect::Pymdp1 => count.max(splat(count.simd(), EPSILON)),
        Dialect::Pymdp0 => count + splat(count.simd(), EPSILON_0),
    }
}

/// φ(x) = ψ(x + 1) − ln x (pymdp-0: 1/x), within about 1e-14 (1e-6 in f32) of max(1, φ): every lane
/// goes through all of the recurrence.
#[inline(always)]
fn worth<T: Real, S: Simd>(dialect: Dialect, x: Vector<T, S>) -> Vector<T, S> {
    let simd = x.simd();
    let one = splat::<T, S>(simd, 1.0);
    if dialect == Dialect::Pymdp0 {
        return one / x;
    }
    let mut sum = splat::<T, S>(simd, 0.0);
    for step in 1..=LARGE as usize {
        sum = sum + one / (x + splat(simd, step as f64));
    }
    let large = x + splat(simd, LARGE);
    let square = one / (large * large);
    let mut series = splat::<T, S>(simd, 0.0);
    for &term in SERIES.iter().rev() {
        series = (series + splat(simd, term)) * square;
    }
    (large / x).ln() + splat::<T, S>(simd, 0.5) / large - series - sum
}
