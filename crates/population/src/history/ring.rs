//! The blocks of agents whose ids follow each other, oldest first, and the rows that are no block yet.
//!
//! A ring has places for the ids of its range, whoever of them is there: agents may come, rest, go,
//! and be moved from chunk to chunk, and their past stays where it is.

use std::collections::VecDeque;
use std::ops::Range;

use populace_pool::SharedResource;
use populace_tensor::Array;

use crate::Result;
use crate::history::block::Header;
use crate::history::planes::{Planes, Spot, put_rows};
use crate::history::terms::Terms;
use crate::history::{Block, HistoryTotals, Past, Reader, Writer};
use crate::memory::page_bytes;
use crate::roster::{Call, Called};

/// What some of a chunk's agents did at a tick: (agents, modalities) and (agents, factors) of all.
#[derive(Clone, Copy)]
pub(crate) struct Deeds<'a> {
    pub(crate) tick: u64,
    pub(crate) called: Called<'a>,
    pub(crate) observations: &'a [i32],
    pub(crate) actions: &'a [i32],
}

/// A ring of blocks.
pub(super) struct Ring {
    pub(super) first_agent: u64,
    pub(super) agents: usize,
    /// What it may take, in bytes.
    pub(super) part_bytes: u64,
    /// Whether it has agents who may be stepped.
    pub(super) stays: bool,
    pub(super) blocks: VecDeque<Closed>,
    /// What the blocks take, in whole pages, in bytes.
    pub(super) block_bytes: u64,
    pub(super) dropped: u64,
    /// The tick from which on everything is there.
    pub(super) whole_from: u64,
    /// The planes of rows that are no block yet; empty before there are any.
    pub(super) open: Array<u64>,
    pub(super) ticks: usize,
    pub(super) first_tick: u64,
    /// How many rows there are in them.
    pub(super) rows: u64,
}

/// A block, and how many rows it has.
pub(super) struct Closed {
    pub(super) block: Array<u8>,
    pub(super) rows: u64,
}

pub(super) fn in_pages(bytes: usize) -> u64 {
    (bytes as u64).next_multiple_of(page_bytes())
}

/// The calls at some places of a chunk, where not all its agents are called.
fn calls_at<'a>(called: Called<'a>, places: &Range<usize>) -> Option<&'a [Call]> {
    let Called::Some(calls) = called else { return None };
    let at = |place: usize| calls.partition_point(|call| (call.place as usize) < place);
    Some(&calls[at(places.start)..at(places.end)])
}

impl Ring {
    /// An empty ring, of agents of whom nothing is known before a tick.
    pub(super) fn new(
        first_agent: u64,
        agents: usize,
        begun: u64,
        memory: &SharedResource,
    ) -> Result<Self> {
        Ok(Self {
            first_agent,
            agents,
            part_bytes: 0,
            stays: false,
            blocks: VecDeque::new(),
            block_bytes: 0,
            dropped: 0,
            whole_from: begun,
            open: Array::zeroed(memory, 0)?,
            ticks: 0,
            first_tick: 0,
            rows: 0,
        })
    }

