//! Own `ln` and `exp`: the same bits on every system, whatever its libm.
//!
//! `ln`: x = m·2^e, m in [√½, √2); ln x = e·ln 2 + ln m, with ln 2 in two parts so that e·ln 2 is
//! exact enough. f32 uses the polynomial of Cephes' `logf`, f64 the series in s = (m−1)/(m+1) of
//! fdlibm's `e_log.c`.
//!
//! `exp`: x = n·ln 2 + r, |r| ≤ ½ ln 2; e^x = 2^n·e^r, with e^r by polynomial (f32: Cephes'
//! `expf`; f64: Taylor to r^13, whose remainder is below 2^-57).

use super::{Real, Simd, Vector};

/// Horner's scheme; the highest coefficient first.
#[inline(always)]
fn horner<T: Real, S: Simd, const N: usize>(x: Vector<T, S>, coefficients: [T; N]) -> Vector<T, S> {
    let mut sum = Vector::splat(x.simd(), coefficients[0]);
    for &coefficient in &coefficients[1..] {
        sum = sum.mul_add(x, Vector::splat(x.simd(), coefficient));
    }
    sum
}

#[inline(always)]
pub(super) fn ln_f32<S: Simd>(x: Vector<f32, S>) -> Vector<f32, S> {
    let k = |c| Vector::splat(x.simd(), c);
    let (m, e) = x.split();
    let f = m - k(1.0);
    let z = f * f;
    #[rustfmt::skip]
    let p = horner(f, [
        7.037_683_6e-2, -1.151_461e-1, 1.167_699_9e-1, -1.242_014_1e-1, 1.424_932_3e-1,
        -1.666_805_8e-1, 2.000_071_5e-1, -2.499_999_4e-1, 3.333_333e-1,
    ]);
    let tail = (f * z).mul_add(p, e * k(-2.121_944_4e-4));
    e.mul_add(k(0.693_359_4), f + z.mul_add(k(-0.5), tail))
}

#[inline(always)]
pub(super) fn ln_f64<S: Simd>(x: Vector<f64, S>) -> Vector<f64, S> {
    let k = |c| Vector::splat(x.simd(), c);
    let (m, e) = x.split();
    let f = m - k(1.0);
    let s = f / (f + k(2.0));
    let z = s * s;
    #[rustfmt::skip]
    let r = z * horner(z, [
        1.479_819_860_511_658_6e-1, 1.531_383_769_920_937_3e-1, 1.818_357_216_161_805e-1,
        2.222_219_843_214_978_4e-1, 2.857_142_874_366_239e-1, 3.999_999_999_940_942e-1,
        6.666_666_666_666_735e-1,
    ]);
    let half = k(0.5) * f * f;
    let tail = s.mul_add(half + r, e * k(1.908_214_929_270_587_7e-10));
    e.mul_add(k(6.931_471_803_691_238e-1), f - (half - tail))
}

#[inline(always)]
pub(super) fn exp_f32<S: Simd>(x: Vector<f32, S>) -> Vector<f32, S> {
    let k = |c| Vector::splat(x.simd(), c);
    let low = x.less(k(f32::EXP_MIN));
    let x = x.max(k(f32::EXP_MIN));
    let n = (x * k(std::f32::consts::LOG2_E)).round();
    let r = n.mul_add(k(2.121_944_4e-4), n.mul_add(k(-0.693_359_4), x));
    #[rustfmt::skip]
    let p = horner(r, [
        1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5,
    ]);
    let y = (r * r).mul_add(p, r) + k(1.0);
    low.select(k(0.0), y.scale(n))
}

#[inline(always)]
pub(super) fn exp_f64<S: Simd>(x: Vector<f64, S>) -> Vector<f64, S> {
    let k = |c| Vector::splat(x.simd(), c);
    let low = x.less(k(f64::EXP_MIN));
    let x = x.max(k(f64::EXP_MIN));
    let n = (x * k(std::f64::consts::LOG2_E)).round();
    let r = n.mul_add(k(-1.908_214_929_270_587_7e-10), n.mul_add(k(-6.931_471_803_691_238e-1), x));
    #[rustfmt::skip]
    let p = horner(r, [
        1.0 / 6_227_020_800.0, 1.0 / 479_001_600.0, 1.0 / 39_916_800.0, 1.0 / 3_628_800.0,
        1.0 / 362_880.0, 1.0 / 40_320.0, 1.0 / 5_040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0,
        1.0 / 6.0, 0.5,
    ]);
    let y = (r * r).mul_add(p, r) + k(1.0);
    low.select(k(0.0), y.scale(n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::{LANES, Lane};
    use crate::simd::{Isa, Kernel};

    struct Both<T: Real>(T);

    impl<T: Real> Kernel for Both<T> {
        type Output = (T, T);
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> (T, T) {
            let x = Vector::splat(simd, self.0);
            let (mut ln, mut exp) = (Lane([T::ZERO; LANES]), Lane([T::ZERO; LANES]));
            x.max(Vector::splat(simd, T::from_f64(1e-30))).ln().store(&mut ln);
            x.exp().store(&mut exp);
            (ln[3], exp[15])
        }
    }

    fn ulps(got: f64, want: f64, epsilon: f64) -> f64 {
        (got - want).abs() / (want.abs().max(f64::MIN_POSITIVE) * epsilon)
    }

    #[test]
    fn errors_stay_within_two_units_in_the_last_place() {
        for isa in Isa::all() {
            let mut x = 1e-16_f64;
            while x < 80.0 {
                for x in [x, -x] {
                    let x32 = x as f32;
                    let (ln, exp) = isa.dispatch(Both(x32));
                    let wide = f64::from(x32);
                    assert!(ulps(exp.into(), wide.exp(), 1.2e-7) <= 2.0, "{isa:?} exp {x32}");
                    if x > 0.0 {
                        assert!(ulps(ln.into(), wide.ln(), 1.2e-7) <= 2.0, "{isa:?} ln {x32}");
                    }
                    let (ln, exp) = isa.dispatch(Both(x));
                    assert!(ulps(exp, x.exp(), 2.3e-16) <= 2.0, "{isa:?} exp {x}: {exp}");
                    if x > 0.0 {
                        assert!(ulps(ln, x.ln(), 2.3e-16) <= 2.0, "{isa:?} ln {x}: {ln}");
                    }
                }
                x *= 1.003_7;
            }
            assert_eq!(isa.dispatch(Both(1.0_f64)).0, 0.0);
            assert_eq!(isa.dispatch(Both(0.0_f64)).1, 1.0);
            assert_eq!(isa.dispatch(Both(-1e30_f64)).1, 0.0);
            assert_eq!(isa.dispatch(Both(-1e30_f32)).1, 0.0);
        }
    }
}
