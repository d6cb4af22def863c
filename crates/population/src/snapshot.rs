//! A crowd in a file: saved between two steps, and loaded to go on from there.
//!
//! A [checkpoint](crate::Checkpoint) is of a run in its own world, whose agents stay; it is written again
//! and again. A snapshot is of agents who come and go in a world that is the caller's, and is written once:
//! one file, front to back.
//!
//! ```text
//! magic 8 | header: bytes 8, checksum 8, JSON | the model's file | chunk after chunk:
//!     lines 8 | (id 8, stepped 8) a line | checksum 8 | image
//! ```
//!
//! A chunk whose ids follow each other and who were last stepped together has one line, for its first
//! agent. Numbers are little-endian, images as [`image`](crate::image) says.
//!
//! Invariants:
//! - A path holds a whole snapshot, or what was there before: it is written under another name, is made
//!   durable, and then takes its place.
//! - A loaded crowd is the one that was saved: an agent is its image, and its numbers are drawn by
//!   (seed, agent, tick). Budget, threads, chunks and history are the loader's choice.
//! - Any changed byte is found: each part has a checksum, and the file ends where it says.

mod header;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use populace_agent::{Model, ModelFile};
use tempfile::NamedTempFile;
use twox_hash::XxHash3_64;

use crate::chunk::{Chunk, ChunkLayout};
use crate::image::{ImageHeader, write_image};
use crate::members::Members;
use crate::population::Population;
use crate::record::Number;
use crate::{Error, ErrorKind, Result, Settings};
pub(crate) use header::Header;

const MAGIC: [u8; 8] = *b"PPLCROWD";

/// The most bytes of a header: some for each of as many chunks as there can be.
const MOST_HEADER_BYTES: u64 = 1 << 30;

/// Writes a population of `model` and `settings` to a file, whole or not at all.
pub(crate) fn save<T: Number>(
    population: &mut Population<T>,
    path: &Path,
    model: &Model,
    settings: &Settings,
) -> Result<()> {
    let mut bytes = Vec::new();
    model.write(&mut bytes)?;
    let header = Header::of(population, settings, &bytes);
    let failed = |error: io::Error| {
        let reason = reason(&error);
        Error::new(ErrorKind::System, format!("{}: cannot be written: {reason}", path.display()))
    };
    if path.is_dir() {
        return Err(failed(io::Error::other("it is a directory")));
    }
    // Behind a link, the file it names.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    // For its owner alone; it goes with an error.
    let mut file = NamedTempFile::new_in(directory).map_err(failed)?;
    let mut out = BufWriter::new(file.as_file_mut());
    header.write(&MAGIC, &mut out).and_then(|()| out.write_all(&bytes)).map_err(failed)?;
    drop(bytes);
    population.each_chunk(&mut |_, layout, chunk| {
        write_members(&chunk.members, &mut out)
            .and_then(|()| write_image(layout, chunk, &mut out).map(|_| ()))
            .map_err(failed)
    })?;
    out.flush().map_err(failed)?;
    drop(out);
    file.as_file().sync_all().map_err(failed)?;
    file.persist(&path).map_err(|error| failed(error.error))?;
    // The name is durable once its directory is; where that cannot be asked for, it is in time.
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
    Ok(())
}

/// A snapshot that is being read.
pub(crate) struct Snapshot {
    pub(crate) header: Header,
    from: BufReader<File>,
}

