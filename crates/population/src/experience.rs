//! What an agent has been through: the part of its record that follows its beliefs.
//!
//! ```text
//! ages      how many past observations and actions there are (where states are inferred from a window)
//! mask      which arrays were updated, and which blocks of counts are the agent's own (its bits are
//!           the compiled model's)
//! followed  what policy the agent is in the midst of, in the fewest bytes (where it plans every k steps)
//! prior     that windows start from, of all factors (where it is their own)
//! past      observations, oldest first, then actions: each in the fewest bytes that hold it
//! counts    the blocks that are its own, one after another
//! ```
//!
//! Counts are copied on write: a block that an agent never learnt from is not there, and read from the
//! counts that all share. So the part is as long as it says itself; a model that infers states from
//! the present alone and learns nothing has none of it. Parts are padded to whole numbers.

use std::ops::Range;

use populace_agent::{CompiledModel, Window};

use crate::record::{Number, width_for};

/// How experience is laid out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Experience {
    window: Window,
    /// Bytes of one observation, of an outcome in it (0: soft), and of an action.
    observation_bytes: usize,
    outcome_bytes: usize,
    action_bytes: usize,
    /// Of the ages; 0 without a window.
    ages_bytes: usize,
    mask_bytes: usize,
    prior_bytes: usize,
    followed_bytes: usize,
    number_bytes: usize,
    block_bytes: Vec<usize>,
}

/// How much of its past an agent has kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Past {
    pub(crate) observations: usize,
    pub(crate) actions: usize,
}

/// One of the two [`Past`] numbers.
const AGE_BYTES: usize = 4;

impl Experience {
    /// Of agents that keep `window`, observe distributions (`soft`), and take joint actions of which
    /// there are `codes`.
    pub(crate) fn new<T: Number>(
        model: &CompiledModel<T>,
        window: Window,
        soft: bool,
        codes: u64,
    ) -> Self {
        let (_, blocks) = model.shared_counts();
        let outcomes = model.num_obs();
        let most = outcomes.iter().copied().max().unwrap_or(0) as u64;
        let outcome_bytes = if soft { 0 } else { width_for(most + 1) };
        let soft_bytes = outcomes.iter().sum::<usize>() * size_of::<T>();
        Self {
            window,
            observation_bytes: if soft { soft_bytes } else { outcomes.len() * outcome_bytes },
            outcome_bytes,
            action_bytes: width_for(codes),
            ages_bytes: if model.infers_windows() { 2 * AGE_BYTES } else { 0 },
            mask_bytes: model.mask_bytes(),
            prior_bytes: if model.keeps_prior() { size_of::<T>() * model.belief_len() } else { 0 },
            followed_bytes: match model.follow_codes() {
                1 => 0,
                codes => width_for(codes),
            },
            number_bytes: size_of::<T>(),
            block_bytes: blocks.iter().map(|block| block.len() * size_of::<T>()).collect(),
        }
    }

    /// Whether agents have none.
    pub(crate) fn is_empty(&self) -> bool {
        self.ages_bytes + self.mask_bytes + self.followed_bytes == 0
    }

    fn header_bytes(&self) -> usize {
        let bytes = self.ages_bytes + self.mask_bytes + self.followed_bytes;
        bytes.next_multiple_of(self.number_bytes)
    }

    /// Where the prior is.
    fn prior_range(&self) -> Range<usize> {
        let start = self.header_bytes();
        start..start + self.prior_bytes
    }

    /// Where the past starts.
    fn past_start(&self) -> usize {
        self.prior_range().end
    }

    fn past_bytes(&self, past: Past) -> usize {
        let bytes = past.observations * self.observation_bytes + past.actions * self.action_bytes;
        bytes.next_multiple_of(self.number_bytes)
    }

    /// The most bytes that it takes.
    pub(crate) fn most_bytes(&self) -> usize {
        let Window { observations, actions, .. } = self.window;
        let past = self.past_bytes(Past { observations, actions });
        self.past_start() + past + self.block_bytes.iter().sum::<usize>()
    }

    /// The bytes of the experience that starts with `part`.
    pub(crate) fn bytes<T: Number>(&self, part: &[u8]) -> usize {
        if self.is_empty() {
            return 0;
        }
        let mask = self.mask(part);
        let own = self.block_bytes.iter().enumerate();
        let own = own.filter(|&(block, _)| CompiledModel::<T>::owns(mask, block));
        self.counts_start(part) + own.map(|(_, &bytes)| bytes).sum::<usize>()
    }

    /// How much of its past an agent has kept.
    pub(crate) fn past(&self, part: &[u8]) -> Past {
        if self.ages_bytes == 0 {
            return Past::default();
        }
        let age = |at: usize| {
            u32::from_le_bytes([part[at], part[at + 1], part[at + 2], part[at + 3]]) as usize
        };
        Past { observations: age(0), actions: age(AGE_BYTES) }
    }

