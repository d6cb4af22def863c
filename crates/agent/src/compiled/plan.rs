//! From policies to a program.

use std::collections::HashMap;

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::simd::Real;

use super::likelihood::Structure;
use super::outcome::{SparseOutcome, excess, linear};
use super::program::{Builder, Request, Value};
use super::rows::Entry;
use super::transition::Transition;
use crate::{Model, Policies, Result};

/// A dense outcome table: (1 + O, rest…, S of the first factor to contract), row 0 the linear part.
#[derive(Debug)]
pub(crate) struct DenseOutcome<T> {
    /// The values, row-major.
    pub(crate) values: Array<T>,
    /// S of the factor that is contracted first.
    pub(crate) states: usize,
}

/// The compiled plan: a program and the tables that it reads.
#[derive(Debug)]
pub(crate) struct Plan<T> {
    pub(crate) words: Array<u32>,
    pub(crate) sparse: Vec<SparseOutcome<T>>,
    pub(crate) dense: Vec<DenseOutcome<T>>,
    /// The row of every policy's score.
    pub(crate) scores: Array<u32>,
    /// Rows that the program needs, beliefs before the first step included.
    pub(crate) rows: usize,
}

impl<T: Real> Plan<T> {
    pub(super) fn compile(
        model: &Model,
        policies: &Policies,
        transitions: &[Transition<T>],
        structures: &[Option<Structure>],
        memory: &SharedResource,
    ) -> Result<Self> {
        let mut planner = Planner {
            model,
            transitions,
            structures,
            memory,
            builder: Builder::default(),
            sparse: Vec::new(),
            dense: Vec::new(),
            tables: HashMap::new(),
            maps: HashMap::new(),
            map_of: HashMap::new(),
            valued: HashMap::new(),
            varied: varied(policies),
        };
        let leaves = planner.walk(policies)?;
        let mut roots = Vec::new();
        let mut first = 0;
        for transition in transitions {
            roots.push(first);
            first += transition.states;
        }
        let layout = planner.builder.finish(&roots, first, &leaves);
        let scores: Vec<u32> = layout.kept.iter().map(|&row| row as u32).collect();
        Ok(Self {
            words: Array::copied(memory, &layout.words)?,
            sparse: planner.sparse,
            dense: planner.dense,
            scores: Array::copied(memory, &scores)?,
            rows: layout.end,
        })
    }
}

/// How many actions each factor has over all policies' steps: an estimate of how many beliefs it
/// will have.
fn varied(policies: &Policies) -> Vec<usize> {
    let mut seen = vec![std::collections::BTreeSet::new(); policies.factors];
    for step in policies.actions.chunks_exact(policies.factors.max(1)) {
        for (seen, &action) in seen.iter_mut().zip(step) {
            seen.insert(action);
        }
    }
    seen.iter().map(std::collections::BTreeSet::len).collect()
}

/// Where a certain map leads, by state.
type Map = Vec<u32>;

struct Planner<'a, T: Real> {
    model: &'a Model,
    transitions: &'a [Transition<T>],
    structures: &'a [Option<Structure>],
    memory: &'a SharedResource,
    builder: Builder,
    sparse: Vec<SparseOutcome<T>>,
    dense: Vec<DenseOutcome<T>>,
    /// Tables by (modality, row of the timed preferences, action composed with it).
    tables: HashMap<(usize, usize, Option<usize>), usize>,
    /// Beliefs by the certain map that leads to them from the root.
    maps: HashMap<(usize, Map), Value>,
    map_of: HashMap<Value, Map>,
    /// Outcome values by (modality, row of the preferences, beliefs): a belief that was valued once
    /// is not valued again, however it was reached.
    valued: HashMap<(usize, usize, Vec<Value>), Value>,
    varied: Vec<usize>,
}

/// A node of the prefix tree: the beliefs and the score after its steps.
#[derive(Clone)]
struct Node {
    beliefs: Vec<Value>,
    score: Option<Value>,
}

