//! How much each may take: limits in a tree.
//!
//! A request is checked at its level and at every level above, and taken from all of them or from none. One lock
//! per tree makes that one step: level by level, by compare-and-swap and roll-back, a large request that is
//! about to be refused higher up would for a moment fail a small one beside it. Budgets are asked
//! for chunks, not for objects, so the lock is cold.
//!
//! Invariants, at every level and moment: used = own + Σ children's used; reserved ≤ used ≤ limit; used ≤ peak.

use std::fmt;
use std::sync::Arc;

use crate::sync::Mutex;
use crate::{Error, ErrorKind, Result};

/// How many holders a refusal names.
const NAMED_HOLDERS: usize = 5;

/// One level of a tree of budgets; clones are handles to the same level.
///
/// ```
/// use populace_pool::Budget;
///
/// let process = Budget::new("process", 1 << 30);
/// let run = process.child("run", 512 << 20)?;
/// let reservation = run.reserve(300 << 20)?;
/// let error = run.reserve(300 << 20).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "300.0 MiB requested, but 300.0 MiB of budget 'run' of 512.0 MiB is taken and 212.0 MiB \
///      remains; largest holders: run 300.0 MiB"
/// );
/// drop(reservation);
/// assert_eq!(process.used_bytes(), 0);
/// # Ok::<(), populace_pool::Error>(())
/// ```
#[derive(Clone)]
pub struct Budget(Arc<Level>);

/// A level's place in its tree; the level goes when the last handle does.
struct Level {
    tree: Arc<Mutex<Tree>>,
    index: usize,
    /// Keeps the levels above.
    _parent: Option<Budget>,
}

#[derive(Debug, Default)]
struct Tree {
    nodes: Vec<Node>,
    free: Vec<usize>,
}

#[derive(Debug)]
struct Node {
    name: Arc<str>,
    parent: Option<usize>,
    limit: u64,
    own: u64,
    used: u64,
    reserved: u64,
    peak: u64,
}

/// A level's numbers at one moment, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetUse {
    /// The most that may be used.
    pub limit_bytes: u64,
    /// Used here and below, reserved or committed.
    pub used_bytes: u64,
    /// What of that is reserved and not yet committed.
    pub reserved_bytes: u64,
    /// The most that was ever used.
    pub peak_bytes: u64,
}

impl Budget {
    /// The root of a new tree.
    pub fn new(name: impl Into<String>, limit_bytes: u64) -> Self {
        let tree = Arc::new(Mutex::new(Tree::default()));
        Self::level(tree, name.into(), limit_bytes, None)
    }

    /// A level below this one, whose use counts here too. Its limit may be above this one's, which then
    /// refuses first.
    ///
    /// # Errors
    ///
    /// A limit of 0, under which nothing fits.
    pub fn child(&self, name: impl Into<String>, limit_bytes: u64) -> Result<Self> {
        if limit_bytes == 0 {
            return Err(Error::new(ErrorKind::BadSetting {
                name: "a budget's limit",
                value: 0,
                rule: "it must be at least 1 byte",
            }));
        }
        Ok(Self::level(self.0.tree.clone(), name.into(), limit_bytes, Some(self.clone())))
    }

    fn level(tree: Arc<Mutex<Tree>>, name: String, limit: u64, parent: Option<Self>) -> Self {
        let node = Node {
            name: name.into(),
            parent: parent.as_ref().map(|parent| parent.0.index),
            limit,
            own: 0,
            used: 0,
            reserved: 0,
            peak: 0,
        };
        let index = {
            let mut tree = tree.lock();
            match tree.free.pop() {
                Some(index) => {
                    tree.nodes[index] = node;
                    index
                }
                None => {
                    tree.nodes.push(node);
                    tree.nodes.len() - 1
                }
            }
        };
        Self(Arc::new(Level { tree, index, _parent: parent }))
    }

    /// Sets bytes aside; dropping the reservation gives them back.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::OverBudget`] names the level that refuses and its five largest holders; nothing changed.
    pub fn reserve(&self, bytes: u64) -> Result<Reservation> {
        let mut tree = self.0.tree.lock();
        tree.take(self.0.index, bytes)?;
        tree.add_reserved(self.0.index, bytes);
        Ok(Reservation { budget: self.clone(), bytes, committed_bytes: 0 })
    }

    /// Takes committed bytes without a handle; [`Self::give`] gives them back.
    pub(crate) fn take(&self, bytes: u64) -> Result<()> {
        self.0.tree.lock().take(self.0.index, bytes)
    }

    pub(crate) fn give(&self, bytes: u64) {
        self.0.tree.lock().give(self.0.index, bytes);
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.0.tree.lock().nodes[self.0.index].name.to_string()
    }

    /// Its numbers, all of one moment.
    pub fn usage(&self) -> BudgetUse {
        let tree = self.0.tree.lock();
        let node = &tree.nodes[self.0.index];
        BudgetUse {
            limit_bytes: node.limit,
            used_bytes: node.used,
            reserved_bytes: node.reserved,
            peak_bytes: node.peak,
        }
    }

    /// Used here and below, in bytes.
    pub fn used_bytes(&self) -> u64 {
        self.usage().used_bytes
    }