impl Snapshot {
    /// Opens a file, and reads all but the agents: they follow its model.
    pub(crate) fn open(path: &Path) -> Result<(Self, Model)> {
        // Asked before opening, which would wait for ever on a pipe without a writer.
        if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(Error::invalid("is not a regular file"));
        }
        let file = File::open(path).map_err(unreadable)?;
        let len = file.metadata().map_err(unreadable)?.len();
        let mut from = BufReader::new(file);
        let mut magic = [0; MAGIC.len()];
        match from.read_exact(&mut magic) {
            Ok(()) if magic == MAGIC => {}
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                return Err(unreadable(error));
            }
            _ => return Err(Error::invalid("is not a saved population")),
        }
        let header = Header::read(len.min(MOST_HEADER_BYTES), &mut from)?;
        let mut bytes = Vec::new();
        (&mut from).take(header.model_bytes).read_to_end(&mut bytes).map_err(unreadable)?;
        if XxHash3_64::oneshot(&bytes) != header.model_sum {
            return Err(Error::invalid("is damaged: its model's checksum does not match"));
        }
        let model = ModelFile::from_bytes("its model", bytes)?.model()?;
        Ok((Self { header, from }, model))
    }

    /// The next chunk, of `len` agents.
    pub(crate) fn chunk<T: Number>(
        &mut self,
        population: &Population<T>,
        len: usize,
    ) -> Result<Chunk> {
        let (layout, memory) = (&population.layout, &population.chunk_memory);
        let members = read_members(len, &self.header, memory, &mut self.from)?;
        let image = ImageHeader::read(layout, len, None, &mut self.from)?;
        if (image.first, image.len) != (members.first(), len) {
            return Err(Error::invalid("is damaged: an image is of other agents"));
        }
        let mut chunk = Chunk::unfilled(layout, members, image.stream, memory)?;
        image.fill(layout, &mut chunk, &mut self.from)?;
        Ok(chunk)
    }

    /// Checks that nothing follows.
    pub(crate) fn end(&mut self) -> Result<()> {
        match self.from.read(&mut [0]).map_err(unreadable)? {
            0 => Ok(()),
            _ => Err(Error::invalid("is damaged: it goes on after its last agent")),
        }
    }
}

/// How many agents the chunks of a population have.
pub(crate) fn lengths<T: Number>(population: &Population<T>) -> Vec<usize> {
    population.chunks.iter().map(Chunk::len).collect()
}

/// Engine bytes that chunks of so many agents need in the worst case.
pub(crate) fn chunk_bytes(layout: &ChunkLayout, lengths: &[usize]) -> u128 {
    lengths.iter().map(|&agents| u128::from(layout.most_bytes(agents))).sum()
}

fn write_members(members: &Members, out: &mut impl Write) -> io::Result<()> {
    let lines = if members.is_uniform() { 1 } else { members.len() };
    let each = (0..lines).flat_map(|place| [members.id(place), members.stepped(place)]);
    let bytes: Vec<u8> =
        std::iter::once(lines as u64).chain(each).flat_map(u64::to_le_bytes).collect();
    out.write_all(&bytes)?;
    out.write_all(&XxHash3_64::oneshot(&bytes).to_le_bytes())
}

fn read_members(
    len: usize,
    header: &Header,
    memory: &populace_pool::SharedResource,
    from: &mut impl Read,
) -> Result<Members> {
    let damaged = || Error::invalid("is damaged: its agents' ids are not what was written");
    let mut lines = [0; 8];
    from.read_exact(&mut lines).map_err(unreadable)?;
    let count = u64::from_le_bytes(lines);
    if count != 1 && count != len as u64 {
        return Err(damaged());
    }
    let mut bytes = lines.to_vec();
    from.take(16 * count + 8).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 != 8 + 16 * count + 8 {
        return Err(unreadable(io::ErrorKind::UnexpectedEof.into()));
    }
    let (bytes, sum) = bytes.split_last_chunk::<8>().ok_or_else(damaged)?;
    let numbers: Vec<u64> =
        bytes.as_chunks::<8>().0.iter().map(|&number| u64::from_le_bytes(number)).collect();
    let each: Vec<(u64, u64)> =
        numbers[1..].as_chunks::<2>().0.iter().map(|&[id, stepped]| (id, stepped)).collect();
    let (Some(&(first, stepped)), Some(&(last, _))) = (each.first(), each.last()) else {
        return Err(damaged());
    };
    let last = if each.len() == len { last } else { first.saturating_add(len as u64 - 1) };
    let whole = u64::from_le_bytes(*sum) == XxHash3_64::oneshot(bytes)
        && each.is_sorted_by(|(a, _), (b, _)| a < b)
        && last < header.next_id;
    if !whole {
        return Err(damaged());
    }
    if each.len() == 1 {
        return Members::new(first, len, stepped, memory);
    }
    let mut members = Members::new(0, 0, 0, memory)?;
    members.tell(len, memory)?;
    members.insert(&each, &vec![0; len]);
    Ok(members)
}

/// Why a file cannot be read.
fn unreadable(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::invalid("is damaged: it ends too early"),
        _ => Error::new(ErrorKind::System, format!("cannot be read: {}", reason(&error))),
    }
}

/// What an error says, without the number that Rust appends.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
