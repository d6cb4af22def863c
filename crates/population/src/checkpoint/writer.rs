//! Writing checkpoints: one transaction a commit.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use populace_agent::Model;
use redb::backends::FileBackend;
use redb::{Database, WriteTransaction};

use super::header::Header;
use super::lives::{KeptPast, Lives};
use super::pieces::PieceWriter;
use super::{ASLEEP, Checkpoint, HEADER, IMAGES, MODELS, PAST, RUN, open_in, reason};
use crate::image::write_image;
use crate::population::Population;
use crate::precision::with;
use crate::record::Number;
use crate::{Crowd, Error, ErrorKind, Result, Schedule, Settings, Simulation};

/// What a checkpoint is of.
///
/// ```
/// use populace_agent::models::Builtin;
/// use populace_population::{Run, Schedule, Settings};
///
/// let model = Builtin::Tmaze.model()?;
/// let settings = Settings::default();
/// let schedule = Schedule { spawn: 10, ..Schedule::default() };
/// let run = Run { schedule: Some(&schedule), ..Run::new("a maze", &model, &settings, 100) };
/// # assert_eq!(run.steps, 100);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// What a person calls the model.
    pub title: &'a str,
    /// What the agents have in mind.
    pub model: &'a Model,
    /// The truth, where it is not the model itself.
    pub process: Option<&'a Model>,
    /// The settings of the population.
    pub settings: &'a Settings,
    /// By what agents come and go, if they do.
    pub schedule: Option<&'a Schedule>,
    /// How many ticks the whole run has; of a crowd nobody knows.
    pub steps: u64,
    /// Whether it is of a crowd.
    pub crowd: bool,
}

impl<'a> Run<'a> {
    /// Of agents that stay, in the world of their own model.
    pub fn new(title: &'a str, model: &'a Model, settings: &'a Settings, steps: u64) -> Self {
        Self { title, model, process: None, settings, schedule: None, steps, crowd: false }
    }

    /// Of a [`Crowd`].
    pub fn of_crowd(title: &'a str, model: &'a Model, settings: &'a Settings) -> Self {
        Self { crowd: true, ..Self::new(title, model, settings, 0) }
    }
}

/// What a store answers.
pub(super) type Stored<T> = std::result::Result<T, redb::Error>;

/// Opens the store in a file for a writer; tests open it in one that fails.
pub(super) type Open = Box<dyn Fn(File) -> Stored<Database> + Send>;

/// A checkpoint being written, commit by commit.
///
/// Another process cannot write it meanwhile. Should a commit fail, the one before stays, and the next
/// may succeed.
pub struct CheckpointWriter {
    /// As the caller wrote it.
    path: PathBuf,
    /// Behind a link, the file it names.
    destination: PathBuf,
    /// Where the store is until its first commit takes its place.
    fresh: Option<PathBuf>,
    header: Header,
    /// `None` after a failure: the store has to be opened anew.
    database: Option<Database>,
    open: Open,
    buffer: Vec<u8>,
}

impl CheckpointWriter {
    /// A new checkpoint of a run, at tick 0: it can be resumed from here on.
    ///
    /// Where `path` holds another checkpoint, that one stays until the first commit takes its place.
    ///
    /// # Errors
    ///
    /// `path` holds something else than a checkpoint, which is left alone; or it cannot be written.
    pub fn create(path: impl AsRef<Path>, run: &Run<'_>) -> Result<Self> {
        Self::create_with(path.as_ref(), run, Box::new(plain))
    }