impl<T: Real> Planner<'_, T> {
    /// Builds the prefix tree level by level below each node; answers every policy's score.
    fn walk(&mut self, policies: &Policies) -> Result<Vec<Value>> {
        let root = Node {
            beliefs: (0..policies.factors)
                .map(|factor| {
                    let rows = self.transitions[factor].states;
                    self.builder.value(Request::Root { factor }, rows)
                })
                .collect(),
            score: None,
        };
        for belief in &root.beliefs {
            self.builder.emit(*belief);
        }
        let mut leaves = vec![0; policies.count];
        self.descend(policies, &root, 0, (0..policies.count).collect(), &mut leaves)?;
        Ok(leaves)
    }

    fn descend(
        &mut self,
        policies: &Policies,
        parent: &Node,
        depth: usize,
        group: Vec<usize>,
        leaves: &mut [Value],
    ) -> Result<()> {
        let last = depth + 1 == policies.len;
        // Children in the order of their first policy, so that the program has one order.
        let mut children: Vec<(&[u32], Vec<usize>)> = Vec::new();
        let mut index: HashMap<&[u32], usize> = HashMap::new();
        for policy in group {
            let start = (policy * policies.len + depth) * policies.factors;
            let actions = &policies.actions[start..start + policies.factors];
            let child = *index.entry(actions).or_insert_with(|| {
                children.push((actions, Vec::new()));
                children.len() - 1
            });
            children[child].1.push(policy);
        }
        let mut nodes = Vec::new();
        for (actions, group) in children {
            let node = self.child(parent, actions, depth, last)?;
            nodes.push((node, group));
        }
        for (node, group) in nodes {
            if last {
                let score = match node.score {
                    Some(score) => score,
                    None => self.score(Vec::new()),
                };
                for policy in group {
                    leaves[policy] = score;
                }
            } else {
                self.descend(policies, &node, depth + 1, group, leaves)?;
            }
        }
        Ok(())
    }

    fn child(&mut self, parent: &Node, actions: &[u32], depth: usize, last: bool) -> Result<Node> {
        let beliefs: Vec<Value> = (0..actions.len())
            .map(|factor| self.belief(parent, factor, actions[factor] as usize))
            .collect();
        if !last {
            for &belief in &beliefs {
                self.builder.emit(belief);
            }
        }
        let mut terms: Vec<Value> = parent.score.into_iter().collect();
        for m in 0..self.model.a.len() {
            if let Some(value) = self.outcome(parent, &beliefs, actions, m, depth, last)? {
                self.builder.emit(value);
                terms.push(value);
            }
        }
        let score = (!terms.is_empty()).then(|| self.score(terms));
        Ok(Node { beliefs, score })
    }

    fn score(&mut self, terms: Vec<Value>) -> Value {
        let score = self.builder.value(Request::Score { terms }, 1);
        self.builder.emit(score);
        score
    }

    fn belief(&mut self, parent: &Node, factor: usize, action: usize) -> Value {
        let transition = &self.transitions[factor];
        let from: Vec<Value> = transition.dependencies.iter().map(|&d| parent.beliefs[d]).collect();
        let request = Request::Belief { factor, action, from };
        let map = self.composed(factor, action, parent.beliefs[factor]);
        if let Some(map) = &map
            && let Some(&value) = self.maps.get(&(factor, map.clone()))
        {
            return value;
        }
        let value = self.builder.value(request, transition.states);
        if let Some(map) = map {
            self.maps.insert((factor, map.clone()), value);
            self.map_of.insert(value, map);
        }
        value
    }

    /// The map from the root to the belief after `action`, where every move so far is certain and
    /// the factor depends on itself alone.
    fn composed(&mut self, factor: usize, action: usize, from: Value) -> Option<Map> {
        let transition = &self.transitions[factor];
        if transition.dependencies != [factor] {
            return None;
        }
        let step = certain(&self.model.b[factor], action, transition.actions)?;
        match self.builder.request(from) {
            Request::Root { .. } => {
                let stay: Map = (0..step.len() as u32).collect();
                self.maps.entry((factor, stay)).or_insert(from);
                Some(step)
            }
            _ => {
                let before = self.map_of.get(&from)?;
                Some(before.iter().map(|&s| step[s as usize]).collect())
            }
        }
    }

    fn outcome(
        &mut self,
        parent: &Node,
        beliefs: &[Value],
        actions: &[u32],
        m: usize,
        depth: usize,
        last: bool,
    ) -> Result<Option<Value>> {
        let arguments = &self.model.arguments;
        if !arguments.use_utility && !arguments.use_states_info_gain {
            return Ok(None);
        }
        let dependencies = &self.model.a_dependencies[m];
        let when = self.preference_row(m, depth);
        let seen = (m, when, dependencies.iter().map(|&factor| beliefs[factor]).collect());
        if let Some(&value) = self.valued.get(&seen) {
            return Ok(Some(value));
        }
        let value = self.new_outcome(parent, beliefs, actions, m, when, last)?;
        self.valued.insert(seen, value);
        Ok(Some(value))
    }

    fn new_outcome(
        &mut self,
        parent: &Node,
        beliefs: &[Value],
        actions: &[u32],
        m: usize,
        when: usize,
        last: bool,
    ) -> Result<Value> {
        let dependencies = &self.model.a_dependencies[m];
        if let (&[factor], true) = (&dependencies[..], self.structures[m].is_some()) {
            let action = actions[factor] as usize;
            let compose = last && self.composable(factor);
            let (table, belief) = if compose {
                (self.sparse_table(m, when, Some(action))?, parent.beliefs[factor])
            } else {
                (self.sparse_table(m, when, None)?, beliefs[factor])
            };
            return Ok(self.builder.value(Request::Sparse { table, belief }, 1));
        }
        let mut order = dependencies.clone();
        order.sort_by_key(|&factor| (self.varied[factor], self.transitions[factor].states));
        let table = self.dense_table(m, when, &order)?;
        let mut rows = self.dense[table].values.len() / self.dense[table].states;
        let belief = beliefs[order[0]];
        let mut partial = self.builder.value(Request::Contract { table, belief }, rows);
        for &factor in &order[1..] {
            rows /= self.transitions[factor].states;
            let belief = beliefs[factor];
            partial = self.builder.value(Request::ContractLanes { partial, belief }, rows);
        }
        Ok(self.builder.value(Request::Dense { rows: partial }, 1))
    }

    /// Whether a leaf may skip the belief of a factor: only structured modalities look at it, and
    /// its transition is sparse and its own.
    fn composable(&self, factor: usize) -> bool {
        let transition = &self.transitions[factor];
        let own = transition.dependencies == [factor] && transition.sparse().is_some();
        let seen =
            (0..self.model.a.len()).filter(|&m| self.model.a_dependencies[m].contains(&factor));
        own && seen
            .into_iter()
            .all(|m| self.structures[m].is_some() && self.model.a_dependencies[m] == [factor])
    }

    /// Which row of the preferences counts at a step: timed preferences have one a step, the last
    /// of which holds on.
    fn preference_row(&self, m: usize, depth: usize) -> usize {
        match *self.model.c[m].shape() {
            [times, _] => depth.min(times - 1),
            _ => 0,
        }
    }

    fn preferences(&self, m: usize, when: usize) -> Vec<f64> {
        let outcomes = self.model.a[m].rows();
        (0..outcomes).map(|o| self.model.c[m].value(when * outcomes + o)).collect()
    }

    fn linear(&self, m: usize, when: usize) -> Vec<f64> {
        let arguments = &self.model.arguments;
        let (utility, gain) = (arguments.use_utility, arguments.use_states_info_gain);
        linear(&self.model.a[m], &self.preferences(m, when), utility, gain)
    }

    fn sparse_table(&mut self, m: usize, when: usize, action: Option<usize>) -> Result<usize> {
        if let Some(&table) = self.tables.get(&(m, when, action)) {
            return Ok(table);
        }
        let Some(structure) = &self.structures[m] else { unreachable!("only of structured ones") };
        let factor = self.model.a_dependencies[m][0];
        let states = self.transitions[factor].states;
        let mut l = self.linear(m, when);
        let mut entries = excess(structure);
        if let Some(action) = action {
            (l, entries) = compose(&self.model.b[factor], action, &l, &entries);
        }
        let gain = self.model.arguments.use_states_info_gain;
        let structure = gain.then_some((&structure.background[..], entries));
        self.sparse.push(SparseOutcome::new(self.memory, states, &l, structure)?);
        self.tables.insert((m, when, action), self.sparse.len() - 1);
        Ok(self.sparse.len() - 1)
    }

    /// A with the linear part before it, the factors' axes in the reverse of `order`.
    fn dense_table(&mut self, m: usize, when: usize, order: &[usize]) -> Result<usize> {
        if let Some(&table) = self.tables.get(&(m, when, None)) {
            return Ok(table);
        }
        let a = &self.model.a[m];
        let dependencies = &self.model.a_dependencies[m];
        let joint = a.columns();
        let gain = self.model.arguments.use_states_info_gain;
        let outcomes = if gain { a.rows() } else { 0 };
        // Where a joint state of the file's order stands in ours.
        let place = |mut column: usize| {
            let mut state = vec![0; self.transitions.len()];
            for &factor in dependencies.iter().rev() {
                let states = self.transitions[factor].states;
                state[factor] = column % states;
                column /= states;
            }
            let next =
                |place, &factor: &usize| place * self.transitions[factor].states + state[factor];
            order.iter().rev().fold(0, next)
        };
        let mut values = Array::zeroed(self.memory, (1 + outcomes) * joint)?;
        for (column, l) in self.linear(m, when).into_iter().enumerate() {
            values[place(column)] = T::from_f64(l);
            if gain {
                for (o, p) in a.column(column) {
                    values[(1 + o) * joint + place(column)] = T::from_f64(p);
                }
            }
        }
        let states = self.transitions[order[0]].states;
        self.dense.push(DenseOutcome { values, states });
        self.tables.insert((m, when, None), self.dense.len() - 1);
        Ok(self.dense.len() - 1)
    }
}

