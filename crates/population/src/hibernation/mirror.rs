//! Agents at rest in a checkpoint: what is in the hibernation file, once more.
//!
//! The hibernation file is where a run works; where a checkpoint goes back to an earlier tick, the file
//! has to go back with it. So every commit makes its table of agents at rest what the file is, and
//! resuming makes the file what the table is. Either way only what differs is written.

use redb::{ReadOnlyTable, ReadableTable, ReadableTableMetadata, StorageError, Table};

use super::{AGENTS, Hibernation, RUN, refused};
use crate::{Error, ErrorKind, Result};

/// Agents by id, each sealed with its checksum.
pub(crate) type AtRestTable<'txn> = Table<'txn, u64, &'static [u8]>;

/// Which of two tables has failed, and how.
enum Failed {
    From(StorageError),
    To(StorageError),
}

/// Makes a table what another is; answers whether anything had to be written.
fn mirror(
    from: &impl ReadableTable<u64, &'static [u8]>,
    to: &mut AtRestTable<'_>,
) -> std::result::Result<bool, Failed> {
    let (mut failed, mut changed) = (None, false);
    let kept = to.retain(|id, sealed| match from.get(id) {
        Ok(found) => {
            let same = found.is_some_and(|found| found.value() == sealed);
            changed |= !same;
            same
        }
        Err(error) => {
            failed.get_or_insert(error);
            true
        }
    });
    if let Some(error) = failed {
        return Err(Failed::From(error));
    }
    kept.map_err(Failed::To)?;
    for entry in from.iter().map_err(Failed::From)? {
        let (id, sealed) = entry.map_err(Failed::From)?;
        if to.get(id.value()).map_err(Failed::To)?.is_none() {
            to.insert(id.value(), sealed.value()).map_err(Failed::To)?;
            changed = true;
        }
    }
    Ok(changed)
}

impl Hibernation {
    /// Makes a table of a checkpoint what this file is; `unwritable` says that it cannot be written.
    pub(crate) fn copy_to(
        &self,
        to: &mut AtRestTable<'_>,
        unwritable: impl FnOnce(redb::Error) -> Error,
    ) -> Result<()> {
        let transaction = self.reading()?;
        let agents = transaction.open_table(AGENTS).map_err(|error| self.name(error))?;
        match mirror(&agents, to) {
            Ok(_) => Ok(()),
            Err(Failed::From(error)) => Err(self.name(error)),
            Err(Failed::To(error)) => Err(unwritable(error.into())),
        }
    }

    /// Makes this file of a run what it was when a checkpoint was committed: whatever became of its
    /// agents since is undone. No table is nobody at rest.
    ///
    /// # Errors
    ///
    /// It holds agents of another run, which are left alone; it cannot be written, or the checkpoint
    /// not be read: it is as it was.
    pub(crate) fn restore(
        &mut self,
        run: u64,
        from: Option<&ReadOnlyTable<u64, &'static [u8]>>,
    ) -> Result<()> {
        if self.count > 0 && self.run()? != Some(run) {
            return Err(self.invalid(format!("holds {} agents of another run", self.count)));
        }
        let restored = self.try_restore(from).map_err(|failed| match failed {
            Failed::From(error) => refused(error),
            Failed::To(error) => self.name(error),
        });
        match restored {
            Ok(count) => {
                self.count = count;
                self.woken.clear();
                Ok(())
            }
            Err(error) => {
                if error.kind() == ErrorKind::System {
                    self.mend();
                }
                Err(error)
            }
        }
    }

    fn try_restore(
        &self,
        from: Option<&ReadOnlyTable<u64, &'static [u8]>>,
    ) -> std::result::Result<u64, Failed> {
        let to = |error: redb::Error| match error {
            redb::Error::Io(error) => Failed::To(StorageError::Io(error)),
            redb::Error::PreviousIo => Failed::To(StorageError::PreviousIo),
            other => Failed::To(StorageError::Corrupted(other.to_string())),
        };
        let database = self.database().map_err(to)?;
        let transaction = database.begin_write().map_err(|error| to(error.into()))?;
        let (changed, count) = {
            let mut agents = transaction.open_table(AGENTS).map_err(|error| to(error.into()))?;
            let changed = match from {
                Some(from) => mirror(from, &mut agents)?,
                None => {
                    let any = !agents.is_empty().map_err(Failed::To)?;
                    agents.retain(|_, _| false).map_err(Failed::To)?;
                    any
                }
            };
            (changed, agents.len().map_err(Failed::To)?)
        };
        let done = match changed {
            true => transaction.commit().map_err(redb::Error::from),
            false => transaction.abort().map_err(redb::Error::from),
        };
        done.map_err(to)?;
        Ok(count)
    }

    /// The run that its agents are of, where that was noted.
    pub(crate) fn run(&self) -> Result<Option<u64>> {
        let transaction = self.reading()?;
        let about = transaction.open_table(super::ABOUT).map_err(|error| self.name(error))?;
        let run = about.get(RUN).map_err(|error| self.name(error))?;
        Ok(run.and_then(|run| run.value().try_into().ok().map(u64::from_le_bytes)))
    }

    /// Notes that its agents are of a run from now on.
    pub(crate) fn belong_to(&mut self, run: u64) -> Result<()> {
        if self.run()? == Some(run) {
            return Ok(());
        }
        let note = || -> std::result::Result<(), redb::Error> {
            let transaction = self.database()?.begin_write()?;
            transaction.open_table(super::ABOUT)?.insert(RUN, &run.to_le_bytes()[..])?;
            Ok(transaction.commit()?)
        };
        note().map_err(|error| self.name(error))
    }
}
