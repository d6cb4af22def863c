//! One tick of one chunk: observe, step in blocks, act.

mod beliefs;
mod experience;
mod sharing;
mod storing;
mod world;

use std::sync::atomic::AtomicU64;

use bytemuck::{cast_slice, cast_slice_mut};
use populace_agent::random::{Purpose, Stream};
use populace_agent::{CompiledModel, Scratch};
use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::lanes::LANES;

use crate::chunk::form::{Form, place};
use crate::chunk::{Chunk, ChunkLayout, Columns, NOT_BORN, Spare};
use crate::history::{Archive, Deeds, Writer};
use crate::members::Members;
use crate::population::Probe;
use crate::quota::Quota;
use crate::record::{DENSE, Number, RecordLayout};
use crate::roster::Called;
use crate::{Moment, Result, trajectory_term};
pub(crate) use experience::{Records, read_counts};
use sharing::Positions;
pub(crate) use sharing::Sharing;
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
    /// What records may take.
    pub(crate) quota: Quota,
    /// How many times an agent's beliefs were demoted to keep to it.
    pub(crate) demotions: AtomicU64,
    /// How many ticks will have been run, where it matters when agents were last stepped.
    pub(crate) ticks: Option<u64>,
    /// Where what agents do is kept.
    pub(crate) history: Option<&'a Archive>,
    /// An agent whose results are wanted, and where to.
    pub(crate) probe: Option<Probe<'a, T>>,
    /// Where agents in the same position are stepped once: how many that saved.
    pub(crate) saved: Option<AtomicU64>,
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
    positions: Positions,
    states: Array<u32>,
    /// Room for a belief of every lane.
    pub(crate) values: Array<T>,
    /// What lossy beliefs are worked on in; empty where none are.
    room: Array<T>,
    /// An observation as an agent's past keeps it; empty where none is kept.
    packed: Array<u8>,
    /// What it lends to chunks that have no memory of their own, where agents may be on disk.
    pub(crate) spare: Option<Spare>,
    /// Makes blocks of history, where it is kept.
    history: Option<Writer>,
}

impl<T: Number> Worker<T> {
    /// Takes the actions that a lane chose for an agent's.
    fn take_actions(&mut self, lane: usize, agent: usize, factors: usize) {
        let chosen = &mut self.actions[agent * factors..][..factors];
        for (factor, chosen) in chosen.iter_mut().enumerate() {
            *chosen = self.scratch.action(factor, lane) as i32;
        }
    }

