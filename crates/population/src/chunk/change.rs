//! Agents that leave a chunk, and agents that come to it.
//!
//! A chunk stays dense: who leaves is closed over, who comes is made room for, both in one pass. To
//! leave takes no memory but the members' lines, which admission has counted beforehand; to come takes
//! all that it needs before anything moves, so that a refusal changes nothing.
//!
//! Who comes or goes takes a record of their own along: a chunk whose records are shared is given
//! [one for each agent](crate::tick::Worker::part_records) before any of this.

use std::ops::Range;

use bytemuck::{cast_slice, cast_slice_mut};
use populace_pool::SharedResource;
use populace_tensor::Array;

use super::form::{Form, HEAD_BYTES};
use super::{Chunk, ChunkLayout, NOT_BORN, WORD};
use crate::members::MEMBER_BYTES;
use crate::memory::page_bytes;
use crate::{Result, gaps};

/// Where the records of a chunk start, and where the last one ends, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Starts<'a> {
    pub(crate) starts: &'a [u32],
    pub(crate) end: usize,
}

/// An agent at rest: its bytes in every column, one after another, and its record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AtRest<'a> {
    pub(crate) id: u64,
    pub(crate) stepped: u64,
    pub(crate) columns: &'a [u8],
    /// Empty before its first step.
    pub(crate) record: &'a [u8],
}

impl Starts<'_> {
    /// The record of the agent at a place.
    pub(crate) fn record(&self, place: usize) -> Range<usize> {
        let start = |place: usize| self.starts.get(place).map_or(self.end, |&at| at as usize);
        start(place)..start(place + 1)
    }
}

impl Chunk {
    /// Takes out the agents at `places`, ascending; the members' lines are there where they are needed
    /// (`Members::stays_uniform_without`).
    pub(crate) fn remove(&mut self, layout: &ChunkLayout, places: &[u32], records: Starts<'_>) {
        self.close_over(layout, places, records);
        self.members.remove(places);
    }

    /// Takes out what is stored of the agents at `places`, and leaves them among the members.
    pub(crate) fn close_over(&mut self, layout: &ChunkLayout, places: &[u32], records: Starts<'_>) {
        let len = self.len();
        if self.used_words > 0 {
            let gaps = places.iter().map(|&place| records.record(place as usize));
            let end = gaps::close(cast_slice_mut(&mut self.beliefs), records.end, gaps);
            self.used_words = end.div_ceil(WORD);
        }
        let gaps = sections(layout, len).into_iter().flat_map(|(base, width)| {
            let at = move |&place: &u32| base + place as usize * width;
            places.iter().map(move |place| at(place)..at(place) + width)
        });
        gaps::close(&mut self.columns, layout.column_bytes(len), gaps);
    }

    /// Lets `count` agents follow that nobody has stepped, with the ids from `first` on, born when
    /// `stepped` ticks had been run. What they are in the world is left to be set.
    pub(crate) fn spawn(
        &mut self,
        layout: &ChunkLayout,
        count: usize,
        first: u64,
        stepped: u64,
        memory: &SharedResource,
    ) -> Result<()> {
        let len = self.len();
        let uniform = self.members.stays_uniform_with(first, stepped);
        if !uniform {
            self.members.tell(lines(len + count), memory)?;
        }
        self.reserve_columns(layout, len + count, memory)?;
        if layout.fixed() && self.used_words > 0 {
            self.reserve(layout, layout.most_words(len + count), len + count, memory)?;
            self.used_words = layout.most_words(len + count);
        }
        let ends = sections(layout, len).map(|(base, width)| (base + len * width, count * width));
        gaps::open(&mut self.columns, layout.column_bytes(len), ends.into_iter());
        for (base, width) in sections(layout, len + count) {
            self.columns[base + len * width..base + (len + count) * width].fill(0);
        }
        if uniform {
            self.members.follow(count, first, stepped);
        } else {
            let new: Vec<(u64, u64)> = (first..).take(count).map(|id| (id, stepped)).collect();
            self.members.insert(&new, &vec![len as u32; count]);
        }
        Ok(())
    }

