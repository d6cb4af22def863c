//! Where every byte is.
//!
//! Invariant, at any moment: agents + shared + scratch + pool idle + padding + overhead = the bytes
//! mapped at the root resource.

use std::sync::Arc;

use populace_pool::{
    Charge, Class, Ledger, Limit, Pages, Pool, Record, SharedResource, SizeClasses,
};

use crate::Result;
use crate::record::Code;

const AGENTS: Class = Class(0);
const SHARED: Class = Class(1);
const SCRATCH: Class = Class(2);
const OVERHEAD: Class = Class(3);

/// The engine's memory by what it is for, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// What each agent has of its own: beliefs, last action, its place in the world.
    pub agents: u64,
    /// What all agents share: the compiled model and the world's tables.
    pub shared: u64,
    /// What the threads work with, and the arrays of the last tick where they are kept.
    pub scratch: u64,
    /// Free memory that a pool keeps.
    pub pool_idle: u64,
    /// What rounding up to pages and size classes adds.
    pub padding: u64,
    /// What is kept free for the libraries that work beside the engine, such as a store's cache.
    pub overhead: u64,
}

impl Memory {
    /// Engine bytes: the sum of the classes.
    pub fn total(&self) -> u64 {
        self.agents + self.shared + self.scratch + self.pool_idle + self.padding + self.overhead
    }
}

/// How many agents' beliefs are stored how, all factors counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tiers {
    /// Beliefs that keep every state.
    pub dense: u64,
    /// Beliefs that keep the states of their support.
    pub sparse: u64,
    /// The same in half precision.
    pub dense_f16: u64,
    /// The same in half precision.
    pub sparse_f16: u64,
    /// The same in eight bits.
    pub dense_log8: u64,
    /// The same in eight bits.
    pub sparse_log8: u64,
    /// Beliefs of agents that have not observed anything: D itself, stored once for all.
    pub initial: u64,
}

impl Tiers {
    /// How many beliefs are coded so, in that form.
    pub(crate) fn of(&mut self, code: Code, dense: bool) -> &mut u64 {
        match (code, dense) {
            (Code::Exact, true) => &mut self.dense,
            (Code::Exact, false) => &mut self.sparse,
            (Code::F16, true) => &mut self.dense_f16,
            (Code::F16, false) => &mut self.sparse_f16,
            (Code::Log8, true) => &mut self.dense_log8,
            (Code::Log8, false) => &mut self.sparse_log8,
        }
    }
}

/// The root resource with its limit, the pool over it, and the classes charged to what they give:
///
/// ```text
/// pages ◄─ limit (the budget) ◄──────────────── charge (shared, overhead)
///                             ◄─ pool ◄──────── charge (agents, scratch)
/// ```
///
/// The pool keeps what chunks outgrow or shrink away from for the next chunk. What it may keep is
/// part of the worst case that admission asks for, so idle memory never stands in the way.
#[derive(Clone)]
pub(crate) struct EngineMemory {
    root: Arc<Limit<Pages>>,
    pool: Pool,
    /// The pool as chunks and workers see it.
    pooled: SharedResource,
    ledger: Arc<Ledger>,
}

/// The most that the pool keeps, in bytes; and per agent, about a hundredth of what a small one has.
const IDLE_BYTES: u64 = 8 << 20;
const IDLE_BYTES_AN_AGENT: u64 = 1;

/// The pool's only size class, in bytes: everything that the engine asks for is larger and is kept
/// by its own number of pages, so that nothing is rounded up further and no thread has a store of
/// its own (which would be made, on the heap, whenever a thread first meets a size).
const CLASS_BYTES: usize = 64;

/// The most blocks that the pool keeps.
const IDLE_COUNT: usize = 1024;

/// The page that the root rounds up to, in bytes.
pub(crate) fn page_bytes() -> u64 {
    Pages::page_bytes() as u64
}

/// The most bytes that the pool of so many agents keeps.
pub(crate) fn most_idle_bytes(agents: u64) -> u64 {
    agents.saturating_mul(IDLE_BYTES_AN_AGENT).min(IDLE_BYTES)
}

impl EngineMemory {
    pub(crate) fn new(budget_bytes: u64, agents: u64) -> Result<Self> {
        let root = Arc::new(Limit::new(Pages, budget_bytes, page_bytes()));
        let pool = Pool::builder(root.clone())
            .classes(SizeClasses::new(&[CLASS_BYTES])?)
            .max_idle_bytes(most_idle_bytes(agents))
            .max_idle_count(IDLE_COUNT)
            .build()?;
        let pooled = pool.resource();
        Ok(Self { root, pool, pooled, ledger: Arc::new(Ledger::default()) })
    }

    /// The same, with what is asked of the pool written down.
    pub(crate) fn recorded(budget_bytes: u64, agents: u64) -> Result<(Self, Arc<Record<Pool>>)> {
        let memory = Self::new(budget_bytes, agents)?;
        let record = Arc::new(Record::new(memory.pool.clone()));
        Ok((Self { pooled: record.clone(), ..memory }, record))
    }

    fn charged(&self, upstream: SharedResource, class: Class) -> SharedResource {
        Arc::new(Charge::new(upstream, self.ledger.clone(), class))
    }

    /// Bytes mapped at the root.
    pub(crate) fn engine_bytes(&self) -> u64 {
        self.root.used_bytes()
    }

    pub(crate) fn agents(&self) -> SharedResource {
        self.charged(self.pooled.clone(), AGENTS)
    }

    pub(crate) fn shared(&self) -> SharedResource {
        self.charged(self.root.clone(), SHARED)
    }

    pub(crate) fn scratch(&self) -> SharedResource {
        self.charged(self.pooled.clone(), SCRATCH)
    }

    /// What may still be taken, in bytes: what the pool keeps counts as free.
    pub(crate) fn free_bytes(&self) -> u64 {
        self.root.limit_bytes() - self.root.used_bytes() + self.pool.idle_bytes()
    }

    /// What libraries take on the heap is charged by taking as much here and never touching it: it
    /// counts against the budget, and no page of it becomes resident.
    pub(crate) fn overhead(&self) -> SharedResource {
        self.charged(self.root.clone(), OVERHEAD)
    }

    /// Gives back what the pool keeps.
    pub(crate) fn trim(&self) {
        self.pool.trim();
    }

    /// The split of engine bytes now; only exact while nothing is being allocated.
    pub(crate) fn split(&self) -> Memory {
        Memory {
            agents: self.ledger.used_bytes(AGENTS),
            shared: self.ledger.used_bytes(SHARED),
            scratch: self.ledger.used_bytes(SCRATCH),
            pool_idle: self.pool.idle_bytes(),
            padding: self.ledger.padding_bytes(),
            overhead: self.ledger.used_bytes(OVERHEAD),
        }
    }
}
