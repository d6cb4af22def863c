//! What a run will take, before it runs.

use std::sync::Arc;
use std::time::Instant;

use populace_agent::{Answers, CompiledModel, Model, Precision};
use populace_pool::{HostHeap, SharedResource};

use crate::chunk::ChunkLayout;
use crate::population::{Population, Source};
use crate::record::{Number, RecordLayout};
use crate::{Memory, Result, Settings, Simulation};

/// What a run of a population will take.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// How many agents.
    pub agents: u64,
    /// Engine bytes at their peak in the worst case: what admission asks of the budget.
    pub worst_bytes: u64,
    /// Engine bytes at their peak by class, as a run of a sample of the agents predicts them.
    pub expected: Memory,
    /// Bytes of one agent at the expected peak, everything that grows with the number of agents.
    pub bytes_per_agent: f64,
    /// The budget, in bytes.
    pub budget_bytes: u64,
    /// Whether the worst case fits the budget.
    pub fits: bool,
    /// The most agents of which the worst case fits the budget.
    pub most_agents: u64,
    /// The time that a tick of all agents will take, in seconds, as the sample took it.
    pub tick_seconds: f64,
    /// How many agents the sample had.
    pub sample_agents: u64,
}

/// Agents of the sample: several blocks, chunks and threads' worth.
const SAMPLE_AGENTS: u64 = 8192;

/// Ticks of the sample: beliefs settle within them.
const SAMPLE_TICKS: u64 = 32;

/// Says what a run would take: the worst case from the layout, the expected case from a run of a
/// sample of the agents.
///
/// # Errors
///
/// The model or the settings are not valid, or ask for what is not there yet. A budget that is too
/// small is no error: the plan says so.
pub fn plan(
    model: &Model,
    process: Option<&Model>,
    settings: &Settings,
    steps: u64,
    keep_arrays: bool,
) -> Result<Plan> {
    // The same checks and the same world as the run's.
    Simulation::in_world(model, process, steps, keep_arrays, |source| match settings.precision {
        Precision::F32 => plan_in::<f32>(source, settings),
        Precision::F64 => plan_in::<f64>(source, settings),
    })
}

/// The most bytes that one agent has of its own, the world's part aside: beliefs, what it has been
/// through, its last action, and a bound where beliefs may lose something; after `settings`' way of
/// storing beliefs, over any number of steps.
///
/// ```
/// use populace_agent::models::Builtin;
/// use populace_population::{Belief, Settings, most_bytes_per_agent};
///
/// let model = Builtin::Grid.model()?;
/// let dense = Settings { belief: Belief::Dense, ..Settings::default() };
/// assert_eq!(most_bytes_per_agent(&model, &dense)?, 1601);
/// # Ok::<(), populace_population::Error>(())
/// ```
///
/// # Errors
///
/// The model or the settings are not valid, or ask for what is not there yet.
pub fn most_bytes_per_agent(model: &Model, settings: &Settings) -> Result<u64> {
    settings.check()?;
    match settings.precision {
        Precision::F32 => most_bytes_in::<f32>(model, settings),
        Precision::F64 => most_bytes_in::<f64>(model, settings),
    }
}

fn most_bytes_in<T: Number>(model: &Model, settings: &Settings) -> Result<u64> {
    let memory: SharedResource = Arc::new(HostHeap);
    let model = CompiledModel::<T>::compile(model, Answers::Actions, &memory)?;
    let record = RecordLayout::new(&model, settings, None, false)?;
    let record_bytes = record.most_bytes();
    let layout = ChunkLayout::of(record, &model, 0)?;
    Ok((layout.column_bytes(1) + record_bytes) as u64)
}

fn plan_in<T: Number>(source: &Source<'_>, settings: &Settings) -> Result<Plan> {
    let unlimited = Settings { budget_bytes: u64::MAX, ..settings.clone() };
    let whole = Population::<T>::prepare(source, &unlimited)?;
    let worst = whole.needed_bytes(settings.agents, source.keep_arrays);
    let base = whole.memory();
    let sample_agents = settings.agents.min(SAMPLE_AGENTS);
    // The sample's chunks are as large as the run's, so that pages are wasted alike.
    let sampled = Settings {
        agents: sample_agents,
        chunk: settings.chunk.or(Some(whole.chunk_agents)),
        ..unlimited
    };
    let mut sample = Population::<T>::new(source, &sampled)?;
    let ticks = SAMPLE_TICKS.min(source.steps.unwrap_or(SAMPLE_TICKS));
    let started = Instant::now();
    for _ in 0..ticks {
        sample.tick(None)?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let ratio = settings.agents as f64 / sample_agents as f64;
    let peak = sample.peak();
    let fixed = sample.fixed_memory();
    let grown = |peak: u64, fixed: u64, base: u64| {
        base + ((peak.saturating_sub(fixed)) as f64 * ratio).round() as u64
    };
    let expected = Memory {
        agents: grown(peak.agents, fixed.agents, base.agents),
        shared: base.shared,
        scratch: grown(peak.scratch, fixed.scratch, base.scratch),
        pool_idle: base.pool_idle,
        padding: grown(peak.padding, fixed.padding, base.padding),
        overhead: base.overhead,
    };
    Ok(Plan {
        agents: settings.agents,
        worst_bytes: u64::try_from(worst).unwrap_or(u64::MAX),
        expected,
        bytes_per_agent: (expected.total() - base.total()) as f64 / settings.agents as f64,
        budget_bytes: settings.budget_bytes,
        fits: worst <= u128::from(settings.budget_bytes),
        most_agents: whole.most_agents(settings.budget_bytes, source.keep_arrays),
        tick_seconds: if ticks == 0 { 0.0 } else { seconds / ticks as f64 * ratio },
        sample_agents,
    })
}