    /// Puts agents in, each before the one who stands `at` a place now; ascending.
    pub(crate) fn insert(
        &mut self,
        layout: &ChunkLayout,
        new: &[AtRest<'_>],
        at: &[u32],
        records: Starts<'_>,
        memory: &SharedResource,
    ) -> Result<()> {
        let (len, total) = (self.len(), self.len() + new.len());
        let fixed = layout.fixed();
        let slot = |agent: &AtRest<'_>| match fixed {
            true => layout.record.most_bytes(),
            false => agent.record.len(),
        };
        let added: usize = new.iter().map(slot).sum();
        let head = self.head_bytes(layout);
        let used = records.end.max(head);
        self.members.tell(lines(total), memory)?;
        self.reserve_columns(layout, total, memory)?;
        self.reserve(layout, (used + added).div_ceil(WORD), total, memory)?;

        self.begin_stream(layout);
        let stream: &mut [u8] = cast_slice_mut(&mut self.beliefs);
        let before = |&at: &u32| records.record(at as usize).start.max(head);
        let gaps = new.iter().zip(at).map(|(agent, at)| (before(at), slot(agent)));
        let end = gaps::open(stream, used, gaps);
        let mut shift = 0;
        for (agent, at) in new.iter().zip(at) {
            let start = before(at) + shift;
            stream[start..start + agent.record.len()].copy_from_slice(agent.record);
            shift += slot(agent);
        }
        self.used_words = end.div_ceil(WORD);

        let gaps = sections(layout, len).into_iter().flat_map(|(base, width)| {
            at.iter().map(move |&at| (base + at as usize * width, width))
        });
        gaps::open(&mut self.columns, layout.column_bytes(len), gaps);
        let mut from = 0;
        for (base, width) in sections(layout, total) {
            for (k, (agent, &at)) in new.iter().zip(at).enumerate() {
                let to = base + (at as usize + k) * width;
                self.columns[to..to + width].copy_from_slice(&agent.columns[from..from + width]);
            }
            from += width;
        }
        let ids: Vec<(u64, u64)> = new.iter().map(|agent| (agent.id, agent.stepped)).collect();
        self.members.insert(&ids, at);
        Ok(())
    }

    /// Takes over the agents of the next chunk, whose ids are all larger. Answers whether there was
    /// memory for it; if not, nothing has changed.
    pub(crate) fn append(
        &mut self,
        layout: &ChunkLayout,
        next: &Chunk,
        ends: [usize; 2],
        memory: &SharedResource,
    ) -> bool {
        let (len, more) = (self.len(), next.len());
        let unstepped = |chunk: &Self| chunk.used_words == 0;
        if layout.fixed() && unstepped(self) != unstepped(next) {
            return false;
        }
        let head = self.head_bytes(layout);
        let [end, next_end] = match unstepped(self) && unstepped(next) {
            true => [0; 2],
            false => [ends[0].max(head), ends[1].max(head) - head],
        };
        let (first, stepped) = (next.members.first(), next.members.stepped(0));
        let uniform = next.members.is_uniform() && self.members.stays_uniform_with(first, stepped);
        if !uniform && self.members.tell(lines(len + more), memory).is_err()
            || self.reserve_columns(layout, len + more, memory).is_err()
            || self.reserve(layout, (end + next_end).div_ceil(WORD), len + more, memory).is_err()
        {
            return false;
        }
        if end + next_end > 0 {
            self.begin_stream(layout);
        }
        let stream: &mut [u8] = cast_slice_mut(&mut self.beliefs);
        if next_end > 0 {
            let from = &cast_slice(&next.beliefs)[head..head + next_end];
            stream[end..end + next_end].copy_from_slice(from);
        }
        self.used_words = (end + next_end).div_ceil(WORD);

        let gaps = sections(layout, len).map(|(base, width)| (base + len * width, more * width));
        gaps::open(&mut self.columns, layout.column_bytes(len), gaps.into_iter());
        for ((to, width), (from, _)) in
            sections(layout, len + more).into_iter().zip(sections(layout, more))
        {
            self.columns[to + len * width..to + (len + more) * width]
                .copy_from_slice(&next.columns[from..from + more * width]);
        }
        if uniform {
            self.members.follow(more, first, stepped);
        } else {
            let ids = (0..more).map(|place| (next.members.id(place), next.members.stepped(place)));
            self.members.insert(&ids.collect::<Vec<_>>(), &vec![len as u32; more]);
        }
        true
    }

    /// Copies what is stored of the agents from `place` on into a chunk of these, with room for their
    /// columns.
    pub(crate) fn copy_tail(
        &self,
        layout: &ChunkLayout,
        place: usize,
        records: Starts<'_>,
        tail: &mut Self,
        memory: &SharedResource,
    ) -> Result<()> {
        let (len, more) = (self.len(), self.len() - place);
        for ((from, width), (to, _)) in
            sections(layout, len).into_iter().zip(sections(layout, more))
        {
            tail.columns[to..to + more * width]
                .copy_from_slice(&self.columns[from + place * width..from + len * width]);
        }
        if self.used_words > 0 {
            let stream =
                &cast_slice::<u64, u8>(&self.beliefs)[records.record(place).start..records.end];
            let head = self.head_bytes(layout);
            let words = (head + stream.len()).div_ceil(WORD);
            tail.reserve(layout, words, more, memory)?;
            tail.begin_stream(layout);
            cast_slice_mut(&mut tail.beliefs)[head..head + stream.len()].copy_from_slice(stream);
            tail.used_words = words;
        }
        Ok(())
    }

