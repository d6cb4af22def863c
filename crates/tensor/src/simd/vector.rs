//! Vectors of [`LANES`] numbers with operators, over the raw registers of an instruction set.

use std::ops::{Add, AddAssign, Div, Mul, Sub};

use super::Kernel;
use crate::Plain;
use crate::lanes::{LANES, Lane};

/// The raw operations on [`LANES`] numbers of type `T` that an instruction set offers.
///
/// Crate-private in all but name: use [`Vector`].
pub trait Raw<T>: Copy {
    /// The registers of [`LANES`] numbers.
    type V: Copy;
    /// The registers of [`LANES`] truths.
    type M: Copy;
    #[doc(hidden)]
    fn splat(self, x: T) -> Self::V;
    #[doc(hidden)]
    fn load(self, from: &[T; LANES]) -> Self::V;
    #[doc(hidden)]
    fn store(self, v: Self::V, to: &mut [T; LANES]);
    #[doc(hidden)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    #[doc(hidden)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    #[doc(hidden)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    #[doc(hidden)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// a·b + c, fused where the instruction set can.
    #[doc(hidden)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    #[doc(hidden)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    #[doc(hidden)]
    fn less(self, a: Self::V, b: Self::V) -> Self::M;
    #[doc(hidden)]
    fn select(self, mask: Self::M, yes: Self::V, no: Self::V) -> Self::V;
    /// To the nearest integer, ties to even.
    #[doc(hidden)]
    fn round(self, v: Self::V) -> Self::V;
    /// x = m·2^e with m in [√½, √2), for positive normal x.
    #[doc(hidden)]
    fn split(self, v: Self::V) -> (Self::V, Self::V);
    /// v·2^n for integral n of which 2^n is normal.
    #[doc(hidden)]
    fn scale(self, v: Self::V, n: Self::V) -> Self::V;
    /// a₀ b₀ a₁ b₁ …: the first [`LANES`] numbers, and the rest.
    #[doc(hidden)]
    fn zip(self, a: Self::V, b: Self::V) -> (Self::V, Self::V);
    /// The sum of all numbers: the upper half is added to the lower, and so on.
    #[doc(hidden)]
    fn sum(self, v: Self::V) -> T;
}

/// A token of an instruction set: it exists only on CPUs that have it.
pub trait Simd: Raw<f32> + Raw<f64> + Send + Sync + 'static {
    /// Whether a logarithm is so much code that it is better called than inlined.
    #[doc(hidden)]
    const CALLS_MATH: bool = false;

    /// Runs a kernel as a function of its own: compiled once for the instruction set, however often
    /// it is called, where inlining would compile it anew at every call. For loops over rows, whose
    /// work outweighs a call.
    fn call<K: Kernel>(self, kernel: K) -> K::Output;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// `f32` or `f64`.
pub trait Real:
    Plain
    + Default
    + PartialOrd
    + std::fmt::Debug
    + std::iter::Sum
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + sealed::Sealed
{
    /// Whether it is `f32`.
    const SINGLE: bool = size_of::<Self>() == size_of::<f32>();
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Above the logarithm of the smallest normal number: exp is 0 below it.
    const EXP_MIN: Self;

    /// Registers of an instruction set.
    type V<S: Simd>: Copy;
    /// Truths of an instruction set.
    type M<S: Simd>: Copy;

    /// The nearest number of this type.
    fn from_f64(x: f64) -> Self;
    /// The number as `f64`.
    fn to_f64(self) -> f64;
    #[doc(hidden)]
    fn raw<S: Simd>(simd: S) -> impl Raw<Self, V = Self::V<S>, M = Self::M<S>>;
    #[doc(hidden)]
    fn ln_raw<S: Simd>(x: Vector<Self, S>) -> Vector<Self, S>;
    #[doc(hidden)]
    fn exp_raw<S: Simd>(x: Vector<Self, S>) -> Vector<Self, S>;
}

macro_rules! real {
    ($t:ty, $exp_min:expr, $ln:path, $exp:path) => {
        impl Real for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const EXP_MIN: Self = $exp_min;
            type V<S: Simd> = <S as Raw<$t>>::V;
            type M<S: Simd> = <S as Raw<$t>>::M;

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn raw<S: Simd>(simd: S) -> impl Raw<Self, V = Self::V<S>, M = Self::M<S>> {
                simd
            }
            #[inline(always)]
            fn ln_raw<S: Simd>(x: Vector<Self, S>) -> Vector<Self, S> {
                $ln(x)
            }
            #[inline(always)]
            fn exp_raw<S: Simd>(x: Vector<Self, S>) -> Vector<Self, S> {
                $exp(x)
            }
        }
    };
}
real!(f32, -87.0, super::math::ln_f32, super::math::exp_f32);
real!(f64, -708.0, super::math::ln_f64, super::math::exp_f64);

/// [`LANES`] numbers in registers.
pub struct Vector<T: Real, S: Simd> {
    v: T::V<S>,
    simd: S,
}

/// [`LANES`] truths in registers.
pub struct Mask<T: Real, S: Simd> {
    m: T::M<S>,
    simd: S,
}

impl<T: Real, S: Simd> Clone for Vector<T, S> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}
impl<T: Real, S: Simd> Copy for Vector<T, S> {}
impl<T: Real, S: Simd> Clone for Mask<T, S> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}
impl<T: Real, S: Simd> Copy for Mask<T, S> {}

impl<T: Real, S: Simd> Vector<T, S> {
    #[inline(always)]
    fn wrap(simd: S, v: T::V<S>) -> Self {
        Self { v, simd }
    }

