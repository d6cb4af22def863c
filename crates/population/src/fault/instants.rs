//! Every instant at which a process can be killed, or a machine lose its power, while a store is
//! written.
//!
//! A killed process leaves what it had done: a first part of its changes to the file, of the last of
//! them some pages. A machine leaves what it had synced, and of what it did since, anything.

use std::ops::RangeInclusive;
use std::sync::Arc;

use redb::StorageBackend;
use redb::backends::InMemoryBackend;

use super::{Change, Failing, Fault};

/// A file in memory, for whoever opens it, whose writer is watched.
pub(crate) struct Disk {
    memory: Arc<dyn StorageBackend>,
    pub(crate) fault: Arc<Fault>,
    written: Written,
}

impl Disk {
    /// A file as it is found.
    pub(crate) fn new(start: Vec<u8>) -> Self {
        let memory = Arc::new(InMemoryBackend::new());
        memory.set_len(start.len() as u64).unwrap();
        memory.write(0, &start).unwrap();
        let written = Written { start, changes: Vec::new(), commits: Vec::new() };
        Self { memory, fault: Arc::default(), written }
    }

    /// What opens it.
    pub(crate) fn opener(&self) -> impl Fn() -> Failing + Send + Sync + 'static {
        let (file, fault) = (self.memory.clone(), self.fault.clone());
        move || Failing { file: file.clone(), fault: fault.clone() }
    }

    /// Notes that something was committed.
    pub(crate) fn committed(&mut self) {
        self.written.changes.extend(self.fault.take_log().into_iter().flat_map(Change::parts));
        let synced = self.written.changes.iter().rposition(Change::is_sync);
        self.written.commits.push(synced.map_or(0, |at| at + 1));
    }

    /// All that was done to it.
    pub(crate) fn written(mut self) -> Written {
        self.written.changes.extend(self.fault.take_log().into_iter().flat_map(Change::parts));
        self.written
    }
}

/// What a writer did to a file.
pub(crate) struct Written {
    /// The file as it found it.
    start: Vec<u8>,
    changes: Vec<Change>,
    /// After how many changes each commit was synced.
    commits: Vec<usize>,
}

/// What is left, and which of the commits may be the last that is there.
pub(crate) type Left = (Vec<u8>, RangeInclusive<usize>);

impl Written {
    /// How many changes there are.
    pub(crate) fn changes(&self) -> usize {
        self.changes.len()
    }

    /// After how many changes there was a first commit.
    pub(crate) fn first_commit(&self) -> usize {
        self.commits[0]
    }

    /// After so many changes: the last that was synced, or the one that was being made.
    fn commits_at(&self, changes: usize) -> RangeInclusive<usize> {
        let synced = self.commits.iter().filter(|&&at| at <= changes).count();
        synced.saturating_sub(1)..=synced.min(self.commits.len() - 1)
    }

    /// The file in the end.
    pub(crate) fn file(&self) -> Vec<u8> {
        let mut file = self.start.clone();
        self.changes.iter().for_each(|change| change.apply(&mut file));
        file
    }

    /// What is left by a process that is killed after so many changes.
    pub(crate) fn killed(&self, at: impl IntoIterator<Item = usize>) -> impl Iterator<Item = Left> {
        let (mut file, mut done) = (self.start.clone(), 0);
        at.into_iter().map(move |at| {
            self.changes[done..at].iter().for_each(|change| change.apply(&mut file));
            done = at;
            (file.clone(), self.commits_at(at))
        })
    }

    /// Shows what is left by a machine that loses its power, so many times between any two syncs from
    /// the first commit on.
    pub(crate) fn without_power(&self, times: usize, dice: &mut Dice, mut show: impl FnMut(Left)) {
        let (mut file, mut done) = (self.start.clone(), 0);
        for changes in self.changes.split_inclusive(Change::is_sync) {
            let (from, to) = (done, done + changes.len());
            for time in 0..if from < self.commits[0] { 0 } else { times } {
                let mut some = file.clone();
                // All but one; or a few of them, half, or most.
                let but = dice.roll(changes.len());
                let of_four = time % 4;
                for (n, change) in changes.iter().enumerate() {
                    if if of_four == 0 { n != but } else { dice.roll(4) < of_four } {
                        change.apply(&mut some);
                    }
                }
                show((some, *self.commits_at(from).start()..=*self.commits_at(to).end()));
            }
            changes.iter().for_each(|change| change.apply(&mut file));
            done = to;
        }
    }
}

/// What instants are drawn with.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 += 1;
        (populace_agent::random::mix(self.0) % sides.max(1) as u64) as usize
    }
}

/// `short`, or `long` with `POPULACE_LONG=1`.
pub(crate) fn so_many(short: usize, long: usize) -> usize {
    if std::env::var_os("POPULACE_LONG").is_some() { long } else { short }
}
