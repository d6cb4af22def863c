//! The history of a population: the rings that keep it, and what it plans to take.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use populace_agent::{CompiledModel, Scratch};
use populace_pool::SharedResource;

use crate::history::ring::{Deeds, Ring};
use crate::history::terms::{LEAST_BLOCKS, Terms};
use crate::history::{History, HistoryTotals, Past, Reader, Row, Writer, summary};
use crate::members::Members;
use crate::memory::page_bytes;
use crate::record::Number;
use crate::{Error, ErrorKind, PlannedHistory, Result};

/// The history of a population.
pub(crate) struct Archive {
    pub(super) terms: Terms,
    /// In the order of ids.
    pub(super) rings: Vec<Mutex<Ring>>,
    pub(super) ring_agents: usize,
    /// How many agents there were to begin with.
    pub(super) agents: u64,
    /// The tick before which nothing was kept.
    pub(super) begun: u64,
    reader: Mutex<Reader>,
    pub(super) memory: SharedResource,
}

pub(super) fn unlocked(ring: &mut Mutex<Ring>) -> &mut Ring {
    ring.get_mut().unwrap_or_else(PoisonError::into_inner)
}

impl Archive {
    /// What does not grow with the agents, of whom there are `agents` in chunks of `chunk` to begin with;
    /// `memory` is for what does, `scratch` for what does not.
    pub(crate) fn new<T: Number>(
        settings: &History,
        model: &CompiledModel<T>,
        (agents, chunk, changes, ring_agents): (u64, usize, bool, Option<usize>),
        memory: SharedResource,
        scratch: &SharedResource,
    ) -> Result<Self> {
        if settings.ticks == 0 {
            return Err(Error::invalid("history: 0 ticks are nothing to keep"));
        }
        let states = settings.beliefs.then(|| model.num_states());
        let row = Row::new(model.num_obs(), model.num_actions(), states).ok_or_else(|| {
            let message = "history: an outcome, a joint action or a state needs more than 32 bits";
            Error::new(ErrorKind::Unsupported, message)
        })?;
        let settings = settings.clone();
        let (room_bytes, least_bytes, most_bytes) = (0, 0, 0);
        let terms =
            Terms { settings, row, changes, ring_agents, room_bytes, least_bytes, most_bytes };
        terms.check(agents, chunk)?;
        let ring_agents = terms.ring_agents(chunk);
        let reader = Mutex::new(Reader::new(terms.most_body_bytes(ring_agents), scratch)?);
        Ok(Self { terms, rings: Vec::new(), ring_agents, agents, begun: 0, reader, memory })
    }

    /// What a thread needs to record chunks of at most `chunk` agents.
    pub(crate) fn writer(&self, chunk: usize, scratch: &SharedResource) -> Result<Writer> {
        let most_bytes = self.terms.most_body_bytes(self.ring_agents);
        let Terms { row, settings, .. } = &self.terms;
        Writer::new(row, settings.codec, chunk, most_bytes, scratch)
    }

    /// What the history of so many agents in chunks of `chunk` needs at least, in bytes: the open
    /// planes, the block that they become, and one before it.
    pub(crate) fn least_bytes(&self, agents: u64, chunk: usize) -> u128 {
        self.terms.sum_of_least(agents, chunk)
    }

    /// What it takes where nothing can be compressed, if there is room, in bytes.
    pub(crate) fn most_bytes(&self, agents: u64, chunk: usize) -> u128 {
        let most = self.terms.sum(agents, chunk, |agents| self.terms.most_ring_bytes(agents));
        let bound = self.terms.settings.bytes.map_or(u128::MAX, u128::from);
        most.min(bound).max(self.least_bytes(agents, chunk))
    }

