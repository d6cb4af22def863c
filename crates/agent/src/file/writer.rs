//! Writing safetensors files.
//!
//! Tensors stand in the order that the format's own library gives them: wide dtypes first, then by
//! name. The header is padded with spaces to a multiple of 8 bytes, so every tensor is aligned.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::atomic::AtomicFile;
use super::values::{NamedTensor, Number, Values, write_numbers};
use crate::{Reals, Result};

/// A tensor to be written.
pub(super) struct Item<'a> {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) data: Data<'a>,
}

/// Its numbers.
pub(super) enum Data<'a> {
    F32(&'a [f32]),
    F64(&'a [f64]),
    I32(&'a [i32]),
    U32(&'a [u32]),
    U64(&'a [u64]),
}

impl<'a> From<&'a Reals> for Data<'a> {
    fn from(reals: &'a Reals) -> Self {
        match reals {
            Reals::F32(values) => Self::F32(values),
            Reals::F64(values) => Self::F64(values),
        }
    }
}

impl<'a> From<&'a Values> for Data<'a> {
    fn from(values: &'a Values) -> Self {
        match values {
            Values::F32(values) => Self::F32(values),
            Values::F64(values) => Self::F64(values),
            Values::I32(values) => Self::I32(values),
        }
    }
}

impl Data<'_> {
    fn dtype(&self) -> (&'static str, usize) {
        fn of<T: Number>(_: &[T]) -> (&'static str, usize) {
            (T::DTYPE, T::BYTES)
        }
        match self {
            Self::F32(values) => of(values),
            Self::F64(values) => of(values),
            Self::I32(values) => of(values),
            Self::U32(values) => of(values),
            Self::U64(values) => of(values),
        }
    }
}

/// The bytes of a header: its length and its JSON, `{name: (dtype, shape)}` laid end to end in the
/// order given, `bytes` long in all where that is more than it needs.
pub(super) fn header<'a>(
    tensors: impl IntoIterator<Item = (&'a str, &'static str, &'a [usize], usize)>,
    metadata: Option<&str>,
    bytes: usize,
) -> Vec<u8> {
    let mut object = Map::new();
    if let Some(json) = metadata {
        object.insert("__metadata__".into(), json!({ "populace": json }));
    }
    let mut start = 0_u64;
    for (name, dtype, shape, width) in tensors {
        let end = start + shape.iter().product::<usize>() as u64 * width as u64;
        let entry = json!({ "dtype": dtype, "shape": shape, "data_offsets": [start, end] });
        object.insert(name.into(), entry);
        start = end;
    }
    let mut json = Value::Object(object).to_string();
    let length = json.len().max(bytes.saturating_sub(8)).next_multiple_of(8);
    json.extend(std::iter::repeat_n(' ', length - json.len()));
    let mut header = (length as u64).to_le_bytes().to_vec();
    header.extend_from_slice(json.as_bytes());
    header
}

/// Writes tensors to a file, whole or not at all.
pub(super) fn write(path: &Path, metadata: Option<&str>, items: Vec<Item<'_>>) -> Result<()> {
    let mut out = AtomicFile::create(path)?;
    write_to(out.file(), metadata, items).map_err(|error| out.error(&error))?;
    out.commit()
}

/// Writes the bytes of a file of tensors.
pub(super) fn write_to(
    file: &mut impl std::io::Write,
    metadata: Option<&str>,
    mut items: Vec<Item<'_>>,
) -> std::io::Result<()> {
    items.sort_by(|one, other| {
        let width = |item: &Item<'_>| item.data.dtype().1;
        width(other).cmp(&width(one)).then_with(|| one.name.cmp(&other.name))
    });
    let tensors = items.iter().map(|item| {
        let (dtype, width) = item.data.dtype();
        (item.name.as_str(), dtype, item.shape.as_slice(), width)
    });
    file.write_all(&header(tensors, metadata, 0))?;
    let mut scratch = Vec::new();
    for item in &items {
        let write = |bytes: &[u8]| file.write_all(bytes);
        match &item.data {
            Data::F32(values) => write_numbers(values, &mut scratch, write)?,
            Data::F64(values) => write_numbers(values, &mut scratch, write)?,
            Data::I32(values) => write_numbers(values, &mut scratch, write)?,
            Data::U32(values) => write_numbers(values, &mut scratch, write)?,
            Data::U64(values) => write_numbers(values, &mut scratch, write)?,
        }
    }
    file.flush()
}

/// Writes named tensors, as the answers of `infer`, to a safetensors file: whole or not at all.
///
/// ```
/// use populace_agent::{NamedTensor, Values, write_tensors};
///
/// let path = std::env::temp_dir().join(format!("answers-{}.safetensors", std::process::id()));
/// let q_pi = NamedTensor {
///     name: "q_pi".into(),
///     shape: vec![1, 2],
///     values: Values::F64(vec![0.25, 0.75]),
/// };
/// write_tensors(&path, &[q_pi])?;
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), populace_agent::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorKind::Io`](crate::ErrorKind::Io), naming the path, where it cannot be written.
pub fn write_tensors(path: impl AsRef<Path>, tensors: &[NamedTensor]) -> Result<()> {
    let items = tensors.iter().map(|tensor| Item {
        name: tensor.name.clone(),
        shape: tensor.shape.clone(),
        data: (&tensor.values).into(),
    });
    write(path.as_ref(), None, items.collect())
}
