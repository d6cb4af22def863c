//! In which order values are contracted, two at a time.
//!
//! Up to [`EXACT`] operands the order with the fewest multiplications is found by dynamic
//! programming over subsets; beyond, the pair is taken that leaves the least more memory in use
//! than before. Law: the same operation gets the same order in every run, because another order
//! rounds otherwise. (The library omeco, against which the tests compare, keeps its state in
//! randomly seeded maps, and answers any one of the orders that cost the same.)

use crate::contraction::{LabelSet, bit};

/// Up to so many operands every order is considered: 3⁸ splits, a fraction of a millisecond.
const EXACT: usize = 8;

/// The two values that a step contracts. Operands are numbered first; the result of step `s` is
/// value `operands + s`.
pub(super) type Pair = (usize, usize);

/// `operands − 1` steps, the last of which leaves the result.
pub(super) fn pairs(inputs: &[LabelSet], output: LabelSet, sizes: &[usize]) -> Vec<Pair> {
    let costs = Costs { sizes, output };
    if inputs.len() <= EXACT { exact(inputs, &costs) } else { greedy(inputs, &costs) }
}

struct Costs<'s> {
    sizes: &'s [usize],
    output: LabelSet,
}

impl Costs<'_> {
    /// The product of the labels' sizes.
    fn volume(&self, labels: LabelSet) -> f64 {
        let has = |(label, _): &(usize, &usize)| labels & bit(*label as u8) != 0;
        self.sizes.iter().enumerate().filter(has).map(|(_, &size)| size as f64).product()
    }
}

/// The cheapest way to contract a subset: the subset on one side, and what it costs.
#[derive(Clone, Copy)]
struct Best {
    left: usize,
    cost: f64,
}

fn exact(inputs: &[LabelSet], costs: &Costs<'_>) -> Vec<Pair> {
    let subsets = 1_usize << inputs.len();
    let all = |subset: usize| {
        let inside = (0..inputs.len()).filter(|i| subset >> i & 1 == 1);
        inside.fold(0, |set, i| set | inputs[i])
    };
    // What a subset's result still has: labels that are used outside it.
    let labels: Vec<LabelSet> = (0..subsets)
        .map(|subset| all(subset) & (costs.output | all(!subset & (subsets - 1))))
        .collect();
    let mut best = vec![Best { left: 0, cost: 0.0 }; subsets];
    for subset in 1..subsets {
        if subset.is_power_of_two() {
            continue;
        }
        let mut chosen = Best { left: 0, cost: f64::INFINITY };
        let lowest = subset & subset.wrapping_neg();
        let mut left = (subset - 1) & subset;
        while left > 0 {
            // The side with the lowest operand counts as the left one: every split once.
            if left & lowest != 0 {
                let right = subset ^ left;
                let step = costs.volume(labels[left] | labels[right]);
                let cost = best[left].cost + best[right].cost + step;
                if cost < chosen.cost || chosen.left == 0 {
                    chosen = Best { left, cost };
                }
            }
            left = (left - 1) & subset;
        }
        best[subset] = chosen;
    }
    let mut pairs = Vec::with_capacity(inputs.len() - 1);
    unfold(subsets - 1, &best, inputs.len(), &mut pairs);
    pairs
}

/// Appends the steps of a subset and answers the value they leave.
fn unfold(subset: usize, best: &[Best], operands: usize, pairs: &mut Vec<Pair>) -> usize {
    if subset.is_power_of_two() {
        return subset.trailing_zeros() as usize;
    }
    let left = unfold(best[subset].left, best, operands, pairs);
    let right = unfold(subset ^ best[subset].left, best, operands, pairs);
    pairs.push((left, right));
    operands + pairs.len() - 1
}

