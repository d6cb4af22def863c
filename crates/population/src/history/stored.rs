//! Rings as bytes, and back: the past of agents in a checkpoint.
//!
//! ```text
//! first agent, agents, dropped, whole from, first open tick, open ticks, open rows, open words, blocks
//!                                                                                  9 × u64
//! bytes, rows                                                           2 × u64, every block
//! blocks, oldest first | open planes, 8 × open words | XXH3 of all before           u64
//! ```
//!
//! What was kept is kept: a ring that is read back has the same blocks and the same open rows, so that
//! the next tick finds it as if it had never been away. Where there is less room now, its oldest blocks
//! stay behind, as they would have gone.
//!
//! - A value of any other length than its numbers say is none; memory is taken only for what is there.
//! - Whatever bit is flipped, it is refused.

use std::hash::Hasher;
use std::io::{self, Read, Write};

use bytemuck::{bytes_of, cast_slice, cast_slice_mut};
use populace_pool::SharedResource;
use populace_tensor::Array;
use twox_hash::XxHash3_64;

use super::archive::unlocked;
use super::ring::{Closed, Ring, end, in_pages};
use crate::history::terms::Terms;
use crate::history::{Archive, Block, HEADER_BYTES};
use crate::{Error, ErrorKind, Result};

/// Numbers at the start of a ring.
const NUMBERS: usize = 9;

/// Numbers of a block.
const BLOCK_NUMBERS: usize = 2;

/// Bytes that nobody wants are read through so many at a time.
const SKIP_BYTES: usize = 4096;

impl Archive {
    /// How many rings there are.
    pub(crate) fn rings(&self) -> usize {
        self.rings.len()
    }

    /// For how many ids a ring is.
    pub(crate) fn ring_agents(&self) -> usize {
        self.ring_agents
    }

    /// Writes a ring.
    pub(crate) fn write_ring(&mut self, place: usize, out: &mut impl Write) -> io::Result<()> {
        match self.rings.get_mut(place) {
            Some(ring) => unlocked(ring).write(out),
            None => Ok(()),
        }
    }

    /// Makes place for a ring that will be filled, after all those there are: reads how large it is.
    ///
    /// # Errors
    ///
    /// It is none of these agents'.
    pub(crate) fn open_ring(&mut self, from: &mut impl Read) -> Result<()> {
        let mut numbers = [0_u64; 2];
        from.read_exact(cast_slice_mut(&mut numbers)).map_err(unreadable)?;
        let [first, agents] = numbers;
        let size = self.ring_agents as u64;
        let last = self.rings.last_mut().map(|ring| unlocked(ring).first_agent);
        let left = if self.terms.changes { size } else { self.agents.saturating_sub(first) };
        let fits = first.is_multiple_of(size)
            && last.is_none_or(|last| last < first)
            && agents == size.min(left)
            && agents > 0;
        if !fits {
            return Err(damaged(format!("no ring is of {agents} agents from {first} on")));
        }
        let ring = Ring::new(first, agents as usize, self.begun, &self.memory)?;
        self.rings.push(ring.into());
        Ok(())
    }

    /// Fills a ring for which place was made, its value `bytes` long, after `now` ticks.
    ///
    /// # Errors
    ///
    /// It is not what was written, or memory is refused.
    pub(crate) fn fill_ring(
        &mut self,
        place: usize,
        (bytes, now): (u64, u64),
        from: &mut impl Read,
    ) -> Result<()> {
        let Self { rings, terms, memory, .. } = self;
        match rings.get_mut(place) {
            Some(ring) => unlocked(ring).read(terms, (bytes, now), &mut Summed::new(from), memory),
            None => Ok(()),
        }
    }
}

