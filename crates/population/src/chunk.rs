//! A chunk of agents: who they are, fixed columns, and a stream of belief records.
//!
//! ```text
//! members   ids, and when last stepped                        (nothing, as long as two numbers say it)
//! columns   lengths of variable beliefs (agent, factor) | last actions | bounds | states in the world
//! beliefs   record of agent 0 | record of agent 1 | …          (whole words; `used_words` of them)
//! ```
//!
//! Where records may be shared or demoted, the stream begins with its [`form`].
//!
//! An agent that has not acted has the action [`NOT_BORN`] and an empty record: its prior is D,
//! which is stored once for all. Records of fixed length are rewritten in place. Others are written
//! anew by every tick; the stream grows within the tick, by freeing before it allocates, and shrinks
//! between ticks. Agents come and go between ticks too ([`change`]).

mod change;
pub(crate) mod form;
mod spare;

pub(crate) use change::{AtRest, Starts};
use spare::Borrowed;
pub(crate) use spare::Spare;

use populace_agent::CompiledModel;
use populace_pool::SharedResource;
use populace_tensor::Array;

use crate::bound::{self, BOUND_BYTES};
use crate::error::Holders;
use crate::members::{MEMBER_BYTES, Members};
use crate::memory::page_bytes;
use crate::record::{DENSE, Number, RecordLayout, width_for};
use crate::{Error, ErrorKind, Result};
use form::{Form, HEAD_BYTES};

/// The code of an agent that has not acted yet.
pub(crate) const NOT_BORN: u32 = 0;

/// Words of a stream of records.
pub(crate) const WORD: usize = size_of::<u64>();

/// The least stream that is taken: less is of the pool's size class, of which a thread makes a store on
/// the heap when it first asks for one, in whatever tick that is. A page is mapped anyway.
const LEAST_WORDS: usize = 16;

/// How a chunk is laid out; the same for all chunks of a population.
#[derive(Debug, Clone)]
pub(crate) struct ChunkLayout {
    /// In the tier that was asked for.
    pub(crate) record: RecordLayout,
    /// Records in the tiers below it that beliefs may be demoted to, one after another.
    lower: Vec<RecordLayout>,
    /// Whether agents in the same position may be stepped once, and their records stand once.
    pub(crate) steps_alike: bool,
    /// Flat actions of every factor.
    actions: Vec<usize>,
    length_bytes: usize,
    action_bytes: usize,
    /// Of the bound on a belief's error; 0 where none is carried.
    bound_bytes: usize,
    state_bytes: usize,
    /// Bytes that an agent's line among the members may take: 0 where nobody ever leaves.
    member_bytes: usize,
}

impl ChunkLayout {
    /// Of agents of a model, with so many bytes of state in their world, who may come and go or not.
    pub(crate) fn of<T: Number>(
        record: RecordLayout,
        model: &CompiledModel<T>,
        state_bytes: usize,
        changes: bool,
    ) -> Result<Self> {
        let actions = model.num_actions();
        // Who comes and goes takes a record along, and it does not say in which tier it is.
        let lower = if changes { Vec::new() } else { record.lower::<T>() };
        let steps_alike = !model.steps_sparse() && record.experience.is_empty();
        let layout = Self::new(record, actions, state_bytes, changes).ok_or_else(|| {
            let what = format!("num_controls: {actions:?} make more joint actions than 2^32");
            Error::new(ErrorKind::Unsupported, what)
        })?;
        Ok(Self { lower, steps_alike, ..layout })
    }

    /// How far the belief of an agent in a chunk of this form may be from the exact one: 0 where nothing
    /// is lost, 1 where nothing is known.
    pub(crate) fn bound(&self, columns: &Columns<'_>, form: Form, agent: usize) -> f64 {
        if !form.inexact && !self.record.is_lossy() {
            return 0.0;
        }
        match self.record.bounded {
            true => columns.bound(agent),
            false if columns.action(agent) != NOT_BORN => 1.0,
            false => 0.0,
        }
    }

    /// Whether every record has the same length and its own place in the stream.
    pub(crate) fn fixed(&self) -> bool {
        self.record.fixed() && !self.has_head()
    }

