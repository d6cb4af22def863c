//! What bodies of blocks are compressed with.
//!
//! Each library's context is made once a worker, for the largest body there will be. What it holds on
//! the heap is charged: as many bytes are taken from the budget and never touched.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use lz4_flex::block::{CompressTable, compress_into_with_table, decompress_into};
use populace_pool::SharedResource;
use populace_tensor::Array;
use serde::{Deserialize, Serialize};
use zstd_safe::{CCtx, CParameter, DCtx};

use crate::{Error, ErrorKind, Result};

/// What history is compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// Zstandard at level 1: the smallest of the fast ones.
    #[default]
    Zstd,
    /// DEFLATE at level 1, without zlib's own header.
    Zlib,
    /// LZ4 blocks: the fastest.
    Lz4,
    /// Bit packing alone.
    None,
}

impl Codec {
    /// All of them, by their numbers in a block's header.
    pub const ALL: [Self; 4] = [Self::None, Self::Zstd, Self::Zlib, Self::Lz4];

    pub(super) fn number(self) -> u8 {
        Self::ALL.iter().position(|&codec| codec == self).unwrap_or(0) as u8
    }
}

/// What `flate2` and `zlib-rs` hold on the heap, in bytes: measured, and rounded up
/// (`tests/history_heap.rs` measures it again).
const DEFLATE_BYTES: usize = 400 << 10;
const INFLATE_BYTES: usize = 48 << 10;

/// The table of LZ4: 4,096 numbers of 4 bytes.
const LZ4_BYTES: usize = 16 << 10;

/// The level at which zstd compresses. 3 is no smaller on bit planes and takes twice the time.
const ZSTD_LEVEL: i32 = 1;

/// Bytes of a context that are charged, not touched.
struct Held {
    _bytes: Array<u8>,
}

impl Held {
    fn new(memory: &SharedResource, bytes: usize) -> Result<Self> {
        Ok(Self { _bytes: Array::unspecified(memory, bytes)? })
    }
}

/// Compresses bodies.
pub(super) struct Press {
    with: PressWith,
    _held: Held,
}

enum PressWith {
    Zstd(CCtx<'static>),
    Zlib(Box<Compress>),
    Lz4(CompressTable),
    None,
}

impl Press {
    /// For bodies of at most `most_bytes`; what the library takes is charged to `memory`.
    pub(super) fn new(codec: Codec, most_bytes: usize, memory: &SharedResource) -> Result<Self> {
        let (with, bytes) = match codec {
            Codec::Zstd => {
                let mut context = CCtx::try_create().ok_or_else(no_context)?;
                let level = CParameter::CompressionLevel(ZSTD_LEVEL);
                context.set_parameter(level).map_err(zstd_says)?;
                // Once at full size, and at the sizes up to which zstd has other tables, so that it
                // never grows again; all zeros compress to next to nothing.
                let zeros = Array::<u8>::zeroed(memory, most_bytes)?;
                let mut out = [0; 1024];
                for bytes in [16 << 10, 128 << 10, 256 << 10, most_bytes] {
                    let zeros = &zeros[..bytes.min(most_bytes)];
                    context.compress2(&mut out[..], zeros).map_err(zstd_says)?;
                }
                let bytes = context.sizeof();
                (PressWith::Zstd(context), bytes)
            }
            Codec::Zlib => (
                PressWith::Zlib(Box::new(Compress::new(Compression::fast(), false))),
                DEFLATE_BYTES,
            ),
            Codec::Lz4 => (PressWith::Lz4(CompressTable::large()), LZ4_BYTES),
            Codec::None => (PressWith::None, 0),
        };
        Ok(Self { with, _held: Held::new(memory, bytes)? })
    }

    /// Compresses `from`; how long it became, or `None` where that is no shorter.
    ///
    /// `into` is at least [`room_for`] the body.
    pub(super) fn press(&mut self, from: &[u8], into: &mut [u8]) -> Option<usize> {
        let bytes = match &mut self.with {
            PressWith::Zstd(context) => context.compress2(into, from).ok()?,
            PressWith::Zlib(stream) => {
                stream.reset();
                match stream.compress(from, into, FlushCompress::Finish) {
                    Ok(Status::StreamEnd) => usize::try_from(stream.total_out()).ok()?,
                    _ => return None,
                }
            }
            PressWith::Lz4(table) => compress_into_with_table(from, into, table).ok()?,
            PressWith::None => return None,
        };
        (bytes < from.len()).then_some(bytes)
    }
}

/// How much room pressing a body of `bytes` may need, in bytes.
pub(super) fn room_for(bytes: usize) -> usize {
    // The largest of what the three libraries ask for.
    bytes + bytes / 8 + 1024
}

/// Decompresses bodies, of whichever codec.
pub(super) struct Unpress {
    zstd: DCtx<'static>,
    zlib: Box<Decompress>,
    _held: Held,
}

impl Unpress {
    /// What the libraries take is charged to `memory`.
    pub(super) fn new(memory: &SharedResource) -> Result<Self> {
        let zstd = DCtx::try_create().ok_or_else(no_context)?;
        let held = Held::new(memory, zstd.sizeof() + INFLATE_BYTES)?;
        Ok(Self { zstd, zlib: Box::new(Decompress::new(false)), _held: held })
    }

    /// Decompresses `from`; whether it filled `into`, neither more nor less.
    pub(super) fn unpress(&mut self, codec: Codec, from: &[u8], into: &mut [u8]) -> bool {
        let expected = into.len();
        match codec {
            Codec::None => {
                let same = from.len() == expected;
                if same {
                    into.copy_from_slice(from);
                }
                same
            }
            Codec::Zstd => self.zstd.decompress(into, from) == Ok(expected),
            Codec::Zlib => {
                self.zlib.reset(false);
                let status = self.zlib.decompress(from, into, FlushDecompress::Finish);
                matches!(status, Ok(Status::StreamEnd))
                    && self.zlib.total_out() == expected as u64
                    && self.zlib.total_in() == from.len() as u64
            }
            Codec::Lz4 => decompress_into(from, into).is_ok_and(|bytes| bytes == expected),
        }
    }
}

fn no_context() -> Error {
    Error::new(ErrorKind::System, "history: no memory for zstd's context")
}

fn zstd_says(code: usize) -> Error {
    let name = zstd_safe::get_error_name(code);
    Error::new(ErrorKind::System, format!("history: zstd: {name}"))
}
