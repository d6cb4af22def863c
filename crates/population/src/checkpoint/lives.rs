//! What a header says of agents that come and go, and of the past that is kept.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::population::Population;
use crate::record::Number;
use crate::{Error, History, LifecyclePolicy, Result, Schedule};

/// Agents that come and go.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Lives {
    /// Whether what follows was ever committed.
    pub(crate) committed: bool,
    /// How many chunks there are, and how many agents in them.
    pub(crate) chunks: u64,
    pub(crate) awake: u64,
    /// The next agent's id.
    pub(crate) next_id: u64,
    pub(crate) retired: u64,
    pub(crate) recycled: u64,
    pub(crate) agent_steps: u64,
    pub(crate) policy: LifecyclePolicy,
    /// By what they come and go; none where a caller has them do so.
    pub(crate) schedule: Option<Schedule>,
    /// Where they are at rest.
    pub(crate) store: Option<PathBuf>,
    /// The run that they are of.
    pub(crate) run: u64,
}

impl Lives {
    /// Of a run that is to begin: by a schedule.
    pub(super) fn by(schedule: &Schedule) -> Result<Self> {
        let store = schedule.store.as_deref().map(anywhere).transpose()?;
        let schedule = Some(Schedule { store: store.clone(), ..schedule.clone() });
        Ok(Self { schedule, store, ..Self::default() })
    }
}

/// A path that means the same in any directory.
fn anywhere(path: &std::path::Path) -> Result<PathBuf> {
    let unknown = |why: &str| Error::invalid(format!("{}: {why}", path.display()));
    let path = std::path::absolute(path).map_err(|error| unknown(&super::reason(&error)))?;
    match path.to_str() {
        Some(_) => Ok(path),
        None => Err(unknown("is no UTF-8, and a checkpoint has to say where it is")),
    }
}

/// The past that is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeptPast {
    pub(crate) settings: History,
    /// How many rings there are, each for how many ids.
    pub(crate) rings: u64,
    pub(crate) ring_agents: u64,
    /// The tick before which nothing was kept.
    pub(crate) begun: u64,
}

impl KeptPast {
    /// Of a run that is to begin.
    pub(super) fn by(settings: &History) -> Self {
        Self { settings: settings.clone(), rings: 0, ring_agents: 0, begun: 0 }
    }
}

impl<T: Number> Population<T> {
    /// What a header says of agents that come and go.
    pub(super) fn lives(&self) -> Result<Option<Lives>> {
        if !self.changes() {
            return Ok(None);
        }
        let life = &self.life;
        let store = life.store.as_ref().map(|store| anywhere(store.path())).transpose()?;
        let schedule = life.schedule.as_ref();
        Ok(Some(Lives {
            committed: true,
            chunks: self.chunks.len() as u64,
            awake: self.agents(),
            next_id: life.next_id,
            retired: life.retired,
            recycled: life.recycled,
            agent_steps: self.agent_steps(),
            policy: life.policy,
            schedule: schedule.map(|it| Schedule { store: store.clone(), ..it.clone() }),
            store,
            run: life.run,
        }))
    }

    /// What it says of the past.
    pub(super) fn kept_past(&self) -> Option<KeptPast> {
        self.history.as_ref().map(|history| KeptPast {
            settings: history.settings().clone(),
            rings: history.rings() as u64,
            ring_agents: history.ring_agents() as u64,
            begun: history.begun(),
        })
    }
}
