//! Agents pass on: they retire, are recycled, are hibernated and woken.
//!
//! Every passage is all or nothing: what can be refused (an id, the budget, the disk) is asked first,
//! and memory is given back last. Only where the operating system refuses memory that the budget
//! allows while agents are woken, those woken by then stay awake; each is in memory or in the file,
//! never in both.

use std::ops::Range;
use std::path::Path;

use populace_pool::Bytes;
use populace_tensor::Array;
use redb::ReadOnlyTable;

use crate::chunk::{AtRest, NOT_BORN};
use crate::hibernation::{BATCH_BYTES, Hibernation, STORE_BYTES};
use crate::lifecycle::Lifecycle;
use crate::membership::find;
use crate::memory::page_bytes;
use crate::population::{Open, Population};
use crate::record::Number;
use crate::roster::{Call, by_chunk};
use crate::{Error, ErrorKind, Result};

impl<T: Number> Population<T> {
    /// Adds agents, and tells of it.
    pub(crate) fn give_birth(&mut self, count: u64) -> Result<Range<u64>> {
        let first = self.spawn(count)?;
        let born = first..first + count;
        if self.life.is_told() {
            born.clone().for_each(|id| self.life.tell(id, None, Lifecycle::Initialising));
        }
        Ok(born)
    }

    /// Agents are gone for good, wherever they are.
    pub(crate) fn retire(&mut self, ids: &[u64]) -> Result<()> {
        self.dismiss(ids, Lifecycle::Retired)?;
        self.life.retired += ids.len() as u64;
        Ok(())
    }

    /// Agents are gone for good, and as many new ones take their places.
    pub(crate) fn recycle(&mut self, ids: &[u64]) -> Result<Range<u64>> {
        let awake = ids.iter().filter_map(|&id| self.find_id(id)).map(|call| call.chunk);
        let mut chunks: Vec<u32> = awake.collect();
        let asleep = (ids.len() - chunks.len()) as u64;
        chunks.sort_unstable();
        chunks.dedup();
        // Whoever is asleep leaves no place. Whoever is awake does, but for what rounding up to pages
        // takes there and where the newborn come to be, and for a copy on the way.
        let rounded = chunks.len() + ids.len() / self.chunk_agents + 2;
        let copied = self.chunks.last().map_or(0, |chunk| self.held_by(chunk));
        let (most_of_one, arrays) = self.most_held_of_one();
        let slack = arrays * page_bytes() * rounded as u64 + copied;
        let needed = slack + asleep * most_of_one;
        self.admit_bytes("recycle", needed)?;
        self.dismiss(ids, Lifecycle::Recycled)?;
        self.life.recycled += ids.len() as u64;
        self.give_birth(ids.len() as u64)
    }

    fn dismiss(&mut self, ids: &[u64], to: Lifecycle) -> Result<()> {
        check_once(ids)?;
        if let Some(store) = &mut self.life.store {
            store.revive();
        }
        let (awake, asleep): (Vec<u64>, Vec<u64>) =
            ids.iter().copied().partition(|&id| self.find_id(id).is_some());
        self.check_asleep(&asleep, ids)?;
        let calls = self.locate(&awake, false)?;
        let before = self.lifecycles_if_told(&calls)?;
        let written = self.prepare_out(&calls)?;
        // What is in the file goes first: that can be refused.
        if let Some(store) = self.life.store.as_mut().filter(|_| !asleep.is_empty())
            && let Err(error) = store.dismiss(&asleep)
        {
            self.discard_all(written);
            return Err(error);
        }
        self.take_out(&calls, written);
        for (id, from) in before {
            self.life.tell(id, Some(from), to);
        }
        for id in asleep {
            self.life.tell(id, Some(Lifecycle::Hibernated), to);
        }
        Ok(())
    }

    /// Checks that agents that are not in memory are hibernated; they are some of `ids`.
    fn check_asleep(&self, asleep: &[u64], ids: &[u64]) -> Result<()> {
        let held = match &self.life.store {
            Some(store) => store.holds(asleep.iter().copied())?,
            None => vec![false; asleep.len()],
        };
        match held.iter().position(|held| !held) {
            None => Ok(()),
            Some(k) => {
                let row = ids.iter().position(|&id| id == asleep[k]).unwrap_or(k);
                Err(self.absent(row, asleep[k]))
            }
        }
    }

