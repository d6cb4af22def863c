//! The history of a population: what is kept, in how much memory, and the rings that keep it.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use populace_agent::{CompiledModel, Scratch};
use populace_pool::{Bytes, SharedResource};

use crate::history::block::HEADER_BYTES;
use crate::history::ring::{Deeds, Ring};
use crate::history::{History, HistoryTotals, Past, Reader, Row, Writer, summary};
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

/// How rows become blocks, and how much memory they have.
pub(crate) struct Terms {
    settings: History,
    pub(super) row: Row,
    agents: u64,
    /// What all history may take beyond its least, and what it would at most, in bytes.
    spare_bytes: u128,
    wanted_bytes: u128,
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

    /// The part of the room that a ring of so many agents has, in bytes: its least, and of what it
    /// would take beyond that the share that there is. The parts of all rings add up to the room at
    /// most.
    pub(super) fn part_bytes(&self, agents: usize) -> u64 {
        let least = self.ring_bytes(agents, LEAST_BLOCKS);
        let most = self.ring_bytes(agents, self.most_blocks(agents));
        let wanted = most.saturating_sub(least);
        let share = if self.spare_bytes >= self.wanted_bytes {
            wanted
        } else {
            // Rounded down; shifted so that no number of ticks makes the product overflow.
            let shift = (u128::BITS - self.wanted_bytes.leading_zeros()).saturating_sub(62);
            (wanted >> shift) * self.spare_bytes / ((self.wanted_bytes >> shift) + 1)
        };
        u64::try_from(least + share).unwrap_or(u64::MAX)
    }

    /// The first tick that can be asked about after `now` ticks.
    pub(super) fn oldest(&self, now: u64) -> u64 {
        now.saturating_sub(self.settings.ticks)
    }

    /// The most blocks that a ring of so many agents has at once.
    fn most_blocks(&self, agents: usize) -> u64 {
        let whole = self.settings.ticks.div_ceil(self.block_ticks(agents) as u64);
        whole.saturating_add(1).max(LEAST_BLOCKS)
    }

    /// What the rings of chunks of so many agents take, `blocks` of each, in bytes.
    fn bytes(&self, agents: u64, chunk: usize, blocks: impl Fn(usize) -> u64) -> u128 {
        let ring = |agents| self.ring_bytes(agents, blocks(agents));
        let chunks = agents / chunk as u64;
        u128::from(chunks) * ring(chunk) + ring((agents % chunk as u64) as usize)
    }

    /// What a ring of so many agents and blocks takes at most, in bytes.
    fn ring_bytes(&self, agents: usize, blocks: u64) -> u128 {
        if agents == 0 {
            return 0;
        }
        let pages = |bytes: usize| u128::from((bytes as u64).next_multiple_of(page_bytes()));
        let block = pages(self.most_block_bytes(agents));
        pages(8 * self.open_words(agents)) + u128::from(blocks) * block
    }

    fn least_bytes(&self, agents: u64, chunk: usize) -> u128 {
        self.bytes(agents, chunk, |_| LEAST_BLOCKS)
    }

    /// What it takes where nothing can be compressed, whatever the bound, in bytes.
    fn most_bytes(&self, agents: u64, chunk: usize) -> u128 {
        self.bytes(agents, chunk, |agents| self.most_blocks(agents))
    }

