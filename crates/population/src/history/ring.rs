//! The blocks of a chunk's agents, oldest first, and the rows that are no block yet.

use std::collections::VecDeque;
use std::ops::Range;

use populace_pool::SharedResource;
use populace_tensor::Array;

use crate::Result;
use crate::history::archive::Terms;
use crate::history::block::Header;
use crate::history::planes::{Planes, put_rows};
use crate::history::{Block, HistoryTotals, Past, Reader, Row, Writer};
use crate::memory::page_bytes;

/// What a chunk's agents did at a tick: (agents, modalities) and (agents, factors).
#[derive(Clone, Copy)]
pub(crate) struct Deeds<'a> {
    pub(crate) tick: u64,
    pub(crate) first_agent: u64,
    pub(crate) agents: usize,
    pub(crate) observations: &'a [i32],
    pub(crate) actions: &'a [i32],
}

/// A ring of blocks.
pub(super) struct Ring {
    blocks: VecDeque<Array<u8>>,
    /// What the blocks take, in whole pages, in bytes.
    block_bytes: u64,
    dropped: u64,
    /// The planes of rows that are no block yet.
    open: Array<u64>,
    room: usize,
    ticks: usize,
    first_tick: u64,
    first_agent: u64,
    agents: usize,
}

fn in_pages(bytes: usize) -> u64 {
    (bytes as u64).next_multiple_of(page_bytes())
}

impl Ring {
    pub(super) fn new(blocks: usize, memory: &SharedResource) -> Result<Self> {
        Ok(Self {
            blocks: VecDeque::with_capacity(blocks),
            block_bytes: 0,
            dropped: 0,
            open: Array::zeroed(memory, 0)?,
            room: 0,
            ticks: 0,
            first_tick: 0,
            first_agent: 0,
            agents: 0,
        })
    }

    /// Adds a tick's rows; closes the block that they fill.
    pub(super) fn record(
        &mut self,
        terms: &Terms,
        deeds: Deeds<'_>,
        writer: &mut Writer,
        memory: &SharedResource,
    ) {
        let follows = self.first_agent == deeds.first_agent
            && self.agents == deeds.agents
            && self.first_tick + self.ticks as u64 == deeds.tick;
        if self.ticks > 0 && !follows {
            self.close(&terms.row, writer, memory);
        }
        if self.ticks == 0 && !self.begin(terms, deeds, memory) {
            self.dropped += 1;
            return;
        }
        let Writer { column, notes, .. } = writer;
        let row = &terms.row;
        let ((modalities, factors), summary) = (row.shape(), row.summary_numbers());
        let place = (self.room, self.ticks, self.agents);
        put_rows(row, &mut self.open, place, column, |place, numbers| {
            if place < modalities {
                let outcomes = deeds.observations.chunks_exact(modalities);
                for (number, outcomes) in numbers.iter_mut().zip(outcomes) {
                    *number = (outcomes[place] + 1) as u32;
                }
            } else if place == modalities {
                let actions = deeds.actions.chunks_exact(factors);
                for (number, actions) in numbers.iter_mut().zip(actions) {
                    *number = row.action_number(actions);
                }
            } else {
                let notes = notes.chunks_exact(summary);
                for (number, notes) in numbers.iter_mut().zip(notes) {
                    *number = notes[place - modalities - 1];
                }
            }
        });
        self.ticks += 1;
        if self.ticks == self.room {
            self.close(row, writer, memory);
        }
    }

    /// Opens planes for the agents of a tick; whether there was memory.
    fn begin(&mut self, terms: &Terms, deeds: Deeds<'_>, memory: &SharedResource) -> bool {
        if self.agents != deeds.agents {
            self.agents = deeds.agents;
            self.room = terms.block_ticks(deeds.agents);
            let words = terms.open_words(deeds.agents);
            // Freed before the next are taken.
            let open = Array::zeroed(memory, 0).and_then(|none| {
                self.open = none;
                Array::zeroed(memory, words)
            });
            match open {
                Ok(open) => self.open = open,
                Err(_refused) => {
                    self.agents = 0;
                    return false;
                }
            }
        }
        (self.first_tick, self.first_agent) = (deeds.tick, deeds.first_agent);
        true
    }

