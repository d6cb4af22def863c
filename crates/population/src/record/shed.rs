//! What a stored belief leaves out when the user allows it: small entries, and how far it is then
//! from the belief that was computed.
//!
//! Entries go in ascending order while what is gone sums to at most what the mass budget allows, and
//! whatever the code could only write as 0.
//!
//! The budget bounds what a drop may cost the belief once the next outcome was observed. Of a belief q̃
//! without the mass m, an outcome with likelihood l makes one that is off by at most
//!
//! ```text
//! m · max l / Σ l p̃ ≤ m · max l / min l ≤ m · surprise
//! ```
//!
//! since every prediction p̃ sums to 1; so m · surprise is kept within the budget. (A budget for m itself
//! would do little: on a grid whose sensor shows one of all cells one time in ten, an outcome makes
//! thousands of times more of a state that was dropped, and one belief in ten thousand would be plainly
//! wrong.) Where an outcome rules states out the ratio has no bound, and 10⁴ stands for it: what is
//! dropped is then small enough that it is true about once in 10⁴ / budget steps. Those that stay are scaled to sum to 1. What is stored is
//! measured against what was computed, not estimated: half the sum of all differences.

use populace_agent::{Model, Tensor};

use super::Number;
use super::code::Code;

/// What may be left out of stored beliefs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shedding {
    /// The most mass that a step may drop from a belief: the mass budget over the surprise.
    pub(crate) mass: f64,
    /// The bound above which an agent drops nothing; 1 and above is none.
    pub(crate) tolerance: f64,
}

/// The largest surprise that is reckoned with.
const MOST_SURPRISE: f64 = 1e4;

/// How many times likelier an outcome, of every modality, can be in one state than in another, up to
/// [`MOST_SURPRISE`].
pub(crate) fn surprise(model: &Model) -> f64 {
    let of = |likelihood: &Tensor| {
        let mut rows = vec![(f64::INFINITY, 0.0_f64, 0_usize); likelihood.rows()];
        let columns = likelihood.columns();
        for (row, l) in (0..columns).flat_map(|column| likelihood.column(column)) {
            let (least, most, count) = &mut rows[row];
            (*least, *most, *count) = (least.min(l), most.max(l), *count + 1);
        }
        // What does not stand there is 0.
        let ratio = |&(least, most, count): &(f64, f64, usize)| match count {
            0 => 1.0,
            count if count < columns || least <= 0.0 => f64::INFINITY,
            _ => most / least,
        };
        rows.iter().map(ratio).fold(1.0, f64::max)
    };
    model.a.iter().map(of).product::<f64>().min(MOST_SURPRISE)
}

/// The largest mass budget.
pub(crate) const MOST_MASS: f64 = 0.5;

impl Shedding {
    /// What an agent may drop whose belief is within `bound` of the exact one.
    pub(crate) fn allowed(&self, bound: f64) -> f64 {
        if self.tolerance >= 1.0 || bound + self.mass <= self.tolerance { self.mass } else { 0.0 }
    }
}

/// Drops from the lists what `mass` allows and what `code` has no number for. The others move to the
/// front, in their order and scaled to sum to 1; answers how many they are, and what part of the
/// whole was dropped.
pub(crate) fn shed<T: Number>(
    states: &mut [u32],
    values: &mut [T],
    mass: f64,
    code: Code,
    room: &mut [T],
) -> (usize, f64) {
    let max = values.iter().fold(0.0, |max, value| value.to_f64().max(max));
    let floor = code.floor(max);
    // Of equals at the limit as many go as the budget allows.
    let (limit, mut at_limit) = limit(values, mass, room);
    let (mut n, mut dropped) = (0, 0.0);
    for k in 0..values.len() {
        let value = values[k].to_f64();
        let goes = value < floor || value < limit || (value == limit && at_limit > 0);
        if goes {
            at_limit -= usize::from(value == limit && at_limit > 0);
            dropped += value;
        } else {
            (states[n], values[n]) = (states[k], values[k]);
            n += 1;
        }
    }
    if dropped == 0.0 {
        return (n, 0.0);
    }
    let kept: f64 = values[..n].iter().map(|value| value.to_f64()).sum();
    let scale = 1.0 / kept;
    values[..n].iter_mut().for_each(|value| *value = T::from_f64(value.to_f64() * scale));
    (n, dropped / (kept + dropped))
}

