//! A chunk as bytes, and back: what agents are on disk.
//!
//! ```text
//! magic 4 | version 4 | first agent 8 | agents 8 | last stepped 8 | words of lines 8
//!         | bytes of columns 8 | words of stream 8 | checksum 8
//! lines of the members | columns | zeros up to a whole word | words of the stream in use
//! ```
//!
//! An image is exactly the chunk: nothing in it is computed anew when it is read. Lines are there where
//! members have some (`members`), and are left out of the images of chunks whose members stay in
//! memory. Numbers are in the machine's own order, as beliefs are; the magic number tells a machine of
//! the other order apart. Version 1, of agents that nobody has left, had neither lines nor when they
//! were last stepped; up to version 2 streams had no head ([`form`](crate::chunk::form)), and `log8` no
//! refinement; version 3 had no heads where agents come and go, and a place for everyone's record where
//! all are as long. They are read, but for what is in `log8` up to version 2.
//!
//! - bytes = header + 8 · words of lines + columns, padded to words + 8 · words of the stream; an image
//!   of any other length is none.
//! - checksum = XXH3-64 of all other bytes, header, lines, columns and stream each seeded with the one
//!   before: it finds every flipped bit (short of a collision, 1 in 2^64).
//! - Memory is taken only for what is there: an image that claims more than its length is refused.

use std::io::{Read, Write};

use bytemuck::{cast_slice, cast_slice_mut};
use populace_pool::SharedResource;
use populace_tensor::Array;
use twox_hash::XxHash3_64;

use crate::chunk::form::Form;
use crate::chunk::{Chunk, ChunkLayout, WORD};
use crate::members::{MEMBER_BYTES, Members};
use crate::record::Code;
use crate::{Error, ErrorKind, Result};

/// Reads as `PPLC` where the lowest byte comes first.
const MAGIC: u32 = u32::from_le_bytes(*b"PPLC");
const VERSION: u32 = 4;

/// What stands before the lines, in words; the last is the checksum.
const HEADER_WORDS: usize = 8;
const HEADER_BYTES: usize = HEADER_WORDS * WORD;

/// The same of version 1.
const HEADER_WORDS_1: usize = 6;

/// Words of an agent's line among the members.
const LINE_WORDS: usize = MEMBER_BYTES / WORD;

/// Bytes of a chunk's image.
pub(crate) fn image_bytes(layout: &ChunkLayout, chunk: &Chunk) -> usize {
    let (columns, stream) = chunk.contents(layout);
    HEADER_BYTES + bytes_for(chunk.members.lines().len(), columns.len(), stream.len())
}

/// The most bytes of an image of so many agents.
pub(crate) fn most_image_bytes(layout: &ChunkLayout, agents: usize) -> usize {
    let lines = layout.most_line_bytes(agents) / WORD;
    HEADER_BYTES + bytes_for(lines, layout.column_bytes(agents), layout.most_words(agents))
}

/// Bytes of what follows the header.
fn bytes_for(lines: usize, columns: usize, words: usize) -> usize {
    lines * WORD + columns.next_multiple_of(WORD) + words * WORD
}

/// Writes a chunk's image, and answers how long it is.
pub(crate) fn write_image(
    layout: &ChunkLayout,
    chunk: &Chunk,
    out: &mut impl Write,
) -> std::io::Result<usize> {
    write(layout, chunk, chunk.members.lines(), out)
}

/// As [`write_image`], of a chunk whose members stay in memory.
pub(crate) fn write_image_without_members(
    layout: &ChunkLayout,
    chunk: &Chunk,
    out: &mut impl Write,
) -> std::io::Result<usize> {
    write(layout, chunk, &[], out)
}

fn write(
    layout: &ChunkLayout,
    chunk: &Chunk,
    lines: &[u64],
    out: &mut impl Write,
) -> std::io::Result<usize> {
    let (columns, stream) = chunk.contents(layout);
    let mut header = [
        u64::from(MAGIC) | u64::from(VERSION) << 32,
        chunk.members.first(),
        chunk.len() as u64,
        chunk.members.stepped(0),
        lines.len() as u64,
        columns.len() as u64,
        stream.len() as u64,
        0,
    ];
    let sum = checksum(checksum_of_lines(&header[..HEADER_WORDS - 1], lines), columns, stream);
    header[HEADER_WORDS - 1] = sum;
    out.write_all(cast_slice(&header))?;
    out.write_all(cast_slice(lines))?;
    out.write_all(columns)?;
    out.write_all(&[0; WORD][..padding(columns.len())])?;
    out.write_all(cast_slice(stream))?;
    Ok(HEADER_BYTES + bytes_for(lines.len(), columns.len(), stream.len()))
}