    /// Changes the limit.
    ///
    /// # Errors
    ///
    /// A limit below what is used now; nothing changed.
    pub fn set_limit(&self, limit_bytes: u64) -> Result<()> {
        let mut tree = self.0.tree.lock();
        let node = &mut tree.nodes[self.0.index];
        if limit_bytes < node.used {
            return Err(Error::new(ErrorKind::BadSetting {
                name: "a budget's limit",
                value: limit_bytes,
                rule: "more than that is used already",
            }));
        }
        node.limit = limit_bytes;
        Ok(())
    }
}

impl Tree {
    /// From a level up to the root.
    fn for_path(&mut self, mut index: usize, mut visit: impl FnMut(&mut Node)) {
        loop {
            let node = &mut self.nodes[index];
            visit(node);
            match node.parent {
                Some(parent) => index = parent,
                None => return,
            }
        }
    }

    fn take(&mut self, index: usize, bytes: u64) -> Result<()> {
        let mut level = Some(index);
        while let Some(at) = level {
            let node = &self.nodes[at];
            if bytes > node.limit - node.used {
                return Err(self.refusal(at, bytes));
            }
            level = node.parent;
        }
        self.nodes[index].own += bytes;
        self.for_path(index, |node| {
            node.used += bytes;
            node.peak = node.peak.max(node.used);
        });
        Ok(())
    }

    fn give(&mut self, index: usize, bytes: u64) {
        self.nodes[index].own -= bytes;
        self.for_path(index, |node| node.used -= bytes);
    }

    fn add_reserved(&mut self, index: usize, bytes: u64) {
        self.for_path(index, |node| node.reserved += bytes);
    }

    fn sub_reserved(&mut self, index: usize, bytes: u64) {
        self.for_path(index, |node| node.reserved -= bytes);
    }

    fn is_under(&self, mut index: usize, above: usize) -> bool {
        while index != above {
            match self.nodes[index].parent {
                Some(parent) => index = parent,
                None => return false,
            }
        }
        true
    }

    #[cold]
    fn refusal(&self, at: usize, requested_bytes: u64) -> Error {
        let mut largest: Vec<usize> = Vec::with_capacity(NAMED_HOLDERS + 1);
        for index in 0..self.nodes.len() {
            let own = self.nodes[index].own;
            let place = largest.partition_point(|&other| self.nodes[other].own >= own);
            if own > 0 && place < NAMED_HOLDERS && self.is_under(index, at) {
                largest.insert(place, index);
                largest.truncate(NAMED_HOLDERS);
            }
        }
        let node = &self.nodes[at];
        let holder = |index: usize| (self.nodes[index].name.to_string(), self.nodes[index].own);
        Error::new(ErrorKind::OverBudget {
            budget: node.name.to_string(),
            requested_bytes,
            used_bytes: node.used,
            limit_bytes: node.limit,
            holders: largest.into_iter().map(holder).collect(),
        })
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        let mut tree = self.tree.lock();
        let node = &mut tree.nodes[self.index];
        debug_assert_eq!(node.used, 0, "a level's holders keep it alive");
        node.own = 0;
        tree.free.push(self.index);
    }
}

/// The same level, by whichever handle.
impl PartialEq for Budget {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Budget {}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("name", &self.name()).field("usage", &self.usage()).finish()
    }
}

/// Bytes set aside in a budget, given back when it is dropped.
///
/// Reserved means promised, committed means that memory stands behind it; both count as used.
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    bytes: u64,
    committed_bytes: u64,
}

impl Reservation {
    /// All its bytes, committed or not.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What of it is committed.
    pub fn committed_bytes(&self) -> u64 {
        self.committed_bytes
    }

    /// Says that memory now stands behind `bytes` more of it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::OverLimit`] for more than was reserved; nothing changed.
    pub fn commit(&mut self, bytes: u64) -> Result<()> {
        if bytes > self.bytes - self.committed_bytes {
            return Err(Error::new(ErrorKind::OverLimit {
                requested_bytes: bytes,
                used_bytes: self.committed_bytes,
                limit_bytes: self.bytes,
            }));
        }
        self.budget.0.tree.lock().sub_reserved(self.budget.0.index, bytes);
        self.committed_bytes += bytes;
        Ok(())
    }

    /// Reserves more.
    ///
    /// # Errors
    ///
    /// As for [`Budget::reserve`]; nothing changed.
    pub fn grow(&mut self, bytes: u64) -> Result<()> {
        let mut tree = self.budget.0.tree.lock();
        tree.take(self.budget.0.index, bytes)?;
        tree.add_reserved(self.budget.0.index, bytes);
        self.bytes += bytes;
        Ok(())
    }

    /// Gives `bytes` back early, what is not committed first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::OverLimit`] for more than it holds; nothing changed.
    pub fn release(&mut self, bytes: u64) -> Result<()> {
        if bytes > self.bytes {
            return Err(Error::new(ErrorKind::OverLimit {
                requested_bytes: bytes,
                used_bytes: 0,
                limit_bytes: self.bytes,
            }));
        }
        let reserved = self.bytes - self.committed_bytes;
        let from_reserved = bytes.min(reserved);
        let mut tree = self.budget.0.tree.lock();
        tree.sub_reserved(self.budget.0.index, from_reserved);
        tree.give(self.budget.0.index, bytes);
        self.bytes -= bytes;
        self.committed_bytes -= bytes - from_reserved;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut tree = self.budget.0.tree.lock();
        tree.sub_reserved(self.budget.0.index, self.bytes - self.committed_bytes);
        tree.give(self.budget.0.index, self.bytes);
    }
}
