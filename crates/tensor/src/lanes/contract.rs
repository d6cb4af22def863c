//! Contractions within a kernel, over rows of lanes: sixteen agents' vectors side by side.
//!
//! A vector of S numbers an agent is S rows. Every sum runs over the rows in ascending order, one
//! accumulator an output, whatever the tiling: so tiles, neighbours and threads change no bit.
//!
//! Laws, for n outputs and s inputs:
//!
//! - [`contract`]: out\[i\] = Σ_j table\[i·s + j\] · q\[j\], the table shared by all lanes
//! - [`contract_lanes`]: out\[i\] = Σ_j x\[i·s + j\] · q\[j\], every lane its own x
//! - [`dot`]: Σ_i p\[i\] · q\[i\]
//! - [`outer`]: out\[i·s + j\] = p\[i\] · q\[j\]

use super::Lane;
use crate::simd::{Kernel, Real, Simd, Vector};

/// How many table rows a tile of [`contract`] takes at once: enough independent sums to hide the
/// latency of a multiply-add.
const TILE: usize = 8;

/// out\[i\] = Σ_j table\[i·s + j\] · q\[j\]; s = `q.len()`, n = `out.len()`.
///
/// # Panics
///
/// If the table holds fewer than n·s numbers.
///
/// # Examples
///
/// ```
/// use populace_tensor::lanes::{Lane, contract};
/// use populace_tensor::simd::{Isa, Kernel, Simd};
///
/// /// A transition of two states, of sixteen agents at once.
/// struct Predict<'a> {
///     b: &'a [f32],
///     q: &'a [Lane<f32>],
///     next: &'a mut [Lane<f32>],
/// }
///
/// impl Kernel for Predict<'_> {
///     type Output = ();
///
///     #[inline(always)]
///     fn run<S: Simd>(self, simd: S) {
///         contract(simd, self.b, self.q, self.next);
///     }
/// }
///
/// let q = [Lane([0.25; 16]), Lane([0.75; 16])];
/// let mut next = [Lane([0.0; 16]); 2];
/// Isa::best().dispatch(Predict { b: &[0.5, 0.25, 0.5, 0.75], q: &q, next: &mut next });
/// assert_eq!((next[0][7], next[1][7]), (0.3125, 0.6875));
/// ```
#[inline(always)]
pub fn contract<T: Real, S: Simd>(simd: S, table: &[T], q: &[Lane<T>], out: &mut [Lane<T>]) {
    simd.call(Contract { table, q, out });
}

struct Contract<'a, T> {
    table: &'a [T],
    q: &'a [Lane<T>],
    out: &'a mut [Lane<T>],
}

impl<T: Real> Kernel for Contract<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { table, q, out } = self;
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
}

/// R rows of [`contract`].
#[inline(always)]
fn tile<T: Real, S: Simd, const R: usize>(simd: S, rows: &[T], q: &[Lane<T>], out: &mut [Lane<T>]) {
    let s = q.len();
    let rows = &rows[..R * s];
    let mut sums = [Vector::splat(simd, T::ZERO); R];
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

/// out\[i\] = Σ_j x\[i·s + j\] · q\[j\], every lane its own x; s = `q.len()`, n = `out.len()`.
///
/// # Panics
///
/// If `q` is empty.
#[inline(always)]
pub fn contract_lanes<T: Real, S: Simd>(
    simd: S,
    x: &[Lane<T>],
    q: &[Lane<T>],
    out: &mut [Lane<T>],
) {
    simd.call(ContractLanes { x, q, out });
}

struct ContractLanes<'a, T> {
    x: &'a [Lane<T>],
    q: &'a [Lane<T>],
    out: &'a mut [Lane<T>],
}

impl<T: Real> Kernel for ContractLanes<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { x, q, out } = self;
        for (out, x) in out.iter_mut().zip(x.chunks_exact(q.len())) {
            dot(simd, x, q).store(out);
        }
    }
}

