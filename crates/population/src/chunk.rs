//! A chunk of agents: fixed columns, and a stream of belief records.
//!
//! ```text
//! columns   lengths of variable beliefs (agent, factor) | last actions | bounds | states in the world
//! beliefs   record of agent 0 | record of agent 1 | …          (whole words; `used_words` of them)
//! ```
//!
//! An agent that has not acted has the action [`NOT_BORN`] and an empty record: its prior is D,
//! which is stored once for all. Records of fixed length are rewritten in place. Others are written
//! anew by every tick; the stream grows within the tick, by freeing before it allocates, and shrinks
//! between ticks.

use populace_agent::CompiledModel;
use populace_pool::SharedResource;
use populace_tensor::Array;

use crate::bound::{self, BOUND_BYTES};
use crate::memory::page_bytes;
use crate::record::{DENSE, Number, RecordLayout, width_for};
use crate::{Error, ErrorKind, Result};

/// The code of an agent that has not acted yet.
pub(crate) const NOT_BORN: u32 = 0;

/// Words of a stream of records.
pub(crate) const WORD: usize = size_of::<u64>();

/// How a chunk is laid out; the same for all chunks of a population.
#[derive(Debug, Clone)]
pub(crate) struct ChunkLayout {
    pub(crate) record: RecordLayout,
    /// Flat actions of every factor.
    actions: Vec<usize>,
    length_bytes: usize,
    action_bytes: usize,
    /// Of the bound on a belief's error; 0 where none is carried.
    bound_bytes: usize,
    state_bytes: usize,
}

impl ChunkLayout {
    /// Of agents of a model, with so many bytes of state in their world.
    pub(crate) fn of<T: Number>(
        record: RecordLayout,
        model: &CompiledModel<T>,
        state_bytes: usize,
    ) -> Result<Self> {
        let actions = model.num_actions();
        Self::new(record, actions, state_bytes).ok_or_else(|| {
            let message = format!("num_controls: {actions:?} make more joint actions than 2^32");
            Error::new(ErrorKind::Unsupported, message)
        })
    }

    /// `None` where joint actions do not fit 4 bytes.
    fn new(record: RecordLayout, actions: &[usize], state_bytes: usize) -> Option<Self> {
        let codes = action_codes(actions)?;
        u32::try_from(codes).ok()?;
        Some(Self {
            length_bytes: record.length_bytes(),
            action_bytes: width_for(codes),
            bound_bytes: if record.bounded { BOUND_BYTES } else { 0 },
            state_bytes,
            actions: actions.to_vec(),
            record,
        })
    }

    /// Bytes of the columns of `agents` agents.
    pub(crate) fn column_bytes(&self, agents: usize) -> usize {
        let lengths = self.record.variable() * self.length_bytes;
        agents * (lengths + self.action_bytes + self.bound_bytes + self.state_bytes)
    }

    /// The most words that the records of `agents` agents take.
    pub(crate) fn most_words(&self, agents: usize) -> usize {
        (agents * self.record.most_bytes()).div_ceil(WORD)
    }

    /// What a chunk of `agents` agents maps at most, in bytes: whole pages.
    pub(crate) fn most_bytes(&self, agents: usize) -> u64 {
        let pages = |bytes: usize| (bytes as u64).next_multiple_of(page_bytes());
        pages(self.column_bytes(agents)) + pages(self.most_words(agents) * WORD)
    }

    /// The code of an action of every factor, not [`NOT_BORN`].
    pub(crate) fn encode_action(&self, actions: &[i32]) -> u32 {
        let flat = actions
            .iter()
            .zip(&self.actions)
            .fold(0, |code, (&action, &count)| code * count as u32 + action as u32);
        flat + 1
    }

    /// The actions of a code, the last factor first.
    pub(crate) fn decode_action(&self, code: u32) -> impl Iterator<Item = u32> + '_ {
        let mut rest = code - 1;
        self.actions.iter().rev().map(move |&count| {
            let action = rest % count as u32;
            rest /= count as u32;
            action
        })
    }
}

/// How many codes joint actions have, [`NOT_BORN`] included.
pub(crate) fn action_codes(actions: &[usize]) -> Option<u64> {
    let all = |codes: u64, &actions: &usize| codes.checked_mul(actions as u64);
    actions.iter().try_fold(1, all)?.checked_add(1)
}

/// A chunk of agents.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// The id of its first agent.
    pub(crate) first: u64,
    /// How many agents it has.
    pub(crate) len: usize,
    columns: Array<u8>,
    pub(crate) beliefs: Array<u64>,
    /// Words of the stream in use.
    used_words: usize,
}

/// The columns of a chunk, to read and write.
pub(crate) struct Columns<'a> {
    lengths: Packed<'a>,
    actions: Packed<'a>,
    /// Empty where none are carried.
    bounds: Packed<'a>,
    pub(crate) states: &'a mut [u8],
}

