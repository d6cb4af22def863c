//! A population in one precision: chunks of agents, workers, and the tick over them.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use populace_agent::{Answers, CompiledModel, Model, Planner, Scratch};
use populace_pool::{Pool, Record, SharedResource};
use populace_tensor::Array;
use rayon::ThreadPool;
use rayon::prelude::*;

use crate::chunk::{Chunk, ChunkLayout, Columns, NOT_BORN};
use crate::memory::{EngineMemory, most_idle_bytes, page_bytes};
use crate::record::{DENSE, Keep, Number, RecordLayout};
use crate::tick::{Kept, Sharing, Tick, Worker};
use crate::{Bounds, Environment, Error, ErrorKind, Memory, Moment, Result, Settings, Tiers};

/// A chunk's records are at most about this long in the worst case, so that a chunk in work stays in
/// a core's cache.
const CHUNK_BYTES: usize = 1 << 20;

/// The most agents of a chunk that the engine chooses.
const CHUNK_AGENTS: usize = 4096;

/// Where results of single agents go: (agent, lane, its model, scratch after the step).
pub(crate) type Probe<'a, T> = &'a (dyn Fn(u64, usize, &CompiledModel<T>, &Scratch<T>) + Sync);

pub(crate) struct Population<T: Number> {
    memory: EngineMemory,
    chunk_memory: SharedResource,
    pub(crate) model: CompiledModel<T>,
    pub(crate) layout: ChunkLayout,
    environment: Box<dyn Environment>,
    pub(crate) workers: Vec<Mutex<Worker<T>>>,
    threads: Arc<ThreadPool>,
    pub(crate) chunk_agents: usize,
    batch: usize,
    /// The chunk that the settings ask for.
    asked: Option<usize>,
    seed: u64,
    pub(crate) chunks: Vec<Chunk>,
    kept: Option<KeptArrays>,
    sharing: Sharing,
    tick: u64,
    hash: u64,
    peak: Memory,
    /// What was taken before there was any agent.
    fixed: Memory,
}

/// The arrays of the last tick.
struct KeptArrays {
    observations: Array<i32>,
    actions: Array<i32>,
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
}

impl<T: Number> Population<T> {
    /// Everything but the agents: what does not grow with their number.
    pub(crate) fn prepare(source: &Source<'_>, settings: &Settings) -> Result<Self> {
        Self::prepare_in(
            EngineMemory::new(settings.budget_bytes, settings.agents)?,
            source,
            settings,
        )
    }

    fn prepare_in(memory: EngineMemory, source: &Source<'_>, settings: &Settings) -> Result<Self> {
        settings.check()?;
        let shared = memory.shared();
        let model = CompiledModel::<T>::compile(source.model, source.answers, &shared)?;
        let environment = (source.environment)(&shared)?;
        let soft = environment.is_soft();
        let record = RecordLayout::new(&model, settings, source.steps, soft)?;
        let layout = ChunkLayout::of(record, &model, environment.state_bytes())?;
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(settings.threads)
            .thread_name(|index| format!("populace-{index}"))
            .build()
            .map_err(|error| Error::new(ErrorKind::System, format!("threads: {error}")))?;
        let count = threads.current_num_threads();
        let (chunk_agents, batch) =
            chunk_size(&layout, settings.agents, settings.chunk, parts(&model, count));
        let scratch = memory.scratch();
        let worker = || Worker::new(&model, &layout, chunk_agents, soft, &scratch).map(Mutex::new);
        Ok(Self {
            workers: (0..count).map(|_| worker()).collect::<Result<_>>()?,
            chunk_memory: memory.agents(),
            model,
            layout,
            environment,
            threads: Arc::new(threads),
            chunk_agents,
            batch,
            asked: settings.chunk,
            seed: settings.seed,
            chunks: Vec::new(),
            kept: None,
            sharing: Sharing::default(),
            tick: 0,
            hash: 0,
            fixed: memory.split(),
            peak: Memory::default(),
            memory,
        })
    }

    /// A population at its first tick: everything that the worst case needs fits the budget.
    pub(crate) fn new(source: &Source<'_>, settings: &Settings) -> Result<Self> {
        let (agents, budget) = (settings.agents, settings.budget_bytes);
        let mut population = match Self::prepare(source, settings) {
            // Not even the model and the threads fit: say what would.
            Err(error) if error.kind() == ErrorKind::Budget => {
                let unlimited = Settings { budget_bytes: u64::MAX, ..settings.clone() };
                let whole = Self::prepare(source, &unlimited)?;
                let needed = whole.needed_bytes(agents, source.keep_arrays);
                return Err(Error::over_budget(agents, needed, budget, 0));
            }
            prepared => prepared?,
        };
        let needed = population.needed_bytes(agents, source.keep_arrays);
        if needed > u128::from(budget) {
            let fits = population.most_agents(budget, source.keep_arrays);
            return Err(Error::over_budget(agents, needed, budget, fits));
        }
        population.fill(agents, source.keep_arrays)?;
        Ok(population)
    }

