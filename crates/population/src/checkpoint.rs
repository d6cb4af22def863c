//! Checkpoints: a run on disk, as it was after some tick.
//!
//! A checkpoint is a [redb](https://docs.rs/redb) store, whose transactions are atomic and durable: a
//! commit replaces all agents' images and the header at once, and a process that is killed, or a disk
//! that is full, leaves the commit before. It has three tables:
//!
//! ```text
//! run      "header" → format, agents, seed, steps, …, tick, hash      (JSON, checksummed)
//! models   0 → the model's file, 1 → the process's where it is another  (cut into pieces)
//! images   chunk → its image                                           (cut into pieces)
//! ```
//!
//! So the file alone says how to go on. What is not in it (budget, threads) is the resumer's choice.
//!
//! Invariants:
//! - A resumed run is the uninterrupted one: an agent is its image, its numbers are drawn by
//!   (seed, agent, tick), and hash(0 … T) = hash(0 … t) + hash(t … T).
//! - What is not a checkpoint of ours, whole and of a known format, is refused, not a byte of it
//!   changed: it is checked through an overlay.
//! - What the store takes on the heap is charged to the budget beforehand ([`store_bytes`]).

mod committed;
#[cfg(test)]
mod faults;
mod header;
#[cfg(test)]
mod killed;
mod lives;
mod overlay;
mod pieces;
mod state;
mod writer;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use populace_agent::{Model, ModelFile, Precision};
use redb::{
    Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase, StorageBackend,
    TableDefinition, TableError,
};

use crate::doubt::{Doubted, why_damaged};
use crate::{Belief, Crowd, Error, ErrorKind, History, Result, Schedule, Settings, Simulation};
use header::Header;
use overlay::Overlay;
use pieces::{PieceReader, Pieces};

pub(crate) use lives::Lives;
pub(crate) use state::{Fill, Resumed};
pub(crate) use writer::behind_links;
pub use writer::{CheckpointWriter, Run};

const RUN: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("run");
const HEADER: &str = "header";
const MODELS: Pieces = TableDefinition::new("models");
const IMAGES: Pieces = TableDefinition::new("images");
const PAST: Pieces = TableDefinition::new("past");
const ASLEEP: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("asleep");

/// What a redb store starts with.
const MAGIC: &[u8] = b"redb\x1A\x0A\xA9\x0D\x0A";

/// What a store caches, in bytes: a few pieces; images are written once and read once.
const CACHE_BYTES: usize = 1 << 20;

/// Opens the store in a file, or makes one in an empty file; every page is checked.
fn open_in(file: impl StorageBackend) -> std::result::Result<Database, DatabaseError> {
    Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(Doubted::new(file))
}

/// What is charged for a store that holds `images` bytes: its cache, as much again for buffers and
/// tables, and its maps of pages.
pub(crate) fn store_bytes(images: u128) -> u64 {
    const A_PAGE_OF: u128 = 4096;
    let maps = u64::try_from(images / A_PAGE_OF).unwrap_or(u64::MAX / 2);
    (2 * CACHE_BYTES as u64).saturating_add(maps)
}

/// What the file of a checkpoint takes, about: images as they are committed beside those that are there,
/// in pieces of whole pages; the model; and an empty store.
pub(crate) fn checkpoint_bytes(images: f64, model: usize) -> u64 {
    const EMPTY_BYTES: u64 = 1 << 20;
    (2.0 * images) as u64 + model as u64 + EMPTY_BYTES
}

