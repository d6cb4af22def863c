//! Element types, by whatever name.

use std::fmt;
use std::str::FromStr;

use crate::{Error, ErrorKind};

/// The type of a matrix's elements.
///
/// ```
/// # use populace_pool::Dtype;
/// assert_eq!("float32".parse::<Dtype>()?, "<f4".parse()?);
/// assert_eq!(Dtype::F32.item_bytes(), 4);
/// # Ok::<(), populace_pool::Error>(())
/// ```
#[allow(missing_docs)]
#[non_exhaustive]
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

impl Dtype {
    /// Bytes of one element.
    pub fn item_bytes(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 | Self::Bf16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
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
        for wrong in ["", "<", "float", "int128", ">f4"].iter().filter(|name| **name != "float") {
            assert!(wrong.parse::<Dtype>().is_err(), "{wrong}");
        }
    }
}
