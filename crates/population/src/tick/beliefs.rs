//! Beliefs between their records and a block.
//!
//! Where something may be lost, what a record will be read as is compared with what was computed, and
//! the agent's bound grows by it.

use bytemuck::{cast_slice, cast_slice_mut};
use populace_tensor::lanes::{LANES, deinterleave, interleave};

use super::{Part, Worker};
use crate::chunk::NOT_BORN;
use crate::record::{DENSE, Factor, Keep, Number, RecordLayout, distance, shed};

impl<T: Number> Part<'_, '_, '_, T> {
    fn length(&self, agent: usize, variable: usize) -> u32 {
        self.columns.length(agent * self.tick.layout.record.variable() + variable)
    }

    pub(super) fn read_sparse(&mut self, agents: &[u32]) {
        let factor = self.stored.factors[0];
        for (lane, &agent) in agents.iter().enumerate() {
            let agent = agent as usize;
            if self.columns.action(agent) == NOT_BORN {
                continue;
            }
            let n = self.length(agent, 0);
            let part = &self.stream[self.worker.before[agent] as usize..][..factor.part_bytes(n)];
            let Some(sparse) = self.worker.scratch.sparse() else { continue };
            let (states, values, len) = sparse.belief_mut(lane);
            factor.read_sparse(part, n as usize, states, values);
            *len = n;
        }
    }

    pub(super) fn write_sparse(&mut self, agents: &[u32]) {
        let record = &self.tick.layout.record;
        let factor = record.factors[0];
        let Worker { scratch, records, records_len, after, lengths, values: room, .. } =
            &mut *self.worker;
        for (lane, &agent) in agents.iter().enumerate() {
            let mut bound = scratch.bound(lane);
            let Some(sparse) = scratch.sparse() else { return };
            let (states, values, len) = sparse.belief_mut(lane);
            let (mut n, mut dropped) = (*len as usize, 0.0);
            if record.is_lossy() {
                let mass = record.shedding.allowed(bound);
                (n, dropped) = shed(&mut states[..n], &mut values[..n], mass, factor.code, room);
            }
            let (states, values) = (&states[..n], &values[..n]);
            let length = factor.choose(n, n as u32);
            let bytes = factor.part_bytes(length);
            let part = &mut cast_slice_mut(records)[*records_len..*records_len + bytes];
            factor.write_list(states, values, length, room, part);
            if record.bounded {
                bound += lost(&factor, states, values, dropped, length, part, room);
                self.columns.set_bound(agent as usize, bound);
            }
            lengths[agent as usize] = length;
            after[agent as usize] = *records_len as u32;
            *records_len += bytes;
        }
    }

    /// Reads the beliefs of a block into the rows. Lanes that were not born yet take another's: their
    /// prior is D.
    pub(super) fn read_dense(&mut self, agents: &[u32]) {
        let born = |agent: u32| self.columns.action(agent as usize) != NOT_BORN;
        let Some(some) = agents.iter().copied().find(|&agent| born(agent)) else { return };
        let mut from = [some as usize; LANES];
        for (from, &agent) in from.iter_mut().zip(agents) {
            *from = if born(agent) { agent as usize } else { *from };
        }
        let record = self.stored;
        let isa = self.tick.model.isa();
        let mut at = from.map(|agent| self.worker.before[agent] as usize);
        let (mut variable, mut row) = (0, 0);
        for factor in &record.factors {
            let mut lengths = [DENSE; LANES];
            if factor.keep != Keep::Dense {
                lengths = from.map(|agent| self.length(agent, variable));
                variable += 1;
            }
            let Worker { scratch, values: room, .. } = &mut *self.worker;
            let rows = &mut scratch.beliefs_mut()[row..row + factor.states];
            row += factor.states;
            let part = |lane: usize| &self.stream[at[lane]..][..factor.part_bytes(lengths[lane])];
            if lengths == [DENSE; LANES] && !factor.code.is_lossy() {
                let parts: [&[T]; LANES] = std::array::from_fn(|lane| cast_slice(part(lane)));
                interleave(isa, &parts, rows);
            } else {
                for (lane, &length) in lengths.iter().enumerate() {
                    factor.read_rows(part(lane), length, room, rows, lane);
                }
            }
            for (at, &length) in at.iter_mut().zip(&lengths) {
                *at += factor.part_bytes(length);
            }
        }
    }

    /// Writes the beliefs of a block from the rows.
    pub(super) fn write_dense(&mut self, agents: &[u32]) {
        let record = &self.tick.layout.record;
        let isa = self.tick.model.isa();
        let threshold = self.tick.model.sparse_threshold();
        let Worker {
            scratch,
            records,
            records_len,
            after,
            lengths,
            states,
            values,
            before,
            room,
            ..
        } = &mut *self.worker;
        let to: &mut [u8] =
            if self.fixed { &mut *self.stream } else { cast_slice_mut(&mut *records) };
        if !self.fixed {
            // Every agent has room for the longest record: its length is not known before all its
            // factors are written.
            for &agent in agents {
                after[agent as usize] = *records_len as u32;
                *records_len += record.most_bytes();
            }
        }
        let starts = if self.fixed { before } else { after };
        let mut at = [0; LANES];
        for (at, &agent) in at.iter_mut().zip(agents) {
            *at = starts[agent as usize] as usize;
        }
        let (mut variable, mut row) = (0, 0);
        for factor in &record.factors {
            let values = &mut values[..LANES * factor.states];
            deinterleave(isa, &scratch.beliefs()[row..row + factor.states], values);
            row += factor.states;
            for (lane, &agent) in agents.iter().enumerate() {
                let belief = &mut values[lane * factor.states..(lane + 1) * factor.states];
                let part = &mut to[at[lane]..];
                let bound = scratch.bound(lane);
                let mut put = Put { record, factor, threshold, states, room };
                let (length, lost) = put.belief(belief, bound, part);
                if factor.keep != Keep::Dense {
                    lengths[agent as usize * record.variable() + variable] = length;
                }
                if record.bounded {
                    self.columns.set_bound(agent as usize, bound + lost);
                }
                at[lane] += factor.part_bytes(length);
            }
            variable += usize::from(factor.keep != Keep::Dense);
        }
    }
}

