//! A population in the precision that was asked for, and what can be asked of it in either.

use crate::population::Population;

/// A population of one of the two precisions.
pub(crate) enum Either {
    F32(Box<Population<f32>>),
    F64(Box<Population<f64>>),
}

/// Does the same with a population of either precision.
macro_rules! with {
    ($either:expr, $population:ident => $e:expr) => {
        match $either {
            $crate::precision::Either::F32($population) => $e,
            $crate::precision::Either::F64($population) => $e,
        }
    };
}
pub(crate) use with;

/// What every wrapper of an [`Either`] answers.
macro_rules! accessors {
    ($wrapper:ty) => {
        impl $wrapper {
            /// How many ticks have been run.
            pub fn ticks(&self) -> u64 {
                with!(&self.0, population => population.ticks())
            }

            /// How many steps agents have made, all counted.
            pub fn agent_steps(&self) -> u64 {
                with!(&self.0, population => population.agent_steps())
            }

            /// The hash of all actions so far ([`trajectory_term`](crate::trajectory_term)).
            pub fn trajectory_hash(&self) -> u64 {
                with!(&self.0, population => population.trajectory_hash())
            }

            /// How many agents are in memory.
            pub fn agents(&self) -> u64 {
                with!(&self.0, population => population.agents())
            }

            /// How many agents are where in their lives.
            pub fn lifecycle_counts(&mut self) -> $crate::LifecycleCounts {
                with!(&mut self.0, population => population.lifecycle_counts())
            }

            /// What is on disk, where the settings let agents go there.
            pub fn spilled(&self) -> $crate::Spilled {
                with!(&self.0, population => population.spilled())
            }

            /// Tells `sink` of every passage in the life of an agent from now on, as
            /// [`Event::Passed`](populace_pool::Event::Passed): the owner is the agent's id, the stages
            /// are those of [`Lifecycle`](crate::Lifecycle).
            pub fn listen(&mut self, sink: std::sync::Arc<dyn populace_pool::EventSink>) {
                with!(&mut self.0, population => population.life.listen(Some(sink)))
            }

            /// Where every engine byte is now.
            pub fn memory(&self) -> $crate::Memory {
                with!(&self.0, population => population.memory())
            }

            /// Engine bytes now, counted where pages are mapped; [`Self::memory`] counts them by
            /// class.
            pub fn engine_bytes(&self) -> u64 {
                with!(&self.0, population => population.engine_bytes())
            }

            /// Where every engine byte was when there were most.
            pub fn peak(&self) -> $crate::Memory {
                with!(&self.0, population => population.peak())
            }

            /// Engine bytes that grow with the number of agents, when there were most, by the agent.
            pub fn bytes_per_agent(&self) -> f64 {
                with!(&self.0, population => population.bytes_per_agent())
            }

            /// What agent `id` observed and chose at `ticks`, oldest first, as far as it is kept: of
            /// the last [`History::ticks`](crate::History) ticks those at which it was stepped. Who
            /// rests or is gone can be asked about as long as its ticks are not too old.
            ///
            /// # Errors
            ///
            /// There never was such an agent, or the settings asked for no history.
            ///
            /// ```
            /// use populace_agent::models::{GridOptions, grid};
            /// use populace_population::{History, Settings, Simulation};
            ///
            /// let model = grid(&GridOptions { side: 5, ..GridOptions::default() })?;
            /// let history = Some(History { ticks: 4, ..History::default() });
            /// let settings = Settings { agents: 50, history, ..Settings::default() };
            /// let mut simulation = Simulation::new(&model, None, &settings, 10, false)?;
            /// while simulation.ticks() < 10 {
            ///     simulation.tick()?;
            /// }
            /// let past = simulation.history(7, 0..9)?;
            /// assert_eq!(past.ticks, [6, 7, 8]);
            /// assert_eq!((past.observations.len(), past.actions.len()), (3, 3));
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn history(
                &self,
                id: u64,
                ticks: std::ops::Range<u64>,
            ) -> $crate::Result<$crate::Past> {
                with!(&self.0, population => population.past(id, ticks))
            }

            /// How much history there is; `None` where the settings asked for none.
            pub fn history_totals(&self) -> Option<$crate::HistoryTotals> {
                with!(&self.0, population => population.history_totals())
            }

            /// How beliefs are stored now.
            pub fn tiers(&mut self) -> $crate::Tiers {
                with!(&mut self.0, population => population.tiers())
            }

            /// What was done to store beliefs in less memory than each in the form that was asked
            /// for.
            pub fn economies(&mut self) -> $crate::Economies {
                with!(&mut self.0, population => population.economies())
            }

            /// How far beliefs may be from the exact ones now; the agents' own bounds are
            /// [`Crowd::error_bounds`](crate::Crowd::error_bounds).
            pub fn bounds(&mut self) -> $crate::Bounds {
                with!(&mut self.0, population => population.bounds())
            }

            /// How agents weigh their policies.
            pub fn planner(&self) -> populace_agent::Planner {
                with!(&self.0, population => population.planner())
            }

            /// How many threads step agents.
            pub fn threads(&self) -> usize {
                with!(&self.0, population => population.thread_count())
            }
        }
    };
}
pub(crate) use accessors;
