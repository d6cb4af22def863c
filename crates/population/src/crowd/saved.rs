//! A crowd saved to a file, and one out of a file.

use std::path::Path;

use populace_agent::{Model, Precision};

use super::{Crowd, from_outside};
use crate::hibernation::fingerprint;
use crate::population::Population;
use crate::precision::{Either, with};
use crate::snapshot::{self, Snapshot};
use crate::{Error, ErrorKind, Result, Settings};

/// A crowd out of a file, and what it is a crowd of.
pub struct Saved {
    /// The agents, as they were.
    pub crowd: Crowd,
    /// Their model.
    pub model: Model,
    /// The settings that the crowd goes on with: those of the file, and of those given what no file
    /// holds.
    pub settings: Settings,
}

impl Crowd {
    /// Writes the crowd to a file, whole or not at all, readable by its owner alone; what was there
    /// is replaced. `model` and `settings` are those that the crowd was made of.
    ///
    /// Not in it: the history, and the hibernation file with what the policy says of sweeps.
    ///
    /// # Errors
    ///
    /// The file cannot be written; agents are hibernated, which another file has; the model or the
    /// settings are others; or a step has failed half way.
    ///
    /// ```
    /// use populace_agent::models::Builtin;
    /// use populace_population::{Crowd, Settings};
    ///
    /// let model = Builtin::Tmaze.model()?;
    /// let settings = Settings { agents: 3, budget_bytes: 16 << 20, ..Settings::default() };
    /// let mut crowd = Crowd::new(&model, &settings)?;
    /// let (observations, mut actions, mut others) = ([0; 3 * 3], [0; 3 * 2], [0; 3 * 2]);
    /// crowd.step(&observations, &mut actions)?;
    ///
    /// let path = std::env::temp_dir().join(format!("saved-{}.crowd", std::process::id()));
    /// crowd.save(&path, &model, &settings)?;
    /// let threads = Settings { threads: 1, ..Settings::default() };
    /// let mut again = Crowd::load(&path, &threads)?.crowd;
    /// crowd.step(&observations, &mut actions)?;
    /// again.step(&observations, &mut others)?;
    /// assert_eq!((actions, crowd.trajectory_hash()), (others, again.trajectory_hash()));
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn save(
        &mut self,
        path: impl AsRef<Path>,
        model: &Model,
        settings: &Settings,
    ) -> Result<()> {
        with!(&mut self.0, population => {
            if fingerprint(model, settings) != population.life.fingerprint {
                return Err(Error::invalid("save: the crowd is of another model or other settings"));
            }
            let asleep = population.life.store.as_ref().map_or(0, |store| store.count());
            if asleep > 0 {
                let message = format!(
                    "save: {asleep} agents are hibernated, and so far only those in memory can be saved"
                );
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            snapshot::save(population, path.as_ref(), model, settings)
        })
    }

    /// The crowd that was saved to a file, to go on from there: with the same observations it does the
    /// same. Of the settings, what a file does not hold is taken: the budget, threads, chunks, history.
    ///
    /// # Errors
    ///
    /// One line that starts with the path: the file cannot be read, is damaged, of another format, or
    /// not of a crowd. Or the crowd needs more memory in the worst case than the budget.
    pub fn load(path: impl AsRef<Path>, settings: &Settings) -> Result<Saved> {
        let path = path.as_ref();
        let named = |error: Error| match error.kind() {
            ErrorKind::Budget => error,
            _ => error.within(path.display()),
        };
        let (mut from, model) = Snapshot::open(path).map_err(named)?;
        let settings = from.header.settings(settings);
        let either = from_outside(&model, |source| {
            Ok(match settings.precision {
                Precision::F32 => {
                    Either::F32(Box::new(Population::restored(source, &settings, &mut from)?))
                }
                Precision::F64 => {
                    Either::F64(Box::new(Population::restored(source, &settings, &mut from)?))
                }
            })
        });
        Ok(Saved { crowd: Crowd(either.map_err(named)?), model, settings })
    }
}
