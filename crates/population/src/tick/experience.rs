//! What agents have been through, between their records and a block: the past of their windows and
//! the counts that they have learnt.

use bytemuck::{cast_slice, cast_slice_mut};
use populace_agent::{CompiledModel, Scratch};
use populace_tensor::lanes::{LANES, deinterleave, interleave};

use super::{Part, Tick, Worker};
use crate::chunk::{ChunkLayout, Columns, NOT_BORN};
use crate::experience::Past;
use crate::record::Number;

/// The records of a chunk as they were before the tick.
#[derive(Clone, Copy)]
pub(crate) struct Records<'a> {
    pub(crate) layout: &'a ChunkLayout,
    pub(crate) columns: &'a Columns<'a>,
    pub(crate) stream: &'a [u8],
    /// Where each agent's record starts.
    pub(crate) before: &'a [u32],
}

impl<'a> Records<'a> {
    /// The experience in an agent's record, if it was born and has any.
    fn experience(&self, agent: usize) -> Option<&'a [u8]> {
        let none = self.layout.record.experience.is_empty();
        if none || self.columns.action(agent) == NOT_BORN {
            return None;
        }
        let record = &self.layout.record;
        let variable = record.variable();
        let beliefs = record.bytes_of(|v| self.columns.length(agent * variable + v));
        Some(&self.stream[self.before[agent] as usize + beliefs..])
    }

    /// How much of its past an agent has, if it was born.
    pub(super) fn past(&self, agent: usize) -> Option<Past> {
        self.experience(agent).map(|part| self.layout.record.experience.past(part))
    }
}