/// Numbers of 1, 2 or 4 bytes.
pub(crate) struct Packed<'a> {
    bytes: &'a mut [u8],
    width: usize,
}

impl Packed<'_> {
    #[inline]
    pub(crate) fn get(&self, index: usize) -> u32 {
        match self.width {
            1 => self.bytes[index].into(),
            2 => u16::from_le_bytes([self.bytes[2 * index], self.bytes[2 * index + 1]]).into(),
            _ => {
                let at = 4 * index;
                let bytes = [0, 1, 2, 3].map(|i| self.bytes[at + i]);
                u32::from_le_bytes(bytes)
            }
        }
    }

    #[inline]
    pub(crate) fn set(&mut self, index: usize, value: u32) {
        let at = index * self.width;
        self.bytes[at..at + self.width].copy_from_slice(&value.to_le_bytes()[..self.width]);
    }

    /// The largest number that fits: it stands for [`DENSE`].
    fn all_ones(&self) -> u32 {
        (u64::from(u32::MAX) >> (32 - 8 * self.width)) as u32
    }
}

impl Columns<'_> {
    /// The length of a variable belief.
    #[inline]
    pub(crate) fn length(&self, index: usize) -> u32 {
        let length = self.lengths.get(index);
        if length == self.lengths.all_ones() { DENSE } else { length }
    }

    #[inline]
    pub(crate) fn set_length(&mut self, index: usize, length: u32) {
        let length = if length == DENSE { self.lengths.all_ones() } else { length };
        self.lengths.set(index, length);
    }

    #[inline]
    pub(crate) fn action(&self, agent: usize) -> u32 {
        self.actions.get(agent)
    }

    #[inline]
    pub(crate) fn set_action(&mut self, agent: usize, code: u32) {
        self.actions.set(agent, code);
    }

    /// How far an agent's belief may be from the exact one; only where that is carried.
    #[inline]
    pub(crate) fn bound(&self, agent: usize) -> f64 {
        bound::decode(self.bounds.get(agent))
    }

    #[inline]
    pub(crate) fn set_bound(&mut self, agent: usize, bound: f64) {
        self.bounds.set(agent, bound::encode(bound));
    }
}

impl Chunk {
    pub(crate) fn new(
        layout: &ChunkLayout,
        first: u64,
        len: usize,
        memory: &SharedResource,
    ) -> Result<Self> {
        Ok(Self {
            first,
            len,
            columns: Array::zeroed(memory, layout.column_bytes(len))?,
            beliefs: Array::unspecified(memory, 0)?,
            used_words: 0,
        })
    }

    /// The columns, and the stream in use.
    pub(crate) fn parts(&mut self, layout: &ChunkLayout) -> (Columns<'_>, &mut [u64]) {
        let lengths = self.len * layout.record.variable() * layout.length_bytes;
        let (lengths, rest) = self.columns.split_at_mut(lengths);
        let (actions, rest) = rest.split_at_mut(self.len * layout.action_bytes);
        let (bounds, states) = rest.split_at_mut(self.len * layout.bound_bytes);
        let columns = Columns {
            lengths: Packed { bytes: lengths, width: layout.length_bytes },
            actions: Packed { bytes: actions, width: layout.action_bytes },
            bounds: Packed { bytes: bounds, width: layout.bound_bytes },
            states,
        };
        (columns, &mut self.beliefs[..self.used_words])
    }

    /// Makes the stream `words` long, its contents unspecified: what it held is written elsewhere.
    pub(crate) fn resize(
        &mut self,
        layout: &ChunkLayout,
        words: usize,
        memory: &SharedResource,
    ) -> Result<()> {
        if words > self.beliefs.len() {
            let most = layout.most_words(self.len);
            let room = (words + words / 8).min(most).max(words);
            self.used_words = 0;
            // Freed before the larger one is taken: growth never needs both.
            self.beliefs = Array::unspecified(memory, 0)?;
            self.beliefs = Array::unspecified(memory, room)?;
        }
        self.used_words = words;
        Ok(())
    }

    /// Gives room back that the stream has not used, where that is more than half of it and memory
    /// for the smaller copy is to be had.
    pub(crate) fn shrink(&mut self, memory: &SharedResource) {
        let page_words = page_bytes() as usize / WORD;
        if self.beliefs.len() <= page_words || 2 * self.used_words >= self.beliefs.len() {
            return;
        }
        let room = self.used_words + self.used_words / 8;
        if let Ok(mut smaller) = Array::unspecified(memory, room) {
            smaller[..self.used_words].copy_from_slice(&self.beliefs[..self.used_words]);
            self.beliefs = smaller;
        }
    }
}
