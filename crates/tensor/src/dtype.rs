//! Element types: what is stored, what it promotes to, and what is calculated in.
//!
//! Arithmetic is f32 or f64. f16, bf16 and u8 are storage: they are converted when they are
//! loaded, and rounded (u8: reduced mod 2⁸, as NumPy's does) when a result is stored.

use std::fmt;

use half::{bf16, f16};
pub use populace_pool::Dtype;

use crate::{Error, ErrorKind, Result};

/// The type that sums and products of this type are calculated in: u8 in f64, where products
/// of bytes are exact, the halves in f32.
///
/// # Errors
///
/// Other integers are not calculated with.
pub(crate) fn arithmetic(dtype: Dtype) -> Result<Dtype> {
    match dtype {
        Dtype::U8 | Dtype::F64 => Ok(Dtype::F64),
        Dtype::F16 | Dtype::Bf16 | Dtype::F32 => Ok(Dtype::F32),
        dtype => Err(Error::new(ErrorKind::NotCalculated { dtype })),
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A type that a view can hold: f32, f64, [`half::f16`], [`half::bf16`] and u8.
///
/// Every bit pattern is a value, so that bytes of a pool can be viewed.
pub trait Element: sealed::Sealed + Copy + Send + Sync + fmt::Debug + 'static {
    /// The type's name at run time.
    const DTYPE: Dtype;
    #[doc(hidden)]
    fn to_f32(self) -> f32;
    #[doc(hidden)]
    fn to_f64(self) -> f64;
    #[doc(hidden)]
    fn from_f32(value: f32) -> Self;
    #[doc(hidden)]
    fn from_f64(value: f64) -> Self;
    /// Converts as many as both hold; the halves convert whole vectors.
    #[doc(hidden)]
    fn to_f32s(from: &[Self], to: &mut [f32]) {
        from.iter().zip(to).for_each(|(&from, to)| *to = from.to_f32());
    }
}

macro_rules! element {
    ($type:ty, $dtype:ident, $to32:expr, $to64:expr, $from32:expr, $from64:expr $(, $all:path)?) => {
        impl sealed::Sealed for $type {}
        impl Element for $type {
            const DTYPE: Dtype = Dtype::$dtype;
            #[inline(always)]
            fn to_f32(self) -> f32 {
                $to32(self)
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                $to64(self)
            }
            #[inline(always)]
            fn from_f32(value: f32) -> Self {
                $from32(value)
            }
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                $from64(value)
            }
            $(fn to_f32s(from: &[Self], to: &mut [f32]) {
                let count = from.len().min(to.len());
                $all(&from[..count], &mut to[..count]);
            })?
        }
    };
}

element!(f32, F32, |v| v, f64::from, |v| v, |v| v as f32);
element!(f64, F64, |v| v as f32, |v| v, f64::from, |v| v);
element!(
    f16,
    F16,
    f16::to_f32,
    f16::to_f64,
    f16::from_f32,
    f16::from_f64,
    half::slice::HalfFloatSliceExt::convert_to_f32_slice
);
element!(
    bf16,
    Bf16,
    bf16::to_f32,
    bf16::to_f64,
    bf16::from_f32,
    bf16::from_f64,
    half::slice::HalfFloatSliceExt::convert_to_f32_slice
);
element!(u8, U8, f32::from, f64::from, |v: f32| wrap(f64::from(v)), wrap);

/// The integer `value` mod 2⁸.
fn wrap(value: f64) -> u8 {
    value.rem_euclid(256.0) as u8
}

/// A type that is calculated in: f32 or f64.
pub(crate) trait Arithmetic: Element + crate::simd::Real {
    fn load<S: Element>(value: S) -> Self;
    fn store<D: Element>(self) -> D;
}

impl Arithmetic for f32 {
    #[inline(always)]
    fn load<S: Element>(value: S) -> Self {
        value.to_f32()
    }
    #[inline(always)]
    fn store<D: Element>(self) -> D {
        D::from_f32(self)
    }
}

impl Arithmetic for f64 {
    #[inline(always)]
    fn load<S: Element>(value: S) -> Self {
        value.to_f64()
    }
    #[inline(always)]
    fn store<D: Element>(self) -> D {
        D::from_f64(self)
    }
}

/// Calls `$body` with `$name` standing for the type that `$dtype` names.
macro_rules! with_element {
    ($dtype:expr, $name:ident => $body:expr) => {
        match $dtype {
            $crate::Dtype::U8 => {
                type $name = u8;
                $body
            }
            $crate::Dtype::F16 => {
                type $name = half::f16;
                $body
            }
            $crate::Dtype::Bf16 => {
                type $name = half::bf16;
                $body
            }
            $crate::Dtype::F32 => {
                type $name = f32;
                $body
            }
            $crate::Dtype::F64 => {
                type $name = f64;
                $body
            }
            other => unreachable!("a plan was made for {other}, which is not calculated with"),
        }
    };
}
pub(crate) use with_element;
