//! A population in one precision: chunks of agents, workers, and the tick over them.

mod census;
#[cfg(test)]
mod demotion;
mod fill;
mod size;
mod streaming;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use populace_agent::{Answers, CompiledModel, Model, Planner, Scratch};
use populace_pool::{Pool, Record, Reservation, SharedResource};
use populace_tensor::Array;

use crate::chunk::{Chunk, ChunkLayout, Spare};
use crate::crowd::Enumerator;
use crate::hibernation::fingerprint;
use crate::history::Archive;
use crate::lifecycle::Life;
use crate::members::MEMBER_BYTES;
use crate::memory::{EngineMemory, most_idle_bytes, page_bytes};
use crate::quota::Quota;
use crate::record::{Number, RecordLayout, surprise};
use crate::roster::{Call, Called, by_chunk};
use crate::spill::Spill;
use crate::threads::Threads;
use crate::tick::{Kept, Sharing, Tick, Worker, World};
use crate::{Environment, Error, ErrorKind, Memory, Moment, Result, Settings};
use size::{chunk_size, parts};
pub(crate) use streaming::Open;
use streaming::Stepping;

/// Where results of single agents go: (agent, lane, its model, scratch after the step).
pub(crate) type Probe<'a, T> = &'a (dyn Fn(u64, usize, &CompiledModel<T>, &Scratch<T>) + Sync);

pub(crate) struct Population<T: Number> {
    pub(crate) memory: EngineMemory,
    pub(crate) chunk_memory: SharedResource,
    pub(crate) model: CompiledModel<T>,
    /// What the model was compiled from, where it cannot answer for policies, and what can.
    pub(crate) source: Option<Box<Model>>,
    pub(crate) enumerator: Option<Enumerator<T>>,
    pub(crate) layout: ChunkLayout,
    pub(crate) environment: Box<dyn Environment>,
    pub(crate) workers: Vec<Mutex<Worker<T>>>,
    threads: Arc<Threads>,
    pub(crate) chunk_agents: usize,
    /// The most agents that a chunk may come to have, where agents may be on disk.
    most_chunk: usize,
    /// What the second of two chunks borrows, where agents come and go and may be on disk.
    other: Option<Spare>,
    batch: usize,
    /// The chunk that the settings ask for.
    asked: Option<usize>,
    /// The chunks that a checkpoint is cut into.
    given: Option<usize>,
    /// Whether room is kept for a checkpoint's store, and that room.
    checkpoint: bool,
    _store: Option<Array<u8>>,
    /// What it has of a budget that it shares.
    _part: Option<Reservation>,
    /// The file of agents that memory cannot hold.
    spill: Option<Spill>,
    pub(crate) seed: u64,
    pub(crate) budget_bytes: u64,
    /// The most that the pool keeps, as far as this population can let it.
    pub(crate) idle_bytes: u64,
    pub(crate) life: Life,
    /// How many agents there were to begin with.
    pub(crate) first_agents: u64,
    pub(crate) chunks: Vec<Chunk>,
    kept: Option<KeptArrays>,
    pub(crate) history: Option<Archive>,
    sharing: Sharing,
    /// What records may take.
    pub(crate) quota: Quota,
    /// How many times an agent's beliefs were demoted.
    demotions: u64,
    pub(crate) tick: u64,
    hash: u64,
    /// How many steps agents have made, all counted.
    agent_steps: u64,
    peak: Memory,
    peak_agents: u64,
    /// What was taken before there was any agent, and what has been since for other than agents.
    fixed: Memory,
}

/// The arrays of the last tick.
struct KeptArrays {
    observations: Array<i32>,
    actions: Array<i32>,
}

/// What a population has from the checkpoint that it goes on from.
#[derive(Debug, Clone, Copy)]
struct Given {
    /// The chunks that its agents are in.
    chunk: usize,
    /// For how many ids the rings of its history are, where there is any.
    ring_agents: Option<usize>,
}

