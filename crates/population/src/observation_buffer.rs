//! Observations in a mapped file: a slot an agent, exactly as long as its observation.
//!
//! Who makes observations writes them where the population reads them: [`ObservationBuffer::all`] is
//! what a [`Crowd`](crate::Crowd) is stepped with, and nothing is copied on the way. The file's pages
//! are the system's to write out; they are no engine bytes.

use std::path::Path;

use bytemuck::{cast_slice, cast_slice_mut};
use populace_pool::SlotFile;

use crate::{Error, Result};

/// What agents observe next, (agents, modalities) of 32 bits, −1 for nothing.
///
/// ```
/// use populace_agent::models::{GridOptions, grid};
/// use populace_population::{Crowd, ObservationBuffer, Settings};
///
/// let model = grid(&GridOptions { side: 5, ..GridOptions::default() })?;
/// let settings = Settings { agents: 3, budget_bytes: 8 << 20, ..Settings::default() };
/// let mut crowd = Crowd::new(&model, &settings)?;
/// let mut next = ObservationBuffer::temporary(&std::env::temp_dir(), 3, 1)?;
/// next.put(1, &[7])?;
/// assert_eq!(next.all(), [-1, 7, -1]);
/// let mut actions = [0; 3];
/// crowd.step(next.all(), &mut actions)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ObservationBuffer {
    file: SlotFile,
    modalities: usize,
}

const NOTHING: u8 = 0xff;

impl ObservationBuffer {
    /// A buffer in a file without a name in `directory`, which is gone when this process is, however
    /// it went. Nobody observes anything yet.
    ///
    /// # Errors
    ///
    /// No agents, no modalities, or what the operating system answers.
    pub fn temporary(directory: &Path, agents: usize, modalities: usize) -> Result<Self> {
        let slot_bytes = modalities.saturating_mul(size_of::<i32>());
        Self::over(SlotFile::unnamed(directory, agents, slot_bytes, NOTHING)?)
    }

    /// A buffer in a file that the caller has made ([`SlotFile::create`], of
    /// [`ObservationBuffer::slot_bytes`] a slot and filled with `0xff`) or opened; what stands in it
    /// stays.
    ///
    /// # Errors
    ///
    /// Its slots are no whole outcomes of 4 bytes.
    pub fn over(file: SlotFile) -> Result<Self> {
        let bytes = file.slot_bytes();
        if !bytes.is_multiple_of(size_of::<i32>()) {
            return Err(Error::invalid(format!(
                "observation buffer: slots of {bytes} bytes are no whole outcomes of 4 bytes"
            )));
        }
        Ok(Self { modalities: bytes / size_of::<i32>(), file })
    }

    /// Bytes of a slot for so many modalities.
    pub fn slot_bytes(modalities: usize) -> usize {
        modalities.saturating_mul(size_of::<i32>())
    }

    /// How many agents have a slot.
    pub fn agents(&self) -> usize {
        self.file.slots()
    }

    /// How many modalities a slot has.
    pub fn modalities(&self) -> usize {
        self.modalities
    }

    /// Writes what an agent observes next; no other agent's slot is reached.
    ///
    /// # Errors
    ///
    /// There is no such agent, or the observation has not one outcome a modality: then nothing was
    /// written.
    pub fn put(&mut self, agent: usize, observation: &[i32]) -> Result<()> {
        if observation.len() != self.modalities {
            return Err(Error::invalid(format!(
                "observation of agent {agent}: has {} outcomes, and its slot has {}",
                observation.len(),
                self.modalities
            )));
        }
        let slot: &mut [i32] = cast_slice_mut(self.file.slot_mut(agent)?);
        slot.copy_from_slice(observation);
        Ok(())
    }

    /// What an agent observes next.
    ///
    /// # Errors
    ///
    /// There is no such agent.
    pub fn get(&self, agent: usize) -> Result<&[i32]> {
        Ok(cast_slice(self.file.slot(agent)?))
    }

    /// What all agents observe next, (agents, modalities).
    pub fn all(&self) -> &[i32] {
        cast_slice(self.file.bytes())
    }

    /// The slots of all agents, each a slice of its own: hand them to as many threads as you like.
    pub fn slots_mut(&mut self) -> std::slice::ChunksExactMut<'_, i32> {
        cast_slice_mut(self.file.bytes_mut()).chunks_exact_mut(self.modalities)
    }

    /// Nobody observes anything any more.
    pub fn clear(&mut self) {
        self.file.bytes_mut().fill(NOTHING);
    }
}
