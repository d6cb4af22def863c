//! Model files: safetensors with a model's tensors, its JSON, and what was recorded of it.
//!
//! | tensor | shape | dtype |
//! |---|---|---|
//! | `A.m` `B.f` `C.m` `D.f` `pA.m` `pB.f` `pD.f` `H.f` | as in [`Model`] | F32 or F64 |
//! | `A.m.indptr` `.indices` `.values` (B, pA, pB alike), instead of `A.m` | K + 1, n, n | U64, U32, F32 or F64 |
//! | `E` `pE` | (P,) | F32 or F64 |
//! | `policies` | (P, T, F) | I32 |
//! | `observations`, −1 = missing; or `observations.m`, soft | (steps, M); (steps, O_m) | I32; F32 or F64 |
//! | `actions` | (steps, F) | I32 |
//! | `expect.…` | any; read by tests, ignored otherwise | any |
//!
//! The metadata key `populace` holds JSON: format, dialect, dependencies, num_controls, agent
//! arguments (pymdp's, and our own: docs/beyond.md), shapes of sparse tensors. What is absent takes the dialect's default; what is unknown
//! is refused.
//!
//! A file is a stranger's: every size that it claims is held against its real length before memory
//! is taken for it, and one tensor is read at a time, so that reading peaks near the model's own
//! size. Every message starts with the file's path.

mod atomic;
mod header;
mod load;
mod metadata;
mod names;
mod recording;
mod save;
mod slots;
mod strict;
mod trace;
mod values;
mod writer;

use std::fmt;
use std::fs::{self, File};
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use header::{Entry, Header, shown};
use names::Name;
use values::{Number, read_numbers};

pub use recording::{Observations, Recording};
pub use trace::TraceWriter;
pub use values::{NamedTensor, Values};
pub use writer::write_tensors;

use crate::{Error, Model, Reals, Result};

/// A model file, open, its header checked; tensors are read when they are asked for.
///
/// ```
/// use populace_agent::{Dialect, Model, ModelFile, Tensor};
///
/// let a = Tensor::certain([2, 2], |state| state as u32)?;
/// let b = Tensor::certain([2, 2, 2], |column| column as u32 % 2)?;
/// let path = std::env::temp_dir().join(format!("two-{}.safetensors", std::process::id()));
/// Model::new(Dialect::Pymdp1, vec![a], vec![b]).save(&path)?;
///
/// let mut file = ModelFile::open(&path)?;
/// let model = file.model()?;
/// assert_eq!(model.num_states(), [2]);
/// assert!(file.recording(&model)?.is_none());
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), populace_agent::Error>(())
/// ```
#[derive(Debug)]
pub struct ModelFile {
    path: PathBuf,
    source: Box<dyn Source>,
    header: Header,
}

/// Where the bytes come from.
trait Source: Read + Seek + Send + fmt::Debug {}

impl Source for File {}
impl Source for Cursor<Vec<u8>> {}

impl Model {
    /// Reads a model from a file and checks it.
    ///
    /// # Errors
    ///
    /// One line that starts with the path: the file is missing, is no model file, or breaks a rule
    /// of [`Model::check`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        ModelFile::open(path)?.model()
    }
}