/// Where `action` leads from every state, if that is certain.
fn certain(b: &crate::Tensor, action: usize, actions: usize) -> Option<Map> {
    (0..b.columns() / actions)
        .map(|s| {
            let mut entries = b.column(s * actions + action).filter(|&(_, p)| p != 0.0);
            match (entries.next(), entries.next()) {
                (Some((row, 1.0)), None) => Some(row as u32),
                _ => None,
            }
        })
        .collect()
}

/// l and e seen from before `action`: l∘B_u and e∘B_u.
fn compose(
    b: &crate::Tensor,
    action: usize,
    l: &[f64],
    entries: &[Entry],
) -> (Vec<f64>, Vec<Entry>) {
    let actions = b.columns() / l.len();
    let mut by_state: Vec<Vec<(usize, f64)>> = vec![Vec::new(); l.len()];
    for &(o, s, value) in entries {
        by_state[s as usize].push((o, value));
    }
    let mut composed = vec![0.0; l.len()];
    let mut out = Vec::new();
    for (s, composed) in composed.iter_mut().enumerate() {
        for (next, p) in b.column(s * actions + action).filter(|&(_, p)| p != 0.0) {
            *composed += p * l[next];
            out.extend(by_state[next].iter().map(|&(o, value)| (o, s as u32, p * value)));
        }
    }
    (composed, out)
}