/// A run as it was committed, to be resumed.
///
/// ```
/// use populace_agent::models::{GridOptions, grid};
/// use populace_population::{Checkpoint, CheckpointWriter, Run, Settings, Simulation};
///
/// let model = grid(&GridOptions { side: 5, ..GridOptions::default() })?;
/// let settings = Settings { agents: 100, checkpoint: true, ..Settings::default() };
/// let path = std::env::temp_dir().join(format!("run-{}.checkpoint", std::process::id()));
///
/// let mut whole = Simulation::new(&model, None, &settings, 10, false)?;
/// let run = Run::new("grid", &model, &settings, 10);
/// let mut writer = CheckpointWriter::create(&path, &run)?;
/// (0..4).try_for_each(|_| whole.tick())?;
/// writer.commit(&mut whole)?;
/// (4..10).try_for_each(|_| whole.tick())?;
/// drop(writer);
///
/// let checkpoint = Checkpoint::open(&path)?.expect("was committed");
/// let mut again = checkpoint.resume(&Settings::default())?;
/// assert_eq!(again.ticks(), 4);
/// (4..10).try_for_each(|_| again.tick())?;
/// assert_eq!(again.trajectory_hash(), whole.trajectory_hash());
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Checkpoint {
    path: PathBuf,
    header: Header,
    model: Model,
    process: Option<Model>,
    database: Database,
    /// Where agents at rest go, if not where they were.
    store: Option<PathBuf>,
}

impl Checkpoint {
    /// Opens a checkpoint and checks that it is whole; `None` where nothing was ever committed.
    ///
    /// # Errors
    ///
    /// One line that starts with the path: the file is missing, damaged, of another format, no
    /// checkpoint, or being written by another process. The file is as it was.
    pub fn open(path: impl AsRef<Path>) -> Result<Option<Self>> {
        let path = path.as_ref();
        if path.as_os_str().is_empty() {
            return Err(Error::invalid("the path of a checkpoint is empty"));
        }
        let open = || -> Result<Option<Self>> {
            let Some(file) = open_store(path)? else { return Ok(None) };
            let database = checked(file)?;
            let read = database.begin_read().map_err(reading)?;
            let Some(header) = read_header(&read)? else { return Ok(None) };
            let model = read_model(&read, 0, header.model_bytes)?;
            let process = header.process_bytes.map(|bytes| read_model(&read, 1, bytes));
            let process = process.transpose()?;
            drop(read);
            let (path, store) = (path.to_owned(), None);
            Ok(Some(Self { path, header, model, process, database, store }))
        };
        open().map_err(|error| error.within(path.display()))
    }

    /// The run as it was committed, to go on. Of the settings, what a checkpoint does not hold is
    /// taken: the budget, threads, the size of batches, where agents spill, whether checkpoints will be
    /// written, and how much memory history may take; and history, where none was kept.
    ///
    /// Agents at rest are made what they were, in the file that they were in ([`Self::rest_in`]).
    ///
    /// # Errors
    ///
    /// The run needs more memory in the worst case than the budget; an image is damaged; it is a crowd;
    /// the hibernation file holds agents of another run.
    pub fn resume(&self, settings: &Settings) -> Result<Simulation> {
        self.resume_with(settings, false)
    }

    /// As [`Self::resume`], with the observations and actions of the last tick to be read.
    ///
    /// # Errors
    ///
    /// As for [`Self::resume`].
    pub fn resume_keeping_arrays(&self, settings: &Settings) -> Result<Simulation> {
        self.resume_with(settings, true)
    }

    fn resume_with(&self, settings: &Settings, keep_arrays: bool) -> Result<Simulation> {
        if self.is_crowd() {
            return Err(self.name(Error::invalid("is of a crowd, whose world is its caller's")));
        }
        let settings = self.settings(settings);
        let (model, process, steps) = (&self.model, self.process.as_ref(), self.header.steps);
        match (self.is_committed(), self.schedule()) {
            (false, None) => Simulation::new(model, process, &settings, steps, keep_arrays),
            (false, Some(schedule)) => {
                let schedule = self.at_rest(schedule);
                Simulation::living_again((model, process), &settings, steps, &schedule)
            }
            (true, _) => {
                let resumed = Resumed::new(self).map_err(|error| self.name(error))?;
                let (schedule, world) = (self.schedule(), (model, process));
                let schedule = schedule.map(|schedule| self.at_rest(schedule));
                let schedule = schedule.as_ref();
                Simulation::resumed(world, &settings, schedule, keep_arrays, &resumed)
                    .map_err(|error| self.name(error))
            }
        }
    }

