//! Agents at rest on disk.
//!
//! A hibernation file is a [redb](https://docs.rs/redb) store, whose transactions are atomic and
//! durable. It has two tables:
//!
//! ```text
//! about    "about" → format, fingerprint of model and settings      (checksummed)
//!          "run" → the run that its agents are of
//! agents   id → its bytes in every column, its record               (checksummed, each)
//! ```
//!
//! Invariants:
//! - Agents are committed, all of a call at once and durably, before their memory is given back.
//! - An agent is in the file or in memory; where a process died between the two, what is in the file
//!   is how it was when it was hibernated last.
//! - Any change of a byte of an agent is found, when the file is opened or when it is woken: its
//!   checksum covers its id too.
//! - A file that fails is opened again: what was committed is there, and the agents that were on their
//!   way to it are in memory.
//! - What the store takes on the heap is charged to the budget ([`STORE_BYTES`]).

mod fingerprint;
#[cfg(test)]
mod killed;
mod mirror;
#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{
    Builder, Database, Durability, ReadTransaction, ReadableDatabase, ReadableTable,
    ReadableTableMetadata, StorageBackend, TableDefinition,
};
use twox_hash::XxHash3_64;

use crate::checkpoint::{behind_links, reason};
use crate::doubt::{Doubted, why_damaged};
use crate::{Error, ErrorKind, Result};
pub(crate) use fingerprint::{fingerprint, fingerprint_of_run};

const ABOUT: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("about");
const AGENTS: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("agents");

/// Where the run stands in the first table.
const RUN: &str = "run";

const FORMAT: u64 = 1;

/// What the store caches, in bytes.
const CACHE_BYTES: usize = 1 << 20;

/// The most bytes of agents that are woken together.
pub(crate) const BATCH_BYTES: usize = 256 << 10;

/// What is charged for a store: its cache, as much again for its tables, and a batch of agents.
pub(crate) const STORE_BYTES: usize = 2 * CACHE_BYTES + BATCH_BYTES;

/// The most agents that are forgotten before that is made durable.
const MOST_WOKEN: usize = 4096;

/// Opens the store of a file.
type Opener = Box<dyn Fn() -> Result<Database> + Send + Sync>;

/// A file of hibernated agents.
pub(crate) struct Hibernation {
    path: PathBuf,
    open: Opener,
    /// None after the file has failed and could not be opened again.
    database: Option<Database>,
    count: u64,
    /// Agents that were forgotten since the last durable change: the file still has them.
    woken: Vec<u64>,
}

impl Hibernation {
    /// Opens a file, or creates it, readable by its owner alone, for agents of this `fingerprint`.
    pub(crate) fn open(path: &Path, fingerprint: u64) -> Result<Self> {
        let file = path.to_owned();
        Self::open_with(path, fingerprint, Box::new(move || open_store(&file)))
    }

    fn open_with(path: &Path, fingerprint: u64, open: Opener) -> Result<Self> {
        let begin = || {
            let database = Some(open()?);
            let path = path.to_owned();
            let mut store = Self { path, open, database, count: 0, woken: Vec::new() };
            if store.is_new()? {
                store.introduce(fingerprint)
            } else {
                store.recognise(fingerprint)
            }?;
            Ok(store)
        };
        begin().map_err(|error: Error| error.within(path.display()))
    }

    /// Tries anew, where a file that had failed could not be opened again.
    pub(crate) fn revive(&mut self) {
        if self.database.is_none() {
            self.mend();
        }
    }

    /// Opens the file again after it has failed: what was committed is there, and nothing else.
    pub(crate) fn mend(&mut self) {
        self.database = None;
        self.database = (self.open)().ok();
        let woken = std::mem::take(&mut self.woken);
        match self.forget_in(&woken, false).and_then(|()| self.len()) {
            Ok(count) => self.count = count,
            Err(_) => self.database = None,
        }
        self.woken = woken;
    }

    fn database(&self) -> std::result::Result<&Database, redb::Error> {
        self.database.as_ref().ok_or(redb::Error::PreviousIo)
    }

    fn len(&self) -> std::result::Result<u64, redb::Error> {
        Ok(self.database()?.begin_read()?.open_table(AGENTS)?.len()?)
    }

    /// Whether nothing was ever committed.
    fn is_new(&self) -> Result<bool> {
        let transaction = self.database().map_err(refused)?.begin_read().map_err(refused)?;
        let tables = transaction.list_tables().map_err(refused)?;
        Ok(tables.count() == 0)
    }

    fn introduce(&mut self, fingerprint: u64) -> Result<()> {
        let transaction = self.database().map_err(refused)?.begin_write().map_err(refused)?;
        {
            let mut about = transaction.open_table(ABOUT).map_err(refused)?;
            about.insert("about", &about_bytes(fingerprint)[..]).map_err(refused)?;
            transaction.open_table(AGENTS).map_err(refused)?;
        }
        transaction.commit().map_err(refused)
    }

