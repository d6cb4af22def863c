//! Plans operations, remembers the plans, and runs them.

use std::io::{Read, Write};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use populace_pool::{Buffer, SharedResource};

use crate::cache::{Cache, Key, hash};
use crate::plan::{Limits, Operation, Plan};
use crate::tensor::ALIGN_BYTES;
use crate::{Dtype, Operand, Output, Result, Tensor};

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
    plans: Mutex<Cache>,
    records: AtomicBool,
}

/// What was calculated, and how often: a record of [`Planner::recorded`].
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Recorded {
    /// The operation.
    pub operation: Operation,
    /// The type and shape of every operand.
    pub operands: Vec<(Dtype, Vec<usize>)>,
    /// How many calls there were while recording.
    pub calls: u64,
    /// Multiplications and additions of one call, in pairs.
    pub multiply_adds: u64,
    /// The temporaries of one call, in bytes.
    pub temporary_bytes: usize,
}

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
        let (plans, records) = (Mutex::default(), AtomicBool::new(false));
        Self { resource: resource.clone(), limits, plans, records }
    }

    /// NumPy's einsum: `"ij,jk->ik"` names the axes of every operand, and those of the result behind the
    /// arrow; what the result does not name is summed over.
    ///
    /// Labels are a-z and A-Z, 52 in all, and spaces are skipped. A label that stands twice in an operand takes
    /// the diagonal. `...` stands for any number of axes, which are broadcast from the last one forward, as
    /// axes of size 1 are. Without an arrow the result has the axes of `...`, then every label that stands
    /// once, A-Z before a-z. Other than in NumPy, an empty expression is refused.
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
        // SAFETY: the plan is for these operands and a new row-major result, which the tensor is.
        unsafe { self.run(&plan, operands, &mut Output::from(&mut tensor))? };
        Ok(tensor)
    }

    fn run_into(&self, key: Key<'_>, operands: &[Operand<'_>], mut out: Output<'_>) -> Result<()> {
        let plan = self.find(key, operands, Some(&out))?;
        out.check_alias(operands)?;
        // SAFETY: the plan is for these operands and this `out`, which were just found to share no memory.
        unsafe { self.run(&plan, operands, &mut out) }
    }

    /// Starts or stops counting calls.
    pub fn record(&self, on: bool) {
        self.records.store(on, Ordering::Relaxed);
    }

    /// What was calculated while recording, the most multiply-adds first.
    pub fn recorded(&self) -> Vec<Recorded> {
        let entry = |plan: &Arc<Plan>| Recorded {
            operation: plan.operation().clone(),
            operands: plan.operands().map(|(dtype, shape)| (dtype, shape.to_vec())).collect(),
            calls: plan.calls(),
            multiply_adds: plan.multiply_adds(),
            temporary_bytes: plan.peak_temporary_bytes(),
        };
        let mut all: Vec<_> = self.lock().plans().map(entry).filter(|e| e.calls > 0).collect();
        all.sort_by_key(|entry| {
            std::cmp::Reverse(entry.calls.saturating_mul(entry.multiply_adds.max(1)))
        });
        all
    }

    /// Writes what the remembered plans are for, as JSON, for [`Self::warm`].
    ///
    /// # Errors
    ///
    /// The writer fails.
    pub fn save(&self, to: impl Write) -> Result<()> {
        self.lock().write(to)
    }

    /// Makes the plans that a file of [`Self::save`] names, so that the first call with such
    /// operands finds them; answers how many. A file that cannot be used changes nothing.
    ///
    /// # Errors
    ///
    /// The file is unreadable, of an unknown version, or names an operation that cannot be.
    ///
    /// ```
    /// # use populace_tensor::{Planner, View};
    /// # let resource: populace_pool::SharedResource = std::sync::Arc::new(populace_pool::Pages);
    /// let planner = Planner::new(&resource);
    /// planner.einsum("i->", &[View::new(&[1.0, 2.0], &[2])?.into()])?;
    /// let mut file = Vec::new();
    /// planner.save(&mut file)?;
    /// assert_eq!(Planner::new(&resource).warm(file.as_slice())?, 1);
    /// # Ok::<(), populace_tensor::Error>(())
    /// ```
    pub fn warm(&self, from: impl Read) -> Result<usize> {
        self.lock().read(from, self.limits)
    }

    /// # Safety
    ///
    /// [`Self::find`] answered the plan for these operands and this `out`, and they share no memory.
    unsafe fn run(
        &self,
        plan: &Plan,
        operands: &[Operand<'_>],
        out: &mut Output<'_>,
    ) -> Result<()> {
        if self.records.load(Ordering::Relaxed) {
            plan.count_call();
        }
        let needed = plan.peak_temporary_bytes();
        if needed == 0 {
            // SAFETY: the caller's promise; no byte of the scratch is used.
            unsafe { plan.run(operands, out, NonNull::dangling()) };
            return Ok(());
        }
        let mut scratch = Buffer::new(&self.resource, needed, ALIGN_BYTES)?;
        let first = NonNull::new(scratch.as_mut_ptr()).unwrap_or(NonNull::dangling());
        // SAFETY: the caller's promise; the buffer is this call's alone, and as long as the plan says.
        unsafe { plan.run(operands, out, first) };
        Ok(())
    }

    fn find(
        &self,
        key: Key<'_>,
        operands: &[Operand<'_>],
        out: Option<&Output<'_>>,
    ) -> Result<Arc<Plan>> {
        let call = hash(
            key,
            operands.iter().map(|operand| (operand.dtype, &operand.layout)),
            out.map(|out| (out.dtype, &out.layout)),
        );
        let mut plans = self.lock();
        if let Some(found) = plans.find(call, key, operands, out) {
            return Ok(found.clone());
        }
        let signature = |operand: &Operand<'_>| (operand.dtype, operand.layout.clone());
        let out = out.map(|out| (out.dtype, out.layout.clone()));
        let operands = operands.iter().map(signature).collect();
        let plan = Arc::new(Plan::new(key.operation(), operands, out, self.limits)?);
        plans.insert(call, plan.clone());
        Ok(plan)
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