    fn planes(&self) -> Planes<'_> {
        let Self { ref open, room, ticks, agents, .. } = *self;
        Planes { words: open, room, ticks, agents, differences: false }
    }

    /// Makes a block of the rows so far.
    fn close(&mut self, row: &Row, writer: &mut Writer, memory: &SharedResource) {
        let block = writer.block(row, self.planes(), self.first_tick, self.first_agent, &[]);
        match Array::copied(memory, block) {
            Ok(block) => {
                self.block_bytes += in_pages(block.len());
                self.blocks.push_back(block);
            }
            Err(_refused) => self.dropped += 1,
        }
        self.open.fill(0);
        self.ticks = 0;
    }

    fn drop_oldest(&mut self) {
        if let Some(block) = self.blocks.pop_front() {
            self.block_bytes -= in_pages(block.len());
        }
    }

    /// Lets go of blocks without a tick that can be asked about when there were `now` ticks, and of
    /// the oldest until there is room for one more, whatever it will hold.
    pub(super) fn make_room(&mut self, terms: &Terms, now: u64) {
        let oldest = terms.oldest(now);
        while self.blocks.front().is_some_and(|block| end(block) <= oldest) {
            self.drop_oldest();
        }
        let part = terms.part_bytes(self.agents);
        let next = in_pages(self.open.len() * 8) + in_pages(terms.most_block_bytes(self.agents));
        while !self.blocks.is_empty() && self.block_bytes + next > part {
            self.drop_oldest();
            self.dropped += 1;
        }
    }

    /// Appends what is known of an agent at some ticks.
    pub(super) fn append(
        &self,
        row: &Row,
        agent: u64,
        ticks: Range<u64>,
        reader: &mut Reader,
        past: &mut Past,
    ) -> Result<()> {
        for block in &self.blocks {
            reader.append(&Block::parse(block)?, row, agent, ticks.clone(), past)?;
        }
        let (first, end) = (self.first_tick, self.first_tick + self.ticks as u64);
        let place = agent.checked_sub(self.first_agent).filter(|&n| n < self.agents as u64);
        if let Some(place) = place
            && ticks.start < end
            && first < ticks.end
        {
            let start = ticks.start.saturating_sub(first) as usize;
            let ticks = start..(ticks.end.min(end) - first) as usize;
            self.planes().append(row, place as usize, ticks, first, past);
        }
        Ok(())
    }

    /// Adds what there is to the totals after `now` ticks.
    pub(super) fn count(&self, terms: &Terms, now: u64, totals: &mut HistoryTotals) {
        let mut first = if self.ticks > 0 { self.first_tick } else { now };
        for header in self.blocks.iter().rev().filter_map(|block| Header::read(block)) {
            // A block that is missing ends what is whole.
            if header.first_tick + u64::from(header.ticks) == first {
                first = header.first_tick;
            }
            let rows = u64::from(header.ticks) * u64::from(header.agents);
            totals.raw_bytes += rows * terms.row.raw_bytes() as u64;
        }
        totals.ticks = totals.ticks.min(now - first.max(terms.oldest(now)));
        totals.blocks += self.blocks.len() as u64;
        totals.stored_bytes += self.blocks.iter().map(|block| block.len() as u64).sum::<u64>();
        totals.open_bytes += self.open.len() as u64 * 8;
        totals.dropped += self.dropped;
    }
}

/// The tick after a block's last.
fn end(block: &[u8]) -> u64 {
    Header::read(block).map_or(0, |header| header.first_tick + u64::from(header.ticks))
}