/// The largest value that the budget can drop, and how many that equal it; all below it go.
fn limit<T: Number>(values: &[T], mass: f64, room: &mut [T]) -> (f64, usize) {
    if mass <= 0.0 {
        return (0.0, 0);
    }
    let mut count = 0;
    for &value in values {
        if value.to_f64() <= mass {
            room[count] = value;
            count += 1;
        }
    }
    let small = &mut room[..count];
    small.sort_unstable_by(|a, b| a.to_f64().total_cmp(&b.to_f64()));
    let mut sum = 0.0;
    let (mut limit, mut equals) = (0.0, 0);
    for value in small {
        let value = value.to_f64();
        sum += value;
        if sum > mass {
            break;
        }
        equals = if value == limit { equals + 1 } else { 1 };
        limit = value;
    }
    (limit, equals)
}

/// The total-variation distance between two beliefs over the same states, each divided by its sum;
/// `dropped` is what the first has elsewhere.
pub(crate) fn distance<T: Number>(
    computed: impl Iterator<Item = T> + Clone,
    dropped: f64,
    stored: impl Iterator<Item = T> + Clone,
) -> f64 {
    let sum = |values: &mut dyn Iterator<Item = T>| values.map(T::to_f64).sum::<f64>();
    let whole = 1.0 / (sum(&mut computed.clone()) + dropped);
    let kept = 1.0 / sum(&mut stored.clone());
    let apart: f64 = computed
        .zip(stored)
        .map(|(q, stored)| (q.to_f64() * whole - stored.to_f64() * kept).abs())
        .sum();
    0.5 * (apart + dropped * whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As [`shed`] does it with mass alone, one entry after another.
    fn oracle(values: &[f64], mass: f64) -> Vec<usize> {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
        let mut left = mass;
        let mut gone = Vec::new();
        for &k in &order[..order.len() - 1] {
            if values[k] > left {
                break;
            }
            left -= values[k];
            gone.push(k);
        }
        (0..values.len()).filter(|k| !gone.contains(k)).collect()
    }

    #[test]
    fn the_tolerance_is_not_passed_by_dropping() {
        let shedding = Shedding { mass: 1e-3, tolerance: 0.01 };
        assert_eq!(
            [0.0, 0.008, 0.0095, 0.5].map(|bound| shedding.allowed(bound)),
            [1e-3, 1e-3, 0.0, 0.0]
        );
        assert_eq!(Shedding { tolerance: 1.0, ..shedding }.allowed(1.0), 1e-3);
    }

    #[test]
    fn the_smallest_go_while_the_budget_lasts() {
        let belief = [0.5, 1.0 / 512.0, 0.25, 1.0 / 1024.0, 0.125, 1.0 / 512.0, 0.1201171875];
        for mass in [0.0, 0.0009, 0.001, 0.003, 0.0049, 0.01, 0.2, 0.5] {
            let kept = oracle(&belief, mass);
            let (mut states, mut values) = ([0, 1, 2, 3, 4, 5, 6], belief);
            let (n, dropped) = shed(&mut states, &mut values, mass, Code::Exact, &mut [0.0; 7]);
            let got: Vec<usize> = states[..n].iter().map(|&s| s as usize).collect();
            assert_eq!(got, kept, "{mass}");
            assert!(dropped <= mass + 1e-15);
            let sum: f64 = values[..n].iter().sum();
            assert!((sum - 1.0).abs() < 1e-15, "{mass}: {sum}");
            let whole = kept.iter().map(|&k| belief[k]);
            let apart = distance(whole, dropped, values[..n].iter().copied());
            assert!((apart - dropped).abs() < 1e-15, "{mass}: {apart} {dropped}");
        }
    }

    #[test]
    fn what_a_code_has_no_number_for_goes_too() {
        let (mut states, mut values) = ([7, 8, 9], [1e-13_f64, 1.0, 1e-9]);
        let (n, dropped) = shed(&mut states, &mut values, 0.0, Code::F16, &mut [0.0; 3]);
        assert_eq!(&states[..n], [8, 9]);
        assert!((dropped - 1e-13).abs() < 1e-21);
        let (n, _) = shed(&mut states[..n], &mut values[..n], 0.0, Code::Log8, &mut [0.0; 3]);
        assert_eq!(n, 2);
        let (mut states, mut values) = ([8, 9], [1.0_f64, 9e-10]);
        let (n, _) = shed(&mut states, &mut values, 0.0, Code::Log8, &mut [0.0; 2]);
        assert_eq!(&states[..n], [8]);
    }
}