    /// Opens the file that agents are hibernated in; those that it holds already are this
    /// population's from now on.
    pub(crate) fn hibernate_in(&mut self, path: &Path) -> Result<()> {
        self.rest_in(path, |_, _| Ok(()))
    }

    /// As [`Self::hibernate_in`], after `restore` has made of the file what it was.
    pub(crate) fn rest_in(
        &mut self,
        path: &Path,
        restore: impl FnOnce(&mut Hibernation, u64) -> Result<()>,
    ) -> Result<()> {
        if self.life.store.is_some() {
            return Err(Error::invalid("the population has a hibernation file already"));
        }
        self.admit_bytes("a hibernation file", STORE_BYTES as u64)?;
        let before = self.memory.split();
        let reserve = Array::unspecified(&self.memory.overhead(), STORE_BYTES)?;
        let taken = self.memory.split().total() - before.total();
        if self.worst_bytes() + taken > self.budget_bytes {
            return Err(self.refused_bytes("a hibernation file", taken));
        }
        let mut store = Hibernation::open(path, self.life.fingerprint)?;
        restore(&mut store, self.life.run)?;
        let mut awake = None;
        store.each_id(|id| {
            if awake.is_none() && self.find_id(id).is_some() {
                awake = Some(id);
            }
        })?;
        if let Some(id) = awake {
            return Err(store.invalid(format!("agent {id} is in the file and in memory")));
        }
        store.belong_to(self.life.run)?;
        self.life.next_id = self.life.next_id.max(store.last_id()?.map_or(0, |id| id + 1));
        self.life.store = Some(store);
        self.life.reserve = Some(reserve);
        self.note_fixed(&before);
        Ok(())
    }

    /// Opens the file of agents at rest where a checkpoint left off, and makes it what it was.
    pub(crate) fn rest_again(
        &mut self,
        path: Option<&Path>,
        asleep: Option<&ReadOnlyTable<u64, &'static [u8]>>,
    ) -> Result<()> {
        match path {
            Some(path) => self.rest_in(path, |store, run| store.restore(run, asleep)),
            None => Ok(()),
        }
    }

    fn store_or(&mut self, what: &str) -> Result<()> {
        let Some(store) = &mut self.life.store else {
            return Err(Error::invalid(format!("{what}: the population has no hibernation file")));
        };
        store.revive();
        Ok(())
    }

    /// Writes agents to the file, all or none, and gives their memory back.
    pub(crate) fn hibernate(&mut self, ids: &[u64]) -> Result<()> {
        self.store_or("hibernate")?;
        if ids.is_empty() {
            return Ok(());
        }
        let calls = self.locate(ids, false)?;
        let before = self.lifecycles_if_told(&calls)?;
        let written = self.prepare_out(&calls)?;
        // Set aside, so that the others can be read meanwhile.
        let Some(mut store) = self.life.store.take() else { return Ok(()) };
        let mut image = Vec::new();
        let taken = store.take_in(|put| {
            for (index, calls) in by_chunk(&calls) {
                let brought = self.bring(index)?;
                let told = self.read_out(index, calls, &mut image, put);
                if brought {
                    self.leave(index);
                }
                told?;
            }
            Ok(())
        });
        self.life.store = Some(store);
        if let Err(error) = taken {
            self.discard_all(written);
            return Err(error);
        }
        self.take_out(&calls, written);
        for (id, from) in before {
            self.life.tell(id, Some(from), Lifecycle::Hibernated);
        }
        Ok(())
    }

