//! Element types, by whatever name.

use std::fmt;
use std::str::FromStr;

use crate::{Error, ErrorKind};

/// The type of a matrix's or tensor's elements.
///
/// ```
/// # use populace_pool::Dtype;
/// assert_eq!("float32".parse::<Dtype>()?, "<f4".parse()?);
/// assert_eq!(Dtype::F32.item_bytes(), 4);
/// # Ok::<(), populace_pool::Error>(())
/// ```
#[allow(missing_docs)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dtype {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    Bf16,
    F32,
    F64,
}

/// Each type's first name is NumPy's; the others are spellings of the same.
const NAMES: &[(Dtype, &[&str])] = &[
    (Dtype::Bool, &["bool", "bool_", "b1", "?"]),
    (Dtype::I8, &["int8", "i1", "b", "byte"]),
    (Dtype::I16, &["int16", "i2", "h", "short", "i16"]),
    (Dtype::I32, &["int32", "i4", "i", "intc", "i32"]),
    (Dtype::I64, &["int64", "i8", "l", "q", "int", "int_", "long", "longlong", "i64"]),
    (Dtype::U8, &["uint8", "u1", "B", "ubyte"]),
    (Dtype::U16, &["uint16", "u2", "H", "ushort", "u16"]),
    (Dtype::U32, &["uint32", "u4", "I", "uintc", "u32"]),
    (Dtype::U64, &["uint64", "u8", "L", "Q", "uint", "ulong", "ulonglong", "u64"]),
    (Dtype::F16, &["float16", "f2", "e", "half", "f16"]),
    (Dtype::Bf16, &["bfloat16", "bf16"]),
    (Dtype::F32, &["float32", "f4", "f", "single", "f32"]),
    (Dtype::F64, &["float64", "f8", "d", "double", "float", "float_", "f64"]),
];

/// By what they hold: every type comes after all that cast to it safely.
const ASCENDING: [Dtype; 13] = {
    use Dtype::*;
    [Bool, U8, I8, U16, I16, U32, I32, U64, I64, F16, Bf16, F32, F64]
};

#[derive(Clone, Copy)]
enum Kind {
    Bool,
    Unsigned,
    Signed,
    Float,
}

impl Dtype {
    /// Bytes of one element.
    pub const fn item_bytes(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 | Self::Bf16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// The smallest type that both cast to safely: NumPy's promotion (ml_dtypes' for bf16).
    ///
    /// ```
    /// use populace_pool::Dtype::{Bf16, F16, F32, F64, I8, I16, I64, U8, U64};
    /// assert_eq!(U8.promote(F16), F16);
    /// assert_eq!(F16.promote(Bf16), F32);
    /// assert_eq!(I8.promote(U8), I16);
    /// assert_eq!(I64.promote(U64), F64);
    /// ```
    pub fn promote(self, other: Self) -> Self {
        let both = |to: &&Self| self.casts_safely(**to) && other.casts_safely(**to);
        ASCENDING.iter().find(both).copied().unwrap_or(Self::F64)
    }

    /// Whether every value survives the conversion to `to`, by NumPy's rules: 64-bit integers count as
    /// safe in f64, which rounds them.
    pub fn casts_safely(self, to: Self) -> bool {
        let (from_bytes, to_bytes) = (self.item_bytes(), to.item_bytes());
        match (self.kind(), to.kind()) {
            _ if self == to => true,
            (Kind::Bool, _) => true,
            (_, Kind::Bool) | (Kind::Signed, Kind::Unsigned) => false,
            (Kind::Float, Kind::Signed | Kind::Unsigned) => false,
            (Kind::Signed | Kind::Unsigned, Kind::Float) if to == Self::F64 => true,
            _ => from_bytes < to_bytes,
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Bool => Kind::Bool,
            Self::I8 | Self::I16 | Self::I32 | Self::I64 => Kind::Signed,
            Self::U8 | Self::U16 | Self::U32 | Self::U64 => Kind::Unsigned,
            Self::F16 | Self::Bf16 | Self::F32 | Self::F64 => Kind::Float,
        }
    }

    /// NumPy's name.
    pub fn name(self) -> &'static str {
        let names = NAMES.iter().find(|(dtype, _)| *dtype == self);
        names.and_then(|(_, names)| names.first()).copied().unwrap_or("unknown")
    }
}