    pub(super) fn create_with(path: &Path, run: &Run<'_>, open: Open) -> Result<Self> {
        let destination = behind_links(path);
        let replaces = destination.exists() && Checkpoint::open(path)?.is_some();
        let name = destination
            .file_name()
            .ok_or_else(|| Error::invalid(format!("{path:?} is not the name of a file")))?;
        let mut fresh_name = name.to_owned();
        fresh_name.push(".new");
        let fresh = destination.with_file_name(fresh_name);
        let (mut model, mut process) = (Vec::new(), None);
        run.model.write(&mut model)?;
        if let Some(truth) = run.process {
            truth.write(process.insert(Vec::new()))?;
        }
        let header = Header {
            format: Header::FORMAT,
            title: run.title.to_owned(),
            agents: run.settings.agents,
            seed: run.settings.seed,
            steps: run.steps,
            belief: run.settings.belief,
            mass: run.settings.mass,
            tolerance: run.settings.tolerance,
            demote: run.settings.demote,
            precision: run.settings.precision.into(),
            model_bytes: model.len() as u64,
            process_bytes: process.as_ref().map(|bytes| bytes.len() as u64),
            tick: 0,
            hash: 0,
            chunk: 0,
            lives: match run.schedule {
                Some(schedule) => Some(Lives::by(schedule)?),
                None => run.crowd.then(Lives::default),
            },
            past: run.settings.history.as_ref().map(KeptPast::by),
        };
        let file = new_file(&fresh).map_err(|error| unwritable(path, &error))?;
        let mut writer = Self {
            path: path.to_owned(),
            destination,
            fresh: Some(fresh),
            header,
            database: None,
            open,
            buffer: Vec::new(),
        };
        let begun = writer.start(file, &model, process.as_deref());
        let begun = begun.map_err(|error| writer.failed(error));
        begun.and_then(|()| if replaces { Ok(()) } else { writer.publish() }).inspect_err(
            |_| {
                // Nothing of it should stay; nobody is left to tell if that fails.
                let _ = writer.fresh.as_ref().map(std::fs::remove_file);
            },
        )?;
        Ok(writer)
    }

    fn start(&mut self, file: File, model: &[u8], process: Option<&[u8]>) -> Stored<()> {
        let database = (self.open)(file)?;
        let write = database.begin_write()?;
        {
            let mut table = write.open_table(MODELS)?;
            for (place, bytes) in [Some(model), process].into_iter().enumerate() {
                let Some(bytes) = bytes else { continue };
                let mut pieces = PieceWriter::new(&mut table, place as u64, &mut self.buffer);
                io::Write::write_all(&mut pieces, bytes)?;
                pieces.finish()?;
            }
        }
        put_header(&write, &self.header)?;
        write.commit()?;
        self.database = Some(database);
        Ok(())
    }

    /// Goes on in a file whose header was read.
    pub(super) fn reopen(path: &Path, header: Header) -> Result<Self> {
        Self::reopen_with(path, header, Box::new(plain))
    }

    pub(super) fn reopen_with(path: &Path, header: Header, open: Open) -> Result<Self> {
        let destination = behind_links(path);
        let mut writer = Self {
            path: path.to_owned(),
            destination,
            fresh: None,
            header,
            database: None,
            open,
            buffer: Vec::new(),
        };
        writer.ensure_open()?;
        Ok(writer)
    }

    /// Commits where a simulation is now: when this returns, it is on disk.
    ///
    /// # Errors
    ///
    /// The file cannot be written; the commit before is still there. Or a tick of the simulation has
    /// failed, and has to be finished first.
    pub fn commit(&mut self, simulation: &mut Simulation) -> Result<()> {
        with!(&mut simulation.0, population => self.commit_population(population))
    }

    /// Commits where a crowd is now: who is there, who is at rest, and what they all know.
    ///
    /// # Errors
    ///
    /// As for [`Self::commit`].
    pub fn commit_crowd(&mut self, crowd: &mut Crowd) -> Result<()> {
        with!(&mut crowd.0, population => self.commit_population(population))
    }

    fn commit_population<T: Number>(&mut self, population: &mut Population<T>) -> Result<()> {
        self.ensure_open()?;
        let header = Header {
            format: Header::FORMAT,
            tick: population.ticks(),
            hash: population.trajectory_hash(),
            chunk: population.chunk_agents as u64,
            lives: population.lives()?,
            past: population.kept_past(),
            ..self.header.clone()
        };
        match self.try_commit(population, &header) {
            Ok(()) => {
                self.header = header;
                self.publish()
            }
            Err(error) => {
                // What failed once stays failed until it is opened again.
                self.database = None;
                Err(error)
            }
        }
    }

