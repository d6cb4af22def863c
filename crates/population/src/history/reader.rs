//! From a block to rows.

use std::ops::Range;

use bytemuck::cast_slice_mut;
use populace_pool::SharedResource;
use populace_tensor::Array;

use crate::history::codec::Unpress;
use crate::history::planes::Planes;
use crate::history::{Block, Past, Row};
use crate::{Error, Result};

/// Reads blocks, in memory of its own that is taken once: no block makes it take more.
pub struct Reader {
    unpress: Unpress,
    body: Array<u64>,
}

impl Reader {
    /// For bodies of at most `most_bytes` before compression.
    ///
    /// # Errors
    ///
    /// Memory is refused.
    pub fn new(most_bytes: usize, memory: &SharedResource) -> Result<Self> {
        Ok(Self {
            unpress: Unpress::new(memory)?,
            body: Array::zeroed(memory, most_bytes.div_ceil(8) + 1)?,
        })
    }

    /// Appends to `past` what a block knows of an agent at some ticks; nothing where it has no rows of
    /// it.
    ///
    /// # Errors
    ///
    /// Its rows are laid out otherwise, its body is not what its header says, or larger than this
    /// reader was made for.
    pub fn append(
        &mut self,
        block: &Block<'_>,
        row: &Row,
        agent: u64,
        ticks: Range<u64>,
        past: &mut Past,
    ) -> Result<()> {
        let header = block.header;
        let wrong = |what: String| Err(Error::invalid(format!("history block: {what}")));
        if header.row_bits as usize != row.bits() {
            let (is, asked) = (header.row_bits, row.bits());
            return wrong(format!("its rows have {is} bits, and the model's {asked}"));
        }
        let there = block.ticks();
        let start = ticks.start.max(there.start);
        let end = ticks.end.min(there.end);
        let place = agent.checked_sub(header.first_agent).filter(|&n| n < header.agents.into());
        let Some(place) = place.filter(|_| start < end) else { return Ok(()) };
        let most = (self.body.len() - 1) * size_of::<u64>();
        let bytes = match header.body_bytes() {
            Some(bytes) if bytes <= most => bytes,
            bytes => {
                let bytes = bytes.unwrap_or(usize::MAX);
                return wrong(format!("its body has {bytes} bytes, and there is room for {most}"));
            }
        };
        let body = &mut cast_slice_mut::<u64, u8>(&mut self.body)[..bytes];
        if !self.unpress.unpress(header.codec, block.body, body) {
            let codec = header.codec;
            return wrong(format!("its body is no {bytes} bytes by {codec:?}: it was damaged"));
        }
        let planes = Planes {
            words: &self.body,
            room: header.ticks as usize,
            ticks: header.ticks as usize,
            agents: header.agents as usize,
            differences: true,
        };
        let first = there.start;
        let ticks = (start - first) as usize..(end - first) as usize;
        planes.append(row, place as usize, ticks, first, past);
        Ok(())
    }
}
