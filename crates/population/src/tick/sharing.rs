//! Agents in the same position are stepped once.
//!
//! A position is all that a step depends on: stored beliefs, their bound, the last action, what is
//! observed; equal byte by byte. One agent of each position in a batch, its leader, is stepped; the
//! others take over what it believes then, and its action, or draw their own from its policies where
//! actions are drawn. Since an agent's bits do not depend on who is stepped beside it, neither do they
//! depend on whether it was stepped itself: results are those without sharing.
//!
//! Afterwards records that are equal are stored once, where that pays: those of agents in one position
//! are, and some of others, which their leaders' are compared for. What is stored once is one position
//! at the next tick without looking.
//!
//! Whether this pays is found by trying. Sparse steps are no dearer than finding out, so models that
//! have them are left alone, and so are agents with experience, which is each one's own.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use bytemuck::cast_slice;
use populace_agent::random::{Purpose, Stream, mix};
use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::lanes::LANES;

use super::{Part, Worker};
use crate::Result;
use crate::chunk::{ChunkLayout, Columns, NOT_BORN};
use crate::record::{DENSE, Number, RecordLayout};
use crate::roster::Called;

/// Nobody, in a chain of followers; an empty place, in a table.
const NOBODY: u32 = u32::MAX;

/// Who is in whose position; a worker's, empty where nothing is ever shared.
pub(super) struct Positions {
    /// Whether the chunk that is stepped was looked through.
    pub(super) found: bool,
    /// The leader of each agent, at or before its own place.
    pub(super) leader: Array<u32>,
    /// The next agent with the same leader; once all are stepped, the first with an equal record.
    pub(super) next: Array<u32>,
    /// Leaders by the hash of their position: open addressing, at most half full.
    table: Array<u32>,
}

impl Positions {
    pub(super) fn new(
        layout: &ChunkLayout,
        agents: usize,
        soft: bool,
        memory: &SharedResource,
    ) -> Result<Self> {
        let never = soft || !layout.steps_alike;
        let agents = if never { 0 } else { agents };
        let places = if never { 0 } else { (2 * agents).next_power_of_two() };
        Ok(Self {
            found: false,
            leader: Array::zeroed(memory, agents)?,
            next: Array::zeroed(memory, agents)?,
            table: Array::zeroed(memory, places)?,
        })
    }

    /// Begins a chunk of `len` agents: who is not called follows nobody.
    pub(super) fn begin(&mut self, called: Called<'_>, len: usize) {
        self.found = false;
        if matches!(called, Called::Some(_)) && !self.never() {
            (0..).zip(&mut self.leader[..len]).for_each(|(agent, leader)| *leader = agent);
        }
    }

    fn never(&self) -> bool {
        self.table.is_empty()
    }
}

/// Whether a population shares steps: while at least half of them are saved, and every
/// [`Sharing::REST`]th tick to see whether they would be.
#[derive(Debug, Default)]
pub(crate) struct Sharing {
    rest: u32,
}

impl Sharing {
    const REST: u32 = 16;

    /// Whether the coming tick shares.
    pub(crate) fn tries(&self) -> bool {
        self.rest == 0
    }

    /// Takes in how many of its agents a tick did not have to step.
    pub(crate) fn found(&mut self, saved: u64, agents: u64) {
        self.rest = match self.rest {
            0 if 2 * saved < agents => Self::REST - 1,
            rest => rest.saturating_sub(1),
        };
    }
}