    /// A crowd as it was committed, driven by its caller as before. Settings as for [`Self::resume`].
    ///
    /// # Errors
    ///
    /// As for [`Self::resume`]; it is of no crowd.
    ///
    /// ```
    /// use populace_agent::models::Builtin;
    /// use populace_population::{Checkpoint, CheckpointWriter, Crowd, Run, Settings};
    ///
    /// let model = Builtin::Tmaze.model()?;
    /// let settings = Settings { agents: 3, checkpoint: true, ..Settings::default() };
    /// let mut crowd = Crowd::new(&model, &settings)?;
    /// let path = std::env::temp_dir().join(format!("crowd-{}.checkpoint", std::process::id()));
    /// let mut writer = CheckpointWriter::create(&path, &Run::of_crowd("maze", &model, &settings))?;
    /// crowd.retire(&[1])?;
    /// crowd.step(&[0; 2 * 3], &mut [0; 2 * 2])?; // (agents, modalities), (agents, factors)
    /// writer.commit_crowd(&mut crowd)?;
    /// drop(writer);
    ///
    /// let checkpoint = Checkpoint::open(&path)?.expect("was committed");
    /// let mut again = checkpoint.resume_crowd(&Settings::default())?;
    /// assert_eq!((again.ids(), again.ticks()), (vec![0, 2], 1));
    /// assert_eq!(again.beliefs(&[0, 2])?, crowd.beliefs(&[0, 2])?);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resume_crowd(&self, settings: &Settings) -> Result<Crowd> {
        let Some(lives) = self.header.lives.as_ref().filter(|_| self.is_crowd()) else {
            return Err(self.name(Error::invalid("is of a simulation, not of a crowd")));
        };
        let settings = self.settings(settings);
        if !lives.committed {
            return Crowd::new(&self.model, &settings);
        }
        let resumed = Resumed::new(self).map_err(|error| self.name(error))?;
        let store = self.store.as_ref().or(lives.store.as_ref());
        Crowd::resumed(&self.model, &settings, store.map(PathBuf::as_path), &resumed)
            .map_err(|error| self.name(error))
    }

    /// Lets agents at rest go to another file than they were in: one that is not there, or that this run
    /// has made.
    #[must_use]
    pub fn rest_in(self, store: impl Into<PathBuf>) -> Self {
        Self { store: Some(store.into()), ..self }
    }

    fn at_rest(&self, schedule: &Schedule) -> Schedule {
        let store = self.store.as_ref().or(schedule.store.as_ref());
        Schedule { store: store.cloned(), ..schedule.clone() }
    }

    /// What is asked for, as far as it is free to be.
    fn settings(&self, asked: &Settings) -> Settings {
        let Header { agents, seed, belief, mass, tolerance, demote, precision, .. } = self.header;
        let history = match (self.history(), &asked.history) {
            (None, asked) => asked.clone(),
            (Some(kept), None) => Some(kept.clone()),
            (Some(kept), Some(asked)) => Some(History { bytes: asked.bytes, ..kept.clone() }),
        };
        let precision = precision.into();
        let kept =
            Settings { agents, seed, belief, mass, tolerance, demote, precision, ..asked.clone() };
        Settings { history, ..kept }
    }

    fn name(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Budget => error,
            _ => error.within(self.path.display()),
        }
    }

    /// A writer that goes on in the same file.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn into_writer(self) -> Result<CheckpointWriter> {
        // Closed before the writer opens it.
        drop(self.database);
        CheckpointWriter::reopen(&self.path, self.header)
    }

    /// What a person calls the model.
    pub fn title(&self) -> &str {
        &self.header.title
    }

    /// What the agents have in mind.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The truth, where it is not the model itself.
    pub fn process(&self) -> Option<&Model> {
        self.process.as_ref()
    }

    /// How many agents.
    pub fn agents(&self) -> u64 {
        self.header.agents
    }

    /// The seed of the run.
    pub fn seed(&self) -> u64 {
        self.header.seed
    }

    /// How many ticks the whole run has.
    pub fn steps(&self) -> u64 {
        self.header.steps
    }

    /// How many of them have been run.
    pub fn ticks(&self) -> u64 {
        self.header.tick
    }

    /// By what agents come and go, where they do by themselves.
    pub fn schedule(&self) -> Option<&Schedule> {
        self.header.lives.as_ref().and_then(|lives| lives.schedule.as_ref())
    }

    /// Whether it is of a crowd ([`Self::resume_crowd`]).
    pub fn is_crowd(&self) -> bool {
        self.header.lives.as_ref().is_some_and(|lives| lives.schedule.is_none())
    }

    /// What is kept of the past, where anything is.
    pub fn history(&self) -> Option<&History> {
        self.header.past.as_ref().map(|past| &past.settings)
    }

    /// How beliefs are stored.
    pub fn belief(&self) -> Belief {
        self.header.belief
    }

    /// What a step may drop from a belief ([`Settings::mass`]).
    pub fn mass(&self) -> f64 {
        self.header.mass
    }

    /// What beliefs may be demoted to ([`Settings::demote`]).
    pub fn demote(&self) -> Option<Belief> {
        self.header.demote
    }

    /// From which bound on an agent on it drops nothing ([`Settings::tolerance`]).
    pub fn tolerance(&self) -> f64 {
        self.header.tolerance
    }

    /// In what precision agents compute.
    pub fn precision(&self) -> Precision {
        self.header.precision.into()
    }
}

