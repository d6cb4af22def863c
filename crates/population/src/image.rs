//! A chunk as bytes, and back: what agents are on disk.
//!
//! ```text
//! magic 4 | version 4 | first agent 8 | agents 8 | bytes of columns 8 | words of stream 8 | checksum 8
//! columns | zeros up to a whole word | words of the stream in use
//! ```
//!
//! An image is exactly the chunk: nothing in it is computed anew when it is read. Numbers are in the
//! machine's own order, as beliefs are; the magic number tells a machine of the other order apart.
//!
//! - bytes = header + columns, padded to words + 8 · words; an image of any other length is none.
//! - checksum = XXH3-64 of all other bytes, header, columns and stream each seeded with the one
//!   before: it finds every flipped bit (short of a collision, 1 in 2^64).
//! - Memory is taken only for what is there: an image that claims more than its length is refused.

use std::io::{Read, Write};

use bytemuck::{cast_slice, cast_slice_mut};
use twox_hash::XxHash3_64;

use crate::chunk::{Chunk, ChunkLayout, WORD};
use crate::{Error, ErrorKind, Result};

/// Reads as `PPLC` where the lowest byte comes first.
const MAGIC: u32 = u32::from_le_bytes(*b"PPLC");
const VERSION: u32 = 1;

/// What stands before the columns, in words; the last is the checksum.
const HEADER_WORDS: usize = 6;
const HEADER_BYTES: usize = HEADER_WORDS * WORD;

/// Bytes of a chunk's image.
pub(crate) fn image_bytes(layout: &ChunkLayout, chunk: &Chunk) -> usize {
    let (columns, stream) = chunk.contents(layout);
    bytes_for(columns.len(), stream.len())
}

/// The most bytes of an image of so many agents.
pub(crate) fn most_image_bytes(layout: &ChunkLayout, agents: usize) -> usize {
    bytes_for(layout.column_bytes(agents), layout.most_words(agents))
}

fn bytes_for(columns: usize, words: usize) -> usize {
    HEADER_BYTES + columns.next_multiple_of(WORD) + words * WORD
}

/// Writes a chunk's image, and answers how long it is.
pub(crate) fn write_image(
    layout: &ChunkLayout,
    chunk: &Chunk,
    out: &mut impl Write,
) -> std::io::Result<usize> {
    let (columns, stream) = chunk.contents(layout);
    let mut header = [
        u64::from(MAGIC) | u64::from(VERSION) << 32,
        chunk.members.first(),
        chunk.len() as u64,
        columns.len() as u64,
        stream.len() as u64,
        0,
    ];
    header[HEADER_WORDS - 1] = checksum(&header, columns, stream);
    out.write_all(cast_slice(&header))?;
    out.write_all(columns)?;
    out.write_all(&[0; WORD][..padding(columns.len())])?;
    out.write_all(cast_slice(stream))?;
    Ok(bytes_for(columns.len(), stream.len()))
}

/// What an image says of itself, checked against its layout.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ImageHeader {
    words: [u64; HEADER_WORDS],
    /// The first agent.
    pub(crate) first: u64,
    /// How many agents.
    pub(crate) len: usize,
    /// Words of the stream.
    pub(crate) stream: usize,
}

impl ImageHeader {
    /// Reads the header of an image of at most `agents` agents; `bytes` is its length, where known.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`]: it is no image, of another version, or of other agents; or it ends too
    /// early.
    pub(crate) fn read(
        layout: &ChunkLayout,
        agents: usize,
        bytes: Option<usize>,
        from: &mut impl Read,
    ) -> Result<Self> {
        let mut header = [0_u64; HEADER_WORDS];
        from.read_exact(cast_slice_mut(&mut header)).map_err(unreadable)?;
        let [kind, first, len, columns, words, _] = header;
        if kind as u32 != MAGIC {
            return Err(Error::invalid("is not an image of agents"));
        }
        if kind >> 32 != u64::from(VERSION) {
            return Err(Error::invalid(format!(
                "is an image of version {}, and this version reads {VERSION}",
                kind >> 32
            )));
        }
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let (len, columns, stream) = (number(len), number(columns), number(words));
        let fits = (1..=agents).contains(&len)
            && columns == layout.column_bytes(len)
            && stream <= layout.most_words(len)
            && bytes.is_none_or(|bytes| bytes == bytes_for(columns, stream));
        if !fits {
            return Err(Error::invalid(format!(
                "is damaged: an image of {len} agents has not {columns} bytes of columns and \
                 {stream} words"
            )));
        }
        Ok(Self { words: header, first, len, stream })
    }

