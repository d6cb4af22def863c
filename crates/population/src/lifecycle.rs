//! The lives of agents: where each is, when it passes on, and who is told.
//!
//! ```text
//!          spawn             step              not stepped for long      hibernate, sweep
//!  (none) ───────▶ initialising ───▶ active ─────────────────────▶ idle ─────────▶ hibernated
//!                                      ▲ ◀──────────── step ────────┘                  │
//!                                      └──────────────────── wake ─────────────────────┘
//!                 and from anywhere, for good: retire ─▶ retired, recycle ─▶ recycled
//! ```
//!
//! Initialising, active and idle are no more than what can be seen: whether an agent has acted, and
//! when it was stepped last. So they take no memory, and nothing has to be kept true.
//!
//! Invariant: ids are never given twice; ids given = in memory + hibernated + retired + recycled.

use std::sync::Arc;

use populace_pool::{Event, EventSink, Owner, Stage};
use populace_tensor::Array;
use serde::{Deserialize, Serialize};

use crate::chunk::NOT_BORN;
use crate::hibernation::Hibernation;
use crate::population::Population;
use crate::record::Number;
use crate::roster::{Call, by_chunk};
use crate::schedule::{Change, Schedule};
use crate::{Error, Result};

/// Where an agent is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Lifecycle {
    /// It was born, and nobody has stepped it yet.
    Initialising,
    /// It was stepped not long ago.
    Active,
    /// Nobody has stepped it for as long as [`LifecyclePolicy::idle_after`] says.
    Idle,
    /// It rests on disk.
    Hibernated,
    /// It is gone, and another agent has its place.
    Recycled,
    /// It is gone.
    Retired,
}

impl From<Lifecycle> for Stage {
    fn from(lifecycle: Lifecycle) -> Self {
        Self(lifecycle as u8)
    }
}

/// What becomes of agents that nobody steps.
///
/// ```
/// use populace_population::LifecyclePolicy;
///
/// // Whoever was not stepped for ten ticks goes to disk, and comes back when it is asked for.
/// let policy = LifecyclePolicy { idle_after: Some(10), sweeps: true, wakes: true };
/// # assert_ne!(policy, LifecyclePolicy::default());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LifecyclePolicy {
    /// After how many ticks without a step an agent is idle; `None`: never. To know it takes 16 bytes
    /// an agent, of chunks in which not all were stepped alike.
    pub idle_after: Option<u64>,
    /// Whether every step ends with a sweep, which hibernates who is idle.
    pub sweeps: bool,
    /// Whether to step a hibernated agent wakes it; else it is an error.
    pub wakes: bool,
}

impl LifecyclePolicy {
    /// Whether an agent that was last stepped then is idle after `ticks` ticks.
    fn idle(&self, stepped: u64, ticks: u64) -> bool {
        self.idle_after.is_some_and(|after| ticks.saturating_sub(stepped) >= after)
    }
}

/// How many agents are where in their lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LifecycleCounts {
    /// Born and not stepped yet.
    pub initialising: u64,
    /// Stepped not long ago.
    pub active: u64,
    /// Not stepped for long.
    pub idle: u64,
    /// On disk.
    pub hibernated: u64,
    /// Gone, and replaced.
    pub recycled: u64,
    /// Gone.
    pub retired: u64,
}

/// What a population knows of lives, besides its agents.
#[derive(Default)]
pub(crate) struct Life {
    /// The next agent's id: how many there ever were.
    pub(crate) next_id: u64,
    pub(crate) retired: u64,
    pub(crate) recycled: u64,
    pub(crate) policy: LifecyclePolicy,
    /// Who comes and goes by itself.
    pub(crate) schedule: Option<Schedule>,
    /// A change that has begun, and could not be finished.
    pub(crate) change: Option<Change>,
    /// The tick before which all changes are made.
    pub(crate) changed: Option<u64>,
    /// Which run's agents these are: what a hibernation file says of those in it.
    pub(crate) run: u64,
    /// What a record means: of the model and the settings.
    pub(crate) fingerprint: u64,
    pub(crate) store: Option<Hibernation>,
    /// What is charged for the store.
    pub(crate) reserve: Option<Array<u8>>,
    sink: Option<Arc<dyn EventSink>>,
}

impl Life {
    /// Of agents whose records mean what `fingerprint` is a hash of.
    pub(crate) fn new(fingerprint: u64) -> Self {
        Self { fingerprint, ..Self::default() }
    }

    /// Whether it matters when agents were last stepped.
    pub(crate) fn dated(&self) -> bool {
        self.policy.idle_after.is_some()
    }

    /// Whether an agent that was last stepped then is idle after `ticks` ticks.
    pub(crate) fn idle(&self, stepped: u64, ticks: u64) -> bool {
        self.policy.idle(stepped, ticks)
    }

    /// Whether anybody is told.
    pub(crate) fn is_told(&self) -> bool {
        self.sink.is_some()
    }

    /// Tells that an agent has passed on.
    pub(crate) fn tell(&self, id: u64, from: Option<Lifecycle>, to: Lifecycle) {
        if let Some(sink) = &self.sink {
            let from = from.map(Stage::from);
            sink.note(Event::Passed { owner: Owner(id), from, to: to.into() });
        }
    }

    pub(crate) fn listen(&mut self, sink: Option<Arc<dyn EventSink>>) {
        self.sink = sink;
    }
}

