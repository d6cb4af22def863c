//! Who is in a chunk, and when each was last stepped.
//!
//! Agents stand in the order of their ids. While these follow each other and all agents were stepped
//! at the same ticks, as in a population that nobody has left, two numbers say it all and no agent
//! pays a byte. Else each agent has a line of its own, [`MEMBER_BYTES`] long:
//!
//! ```text
//! uniform   id(place) = first + place,   stepped(place) = stepped
//! each      id(place) = each[2·place],   stepped(place) = each[2·place + 1]
//! ```

use std::ops::Range;

use populace_pool::SharedResource;
use populace_tensor::Array;

use crate::Result;
use crate::gaps;

/// Bytes of an agent's line, where each has one.
pub(crate) const MEMBER_BYTES: usize = 2 * size_of::<u64>();

/// The agents of a chunk.
#[derive(Debug)]
pub(crate) struct Members {
    first: u64,
    len: usize,
    /// How many ticks had been run when all were last stepped (or born), where that is the same.
    stepped: u64,
    /// Id and ticks, agent by agent; empty where members are uniform. It may be longer than needed.
    each: Array<u64>,
}

impl Members {
    /// The agents `first..first + len`, born or last stepped when `stepped` ticks had been run.
    pub(crate) fn new(
        first: u64,
        len: usize,
        stepped: u64,
        memory: &SharedResource,
    ) -> Result<Self> {
        Ok(Self { first, len, stepped, each: Array::unspecified(memory, 0)? })
    }

    /// Agents of these lines, each with exactly one; `None` where their ids do not ascend.
    pub(crate) fn from_lines(each: Array<u64>) -> Option<Self> {
        let ids = || each.iter().step_by(2);
        let ascends = ids().zip(ids().skip(1)).all(|(one, next)| one < next);
        let (&[first, stepped, ..], true) = (&each[..], ascends) else { return None };
        Some(Self { first, len: each.len() / 2, stepped, each })
    }

    /// The lines, where agents have any: id and ticks, agent by agent.
    pub(crate) fn lines(&self) -> &[u64] {
        if self.is_uniform() { &[] } else { &self.each[..2 * self.len] }
    }

    /// The largest id.
    pub(crate) fn last(&self) -> u64 {
        self.id(self.len.saturating_sub(1))
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The least id.
    pub(crate) fn first(&self) -> u64 {
        if self.each.is_empty() { self.first } else { self.each[0] }
    }

    /// Whether nobody has a line of its own.
    pub(crate) fn is_uniform(&self) -> bool {
        self.each.is_empty()
    }

    #[inline]
    pub(crate) fn id(&self, place: usize) -> u64 {
        if self.each.is_empty() { self.first + place as u64 } else { self.each[2 * place] }
    }

    /// How many ticks had been run when an agent was last stepped.
    #[inline]
    pub(crate) fn stepped(&self, place: usize) -> u64 {
        if self.each.is_empty() { self.stepped } else { self.each[2 * place + 1] }
    }

    /// Where the agent stands, or would stand.
    pub(crate) fn find(&self, id: u64) -> std::result::Result<usize, usize> {
        if self.is_uniform() {
            let Some(place) = id.checked_sub(self.first) else { return Err(0) };
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            return if place < self.len { Ok(place) } else { Err(self.len) };
        }
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.id(middle) < id { low = middle + 1 } else { high = middle }
        }
        if low < self.len && self.id(low) == id { Ok(low) } else { Err(low) }
    }

