//! From rows to a block.

use bytemuck::cast_slice;
use populace_pool::SharedResource;
use populace_tensor::Array;

use crate::Result;
use crate::history::block::{HEADER_BYTES, Header};
use crate::history::codec::{Press, room_for};
use crate::history::planes::Planes;
use crate::history::{Codec, Row};

/// Makes blocks of rows, in memory of its own that is taken once.
pub(crate) struct Writer {
    codec: Codec,
    press: Press,
    /// The body before compression.
    body: Array<u64>,
    block: Array<u8>,
    /// The numbers of one column.
    pub(super) column: Array<u32>,
    /// Summaries of beliefs, (agents, numbers).
    pub(super) notes: Array<u32>,
}

impl Writer {
    /// For chunks of at most `agents` agents and bodies of at most `most_bytes`.
    pub(super) fn new(
        row: &Row,
        codec: Codec,
        agents: usize,
        most_bytes: usize,
        memory: &SharedResource,
    ) -> Result<Self> {
        Ok(Self {
            codec,
            press: Press::new(codec, most_bytes, memory)?,
            body: Array::zeroed(memory, most_bytes.div_ceil(8) + 1)?,
            block: Array::zeroed(memory, HEADER_BYTES + room_for(most_bytes))?,
            column: Array::zeroed(memory, agents)?,
            notes: Array::zeroed(memory, agents * row.summary_numbers())?,
        })
    }

    /// The block of some rows; it lies in the writer until the next one is made.
    pub(super) fn block(
        &mut self,
        row: &Row,
        planes: Planes<'_>,
        first_tick: u64,
        first_agent: u64,
    ) -> &[u8] {
        let mut header = Header {
            codec: self.codec,
            ticks: planes.ticks as u32,
            agents: planes.agents as u32,
            row_bits: row.bits() as u32,
            first_tick,
            first_agent,
        };
        let plane_bits = planes.ticks * planes.agents * row.bits();
        let bytes = plane_bits.div_ceil(8);
        planes.put_differences(row.bits(), &mut self.body[..plane_bits.div_ceil(64)]);
        let body = &cast_slice::<u64, u8>(&self.body)[..bytes];
        let into = &mut self.block[HEADER_BYTES..];
        let pressed = self.press.press(body, into).unwrap_or_else(|| {
            header.codec = Codec::None;
            into[..bytes].copy_from_slice(body);
            bytes
        });
        let block = &mut self.block[..HEADER_BYTES + pressed];
        header.seal(block);
        block
    }
}