    /// A population at its first tick, and what its chunks and workers ask of the pool, written down.
    /// The budget holds, but nobody asks beforehand what the worst case needs.
    pub(crate) fn recorded(
        source: &Source<'_>,
        settings: &Settings,
    ) -> Result<(Self, Arc<Record<Pool>>)> {
        let (memory, record) = EngineMemory::recorded(settings.budget_bytes, settings.agents)?;
        let mut population = Self::prepare_in(memory, source, settings)?;
        population.fill(settings.agents, source.keep_arrays)?;
        Ok((population, record))
    }

    fn fill(&mut self, agents: u64, keep_arrays: bool) -> Result<()> {
        let step = self.chunk_agents as u64;
        for first in (0..agents).step_by(self.chunk_agents) {
            let len = step.min(agents - first) as usize;
            self.chunks.push(Chunk::new(&self.layout, first, len, &self.chunk_memory)?);
        }
        let (environment, layout, seed) = (&*self.environment, &self.layout, self.seed);
        self.threads.install(|| {
            self.chunks.par_iter_mut().for_each(|chunk| {
                let agents = chunk.first..chunk.first + chunk.len as u64;
                environment.begin(seed, agents, chunk.parts(layout).0.states);
            });
        });
        if keep_arrays {
            let memory = self.memory.scratch();
            let (modalities, factors) = (self.model.num_obs().len(), self.model.num_states().len());
            self.kept = Some(KeptArrays {
                observations: Array::zeroed(&memory, agents as usize * modalities)?,
                actions: Array::zeroed(&memory, agents as usize * factors)?,
            });
        }
        self.peak = self.memory.split();
        Ok(())
    }

    /// Bytes of one row of the kept arrays.
    fn kept_row_bytes(&self) -> u64 {
        (size_of::<i32>() * (self.model.num_obs().len() + self.model.num_states().len())) as u64
    }

    /// Engine bytes that `agents` agents need in the worst case, in the chunks that a population of
    /// that size has. The workers are this population's; those of a smaller one need no more.
    pub(crate) fn needed_bytes(&self, agents: u64, keep_arrays: bool) -> u128 {
        let (chunk, _) =
            chunk_size(&self.layout, agents, self.asked, parts(&self.model, self.workers.len()));
        let step = chunk as u64;
        let whole = u128::from(agents / step) * u128::from(self.layout.most_bytes(chunk));
        let rest = match (agents % step) as usize {
            0 => 0,
            rest => u128::from(self.layout.most_bytes(rest)),
        };
        let kept = if keep_arrays {
            // Two arrays, each in whole pages.
            u128::from(agents) * u128::from(self.kept_row_bytes()) + 2 * u128::from(page_bytes())
        } else {
            0
        };
        // Only records that change their length come back to the pool.
        let idle = if self.layout.record.fixed() { 0 } else { most_idle_bytes(agents) };
        u128::from(self.fixed.total()) + whole + rest + kept + u128::from(idle)
    }

    /// What was taken before there was any agent.
    pub(crate) fn fixed_memory(&self) -> Memory {
        self.fixed
    }

