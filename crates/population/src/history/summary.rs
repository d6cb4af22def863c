//! What a belief comes to: its most probable state, that state's probability, and its entropy.

use populace_agent::Scratch;
use populace_tensor::lanes::Lane;

use crate::record::Number;

/// What an agent believed of one factor, in short.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BeliefSummary {
    /// The most probable state; the first of them where there are several.
    pub state: u32,
    /// Its probability, to within 2⁻¹⁷.
    pub probability: f32,
    /// The belief's entropy in nats, to within 2⁻¹⁷ of its largest, ln S.
    pub entropy: f32,
}

/// How many numbers a summary is.
pub(super) const NUMBERS: usize = 3;

/// Bits of a share between 0 and 1.
pub(super) const SHARE_BITS: u8 = 16;

const WHOLE: f64 = u16::MAX as f64;

fn share(part: f64) -> u32 {
    (part.clamp(0.0, 1.0) * WHOLE).round() as u32
}

impl BeliefSummary {
    /// The summary of a belief of `states` states, as numbers; what is left out of `belief` is
    /// impossible.
    pub(super) fn numbers(
        states: usize,
        belief: impl IntoIterator<Item = (u32, f64)>,
    ) -> [u32; NUMBERS] {
        let (mut best, mut most, mut entropy) = (0, -1.0, 0.0);
        for (state, q) in belief {
            if q > most {
                (best, most) = (state, q);
            }
            if q > 0.0 {
                entropy -= q * q.ln();
            }
        }
        let largest = (states as f64).ln();
        [best, share(most), share(if largest > 0.0 { entropy / largest } else { 0.0 })]
    }

    pub(super) fn from_numbers(
        states: usize,
        [state, probability, entropy]: [u32; NUMBERS],
    ) -> Self {
        let part = |number: u32| f64::from(number) / WHOLE;
        Self {
            state,
            probability: part(probability) as f32,
            entropy: (part(entropy) * (states as f64).ln()) as f32,
        }
    }
}

/// Notes the beliefs of a block of agents as numbers, (agents, factors, [`NUMBERS`]).
pub(super) fn note<T: Number>(
    scratch: &mut Scratch<T>,
    states: &[usize],
    agents: &[u32],
    sparse: bool,
    notes: &mut [u32],
) {
    let width = NUMBERS * states.len();
    for (lane, &agent) in agents.iter().enumerate() {
        let notes = &mut notes[agent as usize * width..][..width];
        for (factor, (&states, notes)) in
            states.iter().zip(notes.chunks_exact_mut(NUMBERS)).enumerate()
        {
            let numbers = match scratch.sparse().filter(|_| sparse) {
                Some(scratch) => {
                    let (support, values) = scratch.belief(lane);
                    let pairs = support.iter().zip(values).map(|(&s, &q)| (s, q.to_f64()));
                    BeliefSummary::numbers(states, pairs)
                }
                None => {
                    let rows: &[Lane<T>] = &scratch.beliefs()[scratch.rows_of(factor)];
                    let q = rows.iter().map(|row| row[lane].to_f64());
                    BeliefSummary::numbers(states, (0..).zip(q))
                }
            };
            notes.copy_from_slice(&numbers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(states: usize, belief: &[(u32, f64)]) -> BeliefSummary {
        let numbers = BeliefSummary::numbers(states, belief.iter().copied());
        BeliefSummary::from_numbers(states, numbers)
    }

    #[test]
    fn a_belief_is_known_by_its_mode_and_its_entropy() {
        let certain = summary(400, &[(7, 1.0)]);
        assert_eq!(certain, BeliefSummary { state: 7, probability: 1.0, entropy: 0.0 });
        let even = summary(4, &[(0, 0.25), (1, 0.25), (2, 0.25), (3, 0.25)]);
        assert_eq!((even.state, even.entropy), (0, 4_f32.ln()));
        assert!((even.probability - 0.25).abs() <= 1.0 / 131_072.0);
        let odd = summary(3, &[(0, 0.1), (2, 0.9)]);
        assert_eq!(odd.state, 2);
        let entropy = -(0.1 * 0.1_f64.ln() + 0.9 * 0.9_f64.ln());
        assert!((f64::from(odd.entropy) - entropy).abs() <= 3_f64.ln() / 131_072.0 + 1e-6);
        assert_eq!(summary(1, &[(0, 1.0)]).entropy, 0.0, "one state leaves no doubt");
    }
}