/// What the belief of a dense step is written with.
struct Put<'a, T> {
    record: &'a RecordLayout,
    factor: &'a Factor,
    threshold: T,
    states: &'a mut [u32],
    /// Twice as long as a belief; empty where nothing can be lost.
    room: &'a mut [T],
}

impl<T: Number> Put<'_, T> {
    /// Writes a belief to the front of `part`; answers its length, and how far it is from what will
    /// be read where agents carry bounds.
    fn belief(&mut self, belief: &mut [T], bound: f64, part: &mut [u8]) -> (u32, f64) {
        if self.record.is_lossy() {
            return self.lossy(belief, bound, part);
        }
        let Self { factor, threshold, states, .. } = self;
        let mut length = DENSE;
        if factor.keep != Keep::Dense {
            let n = belief.iter().filter(|&&q| q > *threshold).count();
            length = factor.choose(n, DENSE);
        }
        let part = &mut part[..factor.part_bytes(length)];
        if length == DENSE {
            factor.code.write(belief, part);
        } else {
            let n = Factor::gather(belief, *threshold, states);
            factor.write_sparse(&states[..n], &belief[..n], part);
        }
        (length, 0.0)
    }

    fn lossy(&mut self, belief: &[T], bound: f64, part: &mut [u8]) -> (u32, f64) {
        let Self { record, factor, threshold, states, room } = self;
        let (list, room) = room.split_at_mut(belief.len());
        if factor.keep != Keep::Dense {
            list.copy_from_slice(belief);
            let n = Factor::gather(list, *threshold, states);
            let below: f64 = belief.iter().filter(|&&q| q <= *threshold).map(|q| q.to_f64()).sum();
            let mass = record.shedding.allowed(bound);
            let (n, dropped) = shed(&mut states[..n], &mut list[..n], mass, factor.code, room);
            let length = factor.choose(n, DENSE);
            if length != DENSE {
                let part = &mut part[..factor.part_bytes(length)];
                let (states, list) = (&states[..n], &list[..n]);
                factor.write_sparse(states, list, part);
                let lost = if record.bounded {
                    lost(factor, states, list, dropped + below, length, part, room)
                } else {
                    0.0
                };
                return (length, lost);
            }
        }
        let part = &mut part[..factor.part_bytes(DENSE)];
        factor.code.write(belief, part);
        let mut lost = 0.0;
        if record.bounded && factor.code.is_lossy() {
            let read = &mut room[..belief.len()];
            factor.code.read(part, read);
            lost = distance(belief.iter().copied(), 0.0, read.iter().copied());
        }
        (DENSE, lost)
    }
}

/// How far what was written is from what was computed, of which `dropped` is not in the lists; they
/// were scaled to sum to 1 without it.
pub(super) fn lost<T: Number>(
    factor: &Factor,
    states: &[u32],
    values: &[T],
    dropped: f64,
    length: u32,
    part: &[u8],
    room: &mut [T],
) -> f64 {
    let mut lost = dropped;
    if factor.code.is_lossy() {
        let n = if length == DENSE { factor.states } else { states.len() };
        let read = &mut room[..n];
        let numbers = &part[..factor.numbers_bytes(n)];
        factor.code.read(numbers, read);
        let computed = values.iter().copied();
        lost += if length == DENSE {
            distance(computed, 0.0, states.iter().map(|&s| read[s as usize]))
        } else {
            distance(computed, 0.0, read.iter().copied())
        };
    }
    lost
}