    /// The layout of a population whose agents may come and go (`changes`), or not. `None` where
    /// joint actions do not fit 4 bytes.
    pub(crate) fn new(
        record: RecordLayout,
        actions: &[usize],
        state_bytes: usize,
        changes: bool,
    ) -> Option<Self> {
        let codes = action_codes(actions)?;
        u32::try_from(codes).ok()?;
        Some(Self {
            length_bytes: record.length_bytes(),
            action_bytes: width_for(codes),
            bound_bytes: if record.bounded { BOUND_BYTES } else { 0 },
            state_bytes,
            member_bytes: if changes { MEMBER_BYTES } else { 0 },
            actions: actions.to_vec(),
            lower: Vec::new(),
            steps_alike: false,
            record,
        })
    }

    /// Bytes of an agent in every column, in the columns' order.
    pub(crate) fn widths(&self) -> [usize; 4] {
        let lengths = self.record.variable() * self.length_bytes;
        [lengths, self.action_bytes, self.bound_bytes, self.state_bytes]
    }

    /// Bytes of the columns of `agents` agents.
    pub(crate) fn column_bytes(&self, agents: usize) -> usize {
        agents * self.widths().iter().sum::<usize>()
    }

    /// The most words that the records of `agents` agents take.
    pub(crate) fn most_words(&self, agents: usize) -> usize {
        self.most_words_of(&self.record, agents)
    }

    fn most_words_of(&self, record: &RecordLayout, agents: usize) -> usize {
        let head = if self.has_head() { HEAD_BYTES } else { 0 };
        (head + agents * record.most_bytes()).div_ceil(WORD)
    }

    /// What a chunk of `agents` agents maps at most, in bytes: whole pages. Where beliefs may be demoted,
    /// that is what it can be brought down to.
    pub(crate) fn most_bytes(&self, agents: usize) -> u64 {
        let lowest = self.lower.last().unwrap_or(&self.record);
        self.mapped_bytes(agents, self.most_words_of(lowest, agents))
    }

    /// What a chunk of `agents` agents with so many words of stream maps, in bytes: whole pages.
    pub(crate) fn mapped_bytes(&self, agents: usize, words: usize) -> u64 {
        let pages = |bytes: usize| (bytes as u64).next_multiple_of(page_bytes());
        pages(self.column_bytes(agents)) + pages(words * WORD) + pages(agents * self.member_bytes)
    }

    /// Whether agents may come and go.
    pub(crate) fn changes(&self) -> bool {
        self.member_bytes > 0
    }

    /// The most bytes of the members' lines of `agents` agents.
    pub(crate) fn most_line_bytes(&self, agents: usize) -> usize {
        agents * self.member_bytes
    }

    /// What one agent more takes at most, in bytes.
    pub(crate) fn most_agent_bytes(&self) -> u64 {
        let lowest = self.lower.last().unwrap_or(&self.record);
        (self.column_bytes(1) + lowest.most_bytes() + self.member_bytes) as u64
    }