    /// What the history of so many agents will take over `steps` ticks, where a sample's came to
    /// `totals`.
    pub(crate) fn planned(
        &self,
        totals: &HistoryTotals,
        agents: u64,
        chunk: usize,
        steps: u64,
    ) -> PlannedHistory {
        let bytes = |bytes: u128| u64::try_from(bytes).unwrap_or(u64::MAX);
        let (least, worst) = (self.least_bytes(agents, chunk), self.most_bytes(agents, chunk));
        let row = &self.terms.row;
        // Before the first block there is only what bit packing gives.
        let smaller = match totals.blocks {
            0 => (8 * row.raw_bytes()) as f64 / row.bits() as f64,
            _ => totals.ratio(),
        };
        let ticks = self.terms.settings.ticks.min(steps);
        let raw = agents as f64 * ticks as f64 * row.raw_bytes() as f64;
        let open = self.terms.sum(agents, chunk, |agents| self.terms.ring_bytes(agents, 0));
        let expected = (raw / smaller) as u128 + open;
        PlannedHistory {
            least_bytes: bytes(least),
            expected_bytes: bytes(expected.min(worst)),
            worst_bytes: bytes(worst),
        }
    }

    /// Says that history may take `bytes` at most; it takes no more than it could use.
    pub(super) fn begin(&mut self, chunk: usize, bytes: u128) {
        let room = bytes.min(self.most_bytes(self.agents, chunk));
        self.terms.room_bytes = u64::try_from(room).unwrap_or(u64::MAX);
    }

    /// What history may take, in bytes.
    pub(crate) fn room_bytes(&self) -> u64 {
        self.terms.room_bytes
    }

    /// What of that it has not taken, in bytes.
    pub(crate) fn unused_bytes(&self) -> u64 {
        let held = self.rings.iter().map(|ring| {
            let ring = ring.lock().unwrap_or_else(PoisonError::into_inner);
            ring.held_bytes()
        });
        self.terms.room_bytes.saturating_sub(held.sum())
    }

    /// What was asked to be kept.
    pub(crate) fn settings(&self) -> &History {
        &self.terms.settings
    }

    /// The tick before which nothing was kept.
    pub(crate) fn begun(&self) -> u64 {
        self.begun
    }

    /// Says that nothing was kept before a tick.
    pub(crate) fn begin_at(&mut self, tick: u64) {
        self.begun = tick;
    }

    /// Whether its agents come and go.
    pub(super) fn changes(&self) -> bool {
        self.terms.changes
    }

    /// Changes what history may take; blocks go when room is made next.
    pub(super) fn set_room(&mut self, bytes: u64) {
        self.terms.room_bytes = bytes;
    }

    /// Makes room for the next tick, after `now` of them, and rings for those who may be stepped: runs
    /// of ids, ascending. Where agents come and go, history may take `free` bytes from now on.
    pub(super) fn prepare(
        &mut self,
        now: u64,
        free: Option<u64>,
        runs: impl Iterator<Item = (u64, usize)>,
    ) -> Result<()> {
        let size = self.ring_agents as u64;
        let mut at = 0;
        let (mut next, mut grown) = (0, false);
        for (first, len) in runs {
            let end = (first + len as u64).div_ceil(size);
            for number in next.max(first / size)..end {
                let first = number * size;
                while self.rings.get_mut(at).is_some_and(|ring| unlocked(ring).first_agent < first)
                {
                    at += 1;
                }
                if self.rings.get_mut(at).is_none_or(|ring| unlocked(ring).first_agent > first) {
                    let ids = if self.terms.changes { size } else { size.min(self.agents - first) };
                    let ring = Ring::new(first, ids as usize, self.begun, &self.memory)?;
                    self.rings.insert(at, Mutex::new(ring));
                    grown = true;
                }
                unlocked(&mut self.rings[at]).stays = true;
            }
            next = next.max(end);
        }
        self.rings.retain_mut(|ring| {
            let ring = unlocked(ring);
            std::mem::take(&mut ring.stays) || !ring.is_empty()
        });
        self.share_room(free, grown);
        let Self { terms, rings, memory, .. } = self;
        for ring in rings {
            unlocked(ring).make_room(terms, now, memory);
        }
        Ok(())
    }