    /// Places whose ids follow each other, and the first id of each.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (Range<usize>, u64)> + '_ {
        let mut start = 0;
        std::iter::from_fn(move || {
            if start >= self.len {
                return None;
            }
            let from = start;
            start = self.run_end(from, self.len);
            Some((from..start, self.id(from)))
        })
    }

    /// Where the run of following ids that starts at `from` ends, `end` at the latest.
    fn run_end(&self, from: usize, end: usize) -> usize {
        if self.is_uniform() {
            return end;
        }
        let follows = |&place: &usize| self.id(place) == self.id(place - 1) + 1;
        (from + 1..end).take_while(follows).last().unwrap_or(from) + 1
    }

    /// Notes that all were stepped, after which `ticks` ticks have been run.
    pub(crate) fn step_all(&mut self, ticks: u64) {
        self.stepped = ticks;
        let stepped = self.each.iter_mut().skip(1).step_by(2);
        stepped.for_each(|stepped| *stepped = ticks);
    }

    /// Notes that some were stepped.
    pub(crate) fn step(
        &mut self,
        places: impl IntoIterator<Item = usize>,
        ticks: u64,
        memory: &SharedResource,
    ) -> Result<()> {
        self.tell(self.len, memory)?;
        for place in places {
            self.each[2 * place + 1] = ticks;
        }
        Ok(())
    }

    /// Gives everyone a line of its own, with room for `room` of them.
    pub(crate) fn tell(&mut self, room: usize, memory: &SharedResource) -> Result<()> {
        if self.each.len() >= 2 * room && !self.is_uniform() {
            return Ok(());
        }
        let mut each = Array::unspecified(memory, 2 * room.max(self.len))?;
        for place in 0..self.len {
            each[2 * place] = self.id(place);
            each[2 * place + 1] = self.stepped(place);
        }
        self.each = each;
        Ok(())
    }

    /// Whether no line of its own is needed once the agents at `places` (ascending) are gone.
    pub(crate) fn stays_uniform_without(&self, places: &[u32]) -> bool {
        let Some((&first, &last)) = places.first().zip(places.last()) else { return true };
        let together = (last - first) as usize + 1 == places.len();
        self.is_uniform() && together && (first == 0 || last as usize + 1 == self.len)
    }

    /// Takes out the agents at `places`, ascending. Everyone has a line of its own, or none is needed.
    pub(crate) fn remove(&mut self, places: &[u32]) {
        if self.is_uniform() {
            self.first += if places.first() == Some(&0) { places.len() as u64 } else { 0 };
        } else {
            let lines = places.iter().map(|&place| {
                let start = place as usize * MEMBER_BYTES;
                start..start + MEMBER_BYTES
            });
            gaps::close(bytemuck::cast_slice_mut(&mut self.each), self.len * MEMBER_BYTES, lines);
        }
        self.len -= places.len();
    }

    /// Whether `new` agents with ids from `first` on, last stepped at `stepped`, can follow without
    /// lines of their own.
    pub(crate) fn stays_uniform_with(&self, first: u64, stepped: u64) -> bool {
        self.is_uniform()
            && (self.len == 0 || (self.first + self.len as u64 == first && self.stepped == stepped))
    }

    /// Puts agents `(id, stepped)` to where `at` says, each before the one who stood there; ascending.
    /// There is room, and everyone has a line of its own.
    pub(crate) fn insert(&mut self, new: &[(u64, u64)], at: &[u32]) {
        let lines = at.iter().map(|&at| (at as usize * MEMBER_BYTES, MEMBER_BYTES));
        let bytes = bytemuck::cast_slice_mut(&mut self.each);
        gaps::open(bytes, self.len * MEMBER_BYTES, lines);
        for (k, (&(id, stepped), &at)) in new.iter().zip(at).enumerate() {
            let place = at as usize + k;
            self.each[2 * place] = id;
            self.each[2 * place + 1] = stepped;
        }
        self.len += new.len();
    }

    /// Lets `new` more agents follow, where nobody needs a line of its own.
    pub(crate) fn follow(&mut self, new: usize, first: u64, stepped: u64) {
        if self.len == 0 {
            (self.first, self.stepped) = (first, stepped);
        }
        self.len += new;
    }

    /// Gives the lines back where nobody needs one any more. With `dated`, when agents were last
    /// stepped matters.
    pub(crate) fn fold(&mut self, dated: bool, memory: &SharedResource) {
        if self.is_uniform() || self.run_end(0, self.len) < self.len {
            return;
        }
        let same = |place: usize| self.stepped(place) == self.stepped(0);
        if dated && !(1..self.len).all(same) {
            return;
        }
        (self.first, self.stepped) = (self.id(0), self.stepped(0));
        if let Ok(nothing) = Array::unspecified(memory, 0) {
            self.each = nothing;
        }
    }

    /// The agents from `place` on.
    pub(crate) fn tail(&self, place: usize, memory: &SharedResource) -> Result<Self> {
        let mut tail = Self::new(self.id(place), self.len - place, self.stepped(place), memory)?;
        if !self.is_uniform() {
            tail.each = Array::copied(memory, &self.each[2 * place..2 * self.len])?;
        }
        Ok(tail)
    }

    /// Bytes of all lines.
    pub(crate) fn held_bytes(&self) -> usize {
        self.each.len() * size_of::<u64>()
    }

    /// Bytes of lines beyond those in use.
    pub(crate) fn spare_bytes(&self) -> usize {
        if self.is_uniform() { 0 } else { (self.each.len() - 2 * self.len) * size_of::<u64>() }
    }

    /// Gives spare lines back, where memory for the shorter list is to be had.
    pub(crate) fn fit(&mut self, memory: &SharedResource) {
        if let Ok(each) = Array::copied(memory, &self.each[..2 * self.len]) {
            self.each = each;
        }
    }
}
