//! Rows of some agents over some ticks, as bytes.
//!
//! ```text
//! 0   version (1) | codec | 0 | 0                          4 × u8
//! 4   ticks, agents, bits of a row                         3 × u32
//! 16  first tick, first agent                              2 × u64
//! 32  XXH3 of all other bytes                              u64
//! 40  planes, compressed
//! ```
//!
//! All numbers are little-endian. Planes stand in the order of a row's bits, each with a row of bits a
//! tick, each row but the first XOR the one before it: what does not change is zeros. Whatever bit of
//! a block is flipped, it is refused.

use crate::history::Codec;
use crate::{Error, Result};

/// Bytes of a block before its body.
pub const HEADER_BYTES: usize = 40;

const VERSION: u8 = 1;
const CHECKSUM_AT: usize = 32;

/// A block whose checksum and header are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block<'a> {
    pub(super) header: Header,
    pub(super) body: &'a [u8],
}

/// What a block's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) codec: Codec,
    pub(super) ticks: u32,
    pub(super) agents: u32,
    pub(super) row_bits: u32,
    pub(super) first_tick: u64,
    pub(super) first_agent: u64,
}

impl Header {
    /// Bytes of the body before it was compressed; `None` where they cannot be counted.
    pub(super) fn body_bytes(&self) -> Option<usize> {
        let rows = (self.ticks as usize).checked_mul(self.agents as usize)?;
        rows.checked_mul(self.row_bits as usize).map(|bits| bits.div_ceil(8))
    }

    /// Writes the header and the checksum of a block whose body is there already.
    pub(super) fn seal(&self, block: &mut [u8]) {
        block[..4].copy_from_slice(&[VERSION, self.codec.number(), 0, 0]);
        block[4..8].copy_from_slice(&self.ticks.to_le_bytes());
        block[8..12].copy_from_slice(&self.agents.to_le_bytes());
        block[12..16].copy_from_slice(&self.row_bits.to_le_bytes());
        block[16..24].copy_from_slice(&self.first_tick.to_le_bytes());
        block[24..32].copy_from_slice(&self.first_agent.to_le_bytes());
        let checksum = checksum(block);
        block[CHECKSUM_AT..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    }

    /// Reads the header alone, of a block that was written by this process.
    pub(super) fn read(block: &[u8]) -> Option<Self> {
        let (header, _) = block.split_first_chunk::<HEADER_BYTES>()?;
        let [version, codec, zeros @ ..] = *header.first_chunk::<4>()?;
        let codec = *Codec::ALL.get(usize::from(codec))?;
        if version != VERSION || zeros != [0, 0] {
            return None;
        }
        let u32_at = |at| Some(u32::from_le_bytes(*header.get(at..)?.first_chunk()?));
        let u64_at = |at| Some(u64::from_le_bytes(*header.get(at..)?.first_chunk()?));
        Some(Self {
            codec,
            ticks: u32_at(4)?,
            agents: u32_at(8)?,
            row_bits: u32_at(12)?,
            first_tick: u64_at(16)?,
            first_agent: u64_at(24)?,
        })
    }
}

/// XXH3 of everything but the checksum's own place.
fn checksum(block: &[u8]) -> u64 {
    let seed = twox_hash::XxHash3_64::oneshot(&block[..CHECKSUM_AT]);
    twox_hash::XxHash3_64::oneshot_with_seed(seed, &block[HEADER_BYTES..])
}

impl<'a> Block<'a> {
    /// Checks the bytes of a block; nothing is decompressed yet.
    ///
    /// # Errors
    ///
    /// The bytes are cut off, were changed, or are of a version that this build does not read.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let wrong = |what: String| Err(Error::invalid(format!("history block: {what}")));
        if bytes.len() < HEADER_BYTES {
            return wrong(format!(
                "{} bytes, and its header alone has {HEADER_BYTES}",
                bytes.len()
            ));
        }
        if bytes[0] != VERSION {
            return wrong(format!("version {}, and this build reads {VERSION}", bytes[0]));
        }
        let stored = bytes[CHECKSUM_AT..].first_chunk().copied().map_or(0, u64::from_le_bytes);
        let found = checksum(bytes);
        if stored != found {
            return wrong(format!(
                "its checksum is {found:016x}, not {stored:016x} as written: it was damaged"
            ));
        }
        let Some(header) = Header::read(bytes) else {
            return wrong("its codec is none that this build knows".to_owned());
        };
        let counted = header.body_bytes().is_some()
            && header.first_tick.checked_add(header.ticks.into()).is_some()
            && header.first_agent.checked_add(header.agents.into()).is_some();
        if !counted || header.ticks == 0 || header.agents == 0 {
            return wrong(format!(
                "{} agents from {} on over {} ticks from {} on cannot be",
                header.agents, header.first_agent, header.ticks, header.first_tick
            ));
        }
        Ok(Self { header, body: &bytes[HEADER_BYTES..] })
    }

    /// The ticks that it has rows of.
    pub fn ticks(&self) -> std::ops::Range<u64> {
        self.header.first_tick..self.header.first_tick + u64::from(self.header.ticks)
    }

    /// How many agents it has rows of.
    pub fn agents(&self) -> u32 {
        self.header.agents
    }

    /// What it is compressed with.
    pub fn codec(&self) -> Codec {
        self.header.codec
    }
}
