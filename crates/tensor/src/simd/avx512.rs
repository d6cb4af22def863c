//! AVX-512: sixteen `f32` in one register, sixteen `f64` in two.

#[cfg(not(target_arch = "x86_64"))]
pub(super) use super::portable::disabled::{Absent as Avx512, dispatch};
#[cfg(target_arch = "x86_64")]
pub(super) use enabled::{Avx512, dispatch};

#[cfg(target_arch = "x86_64")]
mod enabled {
    use std::arch::x86_64::*;

    use crate::lanes::LANES;
    use crate::simd::Kernel;
    use crate::simd::avx2::{sum_of_eight, sum_of_four};
    use crate::simd::vector::{Raw, Simd};

    /// Proves that the CPU has AVX-512 F and DQ, AVX2 and FMA.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Avx512(());

    impl Avx512 {
        pub(crate) fn detect() -> Option<Self> {
            let has = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma");
            has.then_some(Self(()))
        }
    }

    /// # Safety
    ///
    /// The CPU has the features: [`Avx512::detect`] said so.
    #[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
    #[inline(never)]
    pub(crate) unsafe fn dispatch<K: Kernel>(kernel: K) -> K::Output {
        kernel.run(Avx512(()))
    }

    impl Simd for Avx512 {
        #[inline(always)]
        fn call<K: Kernel>(self, kernel: K) -> K::Output {
            // SAFETY: `self` proves that the CPU has the features.
            unsafe { dispatch(kernel) }
        }
    }

    // In all of this file a block is safe because an `Avx512` exists only where the CPU has the
    // instructions, and because a reference to an array of sixteen covers the bytes moved.
    macro_rules! token {
        ($e:expr) => {
            // SAFETY: `self` proves that the CPU has the instructions; memory operands are
            // references to whole arrays.
            unsafe { $e }
        };
    }

    impl Raw<f32> for Avx512 {
        type V = __m512;
        type M = __mmask16;

