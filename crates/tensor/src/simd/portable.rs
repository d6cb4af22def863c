//! The instruction set that every CPU has: plain arithmetic, which the compiler may vectorise.

use super::Kernel;
use super::vector::{Raw, Simd};
use crate::lanes::LANES;

#[derive(Debug, Clone, Copy)]
pub(super) struct Portable;

impl Simd for Portable {
    // Sixteen scalars, unrolled.
    const CALLS_MATH: bool = true;

    #[inline(always)]
    fn call<K: Kernel>(self, kernel: K) -> K::Output {
        dispatch(kernel)
    }
}

#[inline(never)]
pub(super) fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Portable)
}

macro_rules! portable {
    ($t:ident, $bits:ident, $int:ident, $mantissa:literal, $bias:literal, $sqrt_half:literal) => {
        impl Raw<$t> for Portable {
            type V = [$t; LANES];
            type M = [bool; LANES];

            #[inline(always)]
            fn splat(self, x: $t) -> Self::V {
                [x; LANES]
            }
            #[inline(always)]
            fn load(self, from: &[$t; LANES]) -> Self::V {
                *from
            }
            #[inline(always)]
            fn store(self, v: Self::V, to: &mut [$t; LANES]) {
                *to = v;
            }
            #[inline(always)]
            fn add(self, a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|i| a[i] + b[i])
            }
            #[inline(always)]
            fn sub(self, a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|i| a[i] - b[i])
            }
            #[inline(always)]
            fn mul(self, a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|i| a[i] * b[i])
            }
            #[inline(always)]
            fn div(self, a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|i| a[i] / b[i])
            }
            #[inline(always)]
            fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
                // Not `mul_add`: without the instruction that is a slow call.
                std::array::from_fn(|i| a[i] * b[i] + c[i])
            }
            #[inline(always)]
            fn max(self, a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
            }
            #[inline(always)]
            fn less(self, a: Self::V, b: Self::V) -> Self::M {
                std::array::from_fn(|i| a[i] < b[i])
            }
            #[inline(always)]
            fn select(self, mask: Self::M, yes: Self::V, no: Self::V) -> Self::V {
                std::array::from_fn(|i| if mask[i] { yes[i] } else { no[i] })
            }
            #[inline(always)]
            fn round(self, v: Self::V) -> Self::V {
                // Adding and taking away 1.5·2^mantissa rounds to even, for |v| below it.
                let magic = 1.5 * (1_u64 << $mantissa) as $t;
                std::array::from_fn(|i| (v[i] + magic) - magic)
            }
            #[inline(always)]
            fn split(self, v: Self::V) -> (Self::V, Self::V) {
                let e: [$int; LANES] = std::array::from_fn(|i| {
                    v[i].to_bits().wrapping_sub($sqrt_half) as $int >> $mantissa
                });
                let m = std::array::from_fn(|i| {
                    $t::from_bits(v[i].to_bits().wrapping_sub((e[i] << $mantissa) as $bits))
                });
                (m, std::array::from_fn(|i| e[i] as $t))
            }
            #[inline(always)]
            fn scale(self, v: Self::V, n: Self::V) -> Self::V {
                std::array::from_fn(|i| {
                    v[i] * $t::from_bits(((n[i] as $int + $bias) as $bits) << $mantissa)
                })
            }
            #[inline(always)]
            fn zip(self, a: Self::V, b: Self::V) -> (Self::V, Self::V) {
                let pick = |i: usize| if i % 2 == 0 { a[i / 2] } else { b[i / 2] };
                (std::array::from_fn(pick), std::array::from_fn(|i| pick(i + LANES)))
            }
            #[inline(always)]
            fn sum(self, mut v: Self::V) -> $t {
                let mut width = LANES / 2;
                while width > 0 {
                    for i in 0..width {
                        v[i] += v[i + width];
                    }
                    width /= 2;
                }
                v[0]
            }
        }
    };
}
portable!(f32, u32, i32, 23, 127, 0x3f35_04f3);
portable!(f64, u64, i64, 52, 1023, 0x3fe6_a09e_667f_3bcd);

/// The twin of an instruction set that this architecture does not have.
#[cfg(not(target_arch = "x86_64"))]
pub(super) mod disabled {
    use crate::simd::Kernel;

    /// Never detected.
    pub(crate) struct Absent;

    impl Absent {
        pub(crate) fn detect() -> Option<Self> {
            None
        }
    }

    /// # Safety
    ///
    /// None: it runs the portable code.
    pub(crate) unsafe fn dispatch<K: Kernel>(kernel: K) -> K::Output {
        super::dispatch(kernel)
    }
}
