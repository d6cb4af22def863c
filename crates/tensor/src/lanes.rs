//! Blocks of lanes: the same quantity of sixteen agents, side by side.

mod contract;

use std::ops::{Index, IndexMut};

pub use contract::{contract, contract_lanes, dot, outer};

use crate::simd::{Isa, Kernel, Real, Simd, Vector};

/// How many agents stand side by side in a block, whatever their number and the CPU: so an agent's
/// bits do not depend on its neighbours.
pub const LANES: usize = 16;

/// One number of each of [`LANES`] agents.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
pub struct Lane<T>(pub [T; LANES]);

impl<T> Index<usize> for Lane<T> {
    type Output = T;

    #[inline(always)]
    fn index(&self, lane: usize) -> &T {
        &self.0[lane]
    }
}

impl<T> IndexMut<usize> for Lane<T> {
    #[inline(always)]
    fn index_mut(&mut self, lane: usize) -> &mut T {
        &mut self.0[lane]
    }
}

/// to\[i\]\[lane\] = from\[lane\]\[i\]: sixteen agents' numbers become rows of lanes.
///
/// # Panics
///
/// If a slice is shorter than `to`.
pub fn interleave<T: Real>(isa: Isa, from: &[&[T]; LANES], to: &mut [Lane<T>]) {
    isa.dispatch(Interleave { from, to });
}

/// to\[lane · rows + i\] = from\[i\]\[lane\], rows = `from.len()`: rows of lanes become sixteen agents'
/// numbers, one after another.
///
/// # Panics
///
/// If `to` does not hold [`LANES`] · rows numbers.
pub fn deinterleave<T: Real>(isa: Isa, from: &[Lane<T>], to: &mut [T]) {
    isa.dispatch(Deinterleave { from, to });
}

/// [`interleave`] within a kernel.
#[inline(always)]
pub fn interleave_with<T: Real, S: Simd>(simd: S, from: &[&[T]; LANES], to: &mut [Lane<T>]) {
    let whole = to.len() / LANES * LANES;
    for (tile, to) in to[..whole].chunks_exact_mut(LANES).enumerate() {
        let at = tile * LANES..(tile + 1) * LANES;
        // Not `array::from_fn`: its closure would not be compiled for the instruction set.
        let mut rows = [Vector::splat(simd, T::ZERO); LANES];
        for (row, from) in rows.iter_mut().zip(from) {
            *row = Vector::load_slice(simd, &from[at.clone()]);
        }
        let rows = transpose(rows);
        for (row, to) in rows.iter().zip(to) {
            row.store(to);
        }
    }
    for (i, to) in to.iter_mut().enumerate().skip(whole) {
        *to = Lane(std::array::from_fn(|lane| from[lane][i]));
    }
}

#[inline(always)]
fn deinterleave_with<T: Real, S: Simd>(simd: S, from: &[Lane<T>], to: &mut [T]) {
    let len = from.len();
    assert_eq!(to.len(), LANES * len, "room for {LANES} agents");
    let whole = len / LANES * LANES;
    for (tile, from) in from[..whole].chunks_exact(LANES).enumerate() {
        let mut rows = [Vector::splat(simd, T::ZERO); LANES];
        for (row, from) in rows.iter_mut().zip(from) {
            *row = Vector::load(simd, from);
        }
        let rows = transpose(rows);
        for (lane, row) in rows.iter().enumerate() {
            row.store_slice(&mut to[lane * len + tile * LANES..][..LANES]);
        }
    }
    for (i, from) in from.iter().enumerate().skip(whole) {
        for lane in 0..LANES {
            to[lane * len + i] = from[lane];
        }
    }
}

/// Sixteen vectors of sixteen, transposed: log₂ 16 times, row i and row i + 8 are zipped into rows
/// 2i and 2i + 1.
#[inline(always)]
pub(crate) fn transpose<T: Real, S: Simd>(
    mut rows: [Vector<T, S>; LANES],
) -> [Vector<T, S>; LANES] {
    for _ in 0..LANES.ilog2() {
        let from = rows;
        for i in 0..LANES / 2 {
            (rows[2 * i], rows[2 * i + 1]) = from[i].zip(from[i + LANES / 2]);
        }
    }
    rows
}

struct Interleave<'a, T> {
    from: &'a [&'a [T]; LANES],
    to: &'a mut [Lane<T>],
}

impl<T: Real> Kernel for Interleave<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        interleave_with(simd, self.from, self.to);
    }
}

struct Deinterleave<'a, T> {
    from: &'a [Lane<T>],
    to: &'a mut [T],
}

impl<T: Real> Kernel for Deinterleave<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        deinterleave_with(simd, self.from, self.to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<T: Real>(len: usize) {
        for isa in Isa::all() {
            let number = |lane: usize, i: usize| T::from_f64((lane * 1000 + i) as f64);
            let agents: Vec<Vec<T>> =
                (0..LANES).map(|lane| (0..len).map(|i| number(lane, i)).collect()).collect();
            let from: [&[T]; LANES] = std::array::from_fn(|lane| &agents[lane][..]);
            let mut rows = vec![Lane([T::ZERO; LANES]); len];
            interleave(isa, &from, &mut rows);
            for (i, row) in rows.iter().enumerate() {
                for lane in 0..LANES {
                    assert_eq!(row[lane], number(lane, i), "{isa:?} {i} {lane}");
                }
            }
            let mut back = vec![T::ZERO; LANES * len];
            deinterleave(isa, &rows, &mut back);
            assert_eq!(back, agents.concat(), "{isa:?}");
        }
    }

    #[test]
    fn agents_become_lanes_and_back() {
        for len in [0, 1, 15, 16, 17, 40, 400] {
            round_trip::<f32>(len);
            round_trip::<f64>(len);
        }
    }
}
