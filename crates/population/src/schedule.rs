//! Lives by schedule: who is born, hibernated, woken and retired in a simulation, and when.
//!
//! Changes come before every `every`-th tick. Whoever may pass on does so by a number that is drawn for
//! (seed, agent, tick), so that who it is depends neither on threads nor on chunks; and when an agent
//! was born follows from its id:
//!
//! ```text
//! born(id) = 0                                          for id < agents
//!            every · (1 + ⌊(id − agents) / spawn⌋)      else
//! ```

use std::path::PathBuf;

use populace_agent::random::{Purpose, Stream};
use serde::{Deserialize, Serialize};

use crate::checkpoint::behind_links;
use crate::population::Population;
use crate::record::Number;
use crate::{Error, Result};

/// What changes in a population between ticks.
///
/// ```
/// use populace_agent::models::{GridOptions, grid};
/// use populace_population::{Schedule, Settings, Simulation};
///
/// let model = grid(&GridOptions { side: 5, ..GridOptions::default() })?;
/// let settings = Settings { agents: 100, budget_bytes: 8 << 20, ..Settings::default() };
/// let schedule = Schedule { every: 5, spawn: 10, lifetime: Some(10), ..Schedule::default() };
/// let mut simulation = Simulation::living(&model, None, &settings, 20, &schedule)?;
/// for _ in 0..20 {
///     simulation.tick()?;
/// }
/// // The first hundred are gone, and those born before the sixth tick too.
/// assert_eq!(simulation.agents(), 20);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Ticks from change to change.
    pub every: u64,
    /// How many agents are born at a change.
    pub spawn: u64,
    /// The chance that an agent in memory retires at a change.
    pub retire: f64,
    /// After how many ticks of life an agent retires, at the next change; `None`: never.
    pub lifetime: Option<u64>,
    /// The chance that an agent in memory is hibernated at a change.
    pub hibernate: f64,
    /// The chance that a hibernated agent is woken at a change.
    pub wake: f64,
    /// The file that agents are hibernated in; it must hold none to begin with.
    pub store: Option<PathBuf>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            every: 1,
            spawn: 0,
            retire: 0.0,
            lifetime: None,
            hibernate: 0.0,
            wake: 0.0,
            store: None,
        }
    }
}

/// Who passes on before a tick, as far as it has not happened yet.
#[derive(Debug, Default)]
pub(crate) struct Change {
    retire: Vec<u64>,
    hibernate: Vec<u64>,
    wake: Vec<u64>,
    spawn: u64,
}

/// Draws an agent may need at a change.
const DRAWS: u64 = 3;

impl Schedule {
    /// Checks that it makes sense.
    ///
    /// # Errors
    ///
    /// The name of the key, its value, and the rule that it breaks.
    pub fn check(&self) -> Result<()> {
        if self.every == 0 {
            return Err(Error::invalid("every: 0, but changes are at least 1 tick apart"));
        }
        if self.lifetime == Some(0) {
            return Err(Error::invalid("lifetime: 0, but agents live for at least 1 tick"));
        }
        let chances = [("retire", self.retire), ("hibernate", self.hibernate), ("wake", self.wake)];
        for (name, chance) in chances {
            if !(0.0..=1.0).contains(&chance) {
                return Err(Error::invalid(format!(
                    "{name}: {chance} is no chance, which is between 0 and 1"
                )));
            }
        }
        if self.store.as_ref().is_some_and(|store| store.as_os_str().is_empty()) {
            return Err(Error::invalid("store: is empty, and names no file"));
        }
        if self.store.is_none() && self.hibernate > 0.0 {
            return Err(Error::invalid("hibernate: agents can only be hibernated in a store"));
        }
        Ok(())
    }

    /// The most agents that there can be at once in `steps` ticks, `agents` of them to begin with.
    pub fn most_agents(&self, agents: u64, steps: u64) -> u64 {
        let every = self.every.max(1);
        let changes = steps.saturating_sub(1) / every;
        // Who was born longer ago than a lifetime and a change is gone.
        let alive = self.lifetime.map_or(changes, |lifetime| changes.min(lifetime / every + 1));
        agents.saturating_add(self.spawn.saturating_mul(alive))
    }

    /// How many agents, from the first on, have lived out their lives after so many ticks.
    fn expired(&self, agents: u64, ticks: u64) -> u64 {
        let Some(last) = self.lifetime.and_then(|lifetime| ticks.checked_sub(lifetime)) else {
            return 0;
        };
        agents.saturating_add(self.spawn.saturating_mul(last / self.every))
    }
}

