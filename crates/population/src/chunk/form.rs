//! In which form a chunk's records are stored: an agent's own or shared, and in which tier.
//!
//! ```text
//! stream   head | places of 2 bytes an agent, in whole words (where shared) | records
//! head     bit 0: shared | bit 1: inexact | bits 8 … 15: tier
//! ```
//!
//! Shared, a record stands once for all agents that have it, byte by byte: an agent's place is that of
//! the first of them. Since a tick writes every record anew, nobody ever writes into a record that
//! another has, too. Tier 0 is the one that was asked for, the others are those that beliefs may be
//! demoted to. A population of which no record is ever shared or demoted has no heads.
//!
//! Invariant: places[places[a]] = places[a] ≤ a.

use super::ChunkLayout;
use crate::record::RecordLayout;

/// Bytes of a head.
pub(crate) const HEAD_BYTES: usize = super::WORD;

/// Bytes of an agent's place.
const PLACE_BYTES: usize = size_of::<u16>();

/// The most agents of a chunk that can share.
pub(crate) const MOST_SHARING: usize = 1 << 16;

/// How the records of one chunk are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Form {
    /// Whether equal records stand once.
    pub(crate) shared: bool,
    /// Whether a belief was ever demoted: what is stored may then differ from the exact one, whatever
    /// tier it is in now.
    pub(crate) inexact: bool,
    /// 0 is the tier that was asked for, n the nth below it.
    pub(crate) tier: u8,
}

impl Form {
    pub(crate) fn head(self) -> u64 {
        u64::from(self.shared) | u64::from(self.inexact) << 1 | u64::from(self.tier) << 8
    }

    fn of_head(head: u64) -> Self {
        Self { shared: head & 1 != 0, inexact: head & 2 != 0, tier: (head >> 8) as u8 }
    }
}

impl ChunkLayout {
    /// Whether streams have heads.
    pub(crate) fn has_head(&self) -> bool {
        self.steps_alike || !self.lower.is_empty()
    }

    /// The form of a chunk with this stream.
    pub(crate) fn form(&self, stream: &[u64]) -> Form {
        match stream.first() {
            Some(&head) if self.has_head() => Form::of_head(head),
            _ => Form::default(),
        }
    }

    /// How records of a form are laid out.
    pub(crate) fn records(&self, form: Form) -> &RecordLayout {
        let below = usize::from(form.tier).checked_sub(1);
        below.and_then(|below| self.lower.get(below)).unwrap_or(&self.record)
    }

    /// The tiers, the one that was asked for first.
    pub(crate) fn tiers(&self) -> impl Iterator<Item = &RecordLayout> {
        std::iter::once(&self.record).chain(&self.lower)
    }

    /// Where the first record starts in a stream of `agents` agents, in bytes.
    pub(crate) fn records_start(&self, form: Form, agents: usize) -> usize {
        let head = if self.has_head() { HEAD_BYTES } else { 0 };
        let places = if form.shared { agents * PLACE_BYTES } else { 0 };
        head + places.next_multiple_of(super::WORD)
    }
}

/// The place of the agent whose record an agent of a shared stream has.
#[inline]
pub(crate) fn place(stream: &[u8], agent: usize) -> usize {
    let at = HEAD_BYTES + agent * PLACE_BYTES;
    u16::from_le_bytes([stream[at], stream[at + 1]]).into()
}

/// Sets it.
#[inline]
pub(crate) fn set_place(stream: &mut [u8], agent: usize, place: u32) {
    let at = HEAD_BYTES + agent * PLACE_BYTES;
    stream[at..at + PLACE_BYTES].copy_from_slice(&(place as u16).to_le_bytes());
}

/// How many records a shared stream of so many agents has.
pub(crate) fn records(stream: &[u64], agents: usize) -> u64 {
    let stream: &[u8] = bytemuck::cast_slice(stream);
    (0..agents).filter(|&agent| place(stream, agent) == agent).count() as u64
}

#[cfg(test)]
mod tests {
    use super::Form;

    #[test]
    fn a_head_says_the_form() {
        for shared in [false, true] {
            for inexact in [false, true] {
                for tier in [0, 1, 2] {
                    let form = Form { shared, inexact, tier };
                    assert_eq!(Form::of_head(form.head()), form);
                }
            }
        }
        assert_eq!(Form::default().head(), 0);
    }
}
