//! In which order operands are contracted, two at a time.
//!
//! The order is omeco's: exact up to [`EXACT`] operands, greedy beyond.

use std::collections::HashMap;

use omeco::{EinCode, ExhaustiveSearch, GreedyMethod, NestedEinsum, optimize_code};

use crate::contraction::Label;

/// Up to so many operands every order is considered.
const EXACT: usize = 7;

/// The two values that a step contracts. Operands are numbered first; the result of step `s` is
/// value `operands + s`.
pub(super) type Pair = (usize, usize);

/// `operands − 1` steps, the last of which leaves the result.
pub(super) fn pairs(inputs: &[Vec<Label>], output: &[Label], sizes: &[usize]) -> Vec<Pair> {
    let operands = inputs.len();
    if operands == 2 {
        return vec![(0, 1)];
    }
    let sizes: HashMap<Label, usize> =
        sizes.iter().enumerate().map(|(label, &size)| (label as Label, size)).collect();
    let code = EinCode::new(inputs.to_vec(), output.to_vec());
    let exact = (operands <= EXACT)
        .then(|| optimize_code(&code, &sizes, &ExhaustiveSearch::default()))
        .flatten();
    let tree = exact.or_else(|| optimize_code(&code, &sizes, &GreedyMethod::default()));
    let mut pairs = Vec::with_capacity(operands - 1);
    let complete = tree.is_some_and(|tree| flatten(&tree, operands, &mut pairs).is_some());
    if complete && pairs.len() == operands - 1 {
        return pairs;
    }
    // The library found no order (it has no answer for some scalars): from left to right.
    let mut last = 0;
    (1..operands)
        .map(|next| {
            let pair = (last, next);
            last = operands + next - 1;
            pair
        })
        .collect()
}

/// Appends the steps of a tree and answers the value it leaves.
fn flatten(tree: &NestedEinsum<Label>, operands: usize, pairs: &mut Vec<Pair>) -> Option<usize> {
    match tree {
        NestedEinsum::Leaf { tensor_index } => Some(*tensor_index),
        NestedEinsum::Node { args, .. } => {
            let mut args = args.iter();
            let mut value = flatten(args.next()?, operands, pairs)?;
            for arg in args {
                let other = flatten(arg, operands, pairs)?;
                pairs.push((value, other));
                value = operands + pairs.len() - 1;
            }
            Some(value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_contracted_from_the_thin_end() {
        let chain = [vec![0, 1], vec![1, 2], vec![2, 3]];
        assert_eq!(
            pairs(&chain, &[0, 3], &[1000, 1000, 1000, 2]),
            [(1, 2), (0, 3)].map(|(a, b): Pair| (a, b))
        );
    }

    #[test]
    fn every_value_is_used_once() {
        let many: Vec<Vec<Label>> = (0..12).map(|i| vec![i, i + 1]).collect();
        let pairs = pairs(&many, &[0, 12], &[3; 13]);
        let mut used: Vec<_> = pairs.iter().flat_map(|&(a, b)| [a, b]).collect();
        used.sort_unstable();
        assert_eq!(used, (0..22).collect::<Vec<_>>());
    }
}
