//! One tick of one chunk: observe, step in blocks, act.

mod experience;
mod world;

use bytemuck::{cast_slice, cast_slice_mut};
use populace_agent::random::{Purpose, Stream};
use populace_agent::{CompiledModel, Scratch};
use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::lanes::{LANES, deinterleave, interleave};

use crate::chunk::{Chunk, ChunkLayout, Columns, NOT_BORN, Spare, WORD};
use crate::history::{Archive, Deeds, Writer};
use crate::members::Members;
use crate::population::Probe;
use crate::record::{DENSE, Factor, Keep, Number};
use crate::roster::Called;
use crate::{Moment, Result, trajectory_term};
pub(crate) use experience::{Records, read_counts};
pub(crate) use world::{Observed, Rows, World};

/// What all workers of a tick share.
pub(crate) struct Tick<'a, T: Number> {
    pub(crate) model: &'a CompiledModel<T>,
    pub(crate) layout: &'a ChunkLayout,
    pub(crate) world: World<'a>,
    pub(crate) moment: Moment,
    /// Agents stepped together.
    pub(crate) batch: usize,
    pub(crate) memory: &'a SharedResource,
    /// How many ticks will have been run, where it matters when agents were last stepped.
    pub(crate) ticks: Option<u64>,
    /// Where what agents do is kept.
    pub(crate) history: Option<&'a Archive>,
    /// An agent whose results are wanted, and where to.
    pub(crate) probe: Option<Probe<'a, T>>,
}

/// What a worker works with; a thread has one.
pub(crate) struct Worker<T: Number> {
    pub(crate) scratch: Scratch<T>,
    observations: Array<i32>,
    soft: Array<f64>,
    soft_lane: Array<T>,
    actions: Array<i32>,
    /// Where each agent's record starts, before and after, in bytes.
    pub(crate) before: Array<u32>,
    after: Array<u32>,
    /// Lengths after, (agent, variable factor).
    lengths: Array<u32>,
    /// The agents of a batch by how they are stepped.
    order: Array<u32>,
    /// The records that the tick writes.
    records: Array<u64>,
    records_len: usize,
    states: Array<u32>,
    values: Array<T>,
    /// An observation as an agent's past keeps it; empty where none is kept.
    packed: Array<u8>,
    /// What it lends to chunks that have no memory of their own, where agents may be on disk.
    pub(crate) spare: Option<Spare>,
    /// Makes blocks of history, where it is kept.
    history: Option<Writer>,
}

impl<T: Number> Worker<T> {
    pub(crate) fn new(
        model: &CompiledModel<T>,
        layout: &ChunkLayout,
        agents: usize,
        soft: bool,
        history: Option<&Archive>,
        memory: &SharedResource,
    ) -> Result<Self> {
        let record = &layout.record;
        let variable = if record.fixed() { 0 } else { agents };
        let outcomes: usize = model.num_obs().iter().sum();
        let beliefs = model.num_states().iter().copied();
        let blocks = model.shared_counts().1.iter().map(ExactSizeIterator::len);
        let prior = model.keeps_prior().then(|| model.belief_len());
        let widest = beliefs.chain(blocks).chain(prior).max().unwrap_or(0);
        Ok(Self {
            scratch: model.scratch(record.experience.window(), memory)?,
            observations: Array::zeroed(memory, agents * model.num_obs().len())?,
            soft: Array::zeroed(memory, if soft { agents * outcomes } else { 0 })?,
            soft_lane: Array::zeroed(memory, if soft { outcomes } else { 0 })?,
            actions: Array::zeroed(memory, agents * model.num_states().len())?,
            before: Array::zeroed(memory, agents)?,
            after: Array::zeroed(memory, variable)?,
            lengths: Array::zeroed(memory, variable * record.variable())?,
            order: Array::zeroed(memory, agents)?,
            records: Array::unspecified(
                memory,
                if variable > 0 { layout.most_words(agents) } else { 0 },
            )?,
            records_len: 0,
            states: Array::zeroed(memory, widest)?,
            values: Array::zeroed(memory, LANES * widest)?,
            packed: Array::zeroed(memory, record.experience.observation_bytes())?,
            spare: None,
            history: history.map(|history| history.writer(agents, memory)).transpose()?,
        })
    }
}

