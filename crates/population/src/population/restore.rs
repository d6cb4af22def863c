//! A population of agents who come and go, out of a snapshot.

use populace_pool::Bytes;

use super::{Population, Source};
use crate::record::Number;
use crate::snapshot::{Snapshot, chunk_bytes};
use crate::{Error, ErrorKind, Result, Settings};

impl<T: Number> Population<T> {
    /// The population that was saved. It is admitted as a new one is; then its chunks, which are as
    /// they were, have to fit, and are tidied up as the new threads and the new budget want it.
    pub(crate) fn restored(
        source: &Source<'_>,
        settings: &Settings,
        from: &mut Snapshot,
    ) -> Result<Self> {
        let mut population = Self::admitted(source, settings, Some(from.header.chunk))?;
        population.given = None;
        population.admit_chunks(settings.agents, &from.header.chunks)?;
        population.life.policy = from.header.policy();
        for len in from.header.chunks.clone() {
            let chunk = from.chunk(&population, len)?;
            let last = population.chunks.last().map(|chunk| chunk.members.id(chunk.len() - 1));
            if last.is_some_and(|last| last >= chunk.members.first()) {
                return Err(Error::invalid("is damaged: its agents are not in order"));
            }
            population.chunks.push(chunk);
        }
        from.end()?;
        let header = &from.header;
        (population.tick, population.hash) = (header.tick, header.hash);
        population.agent_steps = header.agent_steps;
        let life = &mut population.life;
        (life.next_id, life.retired, life.recycled) =
            (header.next_id, header.retired, header.recycled);
        population.settle();
        Ok(population)
    }

    /// Checks that chunks of so many agents fit the budget.
    fn admit_chunks(&self, agents: u64, lengths: &[usize]) -> Result<()> {
        let past = self.history.as_ref();
        let past = past.map_or(0, |history| history.least_bytes(agents, self.chunk_agents));
        let fixed = u128::from(self.fixed.total() + self.idle_bytes);
        let needed = fixed + past + chunk_bytes(&self.layout, lengths);
        if needed <= u128::from(self.budget_bytes) {
            return Ok(());
        }
        let needed = u64::try_from(needed).unwrap_or(u64::MAX);
        Err(Error::new(
            ErrorKind::Budget,
            format!(
                "{agents} agents in {} chunks need {} in the worst case, and the budget is {}",
                lengths.len(),
                Bytes(needed),
                Bytes(self.budget_bytes)
            ),
        ))
    }
}
