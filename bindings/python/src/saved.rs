//! A population in a file: a checkpoint with one commit.

use std::path::{Path, PathBuf};

use populace_population::{Checkpoint, CheckpointWriter, Crowd, Run, Settings};

use crate::errors::{Failure, Result};

/// What the file says that it is of.
const TITLE: &str = "Population";

/// Writes a crowd of `model` and `settings` to a file. Where the path holds a checkpoint, that one is
/// there until the new one takes its place; where it holds something else, that is left alone.
pub(crate) fn save(
    crowd: &mut Crowd,
    path: &Path,
    model: &populace_agent::Model,
    settings: &Settings,
) -> Result<()> {
    let new = !path.exists();
    let mut writer = CheckpointWriter::create(path, &Run::of_crowd(TITLE, model, settings))?;
    let committed = writer.commit_crowd(crowd);
    drop(writer);
    if committed.is_err() && new {
        // Nothing of it should stay; nobody is left to tell if that fails.
        let _ = std::fs::remove_file(path);
    }
    Ok(committed?)
}

/// The crowd of a file, its model, and the settings that it goes on with: those of the file, and of those
/// given what no file holds. Agents at rest go to `store`, if not where they were.
pub(crate) fn load(
    path: &Path,
    settings: &Settings,
    store: Option<PathBuf>,
) -> Result<(Crowd, populace_agent::Model, Settings)> {
    let read = || -> populace_population::Result<_> {
        let Some(checkpoint) = Checkpoint::open(path)?.filter(Checkpoint::is_committed) else {
            return Ok(None);
        };
        let checkpoint = match store {
            Some(store) => checkpoint.rest_in(store),
            None => checkpoint,
        };
        let crowd = checkpoint.resume_crowd(settings)?;
        let settings = Settings {
            agents: checkpoint.agents(),
            seed: checkpoint.seed(),
            belief: checkpoint.belief(),
            mass: checkpoint.mass(),
            tolerance: checkpoint.tolerance(),
            precision: checkpoint.precision(),
            history: checkpoint.history().or(settings.history.as_ref()).cloned(),
            ..settings.clone()
        };
        Ok(Some((crowd, checkpoint.model().clone(), settings)))
    };
    // A writer that was killed before it was done leaves a file without a commit.
    let unfinished =
        || Failure::invalid(format!("{}: no population was saved to it whole", path.display()));
    match read() {
        Ok(found) => found.ok_or_else(unfinished),
        Err(error) => Err(Failure::reading(path, error)),
    }
}
