//! Whether there is anything to go on from but the beginning.

use super::Checkpoint;

impl Checkpoint {
    /// Whether a run was ever committed to it. A writer leaves a checkpoint without a commit until its
    /// first: a run can begin from it, but nobody has made it yet.
    ///
    /// ```
    /// use populace_agent::models::Builtin;
    /// use populace_population::{Checkpoint, CheckpointWriter, Crowd, Run, Settings};
    ///
    /// let model = Builtin::Tmaze.model()?;
    /// let settings = Settings { agents: 3, checkpoint: true, ..Settings::default() };
    /// let path = std::env::temp_dir().join(format!("committed-{}", std::process::id()));
    /// let mut crowd = Crowd::new(&model, &settings)?;
    /// let mut writer = CheckpointWriter::create(&path, &Run::of_crowd("maze", &model, &settings))?;
    /// writer.commit_crowd(&mut crowd)?;
    /// drop(writer);
    /// assert!(Checkpoint::open(&path)?.is_some_and(|checkpoint| checkpoint.is_committed()));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_committed(&self) -> bool {
        match &self.header.lives {
            Some(lives) => lives.committed,
            None => self.header.tick > 0,
        }
    }
}
