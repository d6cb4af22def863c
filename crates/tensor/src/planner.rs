//! Plans operations, remembers the plans, and runs them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use populace_pool::{Buffer, SharedResource};

use crate::hash::{Mixer, Unchanged};
use crate::plan::{Limits, Operation, Plan};
use crate::tensor::ALIGN_BYTES;
use crate::{Operand, Output, Result, Tensor};

/// Calculates with tensors: the front door of the crate.
///
/// A planner remembers a plan for every operation, shape, stride and type it has met, so that
/// doing the same again plans nothing and allocates nothing from the heap. Results and temporaries
/// come from the resource it was made with; take a pool, if calls are many and small. It can be
/// shared by threads.
///
/// ```
/// use populace_pool::{Pages, SharedResource};
/// use populace_tensor::{Planner, View};
///
/// let resource: SharedResource = std::sync::Arc::new(Pages);
/// let planner = Planner::new(&resource);
/// let a = View::new(&[1.0, 2.0, 3.0, 4.0], &[2, 2])?;
/// let x = View::new(&[1.0, 10.0], &[2])?;
/// let y = planner.einsum("ij,j->i", &[a.into(), x.into()])?;
/// assert_eq!(y.as_slice::<f64>()?, [21.0, 43.0]);
/// # Ok::<(), populace_tensor::Error>(())
/// ```
pub struct Planner {
    resource: SharedResource,
    limits: Limits,
    plans: Mutex<Plans>,
}

/// The plans by the hash of what they are for.
struct Plans {
    by_hash: HashMap<u64, Vec<Arc<Plan>>, BuildHasherDefault<Unchanged>>,
    count: usize,
}

/// Plans remembered at most; beyond it all are forgotten, which bounds the memory of a program
/// whose shapes never repeat.
const MOST_PLANS: usize = 4096;

