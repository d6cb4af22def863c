//! AVX2 with FMA: sixteen `f32` in two registers, sixteen `f64` in four.

#[cfg(not(target_arch = "x86_64"))]
pub(super) use super::portable::disabled::{Absent as Avx2, dispatch};
#[cfg(target_arch = "x86_64")]
pub(super) use enabled::{Avx2, dispatch, sum_of_eight, sum_of_four};

#[cfg(target_arch = "x86_64")]
mod enabled {
    use std::arch::x86_64::*;

    use crate::lanes::LANES;
    use crate::simd::Kernel;
    use crate::simd::vector::{Raw, Simd};

    /// Proves that the CPU has AVX2 and FMA.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Avx2(());

    impl Avx2 {
        pub(crate) fn detect() -> Option<Self> {
            let has = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            has.then_some(Self(()))
        }
    }

    /// # Safety
    ///
    /// The CPU has the features: [`Avx2::detect`] said so.
    #[target_feature(enable = "avx2,fma")]
    #[inline(never)]
    pub(crate) unsafe fn dispatch<K: Kernel>(kernel: K) -> K::Output {
        kernel.run(Avx2(()))
    }

    impl Simd for Avx2 {
        #[inline(always)]
        fn call<K: Kernel>(self, kernel: K) -> K::Output {
            // SAFETY: `self` proves that the CPU has the features.
            unsafe { dispatch(kernel) }
        }
    }

    macro_rules! token {
        ($e:expr) => {
            // SAFETY: `self` proves that the CPU has the instructions; memory operands are
            // references to whole arrays.
            unsafe { $e }
        };
    }

    const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

    // One expression a register. A loop, not `array::from_fn`: a closure would not be compiled for
    // the instruction set.
    macro_rules! each {
        ($t:ty, $self:ident, $i:ident, $e:expr) => {{
            let mut out = Raw::<$t>::splat($self, 0.0);
            for $i in 0..out.len() {
                out[$i] = $e;
            }
            out
        }};
    }

