//! Plans that were made, by what they were made for; and the file that warms them.
//!
//! The file names operations, shapes, strides and types, not steps: plans are made anew for the
//! processor that reads it. It is JSON, `{"version": 1, "plans": […]}`.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::io::{Read, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::hash::{Mixer, Unchanged};
use crate::layout::Layout;
use crate::plan::{Limits, Operation, Plan};
use crate::{Dtype, Error, ErrorKind, Operand, Output, Result};

/// Plans remembered at most; beyond it all are forgotten, which bounds the memory of a program
/// whose shapes never repeat.
const MOST_PLANS: usize = 4096;

/// The version of the file that is written, and the only one so far.
const VERSION: u32 = 1;

/// An operation that borrows its expression, so that looking a plan up copies nothing.
#[derive(Clone, Copy, Hash)]
pub(crate) enum Key<'e> {
    Einsum(&'e str),
    Matmul,
    Dot,
    Matvecs,
}

impl<'e> Key<'e> {
    pub(crate) fn of(operation: &'e Operation) -> Self {
        match operation {
            Operation::Einsum(text) => Self::Einsum(text),
            Operation::Matmul => Self::Matmul,
            Operation::Dot => Self::Dot,
            Operation::Matvecs => Self::Matvecs,
        }
    }

    pub(crate) fn operation(self) -> Operation {
        match self {
            Self::Einsum(text) => Operation::Einsum(text.to_owned()),
            Self::Matmul => Operation::Matmul,
            Self::Dot => Operation::Dot,
            Self::Matvecs => Operation::Matvecs,
        }
    }

    fn names(self, operation: &Operation) -> bool {
        match (self, operation) {
            (Self::Einsum(text), Operation::Einsum(other)) => text == other,
            (Self::Matmul, Operation::Matmul)
            | (Self::Dot, Operation::Dot)
            | (Self::Matvecs, Operation::Matvecs) => true,
            _ => false,
        }
    }
}

/// The hash of a call.
pub(crate) fn hash<'l>(
    key: Key<'_>,
    operands: impl Iterator<Item = (Dtype, &'l Layout)>,
    out: Option<(Dtype, &'l Layout)>,
) -> u64 {
    let mut hasher = Mixer::default();
    key.hash(&mut hasher);
    operands.for_each(|operand| operand.hash(&mut hasher));
    out.hash(&mut hasher);
    hasher.finish()
}

/// The plans by the hash of what they are for.
#[derive(Default)]
pub(crate) struct Cache {
    by_hash: HashMap<u64, Vec<Arc<Plan>>, BuildHasherDefault<Unchanged>>,
    count: usize,
}

impl Cache {
    /// The plan of a call; its hash spares most comparisons.
    pub(crate) fn find(
        &self,
        hash: u64,
        key: Key<'_>,
        operands: &[Operand<'_>],
        out: Option<&Output<'_>>,
    ) -> Option<&Arc<Plan>> {
        let fits = |plan: &&Arc<Plan>| key.names(plan.operation()) && plan.fits(operands, out);
        self.by_hash.get(&hash)?.iter().find(fits)
    }

    pub(crate) fn insert(&mut self, hash: u64, plan: Arc<Plan>) {
        if self.count == MOST_PLANS {
            *self = Self::default();
        }
        self.count += 1;
        self.by_hash.entry(hash).or_default().push(plan);
    }

    pub(crate) fn plans(&self) -> impl Iterator<Item = &Arc<Plan>> {
        self.by_hash.values().flatten()
    }

    /// Writes what the plans are for.
    pub(crate) fn write(&self, to: impl Write) -> Result<()> {
        let mut plans: Vec<Entry> = self.plans().map(|plan| Entry::of(plan)).collect();
        plans.sort_by_cached_key(|entry| serde_json::to_string(entry).unwrap_or_default());
        let file = File { version: VERSION, plans };
        serde_json::to_writer(to, &file).map_err(|error| unusable(&error.to_string()))
    }

    /// Makes the plans that a file names; answers how many.
    pub(crate) fn read(&mut self, from: impl Read, limits: Limits) -> Result<usize> {
        let file: serde_json::Value =
            serde_json::from_reader(from).map_err(|error| unusable(&error.to_string()))?;
        let version = file.get("version").and_then(serde_json::Value::as_u64);
        if version != Some(u64::from(VERSION)) {
            let found = version.map_or("no version".to_owned(), |v| format!("version {v}"));
            return Err(unusable(&format!("it has {found}, and version {VERSION} is known")));
        }
        let file: File =
            serde_json::from_value(file).map_err(|error| unusable(&error.to_string()))?;
        // All of them are made before the first is remembered: a bad file changes nothing.
        let mut made = Vec::with_capacity(file.plans.len());
        for entry in &file.plans {
            made.push(entry.plan(limits)?);
        }
        let count = made.len();
        for plan in made {
            let (operands, out) = plan.layouts();
            let out = out.map(|(dtype, layout)| (*dtype, layout));
            let operands = operands.iter().map(|(dtype, layout)| (*dtype, layout));
            let hash = hash(Key::of(plan.operation()), operands, out);
            let known = self.by_hash.get(&hash).into_iter().flatten();
            if !known.into_iter().any(|known| known.same_call(&plan)) {
                self.insert(hash, Arc::new(plan));
            }
        }
        Ok(count)
    }
}

fn unusable(reason: &str) -> Error {
    Error::new(ErrorKind::CacheFile(reason.to_owned()))
}

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    plans: Vec<Entry>,
}

/// What a plan is for.
#[derive(Serialize, Deserialize)]
struct Entry {
    operation: Operation,
    operands: Vec<Form>,
    /// Missing for a new row-major result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    out: Option<Form>,
}

/// The type of an operand or an output, and how it lies in memory.
#[derive(Serialize, Deserialize)]
struct Form {
    dtype: Dtype,
    shape: Vec<usize>,
    strides: Vec<isize>,
}

impl Form {
    fn of((dtype, layout): &(Dtype, Layout)) -> Self {
        Self { dtype: *dtype, shape: layout.shape.to_vec(), strides: layout.strides.to_vec() }
    }

    fn layout(&self) -> Result<(Dtype, Layout)> {
        Ok((self.dtype, Layout::strided(&self.shape, &self.strides)?))
    }
}

impl Entry {
    fn of(plan: &Plan) -> Self {
        let (operands, out) = plan.layouts();
        Self {
            operation: plan.operation().clone(),
            operands: operands.iter().map(Form::of).collect(),
            out: out.map(Form::of),
        }
    }

    fn plan(&self, limits: Limits) -> Result<Plan> {
        let operands: Result<Vec<_>> = self.operands.iter().map(Form::layout).collect();
        let out = self.out.as_ref().map(Form::layout).transpose()?;
        Plan::new(self.operation.clone(), operands?, out, limits)
    }
}