impl std::fmt::Debug for Planner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Planner").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Planner {
    /// A planner that takes all processors and any memory of `resource`.
    pub fn new(resource: &SharedResource) -> Self {
        Self::with_limits(resource, Limits::default())
    }

    /// A planner with bounds on threads and temporaries.
    pub fn with_limits(resource: &SharedResource, limits: Limits) -> Self {
        let plans = Plans { by_hash: HashMap::default(), count: 0 };
        Self { resource: resource.clone(), limits, plans: Mutex::new(plans) }
    }

    /// NumPy's einsum (see the module `expression` for the language).
    ///
    /// # Errors
    ///
    /// The expression is malformed or does not fit the operands, memory is refused, or the
    /// temporaries exceed the limit.
    pub fn einsum(&self, expression: &str, operands: &[Operand<'_>]) -> Result<Tensor> {
        self.run_new(Key::Einsum(expression), operands)
    }

    /// As [`Self::einsum`], into `out`.
    ///
    /// # Errors
    ///
    /// As [`Self::einsum`], or `out` has another shape, cannot hold the result's type safely, or
    /// shares memory with an operand. Nothing was written then.
    pub fn einsum_into<'o>(
        &self,
        expression: &str,
        operands: &[Operand<'_>],
        out: impl Into<Output<'o>>,
    ) -> Result<()> {
        self.run_into(Key::Einsum(expression), operands, out.into())
    }

    /// NumPy's matmul: the last two axes multiply, the others are broadcast.
    ///
    /// # Errors
    ///
    /// The shapes do not go together, or memory is refused.
    pub fn matmul<'a>(
        &self,
        left: impl Into<Operand<'a>>,
        right: impl Into<Operand<'a>>,
    ) -> Result<Tensor> {
        self.run_new(Key::Matmul, &[left.into(), right.into()])
    }

    /// As [`Self::matmul`], into `out`.
    ///
    /// # Errors
    ///
    /// As [`Self::matmul`], or `out` does not fit. Nothing was written then.
    pub fn matmul_into<'a, 'o>(
        &self,
        left: impl Into<Operand<'a>>,
        right: impl Into<Operand<'a>>,
        out: impl Into<Output<'o>>,
    ) -> Result<()> {
        self.run_into(Key::Matmul, &[left.into(), right.into()], out.into())
    }

    /// NumPy's dot: sums over the last axis of the left and the last but one of the right.
    ///
    /// # Errors
    ///
    /// The shapes do not go together, or memory is refused.
    pub fn dot<'a>(
        &self,
        left: impl Into<Operand<'a>>,
        right: impl Into<Operand<'a>>,
    ) -> Result<Tensor> {
        self.run_new(Key::Dot, &[left.into(), right.into()])
    }

    /// As [`Self::dot`], into `out`.
    ///
    /// # Errors
    ///
    /// As [`Self::dot`], or `out` does not fit. Nothing was written then.
    pub fn dot_into<'a, 'o>(
        &self,
        left: impl Into<Operand<'a>>,
        right: impl Into<Operand<'a>>,
        out: impl Into<Output<'o>>,
    ) -> Result<()> {
        self.run_into(Key::Dot, &[left.into(), right.into()], out.into())
    }

    /// A shared matrix (i, j) times many vectors (…, j), into `out` (…, i): one matrix product,
    /// where a loop over the vectors would read the matrix as often as there are vectors.
    ///
    /// # Errors
    ///
    /// The shapes do not go together, or memory is refused. Nothing was written then.
    pub fn matvecs_into<'a, 'o>(
        &self,
        matrix: impl Into<Operand<'a>>,
        vectors: impl Into<Operand<'a>>,
        out: impl Into<Output<'o>>,
    ) -> Result<()> {
        self.run_into(Key::Matvecs, &[matrix.into(), vectors.into()], out.into())
    }

    /// The plan that an einsum of these operands follows.
    ///
    /// # Errors
    ///
    /// As [`Self::einsum`].
    pub fn plan(&self, expression: &str, operands: &[Operand<'_>]) -> Result<Arc<Plan>> {
        self.find(Key::Einsum(expression), operands, None)
    }

    /// The plan that an operation on these operands follows.
    ///
    /// # Errors
    ///
    /// As for the operation.
    pub fn plan_for(&self, operation: &Operation, operands: &[Operand<'_>]) -> Result<Arc<Plan>> {
        self.find(Key::of(operation), operands, None)
    }

    /// Any operation, into `out`.
    ///
    /// # Errors
    ///
    /// As for the operation. Nothing was written then.
    pub fn run_operation<'o>(
        &self,
        operation: &Operation,
        operands: &[Operand<'_>],
        out: impl Into<Output<'o>>,
    ) -> Result<()> {
        self.run_into(Key::of(operation), operands, out.into())
    }

    fn run_new(&self, key: Key<'_>, operands: &[Operand<'_>]) -> Result<Tensor> {
        let plan = self.find(key, operands, None)?;
        let mut tensor = Tensor::uninit(&self.resource, plan.dtype(), plan.shape())?;
        self.run(&plan, operands, &mut Output::from(&mut tensor))?;
        Ok(tensor)
    }

    fn run_into(&self, key: Key<'_>, operands: &[Operand<'_>], mut out: Output<'_>) -> Result<()> {
        let plan = self.find(key, operands, Some(&out))?;
        out.check_alias(operands)?;
        self.run(&plan, operands, &mut out)
    }

    fn run(&self, plan: &Plan, operands: &[Operand<'_>], out: &mut Output<'_>) -> Result<()> {
        let needed = plan.peak_temporary_bytes();
        if needed == 0 {
            // SAFETY: no byte of the scratch is used.
            return unsafe { plan.run(operands, out, NonNull::dangling()) };
        }
        let mut scratch = Buffer::new(&self.resource, needed, ALIGN_BYTES)?;
        let first = NonNull::new(scratch.as_mut_ptr()).unwrap_or(NonNull::dangling());
        // SAFETY: the buffer is this call's alone, and as long as the plan says.
        unsafe { plan.run(operands, out, first) }
    }

    fn find(
        &self,
        key: Key<'_>,
        operands: &[Operand<'_>],
        out: Option<&Output<'_>>,
    ) -> Result<Arc<Plan>> {
        let signature = |operand: &Operand<'_>| (operand.dtype, operand.layout.clone());
        let hash = {
            let mut hasher = Mixer::default();
            key.hash(&mut hasher);
            operands.iter().for_each(|operand| (operand.dtype, &operand.layout).hash(&mut hasher));
            out.map(|out| (out.dtype, &out.layout)).hash(&mut hasher);
            hasher.finish()
        };
        let mut plans = self.lock();
        if let Some(found) = plans.by_hash.get(&hash).and_then(|candidates| {
            let fits = |plan: &&Arc<Plan>| key.names(plan.operation()) && plan.fits(operands, out);
            candidates.iter().find(fits)
        }) {
            return Ok(found.clone());
        }
        let out = out.map(|out| (out.dtype, out.layout.clone()));
        let operands = operands.iter().map(signature).collect();
        let plan = Arc::new(Plan::new(key.operation(), operands, out, self.limits)?);
        if plans.count == MOST_PLANS {
            plans.by_hash.clear();
            plans.count = 0;
        }
        plans.count += 1;
        plans.by_hash.entry(hash).or_default().push(plan.clone());
        Ok(plan)
    }

    fn lock(&self) -> MutexGuard<'_, Plans> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An operation that borrows its expression, so that looking a plan up copies nothing.
#[derive(Clone, Copy, Hash)]
enum Key<'e> {
    Einsum(&'e str),
    Matmul,
    Dot,
    Matvecs,
}

impl<'e> Key<'e> {
    fn of(operation: &'e Operation) -> Self {
        match operation {
            Operation::Einsum(text) => Self::Einsum(text),
            Operation::Matmul => Self::Matmul,
            Operation::Dot => Self::Dot,
            Operation::Matvecs => Self::Matvecs,
        }
    }

    fn operation(self) -> Operation {
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
