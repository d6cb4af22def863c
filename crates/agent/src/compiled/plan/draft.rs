//! A program being drafted: the beliefs that steps lead to, and the terms that they are worth.

use std::collections::HashMap;
use std::rc::Rc;

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::simd::Real;

use super::{DenseOutcome, LearntOutcome};
use crate::compiled::composition::{Composer, Composition};
use crate::compiled::family::Family;
use crate::compiled::likelihood::Structure;
use crate::compiled::novelty::novelty_weights;
use crate::compiled::outcome::{SparseOutcome, excess, linear, outcome_rows};
use crate::compiled::program::{Builder, Request, Value};
use crate::compiled::rows::Entry;
use crate::compiled::transition::{Transition, moves};
use crate::{Dialect, Model, Result};

/// What planners share: they ask for steps, and put what these are worth together.
pub(super) struct Draft<'a, T: Real> {
    model: &'a Model,
    transitions: &'a [Transition<T>],
    structures: &'a [Option<Structure>],
    memory: &'a SharedResource,
    pub(super) builder: Builder,
    pub(super) sparse: Vec<SparseOutcome<T>>,
    pub(super) families: Vec<Family<T>>,
    pub(super) dense: Vec<DenseOutcome<T>>,
    /// Dense tables by (modality, row of the timed preferences).
    tables: HashMap<(usize, usize), usize>,
    /// Families and their first tables by (modality, row of the timed preferences, whether every
    /// action is composed with it).
    family_of: HashMap<(usize, usize, bool), (usize, usize)>,
    /// Tables of what A gains, by modality.
    gains: HashMap<usize, usize>,
    /// What states are worth on the way to the goal, by factor; empty without one.
    goals: Vec<Value>,
    composer: Composer,
    /// Beliefs by the map that leads to them from the present.
    composed: HashMap<(usize, Rc<Composition>), Value>,
    map_of: HashMap<Value, Rc<Composition>>,
    /// Outcome values by (modality, row of the preferences, beliefs): a belief that was valued once
    /// is not valued again, however it was reached.
    valued: HashMap<(usize, usize, Vec<Value>), Value>,
    /// What actions each factor has over all steps. How many estimates how many beliefs it will have.
    used: Vec<Vec<u32>>,
}

/// Where a step leads, and what it is worth.
pub(super) struct Step {
    pub(super) beliefs: Vec<Value>,
    /// The sum of these.
    pub(super) terms: Vec<Value>,
}

/// Which step: after how many others, and whether none follows.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) depth: usize,
    pub(super) last: bool,
}

impl<'a, T: Real> Draft<'a, T> {
    pub(super) fn new(
        model: &'a Model,
        transitions: &'a [Transition<T>],
        structures: &'a [Option<Structure>],
        used: Vec<Vec<u32>>,
        memory: &'a SharedResource,
    ) -> Self {
        Self {
            model,
            transitions,
            structures,
            memory,
            builder: Builder::default(),
            sparse: Vec::new(),
            families: Vec::new(),
            dense: Vec::new(),
            tables: HashMap::new(),
            family_of: HashMap::new(),
            gains: HashMap::new(),
            goals: Vec::new(),
            composer: Composer::default(),
            composed: HashMap::new(),
            map_of: HashMap::new(),
            valued: HashMap::new(),
            used,
        }
    }

    /// The beliefs before the first step.
    pub(super) fn roots(&mut self) -> Vec<Value> {
        let mut roots = Vec::new();
        for (factor, transition) in self.transitions.iter().enumerate() {
            let root = self.builder.value(Request::Root { factor }, transition.states);
            self.builder.emit(root);
            if self.composes(factor) {
                let stay = Rc::new(self.composer.identity(transition.states));
                self.composed.insert((factor, stay.clone()), root);
                self.map_of.insert(root, stay);
            }
            if self.model.arguments.use_inductive {
                let goal = Request::Goal { factor, present: root };
                // Agents that learn B find their own paths, in rows behind.
                let depth = match self.model.arguments.learn_b {
                    true => self.model.arguments.inductive_depth,
                    false => 0,
                };
                let goal = self.builder.value(goal, transition.states * (1 + depth));
                self.builder.emit(goal);
                self.goals.push(goal);
            }
            roots.push(root);
        }
        roots
    }

