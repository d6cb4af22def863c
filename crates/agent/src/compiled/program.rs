//! Planning as a straight-line program.
//!
//! Policies are a prefix tree. Its nodes ask for three kinds of values, each computed once whoever
//! asks (equal requests are one value):
//!
//! - a *belief* of a factor: an action applied to the beliefs it depends on. An uncontrolled factor
//!   has one a step, a controlled one as many as its own actions tell apart; where moves are certain,
//!   action sequences that lead to the same map are one belief.
//! - an *outcome value* of a modality under its beliefs, and the partial contractions on the way
//!   there, the least varied factor first; or all the values that are taken from one belief, as a
//!   family.
//! - a *score*: the parent's score plus the outcome values of the step.
//! - in a graph, a *weight*: how much a step and all that may follow it weigh, as a logarithm, and
//!   what the weights of a node's steps amount to.
//!
//! The builder emits operations in an order that keeps siblings together, then gives every value
//! rows of a scratch, reusing rows after their last reader. The program is words in one array, so
//! that it is engine memory like any other.

use std::collections::HashMap;

/// A belief, partial contraction, outcome value or score.
pub(super) type Value = usize;

/// What to compute; inputs are values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Request {
    /// Belief of a factor before the first step.
    Root { factor: usize },
    /// The belief of `factor` after `action`.
    Belief { factor: usize, action: usize, from: Vec<Value> },
    /// The outcome values of a family of tables, from one belief.
    Family { family: usize, belief: Value },
    /// A structured outcome value of a table, from one belief: the `place`th of its family's.
    Sparse { table: usize, belief: Value, family: Value, place: usize },
    /// A dense outcome table contracted with its first belief.
    Contract { table: usize, belief: Value },
    /// A partial contraction contracted with one more belief.
    ContractLanes { partial: Value, belief: Value },
    /// An outcome value from a complete contraction.
    Dense { rows: Value },
    /// What states are worth on the way to the goal of a factor, by its present belief.
    Goal { factor: usize, present: Value },
    /// −Σ_i x\[i\]·x\[n + i\] of 2n contracted rows: what A gains.
    Products { rows: Value },
    /// What B of a factor gains: from the beliefs before an action and its own after.
    Learnt { factor: usize, action: usize, after: Value, from: Vec<Value> },
    /// What a step is worth over all modalities jointly, from the beliefs of all factors.
    Joint { time: usize, beliefs: Vec<Value> },
    /// The sum of the terms.
    Score { terms: Vec<Value> },
    /// scale · score + habit + future, the first two constants of the plan.
    Weight { scale: usize, habit: usize, score: Value, future: Option<Value> },
    /// ln Σ exp of the terms.
    LogSumExp { terms: Vec<Value> },
    /// The largest of the terms.
    Max { terms: Vec<Value> },
}

/// Values by request; every value knows its rows.
#[derive(Debug, Default)]
pub(super) struct Builder {
    requests: Vec<Request>,
    rows: Vec<usize>,
    known: HashMap<Request, Value>,
    /// Values in the order of their computation, each after its inputs.
    order: Vec<Value>,
    emitted: Vec<bool>,
}

impl Builder {
    /// The value of a request of so many rows, new or known.
    pub(super) fn value(&mut self, request: Request, rows: usize) -> Value {
        if let Some(&value) = self.known.get(&request) {
            return value;
        }
        let value = self.requests.len();
        self.known.insert(request.clone(), value);
        self.requests.push(request);
        self.rows.push(rows);
        self.emitted.push(false);
        value
    }

    /// The value of a request, where there is one.
    pub(super) fn known(&self, request: &Request) -> Option<Value> {
        self.known.get(request).copied()
    }

    /// Lets `value` answer one more request.
    pub(super) fn alias(&mut self, request: Request, value: Value) {
        self.known.insert(request, value);
    }

    /// Puts a value, and what it needs, into the program.
    pub(super) fn emit(&mut self, value: Value) {
        if std::mem::replace(&mut self.emitted[value], true) {
            return;
        }
        for input in self.inputs(value) {
            self.emit(input);
        }
        self.order.push(value);
    }