impl<T: Number> Population<T> {
    /// Lives by a schedule for `steps` ticks, from the first one on; `run` is what that run's agents are
    /// known by. Where it was begun before (`again`), whoever was at rest then is forgotten.
    pub(crate) fn live(
        &mut self,
        schedule: &Schedule,
        steps: u64,
        run: u64,
        again: bool,
    ) -> Result<()> {
        self.life.run = run;
        let new = schedule.store.as_ref().filter(|store| !store.exists());
        if let Some(store) = &schedule.store {
            self.rest_in(store, |store, run| match store.count() {
                _ if again => store.restore(run, None),
                0 => Ok(()),
                held => Err(store.invalid(format!("holds {held} agents of another run"))),
            })?;
        }
        self.admit_schedule(schedule, steps).inspect_err(|_| {
            // A run that is refused leaves nothing; nobody is left to tell if that fails.
            self.life.store = None;
            let _ = new.map(|store| std::fs::remove_file(behind_links(store)));
        })
    }

    /// Lives by a schedule from now on, if the most agents that there can be fit the budget.
    pub(crate) fn admit_schedule(&mut self, schedule: &Schedule, steps: u64) -> Result<()> {
        let most = schedule.most_agents(self.first_agents, steps);
        let (needed, budget) = (self.asked_of(most, self.spills(), false), self.budget_bytes);
        if needed > u128::from(budget) {
            let fits = self.most_agents(budget, false);
            let holders = self.holders(most, false);
            return Err(Error::over_budget(most, needed, budget, fits, holders));
        }
        self.life.schedule = Some(schedule.clone());
        Ok(())
    }

    /// Makes the changes that come before the next tick, where there are any. Should that fail, the next
    /// call goes on where it failed.
    pub(crate) fn change(&mut self) -> Result<()> {
        let ticks = self.ticks();
        let due = self.life.schedule.as_ref().is_some_and(|it| ticks.is_multiple_of(it.every));
        if !due || ticks == 0 || self.life.changed == Some(ticks) {
            return Ok(());
        }
        let mut change = match self.life.change.take() {
            Some(change) => change,
            None => self.draw_change()?,
        };
        match self.make(&mut change) {
            Ok(()) => self.life.changed = Some(ticks),
            Err(error) => {
                self.life.change = Some(change);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Who passes on before the next tick.
    fn draw_change(&self) -> Result<Change> {
        let ticks = self.ticks();
        let Some(schedule) = &self.life.schedule else { return Ok(Change::default()) };
        let stream = Stream::new(self.seed, ticks, Purpose::Live);
        let falls = |id: u64, draw: u64, chance: f64| {
            chance > 0.0 && stream.uniform(id.wrapping_mul(DRAWS).wrapping_add(draw)) < chance
        };
        let expired = schedule.expired(self.first_agents, ticks);
        let dying = |id: u64| id < expired || falls(id, 0, schedule.retire);
        let mut asleep = Vec::new();
        if let Some(store) = &self.life.store {
            store.each_id(|id| asleep.push(id))?;
        }
        let awake = self.ids();
        let old = asleep.iter().copied().filter(|&id| id < expired);
        let retire = awake.iter().copied().filter(|&id| dying(id)).chain(old).collect();
        let tired = |&id: &u64| !dying(id) && falls(id, 1, schedule.hibernate);
        let hibernate = awake.into_iter().filter(tired).collect();
        let rested = |&id: &u64| id >= expired && falls(id, 2, schedule.wake);
        let wake = asleep.into_iter().filter(rested).collect();
        Ok(Change { retire, hibernate, wake, spawn: schedule.spawn })
    }

    /// Makes what is left of a change, and strikes out what is done.
    fn make(&mut self, change: &mut Change) -> Result<()> {
        let Change { retire, hibernate, wake, spawn } = change;
        if !retire.is_empty() {
            self.retire(retire)?;
            retire.clear();
        }
        if !hibernate.is_empty() {
            self.hibernate(hibernate)?;
            hibernate.clear();
        }
        // Where memory was refused half way, some are awake already.
        wake.retain(|&id| self.find_id(id).is_none());
        if !wake.is_empty() {
            self.wake(wake)?;
            wake.clear();
        }
        if *spawn > 0 {
            self.give_birth(*spawn)?;
            *spawn = 0;
        }
        Ok(())
    }
}
