//! `[lifecycle]`: who is born, hibernated, woken and retired, and when.

use std::path::PathBuf;

use populace_population::Schedule;
use serde::Deserialize;

use crate::failure::{Failure, Outcome};

/// `[lifecycle]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Lifecycle {
    every: Option<u64>,
    spawn: Option<u64>,
    retire: Option<f64>,
    lifetime: Option<u64>,
    hibernate: Option<f64>,
    wake: Option<f64>,
    pub(crate) store: Option<PathBuf>,
}

impl Lifecycle {
    /// The schedule that it asks for; what is left out does not happen.
    pub(crate) fn schedule(&self) -> Outcome<Schedule> {
        let default = Schedule::default();
        let schedule = Schedule {
            every: self.every.unwrap_or(default.every),
            spawn: self.spawn.unwrap_or(default.spawn),
            retire: self.retire.unwrap_or(default.retire),
            lifetime: self.lifetime,
            hibernate: self.hibernate.unwrap_or(default.hibernate),
            wake: self.wake.unwrap_or(default.wake),
            store: self.store.clone(),
        };
        schedule.check().map_err(|error| Failure::from(error).within("lifecycle"))?;
        Ok(schedule)
    }
}