    /// A step of `actions` (one a factor) from `before`.
    pub(super) fn step(&mut self, before: &[Value], actions: &[u32], place: Place) -> Result<Step> {
        let beliefs: Vec<Value> = (0..actions.len())
            .map(|factor| self.belief(before, factor, actions[factor] as usize))
            .collect();
        if !place.last {
            for &belief in &beliefs {
                self.builder.emit(belief);
            }
        }
        let mut terms = Vec::new();
        if self.model.dialect == Dialect::Pymdp0 {
            let request = Request::Joint { time: self.joint_time(place), beliefs: beliefs.clone() };
            terms.push(self.emitted(request));
            if self.model.arguments.use_param_info_gain {
                self.novelty(before, &beliefs, actions, &mut terms)?;
            }
            return Ok(Step { beliefs, terms });
        }
        for m in 0..self.model.a.len() {
            if let Some(value) = self.outcome(before, &beliefs, actions, m, place)? {
                self.builder.emit(value);
                terms.push(value);
            }
        }
        if self.model.arguments.use_param_info_gain {
            self.novelty(before, &beliefs, actions, &mut terms)?;
        }
        for (&partial, &belief) in self.goals.clone().iter().zip(&beliefs) {
            terms.push(self.emitted(Request::ContractLanes { partial, belief }));
        }
        Ok(Step { beliefs, terms })
    }

    /// What a step teaches of A and B.
    fn novelty(
        &mut self,
        before: &[Value],
        beliefs: &[Value],
        actions: &[u32],
        terms: &mut Vec<Value>,
    ) -> Result<()> {
        for m in 0..self.model.p_a.len() {
            let order = self.order(m);
            let table = self.gain_table(m, &order)?;
            let rows = self.contracted(table, &order, beliefs);
            terms.push(self.emitted(Request::Products { rows }));
        }
        for factor in 0..self.model.p_b.len() {
            let dependencies = &self.transitions[factor].dependencies;
            let from = dependencies.iter().map(|&d| before[d]).collect();
            let (action, after) = (actions[factor] as usize, beliefs[factor]);
            terms.push(self.emitted(Request::Learnt { factor, action, after, from }));
        }
        Ok(())
    }

    /// Which row of the utility counts at a step, where modalities count jointly.
    fn joint_time(&self, place: Place) -> usize {
        let timed = self.model.c.iter().any(|c| c.shape().len() == 2);
        if timed { place.depth } else { 0 }
    }

    /// The sum of terms.
    pub(super) fn score(&mut self, terms: Vec<Value>) -> Value {
        self.emitted(Request::Score { terms })
    }

    /// A value of one row, in the program.
    pub(super) fn emitted(&mut self, request: Request) -> Value {
        let value = self.builder.value(request, 1);
        self.builder.emit(value);
        value
    }

    /// Whether action sequences of a factor are compared: it moves by itself, and its moves are
    /// sparse or certain.
    fn composes(&self, factor: usize) -> bool {
        let transition = &self.transitions[factor];
        let b = &self.model.b[factor];
        // What agents learn is not the same for all.
        !self.model.arguments.learn_b
            && transition.dependencies == [factor]
            && (transition.sparse().is_some()
                || moves(b, transition.actions).count() <= b.columns())
    }

    fn belief(&mut self, before: &[Value], factor: usize, action: usize) -> Value {
        let transition = &self.transitions[factor];
        let from: Vec<Value> = transition.dependencies.iter().map(|&d| before[d]).collect();
        let request = Request::Belief { factor, action, from };
        if let Some(value) = self.builder.known(&request) {
            return value;
        }
        let map = self.map_of.get(&before[factor]).and_then(|map| {
            let b = &self.model.b[factor];
            self.composer.then(map, b, factor, action, transition.actions).map(Rc::new)
        });
        if let Some(map) = &map
            && let Some(&value) = self.composed.get(&(factor, map.clone()))
        {
            self.builder.alias(request, value);
            return value;
        }
        let value = self.builder.value(request, transition.states);
        if let Some(map) = map {
            self.composed.insert((factor, map.clone()), value);
            self.map_of.insert(value, map);
        }
        value
    }