impl Ring {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut out = Summed::new(out);
        let numbers = [
            self.first_agent,
            self.agents as u64,
            self.dropped,
            self.whole_from,
            self.first_tick,
            self.ticks as u64,
            self.rows,
            self.open.len() as u64,
            self.blocks.len() as u64,
        ];
        out.write_all(cast_slice(&numbers))?;
        for Closed { block, rows } in &self.blocks {
            out.write_all(cast_slice(&[block.len() as u64, *rows]))?;
        }
        for Closed { block, .. } in &self.blocks {
            out.write_all(block)?;
        }
        out.write_all(cast_slice(&self.open))?;
        let sum = out.sum.finish();
        out.with.write_all(bytes_of(&sum))
    }

    /// Takes over what was written, as much of it as there is room for.
    fn read<R: Read>(
        &mut self,
        terms: &Terms,
        (bytes, now): (u64, u64),
        from: &mut Summed<&mut R>,
        memory: &SharedResource,
    ) -> Result<()> {
        let mut numbers = [0_u64; NUMBERS];
        from.read_exact(cast_slice_mut(&mut numbers)).map_err(unreadable)?;
        let [first, agents, dropped, whole_from, first_tick, ticks, rows, open, blocks] = numbers;
        let fixed = (size_of::<u64>() * (NUMBERS + 1)) as u64;
        let listed = blocks.checked_mul((size_of::<u64>() * BLOCK_NUMBERS) as u64);
        let listed = listed.filter(|&listed| listed <= bytes).unwrap_or(u64::MAX);
        let planes = [0, terms.open_words(self.agents) as u64];
        let sound = (first, agents) == (self.first_agent, self.agents as u64)
            && listed <= bytes
            && planes.contains(&open)
            && ticks <= terms.block_ticks(self.agents) as u64
            && (ticks == 0 || open > 0)
            && first_tick.checked_add(ticks).is_some_and(|end| end <= now)
            && whole_from <= now;
        if !sound {
            return Err(damaged("a ring's numbers contradict each other".to_owned()));
        }
        // As long as the value at most, which is there.
        let mut list = vec![[0_u64; BLOCK_NUMBERS]; blocks as usize];
        from.read_exact(cast_slice_mut(&mut list)).map_err(unreadable)?;
        let sizes = list.iter().try_fold(0_u64, |sum, [bytes, _]| sum.checked_add(*bytes));
        let whole =
            sizes.and_then(|sizes| sizes.checked_add(fixed + listed)?.checked_add(8 * open));
        if whole != Some(bytes) {
            return Err(damaged(format!("a ring of {bytes} bytes is not as long as it says")));
        }
        (self.dropped, self.whole_from) = (dropped, whole_from);

        // After a tick, what is there fits; before the next one, room is made for one block more.
        let open_bytes = in_pages(open as usize * size_of::<u64>());
        let kept = list.iter().rev().scan(open_bytes, |sum, [bytes, _]| {
            *sum += in_pages(*bytes as usize);
            Some(*sum)
        });
        let kept = kept.take_while(|&sum| sum <= self.part_bytes).count();
        let left_behind = list.len() - kept;
        let mut last = 0;
        for (place, [bytes, rows]) in list.into_iter().enumerate() {
            if place < left_behind {
                let mut header = [0; HEADER_BYTES];
                from.read_exact(&mut header).map_err(unreadable)?;
                skip(from, bytes.saturating_sub(HEADER_BYTES as u64))?;
                last = end(&header);
                self.whole_from = self.whole_from.max(last.min(now));
                self.dropped += 1;
                continue;
            }
            let mut block = Array::unspecified(memory, bytes as usize)?;
            from.read_exact(&mut block).map_err(unreadable)?;
            let read = Block::parse(&block)?;
            let header = read.header;
            let ours = (header.first_agent, header.agents as usize)
                == (self.first_agent, self.agents)
                && header.row_bits as usize == terms.row.bits()
                && header.first_tick >= last
                && read.ticks().end <= now;
            if !ours {
                return Err(damaged("a block is not of its ring".to_owned()));
            }
            last = read.ticks().end;
            self.block_bytes += in_pages(block.len());
            self.blocks.push_back(Closed { block, rows });
        }
        if ticks > 0 && first_tick < last {
            return Err(damaged("rows are older than the block before them".to_owned()));
        }
        if open_bytes <= self.part_bytes {
            let mut planes = Array::zeroed(memory, open as usize)?;
            from.read_exact(cast_slice_mut(&mut planes)).map_err(unreadable)?;
            self.open = planes;
            (self.ticks, self.first_tick, self.rows) = (ticks as usize, first_tick, rows);
        } else {
            skip(from, 8 * open)?;
            self.whole_from = self.whole_from.max(first_tick + ticks);
            self.dropped += u64::from(ticks > 0);
        }
        let found = from.sum.finish();
        let mut written = 0_u64;
        from.with.read_exact(bytemuck::bytes_of_mut(&mut written)).map_err(unreadable)?;
        match found == written {
            true => Ok(()),
            false => Err(damaged("a ring's checksum does not match".to_owned())),
        }
    }
}

fn skip(from: &mut impl Read, mut bytes: u64) -> Result<()> {
    let mut through = [0; SKIP_BYTES];
    while bytes > 0 {
        let part = bytes.min(SKIP_BYTES as u64);
        from.read_exact(&mut through[..part as usize]).map_err(unreadable)?;
        bytes -= part;
    }
    Ok(())
}

/// A reader or writer that sums what passes.
struct Summed<W> {
    with: W,
    sum: XxHash3_64,
}

impl<W> Summed<W> {
    fn new(with: W) -> Self {
        Self { with, sum: XxHash3_64::new() }
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.with.write(bytes)?;
        self.sum.write(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.with.flush()
    }
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.with.read(out)?;
        self.sum.write(&out[..read]);
        Ok(read)
    }
}

fn damaged(what: String) -> Error {
    Error::invalid(format!("is damaged: its history: {what}"))
}

fn unreadable(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged("it ends too early".to_owned()),
        _ => Error::new(ErrorKind::System, format!("its history cannot be read: {error}")),
    }
}
