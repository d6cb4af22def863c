//! Numbers on their way to and from disk, and named tensors that are no model.

use std::io::Read;

use super::header::Entry;
use crate::{Error, ErrorKind, Reals, Result};

/// How many bytes are converted at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// The numbers of a tensor that is not part of a model: an answer, an observation.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Single precision.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
    /// Indices.
    I32(Vec<i32>),
}

impl Values {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::I32(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All values in double precision.
    pub fn to_f64(&self) -> Vec<f64> {
        match self {
            Self::F32(values) => values.iter().map(|&value| f64::from(value)).collect(),
            Self::F64(values) => values.clone(),
            Self::I32(values) => values.iter().map(|&value| f64::from(value)).collect(),
        }
    }
}

impl From<Reals> for Values {
    fn from(reals: Reals) -> Self {
        match reals {
            Reals::F32(values) => Self::F32(values),
            Reals::F64(values) => Self::F64(values),
        }
    }
}

/// A tensor by name: what a reference expects, or what `infer` answers.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// The name, as `qs.0`.
    pub name: String,
    /// The shape.
    pub shape: Vec<usize>,
    /// Π shape values, row-major.
    pub values: Values,
}

/// A number with a fixed little-endian form.
pub(super) trait Number: Copy {
    const DTYPE: &'static str;
    const BYTES: usize;

    fn from_le(bytes: &[u8]) -> Self;
    fn put_le(self, out: &mut Vec<u8>);
}

macro_rules! number {
    ($type:ty, $dtype:literal) => {
        impl Number for $type {
            const DTYPE: &'static str = $dtype;
            const BYTES: usize = size_of::<$type>();

            fn from_le(bytes: &[u8]) -> Self {
                let mut own = [0; size_of::<$type>()];
                own.copy_from_slice(bytes);
                Self::from_le_bytes(own)
            }

            fn put_le(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }
    };
}

number!(f32, "F32");
number!(f64, "F64");
number!(i32, "I32");
number!(u32, "U32");
number!(u64, "U64");

/// Reads the data of `entry`, at whose start `file` stands. The entry's dtype is `T`'s, and its
/// bytes are known to be in the file.
pub(super) fn read_numbers<T: Number>(file: &mut impl Read, entry: &Entry) -> Result<Vec<T>> {
    let len = (entry.bytes / T::BYTES as u64) as usize;
    let mut numbers = Vec::new();
    numbers.try_reserve_exact(len).map_err(|_| {
        Error::new(ErrorKind::Memory, format!("there is no memory for its {} bytes", entry.bytes))
    })?;
    let mut chunk = vec![0; CHUNK_BYTES.min(len * T::BYTES)];
    while numbers.len() < len {
        let bytes = ((len - numbers.len()) * T::BYTES).min(chunk.len());
        file.read_exact(&mut chunk[..bytes])
            .map_err(|error| Error::invalid(format!("cannot be read: {error}")))?;
        numbers.extend(chunk[..bytes].chunks_exact(T::BYTES).map(T::from_le));
    }
    Ok(numbers)
}

/// Turns numbers to bytes, a chunk at a time.
pub(super) fn write_numbers<T: Number>(
    numbers: &[T],
    scratch: &mut Vec<u8>,
    mut write: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> std::io::Result<()> {
    for chunk in numbers.chunks(CHUNK_BYTES / T::BYTES) {
        scratch.clear();
        chunk.iter().for_each(|number| number.put_le(scratch));
        write(scratch)?;
    }
    Ok(())
}
