//! The world of a model, for agents that Python drives.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use numpy::{PyArray2, PyReadonlyArray2};
use populace_pool::{Pages, SharedResource};
use populace_population::{Environment, Generative, Moment};
use pyo3::prelude::*;

use crate::arrays::{contiguous, written};
use crate::errors::{Failure, Result};
use crate::model::Model;

/// Where agents truly are. `populace.World` is its front.
#[pyclass(frozen, module = "populace._native")]
pub(crate) struct World {
    model: Model,
    environment: Generative,
    agents: u64,
    seed: u64,
    place: Mutex<Place>,
}

struct Place {
    tick: u64,
    states: Vec<u8>,
}

impl World {
    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl World {
    #[new]
    #[pyo3(signature = (model, agents, *, seed))]
    fn new(py: Python<'_>, model: &Bound<'_, Model>, agents: u64, seed: u64) -> Result<Self> {
        let model = model.get().share();
        let memory: SharedResource = Arc::new(Pages);
        py.detach(|| {
            let environment = Generative::new(&model.0, &memory)?;
            let bytes = usize::try_from(agents)
                .ok()
                .and_then(|agents| agents.checked_mul(environment.state_bytes()))
                .ok_or_else(|| Failure::invalid(format!("agents: {agents} are too many")))?;
            let mut states = vec![0; bytes];
            environment.begin(seed, 0..agents, &mut states);
            let place = Mutex::new(Place { tick: 0, states });
            Ok(Self { model, environment, agents, seed, place })
        })
    }

    /// Puts all agents back where they began.
    fn begin(&self, py: Python<'_>) {
        py.detach(|| {
            let mut place = self.place();
            place.tick = 0;
            self.environment.begin(self.seed, 0..self.agents, &mut place.states);
        });
    }

    /// What every agent observes: int32 (agents, modalities).
    fn observe<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyArray2<i32>>> {
        let shape = [self.agents as usize, self.model.0.modalities()];
        written(py, shape, |observations| {
            let mut place = self.place();
            let moment = Moment { seed: self.seed, tick: place.tick };
            self.environment.observe(moment, 0..self.agents, &mut place.states, observations);
            Ok(())
        })
    }

    /// Moves every agent by its actions, int32 (agents, factors).
    fn act(&self, py: Python<'_>, actions: PyReadonlyArray2<'_, i32>) -> Result<()> {
        let actions = actions.as_slice().map_err(contiguous)?;
        let counts: Vec<usize> =
            (0..self.model.0.factors()).map(|f| self.model.0.actions_of(f)).collect();
        py.detach(|| {
            if actions.len() != self.agents as usize * counts.len() {
                return Err(Failure::invalid(format!(
                    "actions: has {} values, and {} agents with {} factors need {}",
                    actions.len(),
                    self.agents,
                    counts.len(),
                    self.agents as usize * counts.len()
                )));
            }
            let possible =
                |(&action, &count): (&i32, &usize)| (0..count as i64).contains(&action.into());
            let impossible = |row: &[i32]| !row.iter().zip(&counts).all(possible);
            if let Some(row) = actions.chunks_exact(counts.len()).position(impossible) {
                return Err(Failure::invalid(format!(
                    "actions[{row}]: is {:?}, and the factors have {counts:?} actions",
                    &actions[row * counts.len()..(row + 1) * counts.len()]
                )));
            }
            let mut place = self.place();
            let moment = Moment { seed: self.seed, tick: place.tick };
            let mut taken = actions.to_vec();
            self.environment.act(moment, 0..self.agents, &mut place.states, &mut taken);
            place.tick += 1;
            Ok(())
        })
    }

    /// How many agents there are.
    #[getter]
    fn agents(&self) -> u64 {
        self.agents
    }
}