/// What an image says of itself, checked against its layout.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ImageHeader {
    /// Of the header, and of the lines once they were read.
    so_far: u64,
    expected: u64,
    /// The first agent.
    pub(crate) first: u64,
    /// How many agents.
    pub(crate) len: usize,
    /// When they were last stepped, where they have no lines.
    stepped: u64,
    /// Words of lines.
    lines: usize,
    /// Words of the stream.
    pub(crate) stream: usize,
    /// Whether the first of them is not in the image.
    headless: bool,
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
        let mut words = [0_u64; HEADER_WORDS];
        from.read_exact(cast_slice_mut(&mut words[..1])).map_err(unreadable)?;
        let kind = words[0];
        if kind as u32 != MAGIC {
            return Err(Error::invalid("is not an image of agents"));
        }
        let count = match u32::try_from(kind >> 32) {
            Ok(1) => HEADER_WORDS_1,
            Ok(2..=VERSION) => HEADER_WORDS,
            _ => {
                return Err(Error::invalid(format!(
                    "is an image of version {}, and this version reads 1 to {VERSION}",
                    kind >> 32
                )));
            }
        };
        from.read_exact(cast_slice_mut(&mut words[1..count])).map_err(unreadable)?;
        let [_, first, len, stepped, lines, columns, stream, expected] = match count {
            HEADER_WORDS_1 => {
                let [_, first, len, columns, stream, expected, ..] = words;
                [kind, first, len, 0, 0, columns, stream, expected]
            }
            _ => words,
        };
        let before = |version: u64| kind >> 32 < version;
        let headless = layout.has_head() && (before(3) || before(4) && layout.changes());
        if before(3) && layout.record.factors.iter().any(|factor| factor.code == Code::Log8) {
            let version = kind >> 32;
            let what =
                format!("is an image of version {version}, whose log8 nobody reads any more");
            return Err(Error::new(ErrorKind::Unsupported, what));
        }
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let [len, lines, columns, stream] = [len, lines, columns, stream].map(number);
        let after = |len| bytes_for(lines, columns, stream) + len * WORD;
        let fits = (1..=agents).contains(&len)
            && (lines == 0 || lines == len * LINE_WORDS)
            && columns == layout.column_bytes(len)
            && stream <= layout.most_words(len) - usize::from(headless)
            && bytes.is_none_or(|bytes| bytes == after(count));
        if !fits {
            return Err(Error::invalid(format!(
                "is damaged: an image of {len} agents has not {lines} words of lines, {columns} bytes \
                 of columns and {stream} words"
            )));
        }
        let so_far = checksum_of_lines(&words[..count - 1], &[]);
        let headless = headless && stream > 0;
        let stream = stream + usize::from(headless);
        Ok(Self { so_far, expected, first, len, stepped, lines, stream, headless })
    }

    /// Whether it says who its agents are, line by line: it is read with [`Self::members`] then.
    pub(crate) fn has_lines(&self) -> bool {
        self.lines > 0
    }

    /// Reads who its agents are, and when each was last stepped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`]: ids do not ascend, or it ends too early; or memory is refused.
    pub(crate) fn members(
        &mut self,
        memory: &SharedResource,
        from: &mut impl Read,
    ) -> Result<Members> {
        if self.lines == 0 {
            return Members::new(self.first, self.len, self.stepped, memory);
        }
        let mut lines = Array::unspecified(memory, self.lines)?;
        from.read_exact(cast_slice_mut(&mut lines)).map_err(unreadable)?;
        self.so_far = XxHash3_64::oneshot_with_seed(self.so_far, cast_slice(&lines));
        Members::from_lines(lines).filter(|members| members.first() == self.first).ok_or_else(
            || Error::invalid("is damaged: its agents do not stand in the order of their ids"),
        )
    }

    /// Reads what follows the members into a chunk that is as long.
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
        let (head, stream) = stream.split_at_mut(usize::from(self.headless).min(stream.len()));
        head.fill(Form::default().head());
        from.read_exact(columns).map_err(unreadable)?;
        let mut zeros = [0; WORD];
        let zeros = &mut zeros[..padding(columns.len())];
        from.read_exact(zeros).map_err(unreadable)?;
        from.read_exact(cast_slice_mut(stream)).map_err(unreadable)?;
        let whole = zeros.iter().all(|&byte| byte == 0)
            && checksum(self.so_far, columns, stream) == self.expected;
        if !whole {
            return Err(Error::invalid("is damaged: a checksum does not match"));
        }
        if self.headless && layout.changes() && layout.record.fixed() {
            chunk.close_unborn(layout);
        }
        Ok(())
    }
}

fn padding(columns: usize) -> usize {
    columns.next_multiple_of(WORD) - columns
}

/// Of a header (its last word aside) and lines, if there are any.
fn checksum_of_lines(header: &[u64], lines: &[u64]) -> u64 {
    let sum = XxHash3_64::oneshot_with_seed(0, cast_slice(header));
    match lines {
        [] => sum,
        lines => XxHash3_64::oneshot_with_seed(sum, cast_slice(lines)),
    }
}

