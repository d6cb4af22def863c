//! How a population gets its first agents: newly born, or where a checkpoint left them.

use populace_tensor::Array;

use super::streaming::Room;
use super::{Given, KeptArrays, Population, Source};
use crate::checkpoint::{Lives, Resumed};
use crate::members::Members;
use crate::membership::begin;
use crate::record::Number;
use crate::{Error, Result, Settings};

impl<T: Number> Population<T> {
    /// Makes the arrays of the last tick, where they are to be read.
    fn keep_arrays(&mut self, agents: u64) -> Result<()> {
        let memory = self.memory.scratch();
        let (modalities, factors) = (self.model.num_obs().len(), self.model.num_states().len());
        self.kept = Some(KeptArrays {
            observations: Array::zeroed(&memory, agents as usize * modalities)?,
            actions: Array::zeroed(&memory, agents as usize * factors)?,
        });
        Ok(())
    }

    /// Lets the first agents be born.
    pub(super) fn fill(&mut self, agents: u64, keep_arrays: bool) -> Result<()> {
        if keep_arrays {
            self.keep_arrays(agents)?;
        }
        let (seed, free_bytes) = (self.seed, self.free_for_chunks(agents));
        let Self { layout, chunk_memory, spill, workers, environment, chunks, .. } = self;
        let (layout, environment) = (&*layout, &**environment);
        let mut room = Room::new(layout, chunk_memory, spill.as_ref(), workers, free_bytes);
        for first in (0..agents).step_by(self.chunk_agents) {
            let len = (self.chunk_agents as u64).min(agents - first) as usize;
            let members = Members::new(first, len, 0, chunk_memory)?;
            chunks.push(room.chunk(chunks.len(), members, 0, &mut |chunk| {
                chunk.contents_mut(layout).0.fill(0);
                if chunk.borrows() {
                    begin(environment, seed, layout, chunk, 0);
                }
                Ok(())
            })?);
        }
        let spill = spill.as_ref();
        let places = chunks.iter_mut().enumerate();
        let here = places.filter(|&(place, _)| spill.is_none_or(|spill| !spill.is_away(place)));
        self.threads.each(here, |(_, chunk)| {
            begin(environment, seed, layout, chunk, 0);
            Ok(())
        })?;
        self.number_rows();
        self.life.next_id = agents;
        self.note_peak();
        Ok(())
    }

    /// A population where a checkpoint left off.
    pub(crate) fn resumed(
        source: &Source<'_>,
        settings: &Settings,
        from: &Resumed<'_>,
    ) -> Result<Self> {
        // The checkpoint's store takes memory while it is read.
        let agents = from.most_agents();
        let settings = Settings { checkpoint: true, agents, ..settings.clone() };
        let past = from.header.past.as_ref().filter(|past| past.ring_agents > 0);
        let ring_agents = past.map(|past| usize::try_from(past.ring_agents));
        let ring_agents = ring_agents.transpose().map_err(|_| damaged("its history's rings"))?;
        let given = Given { chunk: from.chunk_agents, ring_agents };
        let mut population = Self::admitted(source, &settings, Some(given))?;
        population.first_agents = from.header.agents;
        if source.keep_arrays {
            population.keep_arrays(agents)?;
        }
        population.refill(from)?;
        population.refill_history(from)?;
        population.note_peak();
        Ok(population)
    }

    /// Fills the population with the agents of a checkpoint.
    fn refill(&mut self, from: &Resumed<'_>) -> Result<()> {
        let (agents, most) = (from.header.agents, self.chunk_agents);
        let free_bytes = self.free_for_chunks(agents);
        let changes = self.changes();
        if let Some(spill) = &mut self.spill {
            spill.hold(usize::try_from(from.chunks()).unwrap_or(usize::MAX));
        }
        let Self { layout, chunk_memory, spill, workers, chunks, .. } = self;
        let layout = &*layout;
        let mut room = Room::new(layout, chunk_memory, spill.as_ref(), workers, free_bytes);
        let mut next_id = 0;
        for place in 0..from.chunks() {
            let chunk =
                from.chunk(place, (layout, most), chunk_memory, |members, words, fill| {
                    let whole = (most as u64).min(agents.saturating_sub(next_id));
                    let fits = match changes {
                        true => members.first() >= next_id,
                        false => {
                            let expected = (next_id, whole as usize);
                            members.is_uniform() && (members.first(), members.len()) == expected
                        }
                    };
                    if !fits {
                        return Err(damaged(format!("agents from {next_id} on are not there")));
                    }
                    next_id = members.last().saturating_add(1);
                    room.chunk(chunks.len(), members, words, fill)
                })?;
            chunks.push(chunk);
        }
        self.number_rows();
        (self.tick, self.hash) = (from.header.tick, from.header.hash);
        match &from.header.lives {
            Some(lives) => self.live_on(lives, next_id)?,
            None => {
                self.life.next_id = agents;
                self.agent_steps = agents.saturating_mul(self.tick);
            }
        }
        Ok(())
    }

    /// Takes over what is known of lives; agents in memory have ids below `end`.
    fn live_on(&mut self, lives: &Lives, end: u64) -> Result<()> {
        if (self.agents(), self.changes()) != (lives.awake, true) || end > lives.next_id {
            return Err(damaged(format!("{} agents are not there", lives.awake)));
        }
        let life = &mut self.life;
        (life.next_id, life.retired, life.recycled) =
            (lives.next_id, lives.retired, lives.recycled);
        (life.policy, life.run) = (lives.policy, lives.run);
        self.agent_steps = lives.agent_steps;
        // All that came are there at once, whatever the first ones were admitted with.
        let (needed, budget) = (self.worst_bytes(), self.budget_bytes);
        if needed > budget {
            let fits = self.most_agents(budget, false);
            let (agents, holders) = (self.agents(), self.holders(self.agents(), false));
            return Err(Error::over_budget(agents, needed.into(), budget, fits, holders));
        }
        Ok(())
    }

    /// Fills the history with that of a checkpoint.
    fn refill_history(&mut self, from: &Resumed<'_>) -> Result<()> {
        let (tick, free) = (self.tick, self.free_for_history());
        let Some(history) = &mut self.history else { return Ok(()) };
        let Some(past) = &from.header.past else {
            history.begin_at(tick);
            return Ok(());
        };
        history.begin_at(past.begun);
        for place in 0..past.rings {
            if let Some((_, mut ring)) = from.ring(place)? {
                history.open_ring(&mut ring)?;
            }
        }
        history.share_room(free, true);
        for place in 0..history.rings() {
            if let Some((bytes, mut ring)) = from.ring(place as u64)? {
                history.fill_ring(place, (bytes, tick), &mut ring)?;
            }
        }
        Ok(())
    }
}

fn damaged(what: impl std::fmt::Display) -> Error {
    Error::invalid(format!("is damaged: {what}"))
}
