//! The history of a population: what is kept, in how much memory, and the rings that keep it.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use populace_agent::{CompiledModel, Scratch};
use populace_pool::{Bytes, SharedResource};

use crate::history::block::HEADER_BYTES;
use crate::history::ring::{Deeds, Ring};
use crate::history::{History, HistoryTotals, Past, Reader, Row, Writer, summary};
use crate::members::Members;
use crate::memory::page_bytes;
use crate::population::Population;
use crate::record::Number;
use crate::{Error, ErrorKind, PlannedHistory, Result};

/// Bodies are about this long, so that the libraries' tables stay small and an agent's past is read
/// without unpacking much of its neighbours'.
const BODY_BYTES: usize = 64 << 10;

/// Rows of a block as numbers of 4 bytes are at least this long: its header is no more than 1 %.
const RAW_BYTES: usize = 100 * HEADER_BYTES;

/// Into how many blocks the ticks are cut at least, where that does not make them too short.
const BLOCKS: u64 = 4;

/// The blocks of a ring for which there is always room, whatever they hold: the one that the open
/// rows become, and one before it.
const LEAST_BLOCKS: u64 = 2;

/// History that has less than this gives all of it away.
const FEW_BYTES: u64 = 64 << 10;

/// Rings of a population whose agents come and go have places for at least so many ids, so that a few
/// agents that are spawned one by one do not each have a ring.
const RING_AGENTS: usize = 1024;

/// How rows become blocks, and how much memory they have.
pub(crate) struct Terms {
    settings: History,
    pub(super) row: Row,
    /// Whether agents come and go.
    changes: bool,
    /// What all history may take, and what the rings there are would take at least and at most, in
    /// bytes.
    room_bytes: u64,
    least_bytes: u128,
    most_bytes: u128,
}

impl Terms {
    /// Ticks of a block of so many agents.
    pub(super) fn block_ticks(&self, agents: usize) -> usize {
        let least = RAW_BYTES.div_ceil((agents * self.row.raw_bytes()).max(1));
        let most = 8 * BODY_BYTES / (agents * self.row.bits()).max(1);
        let few = usize::try_from(self.settings.ticks.div_ceil(BLOCKS)).unwrap_or(usize::MAX);
        few.clamp(least, most.max(least))
    }

    /// Words of open planes of so many agents.
    pub(super) fn open_words(&self, agents: usize) -> usize {
        (self.block_ticks(agents) * agents * self.row.bits()).div_ceil(64)
    }

    /// The most that a block of so many agents takes, in bytes.
    pub(super) fn most_block_bytes(&self, agents: usize) -> usize {
        HEADER_BYTES + (self.block_ticks(agents) * agents * self.row.bits()).div_ceil(8)
    }

    /// The first tick that can be asked about after `now` ticks.
    pub(super) fn oldest(&self, now: u64) -> u64 {
        now.saturating_sub(self.settings.ticks)
    }

    /// The part of the room that a ring of so many agents has, in bytes: its least, and of what it
    /// would take beyond that the share that there is. The parts of all rings add up to the room at
    /// most.
    fn part_bytes(&self, agents: usize) -> u64 {
        let (least, most) = (self.ring_bytes(agents, LEAST_BLOCKS), self.most_ring_bytes(agents));
        let room = u128::from(self.room_bytes);
        let part = if room >= self.most_bytes {
            most
        } else if room >= self.least_bytes {
            let (spare, wanted) = (room - self.least_bytes, self.most_bytes - self.least_bytes);
            least + share(spare, most - least, wanted)
        } else {
            share(room, least, self.least_bytes)
        };
        u64::try_from(part).unwrap_or(u64::MAX)
    }

    /// The most blocks that a ring of so many agents has at once.
    fn most_blocks(&self, agents: usize) -> u64 {
        let whole = self.settings.ticks.div_ceil(self.block_ticks(agents) as u64);
        whole.saturating_add(1).max(LEAST_BLOCKS)
    }

    /// What a ring of so many agents and blocks takes at most, in bytes.
    fn ring_bytes(&self, agents: usize, blocks: u64) -> u128 {
        let pages = |bytes: usize| u128::from((bytes as u64).next_multiple_of(page_bytes()));
        let block = pages(self.most_block_bytes(agents));
        pages(8 * self.open_words(agents)) + u128::from(blocks) * block
    }