    fn outcome(
        &mut self,
        before: &[Value],
        beliefs: &[Value],
        actions: &[u32],
        m: usize,
        place: Place,
    ) -> Result<Option<Value>> {
        let arguments = &self.model.arguments;
        if !arguments.use_utility && !arguments.use_states_info_gain {
            return Ok(None);
        }
        let dependencies = &self.model.a_dependencies[m];
        let when = self.preference_row(m, place.depth);
        let seen = (m, when, dependencies.iter().map(|&factor| beliefs[factor]).collect());
        if let Some(&value) = self.valued.get(&seen) {
            return Ok(Some(value));
        }
        let value = self.new_outcome(before, beliefs, actions, m, when, place.last)?;
        self.valued.insert(seen, value);
        Ok(Some(value))
    }

    fn new_outcome(
        &mut self,
        before: &[Value],
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
            let (family, first) = self.family(m, when, compose)?;
            let (place, belief) = if compose {
                let used = &self.used[factor];
                (used.iter().position(|&u| u as usize == action).unwrap_or(0), before[factor])
            } else {
                (0, beliefs[factor])
            };
            let tables = self.families[family].tables();
            let family = self.builder.value(Request::Family { family, belief }, tables);
            let request = Request::Sparse { table: first + place, belief, family, place };
            return Ok(self.builder.value(request, 1));
        }
        let order = self.order(m);
        let table = self.dense_table(m, when, &order)?;
        let rows = self.contracted(table, &order, beliefs);
        Ok(self.builder.value(Request::Dense { rows }, 1))
    }

    /// In which order the factors of a modality are contracted: the least varied first.
    fn order(&self, m: usize) -> Vec<usize> {
        let mut order = self.model.a_dependencies[m].clone();
        order.sort_by_key(|&factor| (self.used[factor].len(), self.transitions[factor].states));
        order
    }

    /// A table contracted with the beliefs of all its factors.
    fn contracted(&mut self, table: usize, order: &[usize], beliefs: &[Value]) -> Value {
        let mut rows = self.dense[table].rows;
        let belief = beliefs[order[0]];
        let mut partial = self.builder.value(Request::Contract { table, belief }, rows);
        for &factor in &order[1..] {
            rows /= self.transitions[factor].states;
            let belief = beliefs[factor];
            partial = self.builder.value(Request::ContractLanes { partial, belief }, rows);
        }
        partial
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

    /// The family of a structured modality of one factor, and its first table: a table for every
    /// action that is used, composed with it, or one for the belief that there is.
    fn family(&mut self, m: usize, when: usize, compose: bool) -> Result<(usize, usize)> {
        if let Some(&family) = self.family_of.get(&(m, when, compose)) {
            return Ok(family);
        }
        let Some(structure) = &self.structures[m] else { unreachable!("only of structured ones") };
        let factor = self.model.a_dependencies[m][0];
        let gain = self.model.arguments.use_states_info_gain;
        let (l, entries) = (self.linear(m, when), excess(structure));
        let tables: Vec<(Vec<f64>, Vec<Entry>)> = match compose {
            false => vec![(l, entries)],
            true => {
                let b = &self.model.b[factor];
                self.used[factor]
                    .iter()
                    .map(|&u| compose_with(b, u as usize, &l, &entries))
                    .collect()
            }
        };
        let background = if gain { &structure.background[..] } else { &[] };
        let first = self.sparse.len();
        let (mut linear, mut rows) = (Vec::new(), Vec::new());
        for (l, entries) in tables {
            let outcomes = outcome_rows(background, if gain { &entries } else { &[] });
            self.sparse.push(SparseOutcome::new(self.memory, &l, &outcomes)?);
            linear.push(l);
            rows.push(outcomes);
        }
        self.families.push(Family::new(self.memory, &linear, &rows)?);
        let family = (self.families.len() - 1, first);
        self.family_of.insert((m, when, compose), family);
        Ok(family)
    }

    /// A with the linear part before it, the factors' axes in the reverse of `order`.
    fn dense_table(&mut self, m: usize, when: usize, order: &[usize]) -> Result<usize> {
        if let Some(&table) = self.tables.get(&(m, when)) {
            return Ok(table);
        }
        let a = &self.model.a[m];
        let joint = a.columns();
        let gain = self.model.arguments.use_states_info_gain;
        let outcomes = if gain { a.rows() } else { 0 };
        let states = self.transitions[order[0]].states;
        let rows = (1 + outcomes) * joint / states;
        let mut values = Array::zeroed(self.memory, 0)?;
        let mut learnt = None;
        if self.model.arguments.learn_a {
            learnt = Some(self.learnt_outcome(m, when, order)?);
        } else {
            values = Array::zeroed(self.memory, (1 + outcomes) * joint)?;
            for (column, l) in self.linear(m, when).into_iter().enumerate() {
                let place = self.place(m, order, column);
                values[place] = T::from_f64(l);
                if gain {
                    for (o, p) in a.column(column) {
                        values[(1 + o) * joint + place] = T::from_f64(p);
                    }
                }
            }
        }
        self.dense.push(DenseOutcome { values, states, rows, learnt });
        self.tables.insert((m, when), self.dense.len() - 1);
        Ok(self.dense.len() - 1)
    }

    /// What a table needs to be made by every block, after those that are there already.
    fn learnt_outcome(&self, m: usize, when: usize, order: &[usize]) -> Result<LearntOutcome<T>> {
        let arguments = &self.model.arguments;
        let mut preferences = self.preferences(m, when);
        if !arguments.use_utility {
            preferences.fill(0.0);
        }
        let preferences: Vec<T> = preferences.into_iter().map(T::from_f64).collect();
        let joint = self.model.a[m].columns();
        let place: Vec<u32> =
            (0..joint).map(|column| self.place(m, order, column) as u32).collect();
        Ok(LearntOutcome {
            m,
            novel: false,
            first: self.learnt_before(false),
            place: Array::copied(self.memory, &place)?,
            preferences: Array::copied(self.memory, &preferences)?,
            gain: arguments.use_states_info_gain,
        })
    }

    /// The size of the tables of a kind that every block makes, so far.
    fn learnt_before(&self, novel: bool) -> usize {
        let alike =
            |table: &&DenseOutcome<T>| table.learnt.as_ref().is_some_and(|it| it.novel == novel);
        self.dense.iter().filter(alike).map(|table| table.rows * table.states).sum()
    }

    /// A and then w(pA), the factors' axes in the reverse of `order`.
    pub(super) fn gain_table(&mut self, m: usize, order: &[usize]) -> Result<usize> {
        if let Some(&table) = self.gains.get(&m) {
            return Ok(table);
        }
        let a = &self.model.a[m];
        let (outcomes, joint) = (a.rows(), a.columns());
        let states = self.transitions[order[0]].states;
        let rows = 2 * outcomes * joint / states;
        if self.model.arguments.learn_a {
            let place: Vec<u32> =
                (0..joint).map(|column| self.place(m, order, column) as u32).collect();
            let learnt = LearntOutcome {
                m,
                novel: true,
                first: self.learnt_before(true),
                place: Array::copied(self.memory, &place)?,
                preferences: Array::zeroed(self.memory, 0)?,
                gain: false,
            };
            let values = Array::zeroed(self.memory, 0)?;
            self.dense.push(DenseOutcome { values, states, rows, learnt: Some(learnt) });
            self.gains.insert(m, self.dense.len() - 1);
            return Ok(self.dense.len() - 1);
        }
        let weights = novelty_weights(&self.model.p_a[m], self.model.dialect);
        let mut values = Array::zeroed(self.memory, 2 * outcomes * joint)?;
        for column in 0..joint {
            let place = self.place(m, order, column);
            for (o, p) in a.column(column) {
                values[o * joint + place] = T::from_f64(p);
            }
            for o in 0..outcomes {
                values[(outcomes + o) * joint + place] = T::from_f64(weights[o * joint + column]);
            }
        }
        self.dense.push(DenseOutcome { values, states, rows, learnt: None });
        self.gains.insert(m, self.dense.len() - 1);
        Ok(self.dense.len() - 1)
    }

    /// Where a joint state of the file's order stands with the axes in the reverse of `order`.
    fn place(&self, m: usize, order: &[usize], mut column: usize) -> usize {
        let mut state = vec![0; self.transitions.len()];
        for &factor in self.model.a_dependencies[m].iter().rev() {
            let states = self.transitions[factor].states;
            state[factor] = column % states;
            column /= states;
        }
        let next = |place, &factor: &usize| place * self.transitions[factor].states + state[factor];
        order.iter().rev().fold(0, next)
    }
}

/// l and e seen from before `action`: l∘B_u and e∘B_u.
fn compose_with(
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