/// A store's file, to be read; `None` where it is empty.
fn open_store(path: &Path) -> Result<Option<File>> {
    let unreadable = |error: std::io::Error| Error::invalid(reason(&error));
    // Asked before opening, which would wait for ever on a pipe without a writer.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Error::invalid("is not a regular file"));
    }
    let mut file = File::open(path).map_err(unreadable)?;
    if let Err(std::fs::TryLockError::WouldBlock) = file.try_lock_shared() {
        return Err(Error::invalid("is being written by another process"));
    }
    let mut magic = [0; MAGIC.len()];
    match file.read_exact(&mut magic) {
        Ok(()) if magic == MAGIC => Ok(Some(file)),
        Err(_) if file.metadata().map_err(unreadable)?.len() == 0 => Ok(None),
        _ => Err(Error::invalid("is not a checkpoint")),
    }
}

/// A store whose every page was found to be what was written.
fn checked(file: File) -> Result<Database> {
    let overlay = Overlay::new(file).map_err(|error| Error::invalid(reason(&error)))?;
    open_in(overlay).map_err(reading)
}

/// The header of a store; `None` where nothing was committed.
fn read_header(read: &ReadTransaction) -> Result<Option<Header>> {
    let table = match read.open_table(RUN) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => {
            return match read.list_tables().map_err(reading)?.next() {
                None => Ok(None),
                Some(_) => Err(Error::invalid("is a redb store, but not a checkpoint")),
            };
        }
        Err(error) => return Err(reading(error)),
    };
    let header = table.get(HEADER).map_err(reading)?;
    header.map(|bytes| Header::from_bytes(bytes.value())).transpose()
}

/// A model as it stands in a store.
fn read_model(read: &ReadTransaction, place: u64, bytes: u64) -> Result<Model> {
    let table = read.open_table(MODELS).map_err(reading)?;
    let mut pieces = PieceReader::new(&table, place);
    if pieces.value_bytes().map_err(damaged)? != Some(bytes) {
        return Err(Error::invalid("is damaged: its model is not whole"));
    }
    let mut model = Vec::new();
    pieces.read_to_end(&mut model).map_err(damaged)?;
    Ok(ModelFile::from_bytes("its model", model)?.model()?)
}

/// Why a store cannot be read.
fn reading(error: impl Into<redb::Error>) -> Error {
    match error.into() {
        redb::Error::Corrupted(what) => damaged(why_damaged(&what)),
        redb::Error::UpgradeRequired(version) => Error::invalid(format!(
            "is a store of version {version}, which this version does not read"
        )),
        redb::Error::DatabaseAlreadyOpen => Error::invalid("is being written by another process"),
        redb::Error::Io(error) => too_short(error),
        other => damaged(other),
    }
}

fn damaged(what: impl std::fmt::Display) -> Error {
    Error::invalid(format!("is damaged: {what}"))
}

/// Why a file cannot be read that should be longer.
fn too_short(error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => damaged("it ends too early"),
        _ => Error::invalid(reason(&error)),
    }
}

/// What an error says, without the number that Rust appends.
pub(crate) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