    /// Whether nothing is kept.
    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty() && self.ticks == 0
    }

    /// What it takes, in whole pages, in bytes.
    pub(super) fn held_bytes(&self) -> u64 {
        self.block_bytes + in_pages(self.open.len() * size_of::<u64>())
    }

    /// Makes the list long enough for as many blocks as there can be.
    pub(super) fn reserve(&mut self, blocks: usize) {
        self.blocks.reserve(blocks.saturating_sub(self.blocks.len()));
    }

    /// Adds rows of the agents at some places of a chunk, the first of whom is `id`. Where the planes are
    /// full, a block is made of them first.
    pub(super) fn record(
        &mut self,
        terms: &Terms,
        deeds: Deeds<'_>,
        (places, id): (Range<usize>, u64),
        writer: &mut Writer,
        memory: &SharedResource,
    ) {
        let calls = calls_at(deeds.called, &places);
        if calls.is_some_and(<[Call]>::is_empty) {
            return;
        }
        let room = terms.block_ticks(self.agents);
        if self.ticks > 0 && deeds.tick - self.first_tick >= room as u64 {
            self.close(terms, writer, memory);
        }
        if self.ticks == 0 && !self.begin(terms, deeds.tick, memory) {
            return;
        }
        let tick = (deeds.tick - self.first_tick) as usize;
        self.ticks = tick + 1;
        self.rows += calls.map_or(places.len(), <[Call]>::len) as u64;
        let (row, first) = (&terms.row, places.start);
        let ((modalities, factors), summary) = (row.shape(), row.summary_numbers());
        let agent = (id - self.first_agent) as usize;
        let spot = Spot { room, agents: self.agents, tick, agent };
        let Writer { column, notes, .. } = writer;
        put_rows(row, &mut self.open, spot, &mut column[..places.len()], |number, column| {
            let mut put = |agent: usize| {
                column[agent - first] = if number < modalities {
                    (deeds.observations[agent * modalities + number] + 1) as u32
                } else if number == modalities {
                    row.action_number(&deeds.actions[agent * factors..(agent + 1) * factors])
                } else {
                    notes[agent * summary + number - modalities - 1]
                };
            };
            match calls {
                None => places.clone().for_each(put),
                Some(calls) => {
                    calls.iter().for_each(|call| put(call.place as usize));
                }
            }
            if let Some(calls) = calls {
                // Who was not called has zeros.
                let mut calls = calls.iter().map(|call| call.place as usize - first).peekable();
                for (place, number) in column.iter_mut().enumerate() {
                    if calls.next_if_eq(&place).is_none() {
                        *number = 0;
                    }
                }
            }
        });
    }

    /// Opens planes at a tick; whether there is memory, and room for the block that they become.
    fn begin(&mut self, terms: &Terms, tick: u64, memory: &SharedResource) -> bool {
        if self.open.is_empty() {
            let there = self.block_bytes + self.next_bytes(terms) <= self.part_bytes;
            let words = terms.open_words(self.agents);
            match Array::zeroed(memory, if there { words } else { 0 }) {
                Ok(open) => self.open = open,
                Err(_refused) => {}
            }
        }
        if self.open.is_empty() {
            // Ticks that follow each other are dropped as one.
            self.dropped += u64::from(tick == 0 || self.whole_from != tick);
            self.whole_from = tick + 1;
            return false;
        }
        self.first_tick = tick;
        true
    }

    fn planes(&self, terms: &Terms) -> Planes<'_> {
        let Self { ref open, ticks, agents, .. } = *self;
        let room = terms.block_ticks(agents);
        Planes { words: open, room, ticks, agents, differences: false }
    }

    /// Makes a block of the rows so far.
    fn close(&mut self, terms: &Terms, writer: &mut Writer, memory: &SharedResource) {
        let planes = self.planes(terms);
        let block = writer.block(&terms.row, planes, self.first_tick, self.first_agent);
        match Array::copied(memory, block) {
            Ok(block) => {
                self.block_bytes += in_pages(block.len());
                self.blocks.push_back(Closed { block, rows: self.rows });
            }
            Err(_refused) => {
                self.dropped += 1;
                self.whole_from = self.first_tick + self.ticks as u64;
            }
        }
        self.clear();
    }

    fn clear(&mut self) {
        self.open.fill(0);
        (self.ticks, self.rows) = (0, 0);
    }

    fn drop_oldest(&mut self) -> u64 {
        let Some(Closed { block, .. }) = self.blocks.pop_front() else { return 0 };
        self.block_bytes -= in_pages(block.len());
        end(&block)
    }

    /// What the open planes take and the block that they become, in the worst case, in bytes.
    fn next_bytes(&self, terms: &Terms) -> u64 {
        in_pages(terms.open_words(self.agents) * 8) + in_pages(terms.most_block_bytes(self.agents))
    }

    /// Lets go of blocks without a tick that can be asked about when there were `now` ticks, and of
    /// the oldest until there is room for one more, whatever it will hold.
    pub(super) fn make_room(&mut self, terms: &Terms, now: u64, memory: &SharedResource) {
        let oldest = terms.oldest(now);
        while self.blocks.front().is_some_and(|closed| end(&closed.block) <= oldest) {
            self.drop_oldest();
        }
        if self.ticks > 0 && self.first_tick + self.ticks as u64 <= oldest {
            self.clear();
        }
        let next = self.next_bytes(terms);
        while !self.blocks.is_empty() && self.block_bytes + next > self.part_bytes {
            self.whole_from = self.whole_from.max(self.drop_oldest());
            self.dropped += 1;
        }
        if next > self.part_bytes && !self.open.is_empty() {
            self.whole_from = self.whole_from.max(self.first_tick + self.ticks as u64);
            self.dropped += u64::from(self.ticks > 0);
            self.clear();
            // An empty array takes nothing that could be refused.
            if let Ok(none) = Array::zeroed(memory, 0) {
                self.open = none;
            }
        }
    }

    /// Appends what is known of an agent at some ticks.
    pub(super) fn append(
        &self,
        terms: &Terms,
        agent: u64,
        ticks: Range<u64>,
        reader: &mut Reader,
        past: &mut Past,
    ) -> Result<()> {
        for Closed { block, .. } in &self.blocks {
            let apart = |header: &Header| {
                header.first_tick >= ticks.end
                    || header.first_tick + u64::from(header.ticks) <= ticks.start
            };
            if Header::read(block).is_none_or(|header| !apart(&header)) {
                reader.append(&Block::parse(block)?, &terms.row, agent, ticks.clone(), past)?;
            }
        }
        let (first, end) = (self.first_tick, self.first_tick + self.ticks as u64);
        if ticks.start < end && first < ticks.end && self.ticks > 0 {
            let place = (agent - self.first_agent) as usize;
            let start = ticks.start.saturating_sub(first) as usize;
            let ticks = start..(ticks.end.min(end) - first) as usize;
            self.planes(terms).append(&terms.row, place, ticks, first, past);
        }
        Ok(())
    }

    /// Adds what there is to the totals after `now` ticks.
    pub(super) fn count(&self, terms: &Terms, now: u64, totals: &mut HistoryTotals) {
        let rows: u64 = self.blocks.iter().map(|closed| closed.rows).sum();
        totals.raw_bytes += rows * terms.row.raw_bytes() as u64;
        totals.ticks = totals.ticks.min(now - self.whole_from.max(terms.oldest(now)).min(now));
        totals.blocks += self.blocks.len() as u64;
        totals.stored_bytes +=
            self.blocks.iter().map(|closed| closed.block.len() as u64).sum::<u64>();
        totals.open_bytes += self.open.len() as u64 * 8;
        totals.dropped += self.dropped;
    }
}

/// The tick after a block's last.
pub(super) fn end(block: &[u8]) -> u64 {
    Header::read(block).map_or(0, |header| header.first_tick + u64::from(header.ticks))
}