    fn try_commit<T: Number>(
        &mut self,
        population: &mut Population<T>,
        header: &Header,
    ) -> Result<()> {
        let Some(database) = &self.database else { return Ok(()) };
        let (path, buffer) = (&self.path, &mut self.buffer);
        let failed = |error: redb::Error| store_failed(path, error);
        let write = database.begin_write().map_err(|error| failed(error.into()))?;
        write.delete_table(IMAGES).map_err(|error| failed(error.into()))?;
        {
            let mut table = write.open_table(IMAGES).map_err(|error| failed(error.into()))?;
            population.each_chunk(&mut |index, layout, chunk| {
                let mut pieces = PieceWriter::new(&mut table, index, buffer);
                let written = write_image(layout, chunk, &mut pieces);
                let written = written.and_then(|_| pieces.finish());
                written.map_err(|error| unwritable(path, &error))
            })?;
        }
        if let Some(history) = &mut population.history {
            write.delete_table(PAST).map_err(|error| failed(error.into()))?;
            let mut table = write.open_table(PAST).map_err(|error| failed(error.into()))?;
            for ring in 0..history.rings() {
                let mut pieces = PieceWriter::new(&mut table, ring as u64, buffer);
                let written = history.write_ring(ring, &mut pieces).and_then(|()| pieces.finish());
                written.map_err(|error| unwritable(path, &error))?;
            }
        }
        if let Some(store) = &population.life.store {
            let mut table = write.open_table(ASLEEP).map_err(|error| failed(error.into()))?;
            store.copy_to(&mut table, failed)?;
        }
        put_header(&write, header).map_err(failed)?;
        write.commit().map_err(|error| failed(error.into()))
    }

    fn ensure_open(&mut self) -> Result<()> {
        if self.database.is_none() {
            let place = self.fresh.as_ref().unwrap_or(&self.destination);
            let file = owned(OpenOptions::new(), place);
            let file = file.map_err(|error| unwritable(&self.path, &error))?;
            let database = (self.open)(file).map_err(|error| self.failed(error))?;
            self.database = Some(database);
        }
        Ok(())
    }

    /// Lets a new store take its place.
    fn publish(&mut self) -> Result<()> {
        let Some(fresh) = &self.fresh else { return Ok(()) };
        std::fs::rename(fresh, &self.destination)
            .map_err(|error| unwritable(&self.path, &error))?;
        self.fresh = None;
        // The name is durable once its directory is; where that cannot be asked for, it is in time.
        let directory = self.destination.parent().filter(|path| !path.as_os_str().is_empty());
        let _ = File::open(directory.unwrap_or(Path::new("."))).and_then(|it| it.sync_all());
        Ok(())
    }

    fn failed(&self, error: redb::Error) -> Error {
        store_failed(&self.path, error)
    }
}

impl Drop for CheckpointWriter {
    fn drop(&mut self) {
        if let Some(fresh) = &self.fresh {
            // Nothing was committed to it, and nobody is left to tell if it fails.
            let _ = std::fs::remove_file(fresh);
        }
    }
}

fn put_header(write: &WriteTransaction, header: &Header) -> Stored<()> {
    let bytes = header.to_bytes().map_err(|error| redb::Error::Corrupted(error.to_string()))?;
    write.open_table(RUN)?.insert(HEADER, bytes.as_slice())?;
    Ok(())
}

/// The file that a path names, which may not be there yet.
pub(crate) fn behind_links(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| match std::fs::read_link(path) {
        Ok(target) => path.parent().unwrap_or(Path::new("")).join(target),
        Err(_) => path.to_owned(),
    })
}

/// An empty file for its owner's eyes only, that no other process writes.
fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = owned(options, path)?;
    // A killed process may have left it.
    file.set_len(0)?;
    Ok(file)
}

/// A file to be written, that no other process writes or reads until it is closed.
fn owned(mut options: OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.read(true).write(true).open(path)?;
    match file.try_lock() {
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(io::Error::other("another process is using it"))
        }
        _ => Ok(file),
    }
}

fn plain(file: File) -> Stored<Database> {
    Ok(open_in(FileBackend::new(file)?)?)
}

fn store_failed(path: &Path, error: redb::Error) -> Error {
    match error {
        redb::Error::Io(error) => unwritable(path, &error),
        redb::Error::DatabaseAlreadyOpen => {
            Error::invalid(format!("{}: is being written by another process", path.display()))
        }
        other => {
            Error::new(ErrorKind::System, format!("{}: cannot be written: {other}", path.display()))
        }
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    let message = format!("{}: cannot be written: {}", path.display(), reason(error));
    Error::new(ErrorKind::System, message)
}
