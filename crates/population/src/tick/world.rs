//! What a chunk's agents meet in a tick: an environment, which knows them by their ids, or rows of the
//! caller's arrays.

use std::sync::{Mutex, PoisonError};

use super::Part;
use crate::Environment;
use crate::record::Number;
use crate::roster::Called;

/// Where observations come from and actions go.
#[derive(Clone, Copy)]
pub(crate) enum World<'a> {
    Environment(&'a dyn Environment),
    Rows(&'a Rows<'a>),
}

/// What the caller's agents observe, a row an agent that is called.
#[derive(Clone, Copy)]
pub(crate) enum Observed<'a> {
    /// (rows, modalities).
    Outcomes(&'a [i32]),
    /// (rows, outcomes of all modalities).
    Soft(&'a [f64]),
}

/// The caller's arrays, a row an agent that is called.
pub(crate) struct Rows<'a> {
    pub(crate) observations: Observed<'a>,
    /// (rows, factors).
    pub(crate) actions: &'a dyn Lend,
}

/// Lends an array that many write to in turns. (A trait, so that whoever holds [`Rows`] need not know
/// for how long the array is there.)
pub(crate) trait Lend: Sync {
    /// Held for the copy of one chunk's actions.
    fn lend(&self, write: &mut dyn FnMut(&mut [i32]));
}

impl Lend for Mutex<&mut [i32]> {
    fn lend(&self, write: &mut dyn FnMut(&mut [i32])) {
        write(&mut self.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl World<'_> {
    /// Whether observations are distributions.
    pub(super) fn is_soft(&self) -> bool {
        match self {
            Self::Environment(environment) => environment.is_soft(),
            Self::Rows(rows) => matches!(rows.observations, Observed::Soft(_)),
        }
    }
}

impl<T: Number> Part<'_, '_, '_, T> {
    /// Gathers what the called agents observe; `row` is the first agent's where all are called.
    pub(super) fn observe(&mut self, row: usize) {
        let width = self.tick.model.num_obs().len();
        let observed = &mut self.worker.observations[..self.members.len() * width];
        match self.tick.world {
            World::Rows(rows) => match rows.observations {
                Observed::Outcomes(from) => put(self.called, row, width, from, observed),
                Observed::Soft(from) => {
                    let width = self.worker.soft_lane.len();
                    let observed = &mut self.worker.soft[..self.members.len() * width];
                    put(self.called, row, width, from, observed);
                }
            },
            World::Environment(environment) => {
                let moment = self.tick.moment;
                let soft_width = self.worker.soft_lane.len();
                let state_bytes = environment.state_bytes();
                for (places, id) in self.members.runs() {
                    let ids = id..id + places.len() as u64;
                    let soft = match soft_width {
                        0 => &mut [][..],
                        width => &mut self.worker.soft[places.start * width..places.end * width],
                    };
                    if !environment.observe_soft(moment, ids.clone(), soft) {
                        let states = places.start * state_bytes..places.end * state_bytes;
                        let states = &mut self.columns.states[states];
                        let observed = &mut observed[places.start * width..places.end * width];
                        environment.observe(moment, ids, states, observed);
                    }
                }
            }
        }
    }

    /// Hands the called agents' actions over.
    pub(super) fn act(&mut self, row: usize) {
        let width = self.tick.model.num_states().len();
        let chosen = &mut self.worker.actions[..self.members.len() * width];
        match self.tick.world {
            World::Rows(rows) => rows.actions.lend(&mut |to| match self.called {
                Called::All => to[row * width..][..chosen.len()].copy_from_slice(chosen),
                Called::Some(calls) => {
                    for call in calls {
                        let from = &chosen[call.place as usize * width..][..width];
                        to[call.row as usize * width..][..width].copy_from_slice(from);
                    }
                }
            }),
            World::Environment(environment) => {
                let state_bytes = environment.state_bytes();
                for (places, id) in self.members.runs() {
                    let ids = id..id + places.len() as u64;
                    let states = places.start * state_bytes..places.end * state_bytes;
                    let actions = &mut chosen[places.start * width..places.end * width];
                    let states = &mut self.columns.states[states];
                    environment.act(self.tick.moment, ids, states, actions);
                }
            }
        }
    }
}

/// Copies rows of those who are called from the caller's order to their places; `row` is the first
/// agent's where all are called.
fn put<N: Copy>(called: Called<'_>, row: usize, width: usize, from: &[N], to: &mut [N]) {
    match called {
        Called::All => to.copy_from_slice(&from[row * width..][..to.len()]),
        Called::Some(calls) => {
            for call in calls {
                let from = &from[call.row as usize * width..][..width];
                to[call.place as usize * width..][..width].copy_from_slice(from);
            }
        }
    }
}
