//! A trace, done again.

use std::alloc::Layout;
use std::time::Instant;

use super::{Trace, TraceOperation};
use crate::{Block, Resource, Result};

/// What a replay came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replay {
    /// How many operations were done.
    pub operations: u64,
    /// How long they took, in seconds.
    pub seconds: f64,
    /// The most bytes that were live at a time, as requested.
    pub peak_requested_bytes: u64,
    /// The most bytes that were live at a time, as the resource took them.
    pub peak_taken_bytes: u64,
}

/// The blocks that are live during a replay; whatever is left when it ends, or fails, goes back.
struct Live<'a> {
    resource: &'a dyn Resource,
    blocks: Vec<Option<(Block, Layout)>>,
}

impl Live<'_> {
    fn free(&mut self, number: usize) -> Option<(Block, Layout)> {
        let (block, layout) = self.blocks.get_mut(number)?.take()?;
        // SAFETY: the resource gave the block by this layout, and it is no longer in the list.
        unsafe { self.resource.deallocate(block, layout) };
        Some((block, layout))
    }
}

impl Drop for Live<'_> {
    fn drop(&mut self) {
        for number in 0..self.blocks.len() {
            self.free(number);
        }
    }
}

impl Trace {
    /// Does all operations against `resource`, in order, on this thread; what the trace leaves live is
    /// given back at the end.
    ///
    /// # Errors
    ///
    /// The first refusal; everything taken until then has gone back.
    pub fn replay(&self, resource: &dyn Resource) -> Result<Replay> {
        let mut live = Live { resource, blocks: Vec::with_capacity(self.allocations as usize) };
        let mut replay = Replay::default();
        let (mut requested, mut taken) = (0_u64, 0_u64);
        let start = Instant::now();
        for operation in &self.operations {
            match *operation {
                TraceOperation::Allocate { layout } => {
                    let block = resource.allocate(layout)?;
                    live.blocks.push(Some((block, layout)));
                    requested += layout.size() as u64;
                    taken += block.size_bytes as u64;
                    replay.peak_requested_bytes = replay.peak_requested_bytes.max(requested);
                    replay.peak_taken_bytes = replay.peak_taken_bytes.max(taken);
                }
                TraceOperation::Free { number } => {
                    if let Some((block, layout)) = live.free(number as usize) {
                        requested -= layout.size() as u64;
                        taken -= block.size_bytes as u64;
                    }
                }
            }
            replay.operations += 1;
        }
        replay.seconds = start.elapsed().as_secs_f64();
        Ok(replay)
    }
}
