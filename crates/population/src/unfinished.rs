//! A store's file that says it is unfinished for as long as it is being opened.
//!
//! redb repairs a store that was not closed, writes that it is whole, and only then makes a commit of its
//! own, of which a killed process may leave a half. That half commit is then taken for damage: a store
//! that was closed has none. So what is written meanwhile keeps the mark that sends the next reader
//! back to the commit before, which holds the same.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where redb's header says how its last writer left it, and the bits for: the maps of pages were
/// kept; a writer has not finished.
pub(crate) const STATE_AT: u64 = 9;
pub(crate) const MAPS_KEPT: u8 = 4;
pub(crate) const UNFINISHED: u8 = 2;

/// Whether a store is being opened.
#[derive(Debug, Clone)]
pub(crate) struct Opening(Arc<AtomicBool>);

impl Opening {
    /// It is; but a new store is nobody's to repair.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        Ok(Self(Arc::new(AtomicBool::new(file.metadata()?.len() > 0))))
    }

    pub(crate) fn is_over(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// What is to be written in place of `data`.
    pub(crate) fn mark<'a>(&self, offset: u64, data: &'a [u8]) -> Cow<'a, [u8]> {
        let state = STATE_AT.checked_sub(offset).filter(|&at| at < data.len() as u64);
        match state.filter(|_| self.0.load(Ordering::Relaxed)) {
            None => data.into(),
            Some(at) => {
                let mut data = data.to_vec();
                data[at as usize] |= UNFINISHED;
                data.into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, SeekFrom};
    use std::sync::Mutex;

    use redb::backends::FileBackend;
    use redb::{Builder, Database, ReadableDatabase, StorageBackend, TableDefinition};

    use super::*;

    const TABLE: TableDefinition<'static, u64, u64> = TableDefinition::new("numbers");

    fn state(mut file: &File) -> u8 {
        let mut state = [0];
        file.seek(SeekFrom::Start(STATE_AT)).unwrap();
        file.read_exact(&mut state).unwrap();
        state[0]
    }

    /// Marks what is written, and notes the state after every write.
    #[derive(Debug)]
    struct Watched(FileBackend, File, Opening, Arc<Mutex<Vec<u8>>>);

    impl StorageBackend for Watched {
        fn len(&self) -> io::Result<u64> {
            self.0.len()
        }
        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.0.read(offset, out)
        }
        fn set_len(&self, len: u64) -> io::Result<()> {
            self.0.set_len(len)
        }
        fn sync_data(&self) -> io::Result<()> {
            self.0.sync_data()
        }
        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.0.write(offset, &self.2.mark(offset, data))?;
            self.3.lock().unwrap().push(state(&self.1));
            Ok(())
        }
    }

    #[test]
    fn a_store_in_repair_never_says_that_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let open =
            || File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let fill = |database: &Database, value: u64| {
            let write = database.begin_write().unwrap();
            write.open_table(TABLE).unwrap().insert(1, value).unwrap();
            write.commit().unwrap();
        };
        let database = Builder::new().create_file(open().unwrap()).unwrap();
        fill(&database, 7);
        // As a killed process leaves it.
        let killed = directory.path().join("killed");
        std::fs::copy(&path, &killed).unwrap();
        drop(database);
        std::fs::rename(&killed, &path).unwrap();
        assert_ne!(state(&open().unwrap()) & UNFINISHED, 0);

        let states = Arc::new(Mutex::new(Vec::new()));
        let backend = FileBackend::new(open().unwrap()).unwrap();
        let opening = Opening::of(&open().unwrap()).unwrap();
        let watched = Watched(backend, open().unwrap(), opening.clone(), states.clone());
        let database = Builder::new().create_with_backend(watched).unwrap();
        opening.is_over();
        let seen = std::mem::take(&mut *states.lock().unwrap());
        assert!(!seen.is_empty() && seen.iter().all(|state| state & UNFINISHED != 0), "{seen:?}");
        let read = database.begin_read().unwrap();
        assert_eq!(read.open_table(TABLE).unwrap().get(1).unwrap().unwrap().value(), 7);
        drop(read);
        fill(&database, 8);
        drop(database);
        assert_eq!(state(&open().unwrap()) & UNFINISHED, 0);
    }
}