    pub(crate) fn new(
        model: &CompiledModel<T>,
        layout: &ChunkLayout,
        agents: usize,
        soft: bool,
        history: Option<&Archive>,
        memory: &SharedResource,
    ) -> Result<Self> {
        let record = &layout.record;
        let variable = if layout.fixed() { 0 } else { agents };
        let outcomes: usize = model.num_obs().iter().sum();
        let beliefs = model.num_states().iter().copied();
        let blocks = model.shared_counts().1.iter().map(ExactSizeIterator::len);
        let prior = model.keeps_prior().then(|| model.belief_len());
        let widest = beliefs.chain(blocks).chain(prior).max().unwrap_or(0);
        let loses = layout.tiers().any(RecordLayout::is_lossy);
        let mut scratch = model.scratch(record.experience.window(), memory)?;
        if record.bounded {
            model.carry_bounds(&mut scratch, memory)?;
        }
        Ok(Self {
            scratch,
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
            positions: Positions::new(layout, agents, soft, memory)?,
            states: Array::zeroed(memory, widest)?,
            values: Array::zeroed(memory, LANES * widest)?,
            room: Array::zeroed(memory, if loses { 2 * widest } else { 0 })?,
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
        let fixed = self.layout.fixed();
        if fixed {
            let words = self.layout.most_words(len);
            chunk.resize(words, words, self.memory, worker.spare.as_mut())?;
        }
        let row = chunk.row;
        let form = chunk.form(self.layout);
        worker.positions.begin(called, len);
        let (members, columns, stream) = chunk.split(self.layout);
        let mut part = Part {
            tick: self,
            worker: &mut *worker,
            called,
            members,
            columns,
            form,
            stored: self.layout.records(form),
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
            self.store(chunk, worker, form)?;
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
}

/// Where every agent's record starts in its chunk's stream, in bytes, and where the last one ends.
pub(crate) fn find_records<T: Number>(
    layout: &ChunkLayout,
    columns: &Columns<'_>,
    stream: &[u64],
    starts: &mut [u32],
) -> usize {
    let form = layout.form(stream);
    let stream: &[u8] = cast_slice(stream);
    let record = layout.records(form);
    let variable = record.variable();
    let fixed = layout.fixed();
    // Before the first step there is not even a head.
    let mut at = if stream.is_empty() { 0 } else { layout.records_start(form, starts.len()) };
    for agent in 0..starts.len() {
        if form.shared {
            let place = place(stream, agent);
            if place < agent {
                starts[agent] = starts[place];
                continue;
            }
        }
        starts[agent] = at as u32;
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
    /// The form that records are in before the tick, and how it lays them out.
    form: Form,
    stored: &'a RecordLayout,
    stream: &'a mut [u8],
    fixed: bool,
}

impl<T: Number> Part<'_, '_, '_, T> {
    /// Where every agent's record starts; answers where the last one ends.
    fn find_records(&mut self) -> usize {
        self.worker.records_len = 0;
        let starts = &mut self.worker.before[..self.members.len()];
        let stream = cast_slice(self.stream);
        find_records::<T>(self.tick.layout, &self.columns, stream, starts)
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
            let end = match self.form.shared {
                // Others' records may follow, or this one's own be before them all.
                true => start + self.stored.bytes_in(&self.columns, agent),
                false if agent + 1 < len => before[agent + 1] as usize,
                false => end,
            };
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
        let called = self.called;
        // Who asks for what each agent computed has each of them compute it; distributions observed are
        // hardly ever the same.
        let asked = self.tick.probe.is_some()
            || self.tick.history.is_some_and(Archive::keeps_beliefs)
            || self.tick.world.is_soft();
        let saved = self.tick.saved.as_ref().filter(|_| !asked);
        let shared = saved.is_some_and(|saved| self.find_leaders(calls.clone(), saved));
        let steps = |part: &Self, agent: usize| !shared || part.leads(agent);
        let sparse = |part: &Self, agent: usize| {
            // The sparse step knows outcomes, not distributions over them.
            part.tick.model.steps_sparse()
                && !part.tick.world.is_soft()
                && part.tick.variable() > 0
                && (part.columns.action(agent) == NOT_BORN || part.columns.length(agent) != DENSE)
        };
        let mut count = 0;
        for agent in calls.clone().map(|k| called.place(k)) {
            if sparse(self, agent) && steps(self, agent) {
                self.worker.order[count] = agent as u32;
                count += 1;
            }
        }
        let sparse_count = count;
        if count < calls.len() {
            for agent in calls.clone().map(|k| called.place(k)) {
                if !sparse(self, agent) && steps(self, agent) {
                    self.worker.order[count] = agent as u32;
                    count += 1;
                }
            }
            self.sort(sparse_count..count);
        }
        let mut start = 0;
        while start < count {
            let end = if start < sparse_count { sparse_count } else { count };
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
            if shared && self.tick.model.draws_actions() {
                self.draw_followers(block);
            }
            start = end;
        }
        if shared {
            self.follow(calls);
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
            if layout.record.bounded {
                // A sparse D leaves out what any sparse belief does.
                let left_out = model.sparse_threshold().to_f64() * model.belief_len() as f64;
                let born = code != NOT_BORN;
                scratch.set_bound(lane, if born { self.columns.bound(agent) } else { left_out });
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
        for (lane, &agent) in agents.iter().enumerate() {
            self.worker.take_actions(lane, agent as usize, factors);
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
}