    /// The same number in every lane.
    #[inline(always)]
    pub fn splat(simd: S, x: T) -> Self {
        Self::wrap(simd, T::raw(simd).splat(x))
    }

    /// The numbers of a block.
    #[inline(always)]
    pub fn load(simd: S, from: &Lane<T>) -> Self {
        Self::wrap(simd, T::raw(simd).load(&from.0))
    }

    /// The numbers of a slice of exactly [`LANES`].
    ///
    /// # Panics
    ///
    /// If the slice is of another length.
    #[inline(always)]
    pub fn load_slice(simd: S, from: &[T]) -> Self {
        match from.try_into() {
            Ok(array) => Self::wrap(simd, T::raw(simd).load(array)),
            Err(_) => panic!("a vector is {LANES} numbers, not {}", from.len()),
        }
    }

    /// Puts the numbers into a block.
    #[inline(always)]
    pub fn store(self, to: &mut Lane<T>) {
        T::raw(self.simd).store(self.v, &mut to.0);
    }

    /// Puts the numbers into a slice of exactly [`LANES`].
    ///
    /// # Panics
    ///
    /// If the slice is of another length.
    #[inline(always)]
    pub fn store_slice(self, to: &mut [T]) {
        match to.try_into() {
            Ok(array) => T::raw(self.simd).store(self.v, array),
            Err(_) => panic!("a vector is {LANES} numbers"),
        }
    }

    /// self·b + c, fused where the instruction set can.
    #[inline(always)]
    pub fn mul_add(self, b: Self, c: Self) -> Self {
        Self::wrap(self.simd, T::raw(self.simd).mul_add(self.v, b.v, c.v))
    }

    /// The larger, lane by lane.
    #[inline(always)]
    pub fn max(self, other: Self) -> Self {
        Self::wrap(self.simd, T::raw(self.simd).max(self.v, other.v))
    }

    /// Where self < other.
    #[inline(always)]
    pub fn less(self, other: Self) -> Mask<T, S> {
        Mask { m: T::raw(self.simd).less(self.v, other.v), simd: self.simd }
    }

    /// To the nearest integer, ties to even.
    #[inline(always)]
    pub fn round(self) -> Self {
        Self::wrap(self.simd, T::raw(self.simd).round(self.v))
    }

    /// (m, e) with self = m·2^e and m in [√½, √2), for positive normal numbers.
    #[inline(always)]
    pub fn split(self) -> (Self, Self) {
        let (m, e) = T::raw(self.simd).split(self.v);
        (Self::wrap(self.simd, m), Self::wrap(self.simd, e))
    }

    /// self·2^n for integral n of which 2^n is normal.
    #[inline(always)]
    pub fn scale(self, n: Self) -> Self {
        Self::wrap(self.simd, T::raw(self.simd).scale(self.v, n.v))
    }

    /// self₀ other₀ self₁ other₁ …: the first [`LANES`] numbers, and the rest.
    #[inline(always)]
    pub fn zip(self, other: Self) -> (Self, Self) {
        let (low, high) = T::raw(self.simd).zip(self.v, other.v);
        (Self::wrap(self.simd, low), Self::wrap(self.simd, high))
    }

    /// The sum of all lanes, in the same order whatever the registers: the upper half is added to the
    /// lower, lane by lane, until one is left.
    #[inline(always)]
    pub fn sum(self) -> T {
        T::raw(self.simd).sum(self.v)
    }

    /// The natural logarithm of positive normal numbers; error ≤ 2 units in the last place.
    #[inline(always)]
    pub fn ln(self) -> Self {
        if S::CALLS_MATH { self.simd.call(Ln(self)) } else { T::ln_raw(self) }
    }

    /// e^self; error ≤ 2 units in the last place, 0 below [`Real::EXP_MIN`]. Only for arguments of
    /// which e^x is finite.
    #[inline(always)]
    pub fn exp(self) -> Self {
        if S::CALLS_MATH { self.simd.call(Exp(self)) } else { T::exp_raw(self) }
    }

    /// The token that this vector lives under.
    #[inline(always)]
    pub fn simd(self) -> S {
        self.simd
    }
}

struct Ln<V>(V);
struct Exp<V>(V);

macro_rules! math {
    ($kernel:ident, $f:ident) => {
        impl<T: Real, V: Simd> Kernel for $kernel<Vector<T, V>> {
            type Output = Vector<T, V>;

            #[inline(always)]
            fn run<S: Simd>(self, _: S) -> Vector<T, V> {
                T::$f(self.0)
            }
        }
    };
}
math!(Ln, ln_raw);
math!(Exp, exp_raw);

impl<T: Real, S: Simd> Mask<T, S> {
    /// `yes` where true, `no` elsewhere.
    #[inline(always)]
    pub fn select(self, yes: Vector<T, S>, no: Vector<T, S>) -> Vector<T, S> {
        Vector::wrap(self.simd, T::raw(self.simd).select(self.m, yes.v, no.v))
    }

    /// The token that these truths live under.
    #[inline(always)]
    pub fn simd(self) -> S {
        self.simd
    }
}

macro_rules! operator {
    ($trait:ident, $f:ident) => {
        impl<T: Real, S: Simd> $trait for Vector<T, S> {
            type Output = Self;
            #[inline(always)]
            fn $f(self, other: Self) -> Self {
                Self::wrap(self.simd, T::raw(self.simd).$f(self.v, other.v))
            }
        }
    };
}
operator!(Add, add);
operator!(Sub, sub);
operator!(Mul, mul);
operator!(Div, div);
