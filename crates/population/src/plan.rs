//! What a run will take, before it runs.

use std::sync::Arc;
use std::time::Instant;

use populace_agent::{Answers, CompiledModel, Model, Precision};
use populace_pool::{HostHeap, SharedResource};

use crate::checkpoint::checkpoint_bytes;
use crate::chunk::ChunkLayout;
use crate::image::image_bytes;
use crate::population::{Population, Source};
use crate::record::{Number, RecordLayout};
use crate::{Economies, History, Memory, Result, Settings, Simulation};

/// What a run of a population will take.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// How many agents.
    pub agents: u64,
    /// Engine bytes at their peak in the worst case: what admission asks of the budget. Where beliefs may
    /// be demoted, with all of them in the lowest tier.
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
    /// What is expected to be done to store beliefs in less memory, at any one tick.
    pub economies: Economies,
    /// The time that a tick of all agents will take, in seconds, as the sample took it.
    pub tick_seconds: f64,
    /// What is kept free in the budget for writing checkpoints, in bytes: part of the above where they
    /// were asked for.
    pub store_bytes: u64,
    /// Bytes that the file of a checkpoint takes, about: the last commit, the next one beside it, and
    /// the model.
    pub checkpoint_bytes: u64,
    /// The agents that memory is expected to hold: all, unless they may spill.
    pub resident_agents: u64,
    /// Bytes of the others' images on disk.
    pub spilled_bytes: u64,
    /// How many agents the sample had.
    pub sample_agents: u64,
    /// What history takes of it, where it is kept.
    pub history: Option<PlannedHistory>,
}

/// What the history of a population will take, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedHistory {
    /// What is asked of the budget: it has no less.
    pub least_bytes: u64,
    /// What all its ticks take, compressed as the sample's were.
    pub expected_bytes: u64,
    /// What all its ticks take where nothing can be compressed: it has no more. Where the budget has
    /// less, the oldest go.
    pub worst_bytes: u64,
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

/// As [`plan`], of agents that may come and go: a [`Crowd`](crate::Crowd), or those of
/// [`Simulation::living`]. Their beliefs are not demoted; of chunks that share records, one is expected to be
/// changed at a time, and to have one for each agent then. (Who goes at random goes from all of them.)
///
/// # Errors
///
/// As for [`plan`].
pub fn plan_changing(
    model: &Model,
    process: Option<&Model>,
    settings: &Settings,
    steps: u64,
) -> Result<Plan> {
    Simulation::in_world(model, process, steps, false, |source| {
        let source = Source { changes: true, ..*source };
        match settings.precision {
            Precision::F32 => plan_in::<f32>(&source, settings),
            Precision::F64 => plan_in::<f64>(&source, settings),
        }
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
    let layout = ChunkLayout::of(record, &model, 0, false)?;
    Ok((layout.column_bytes(1) + record_bytes) as u64)
}

fn plan_in<T: Number>(source: &Source<'_>, settings: &Settings) -> Result<Plan> {
    let unlimited = Settings { budget_bytes: u64::MAX, ..settings.clone() };
    let mut whole = Population::<T>::prepare(source, &unlimited)?;
    // What a checkpoint may come to hold is bounded by the budget that there will be.
    whole.budget_bytes = settings.budget_bytes;
    let worst = whole.needed_bytes(settings.agents, source.keep_arrays);
    let base = whole.memory();
    let sample_agents = settings.agents.min(SAMPLE_AGENTS);
    // The sample's chunks are as large as the run's, so that pages are wasted alike.
    let history = settings.history.as_ref();
    let sampled = Settings {
        // The bound is on the history of all agents.
        history: history.map(|history| History { bytes: None, ..history.clone() }),
        agents: sample_agents,
        chunk: settings.chunk.or(Some(whole.chunk_agents)),
        within: None,
        agent_bytes: None,
        // A plan writes nothing.
        spill: None,
        checkpoint: false,
        ..unlimited
    };
    let mut sample = Population::<T>::new(source, &sampled)?;
    let (budget, limit) = (settings.budget_bytes, settings.agent_bytes);
    sample.quota = whole.quota(budget, settings.agents, limit, source.keep_arrays);
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
    let mut images = 0;
    sample.each_chunk(&mut |_, layout, chunk| {
        images += image_bytes(layout, chunk);
        Ok(())
    })?;
    let done = sample.economies();
    let all = |agents: u64| (agents as f64 * ratio).round() as u64;
    let economies = Economies {
        sharing_agents: all(done.sharing_agents),
        shared_records: all(done.shared_records),
        demoted_agents: all(done.demoted_agents),
        demotions: all(done.demotions).checked_div(ticks).unwrap_or(0),
    };
    let parted_bytes = if source.changes { sample.parted_bytes()? } else { 0 };
    let image_bytes = images as f64 / sample_agents as f64;
    let store_bytes = whole.store_bytes(settings.agents);
    let mut expected = Memory {
        agents: grown(peak.agents, fixed.agents, base.agents) + parted_bytes,
        shared: base.shared,
        scratch: grown(peak.scratch, fixed.scratch, base.scratch),
        pool_idle: base.pool_idle,
        padding: grown(peak.padding, fixed.padding, base.padding),
        overhead: base.overhead + if settings.checkpoint { store_bytes } else { 0 },
    };
    let bytes_per_agent = (expected.total() - expected.overhead - base.total() + base.overhead)
        as f64
        / settings.agents as f64;
    let mut resident_agents = settings.agents;
    if settings.spill.is_some() && expected.total() > settings.budget_bytes {
        let room = settings.budget_bytes.saturating_sub(base.total() + expected.overhead);
        resident_agents = (room as f64 / bytes_per_agent) as u64;
        let part = resident_agents as f64 / settings.agents as f64;
        let shrunk = |all: u64, base: u64| base + ((all - base) as f64 * part) as u64;
        expected.agents = shrunk(expected.agents, base.agents);
        expected.padding = shrunk(expected.padding, base.padding);
    }
    let mut model = Vec::new();
    source.model.write(&mut model)?;
    let needed = whole.asked_bytes(settings, source.keep_arrays);
    let steps = source.steps.unwrap_or(u64::MAX);
    let history = whole.history.as_ref().zip(sample.history_totals()).map(|(history, totals)| {
        let taken = ((totals.stored_bytes + totals.open_bytes) as f64 * ratio) as u64;
        let planned = history.planned(&totals, settings.agents, whole.chunk_agents, steps);
        expected.agents = expected.agents.saturating_sub(taken) + planned.expected_bytes;
        planned
    });
    Ok(Plan {
        agents: settings.agents,
        worst_bytes: u64::try_from(worst).unwrap_or(u64::MAX),
        expected,
        bytes_per_agent,
        budget_bytes: settings.budget_bytes,
        fits: needed <= u128::from(settings.budget_bytes)
            && limit.is_none_or(|limit| whole.layout.most_agent_bytes() <= limit),
        most_agents: whole.most_agents(settings.budget_bytes, source.keep_arrays),
        economies,
        tick_seconds: if ticks == 0 { 0.0 } else { seconds / ticks as f64 * ratio },
        store_bytes,
        checkpoint_bytes: checkpoint_bytes(image_bytes * settings.agents as f64, model.len()),
        resident_agents,
        spilled_bytes: ((settings.agents - resident_agents) as f64 * image_bytes) as u64,
        sample_agents,
        history,
    })
}