impl<T: Number> Part<'_, '_, '_, T> {
    /// Finds the leaders of a batch; answers whether it is shared.
    pub(super) fn find_leaders(&mut self, calls: Range<usize>, saved: &AtomicU64) -> bool {
        if self.worker.positions.never() {
            return false;
        }
        self.worker.positions.found = true;
        self.worker.positions.table.fill(NOBODY);
        let mask = self.worker.positions.table.len() - 1;
        let mut followers = 0;
        let called = self.called;
        for agent in calls.map(|k| called.place(k)) {
            let mut place = self.position_hash(agent) as usize & mask;
            loop {
                let leader = self.worker.positions.table[place];
                if leader == NOBODY {
                    self.worker.positions.table[place] = agent as u32;
                    self.worker.positions.leader[agent] = agent as u32;
                    self.worker.positions.next[agent] = NOBODY;
                    break;
                }
                if self.same_position(agent, leader as usize) {
                    let positions = &mut self.worker.positions;
                    positions.leader[agent] = leader;
                    positions.next[agent] = positions.next[leader as usize];
                    positions.next[leader as usize] = agent as u32;
                    followers += 1;
                    break;
                }
                place = (place + 1) & mask;
            }
        }
        saved.fetch_add(followers, Ordering::Relaxed);
        true
    }

    /// Whether an agent is stepped itself.
    pub(super) fn leads(&self, agent: usize) -> bool {
        self.worker.positions.leader[agent] as usize == agent
    }

    fn record_of(&self, agent: usize) -> &[u8] {
        let bytes = self.stored.bytes_in(&self.columns, agent);
        &self.stream[self.worker.before[agent] as usize..][..bytes]
    }

    fn observed(&self, agent: usize) -> &[i32] {
        let modalities = self.tick.model.num_obs().len();
        &self.worker.observations[agent * modalities..(agent + 1) * modalities]
    }

    fn position_hash(&self, agent: usize) -> u64 {
        let hash = u64::from(self.columns.action(agent));
        let hash = if self.form.shared {
            mix(hash ^ u64::from(self.worker.before[agent]) << 32)
        } else {
            hashed(hash, self.record_of(agent))
        };
        hashed(hash, cast_slice(self.observed(agent)))
    }

    /// Whether two agents' records are equal.
    fn same_record(&self, a: usize, b: usize) -> bool {
        if self.form.shared {
            return self.worker.before[a] == self.worker.before[b];
        }
        let variable = self.stored.variable();
        let length = |agent: usize, v: usize| self.columns.length(agent * variable + v);
        (0..variable).all(|v| length(a, v) == length(b, v))
            && self.record_of(a) == self.record_of(b)
    }

    fn same_position(&self, a: usize, b: usize) -> bool {
        let bounded = self.stored.bounded;
        self.columns.action(a) == self.columns.action(b)
            && (!bounded || self.columns.bound(a) == self.columns.bound(b))
            && self.observed(a) == self.observed(b)
            && self.same_record(a, b)
    }

    /// Draws the actions of those who follow the agents of the block that was stepped last.
    pub(super) fn draw_followers(&mut self, agents: &[u32]) {
        let model = self.tick.model;
        let moment = self.tick.moment;
        let factors = model.num_states().len();
        let stream = Stream::new(moment.seed, moment.tick, Purpose::Act);
        let mut turn = [NOBODY; LANES];
        turn[..agents.len()].copy_from_slice(agents);
        loop {
            let worker = &mut *self.worker;
            for agent in turn.iter_mut().filter(|agent| **agent != NOBODY) {
                *agent = worker.positions.next[*agent as usize];
            }
            if turn == [NOBODY; LANES] {
                return;
            }
            let drawing = || turn.iter().enumerate().filter(|&(_, &agent)| agent != NOBODY);
            for (lane, &agent) in drawing() {
                let place = self.members.id(agent as usize) * factors as u64;
                for factor in 0..factors {
                    worker.scratch.draw(factor, lane, stream.uniform(place + factor as u64));
                }
            }
            model.sample_action(&mut worker.scratch);
            for (lane, &agent) in drawing() {
                worker.take_actions(lane, agent as usize, factors);
            }
        }
    }

    /// Gives every follower of a batch what its leader has now.
    pub(super) fn follow(&mut self, calls: Range<usize>) {
        let called = self.called;
        let record = &self.tick.layout.record;
        let draws = self.tick.model.draws_actions();
        let factors = self.tick.model.num_states().len();
        let variable = record.variable();
        for agent in calls.map(|k| called.place(k)) {
            let worker = &mut *self.worker;
            let leader = worker.positions.leader[agent] as usize;
            if leader == agent {
                continue;
            }
            if !draws {
                let from = leader * factors;
                worker.actions.copy_within(from..from + factors, agent * factors);
            }
            if record.bounded {
                self.columns.set_bound(agent, self.columns.bound(leader));
            }
            if self.fixed {
                let from = worker.before[leader] as usize;
                let bytes = record.bytes_of(|_| DENSE);
                self.stream.copy_within(from..from + bytes, worker.before[agent] as usize);
            } else {
                worker.after[agent] = worker.after[leader];
                let from = leader * variable;
                worker.lengths.copy_within(from..from + variable, agent * variable);
            }
        }
    }
}

impl<T: Number> Worker<T> {
    /// Finds the records that are equal after the tick, among those of the leaders: each agent's `next`
    /// becomes the place of the first who has its record.
    pub(super) fn find_equals(&mut self, record: &RecordLayout, columns: &Columns<'_>) {
        let Self { positions, lengths, after, records, .. } = self;
        let Positions { leader, next, table, .. } = positions;
        let (lengths, records) = (&lengths[..], cast_slice::<u64, u8>(records));
        let variable = record.variable();
        let lengths = |agent: usize| &lengths[agent * variable..(agent + 1) * variable];
        let record_of = |agent: usize| {
            let bytes = record.bytes_of(|v| lengths(agent)[v]);
            &records[after[agent] as usize..][..bytes]
        };
        table.fill(NOBODY);
        let mask = table.len() - 1;
        for agent in 0..columns.len() {
            let first = leader[agent] as usize;
            // Nothing is stored of those who were not stepped yet.
            if columns.action(agent) == NOT_BORN {
                next[agent] = agent as u32;
                continue;
            }
            if first != agent {
                next[agent] = next[first];
                continue;
            }
            let mut place = hashed(0, record_of(agent)) as usize & mask;
            next[agent] = loop {
                let other = table[place];
                if other == NOBODY {
                    table[place] = agent as u32;
                    break agent as u32;
                }
                let it = other as usize;
                if lengths(it) == lengths(agent) && record_of(it) == record_of(agent) {
                    break other;
                }
                place = (place + 1) & mask;
            };
        }
    }
}

/// Mixes bytes into a hash.
fn hashed(hash: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks();
    let hash = words.iter().fold(hash, |hash, &word| mix(hash ^ u64::from_ne_bytes(word)));
    mix(hash ^ rest.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)))
}