/// The arrays of a tick that are kept: (agents, modalities) and (agents, factors) of one chunk.
pub(crate) struct Kept<'a> {
    pub(crate) observations: &'a mut [i32],
    pub(crate) actions: &'a mut [i32],
}

impl<T: Number> Tick<'_, T> {
    /// Takes the agents of a chunk that are called through the tick; answers what they add to the
    /// trajectory hash.
    pub(crate) fn chunk(
        &self,
        chunk: &mut Chunk,
        called: Called<'_>,
        worker: &mut Worker<T>,
        kept: Option<Kept<'_>>,
    ) -> Result<u64> {
        let len = chunk.len();
        let (modalities, factors) = (self.model.num_obs().len(), self.model.num_states().len());
        let fixed = self.layout.record.fixed();
        if fixed {
            let words = self.layout.most_words(len);
            chunk.resize(self.layout, words, self.memory, worker.spare.as_mut())?;
        }
        let row = chunk.row;
        let (members, columns, stream) = chunk.split(self.layout);
        let mut part = Part {
            tick: self,
            worker: &mut *worker,
            called,
            members,
            columns,
            stream: cast_slice_mut(stream),
            fixed,
        };
        part.observe(row);
        let end = part.find_records();
        if !fixed {
            part.pass(end);
        }
        let count = called.count(len);
        for start in (0..count).step_by(self.batch) {
            part.batch(start..count.min(start + self.batch));
        }
        let hash = part.hash();
        if let Some(kept) = kept {
            kept.observations.copy_from_slice(&part.worker.observations[..len * modalities]);
            kept.actions.copy_from_slice(&part.worker.actions[..len * factors]);
        }
        if let (Some(history), Some(writer)) = (self.history, &mut part.worker.history) {
            let (observations, actions) = (&part.worker.observations, &part.worker.actions);
            let deeds = Deeds { tick: self.moment.tick, called, observations, actions };
            history.record(deeds, members, writer);
        }
        part.act(row);
        for k in 0..count {
            let agent = called.place(k);
            let actions = &part.worker.actions[agent * factors..(agent + 1) * factors];
            part.columns.set_action(agent, self.layout.encode_action(actions));
        }
        if !fixed {
            self.store(chunk, worker)?;
        }
        match (called, self.ticks) {
            (_, None) => {}
            (Called::All, Some(ticks)) => chunk.members.step_all(ticks),
            (Called::Some(calls), Some(ticks)) => {
                let places = calls.iter().map(|call| call.place as usize);
                chunk.members.step(places, ticks, self.memory)?;
            }
        }
        Ok(hash)
    }

    fn variable(&self) -> usize {
        self.layout.record.variable()
    }

    /// Puts the records that were written, in whatever order, into the chunk in the agents' order.
    fn store(&self, chunk: &mut Chunk, worker: &mut Worker<T>) -> Result<()> {
        let record = &self.layout.record;
        let variable = self.variable();
        let len = chunk.len();
        let records: &[u8] = cast_slice(&worker.records);
        let (mut columns, _) = chunk.parts(self.layout);
        for (index, &length) in worker.lengths.iter().enumerate().take(len * variable) {
            columns.set_length(index, length);
        }
        let bytes = |columns: &Columns<'_>, agent: usize| {
            if columns.action(agent) == NOT_BORN {
                return 0;
            }
            let lengths = &worker.lengths[agent * variable..(agent + 1) * variable];
            let beliefs = record.bytes_of(|v| lengths[v]);
            beliefs
                + record.experience.bytes::<T>(&records[worker.after[agent] as usize + beliefs..])
        };
        let total: usize = (0..len).map(|agent| bytes(&columns, agent)).sum();
        let words = total.div_ceil(WORD);
        chunk.resize(self.layout, words, self.memory, worker.spare.as_mut())?;
        let records: &[u8] = cast_slice(&worker.records);
        let (columns, stream) = chunk.parts(self.layout);
        let stream: &mut [u8] = cast_slice_mut(stream);
        if total == worker.records_len && worker.after[..len].is_sorted() {
            stream[..total].copy_from_slice(&records[..total]);
            return Ok(());
        }
        let mut to = 0;
        for (agent, &from) in worker.after[..len].iter().enumerate() {
            let bytes = bytes(&columns, agent);
            stream[to..to + bytes].copy_from_slice(&records[from as usize..][..bytes]);
            to += bytes;
        }
        Ok(())
    }
}