/// What a population is made from, besides its settings.
pub(crate) struct Source<'a> {
    pub(crate) model: &'a Model,
    /// What agents are asked.
    pub(crate) answers: Answers,
    /// Makes the world, its tables in the memory given.
    pub(crate) environment: &'a dyn Fn(&SharedResource) -> Result<Box<dyn Environment>>,
    /// How many steps will be run, where that is known.
    pub(crate) steps: Option<u64>,
    /// Whether the observations and actions of the last tick are kept.
    pub(crate) keep_arrays: bool,
    /// Whether agents may come and go.
    pub(crate) changes: bool,
}

impl<T: Number> Population<T> {
    /// Everything but the agents: what does not grow with their number.
    pub(crate) fn prepare(source: &Source<'_>, settings: &Settings) -> Result<Self> {
        let memory = EngineMemory::new(settings.budget_bytes, settings.agents)?;
        Self::prepare_in(memory, source, settings, None)
    }

    /// In that memory, and in the chunks that are given.
    fn prepare_in(
        memory: EngineMemory,
        source: &Source<'_>,
        settings: &Settings,
        given: Option<Given>,
    ) -> Result<Self> {
        if settings.agents == 0 && !source.changes {
            return Err(Error::invalid("agents: 0 are no population"));
        }
        if settings.chunk == Some(0) {
            return Err(Error::invalid("chunk: 0 agents are nothing to step"));
        }
        settings.check()?;
        if settings.threads > Settings::MOST_THREADS {
            let (asked, most) = (settings.threads, Settings::MOST_THREADS);
            let message = format!("threads: {asked} are more than {most}");
            return Err(Error::invalid(message));
        }
        let shared = memory.shared();
        let model = CompiledModel::<T>::compile(source.model, source.answers, &shared)?;
        let environment = (source.environment)(&shared)?;
        let soft = environment.is_soft();
        let mut record = RecordLayout::new(&model, settings, source.steps, soft)?;
        if record.shedding.mass > 0.0 {
            record.shedding.mass /= surprise(source.model);
        }
        let layout = ChunkLayout::of(record, &model, environment.state_bytes(), source.changes)?;
        let threads = Threads::new(settings.threads)?;
        let count = threads.count();
        let (chunk_agents, batch) = match given {
            None => {
                let parts = parts(&model, count);
                // Of chunks on disk the members' lines are in memory: these had better fill a page,
                // however few agents there are to begin with.
                let filling = parts * page_bytes() as usize / MEMBER_BYTES;
                let least = match source.changes && settings.spill.is_some() {
                    true => settings.chunk.unwrap_or(filling) as u64,
                    false => 0,
                };
                chunk_size(&layout, settings.agents.max(least), settings.chunk, parts)
            }
            Some(Given { chunk, .. }) => (chunk, settings.chunk.unwrap_or(chunk).min(chunk)),
        };
        let history = settings.history.as_ref().map(|history| {
            if soft {
                let message = "history: of observations that are distributions none is kept yet";
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            let rings = given.and_then(|given| given.ring_agents);
            let sizes = (settings.agents, chunk_agents, source.changes, rings);
            Archive::new(history, &model, sizes, memory.agents(), &memory.scratch())
        });
        let history = history.transpose()?;
        let mut workers =
            new_workers(count, &model, &layout, chunk_agents, soft, history.as_ref(), &memory)?;
        let spare = |agents| Spare::new(&layout, agents, &memory.scratch()).map(Some);
        let (mut most_chunk, mut other) = (chunk_agents, None);
        if source.changes && settings.spill.is_some() {
            // As many as may come.
            let (most, _) = chunk_size(&layout, u64::MAX, settings.chunk, parts(&model, count));
            most_chunk = most.max(chunk_agents);
            other = spare(most_chunk)?;
        }
        for worker in workers.iter_mut().filter(|_| settings.spill.is_some()) {
            let worker = worker.get_mut().unwrap_or_else(PoisonError::into_inner);
            worker.spare = spare(most_chunk)?;
        }
        // Only records that change their length, and agents that go, and history come back to the pool.
        let returns = source.changes || !layout.fixed() || history.is_some();
        let asked = source.changes && model.planner() == Planner::Graph;
        let fingerprint = match source.changes {
            true => fingerprint(source.model, settings, environment.state_bytes()),
            false => 0,
        };
        Ok(Self {
            source: asked.then(|| Box::new(source.model.clone())),
            enumerator: None,
            workers,
            chunk_memory: memory.agents(),
            model,
            layout,
            environment,
            threads: Arc::new(threads),
            chunk_agents,
            most_chunk,
            other,
            batch,
            asked: settings.chunk,
            given: given.map(|given| given.chunk),
            checkpoint: settings.checkpoint,
            _store: None,
            _part: None,
            spill: None,
            seed: settings.seed,
            budget_bytes: settings.budget_bytes,
            idle_bytes: if returns { most_idle_bytes(settings.agents) } else { 0 },
            first_agents: settings.agents,
            life: Life::new(fingerprint),
            chunks: Vec::new(),
            kept: None,
            history,
            sharing: Sharing::default(),
            quota: Quota::NONE,
            demotions: 0,
            tick: 0,
            hash: 0,
            agent_steps: 0,
            fixed: memory.split(),
            peak: Memory::default(),
            peak_agents: 0,
            memory,
        })
    }

    /// A population at its first tick: everything that the worst case needs fits the budget.
    pub(crate) fn new(source: &Source<'_>, settings: &Settings) -> Result<Self> {
        let mut population = Self::admitted(source, settings, None)?;
        population.fill(settings.agents, source.keep_arrays)?;
        Ok(population)
    }

    /// Everything but the agents, of whom the worst case fits the budget.
    fn admitted(source: &Source<'_>, settings: &Settings, given: Option<Given>) -> Result<Self> {
        let (agents, budget) = (settings.agents, settings.budget_bytes);
        let part = settings.within.as_ref().map(|within| within.reserve(budget)).transpose()?;
        let prepare = |settings: &Settings| {
            let memory = EngineMemory::new(settings.budget_bytes, settings.agents)?;
            Self::prepare_in(memory, source, settings, given)
        };
        let mut population = match prepare(settings) {
            // Not even the model and the threads fit: say what would.
            Err(error) if error.kind() == ErrorKind::Budget => {
                let unlimited = Settings { budget_bytes: u64::MAX, ..settings.clone() };
                let whole = Self { budget_bytes: budget, ..prepare(&unlimited)? };
                let needed = whole.asked_bytes(settings, source.keep_arrays);
                let holders = whole.holders(agents, source.keep_arrays);
                return Err(Error::over_budget(agents, needed, budget, 0, holders));
            }
            prepared => prepared?,
        };
        let needed = population.asked_bytes(settings, source.keep_arrays);
        if needed > u128::from(budget) {
            let fits = population.most_agents(budget, source.keep_arrays);
            let holders = population.holders(agents, source.keep_arrays);
            return Err(Error::over_budget(agents, needed, budget, fits, holders));
        }
        let own = population.layout.most_agent_bytes();
        if let Some(limit) = settings.agent_bytes.filter(|&limit| limit < own) {
            return Err(Error::over_agent_limit(own, limit, population.layout.agent_holders()));
        }
        let limit = settings.agent_bytes;
        population.quota = population.quota(budget, agents, limit, source.keep_arrays);
        population._part = part;
        population.begin_history(source.keep_arrays, settings.spill.is_some());
        if settings.checkpoint {
            let bytes = population.kept_free(agents);
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            let room = Array::unspecified(&population.memory.overhead(), bytes)?;
            population._store = Some(room);
            population.fixed = population.memory.split();
        }
        if let Some(directory) = &settings.spill {
            population.open_spill(directory, agents)?;
        }
        Ok(population)
    }

    /// A population at its first tick, and what its chunks and workers ask of the pool, written down.
    /// The budget holds, but nobody asks beforehand what the worst case needs.
    pub(crate) fn recorded(
        source: &Source<'_>,
        settings: &Settings,
    ) -> Result<(Self, Arc<Record<Pool>>)> {
        let (memory, record) = EngineMemory::recorded(settings.budget_bytes, settings.agents)?;
        let settings = &Settings { spill: None, checkpoint: false, ..settings.clone() };
        let mut population = Self::prepare_in(memory, source, settings, None)?;
        population.begin_history(source.keep_arrays, false);
        population.fill(settings.agents, source.keep_arrays)?;
        Ok((population, record))
    }

    /// What was taken before there was any agent.
    pub(crate) fn fixed_memory(&self) -> Memory {
        self.fixed
    }

    /// Whether agents may come and go.
    pub(crate) fn changes(&self) -> bool {
        self.layout.changes()
    }

    /// Steps every agent once.
    pub(crate) fn tick(&mut self, probe: Option<Probe<'_, T>>) -> Result<()> {
        self.tick_in(None, None, probe)
    }

    /// Steps every agent once, or those that are called, in a world that is given for this tick alone
    /// where there is one.
    pub(crate) fn tick_in(
        &mut self,
        world: Option<World<'_>>,
        calls: Option<&[Call]>,
        probe: Option<Probe<'_, T>>,
    ) -> Result<()> {
        self.prepare_history()?;
        self.finish_writing()?;
        self.prepare_lines(calls)?;
        let left_free = self.left_to_history();
        let tick = Tick {
            model: &self.model,
            layout: &self.layout,
            world: world.unwrap_or(World::Environment(&*self.environment)),
            moment: Moment { seed: self.seed, tick: self.tick },
            batch: self.batch,
            memory: &self.chunk_memory,
            quota: self.quota,
            demotions: AtomicU64::new(0),
            ticks: self.life.dated().then_some(self.tick + 1),
            history: self.history.as_ref(),
            probe,
            saved: self.sharing.tries().then(AtomicU64::default),
        };
        let (chunks, kept, workers) = (&mut self.chunks, &mut self.kept, &self.workers);
        let hash = AtomicU64::new(0);
        let (spill, memory) = (self.spill.as_ref(), &self.memory);
        let threads = &*self.threads;
        let count = threads.count();
        let stepping = Stepping { tick: &tick, spill, memory, left_free, hash: &hash };
        let step = |places, chunk: &mut Chunk, called: Called<'_>, kept: Option<Kept<'_>>| {
            let worker = &workers[threads.own()];
            // A worker is overwritten by every chunk: a panic in one leaves nothing to fear.
            let mut worker = worker.lock().unwrap_or_else(PoisonError::into_inner);
            stepping.step(places, chunk, called, &mut worker, kept)
        };
        let rows = self.chunk_agents;
        let (modalities, factors) = (self.model.num_obs().len(), self.model.num_states().len());
        let places = chunks.iter_mut().enumerate();
        let stepped = match (kept, calls) {
            (_, Some(calls)) => {
                let mut places = places;
                let soon = by_chunk(calls).map(|(index, _)| index).skip(count);
                let soon = soon.chain(std::iter::repeat(usize::MAX));
                let called = by_chunk(calls).zip(soon).filter_map(|((index, calls), next)| {
                    let (place, chunk) = places.find(|&(place, _)| place == index)?;
                    Some(((place, next), chunk, Called::Some(calls)))
                });
                let step = |(places, chunk, called)| step(places, chunk, called, None);
                threads.each(called, step)
            }
            (Some(kept), None) => {
                let observations = kept.observations.chunks_mut(rows * modalities);
                let rows = observations.zip(kept.actions.chunks_mut(rows * factors));
                let kept = rows.map(|(observations, actions)| Kept { observations, actions });
                threads.each(places.zip(kept), |((place, chunk), kept)| {
                    step((place, place + count), chunk, Called::All, Some(kept))
                })
            }
            (None, None) => {
                let step = |(place, chunk)| step((place, place + count), chunk, Called::All, None);
                threads.each(places, step)
            }
        };
        // Also of a tick that fails: the chunks that were stepped are not stepped again.
        self.demotions += tick.demotions.into_inner();
        self.hash = self.hash.wrapping_add(hash.into_inner());
        stepped?;
        let stepped = calls.map_or(self.agents(), |calls| calls.len() as u64);
        self.sharing.found(tick.saved.map_or(0, AtomicU64::into_inner), stepped);
        self.agent_steps += stepped;
        self.tick += 1;
        // Within a tick chunks only grow, and what the pool keeps is bounded: here is the peak.
        self.note_peak();
        for chunk in &mut self.chunks {
            chunk.ahead = false;
            chunk.shrink(&self.chunk_memory);
        }
        Ok(())
    }

    /// Notes what is mapped now, if that is more than ever.
    pub(crate) fn note_peak(&mut self) {
        let bytes = self.memory.engine_bytes();
        debug_assert_eq!(self.memory.split().total(), bytes, "a byte without a name");
        // What the pool keeps is only told when all threads have stopped: not at every tick.
        if bytes > self.peak.total() {
            (self.peak, self.peak_agents) = (self.memory.split(), self.agents());
        }
    }

    /// Workers for chunks of that many agents, as many as there are.
    pub(crate) fn new_workers(&self, chunk_agents: usize) -> Result<Vec<Mutex<Worker<T>>>> {
        let (count, soft) = (self.workers.len(), self.environment.is_soft());
        let history = self.history.as_ref();
        new_workers(count, &self.model, &self.layout, chunk_agents, soft, history, &self.memory)
    }

    /// Puts other workers in the place of those there are; `before` is what was taken before they were
    /// made.
    pub(crate) fn replace_workers(
        &mut self,
        workers: Vec<Mutex<Worker<T>>>,
        (chunk_agents, batch): (usize, usize),
        before: &Memory,
    ) {
        let before_them = std::mem::replace(&mut self.workers, workers);
        for (old, new) in before_them.into_iter().zip(&mut self.workers) {
            let old = old.into_inner().unwrap_or_else(PoisonError::into_inner);
            new.get_mut().unwrap_or_else(PoisonError::into_inner).spare = old.spare;
        }
        (self.chunk_agents, self.batch) = (chunk_agents, batch);
        self.note_fixed(before);
    }

    /// Counts what was taken and given since `before` to what is not the agents'.
    pub(crate) fn note_fixed(&mut self, before: &Memory) {
        let now = self.memory.split();
        let fixed = &mut self.fixed;
        fixed.shared = fixed.shared + now.shared - before.shared;
        fixed.scratch = fixed.scratch + now.scratch - before.scratch;
        fixed.padding = fixed.padding + now.padding - before.padding;
        fixed.overhead = fixed.overhead + now.overhead - before.overhead;
    }

    /// The threads that agents are stepped on.
    pub(crate) fn threads(&self) -> Arc<Threads> {
        self.threads.clone()
    }

    pub(crate) fn ticks(&self) -> u64 {
        self.tick
    }

    pub(crate) fn agent_steps(&self) -> u64 {
        self.agent_steps
    }

    pub(crate) fn trajectory_hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn memory(&self) -> Memory {
        self.memory.split()
    }

    pub(crate) fn engine_bytes(&self) -> u64 {
        self.memory.engine_bytes()
    }

    pub(crate) fn peak(&self) -> Memory {
        self.peak
    }

    /// What was taken for the sake of agents at the peak, by the agent.
    pub(crate) fn bytes_per_agent(&self) -> f64 {
        let grown = self.peak.total().saturating_sub(self.fixed.total());
        grown as f64 / self.peak_agents.max(1) as f64
    }

    pub(crate) fn thread_count(&self) -> usize {
        self.threads.count()
    }

    pub(crate) fn planner(&self) -> Planner {
        self.model.planner()
    }

    pub(crate) fn kept(&self) -> (&[i32], &[i32]) {
        match &self.kept {
            Some(kept) => (&kept.observations, &kept.actions),
            None => (&[], &[]),
        }
    }
}

/// Workers, one a thread.
fn new_workers<T: Number>(
    count: usize,
    model: &CompiledModel<T>,
    layout: &ChunkLayout,
    chunk_agents: usize,
    soft: bool,
    history: Option<&Archive>,
    memory: &EngineMemory,
) -> Result<Vec<Mutex<Worker<T>>>> {
    let scratch = memory.scratch();
    let worker = |_| Worker::new(model, layout, chunk_agents, soft, history, &scratch);
    (0..count).map(|index| worker(index).map(Mutex::new)).collect()
}
