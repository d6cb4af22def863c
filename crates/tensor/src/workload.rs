//! The crate's own benchmark: what is measured, defined once.
//!
//! `populace bench tensor` prints these rows, and `benches/compare_numpy.py` sets NumPy's times
//! beside them, by the example `turns`. Every row checks its answer before it is timed.

use std::hint::black_box;
use std::time::{Duration, Instant};

use populace_pool::SharedResource;

use crate::plan::{Limits, Operation};
use crate::{Dtype, Operand, Planner, Result, Tensor, View};

/// One measurement.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Row {
    /// What was calculated, its sizes and type.
    pub name: String,
    /// The operation.
    pub operation: Operation,
    /// The shapes of the operands.
    pub shapes: Vec<Vec<usize>>,
    /// The type of the operands and of the result.
    pub dtype: Dtype,
    /// The most threads it might take.
    pub threads: usize,
    /// The fastest of several runs of a call, in seconds.
    pub seconds: f64,
    /// Multiplications and additions of a call, in pairs.
    pub multiply_adds: u64,
    /// The plan's temporaries, in bytes.
    pub temporary_bytes: usize,
    /// Whether the answer was the expected one.
    pub checked: bool,
}

/// The workloads that the cases belong to.
pub const NAMES: &[&str] = &["matmul", "dot", "einsum", "matvecs"];

/// What is measured: an operation on operands of some shapes.
#[derive(Debug, Clone)]
pub struct Case {
    operation: Operation,
    shapes: Vec<Vec<usize>>,
    dtype: Dtype,
}

impl Case {
    /// What is calculated, its sizes and type.
    pub fn name(&self) -> String {
        format!("{} {:?} {}", self.operation, self.shapes, self.dtype)
    }

    /// The workload that it belongs to, one of [`NAMES`].
    pub fn workload(&self) -> &'static str {
        match self.operation {
            Operation::Matmul => "matmul",
            Operation::Dot => "dot",
            Operation::Einsum(_) => "einsum",
            Operation::Matvecs => "matvecs",
        }
    }
}

/// Every case: matrix products from 10 to 1000, chains, batches, the contractions of agents, a
/// shared matrix times many vectors.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for dtype in [Dtype::F64, Dtype::F32] {
        let mut add = |operation: Operation, shapes: &[&[usize]]| {
            let shapes = shapes.iter().map(|shape| shape.to_vec()).collect();
            cases.push(Case { operation, shapes, dtype });
        };
        let einsum = |text: &str| Operation::Einsum(text.to_owned());
        for n in [10, 16, 32, 48, 64, 100, 128, 200, 256, 400, 512, 1000, 1024] {
            add(Operation::Matmul, &[&[n, n], &[n, n]]);
        }
        for n in [10, 30, 100, 300, 1000] {
            add(Operation::Dot, &[&[n, n], &[n]]);
            add(einsum("ij,jk->ik"), &[&[n, n], &[n, n]]);
            add(einsum("ij,kj->ik"), &[&[n, n], &[n, n]]);
            add(einsum("ji,jk->ik"), &[&[n, n], &[n, n]]);
            add(einsum("ij,jk,kl->il"), &[&[n, n], &[n, n], &[n, n]]);
            add(einsum("ij,jk,k->i"), &[&[n, n], &[n, n], &[n]]);
            add(einsum("ij,ij->"), &[&[n, n], &[n, n]]);
            add(einsum("ij,ij->i"), &[&[n, n], &[n, n]]);
            add(einsum("ij,ij->j"), &[&[n, n], &[n, n]]);
            add(einsum("ij,j->i"), &[&[n, n], &[n]]);
            add(einsum("i,ij->j"), &[&[n], &[n, n]]);
            add(einsum("i,ij,j->"), &[&[n], &[n, n], &[n]]);
            add(einsum("i,j->ij"), &[&[n], &[n]]);
            add(einsum("ij->i"), &[&[n, n]]);
            add(einsum("ij->j"), &[&[n, n]]);
            add(einsum("ij->"), &[&[n, n]]);
        }
        for n in [10, 32, 100] {
            add(einsum("bij,bjk->bik"), &[&[n, n, n], &[n, n, n]]);
            add(einsum("bij,bj->bi"), &[&[n, n, n], &[n, n]]);
            add(einsum("osr,as,ar->ao"), &[&[n, n, n], &[n, n], &[n, n]]);
            add(einsum("osr,sa,ra->oa"), &[&[n, n, n], &[n, n], &[n, n]]);
        }
        add(einsum("osr,as,ar->ao"), &[&[200, 200, 200], &[200, 200], &[200, 200]]);
        add(einsum("osr,as,ar->ao"), &[&[10, 10, 10], &[1000, 10], &[1000, 10]]);
        add(einsum("osr,as,ar->ao"), &[&[5, 20, 20], &[1000, 20], &[1000, 20]]);
        add(einsum("oa,sta,ta->so"), &[&[10, 1000], &[10, 10, 1000], &[10, 1000]]);
        add(einsum("bij,bjk->bik"), &[&[1000, 10, 10], &[1000, 10, 10]]);
        add(Operation::Matvecs, &[&[100, 100], &[256, 100]]);
    }
    cases
}

/// Measures one case for about `time`.
///
/// # Errors
///
/// The resource refuses the memory.
pub fn measure(
    case: &Case,
    resource: &SharedResource,
    threads: usize,
    time: Duration,
) -> Result<Row> {
    let mut measurement = Measurement::new(case, resource, threads)?;
    measurement.time(time)?;
    measurement.row()
}