/// Where every agent's record starts in its chunk's stream, in bytes, and where the last one ends.
pub(crate) fn find_records<T: Number>(
    layout: &ChunkLayout,
    columns: &Columns<'_>,
    stream: &[u8],
    starts: &mut [u32],
) -> usize {
    let record = &layout.record;
    let variable = record.variable();
    let fixed = record.fixed();
    let mut at = 0;
    for (agent, start) in starts.iter_mut().enumerate() {
        *start = at as u32;
        at += if fixed {
            record.most_bytes()
        } else if columns.action(agent) == NOT_BORN {
            0
        } else {
            let beliefs = record.bytes_of(|v| columns.length(agent * variable + v));
            let experience = stream.get(at + beliefs..).unwrap_or_default();
            beliefs + record.experience.bytes::<T>(experience)
        };
    }
    at
}

/// A chunk in the middle of its tick.
struct Part<'a, 'w, 'b, T: Number> {
    tick: &'a Tick<'b, T>,
    worker: &'w mut Worker<T>,
    called: Called<'a>,
    members: &'a Members,
    columns: Columns<'a>,
    stream: &'a mut [u8],
    fixed: bool,
}

impl<T: Number> Part<'_, '_, '_, T> {
    /// Where every agent's record starts; answers where the last one ends.
    fn find_records(&mut self) -> usize {
        self.worker.records_len = 0;
        let starts = &mut self.worker.before[..self.members.len()];
        find_records::<T>(self.tick.layout, &self.columns, self.stream, starts)
    }

    /// Takes the records of agents that are not called over as they are; the last one ends at `end`.
    fn pass(&mut self, end: usize) {
        let Called::Some(calls) = self.called else { return };
        let variable = self.tick.variable();
        let len = self.members.len();
        let mut calls = calls.iter().map(|call| call.place as usize).peekable();
        let Worker { before, after, lengths, records, records_len, .. } = &mut *self.worker;
        let records: &mut [u8] = cast_slice_mut(records);
        for agent in (0..len).filter(|agent| calls.next_if_eq(agent).is_none()) {
            for index in agent * variable..(agent + 1) * variable {
                lengths[index] = self.columns.length(index);
            }
            let start = before[agent] as usize;
            let end = if agent + 1 < len { before[agent + 1] as usize } else { end };
            records[*records_len..*records_len + end - start]
                .copy_from_slice(&self.stream[start..end]);
            after[agent] = *records_len as u32;
            *records_len += end - start;
        }
    }

    /// What the called agents add to the trajectory hash.
    fn hash(&self) -> u64 {
        let factors = self.tick.model.num_states().len();
        let tick = self.tick.moment.tick;
        let mut hash = 0_u64;
        for k in 0..self.called.count(self.members.len()) {
            let agent = self.called.place(k);
            let id = self.members.id(agent);
            for (factor, &action) in
                self.worker.actions[agent * factors..(agent + 1) * factors].iter().enumerate()
            {
                hash = hash.wrapping_add(trajectory_term(id, tick, factor as u64, action as u64));
            }
        }
        hash
    }

    /// Steps some of the called agents, in blocks of those that are stepped alike.
    fn batch(&mut self, calls: std::ops::Range<usize>) {
        let len = calls.len();
        let called = self.called;
        let sparse = |part: &Self, agent: usize| {
            // The sparse step knows outcomes, not distributions over them.
            part.tick.model.steps_sparse()
                && !part.tick.world.is_soft()
                && !part.fixed
                && (part.columns.action(agent) == NOT_BORN || part.columns.length(agent) != DENSE)
        };
        let mut count = 0;
        for agent in calls.clone().map(|k| called.place(k)) {
            if sparse(self, agent) {
                self.worker.order[count] = agent as u32;
                count += 1;
            }
        }
        let sparse_count = count;
        if count < len {
            for agent in calls.map(|k| called.place(k)) {
                if !sparse(self, agent) {
                    self.worker.order[count] = agent as u32;
                    count += 1;
                }
            }
            self.sort(sparse_count..count);
        }
        let mut start = 0;
        while start < len {
            let end = if start < sparse_count { sparse_count } else { len };
            let mut end = end.min(start + LANES);
            if self.tick.model.infers_windows() {
                let past = self.records().past(self.worker.order[start] as usize);
                let same = |&agent: &u32| self.records().past(agent as usize) == past;
                end = start + self.worker.order[start..end].iter().take_while(|a| same(a)).count();
            }
            let mut block = [0_u32; LANES];
            let block = &mut block[..end - start];
            block.copy_from_slice(&self.worker.order[start..end]);
            self.block(block, start < sparse_count);
            start = end;
        }
    }

    /// Sorts a part of the order: agents of one block have as much past, and lanes that took the same
    /// action are moved together.
    fn sort(&mut self, part: std::ops::Range<usize>) {
        let Worker { order, before, .. } = &mut *self.worker;
        let layout = self.tick.layout;
        let records = Records { layout, columns: &self.columns, stream: self.stream, before };
        order[part].sort_unstable_by_key(|&agent| {
            (records.past(agent as usize), self.columns.action(agent as usize), agent)
        });
    }

    /// Steps a block of agents.
    fn block(&mut self, agents: &[u32], sparse: bool) {
        let Tick { model, layout, moment, .. } = *self.tick;
        let soft = self.tick.world.is_soft();
        let (modalities, factors) = (model.num_obs().len(), model.num_states().len());
        let scratch = &mut self.worker.scratch;
        scratch.start();
        for (lane, &agent) in agents.iter().enumerate() {
            let agent = agent as usize;
            let code = self.columns.action(agent);
            if code != NOT_BORN {
                scratch.took_last_first(lane, layout.decode_action(code));
            }
            if soft {
                let width = self.worker.soft_lane.len();
                let soft = &self.worker.soft[agent * width..(agent + 1) * width];
                for (to, &from) in self.worker.soft_lane.iter_mut().zip(soft) {
                    *to = T::from_f64(from);
                }
                scratch.observe_soft(lane, &self.worker.soft_lane);
            } else {
                let observed = &self.worker.observations[agent * modalities..][..modalities];
                scratch.observe(lane, observed.iter().copied());
            }
        }
        if model.draws_actions() {
            let stream = Stream::new(moment.seed, moment.tick, Purpose::Act);
            for (lane, &agent) in agents.iter().enumerate() {
                let place = self.members.id(agent as usize) * factors as u64;
                for factor in 0..factors {
                    let number = stream.uniform(place + factor as u64);
                    scratch.draw(factor, lane, number);
                }
            }
        }
        if sparse {
            self.read_sparse(agents);
            model.infer_sparse(&mut self.worker.scratch, agents.len());
        } else {
            self.read_dense(agents);
            if model.infers_windows() {
                self.read_past(agents);
            }
            if model.keeps_prior() {
                self.read_priors(agents);
            }
            if layout.record.experience.follows() {
                self.read_followed(agents);
            }
            if model.learns() {
                self.read_counts(agents);
                model.expect(&mut self.worker.scratch);
            }
            model.infer_states(&mut self.worker.scratch);
            model.infer_policies(&mut self.worker.scratch);
            model.learn(&mut self.worker.scratch);
        }
        model.sample_action(&mut self.worker.scratch);
        let Worker { scratch, history, .. } = &mut *self.worker;
        if let (Some(history), Some(writer)) = (self.tick.history, history) {
            history.note(scratch, agents, sparse, writer);
        }
        if let Some(probe) = self.tick.probe {
            self.probe(probe, agents, sparse);
        }
        if sparse {
            self.write_sparse(agents);
        } else {
            self.write_dense(agents);
            if !layout.record.experience.is_empty() {
                self.write_experience(agents);
            }
        }
        let Worker { scratch, actions, .. } = &mut *self.worker;
        for (lane, &agent) in agents.iter().enumerate() {
            let chosen = &mut actions[agent as usize * factors..][..factors];
            for (factor, chosen) in chosen.iter_mut().enumerate() {
                *chosen = scratch.action(factor, lane) as i32;
            }
        }
    }

    /// Shows the probe every agent of the block; sparse beliefs are spread over the rows for it.
    fn probe(&mut self, probe: Probe<'_, T>, agents: &[u32], sparse: bool) {
        let scratch = &mut self.worker.scratch;
        if sparse {
            scratch.spread_sparse(agents.len());
        }
        for (lane, &agent) in agents.iter().enumerate() {
            probe(self.members.id(agent as usize), lane, self.tick.model, scratch);
        }
    }

    fn length(&self, agent: usize, variable: usize) -> u32 {
        self.columns.length(agent * self.tick.layout.record.variable() + variable)
    }

    fn read_sparse(&mut self, agents: &[u32]) {
        let factor = self.tick.layout.record.factors[0];
        for (lane, &agent) in agents.iter().enumerate() {
            let agent = agent as usize;
            if self.columns.action(agent) == NOT_BORN {
                continue;
            }
            let n = self.length(agent, 0);
            let bytes = self.tick.layout.record.part_bytes(&factor, n);
            let part = &self.stream[self.worker.before[agent] as usize..][..bytes];
            let Some(sparse) = self.worker.scratch.sparse() else { continue };
            let (states, values, len) = sparse.belief_mut(lane);
            factor.read_sparse(part, n as usize, states, values);
            *len = n;
        }
    }

    fn write_sparse(&mut self, agents: &[u32]) {
        let record = &self.tick.layout.record;
        let factor = record.factors[0];
        let Worker { scratch, records, records_len, after, lengths, .. } = &mut *self.worker;
        let Some(sparse) = scratch.sparse() else { return };
        for (lane, &agent) in agents.iter().enumerate() {
            let (states, values) = sparse.belief(lane);
            let length = factor.choose(states.len(), states.len() as u32);
            let bytes = record.part_bytes(&factor, length);
            let part = &mut cast_slice_mut(records)[*records_len..*records_len + bytes];
            if length == DENSE {
                let dense: &mut [T] = cast_slice_mut(part);
                dense.fill(T::ZERO);
                for (&s, &value) in states.iter().zip(values) {
                    dense[s as usize] = value;
                }
            } else {
                factor.write_sparse(states, values, part);
            }
            lengths[agent as usize] = length;
            after[agent as usize] = *records_len as u32;
            *records_len += bytes;
        }
    }

    /// Reads the beliefs of a block into the rows. Lanes that were not born yet take another's: their
    /// prior is D.
    fn read_dense(&mut self, agents: &[u32]) {
        let born = |agent: u32| self.columns.action(agent as usize) != NOT_BORN;
        let Some(some) = agents.iter().copied().find(|&agent| born(agent)) else { return };
        let mut from = [some as usize; LANES];
        for (from, &agent) in from.iter_mut().zip(agents) {
            *from = if born(agent) { agent as usize } else { *from };
        }
        let record = &self.tick.layout.record;
        let isa = self.tick.model.isa();
        let mut at = from.map(|agent| self.worker.before[agent] as usize);
        let (mut variable, mut row) = (0, 0);
        for factor in &record.factors {
            let mut lengths = [DENSE; LANES];
            if factor.keep != Keep::Dense {
                lengths = from.map(|agent| self.length(agent, variable));
                variable += 1;
            }
            let rows = &mut self.worker.scratch.beliefs_mut()[row..row + factor.states];
            row += factor.states;
            let part = |lane: usize| {
                let bytes = record.part_bytes(factor, lengths[lane]);
                &self.stream[at[lane]..at[lane] + bytes]
            };
            if lengths == [DENSE; LANES] {
                let parts: [&[T]; LANES] = std::array::from_fn(|lane| cast_slice(part(lane)));
                interleave(isa, &parts, rows);
            } else {
                for (lane, &length) in lengths.iter().enumerate() {
                    factor.read_rows(part(lane), length, rows, lane);
                }
            }
            for (at, &length) in at.iter_mut().zip(&lengths) {
                *at += record.part_bytes(factor, length);
            }
        }
    }

    /// Writes the beliefs of a block from the rows.
    fn write_dense(&mut self, agents: &[u32]) {
        let record = &self.tick.layout.record;
        let isa = self.tick.model.isa();
        let threshold = self.tick.model.sparse_threshold();
        let Worker {
            scratch, records, records_len, after, lengths, states, values, before, ..
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
                let mut length = DENSE;
                let mut n = 0;
                if factor.keep != Keep::Dense {
                    n = belief.iter().filter(|&&q| q > threshold).count();
                    length = factor.choose(n, DENSE);
                    lengths[agent as usize * record.variable() + variable] = length;
                }
                let bytes = record.part_bytes(factor, length);
                let part = &mut to[at[lane]..at[lane] + bytes];
                if length == DENSE {
                    cast_slice_mut(part).copy_from_slice(belief);
                } else {
                    Factor::gather(belief, threshold, states);
                    factor.write_sparse(&states[..n], &belief[..n], part);
                }
                at[lane] += bytes;
            }
            variable += usize::from(factor.keep != Keep::Dense);
        }
    }
}