    /// What takes it.
    pub(crate) fn agent_holders(&self) -> Holders {
        let lowest = self.lower.last().unwrap_or(&self.record);
        let beliefs = lowest.factors.iter().enumerate();
        let beliefs = beliefs.map(|(f, it)| (format!("belief of factor {f}"), it.most_bytes()));
        let experience = ("experience".to_owned(), lowest.experience.most_bytes());
        let names = ["lengths", "last action", "error bound", "state in the world"];
        let columns = names.map(str::to_owned).into_iter().zip(self.widths());
        let id = ("id".to_owned(), self.member_bytes);
        let all = beliefs.chain([experience]).chain(columns).chain([id]);
        Holders::new(all.map(|(name, bytes)| (name, bytes as u64)))
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
    pub(crate) members: Members,
    /// How many agents stand in the chunks before.
    pub(crate) row: usize,
    /// It may be longer than the columns are.
    columns: Array<u8>,
    pub(crate) beliefs: Array<u64>,
    /// Words of the stream in use.
    used_words: usize,
    /// Whether its memory, or a part of it, is a [`Spare`].
    borrows: Borrowed,
    /// Whether it has been through the tick that is being run.
    pub(crate) ahead: bool,
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
    /// How many agents there are.
    pub(crate) fn len(&self) -> usize {
        self.actions.bytes.len() / self.actions.width
    }

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
    /// A chunk of agents that nobody has stepped; what they are in the world is left to be set.
    pub(crate) fn new(
        layout: &ChunkLayout,
        members: Members,
        memory: &SharedResource,
    ) -> Result<Self> {
        let columns = Array::zeroed(memory, layout.column_bytes(members.len()))?;
        Ok(Self { columns, ..Self::away(members) })
    }

    /// A chunk that is still to be filled, its stream `words` long.
    pub(crate) fn unfilled(
        layout: &ChunkLayout,
        members: Members,
        words: usize,
        memory: &SharedResource,
    ) -> Result<Self> {
        let columns = Array::unspecified(memory, layout.column_bytes(members.len()))?;
        let beliefs = Array::unspecified(memory, words)?;
        Ok(Self { columns, beliefs, used_words: words, ..Self::away(members) })
    }

    /// All that a chunk is, besides its members: its columns, and the stream in use.
    pub(crate) fn contents(&self, layout: &ChunkLayout) -> (&[u8], &[u64]) {
        (&self.columns[..layout.column_bytes(self.len())], &self.beliefs[..self.used_words])
    }

    /// As [`Chunk::contents`], to be filled.
    pub(crate) fn contents_mut(&mut self, layout: &ChunkLayout) -> (&mut [u8], &mut [u64]) {
        let columns = layout.column_bytes(self.len());
        (&mut self.columns[..columns], &mut self.beliefs[..self.used_words])
    }

    /// How many agents it has.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// In which form its records are.
    pub(crate) fn form(&self, layout: &ChunkLayout) -> Form {
        layout.form(&self.beliefs[..self.used_words])
    }

    /// The columns, and the stream in use.
    pub(crate) fn parts(&mut self, layout: &ChunkLayout) -> (Columns<'_>, &mut [u64]) {
        let (_, columns, stream) = self.split(layout);
        (columns, stream)
    }

    /// The members, the columns, and the stream in use.
    pub(crate) fn split(&mut self, layout: &ChunkLayout) -> (&Members, Columns<'_>, &mut [u64]) {
        let len = self.members.len();
        let [lengths, actions, bounds, _] = layout.widths();
        let columns = &mut self.columns[..layout.column_bytes(len)];
        let (lengths, rest) = columns.split_at_mut(len * lengths);
        let (actions, rest) = rest.split_at_mut(len * actions);
        let (bounds, states) = rest.split_at_mut(len * bounds);
        let columns = Columns {
            lengths: Packed { bytes: lengths, width: layout.length_bytes },
            actions: Packed { bytes: actions, width: layout.action_bytes },
            bounds: Packed { bytes: bounds, width: layout.bound_bytes },
            states,
        };
        (&self.members, columns, &mut self.beliefs[..self.used_words])
    }

    /// Makes the stream `words` long, its contents unspecified: what it held is written elsewhere. It
    /// takes room to grow up to `most` words. Where memory is refused, the stream of `spare` is borrowed.
    pub(crate) fn resize(
        &mut self,
        words: usize,
        most: usize,
        memory: &SharedResource,
        spare: Option<&mut Spare>,
    ) -> Result<()> {
        if words > self.beliefs.len() {
            let room = (words + words / 8).min(most).max(words).max(LEAST_WORDS);
            self.used_words = 0;
            // Freed before the larger one is taken: growth never needs both.
            self.beliefs = Array::unspecified(memory, 0)?;
            match (Array::unspecified(memory, room), spare) {
                (Ok(beliefs), _) => self.beliefs = beliefs,
                (Err(_), Some(spare)) if words <= spare.stream.len() => {
                    std::mem::swap(&mut self.beliefs, &mut spare.stream);
                    self.borrows.stream = true;
                }
                (Err(error), _) => return Err(error.into()),
            }
        }
        self.used_words = words;
        Ok(())
    }

    /// Makes the stream `words` long, which is no less than it was; its contents are unspecified, but where
    /// memory is refused nothing has changed. What was `admitted` is there once the shorter one is given
    /// back.
    pub(crate) fn lengthen(
        &mut self,
        words: usize,
        memory: &SharedResource,
        admitted: bool,
    ) -> Result<()> {
        if words > self.beliefs.len() {
            match Array::unspecified(memory, words) {
                Ok(beliefs) => self.beliefs = beliefs,
                Err(_) if admitted => self.resize(words, words, memory, None)?,
                Err(error) => return Err(error.into()),
            }
        }
        self.used_words = words;
        Ok(())
    }

    /// Gives room back that the stream has not used, where that is more than half of it and memory
    /// for the smaller copy is to be had.
    pub(crate) fn shrink(&mut self, memory: &SharedResource) {
        let page_words = page_bytes() as usize / WORD;
        if self.borrows() {
            return;
        }
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