    /// The most agents that a budget holds in the worst case.
    pub(crate) fn most_agents(&self, budget: u64, keep_arrays: bool) -> u64 {
        let fits = |agents| self.needed_bytes(agents, keep_arrays) <= u128::from(budget);
        // needed_bytes grows with the agents but for page rounding, at least 1 byte an agent; `low`
        // always fits.
        let (mut low, mut high) = (0, budget.saturating_add(1));
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            if fits(middle) { low = middle } else { high = middle }
        }
        low
    }

    /// Steps every agent once.
    pub(crate) fn tick(&mut self, probe: Option<Probe<'_, T>>) -> Result<()> {
        self.tick_in(None, probe)
    }

    /// Steps every agent once, in a world that is given for this tick alone where there is one.
    pub(crate) fn tick_in(
        &mut self,
        world: Option<&dyn Environment>,
        probe: Option<Probe<'_, T>>,
    ) -> Result<()> {
        let tick = Tick {
            model: &self.model,
            layout: &self.layout,
            environment: world.unwrap_or(&*self.environment),
            moment: Moment { seed: self.seed, tick: self.tick },
            batch: self.batch,
            memory: &self.chunk_memory,
            probe,
            saved: self.sharing.tries().then(AtomicU64::default),
        };
        let (chunks, kept, workers) = (&mut self.chunks, &mut self.kept, &self.workers);
        let step = |chunk: &mut Chunk, kept: Option<Kept<'_>>| {
            let worker = &workers[rayon::current_thread_index().unwrap_or(0)];
            // A worker is overwritten by every chunk: a panic in one leaves nothing to fear.
            let mut worker = worker.lock().unwrap_or_else(PoisonError::into_inner);
            tick.chunk(chunk, &mut worker, kept)
        };
        let sum = |a: u64, b: u64| Ok(a.wrapping_add(b));
        let rows = self.chunk_agents;
        let (modalities, factors) = (self.model.num_obs().len(), self.model.num_states().len());
        let hash: Result<u64> = self.threads.install(|| match kept {
            None => {
                let chunks = chunks.par_iter_mut().with_max_len(1);
                chunks.map(|chunk| step(chunk, None)).try_reduce(|| 0, sum)
            }
            Some(kept) => chunks
                .par_iter_mut()
                .with_max_len(1)
                .zip(kept.observations.par_chunks_mut(rows * modalities))
                .zip(kept.actions.par_chunks_mut(rows * factors))
                .map(|((chunk, observations), actions)| {
                    step(chunk, Some(Kept { observations, actions }))
                })
                .try_reduce(|| 0, sum),
        });
        self.hash = self.hash.wrapping_add(hash?);
        let agents: usize = self.chunks.iter().map(|chunk| chunk.len).sum();
        self.sharing.found(tick.saved.map_or(0, AtomicU64::into_inner), agents as u64);
        self.tick += 1;
        // Within a tick chunks only grow, and what the pool keeps is bounded: here is the peak.
        let now = self.memory.split();
        debug_assert_eq!(now.total(), self.memory.engine_bytes(), "a byte without a name");
        if now.total() > self.peak.total() {
            self.peak = now;
        }
        for chunk in &mut self.chunks {
            chunk.shrink(&self.chunk_memory);
        }
        Ok(())
    }

    /// The threads that agents are stepped on.
    pub(crate) fn threads(&self) -> Arc<ThreadPool> {
        self.threads.clone()
    }

    pub(crate) fn ticks(&self) -> u64 {
        self.tick
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
        let agents: usize = self.chunks.iter().map(|chunk| chunk.len).sum();
        (self.peak.total() - self.fixed.total()) as f64 / agents as f64
    }

    pub(crate) fn thread_count(&self) -> usize {
        self.threads.current_num_threads()
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

    /// How beliefs are stored now.
    pub(crate) fn tiers(&mut self) -> Tiers {
        let mut tiers = Tiers::default();
        let record = &self.layout.record;
        let variable = record.variable();
        for chunk in &mut self.chunks {
            let len = chunk.len;
            let (columns, _) = chunk.parts(&self.layout);
            for agent in 0..len {
                if columns.action(agent) == NOT_BORN {
                    tiers.initial += record.factors.len() as u64;
                    continue;
                }
                let mut place = agent * variable;
                for factor in &record.factors {
                    let mut length = DENSE;
                    if factor.keep != Keep::Dense {
                        length = columns.length(place);
                        place += 1;
                    }
                    *tiers.of(factor.code, length == DENSE) += 1;
                }
            }
        }
        tiers
    }

    /// How far an agent's belief may be from the exact one.
    pub(crate) fn bound(record: &RecordLayout, columns: &Columns<'_>, agent: usize) -> f64 {
        match record.bounded {
            true => columns.bound(agent),
            false if record.is_lossy() && columns.action(agent) != NOT_BORN => 1.0,
            false => 0.0,
        }
    }

    /// How far beliefs may be from the exact ones now.
    pub(crate) fn bounds(&mut self) -> Bounds {
        let record = &self.layout.record;
        let (mut bounds, mut sum, mut agents) = (Bounds::default(), 0.0, 0);
        for chunk in &mut self.chunks {
            let len = chunk.len;
            let (columns, _) = chunk.parts(&self.layout);
            for bound in (0..len).map(|agent| Self::bound(record, &columns, agent)) {
                bounds.max = bounds.max.max(bound);
                bounds.above += u64::from(bound > record.shedding.tolerance);
                sum += bound;
            }
            agents += len;
        }
        bounds.mean = if agents > 0 { sum / agents as f64 } else { 0.0 };
        bounds
    }
}

/// Into how many chunks a small population is cut: a few a thread even out the load, more where
/// agents search, since their trees differ.
fn parts<T: Number>(model: &CompiledModel<T>, threads: usize) -> usize {
    if model.planner() == Planner::Search { 16 * threads } else { 4 * threads }
}

/// Agents of a chunk, and of a batch within it.
///
/// A chunk is what memory is taken for and what a worker takes; a small `--chunk` makes small
/// batches in chunks of reasonable size, so that pages are not wasted.
fn chunk_size(
    layout: &ChunkLayout,
    agents: u64,
    asked: Option<usize>,
    parts: usize,
) -> (usize, usize) {
    let population = usize::try_from(agents).unwrap_or(usize::MAX);
    let cached = CHUNK_BYTES / layout.record.most_bytes().max(1);
    let share = population.div_ceil(parts);
    let chosen = cached.min(share).clamp(16, CHUNK_AGENTS) / 16 * 16;
    // Places in a chunk's records are counted in 4 bytes.
    let most = (u32::MAX as usize / layout.record.most_bytes().max(1)).max(1);
    match asked {
        None => (chosen.min(most), chosen.min(most)),
        Some(batch) if batch >= chosen => {
            let agents = batch.min(population).min(most);
            (agents, agents)
        }
        Some(batch) => {
            let agents = chosen.div_ceil(batch) * batch;
            if agents <= most { (agents, batch) } else { (batch.min(most), batch.min(most)) }
        }
    }
}