impl ModelFile {
    /// Opens a file and checks its header: sizes, names, nothing unknown.
    ///
    /// # Errors
    ///
    /// One line that starts with the path.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::open_checked(path).map_err(|error| error.within(path.display()))
    }

    /// The same of bytes in memory; `name` stands for the path in messages.
    ///
    /// # Errors
    ///
    /// One line that starts with the name.
    pub fn from_bytes(name: impl Into<PathBuf>, bytes: Vec<u8>) -> Result<Self> {
        let (path, len) = (name.into(), bytes.len() as u64);
        match Self::check_header(&path, Box::new(Cursor::new(bytes)), len) {
            Ok(file) => Ok(file),
            Err(error) => Err(error.within(path.display())),
        }
    }

    fn open_checked(path: &Path) -> Result<Self> {
        let unreadable = |error: std::io::Error| Error::invalid(format!("cannot be read: {error}"));
        // Asked before opening, which would wait for ever on a pipe without a writer.
        if !fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(Error::invalid("cannot be read: it is not a regular file"));
        }
        let file = File::open(path).map_err(unreadable)?;
        let len = file.metadata().map_err(unreadable)?.len();
        Self::check_header(path, Box::new(file), len)
    }

    fn check_header(path: &Path, mut source: Box<dyn Source>, len: u64) -> Result<Self> {
        let header = Header::read(&mut source, len)?;
        for entry in &header.tensors {
            Name::parse(&entry.name)?;
        }
        Ok(Self { path: path.to_owned(), source, header })
    }

    /// The path that the file was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes the model's own tensors take in the file: what [`model`](Self::model) will
    /// ask memory for, near enough.
    pub fn model_bytes(&self) -> u64 {
        let own = |entry: &&Entry| {
            matches!(
                Name::parse(&entry.name),
                Ok(Name::Model(..) | Name::PolicyPrior | Name::PolicyCounts | Name::Policies)
            )
        };
        self.header.tensors.iter().filter(own).map(|entry| entry.bytes).sum()
    }

    /// The names of all tensors, in the order of their data.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.header.tensors.iter().map(|entry| entry.name.as_str())
    }

    /// Reads and checks the model.
    ///
    /// # Errors
    ///
    /// One line that starts with the path.
    pub fn model(&mut self) -> Result<Model> {
        self.named(|file| {
            let model = file.read_model()?;
            model.check()?;
            Ok(model)
        })
    }

    /// Reads and checks the observations and actions that stand beside the model, if any do.
    ///
    /// # Errors
    ///
    /// One line that starts with the path.
    pub fn recording(&mut self, model: &Model) -> Result<Option<Recording>> {
        self.named(|file| file.read_recording(model))
    }

    /// Reads any tensor of floats or int32 by its name in the file, as `expect.qs.0`.
    ///
    /// # Errors
    ///
    /// One line that starts with the path: its dtype is another, or it cannot be read.
    pub fn tensor(&mut self, name: &str) -> Result<Option<NamedTensor>> {
        self.named(|file| {
            let Some(entry) = file.header.find(name).cloned() else { return Ok(None) };
            let values = match entry.dtype.as_str() {
                "I32" => Values::I32(file.numbers(&entry)?),
                _ => file.reals(&entry)?.into(),
            };
            Ok(Some(NamedTensor { name: entry.name, shape: entry.shape, values }))
        })
    }

    /// Puts the path before an error.
    fn named<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        work(self).map_err(|error| error.within(self.path.display()))
    }

    /// The data of a tensor of floats.
    fn reals(&mut self, entry: &Entry) -> Result<Reals> {
        match entry.dtype.as_str() {
            "F32" => Ok(Reals::F32(self.numbers(entry)?)),
            "F64" => Ok(Reals::F64(self.numbers(entry)?)),
            other => Err(Error::invalid(format!(
                "{}: its dtype is {other}, not F32 or F64",
                shown(&entry.name)
            ))),
        }
    }

    /// The data of a tensor whose dtype must be `T`'s.
    fn numbers<T: Number>(&mut self, entry: &Entry) -> Result<Vec<T>> {
        let within = |error: Error| error.within(shown(&entry.name));
        if entry.dtype != T::DTYPE {
            let what = format!("its dtype is {}, not {}", entry.dtype, T::DTYPE);
            return Err(within(Error::invalid(what)));
        }
        self.source
            .seek(SeekFrom::Start(entry.start))
            .map_err(|error| within(Error::invalid(format!("cannot be read: {error}"))))?;
        read_numbers(&mut self.source, entry).map_err(within)
    }
}
