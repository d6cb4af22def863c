//! Rows of some agents over some ticks, as planes of bits.
//!
//! Plane p of tick t is `agents` bits, one an agent, from bit (p · `room` + t) · `agents` on.

use crate::history::summary::NUMBERS;
use crate::history::{BeliefSummary, Past, Row, bits};

/// Planes to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planes<'a> {
    pub(super) words: &'a [u64],
    /// For how many ticks there is room.
    pub(super) room: usize,
    /// Of how many there are rows.
    pub(super) ticks: usize,
    pub(super) agents: usize,
    /// Whether each tick's bits are XOR those of the one before.
    pub(super) differences: bool,
}

/// Where rows of one tick are written: planes for `agents` agents over `room` ticks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub(super) room: usize,
    pub(super) agents: usize,
    pub(super) tick: usize,
    /// The first agent whose row is written.
    pub(super) agent: usize,
}

/// Writes rows of a tick, as many agents' as `column` has places, into planes that are zeros there;
/// `fill` gives the numbers of a column by its place in a row.
pub(super) fn put_rows(
    row: &Row,
    words: &mut [u64],
    spot: Spot,
    column: &mut [u32],
    mut fill: impl FnMut(usize, &mut [u32]),
) {
    let Spot { room, agents, tick, agent } = spot;
    let mut plane = 0;
    for (place, width) in row.widths().enumerate() {
        fill(place, column);
        let at = (plane * room + tick) * agents + agent;
        bits::put_planes(words, at, room * agents, width, column);
        plane += width;
    }
}

impl Planes<'_> {
    /// Writes the planes without the room between them, each tick's XOR the one's before.
    pub(super) fn put_differences(&self, planes: usize, to: &mut [u64]) {
        to.fill(0);
        for plane in 0..planes {
            for tick in 0..self.ticks {
                let from = (plane * self.room + tick) * self.agents;
                let at = (plane * self.ticks + tick) * self.agents;
                for start in (0..self.agents).step_by(64) {
                    let count = 64.min(self.agents - start);
                    let mut now = bits::get(self.words, from + start, count);
                    if tick > 0 {
                        now ^= bits::get(self.words, from - self.agents + start, count);
                    }
                    bits::put(to, at + start, count, now);
                }
            }
        }
    }

    /// Appends the rows of the agent at a place to its past: those of `ticks`, counted from the first
    /// tick here, which is tick `first` of the run.
    pub(super) fn append(
        &self,
        row: &Row,
        agent: usize,
        ticks: std::ops::Range<usize>,
        first: u64,
        past: &mut Past,
    ) {
        let (modalities, _) = row.shape();
        let mut summary = [0; NUMBERS];
        let start = if self.differences { 0 } else { ticks.start };
        let mut numbers = vec![0; row.widths().count()];
        for tick in start..ticks.end.min(self.ticks) {
            let mut plane = 0;
            for (number, width) in numbers.iter_mut().zip(row.widths()) {
                let mut bits = 0;
                for p in 0..width {
                    let at = ((plane + p) * self.room + tick) * self.agents + agent;
                    bits |= (bits::get(self.words, at, 1) as u32) << p;
                }
                *number = if self.differences { *number ^ bits } else { bits };
                plane += width;
            }
            if tick < ticks.start || !row.push_actions(numbers[modalities], &mut past.actions) {
                continue;
            }
            past.ticks.push(first + tick as u64);
            let outcomes = numbers[..modalities].iter();
            past.observations.extend(outcomes.map(|&number| number.wrapping_sub(1) as i32));
            let summaries = numbers[modalities + 1..].chunks_exact(NUMBERS);
            for (&states, numbers) in row.states().iter().zip(summaries) {
                summary.copy_from_slice(numbers);
                past.beliefs.push(BeliefSummary::from_numbers(states, summary));
            }
        }
    }
}