    fn most_ring_bytes(&self, agents: usize) -> u128 {
        self.ring_bytes(agents, self.most_blocks(agents))
    }

    /// How many ids the rings of a population in chunks of so many agents are for.
    fn ring_agents(&self, chunk: usize) -> usize {
        if self.changes { chunk.max(RING_AGENTS) } else { chunk }
    }

    /// The sum of what the rings of so many agents take, each of them what `ring` answers, in bytes.
    fn sum(&self, agents: u64, chunk: usize, ring: impl Fn(usize) -> u128) -> u128 {
        let size = self.ring_agents(chunk);
        let rest = match (agents % size as u64) as usize {
            0 => 0,
            _ if self.changes => ring(size),
            rest => ring(rest),
        };
        u128::from(agents / size as u64) * ring(size) + rest
    }

    fn sum_of_least(&self, agents: u64, chunk: usize) -> u128 {
        self.sum(agents, chunk, |agents| self.ring_bytes(agents, LEAST_BLOCKS))
    }

    /// Refuses a bound that two blocks a ring do not keep to.
    fn check(&self, agents: u64, chunk: usize) -> Result<()> {
        let least = self.sum_of_least(agents, chunk);
        match self.settings.bytes {
            Some(bytes) if u128::from(bytes) < least => {
                let bytes = Bytes(bytes);
                let least = Bytes(u64::try_from(least).unwrap_or(u64::MAX));
                let message = format!(
                    "history: {bytes} is too little, {agents} agents need {least} at least"
                );
                Err(Error::new(ErrorKind::Budget, message))
            }
            _ => Ok(()),
        }
    }

    /// The most that a body of at most so many agents takes before it is compressed, in bytes.
    fn most_body_bytes(&self, agents: usize) -> usize {
        // Blocks of fewer agents have more ticks; they end within a row of BODY_BYTES, or with the
        // row that makes RAW_BYTES.
        BODY_BYTES.max(RAW_BYTES + agents * self.row.bits().div_ceil(8))
    }
}

/// ⌊`room` · `part` / `whole`⌋ or a little less, for `room` < `whole`.
fn share(room: u128, part: u128, whole: u128) -> u128 {
    // Shifted so that no number of ticks makes the product overflow.
    let shift = (u128::BITS - whole.leading_zeros()).saturating_sub(62);
    (part >> shift) * room / ((whole >> shift) + u128::from(shift > 0)).max(1)
}

/// The history of a population.
pub(crate) struct Archive {
    terms: Terms,
    /// In the order of ids.
    rings: Vec<Mutex<Ring>>,
    ring_agents: usize,
    /// How many agents there were to begin with.
    agents: u64,
    reader: Mutex<Reader>,
    memory: SharedResource,
}

fn unlocked(ring: &mut Mutex<Ring>) -> &mut Ring {
    ring.get_mut().unwrap_or_else(PoisonError::into_inner)
}