    /// Refuses a bound that two blocks a chunk do not keep to.
    fn check(&self, chunk: usize) -> Result<()> {
        let least = self.least_bytes(self.agents, chunk);
        match self.settings.bytes {
            Some(bytes) if u128::from(bytes) < least => {
                let (bytes, agents) = (Bytes(bytes), self.agents);
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

/// The history of a population.
pub(crate) struct Archive {
    terms: Terms,
    rings: Vec<Mutex<Ring>>,
    chunk_agents: usize,
    reader: Mutex<Reader>,
    memory: SharedResource,
}

impl Archive {
    /// What does not grow with the agents; `memory` is for what does, `scratch` for what does not.
    pub(crate) fn new<T: Number>(
        settings: &History,
        model: &CompiledModel<T>,
        (agents, chunk_agents): (u64, usize),
        soft: bool,
        memory: SharedResource,
        scratch: &SharedResource,
    ) -> Result<Self> {
        if settings.ticks == 0 {
            return Err(Error::invalid("history: 0 ticks are nothing to keep"));
        }
        if soft {
            let message = "history: of observations that are distributions none is kept yet";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let states = settings.beliefs.then(|| model.num_states());
        let row = Row::new(model.num_obs(), model.num_actions(), states).ok_or_else(|| {
            let message = "history: an outcome, a joint action or a state needs more than 32 bits";
            Error::new(ErrorKind::Unsupported, message)
        })?;
        let terms =
            Terms { settings: settings.clone(), row, agents, spare_bytes: 0, wanted_bytes: 0 };
        terms.check(chunk_agents)?;
        let reader = Reader::new(terms.most_body_bytes(chunk_agents), scratch)?;
        Ok(Self { terms, rings: Vec::new(), chunk_agents, reader: Mutex::new(reader), memory })
    }

    /// What a thread needs to record.
    pub(crate) fn writer(&self, scratch: &SharedResource) -> Result<Writer> {
        let most_bytes = self.terms.most_body_bytes(self.chunk_agents);
        let Terms { row, settings, .. } = &self.terms;
        Writer::new(row, settings.codec, self.chunk_agents, most_bytes, scratch)
    }

    /// What the history of so many agents in chunks of `chunk` needs at least, in bytes: the open
    /// planes, the block that they become, and one before it.
    pub(crate) fn least_bytes(&self, agents: u64, chunk: usize) -> u128 {
        self.terms.least_bytes(agents, chunk)
    }

    /// What it takes where nothing can be compressed, if there is room, in bytes.
    pub(crate) fn most_bytes(&self, agents: u64, chunk: usize) -> u128 {
        let most = self.terms.most_bytes(agents, chunk);
        let least = self.least_bytes(agents, chunk);
        let bound = self.terms.settings.bytes.map_or(u128::MAX, u128::from);
        most.min(bound).max(least)
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
        let open = self.terms.bytes(agents, chunk, |_| 0);
        let expected = (raw / smaller) as u128 + open;
        PlannedHistory {
            least_bytes: bytes(least),
            expected_bytes: bytes(expected.min(worst)),
            worst_bytes: bytes(worst),
        }
    }

    /// Begins the history of all agents, which has `room_bytes`, of which the settings may allow
    /// less.
    pub(crate) fn begin(&mut self, room_bytes: u128) -> Result<()> {
        let agents = self.terms.agents;
        let room = room_bytes.min(self.most_bytes(agents, self.chunk_agents));
        let least = self.least_bytes(agents, self.chunk_agents);
        let most = self.terms.most_bytes(agents, self.chunk_agents);
        self.terms.spare_bytes = room.saturating_sub(least);
        self.terms.wanted_bytes = most.saturating_sub(least);
        let chunks = agents.div_ceil(self.chunk_agents as u64);
        let blocks = self.terms.most_blocks(self.chunk_agents);
        let pages = self.terms.part_bytes(self.chunk_agents) / page_bytes();
        let blocks = usize::try_from(blocks.min(pages)).unwrap_or(usize::MAX) + 1;
        let ring = |_| Ring::new(blocks, &self.memory).map(Mutex::new);
        self.rings = (0..chunks).map(ring).collect::<Result<_>>()?;
        Ok(())
    }

    /// Keeps what a chunk's agents did. It never fails: where memory is refused, rows are dropped, and
    /// that is counted.
    pub(crate) fn record(&self, deeds: Deeds<'_>, writer: &mut Writer) {
        let number = (deeds.first_agent / self.chunk_agents as u64) as usize;
        if let Some(ring) = self.rings.get(number) {
            let mut ring = ring.lock().unwrap_or_else(PoisonError::into_inner);
            ring.record(&self.terms, deeds, writer, &self.memory);
        }
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

    /// Makes room for the next tick, after `now` of them.
    pub(crate) fn make_room(&mut self, now: u64) {
        for ring in &mut self.rings {
            let ring = ring.get_mut().unwrap_or_else(PoisonError::into_inner);
            ring.make_room(&self.terms, now);
        }
    }

    /// What an agent observed and did at some ticks, of which there were `now`.
    fn past(&self, agent: u64, ticks: Range<u64>, now: u64) -> Result<Past> {
        let agents = self.terms.agents;
        if agent >= agents {
            let message = format!("id: {agent} is out of range, there are {agents} agents");
            return Err(Error::invalid(message));
        }
        let mut past = Past::default();
        let ticks = ticks.start.max(self.terms.oldest(now))..ticks.end.min(now);
        let number = (agent / self.chunk_agents as u64) as usize;
        if let Some(ring) = self.rings.get(number) {
            let ring = ring.lock().unwrap_or_else(PoisonError::into_inner);
            let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
            ring.append(&self.terms.row, agent, ticks, &mut reader, &mut past)?;
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
        history.past(agent, ticks, self.ticks())
    }

    /// How much history there is, where it is kept.
    pub(crate) fn history_totals(&self) -> Option<HistoryTotals> {
        self.history.as_ref().map(|history| history.totals(self.ticks()))
    }
}