    /// Appends the bytes of the agent at `place` to `bytes`: of every column, then its record.
    pub(crate) fn read_out(
        &self,
        layout: &ChunkLayout,
        place: usize,
        records: Starts<'_>,
        born: bool,
        bytes: &mut Vec<u8>,
    ) {
        for (base, width) in sections(layout, self.len()) {
            bytes.extend_from_slice(&self.columns[base + place * width..][..width]);
        }
        if born {
            bytes.extend_from_slice(&cast_slice(&self.beliefs)[records.record(place)]);
        }
    }

    /// Closes over the records of agents that have none yet, in a stream that had a place for everyone's.
    pub(crate) fn close_unborn(&mut self, layout: &ChunkLayout) {
        let (len, bytes) = (self.len(), layout.record.most_bytes());
        let (columns, stream) = self.parts(layout);
        let unborn = (0..len).filter(|&agent| columns.action(agent) == NOT_BORN);
        let places = unborn.map(|agent| HEAD_BYTES + agent * bytes);
        let gaps = places.map(|start| start..start + bytes);
        let end = gaps::close(cast_slice_mut(stream), HEAD_BYTES + len * bytes, gaps);
        self.used_words = end.div_ceil(WORD);
    }

    /// Bytes of the head of the stream, where it has one.
    fn head_bytes(&self, layout: &ChunkLayout) -> usize {
        if layout.has_head() { HEAD_BYTES } else { 0 }
    }

    /// Gives a stream that is still empty its head; there is room for it.
    fn begin_stream(&mut self, layout: &ChunkLayout) {
        if self.used_words == 0
            && let (true, Some(head)) = (layout.has_head(), self.beliefs.first_mut())
        {
            *head = Form::default().head();
        }
    }

    /// Gives back memory that agents have left, as far as memory for the copies is to be had. The
    /// stream keeps the room that growing gives it, so that it is not cut and grown by turns.
    pub(crate) fn fit(&mut self, layout: &ChunkLayout, dated: bool, memory: &SharedResource) {
        self.members.fold(dated, memory);
        if self.members.spare_bytes() as u64 >= page_bytes() {
            self.members.fit(memory);
        }
        if self.borrows() {
            return;
        }
        let pages = |bytes: usize| (bytes as u64).div_ceil(page_bytes());
        let used = layout.column_bytes(self.len());
        if pages(used) < pages(self.columns.len())
            && let Ok(columns) = Array::copied(memory, &self.columns[..used])
        {
            self.columns = columns;
        }
        let room = self.used_words + self.used_words / 8;
        let room = room.min(layout.most_words(self.len())).max(self.used_words);
        if pages(room * WORD) < pages(self.beliefs.len() * WORD)
            && let Ok(mut beliefs) = Array::unspecified(memory, room)
        {
            beliefs[..self.used_words].copy_from_slice(&self.beliefs[..self.used_words]);
            self.beliefs = beliefs;
        }
    }

    /// Bytes that the chunk's arrays hold: what a copy of them would take.
    pub(crate) fn held_bytes(&self) -> u64 {
        let pages = |bytes: usize| (bytes as u64).next_multiple_of(page_bytes());
        pages(self.columns.len()) + pages(self.beliefs.len() * WORD) + self.line_bytes()
    }

    /// Bytes that its members' lines hold: these stay in memory wherever the agents are.
    pub(crate) fn line_bytes(&self) -> u64 {
        (self.members.held_bytes() as u64).next_multiple_of(page_bytes())
    }

    /// Makes the columns long enough for `agents` agents: whole pages, since these are taken anyway.
    fn reserve_columns(
        &mut self,
        layout: &ChunkLayout,
        agents: usize,
        memory: &SharedResource,
    ) -> Result<()> {
        let needed = layout.column_bytes(agents);
        if needed > self.columns.len() {
            let whole = needed.next_multiple_of(page_bytes() as usize);
            let mut columns = Array::zeroed(memory, whole)?;
            let used = layout.column_bytes(self.len());
            columns[..used].copy_from_slice(&self.columns[..used]);
            self.columns = columns;
        }
        Ok(())
    }

    /// Makes the stream long enough for `words` words of `agents` agents, and keeps what it holds.
    fn reserve(
        &mut self,
        layout: &ChunkLayout,
        words: usize,
        agents: usize,
        memory: &SharedResource,
    ) -> Result<()> {
        if words > self.beliefs.len() {
            let room = (words + words / 8).min(layout.most_words(agents)).max(words);
            let mut beliefs = Array::unspecified(memory, room)?;
            beliefs[..self.used_words].copy_from_slice(&self.beliefs[..self.used_words]);
            self.beliefs = beliefs;
        }
        Ok(())
    }
}

/// Where the columns of `len` agents start, and their bytes an agent.
fn sections(layout: &ChunkLayout, len: usize) -> [(usize, usize); 4] {
    let mut base = 0;
    layout.widths().map(|width| {
        base += len * width;
        (base - len * width, width)
    })
}

/// Lines of members that whole pages hold.
fn lines(agents: usize) -> usize {
    (agents * MEMBER_BYTES).next_multiple_of(page_bytes() as usize) / MEMBER_BYTES
}