/// Of what came before, columns, and a stream.
fn checksum(so_far: u64, columns: &[u8], stream: &[u64]) -> u64 {
    [columns, cast_slice(stream)].into_iter().fold(so_far, XxHash3_64::oneshot_with_seed)
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

    use bytemuck::cast_slice;
    use populace_agent::models::{GridOptions, grid};
    use populace_agent::{Answers, CompiledModel};
    use populace_pool::{Pages, SharedResource};
    use twox_hash::XxHash3_64;

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
        ChunkLayout::new(record, model.num_actions(), 1, true).unwrap()
    }

    fn read(layout: &ChunkLayout, bytes: &[u8], memory: &SharedResource) -> Result<Chunk> {
        let mut from = bytes;
        let mut header = ImageHeader::read(layout, 10, Some(bytes.len()), &mut from)?;
        let members = header.members(memory, &mut from)?;
        let mut chunk = Chunk::unfilled(layout, members, header.stream, memory)?;
        header.fill(layout, &mut chunk, &mut from)?;
        Ok(chunk)
    }

    #[test]
    fn an_image_is_the_chunk_and_no_bit_of_it_can_change() {
        let memory: SharedResource = Arc::new(Pages);
        let layout = layout(&memory);
        let most = layout.most_words(10);
        for (len, words, lines) in
            [(1, 0, false), (1, 1, true), (9, 20, false), (9, 20, true), (10, most, true)]
        {
            let mut members = members(1 << 40, len, &memory);
            if lines {
                members.step([len / 2], 7, &memory).unwrap();
            }
            let mut chunk = Chunk::unfilled(&layout, members, words, &memory).unwrap();
            let (columns, stream) = chunk.contents_mut(&layout);
            columns.iter_mut().enumerate().for_each(|(at, byte)| *byte = at as u8);
            stream.iter_mut().enumerate().for_each(|(at, word)| *word = !(at as u64));
            let mut image = Vec::new();
            assert_eq!(write_image(&layout, &chunk, &mut image).unwrap(), image.len());
            assert_eq!(image.len(), image_bytes(&layout, &chunk));

            let again = read(&layout, &image, &memory).unwrap();
            assert_eq!((again.members.first(), again.len()), (1 << 40, len));
            assert_eq!(again.members.lines(), chunk.members.lines());
            assert_eq!(again.members.stepped(len / 2), chunk.members.stepped(len / 2));
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

    #[test]
    fn an_image_of_version_1_is_read() {
        let memory: SharedResource = Arc::new(Pages);
        let layout = layout(&memory);
        let (columns, stream) = (vec![3; layout.column_bytes(5)], [1_u64, 2, 3]);
        let kind = u64::from(super::MAGIC) | 1 << 32;
        let header = [kind, 40, 5, columns.len() as u64, 3];
        let sum = [cast_slice(&header), &columns, cast_slice(&stream)]
            .into_iter()
            .fold(0, XxHash3_64::oneshot_with_seed);
        let mut image: Vec<u8> = cast_slice(&header).to_vec();
        image.extend(sum.to_le_bytes());
        image.extend(&columns);
        image.resize(image.len().next_multiple_of(8), 0);
        image.extend(cast_slice::<u64, u8>(&stream));
        let chunk = read(&layout, &image, &memory).unwrap();
        assert_eq!((chunk.members.first(), chunk.len()), (40, 5));
        assert_eq!(chunk.contents(&layout), (&columns[..], &stream[..]));
    }

    #[test]
    fn an_image_of_version_3_had_a_place_for_who_was_not_stepped() {
        let memory: SharedResource = Arc::new(Pages);
        let model = grid(&GridOptions { side: 5, ..GridOptions::default() }).unwrap();
        let model = CompiledModel::<f32>::compile(&model, Answers::Actions, &memory).unwrap();
        let settings = Settings { belief: Belief::Dense, ..Settings::default() };
        let record = RecordLayout::new(&model, &settings, None, false).unwrap();
        let mut layout = ChunkLayout::new(record, model.num_actions(), 0, true).unwrap();
        layout.steps_alike = true;
        // One byte an agent: its last action, of which the second has none.
        let columns = [3_u8, 0, 5];
        let record_bytes = layout.record.most_bytes();
        let records: Vec<u8> = (0..3).flat_map(|agent| vec![agent + 1; record_bytes]).collect();
        let mut stream = records.clone();
        stream.resize(stream.len().next_multiple_of(8), 0);
        let words = stream.len() as u64 / 8;
        let kind = u64::from(super::MAGIC) | 3 << 32;
        let header = [kind, 40, 3, 0, 0, columns.len() as u64, words];
        let sum = [cast_slice(&header), &columns, &stream]
            .into_iter()
            .fold(0, XxHash3_64::oneshot_with_seed);
        let mut image: Vec<u8> = cast_slice(&header).to_vec();
        image.extend(sum.to_le_bytes());
        image.extend(columns);
        image.resize(image.len().next_multiple_of(8), 0);
        image.extend(&stream);
        let chunk = read(&layout, &image, &memory).unwrap();
        let (found, stream) = chunk.contents(&layout);
        let stream: &[u8] = cast_slice(stream);
        assert_eq!((found, &stream[..8]), (&columns[..], &[0; 8][..]));
        let expected = [&records[..record_bytes], &records[2 * record_bytes..]].concat();
        assert_eq!(stream[8..8 + expected.len()], expected);
        assert_eq!(stream.len(), (8 + expected.len()).next_multiple_of(8));
    }
}