impl<T: Number> Part<'_, '_, '_, T> {
    pub(super) fn records(&self) -> Records<'_> {
        Records {
            layout: self.tick.layout,
            columns: &self.columns,
            stream: self.stream,
            before: &self.worker.before,
        }
    }

    /// The records, and what the block is computed in.
    fn records_and_scratch(&mut self) -> (Records<'_>, &mut Scratch<T>) {
        let Worker { before, scratch, .. } = &mut *self.worker;
        let (layout, columns) = (self.tick.layout, &self.columns);
        (Records { layout, columns, stream: self.stream, before }, scratch)
    }

    /// Reads the windows of a block, whose agents have as much past.
    pub(super) fn read_past(&mut self, agents: &[u32]) {
        let Tick { layout, world, .. } = self.tick;
        let experience = &layout.record.experience;
        let (records, scratch) = self.records_and_scratch();
        let past = records.past(agents[0] as usize).unwrap_or_default();
        scratch.set_past(past.observations, past.actions);
        for (lane, &agent) in agents.iter().enumerate() {
            let Some(part) = records.experience(agent as usize) else { continue };
            for step in 0..past.observations {
                let observation = experience.observation(part, step);
                if world.is_soft() {
                    scratch.past_observed_soft(step, lane, cast_slice(observation));
                } else {
                    scratch.past_observed(step, lane, experience.outcomes(observation));
                }
            }
            for step in 0..past.actions {
                let actions = layout.decode_action(experience.action(part, step));
                scratch.past_took_last_first(step, lane, actions);
            }
        }
    }

    /// Reads the priors that the windows of a block start from; of agents that were not born it is D.
    pub(super) fn read_priors(&mut self, agents: &[u32]) {
        let Tick { model, layout, .. } = *self.tick;
        let experience = &layout.record.experience;
        let (records, scratch) = self.records_and_scratch();
        let mut from = [model.initial(); LANES];
        for (from, &agent) in from.iter_mut().zip(agents) {
            if let Some(part) = records.experience(agent as usize) {
                *from = cast_slice(experience.prior(part));
            }
        }
        interleave(model.isa(), &from, scratch.prior_mut());
    }

    /// Reads the counts of a block.
    pub(super) fn read_counts(&mut self, agents: &[u32]) {
        let model = self.tick.model;
        let (records, scratch) = self.records_and_scratch();
        read_counts(model, records, scratch, agents);
    }

    /// Reads what the agents of a block follow.
    pub(super) fn read_followed(&mut self, agents: &[u32]) {
        let experience = &self.tick.layout.record.experience;
        let (records, scratch) = self.records_and_scratch();
        for (lane, &agent) in agents.iter().enumerate() {
            if let Some(part) = records.experience(agent as usize) {
                scratch.follow(lane, experience.followed(part));
            }
        }
    }

    /// Writes the experience of a block's agents behind their beliefs.
    pub(super) fn write_experience(&mut self, agents: &[u32]) {
        let model = self.tick.model;
        let layout = self.tick.layout;
        let (record, experience) = (&layout.record, &layout.record.experience);
        let variable = record.variable();
        let width = model.belief_len();
        if model.keeps_prior() {
            let Worker { scratch, values, .. } = &mut *self.worker;
            deinterleave(model.isa(), scratch.prior(), &mut values[..LANES * width]);
        }
        let mut at = [0; LANES];
        for (lane, &agent) in agents.iter().enumerate() {
            let agent = agent as usize;
            self.pack_observation(agent);
            let code = self.columns.action(agent);
            let Worker { scratch, records, before, after, lengths, packed, values, .. } =
                &mut *self.worker;
            let now = Records { layout, columns: &self.columns, stream: self.stream, before };
            let beliefs = record.bytes_of(|v| lengths[agent * variable + v]);
            let start = after[agent] as usize + beliefs;
            let part = &mut cast_slice_mut::<u64, u8>(records)[start..];
            let mut past = Past::default();
            if model.infers_windows() {
                let taken = (code != NOT_BORN).then_some(code);
                past = experience.write_past(now.experience(agent), taken, packed, part);
            }
            experience.write_header(past, scratch.mask(lane), scratch.followed(lane), part);
            if model.keeps_prior() {
                let prior = &values[lane * width..(lane + 1) * width];
                experience.prior_mut(part).copy_from_slice(cast_slice(prior));
            }
            at[lane] = start + experience.counts_start(part);
        }
        let Worker { scratch, records, values, .. } = &mut *self.worker;
        let records: &mut [u8] = cast_slice_mut(records);
        for (block, range) in model.shared_counts().1.iter().enumerate() {
            let owns = |lane: usize| CompiledModel::<T>::owns(scratch.mask(lane), block);
            if !(0..agents.len()).any(owns) {
                continue;
            }
            let values = &mut values[..LANES * range.len()];
            deinterleave(model.isa(), &scratch.counts()[range.clone()], values);
            for lane in (0..agents.len()).filter(|&lane| owns(lane)) {
                let own = &values[lane * range.len()..(lane + 1) * range.len()];
                let end = at[lane] + size_of_val(own);
                records[at[lane]..end].copy_from_slice(cast_slice(own));
                at[lane] = end;
            }
        }
    }

    /// Packs what an agent observes now as its record keeps it.
    fn pack_observation(&mut self, agent: usize) {
        let Worker { observations, soft, packed, .. } = &mut *self.worker;
        if packed.is_empty() {
            return;
        }
        if self.tick.world.is_soft() {
            let packed: &mut [T] = cast_slice_mut(packed);
            let soft = &soft[agent * packed.len()..(agent + 1) * packed.len()];
            packed.iter_mut().zip(soft).for_each(|(to, &from)| *to = T::from_f64(from));
        } else {
            let modalities = self.tick.model.num_obs().len();
            let observed = &observations[agent * modalities..(agent + 1) * modalities];
            self.tick.layout.record.experience.pack_outcomes(observed, packed);
        }
    }
}

/// Reads the counts of a block: each agent's own where it has them, the shared ones elsewhere.
pub(crate) fn read_counts<T: Number>(
    model: &CompiledModel<T>,
    records: Records<'_>,
    scratch: &mut Scratch<T>,
    agents: &[u32],
) {
    let experience = &records.layout.record.experience;
    let (shared, blocks) = model.shared_counts();
    let mut own: [&[u8]; LANES] = [&[]; LANES];
    for (lane, &agent) in agents.iter().enumerate() {
        if let Some(part) = records.experience(agent as usize) {
            scratch.mask_mut(lane).copy_from_slice(experience.mask(part));
            own[lane] = &part[experience.counts_start(part)..];
        }
    }
    for (block, range) in blocks.iter().enumerate() {
        let mut from = [&shared[range.clone()]; LANES];
        for (lane, from) in from.iter_mut().enumerate() {
            if CompiledModel::<T>::owns(scratch.mask(lane), block) {
                let (counts, rest) = own[lane].split_at(size_of_val(*from));
                *from = cast_slice(counts);
                own[lane] = rest;
            }
        }
        interleave(model.isa(), &from, &mut scratch.counts_mut()[range.clone()]);
    }
}