    /// Puts agents of a chunk in memory, one after the other, by way of `image`.
    fn read_out(
        &mut self,
        index: usize,
        calls: &[Call],
        image: &mut Vec<u8>,
        put: &mut dyn FnMut(u64, &mut Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let mut open = self.open(index);
        open.part_records()?;
        let Open { layout, chunk, worker, .. } = open;
        let records = find(layout, chunk, worker);
        for place in calls.iter().map(|call| call.place as usize) {
            let born = chunk.parts(layout).0.action(place) != NOT_BORN;
            image.clear();
            chunk.read_out(layout, place, records, born, image);
            put(chunk.members.id(place), image)?;
        }
        Ok(())
    }

    /// Brings agents back, as they were.
    pub(crate) fn wake(&mut self, ids: &[u64]) -> Result<()> {
        self.store_or("wake")?;
        if ids.is_empty() {
            return Ok(());
        }
        if let Some(row) = ids.iter().position(|&id| self.find_id(id).is_some()) {
            return Err(Error::invalid(format!("ids[{row}]: {} is not hibernated", ids[row])));
        }
        check_once(ids)?;
        self.check_asleep(ids, ids)?;
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        self.check_finished(false)?;
        self.admit_before_history(|population| population.admit_back(&ids))?;
        let woken = self.wake_all(&ids);
        self.settle();
        if let (Err(error), Some(store)) = (&woken, &mut self.life.store)
            && error.kind() == ErrorKind::System
        {
            store.mend();
        }
        woken
    }

    fn wake_all(&mut self, ids: &[u64]) -> Result<()> {
        let columns = self.layout.column_bytes(1);
        let stepped = self.stamp();
        let mut bytes = Vec::with_capacity(BATCH_BYTES);
        let mut rest = ids;
        while !rest.is_empty() {
            bytes.clear();
            let Some(store) = &self.life.store else { break };
            let ends = store.read(rest, &mut bytes)?;
            let (batch, after) = rest.split_at(ends.len());
            let mut start = 0;
            let mut agents = Vec::with_capacity(batch.len());
            for (&id, &end) in batch.iter().zip(&ends) {
                let image = &bytes[start..end];
                let Some((columns, record)) = image.split_at_checked(columns) else {
                    return Err(store.invalid(format!("agent {id} is damaged")));
                };
                agents.push(AtRest { id, stepped, columns, record });
                start = end;
            }
            let back = self.put_back(&agents);
            let awake: Vec<u64> =
                batch.iter().copied().filter(|&id| self.find_id(id).is_some()).collect();
            if let Some(store) = &mut self.life.store {
                store.release(&awake);
            }
            if self.life.is_told() {
                let calls = self.locate(&awake, false)?;
                for (id, to) in self.lifecycles_of(&calls, false)? {
                    self.life.tell(id, Some(Lifecycle::Hibernated), to);
                }
            }
            back?;
            rest = after;
        }
        Ok(())
    }

    /// Hibernates who is idle; answers how many were.
    pub(crate) fn sweep(&mut self) -> Result<u64> {
        if !self.life.dated() {
            return Err(Error::invalid("sweep: no idle_after says when an agent is idle"));
        }
        self.store_or("sweep")?;
        let idle = self.idle();
        if self.life.is_told() {
            let calls = self.locate(&idle, false)?;
            for (id, from) in self.lifecycles_of(&calls, false)? {
                self.life.tell(id, Some(from), Lifecycle::Idle);
            }
        }
        self.hibernate(&idle)?;
        Ok(idle.len() as u64)
    }

    /// Where called agents are in their lives, if somebody is told of passages.
    pub(crate) fn lifecycles_if_told(&mut self, calls: &[Call]) -> Result<Vec<(u64, Lifecycle)>> {
        if self.life.is_told() { self.lifecycles_of(calls, true) } else { Ok(Vec::new()) }
    }

    /// Asks for bytes that the worst case of the agents must leave.
    pub(crate) fn admit_bytes(&mut self, what: &str, bytes: u64) -> Result<()> {
        self.admit_before_history(|population| {
            let over = population.worst_bytes() + bytes > population.budget_bytes;
            if over { Err(population.refused_bytes(what, bytes)) } else { Ok(()) }
        })?;
        self.make_room(bytes + self.left_to_history())
    }

    /// That something needs bytes that the worst case of the agents does not leave.
    pub(crate) fn refused_bytes(&self, what: &str, bytes: u64) -> Error {
        let left = self.budget_bytes.saturating_sub(self.worst_bytes());
        Error::new(
            ErrorKind::Budget,
            format!(
                "{what}: {} are needed, and {} of the budget of {} are left",
                Bytes(bytes),
                Bytes(left),
                Bytes(self.budget_bytes)
            ),
        )
    }
}

/// Checks that no id stands there twice.
fn check_once(ids: &[u64]) -> Result<()> {
    let mut rows: Vec<(u64, usize)> = ids.iter().enumerate().map(|(row, &id)| (id, row)).collect();
    rows.sort_unstable();
    match rows.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(twice(pair[1].0, pair[1].1, pair[0].1)),
        None => Ok(()),
    }
}

/// That an id stands there twice.
pub(crate) fn twice(id: u64, row: usize, first: usize) -> Error {
    Error::invalid(format!("ids[{row}]: {id} stands there twice, first as ids[{first}]"))
}