/// Σ_i p\[i\] · q\[i\].
#[inline(always)]
pub fn dot<T: Real, S: Simd>(simd: S, p: &[Lane<T>], q: &[Lane<T>]) -> Vector<T, S> {
    let mut sum = Vector::splat(simd, T::ZERO);
    for (p, q) in p.iter().zip(q) {
        sum = Vector::load(simd, p).mul_add(Vector::load(simd, q), sum);
    }
    sum
}

/// out\[i·s + j\] = p\[i\] · q\[j\]; s = `q.len()`.
///
/// # Panics
///
/// If `q` is empty.
#[inline(always)]
pub fn outer<T: Real, S: Simd>(simd: S, p: &[Lane<T>], q: &[Lane<T>], out: &mut [Lane<T>]) {
    simd.call(Outer { p, q, out });
}

struct Outer<'a, T> {
    p: &'a [Lane<T>],
    q: &'a [Lane<T>],
    out: &'a mut [Lane<T>],
}

impl<T: Real> Kernel for Outer<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { p, q, out } = self;
        for (p, out) in p.iter().zip(out.chunks_exact_mut(q.len())) {
            let p = Vector::load(simd, p);
            for (q, out) in q.iter().zip(out) {
                (p * Vector::load(simd, q)).store(out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::LANES;
    use super::*;
    use crate::simd::Isa;

    /// All four laws, into `[contract, contract_lanes, [dot], outer]`.
    struct All<'a, T> {
        x: &'a [Lane<T>],
        q: &'a [Lane<T>],
        out: &'a mut [Vec<Lane<T>>; 4],
    }

    impl<T: Real> Kernel for All<'_, T> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let [shared, own, sum, products] = self.out;
            let table: Vec<T> = self.x.iter().map(|row| row[3]).collect();
            contract(simd, &table, self.q, shared);
            contract_lanes(simd, self.x, self.q, own);
            dot(simd, &self.x[..self.q.len()], self.q).store(&mut sum[0]);
            outer(simd, own, self.q, products);
        }
    }

    fn agree<T: Real>(n: usize, s: usize, tolerance: f64) {
        // Whole numbers: their sums are exact in any order.
        let number = |seed: usize, i: usize, lane: usize| {
            T::from_f64(((i * 7 + lane * 5 + seed) % 13) as f64 - 6.0)
        };
        let rows = |seed: usize, len: usize| -> Vec<Lane<T>> {
            (0..len).map(|i| Lane(std::array::from_fn(|lane| number(seed, i, lane)))).collect()
        };
        let (x, q) = (rows(1, n * s), rows(2, s));
        let sum = |i: usize, x: &dyn Fn(usize) -> T, lane: usize| -> f64 {
            (0..s).map(|j| x(i * s + j).to_f64() * q[j][lane].to_f64()).sum()
        };
        for isa in Isa::all() {
            let zeros = |len: usize| vec![Lane([T::ZERO; LANES]); len];
            let mut out = [zeros(n), zeros(n), zeros(1), zeros(n * s)];
            isa.dispatch(All { x: &x, q: &q, out: &mut out });
            for lane in 0..LANES {
                let near = |got: T, expected: f64| {
                    let off = (got.to_f64() - expected).abs();
                    assert!(off <= tolerance, "{isa:?} n {n} s {s}: {got:?} for {expected}");
                };
                for i in 0..n {
                    near(out[0][i][lane], sum(i, &|at| x[at][3], lane));
                    let own = sum(i, &|at| x[at][lane], lane);
                    near(out[1][i][lane], own);
                    for j in 0..s {
                        near(out[3][i * s + j][lane], own * q[j][lane].to_f64());
                    }
                }
                near(out[2][0][lane], sum(0, &|at| x[at][lane], lane));
            }
        }
    }

    #[test]
    fn laws_hold_at_every_tile() {
        for n in 1..=18 {
            for s in [1, 2, 7, 33] {
                agree::<f32>(n, s, 0.0);
                agree::<f64>(n, s, 0.0);
            }
        }
    }
}