    fn inputs(&self, value: Value) -> Vec<Value> {
        match &self.requests[value] {
            Request::Root { .. } => Vec::new(),
            Request::Belief { from, .. } => from.clone(),
            Request::Family { belief, .. } | Request::Contract { belief, .. } => vec![*belief],
            Request::Sparse { belief, family, .. } => vec![*belief, *family],
            Request::ContractLanes { partial, belief } => vec![*partial, *belief],
            Request::Dense { rows } | Request::Products { rows } => vec![*rows],
            Request::Goal { present, .. } => vec![*present],
            Request::Learnt { after, from, .. } => {
                std::iter::once(*after).chain(from.iter().copied()).collect()
            }
            Request::Joint { beliefs, .. } => beliefs.clone(),
            Request::Score { terms } | Request::LogSumExp { terms } | Request::Max { terms } => {
                terms.clone()
            }
            Request::Weight { score, future, .. } => {
                std::iter::once(*score).chain(*future).collect()
            }
        }
    }

    /// Gives every emitted value its rows and writes the program. Roots stand at `roots` (first
    /// row by factor), other values from row `first` on; `kept` are read after the end.
    pub(super) fn finish(self, roots: &[usize], first: usize, kept: &[Value]) -> Layout {
        let mut last_reader = vec![0_usize; self.requests.len()];
        for (step, &value) in self.order.iter().enumerate() {
            for input in self.inputs(value) {
                last_reader[input] = step;
            }
        }
        for &value in kept {
            last_reader[value] = usize::MAX;
        }
        let mut dying: HashMap<usize, Vec<Value>> = HashMap::new();
        let mut place = vec![0_usize; self.requests.len()];
        let mut free = FreeRows::starting_at(first);
        let mut words = Vec::new();
        for (step, &value) in self.order.iter().enumerate() {
            if let Request::Root { factor } = self.requests[value] {
                place[value] = roots[factor];
                continue;
            }
            if self.rows[value] == 1 {
                // The sparse step computes all outcome values before any score, so these do not
                // share rows over time.
                place[value] = free.fresh(1);
            } else {
                place[value] = free.take(self.rows[value]);
                dying.entry(last_reader[value]).or_default().push(value);
            }
            self.write(value, &place, &mut words);
            for value in dying.remove(&step).unwrap_or_default() {
                free.give(place[value], self.rows[value]);
            }
        }
        Layout { words, end: free.end, kept: kept.iter().map(|&value| place[value]).collect() }
    }

    fn write(&self, value: Value, place: &[usize], words: &mut Vec<u32>) {
        let mut put = |operation: Operation, arguments: &[usize], lists: &[Value]| {
            words.push(operation as u32);
            words.extend(arguments.iter().map(|&word| word as u32));
            words.extend(lists.iter().map(|&value| place[value] as u32));
        };
        let out = place[value];
        match &self.requests[value] {
            Request::Root { .. } => {}
            Request::Belief { factor, action, from } => {
                put(Operation::Belief, &[*factor, *action, out], from);
            }
            Request::Family { family, belief } => {
                put(Operation::Family, &[*family, out], &[*belief]);
            }
            Request::Sparse { table, belief, family, place: nth } => {
                put(Operation::Sparse, &[*table, out, place[*family] + nth], &[*belief]);
            }
            Request::Contract { table, belief } => {
                put(Operation::Contract, &[*table, out], &[*belief]);
            }
            Request::ContractLanes { partial, belief } => {
                let (n, s) = (self.rows[value], self.rows[*belief]);
                put(Operation::ContractLanes, &[n, s, out], &[*partial, *belief]);
            }
            Request::Dense { rows } => {
                put(Operation::Dense, &[self.rows[*rows], out], &[*rows]);
            }
            Request::Goal { factor, present } => {
                put(Operation::Goal, &[*factor, out], &[*present]);
            }
            Request::Products { rows } => {
                put(Operation::Products, &[self.rows[*rows], out], &[*rows]);
            }
            Request::Learnt { factor, action, after, from } => {
                let mut lists = vec![*after];
                lists.extend(from);
                put(Operation::Learnt, &[*factor, *action, out], &lists);
            }
            Request::Joint { time, beliefs } => put(Operation::Joint, &[*time, out], beliefs),
            Request::Score { terms } => put(Operation::Score, &[terms.len(), out], terms),
            Request::Weight { scale, habit, score, future } => {
                let terms: Vec<Value> = std::iter::once(*score).chain(*future).collect();
                put(Operation::Weight, &[terms.len(), *scale, *habit, out], &terms);
            }
            Request::LogSumExp { terms } => {
                put(Operation::LogSumExp, &[terms.len(), out], terms);
            }
            Request::Max { terms } => put(Operation::Max, &[terms.len(), out], terms),
        }
    }
}