impl<T: Number> Population<T> {
    /// Sets what becomes of agents that nobody steps. Idle times count from now on, unless they did
    /// already.
    pub(crate) fn set_policy(&mut self, policy: LifecyclePolicy) -> Result<()> {
        if policy.idle_after == Some(0) {
            return Err(Error::invalid("idle_after: 0 ticks would make every agent idle at once"));
        }
        if policy.sweeps && (policy.idle_after.is_none() || self.life.store.is_none()) {
            return Err(Error::invalid("sweeps: need an idle_after and a hibernation file"));
        }
        let ticks = self.ticks();
        if policy.idle_after.is_some() && !self.life.dated() {
            self.chunks.iter_mut().for_each(|chunk| chunk.members.step_all(ticks));
        }
        self.life.policy = policy;
        Ok(())
    }

    /// Where agents are in their lives; who is gone counts as retired.
    pub(crate) fn lifecycles(&mut self, ids: &[u64]) -> Result<Vec<Lifecycle>> {
        let next = self.life.next_id;
        if let Some(row) = ids.iter().position(|&id| id >= next) {
            return Err(self.absent(row, ids[row]));
        }
        let held = match &self.life.store {
            Some(store) => store.holds(ids.iter().copied())?,
            None => vec![false; ids.len()],
        };
        let gone = |held| if held { Lifecycle::Hibernated } else { Lifecycle::Retired };
        let mut lifecycles: Vec<Lifecycle> = held.into_iter().map(gone).collect();
        let found = ids.iter().enumerate().filter_map(|(row, &id)| {
            Some(Call { row: u32::try_from(row).ok()?, ..self.find_id(id)? })
        });
        let mut calls: Vec<Call> = found.collect();
        calls.sort_unstable();
        for (call, (_, lifecycle)) in calls.iter().zip(self.lifecycles_of(&calls, true)?) {
            lifecycles[call.row as usize] = lifecycle;
        }
        Ok(lifecycles)
    }

    /// Where agents in memory are in their lives, chunk by chunk, with their ids; unless `idles`,
    /// however long ago they were stepped.
    pub(crate) fn lifecycles_of(
        &mut self,
        calls: &[Call],
        idles: bool,
    ) -> Result<Vec<(u64, Lifecycle)>> {
        let (ticks, policy) = (self.ticks(), self.life.policy);
        let mut lifecycles = Vec::with_capacity(calls.len());
        for (index, calls) in by_chunk(calls) {
            self.with_chunk(index, |layout, chunk| {
                let (members, columns, _) = chunk.split(layout);
                for place in calls.iter().map(|call| call.place as usize) {
                    let lifecycle = match columns.action(place) {
                        _ if idles && policy.idle(members.stepped(place), ticks) => Lifecycle::Idle,
                        NOT_BORN => Lifecycle::Initialising,
                        _ => Lifecycle::Active,
                    };
                    lifecycles.push((members.id(place), lifecycle));
                }
                Ok(())
            })?;
        }
        Ok(lifecycles)
    }

    /// How many agents are where.
    pub(crate) fn lifecycle_counts(&mut self) -> LifecycleCounts {
        let ticks = self.ticks();
        let life = &self.life;
        let policy = life.policy;
        let mut counts = LifecycleCounts {
            hibernated: life.store.as_ref().map_or(0, Hibernation::count),
            recycled: life.recycled,
            retired: life.retired,
            ..LifecycleCounts::default()
        };
        for place in 0..self.chunks.len() {
            // Agents that cannot be read back are not counted; the next tick will say why.
            let _ = self.with_chunk(place, |layout, chunk| {
                let (members, columns, _) = chunk.split(layout);
                for place in 0..members.len() {
                    match columns.action(place) {
                        _ if policy.idle(members.stepped(place), ticks) => counts.idle += 1,
                        NOT_BORN => counts.initialising += 1,
                        _ => counts.active += 1,
                    }
                }
                Ok(())
            });
        }
        counts
    }

    /// The agents that are idle now.
    pub(crate) fn idle(&self) -> Vec<u64> {
        let ticks = self.ticks();
        let mut idle = Vec::new();
        for chunk in self.chunks.iter().map(|chunk| &chunk.members) {
            if chunk.is_uniform() && !self.life.idle(chunk.stepped(0), ticks) {
                continue;
            }
            let places = 0..chunk.len();
            let places = places.filter(|&place| self.life.idle(chunk.stepped(place), ticks));
            idle.extend(places.map(|place| chunk.id(place)));
        }
        idle
    }

    /// Why an agent cannot be found.
    pub(crate) fn absent(&self, row: usize, id: u64) -> Error {
        let next = self.life.next_id;
        if id >= next {
            let ever = if self.agents() == next { "are" } else { "were ever" };
            return Error::invalid(format!(
                "ids[{row}]: {id} is out of range, there {ever} {next} agents"
            ));
        }
        let held = self.life.store.as_ref().map(|store| store.holds([id]));
        match held.transpose() {
            Err(error) => error,
            Ok(Some(held)) if held == [true] => {
                Error::invalid(format!("ids[{row}]: {id} is hibernated; wake it first"))
            }
            Ok(_) => Error::invalid(format!("ids[{row}]: {id} is gone for good")),
        }
    }
}
