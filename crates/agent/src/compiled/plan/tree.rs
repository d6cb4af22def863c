//! Enumeration: a prefix tree with a leaf for every policy.

use std::collections::HashMap;

use populace_tensor::simd::Real;

use super::draft::{Draft, Place};
use super::{Drafted, Planner, first_actions, ln_habit};
use crate::compiled::program::Value;
use crate::{Model, Policies, Result};

/// Drafts every policy's score.
pub(super) fn draft<T: Real>(
    draft: &mut Draft<'_, T>,
    model: &Model,
    policies: &Policies,
) -> Result<Drafted> {
    let root = Node { beliefs: draft.roots(), score: None };
    let mut scores = vec![0; policies.count];
    descend(draft, policies, &root, 0, (0..policies.count).collect(), &mut scores)?;
    Ok(Drafted {
        planner: Planner::Enumeration,
        scores,
        choice: Vec::new(),
        constants: Vec::new(),
        ln_habit: ln_habit(model, policies),
        first_actions: first_actions(policies),
    })
}

/// A node of the prefix tree: the beliefs and the score after its steps.
struct Node {
    beliefs: Vec<Value>,
    score: Option<Value>,
}

/// Drafts what is below a node, level by level, for the policies of `group` that pass through it.
fn descend<T: Real>(
    draft: &mut Draft<'_, T>,
    policies: &Policies,
    parent: &Node,
    depth: usize,
    group: Vec<usize>,
    scores: &mut [Value],
) -> Result<()> {
    let last = depth + 1 == policies.len;
    // Children in the order of their first policy, so that the program has one order.
    let mut children: Vec<(&[u32], Vec<usize>)> = Vec::new();
    let mut index: HashMap<&[u32], usize> = HashMap::new();
    for policy in group {
        let actions = policies.step(policy, depth);
        let child = *index.entry(actions).or_insert_with(|| {
            children.push((actions, Vec::new()));
            children.len() - 1
        });
        children[child].1.push(policy);
    }
    let mut nodes = Vec::new();
    for (actions, group) in children {
        let step = draft.step(&parent.beliefs, actions, Place { depth, last })?;
        let terms: Vec<Value> = parent.score.into_iter().chain(step.terms).collect();
        let score = (!terms.is_empty()).then(|| draft.score(terms));
        nodes.push((Node { beliefs: step.beliefs, score }, group));
    }
    for (node, group) in nodes {
        if last {
            let score = match node.score {
                Some(score) => score,
                None => draft.score(Vec::new()),
            };
            for policy in group {
                scores[policy] = score;
            }
        } else {
            descend(draft, policies, &node, depth + 1, group, scores)?;
        }
    }
    Ok(())
}