    /// Gives every ring its part of the room; where rings were added (`grown`), lists are made as long as
    /// they may become.
    pub(crate) fn share_room(&mut self, free: Option<u64>, grown: bool) {
        let Self { terms, rings, .. } = self;
        let sizes = |rings: &mut [Mutex<Ring>], bytes: &dyn Fn(usize) -> u128| -> u128 {
            rings.iter_mut().map(|ring| bytes(unlocked(ring).agents)).sum()
        };
        let least = sizes(rings, &|agents| terms.ring_bytes(agents, LEAST_BLOCKS));
        let most = sizes(rings, &|agents| terms.most_ring_bytes(agents));
        (terms.least_bytes, terms.most_bytes) = (least, most);
        if let Some(free) = free {
            let bound = terms.settings.bytes.unwrap_or(u64::MAX);
            terms.room_bytes = free.min(bound).min(u64::try_from(most).unwrap_or(u64::MAX));
        }
        for ring in rings {
            let ring = unlocked(ring);
            ring.part_bytes = terms.part_bytes(ring.agents);
            if grown {
                let pages = ring.part_bytes / page_bytes();
                let blocks = terms.most_blocks(ring.agents).min(pages);
                ring.reserve(usize::try_from(blocks).unwrap_or(usize::MAX));
            }
        }
    }

    /// Keeps what agents of a chunk did. It never fails: where memory is refused, rows are dropped, and
    /// that is counted.
    pub(crate) fn record(&self, deeds: Deeds<'_>, members: &Members, writer: &mut Writer) {
        let size = self.ring_agents as u64;
        for (places, first) in members.runs() {
            let (mut place, mut id) = (places.start, first);
            while place < places.end {
                let number = id / size;
                let left = usize::try_from((number + 1) * size - id).unwrap_or(usize::MAX);
                let end = places.end.min(place.saturating_add(left));
                if let Some(ring) = self.ring(id) {
                    let mut ring = ring.lock().unwrap_or_else(PoisonError::into_inner);
                    ring.record(&self.terms, deeds, (place..end, id), writer, &self.memory);
                }
                id += (end - place) as u64;
                place = end;
            }
        }
    }

    /// The ring of an id. Rings are not moved within a tick, so it is found without a look into others
    /// but those on the way.
    fn ring(&self, id: u64) -> Option<&Mutex<Ring>> {
        let first =
            |ring: &Mutex<Ring>| ring.lock().unwrap_or_else(PoisonError::into_inner).first_agent;
        let start = id / self.ring_agents as u64 * self.ring_agents as u64;
        // Where nobody ever left, the place is the number.
        let number = usize::try_from(id / self.ring_agents as u64).unwrap_or(usize::MAX);
        if let Some(ring) = self.rings.get(number).filter(|_| !self.terms.changes) {
            return Some(ring);
        }
        let at = self.rings.binary_search_by_key(&start, first).ok()?;
        self.rings.get(at)
    }

    /// Whether what agents believe is kept.
    pub(crate) fn keeps_beliefs(&self) -> bool {
        self.terms.row.keeps_beliefs()
    }

    /// Notes what agents of a block believe, where that is kept.
    pub(crate) fn note<T: Number>(
        &self,
        scratch: &mut Scratch<T>,
        agents: &[u32],
        sparse: bool,
        writer: &mut Writer,
    ) {
        if self.terms.row.keeps_beliefs() {
            summary::note(scratch, self.terms.row.states(), agents, sparse, &mut writer.notes);
        }
    }

    /// What an agent observed and did at some ticks, of which there were `now`.
    pub(super) fn past(&self, agent: u64, ticks: Range<u64>, now: u64) -> Result<Past> {
        let mut past = Past::default();
        let ticks = ticks.start.max(self.terms.oldest(now))..ticks.end.min(now);
        if let Some(ring) = self.ring(agent) {
            let ring = ring.lock().unwrap_or_else(PoisonError::into_inner);
            let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
            ring.append(&self.terms, agent, ticks, &mut reader, &mut past)?;
        }
        Ok(past)
    }

    /// How much there is after `now` ticks.
    pub(super) fn totals(&self, now: u64) -> HistoryTotals {
        let mut totals = HistoryTotals { ticks: u64::MAX, ..HistoryTotals::default() };
        for ring in &self.rings {
            let ring = ring.lock().unwrap_or_else(PoisonError::into_inner);
            ring.count(&self.terms, now, &mut totals);
        }
        totals.ticks = totals.ticks.min(now.saturating_sub(self.begun));
        totals
    }
}