/// A case that is being measured, by and by: `benches/compare_numpy.py` has it take turns with NumPy.
#[derive(Debug)]
pub struct Measurement {
    case: Case,
    threads: usize,
    planner: Planner,
    operands: Vec<Tensor>,
    out: Tensor,
    /// As many calls as are made between two looks at the clock.
    calls: u32,
    fastest: f64,
}

impl Measurement {
    /// Makes everything ready, and makes the first call.
    ///
    /// # Errors
    ///
    /// The resource refuses the memory.
    pub fn new(case: &Case, resource: &SharedResource, threads: usize) -> Result<Self> {
        let planner = Planner::with_limits(resource, Limits { threads, ..Limits::default() });
        let mut operands = Vec::with_capacity(case.shapes.len());
        for (index, shape) in case.shapes.iter().enumerate() {
            operands.push(ramp(resource, case.dtype, shape, index)?);
        }
        let given: Vec<Operand<'_>> = operands.iter().map(Operand::from).collect();
        let plan = planner.plan_for(&case.operation, &given)?;
        let mut out = Tensor::uninit(resource, case.dtype, plan.shape())?;
        planner.run_operation(&case.operation, &given, &mut out)?;
        let (case, fastest) = (case.clone(), f64::INFINITY);
        Ok(Self { case, threads, planner, operands, out, calls: 1, fastest })
    }

    /// Makes calls for about `time`; answers how long the fastest of them took, in seconds.
    ///
    /// # Errors
    ///
    /// None that the first call had not.
    pub fn time(&mut self, time: Duration) -> Result<f64> {
        let given: Vec<Operand<'_>> = self.operands.iter().map(Operand::from).collect();
        let mut fastest = f64::INFINITY;
        let begin = Instant::now();
        while begin.elapsed() < time {
            let start = Instant::now();
            for _ in 0..self.calls {
                let done = self.planner.run_operation(&self.case.operation, &given, &mut self.out);
                black_box(done)?;
            }
            let elapsed = start.elapsed();
            fastest = fastest.min(elapsed.as_secs_f64() / f64::from(self.calls));
            if elapsed < time / 20 {
                self.calls = self.calls.saturating_mul(2);
            }
        }
        self.fastest = self.fastest.min(fastest);
        Ok(fastest)
    }

    /// What it came to, the answer checked.
    ///
    /// # Errors
    ///
    /// The resource refuses the memory that checking takes.
    pub fn row(&self) -> Result<Row> {
        let Self { case, planner, operands, out, .. } = self;
        let given: Vec<Operand<'_>> = operands.iter().map(Operand::from).collect();
        let plan = planner.plan_for(&case.operation, &given)?;
        Ok(Row {
            name: case.name(),
            operation: case.operation.clone(),
            shapes: case.shapes.clone(),
            dtype: case.dtype,
            threads: self.threads,
            seconds: self.fastest,
            multiply_adds: plan.multiply_adds(),
            temporary_bytes: plan.peak_temporary_bytes(),
            checked: check(planner, &case.operation, operands, out)?,
        })
    }
}

/// Small multiples of 1/8 that repeat with a period no shape has, so that sums stay exact in f32.
fn ramp(resource: &SharedResource, dtype: Dtype, shape: &[usize], index: usize) -> Result<Tensor> {
    let count = shape.iter().product::<usize>();
    let value = |i: usize| ((i * 7 + index * 3) % 11) as f64 / 8.0 - 0.625;
    if dtype == Dtype::F32 {
        let values: Vec<f32> = (0..count).map(|i| value(i) as f32).collect();
        Tensor::from_slice(resource, &values, shape)
    } else {
        let values: Vec<f64> = (0..count).map(value).collect();
        Tensor::from_slice(resource, &values, shape)
    }
}

/// Whether the answer is the expected one: every element of the result weighted by where it stands, and summed,
/// is what the expression comes to when the weights are operands of it and nothing is kept. That takes another way:
/// operand by operand, a vector at a time.
fn check(
    planner: &Planner,
    operation: &Operation,
    operands: &[Tensor],
    out: &Tensor,
) -> Result<bool> {
    let text = match operation {
        Operation::Einsum(text) => text.as_str(),
        Operation::Matmul => "ij,jk->ik",
        Operation::Dot => "ij,j->i",
        Operation::Matvecs => "ij,bj->bi",
    };
    let (inputs, output) = text.split_once("->").unwrap_or((text, ""));
    let axes: Vec<Vec<f64>> =
        out.shape().iter().map(|&size| (0..size).map(weight).collect()).collect();
    // A factor of one in f64, so that sums of f32 are checked in f64 too.
    let mut weights: Vec<Operand<'_>> = vec![View::new(&[1.0], &[])?.into()];
    for axis in &axes {
        weights.push(View::new(axis, &[axis.len()])?.into());
    }
    let labels: String = output.chars().map(|label| format!(",{label}")).collect();
    let weighted = |terms: &str, factors: Vec<Operand<'_>>| -> Result<f64> {
        let factors: Vec<Operand<'_>> = factors.into_iter().chain(weights.clone()).collect();
        let sum = planner.einsum(&format!("{terms},{labels}->"), &factors)?;
        Ok(sum.as_slice::<f64>()?.iter().sum())
    };
    let expected = weighted(inputs, operands.iter().map(Operand::from).collect())?;
    let got = weighted(output, vec![out.into()])?;
    let scale = expected.abs().max(out.shape().iter().product::<usize>() as f64);
    Ok((got - expected).abs() <= 1e-3 * scale)
}

/// The weight of an index in [`check`].
fn weight(index: usize) -> f64 {
    0.5 + (index * 5 % 13) as f64 / 13.0
}