impl FromStr for Dtype {
    type Err = Error;

    /// NumPy's names and codes (where a code means two things, as `i8` does, it means NumPy's), with or
    /// without a mark of this machine's byte order.
    fn from_str(text: &str) -> Result<Self, Error> {
        let native = if cfg!(target_endian = "little") { '<' } else { '>' };
        let bare = text.strip_prefix([native, '=', '|']).unwrap_or(text);
        let found = NAMES.iter().find(|(_, names)| names.contains(&bare));
        found
            .map(|(dtype, _)| *dtype)
            .ok_or_else(|| Error::new(ErrorKind::UnknownDtype { dtype: text.to_owned() }))
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that elements of a [`Dtype`] can be read and written as.
///
/// # Safety
///
/// Every bit pattern is a value, it has no padding, and its alignment is at most a cache line.
pub unsafe trait Element: sealed::Sealed + Copy + 'static {
    /// Its element type.
    const DTYPE: Dtype;
}

macro_rules! elements {
    ($($rust:ty => $dtype:ident),*) => {$(
        impl sealed::Sealed for $rust {}
        // SAFETY: a primitive number has no padding, and every bit pattern is one.
        unsafe impl Element for $rust {
            const DTYPE: Dtype = Dtype::$dtype;
        }
    )*};
}

elements!(i8 => I8, i16 => I16, i32 => I32, i64 => I64, u8 => U8, u16 => U16, u32 => U32, u64 => U64, f32 => F32, f64 => F64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_one_key_and_unambiguous() {
        for (dtype, names) in NAMES {
            for name in *names {
                assert_eq!(name.parse::<Dtype>().unwrap(), *dtype, "{name}");
            }
            assert_eq!(dtype.to_string().parse::<Dtype>().unwrap(), *dtype);
        }
        for wrong in ["", "<", "int128", ">f4"] {
            assert!(wrong.parse::<Dtype>().is_err(), "{wrong}");
        }
    }

    /// NumPy 2.3's `promote_types`, for the types in this order.
    #[test]
    fn promotion_is_numpys() {
        use Dtype::*;
        let types = [Bool, I8, I16, I32, I64, U8, U16, U32, U64, F16, F32, F64];
        let expected = [
            [Bool, I8, I16, I32, I64, U8, U16, U32, U64, F16, F32, F64],
            [I8, I8, I16, I32, I64, I16, I32, I64, F64, F16, F32, F64],
            [I16, I16, I16, I32, I64, I16, I32, I64, F64, F32, F32, F64],
            [I32, I32, I32, I32, I64, I32, I32, I64, F64, F64, F64, F64],
            [I64, I64, I64, I64, I64, I64, I64, I64, F64, F64, F64, F64],
            [U8, I16, I16, I32, I64, U8, U16, U32, U64, F16, F32, F64],
            [U16, I32, I32, I32, I64, U16, U16, U32, U64, F32, F32, F64],
            [U32, I64, I64, I64, I64, U32, U32, U32, U64, F64, F64, F64],
            [U64, F64, F64, F64, F64, U64, U64, U64, U64, F64, F64, F64],
            [F16, F16, F32, F64, F64, F16, F32, F64, F64, F16, F32, F64],
            [F32, F32, F32, F64, F64, F32, F32, F64, F64, F32, F32, F64],
            [F64; 12],
        ];
        for (first, row) in types.iter().zip(expected) {
            for (second, expected) in types.iter().zip(row) {
                assert_eq!(first.promote(*second), expected, "{first} and {second}");
            }
        }
        assert_eq!([U8, F16, I16, F32].map(|other| Bf16.promote(other)), [Bf16, F32, F32, F32]);
    }
}