/// A program and where its results stand.
#[derive(Debug)]
pub(super) struct Layout {
    /// Operations and their arguments.
    pub(super) words: Vec<u32>,
    /// One past the last row that the program uses.
    pub(super) end: usize,
    /// The rows of the kept values.
    pub(super) kept: Vec<usize>,
}

/// The operations of a program; arguments follow as words, values by their first row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Operation {
    /// factor, action, out, beliefs of the factor's dependencies.
    Belief,
    /// family, out, belief.
    Family,
    /// table, out, its place in its family's values, belief.
    Sparse,
    /// table, out, belief.
    Contract,
    /// n, s, out, partial, belief.
    ContractLanes,
    /// rows, out, contraction.
    Dense,
    /// factor, out, present belief.
    Goal,
    /// rows, out, contraction.
    Products,
    /// factor, action, out, belief after, beliefs of the factor's dependencies before.
    Learnt,
    /// time, out, beliefs of all factors.
    Joint,
    /// count, out, terms.
    Score,
    /// count (1 or 2), scale, habit, out, score, future if there is one.
    Weight,
    /// count, out, terms.
    LogSumExp,
    /// count, out, terms.
    Max,
}

impl Operation {
    /// The operation of a word that a builder wrote.
    pub(crate) fn of(word: u32) -> Self {
        const ALL: [Operation; 14] = [
            Operation::Belief,
            Operation::Family,
            Operation::Sparse,
            Operation::Contract,
            Operation::ContractLanes,
            Operation::Dense,
            Operation::Goal,
            Operation::Products,
            Operation::Learnt,
            Operation::Joint,
            Operation::Score,
            Operation::Weight,
            Operation::LogSumExp,
            Operation::Max,
        ];
        ALL[word as usize]
    }
}

/// Rows that nobody reads any more, for the next value of that size or a smaller one.
#[derive(Debug)]
struct FreeRows {
    /// (size, start), by size.
    free: std::collections::BTreeSet<(usize, usize)>,
    end: usize,
}

impl FreeRows {
    fn starting_at(end: usize) -> Self {
        Self { free: std::collections::BTreeSet::new(), end }
    }

    fn take(&mut self, rows: usize) -> usize {
        let Some(&(size, start)) = self.free.range((rows, 0)..).next() else {
            return self.fresh(rows);
        };
        self.free.remove(&(size, start));
        if size > rows {
            self.free.insert((size - rows, start + rows));
        }
        start
    }

    fn fresh(&mut self, rows: usize) -> usize {
        let start = self.end;
        self.end += rows;
        start
    }

    fn give(&mut self, start: usize, rows: usize) {
        self.free.insert((rows, start));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_requests_are_one_value_and_rows_are_reused_after_their_last_reader() {
        let mut builder = Builder::default();
        let root = builder.value(Request::Root { factor: 0 }, 3);
        let step = |builder: &mut Builder, action, from| {
            builder.value(Request::Belief { factor: 0, action, from: vec![from] }, 3)
        };
        let left = step(&mut builder, 0, root);
        assert_eq!(step(&mut builder, 0, root), left);
        let again = step(&mut builder, 0, left);
        let last = step(&mut builder, 0, again);
        builder.emit(last);
        let layout = builder.finish(&[0], 3, &[last]);
        // `left` dies when `again` is computed, and `last` takes its rows.
        assert_eq!(layout.end, 9);
        assert_eq!(layout.kept, [3]);
        let belief = Operation::Belief as u32;
        assert_eq!(layout.words, [belief, 0, 0, 3, 0, belief, 0, 0, 6, 3, belief, 0, 0, 3, 6]);
    }
}