    /// Reads what follows the header into a chunk that is as long.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`]: it is not what was written, or ends too early.
    pub(crate) fn fill(
        &self,
        layout: &ChunkLayout,
        chunk: &mut Chunk,
        from: &mut impl Read,
    ) -> Result<()> {
        let (columns, stream) = chunk.contents_mut(layout);
        from.read_exact(columns).map_err(unreadable)?;
        let mut zeros = [0; WORD];
        let zeros = &mut zeros[..padding(columns.len())];
        from.read_exact(zeros).map_err(unreadable)?;
        from.read_exact(cast_slice_mut(stream)).map_err(unreadable)?;
        let expected = self.words[HEADER_WORDS - 1];
        let whole = zeros.iter().all(|&byte| byte == 0)
            && checksum(&self.words, columns, stream) == expected;
        if whole { Ok(()) } else { Err(Error::invalid("is damaged: a checksum does not match")) }
    }
}

fn padding(columns: usize) -> usize {
    columns.next_multiple_of(WORD) - columns
}

/// Of a header (its last word aside), columns and a stream.
fn checksum(header: &[u64; HEADER_WORDS], columns: &[u8], stream: &[u64]) -> u64 {
    let header = &header[..HEADER_WORDS - 1];
    let parts = [cast_slice(header), columns, cast_slice(stream)];
    parts.into_iter().fold(0, XxHash3_64::oneshot_with_seed)
}

fn unreadable(error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => Error::invalid("is damaged: it ends too early"),
        _ => Error::new(ErrorKind::System, format!("cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use populace_agent::models::{GridOptions, grid};
    use populace_agent::{Answers, CompiledModel};
    use populace_pool::{Pages, SharedResource};

    use super::{ImageHeader, image_bytes, write_image};
    use crate::chunk::{Chunk, ChunkLayout};
    use crate::members::Members;
    use crate::record::RecordLayout;
    use crate::{Belief, Result, Settings};

    fn members(first: u64, len: usize, memory: &SharedResource) -> Members {
        Members::new(first, len, 0, memory).unwrap()
    }

    fn layout(memory: &SharedResource) -> ChunkLayout {
        let model = grid(&GridOptions { side: 5, ..GridOptions::default() }).unwrap();
        let model = CompiledModel::<f32>::compile(&model, Answers::Actions, memory).unwrap();
        let settings = Settings { belief: Belief::Sparse, ..Settings::default() };
        let record = RecordLayout::new(&model, &settings, None, false).unwrap();
        ChunkLayout::new(record, model.num_actions(), 1, false).unwrap()
    }

    fn read(layout: &ChunkLayout, bytes: &[u8], memory: &SharedResource) -> Result<Chunk> {
        let mut from = bytes;
        let header = ImageHeader::read(layout, 10, Some(bytes.len()), &mut from)?;
        let (first, len) = (header.first, header.len);
        let mut chunk =
            Chunk::unfilled(layout, members(first, len, memory), header.stream, memory)?;
        header.fill(layout, &mut chunk, &mut from)?;
        Ok(chunk)
    }

    #[test]
    fn an_image_is_the_chunk_and_no_bit_of_it_can_change() {
        let memory: SharedResource = Arc::new(Pages);
        let layout = layout(&memory);
        for (len, words) in [(1, 0), (1, 1), (9, 20), (10, layout.most_words(10))] {
            let mut chunk =
                Chunk::unfilled(&layout, members(1 << 40, len, &memory), words, &memory).unwrap();
            let (columns, stream) = chunk.contents_mut(&layout);
            columns.iter_mut().enumerate().for_each(|(at, byte)| *byte = at as u8);
            stream.iter_mut().enumerate().for_each(|(at, word)| *word = !(at as u64));
            let mut image = Vec::new();
            assert_eq!(write_image(&layout, &chunk, &mut image).unwrap(), image.len());
            assert_eq!(image.len(), image_bytes(&layout, &chunk));

            let again = read(&layout, &image, &memory).unwrap();
            assert_eq!((again.members.first(), again.len()), (1 << 40, len));
            assert_eq!(again.contents(&layout), chunk.contents(&layout));
            for bit in 0..8 * image.len() {
                image[bit / 8] ^= 1 << (bit % 8);
                assert!(read(&layout, &image, &memory).is_err(), "bit {bit} of {len} agents");
                image[bit / 8] ^= 1 << (bit % 8);
            }
            for cut in 0..image.len() {
                assert!(read(&layout, &image[..cut], &memory).is_err(), "cut to {cut}");
            }
            image.push(0);
            assert!(read(&layout, &image, &memory).is_err(), "longer than it says");
        }
    }
}