    macro_rules! raw {
        ($t:ident, $v:ident, $registers:literal, $split:ident, $scale:ident, $zip:ident, $sum:ident,
         $set1:ident, $load:ident, $store:ident, $add:ident, $sub:ident, $mul:ident, $div:ident,
         $fma:ident, $max:ident, $cmp:ident, $blend:ident, $round:ident) => {
            impl Raw<$t> for Avx2 {
                type V = [$v; $registers];
                type M = [$v; $registers];

                #[inline(always)]
                fn splat(self, x: $t) -> Self::V {
                    token!([$set1(x); $registers])
                }
                #[inline(always)]
                fn load(self, from: &[$t; LANES]) -> Self::V {
                    let parts = from.as_chunks::<{ LANES / $registers }>().0;
                    each!($t, self, i, token!($load(parts[i].as_ptr())))
                }
                #[inline(always)]
                fn store(self, v: Self::V, to: &mut [$t; LANES]) {
                    let parts = to.as_chunks_mut::<{ LANES / $registers }>().0;
                    for (part, v) in parts.iter_mut().zip(v) {
                        token!($store(part.as_mut_ptr(), v));
                    }
                }
                #[inline(always)]
                fn add(self, a: Self::V, b: Self::V) -> Self::V {
                    each!($t, self, i, token!($add(a[i], b[i])))
                }
                #[inline(always)]
                fn sub(self, a: Self::V, b: Self::V) -> Self::V {
                    each!($t, self, i, token!($sub(a[i], b[i])))
                }
                #[inline(always)]
                fn mul(self, a: Self::V, b: Self::V) -> Self::V {
                    each!($t, self, i, token!($mul(a[i], b[i])))
                }
                #[inline(always)]
                fn div(self, a: Self::V, b: Self::V) -> Self::V {
                    each!($t, self, i, token!($div(a[i], b[i])))
                }
                #[inline(always)]
                fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
                    each!($t, self, i, token!($fma(a[i], b[i], c[i])))
                }
                #[inline(always)]
                fn max(self, a: Self::V, b: Self::V) -> Self::V {
                    each!($t, self, i, token!($max(a[i], b[i])))
                }
                #[inline(always)]
                fn less(self, a: Self::V, b: Self::V) -> Self::M {
                    each!($t, self, i, token!($cmp::<_CMP_LT_OQ>(a[i], b[i])))
                }
                #[inline(always)]
                fn select(self, mask: Self::M, yes: Self::V, no: Self::V) -> Self::V {
                    each!($t, self, i, token!($blend(no[i], yes[i], mask[i])))
                }
                #[inline(always)]
                fn round(self, v: Self::V) -> Self::V {
                    each!($t, self, i, token!($round::<NEAREST>(v[i])))
                }
                #[inline(always)]
                fn split(self, v: Self::V) -> (Self::V, Self::V) {
                    (
                        each!($t, self, i, $split(self, v[i]).0),
                        each!($t, self, i, $split(self, v[i]).1),
                    )
                }
                #[inline(always)]
                fn scale(self, v: Self::V, n: Self::V) -> Self::V {
                    each!($t, self, i, $scale(self, v[i], n[i]))
                }
                #[inline(always)]
                fn zip(self, a: Self::V, b: Self::V) -> (Self::V, Self::V) {
                    let half = $registers / 2;
                    (
                        each!($t, self, i, $zip(self, a[i / 2], b[i / 2])[i % 2]),
                        each!($t, self, i, $zip(self, a[half + i / 2], b[half + i / 2])[i % 2]),
                    )
                }
                #[inline(always)]
                fn sum(self, mut v: Self::V) -> $t {
                    let mut width = $registers / 2;
                    while width > 0 {
                        for i in 0..width {
                            v[i] = token!($add(v[i], v[i + width]));
                        }
                        width /= 2;
                    }
                    // SAFETY: `self` proves that the CPU has the instructions.
                    unsafe { $sum(v[0]) }
                }
            }
        };
    }

    raw!(
        f32,
        __m256,
        2,
        split_f32,
        scale_f32,
        zip_f32,
        sum_of_eight,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_div_ps,
        _mm256_fmadd_ps,
        _mm256_max_ps,
        _mm256_cmp_ps,
        _mm256_blendv_ps,
        _mm256_round_ps
    );
    raw!(
        f64,
        __m256d,
        4,
        split_f64,
        scale_f64,
        zip_f64,
        sum_of_four,
        _mm256_set1_pd,
        _mm256_loadu_pd,
        _mm256_storeu_pd,
        _mm256_add_pd,
        _mm256_sub_pd,
        _mm256_mul_pd,
        _mm256_div_pd,
        _mm256_fmadd_pd,
        _mm256_max_pd,
        _mm256_cmp_pd,
        _mm256_blendv_pd,
        _mm256_round_pd
    );

    #[inline(always)]
    fn split_f32(_: Avx2, v: __m256) -> (__m256, __m256) {
        token!({
            let bits = _mm256_castps_si256(v);
            let e = _mm256_srai_epi32::<23>(_mm256_sub_epi32(bits, _mm256_set1_epi32(0x3f35_04f3)));
            let m = _mm256_sub_epi32(bits, _mm256_slli_epi32::<23>(e));
            (_mm256_castsi256_ps(m), _mm256_cvtepi32_ps(e))
        })
    }

    #[inline(always)]
    fn scale_f32(_: Avx2, v: __m256, n: __m256) -> __m256 {
        token!({
            let biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
            _mm256_mul_ps(v, _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased)))
        })
    }

    #[inline(always)]
    fn zip_f32(_: Avx2, a: __m256, b: __m256) -> [__m256; 2] {
        token!({
            // Within each half of the register, then the halves put in order.
            let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            [_mm256_permute2f128_ps::<0x20>(low, high), _mm256_permute2f128_ps::<0x31>(low, high)]
        })
    }

    #[inline(always)]
    fn zip_f64(_: Avx2, a: __m256d, b: __m256d) -> [__m256d; 2] {
        token!({
            let (low, high) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
            [_mm256_permute2f128_pd::<0x20>(low, high), _mm256_permute2f128_pd::<0x31>(low, high)]
        })
    }

    /// The sum of a register's numbers, the upper half added to the lower, and so on.
    ///
    /// # Safety
    ///
    /// The CPU has AVX2.
    #[inline(always)]
    pub(crate) unsafe fn sum_of_eight(v: __m256) -> f32 {
        token!({
            let four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        })
    }

    /// As [`sum_of_eight`].
    ///
    /// # Safety
    ///
    /// The CPU has AVX2.
    #[inline(always)]
    pub(crate) unsafe fn sum_of_four(v: __m256d) -> f64 {
        token!({
            let two = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd::<1>(v));
            _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
        })
    }

    // AVX2 neither shifts 64-bit integers arithmetically nor converts them. A small integer k
    // travels in the low bits of the number 2^52 + k.
    const TWO_52: f64 = 4_503_599_627_370_496.0;

    #[inline(always)]
    fn split_f64(_: Avx2, v: __m256d) -> (__m256d, __m256d) {
        token!({
            let bits = _mm256_castpd_si256(v);
            // (bits − √½ + bias·2^52) >> 52 = e + bias ≥ 0, so that a logical shift will do.
            let offset = _mm256_set1_epi64x((1023 << 52) - 0x3fe6_a09e_667f_3bcd);
            let biased = _mm256_srli_epi64::<52>(_mm256_add_epi64(bits, offset));
            let e = _mm256_sub_epi64(biased, _mm256_set1_epi64x(1023));
            let m = _mm256_sub_epi64(bits, _mm256_slli_epi64::<52>(e));
            let magic = _mm256_set1_pd(TWO_52);
            let number = _mm256_castsi256_pd(_mm256_or_si256(biased, _mm256_castpd_si256(magic)));
            let e = _mm256_sub_pd(number, _mm256_set1_pd(TWO_52 + 1023.0));
            (_mm256_castsi256_pd(m), e)
        })
    }

    #[inline(always)]
    fn scale_f64(_: Avx2, v: __m256d, n: __m256d) -> __m256d {
        token!({
            let number = _mm256_add_pd(n, _mm256_set1_pd(TWO_52 + 1023.0));
            let power = _mm256_slli_epi64::<52>(_mm256_castpd_si256(number));
            _mm256_mul_pd(v, _mm256_castsi256_pd(power))
        })
    }
}