impl Archive {
    /// What does not grow with the agents, of whom there are `agents` in chunks of `chunk` to begin with;
    /// `memory` is for what does, `scratch` for what does not.
    pub(crate) fn new<T: Number>(
        settings: &History,
        model: &CompiledModel<T>,
        (agents, chunk, changes): (u64, usize, bool),
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
        let terms = Terms { settings, row, changes, room_bytes, least_bytes, most_bytes };
        terms.check(agents, chunk)?;
        let ring_agents = terms.ring_agents(chunk);
        let reader = Mutex::new(Reader::new(terms.most_body_bytes(ring_agents), scratch)?);
        Ok(Self { terms, rings: Vec::new(), ring_agents, agents, reader, memory })
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
    fn begin(&mut self, chunk: usize, bytes: u128) {
        let room = bytes.min(self.most_bytes(self.agents, chunk));
        self.terms.room_bytes = u64::try_from(room).unwrap_or(u64::MAX);
    }

    /// What history may take, in bytes.
    pub(crate) fn room_bytes(&self) -> u64 {
        self.terms.room_bytes
    }

    /// Changes what history may take; blocks go when room is made next.
    pub(crate) fn set_room(&mut self, bytes: u64) {
        self.terms.room_bytes = bytes;
    }

    /// Makes room for the next tick, after `now` of them, and rings for those who may be stepped: runs
    /// of ids, ascending.
    pub(crate) fn prepare(
        &mut self,
        now: u64,
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
                    let ring = Ring::new(first, ids as usize, &self.memory)?;
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
        let Self { terms, rings, memory, .. } = self;
        let sizes = |rings: &mut [Mutex<Ring>], bytes: &dyn Fn(usize) -> u128| -> u128 {
            rings.iter_mut().map(|ring| bytes(unlocked(ring).agents)).sum()
        };
        let least = sizes(rings, &|agents| terms.ring_bytes(agents, LEAST_BLOCKS));
        let most = sizes(rings, &|agents| terms.most_ring_bytes(agents));
        (terms.least_bytes, terms.most_bytes) = (least, most);
        for ring in rings {
            let ring = unlocked(ring);
            ring.part_bytes = terms.part_bytes(ring.agents);
            if grown {
                let pages = ring.part_bytes / page_bytes();
                let blocks = terms.most_blocks(ring.agents).min(pages);
                ring.reserve(usize::try_from(blocks).unwrap_or(usize::MAX));
            }
            ring.make_room(terms, now, memory);
        }
        Ok(())
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
    fn past(&self, agent: u64, ticks: Range<u64>, now: u64) -> Result<Past> {
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
    fn totals(&self, now: u64) -> HistoryTotals {
        let mut totals = HistoryTotals { ticks: u64::MAX, ..HistoryTotals::default() };
        for ring in &self.rings {
            let ring = ring.lock().unwrap_or_else(PoisonError::into_inner);
            ring.count(&self.terms, now, &mut totals);
        }
        totals.ticks = totals.ticks.min(now);
        totals
    }
}

impl<T: Number> Population<T> {
    /// What an agent observed and did at some ticks, as far as it is kept.
    pub(crate) fn past(&self, agent: u64, ticks: Range<u64>) -> Result<Past> {
        let Some(history) = &self.history else {
            let message = "history: none is kept, because the settings did not ask for any";
            return Err(Error::invalid(message));
        };
        let agents = self.life.next_id;
        if agent >= agents {
            let message = format!("id: {agent} is out of range, there were {agents} agents ever");
            return Err(Error::invalid(message));
        }
        history.past(agent, ticks, self.ticks())
    }

    /// How much history there is, where it is kept.
    pub(crate) fn history_totals(&self) -> Option<HistoryTotals> {
        self.history.as_ref().map(|history| history.totals(self.ticks()))
    }

    /// Gives history what the worst case of all agents leaves of the budget, as far as it can use it.
    pub(crate) fn begin_history(&mut self, keep_arrays: bool) {
        let (agents, chunk) = (self.first_agents, self.chunk_agents);
        let needed = self.needed_bytes(agents, keep_arrays);
        if let Some(history) = &mut self.history {
            let left = u128::from(self.budget_bytes).saturating_sub(needed);
            history.begin(chunk, left + history.least_bytes(agents, chunk));
        }
    }

    /// Makes room and rings for the next tick.
    pub(crate) fn prepare_history(&mut self) -> Result<()> {
        let Some(history) = &mut self.history else { return Ok(()) };
        let runs = self
            .chunks
            .iter()
            .flat_map(|chunk| chunk.members.runs().map(|(places, first)| (first, places.len())));
        history.prepare(self.tick, runs)
    }

    /// Asks for memory; where it is refused, history gives way as far as it takes, if that helps.
    pub(crate) fn admit_before_history(
        &mut self,
        admit: impl Fn(&Self) -> Result<()>,
    ) -> Result<()> {
        let room = |population: &Self| population.history.as_ref().map_or(0, Archive::room_bytes);
        let whole = room(self);
        let mut refused = match admit(self) {
            Err(error) if error.kind() == ErrorKind::Budget && whole > 0 => error,
            answered => return answered,
        };
        while room(self) > 0 {
            let less = if room(self) < FEW_BYTES { 0 } else { room(self) / 2 };
            if let Some(history) = &mut self.history {
                history.set_room(less);
            }
            match admit(self) {
                Ok(()) => {
                    self.prepare_history()?;
                    self.memory.trim();
                    return Ok(());
                }
                Err(error) => refused = error,
            }
        }
        if let Some(history) = &mut self.history {
            history.set_room(whole);
        }
        Err(refused)
    }
}
