//! Where a population asks its history, and where history gives way to agents.

use std::ops::Range;

use crate::history::{Archive, HistoryTotals, Past};
use crate::population::Population;
use crate::record::Number;
use crate::{Error, ErrorKind, Result};

/// History that has less than this gives all of it away.
const FEW_BYTES: u64 = 64 << 10;

impl<T: Number> Population<T> {
    /// What an agent observed and did at some ticks, as far as it is kept.
    pub(crate) fn past(&self, agent: u64, ticks: Range<u64>) -> Result<Past> {
        let Some(history) = &self.history else {
            let message = "history: none is kept, because the settings did not ask for any";
            return Err(Error::invalid(message));
        };
        let agents = self.life.next_id;
        if agent >= agents {
            let message = format!("id: {agent} is out of range, there were {agents} agents ever");
            return Err(Error::invalid(message));
        }
        history.past(agent, ticks, self.ticks())
    }

    /// How much history there is, where it is kept.
    pub(crate) fn history_totals(&self) -> Option<HistoryTotals> {
        self.history.as_ref().map(|history| history.totals(self.ticks()))
    }

    /// Gives history what the worst case of all agents leaves of the budget, as far as it can use it.
    /// Where agents may go to disk (`spills`), they make room for what it is said to have, or for half
    /// of what there is for both.
    pub(crate) fn begin_history(&mut self, keep_arrays: bool, spills: bool) {
        let (agents, chunk) = (self.first_agents, self.chunk_agents);
        let needed = self.whole_bytes(agents, keep_arrays);
        let rest = u128::from(self.budget_bytes).saturating_sub(self.fixed_bytes(keep_arrays));
        if let Some(history) = &mut self.history {
            let left = u128::from(self.budget_bytes).saturating_sub(needed);
            let left = left + history.least_bytes(agents, chunk);
            let shared = match history.settings().bytes {
                _ if !spills => 0,
                Some(_) => rest,
                None => rest / 2,
            };
            history.begin(chunk, left.max(shared));
        }
    }

    /// Makes room and rings for the next tick. Where agents come and go, history has anew what they
    /// leave of the budget.
    pub(crate) fn prepare_history(&mut self) -> Result<()> {
        let free = self.free_for_history();
        if let (Some(history), Some(free), true) = (&self.history, free, self.spills()) {
            let most = history.most_bytes(self.agents(), self.chunk_agents);
            let most = free.min(u64::try_from(most).unwrap_or(u64::MAX));
            let held = history.room_bytes() - history.unused_bytes();
            self.make_room(most.saturating_sub(held))?;
        }
        self.make_history_room(free)
    }

    /// What the others leave of the budget, where agents come and go.
    pub(crate) fn free_for_history(&self) -> Option<u64> {
        let changes = self.history.as_ref().filter(|history| history.changes());
        changes.map(|history| {
            let others = self.worst_bytes() - history.room_bytes();
            let left = self.budget_bytes.saturating_sub(others);
            match (self.spills(), history.settings().bytes) {
                // Agents on disk leave it all, and are better off with a part.
                (true, None) => {
                    left.min(self.budget_bytes.saturating_sub(self.fixed_memory().total()) / 2)
                }
                _ => left,
            }
        })
    }

    fn make_history_room(&mut self, free: Option<u64>) -> Result<()> {
        let Some(history) = &mut self.history else { return Ok(()) };
        let runs = self
            .chunks
            .iter()
            .flat_map(|chunk| chunk.members.runs().map(|(places, first)| (first, places.len())));
        history.prepare(self.tick, free, runs)
    }

    /// Asks for memory; where it is refused, history gives way as far as it takes, if that helps.
    pub(crate) fn admit_before_history(
        &mut self,
        admit: impl Fn(&Self) -> Result<()>,
    ) -> Result<()> {
        let room = |population: &Self| population.history.as_ref().map_or(0, Archive::room_bytes);
        let whole = room(self);
        let mut refused = match admit(self) {
            Err(error) if error.kind() == ErrorKind::Budget && whole > 0 => error,
            answered => return answered,
        };
        while room(self) > 0 {
            let less = if room(self) < FEW_BYTES { 0 } else { room(self) / 2 };
            if let Some(history) = &mut self.history {
                history.set_room(less);
            }
            match admit(self) {
                Ok(()) => {
                    self.make_history_room(None)?;
                    self.memory.trim();
                    return Ok(());
                }
                Err(error) => refused = error,
            }
        }
        if let Some(history) = &mut self.history {
            history.set_room(whole);
        }
        Err(refused)
    }
}