        #[inline(always)]
        fn splat(self, x: f32) -> __m512 {
            token!(_mm512_set1_ps(x))
        }
        #[inline(always)]
        fn load(self, from: &[f32; LANES]) -> __m512 {
            token!(_mm512_loadu_ps(from.as_ptr()))
        }
        #[inline(always)]
        fn store(self, v: __m512, to: &mut [f32; LANES]) {
            token!(_mm512_storeu_ps(to.as_mut_ptr(), v))
        }
        #[inline(always)]
        fn add(self, a: __m512, b: __m512) -> __m512 {
            token!(_mm512_add_ps(a, b))
        }
        #[inline(always)]
        fn sub(self, a: __m512, b: __m512) -> __m512 {
            token!(_mm512_sub_ps(a, b))
        }
        #[inline(always)]
        fn mul(self, a: __m512, b: __m512) -> __m512 {
            token!(_mm512_mul_ps(a, b))
        }
        #[inline(always)]
        fn div(self, a: __m512, b: __m512) -> __m512 {
            token!(_mm512_div_ps(a, b))
        }
        #[inline(always)]
        fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
            token!(_mm512_fmadd_ps(a, b, c))
        }
        #[inline(always)]
        fn max(self, a: __m512, b: __m512) -> __m512 {
            token!(_mm512_max_ps(a, b))
        }
        #[inline(always)]
        fn less(self, a: __m512, b: __m512) -> __mmask16 {
            token!(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b))
        }
        #[inline(always)]
        fn select(self, mask: __mmask16, yes: __m512, no: __m512) -> __m512 {
            token!(_mm512_mask_blend_ps(mask, no, yes))
        }
        #[inline(always)]
        fn round(self, v: __m512) -> __m512 {
            token!(_mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(v))
        }
        #[inline(always)]
        fn split(self, v: __m512) -> (__m512, __m512) {
            token!({
                let bits = _mm512_castps_si512(v);
                let e =
                    _mm512_srai_epi32::<23>(_mm512_sub_epi32(bits, _mm512_set1_epi32(0x3f35_04f3)));
                let m = _mm512_sub_epi32(bits, _mm512_slli_epi32::<23>(e));
                (_mm512_castsi512_ps(m), _mm512_cvtepi32_ps(e))
            })
        }
        #[inline(always)]
        fn scale(self, v: __m512, n: __m512) -> __m512 {
            token!(_mm512_scalef_ps(v, n))
        }
        #[inline(always)]
        fn zip(self, a: __m512, b: __m512) -> (__m512, __m512) {
            token!({
                let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
                let high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
                (_mm512_permutex2var_ps(a, low, b), _mm512_permutex2var_ps(a, high, b))
            })
        }
        #[inline(always)]
        fn sum(self, v: __m512) -> f32 {
            token!({
                let upper = _mm512_extractf32x8_ps::<1>(v);
                sum_of_eight(_mm256_add_ps(_mm512_castps512_ps256(v), upper))
            })
        }
    }

    macro_rules! halves {
        ($f:ident($($a:ident),+)) => { token!([$f($($a[0]),+), $f($($a[1]),+)]) };
    }

    impl Raw<f64> for Avx512 {
        type V = [__m512d; 2];
        type M = [__mmask8; 2];

        #[inline(always)]
        fn splat(self, x: f64) -> Self::V {
            token!([_mm512_set1_pd(x); 2])
        }
        #[inline(always)]
        fn load(self, from: &[f64; LANES]) -> Self::V {
            let (low, high) = from.split_at(LANES / 2);
            token!([_mm512_loadu_pd(low.as_ptr()), _mm512_loadu_pd(high.as_ptr())])
        }
        #[inline(always)]
        fn store(self, v: Self::V, to: &mut [f64; LANES]) {
            let (low, high) = to.split_at_mut(LANES / 2);
            token!({
                _mm512_storeu_pd(low.as_mut_ptr(), v[0]);
                _mm512_storeu_pd(high.as_mut_ptr(), v[1]);
            })
        }
        #[inline(always)]
        fn add(self, a: Self::V, b: Self::V) -> Self::V {
            halves!(_mm512_add_pd(a, b))
        }
        #[inline(always)]
        fn sub(self, a: Self::V, b: Self::V) -> Self::V {
            halves!(_mm512_sub_pd(a, b))
        }
        #[inline(always)]
        fn mul(self, a: Self::V, b: Self::V) -> Self::V {
            halves!(_mm512_mul_pd(a, b))
        }
        #[inline(always)]
        fn div(self, a: Self::V, b: Self::V) -> Self::V {
            halves!(_mm512_div_pd(a, b))
        }
        #[inline(always)]
        fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
            halves!(_mm512_fmadd_pd(a, b, c))
        }
        #[inline(always)]
        fn max(self, a: Self::V, b: Self::V) -> Self::V {
            halves!(_mm512_max_pd(a, b))
        }
        #[inline(always)]
        fn less(self, a: Self::V, b: Self::V) -> Self::M {
            token!([
                _mm512_cmp_pd_mask::<_CMP_LT_OQ>(a[0], b[0]),
                _mm512_cmp_pd_mask::<_CMP_LT_OQ>(a[1], b[1])
            ])
        }
        #[inline(always)]
        fn select(self, mask: Self::M, yes: Self::V, no: Self::V) -> Self::V {
            halves!(_mm512_mask_blend_pd(mask, no, yes))
        }
        #[inline(always)]
        fn round(self, v: Self::V) -> Self::V {
            const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
            token!([_mm512_roundscale_pd::<NEAREST>(v[0]), _mm512_roundscale_pd::<NEAREST>(v[1])])
        }
        #[inline(always)]
        fn split(self, v: Self::V) -> (Self::V, Self::V) {
            #[inline(always)]
            fn half(_: Avx512, v: __m512d) -> (__m512d, __m512d) {
                token!({
                    let bits = _mm512_castpd_si512(v);
                    let root = _mm512_set1_epi64(0x3fe6_a09e_667f_3bcd);
                    let e = _mm512_srai_epi64::<52>(_mm512_sub_epi64(bits, root));
                    let m = _mm512_sub_epi64(bits, _mm512_slli_epi64::<52>(e));
                    (_mm512_castsi512_pd(m), _mm512_cvtepi64_pd(e))
                })
            }
            let ((m0, e0), (m1, e1)) = (half(self, v[0]), half(self, v[1]));
            ([m0, m1], [e0, e1])
        }
        #[inline(always)]
        fn scale(self, v: Self::V, n: Self::V) -> Self::V {
            halves!(_mm512_scalef_pd(v, n))
        }
        #[inline(always)]
        fn zip(self, a: Self::V, b: Self::V) -> (Self::V, Self::V) {
            #[inline(always)]
            fn half(_: Avx512, a: __m512d, b: __m512d) -> [__m512d; 2] {
                token!({
                    let low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
                    let high = _mm512_add_epi64(low, _mm512_set1_epi64(4));
                    [_mm512_permutex2var_pd(a, low, b), _mm512_permutex2var_pd(a, high, b)]
                })
            }
            (half(self, a[0], b[0]), half(self, a[1], b[1]))
        }
        #[inline(always)]
        fn sum(self, v: Self::V) -> f64 {
            token!({
                let eight = _mm512_add_pd(v[0], v[1]);
                let upper = _mm512_extractf64x4_pd::<1>(eight);
                sum_of_four(_mm256_add_pd(_mm512_castpd512_pd256(eight), upper))
            })
        }
    }
}