    /// The mask of the experience that starts with `part`.
    pub(crate) fn mask<'a>(&self, part: &'a [u8]) -> &'a [u8] {
        &part[self.ages_bytes..self.ages_bytes + self.mask_bytes]
    }

    /// The prior that windows start from; nothing, where they have none of their own.
    pub(crate) fn prior<'a>(&self, part: &'a [u8]) -> &'a [u8] {
        &part[self.prior_range()]
    }

    /// The prior that windows start from, to set it.
    pub(crate) fn prior_mut<'a>(&self, part: &'a mut [u8]) -> &'a mut [u8] {
        &mut part[self.prior_range()]
    }

    /// What the agent of the experience that starts with `part` follows.
    pub(crate) fn followed(&self, part: &[u8]) -> u32 {
        let first = self.ages_bytes + self.mask_bytes;
        number(&part[first..first + self.followed_bytes])
    }

    /// A past observation, 0 the oldest.
    pub(crate) fn observation<'a>(&self, part: &'a [u8], place: usize) -> &'a [u8] {
        &part[self.past_start() + place * self.observation_bytes..][..self.observation_bytes]
    }

    /// The outcomes of an observation that is not soft.
    pub(crate) fn outcomes<'a>(&self, observation: &'a [u8]) -> impl Iterator<Item = i32> + 'a {
        observation.chunks_exact(self.outcome_bytes.max(1)).map(|code| number(code) as i32 - 1)
    }

    /// The code of a past action, 0 the oldest.
    pub(crate) fn action(&self, part: &[u8], place: usize) -> u32 {
        let first = self.past_start() + self.past(part).observations * self.observation_bytes;
        number(&part[first + place * self.action_bytes..][..self.action_bytes])
    }

    /// Where the counts start.
    pub(crate) fn counts_start(&self, part: &[u8]) -> usize {
        self.past_start() + self.past_bytes(self.past(part))
    }

    /// Writes ages, mask and what is followed.
    pub(crate) fn write_header(&self, past: Past, mask: &[u8], followed: u32, part: &mut [u8]) {
        if self.ages_bytes > 0 {
            part[..AGE_BYTES].copy_from_slice(&(past.observations as u32).to_le_bytes());
            part[AGE_BYTES..2 * AGE_BYTES].copy_from_slice(&(past.actions as u32).to_le_bytes());
        }
        let masked = self.ages_bytes + self.mask_bytes;
        part[self.ages_bytes..masked].copy_from_slice(mask);
        let end = masked + self.followed_bytes;
        part[masked..end].copy_from_slice(&followed.to_le_bytes()[..self.followed_bytes]);
        part[end..self.header_bytes()].fill(0);
    }

    /// Writes what is kept once `observation` was made, which the action `taken` led to, into `part`;
    /// `old` is what was kept before. Answers how much that is.
    pub(crate) fn write_past(
        &self,
        old: Option<&[u8]>,
        taken: Option<u32>,
        observation: &[u8],
        part: &mut [u8],
    ) -> Past {
        let before = old.map_or(Past::default(), |old| self.past(old));
        // An action leads from an observation that is kept, but for the run's first ones.
        let counts = before.observations > 0 || self.window.first_actions;
        let known = before.actions + usize::from(taken.is_some() && counts);
        let past = Past {
            observations: (before.observations + 1).min(self.window.observations),
            actions: known.min(self.window.actions),
        };
        let mut at = self.past_start();
        let first = before.observations + 1 - past.observations;
        for place in first..=before.observations {
            let from = match old {
                Some(old) if place < before.observations => self.observation(old, place),
                _ => observation,
            };
            part[at..at + from.len()].copy_from_slice(from);
            at += from.len();
        }
        let dropped = if self.window.first_actions { 0 } else { known - past.actions };
        for place in dropped..dropped + past.actions {
            let code = match old {
                Some(old) if place < before.actions => self.action(old, place),
                _ => taken.unwrap_or(0),
            };
            part[at..at + self.action_bytes]
                .copy_from_slice(&code.to_le_bytes()[..self.action_bytes]);
            at += self.action_bytes;
        }
        part[at..self.past_start() + self.past_bytes(past)].fill(0);
        past
    }

    /// Writes the outcomes of an observation into its bytes.
    pub(crate) fn pack_outcomes(&self, outcomes: &[i32], observation: &mut [u8]) {
        for (&outcome, code) in
            outcomes.iter().zip(observation.chunks_exact_mut(self.outcome_bytes.max(1)))
        {
            let len = code.len();
            code.copy_from_slice(&((outcome + 1) as u32).to_le_bytes()[..len]);
        }
    }

    /// Whether policies are followed for more than a step.
    pub(crate) fn follows(&self) -> bool {
        self.followed_bytes > 0
    }

    /// What is kept at most.
    pub(crate) fn window(&self) -> Window {
        self.window
    }

    /// Bytes of an observation; 0 where none is kept.
    pub(crate) fn observation_bytes(&self) -> usize {
        if self.ages_bytes == 0 { 0 } else { self.observation_bytes }
    }
}

/// A number of 1, 2 or 4 bytes.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte))
}