    fn recognise(&mut self, fingerprint: u64) -> Result<()> {
        let transaction = self.database().map_err(refused)?.begin_read().map_err(refused)?;
        let foreign = |_| Error::invalid("holds no hibernated agents");
        let about = transaction.open_table(ABOUT).map_err(foreign)?;
        let agents = transaction.open_table(AGENTS).map_err(foreign)?;
        let found = about.get("about").map_err(refused)?;
        let found = found.as_ref().map_or(&[][..], |found| found.value());
        if found != about_bytes(fingerprint) {
            return Err(Error::invalid(
                "holds agents of another model, other settings, or another format",
            ));
        }
        self.count = agents.len().map_err(refused)?;
        Ok(())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How many agents it holds.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The id of its last agent.
    pub(crate) fn last_id(&self) -> Result<Option<u64>> {
        let transaction = self.reading()?;
        let agents = transaction.open_table(AGENTS).map_err(|error| self.name(error))?;
        let last = agents.last().map_err(|error| self.name(error))?;
        Ok(last.map(|(id, _)| id.value()))
    }

    /// Which of these agents it holds.
    pub(crate) fn holds(&self, ids: impl IntoIterator<Item = u64>) -> Result<Vec<bool>> {
        if self.count == 0 {
            return Ok(ids.into_iter().map(|_| false).collect());
        }
        let transaction = self.reading()?;
        let agents = transaction.open_table(AGENTS).map_err(|error| self.name(error))?;
        let held = |id| agents.get(id).map(|found| found.is_some());
        ids.into_iter().map(held).collect::<std::result::Result<_, _>>().map_err(|e| self.name(e))
    }

    /// Shows the ids of its agents, in their order.
    pub(crate) fn each_id(&self, mut show: impl FnMut(u64)) -> Result<()> {
        let transaction = self.reading()?;
        let agents = transaction.open_table(AGENTS).map_err(|error| self.name(error))?;
        for entry in agents.iter().map_err(|error| self.name(error))? {
            show(entry.map_err(|error| self.name(error))?.0.value());
        }
        Ok(())
    }

    fn reading(&self) -> Result<ReadTransaction> {
        let database = self.database().map_err(|error| self.name(error))?;
        database.begin_read().map_err(|error| self.name(error))
    }

    /// Takes agents in, all that `show` puts or none, durably: (id, image), the image is overwritten.
    pub(crate) fn take_in(
        &mut self,
        show: impl FnOnce(&mut dyn FnMut(u64, &mut Vec<u8>) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        let mut taken = Vec::new();
        let result = self.put_all(show, &mut taken);
        match &result {
            Ok(()) => {
                self.count += taken.len() as u64;
                self.woken.clear();
            }
            // Whatever the file has of them is not theirs any more: they are in memory.
            Err(error) if error.kind() == ErrorKind::System => {
                self.woken.append(&mut taken);
                self.mend();
            }
            Err(_) => {}
        }
        result
    }

    fn put_all(
        &self,
        show: impl FnOnce(&mut dyn FnMut(u64, &mut Vec<u8>) -> Result<()>) -> Result<()>,
        taken: &mut Vec<u64>,
    ) -> Result<()> {
        let database = self.database().map_err(|error| self.name(error))?;
        let transaction = database.begin_write().map_err(|error| self.name(error))?;
        {
            let mut agents = transaction.open_table(AGENTS).map_err(|error| self.name(error))?;
            show(&mut |id, image| {
                let sum = checksum(id, image);
                image.extend_from_slice(&sum.to_le_bytes());
                taken.push(id);
                agents.insert(id, &image[..]).map_err(|error| self.name(error))?;
                Ok(())
            })?;
        }
        transaction.commit().map_err(|error| self.name(error))
    }

    /// Appends the bytes of agents to `bytes`, in the order of `ids`, as long as these are fewer than
    /// [`BATCH_BYTES`]: answers where each one ends.
    pub(crate) fn read(&self, ids: &[u64], bytes: &mut Vec<u8>) -> Result<Vec<usize>> {
        let transaction = self.reading()?;
        let agents = transaction.open_table(AGENTS).map_err(|error| self.name(error))?;
        let mut ends = Vec::new();
        for &id in ids {
            if bytes.len() >= BATCH_BYTES {
                break;
            }
            let found = agents.get(id).map_err(|error| self.name(error))?;
            let found = found.as_ref().map_or(&[][..], |found| found.value());
            let sealed = found
                .split_last_chunk()
                .filter(|&(image, sum)| u64::from_le_bytes(*sum) == checksum(id, image));
            let Some((image, _)) = sealed else {
                return Err(self.invalid(format!("agent {id} is damaged")));
            };
            bytes.extend_from_slice(image);
            ends.push(bytes.len());
        }
        Ok(ends)
    }

    /// Forgets agents that are gone, durably, all or none.
    pub(crate) fn dismiss(&mut self, ids: &[u64]) -> Result<()> {
        match self.forget_in(ids, true) {
            Ok(()) => {
                self.count -= ids.len() as u64;
                self.woken.clear();
                Ok(())
            }
            Err(error) => {
                let error = self.name(error);
                self.mend();
                // A disk may fail when all is written.
                match self.holds(ids.iter().copied()) {
                    Ok(held) if !held.contains(&true) => Ok(()),
                    _ => Err(error),
                }
            }
        }
    }

    /// Forgets agents that are awake: durably with the next durable change. Until then the file, were it
    /// all that is left, has them as they were.
    pub(crate) fn release(&mut self, ids: &[u64]) {
        self.woken.extend_from_slice(ids);
        let durably = self.woken.len() > MOST_WOKEN;
        match self.forget_in(ids, durably) {
            Ok(()) => {
                self.count -= ids.len() as u64;
                if durably {
                    self.woken.clear();
                }
            }
            Err(_) => self.mend(),
        }
    }

    fn forget_in(&self, ids: &[u64], durably: bool) -> std::result::Result<(), redb::Error> {
        let mut transaction = self.database()?.begin_write()?;
        transaction.set_durability(match durably {
            true => Durability::Immediate,
            false => Durability::None,
        })?;
        {
            let mut agents = transaction.open_table(AGENTS)?;
            for id in ids {
                agents.remove(id)?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// An error of the agent that stands there under this id.
    pub(crate) fn invalid(&self, message: String) -> Error {
        Error::invalid(message).within(self.path.display())
    }

    fn name(&self, error: impl Into<redb::Error>) -> Error {
        refused(error).within(self.path.display())
    }
}

impl Drop for Hibernation {
    /// Who is awake is forgotten durably, so that closing the store changes nobody.
    fn drop(&mut self) {
        if !self.woken.is_empty() {
            // Nobody is left to tell if that fails; then the file has them as they were.
            let _ = self.forget_in(&[], true);
        }
    }
}

fn about_bytes(fingerprint: u64) -> [u8; 24] {
    let mut bytes = [0; 24];
    bytes[..8].copy_from_slice(&FORMAT.to_le_bytes());
    bytes[8..16].copy_from_slice(&fingerprint.to_le_bytes());
    let sum = XxHash3_64::oneshot(&bytes[..16]);
    bytes[16..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn checksum(id: u64, image: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(id, image)
}

/// Opens the store of a file, or creates it.
fn open_store(path: &Path) -> Result<Database> {
    if is_nothing(path) {
        begin_store(path)?;
    }
    let file = owned(path).map_err(system)?;
    open_in(FileBackend::new(file).map_err(refused)?)
}

/// Opens the store in a file that has one.
fn open_in(file: impl StorageBackend) -> Result<Database> {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES).create_with_backend(Doubted::new(file)).map_err(refused)
}

/// Makes an empty store beside the place where it will be: a process that is killed on the way leaves
/// nothing there that could be taken for a store.
fn begin_store(path: &Path) -> Result<()> {
    let destination = behind_links(path);
    let mut fresh = destination.clone().into_os_string();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    let file = owned(&fresh).map_err(system)?;
    if let Err(std::fs::TryLockError::WouldBlock) = file.try_lock() {
        return Err(Error::new(ErrorKind::System, "is being written by another process"));
    }
    let begun = || -> Result<()> {
        // Another process may have been faster; and one that was killed may have left something.
        if is_nothing(path) {
            file.set_len(0).map_err(system)?;
            drop(Builder::new().create_file(file).map_err(refused)?);
            std::fs::rename(&fresh, &destination).map_err(system)?;
        }
        Ok(())
    };
    let begun = begun();
    if fresh.exists() {
        // Nobody is left to tell if that fails.
        let _ = std::fs::remove_file(&fresh);
    }
    begun
}

/// Whether there is no file, or an empty one.
fn is_nothing(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |it| it.is_file() && it.len() == 0)
}

fn system(error: std::io::Error) -> Error {
    Error::new(ErrorKind::System, reason(&error))
}

/// Opens a file for its owner alone.
fn owned(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// What the store says.
fn refused(error: impl Into<redb::Error>) -> Error {
    match error.into() {
        redb::Error::Io(error) => system(error),
        redb::Error::PreviousIo => {
            Error::new(ErrorKind::System, "could not be opened again after it had failed")
        }
        redb::Error::Corrupted(what) => {
            Error::invalid(format!("is damaged: {}", why_damaged(&what)))
        }
        other @ redb::Error::UpgradeRequired(_) => Error::invalid(other.to_string()),
        other => Error::new(ErrorKind::System, other.to_string()),
    }
}
