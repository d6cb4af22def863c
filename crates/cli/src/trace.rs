//! `--trace`: what every agent saw and did, as a safetensors file.
//!
//! `observations` is (steps, agents, M) and `actions` (steps, agents, F), both int32, row-major:
//! the trajectory hash can be recomputed from them, and any agent replayed elsewhere.
//!
//! A run may be interrupted, so the number of steps is known only at the end: the header is
//! written last, into the room that was left for it, and actions wait in a file of their own.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use crate::failure::{Failure, Outcome};
use crate::output::Output;

/// The sizes of a trace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Steps; planned first, taken at the end.
    pub(crate) steps: u64,
    pub(crate) agents: u64,
    pub(crate) modalities: u64,
    pub(crate) factors: u64,
}

/// A trace being written.
pub(crate) struct Trace {
    planned: Shape,
    output: Output,
    observations: BufWriter<File>,
    actions: BufWriter<File>,
}

const BUFFER_BYTES: usize = 1 << 16;

impl Trace {
    /// Opens a trace of at most `planned.steps` steps.
    pub(crate) fn create(path: &Path, planned: Shape) -> Outcome<Self> {
        let mut output = Output::create(path)?;
        let Some(file) = output.seekable() else {
            return Err(Failure::other(format!(
                "{} cannot be written: a trace needs a regular file",
                path.display()
            )));
        };
        let opened = file.write_all(&header(planned, 0)).and_then(|()| file.try_clone());
        let opened = opened.and_then(|file| Ok((file, tempfile::tempfile_in(output.directory())?)));
        let (observations, actions) = opened.map_err(|error| output.failure(&error))?;
        Ok(Self {
            planned,
            output,
            observations: BufWriter::with_capacity(BUFFER_BYTES, observations),
            actions: BufWriter::with_capacity(BUFFER_BYTES, actions),
        })
    }

    /// Appends one step: observations (agents, M) and actions (agents, F).
    pub(crate) fn step(&mut self, observations: &[i32], actions: &[i32]) -> Outcome {
        append(&mut self.observations, observations)
            .and_then(|()| append(&mut self.actions, actions))
            .map_err(|error| self.output.failure(&error))
    }

    /// Completes the file: the steps that were taken, of those planned.
    pub(crate) fn finish(mut self, steps: u64) -> Outcome {
        let taken = Shape { steps, ..self.planned };
        let mut complete = || -> io::Result<()> {
            self.actions.flush()?;
            self.actions.get_mut().seek(SeekFrom::Start(0))?;
            self.observations.flush()?;
            let file = self.observations.get_mut();
            io::copy(self.actions.get_mut(), file)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&header(taken, header(self.planned, 0).len()))
        };
        complete().map_err(|error| self.output.failure(&error))?;
        self.output.commit()
    }
}

fn append(file: &mut BufWriter<File>, values: &[i32]) -> io::Result<()> {
    values.iter().try_for_each(|value| file.write_all(&value.to_le_bytes()))
}

/// The safetensors header, padded with spaces to a multiple of 8 and to at least `len` bytes.
fn header(shape: Shape, len: usize) -> Vec<u8> {
    let Shape { steps, agents, modalities, factors } = shape;
    // Steps are planned without a bound; a product of four numbers outgrows 64 bits.
    let values = |each: u64| u128::from(steps) * u128::from(agents) * u128::from(each);
    let middle = 4 * values(modalities);
    let end = middle + 4 * values(factors);
    let mut text = format!(
        r#"{{"observations":{{"dtype":"I32","shape":[{steps},{agents},{modalities}],"data_offsets":[0,{middle}]}},"actions":{{"dtype":"I32","shape":[{steps},{agents},{factors}],"data_offsets":[{middle},{end}]}}}}"#
    );
    let padded = text.len().next_multiple_of(8).max(len.saturating_sub(8));
    text.extend(std::iter::repeat_n(' ', padded - text.len()));
    let mut header = (text.len() as u64).to_le_bytes().to_vec();
    header.extend_from_slice(text.as_bytes());
    header
}