fn greedy(inputs: &[LabelSet], costs: &Costs<'_>) -> Vec<Pair> {
    let mut live: Vec<(usize, LabelSet)> = inputs.iter().copied().enumerate().collect();
    let mut pairs = Vec::with_capacity(inputs.len() - 1);
    while live.len() > 1 {
        let mut chosen: Option<(bool, f64, usize, usize, LabelSet)> = None;
        for i in 0..live.len() {
            for j in i + 1..live.len() {
                let others = live.iter().enumerate().filter(|(other, _)| ![i, j].contains(other));
                let kept = others.fold(costs.output, |set, (_, (_, labels))| set | labels);
                let (a, b) = (live[i].1, live[j].1);
                let result = (a | b) & kept;
                let grows = costs.volume(result) - costs.volume(a) - costs.volume(b);
                // An outer product comes only when nothing else is left.
                let outer = a & b == 0;
                if chosen.is_none_or(|best| (outer, grows) < (best.0, best.1)) {
                    chosen = Some((outer, grows, i, j, result));
                }
            }
        }
        let Some((_, _, i, j, result)) = chosen else { break };
        let second = live.remove(j).0;
        let first = live.remove(i).0;
        live.push((inputs.len() + pairs.len(), result));
        pairs.push((first, second));
    }
    pairs
}

#[cfg(test)]
mod tests {
    use omeco::{EinCode, ExhaustiveSearch, GreedyMethod, contraction_complexity, optimize_code};
    use proptest::prelude::*;

    use super::*;

    fn set(labels: &[u8]) -> LabelSet {
        labels.iter().fold(0, |set, &label| set | bit(label))
    }

    /// The multiplications of an order.
    fn cost(pairs: &[Pair], inputs: &[LabelSet], costs: &Costs<'_>) -> f64 {
        let mut live: Vec<Option<LabelSet>> = inputs.iter().copied().map(Some).collect();
        let mut total = 0.0;
        for &(a, b) in pairs {
            let (a, b) = (live[a].take().unwrap(), live[b].take().unwrap());
            let kept = live.iter().flatten().fold(costs.output, |set, labels| set | labels);
            total += costs.volume(a | b);
            live.push(Some((a | b) & kept));
        }
        total
    }

    #[test]
    fn a_chain_is_contracted_from_the_thin_end() {
        let chain = [set(&[0, 1]), set(&[1, 2]), set(&[2, 3])];
        assert_eq!(pairs(&chain, set(&[0, 3]), &[100, 100, 100, 2]), [(1, 2), (0, 3)]);
        assert_eq!(pairs(&chain, set(&[0, 3]), &[2, 100, 100, 100]), [(0, 1), (3, 2)]);
    }

    #[test]
    fn every_value_is_used_once() {
        let many: Vec<LabelSet> = (0..12).map(|i| set(&[i, i + 1])).collect();
        let pairs = pairs(&many, set(&[0, 12]), &[3; 13]);
        let mut used: Vec<_> = pairs.iter().flat_map(|&(a, b)| [a, b]).collect();
        used.sort_unstable();
        assert_eq!(used, (0..22).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn no_order_of_the_library_costs_less(
            inputs in proptest::collection::vec(
                proptest::sample::subsequence((0_u8..7).collect::<Vec<_>>(), 1..4), 2..7),
            sizes in proptest::collection::vec(2_usize..9, 7),
            keep in any::<u8>(),
        ) {
            // Labels of one operand alone are summed before: the library counts them otherwise.
            let count = |l: u8| inputs.iter().filter(|input| input.contains(&l)).count();
            let output: Vec<u8> = (0..7).filter(|&l| match count(l) {
                0 => false,
                1 => true,
                _ => keep >> l & 1 == 1,
            }).collect();
            let sets: Vec<LabelSet> = inputs.iter().map(|input| set(input)).collect();
            let costs = Costs { sizes: &sizes, output: set(&output) };
            let ours = cost(&exact(&sets, &costs), &sets, &costs);
            let greedily = cost(&greedy(&sets, &costs), &sets, &costs);
            prop_assert!(ours <= greedily * (1.0 + 1e-9));
            let code = EinCode::new(inputs.clone(), output);
            let sizes = (0..7).map(|l| (l, sizes[usize::from(l)])).collect();
            let theirs = [
                optimize_code(&code, &sizes, &ExhaustiveSearch::default()),
                optimize_code(&code, &sizes, &GreedyMethod::default()),
            ];
            for tree in theirs.into_iter().flatten() {
                let theirs = contraction_complexity(&tree, &sizes, &code.ixs).tc.exp2();
                prop_assert!(ours <= theirs * (1.0 + 1e-6), "{ours} > {theirs}");
            }
        }
    }
}
