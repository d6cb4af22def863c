//! Makes a plan: prepares the operands, contracts them pair by pair, stores the result.

use std::sync::atomic::AtomicU64;

use super::scratch::{Temporary, assign};
use super::{Limits, Operation, Place, Plan, Step, Work, order};
use crate::contraction::{Contraction, Label, LabelSet, bit};
use crate::dtype::arithmetic;
use crate::layout::{Layout, element_count};
use crate::loops::{Dim, Loops, Pieces};
use crate::{Dtype, Error, ErrorKind, Result};

/// An operand or an intermediate result: where it is and how its labels lie.
///
/// Invariant: every label stands once, and its size is not 1.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) place: Place,
    pub(super) dtype: Dtype,
    pub(super) axes: Vec<(Label, isize)>,
}

impl Value {
    pub(super) fn labels(&self) -> LabelSet {
        self.axes.iter().fold(0, |set, (label, _)| set | bit(*label))
    }

    /// 0 where the value does not vary with the label.
    pub(super) fn stride(&self, label: Label) -> isize {
        self.axes.iter().find(|(own, _)| *own == label).map_or(0, |(_, stride)| *stride)
    }

    /// The labels of a set, those that are farthest apart in memory first.
    pub(super) fn by_stride(&self, set: LabelSet) -> Vec<Label> {
        let mut axes: Vec<_> =
            self.axes.iter().filter(|(label, _)| set & bit(*label) != 0).collect();
        axes.sort_by_key(|(_, stride)| std::cmp::Reverse(stride.unsigned_abs()));
        axes.into_iter().map(|(label, _)| *label).collect()
    }
}

/// Multiply-adds of matrix products that are worth a thread: waking it costs more below.
pub(super) const PRODUCT_WORK: usize = 1 << 20;

/// Bytes of loops that are worth a thread: they wait for memory.
const LOOP_BYTES: usize = 1 << 19;

/// A plan in the making.
pub(super) struct Builder {
    pub(super) sizes: Vec<usize>,
    pub(super) arithmetic: Dtype,
    limits: Limits,
    steps: Vec<Step>,
    temporaries: Vec<Temporary>,
    multiply_adds: u64,
    /// Whether intermediate results are reduced mod 2⁸.
    wraps: bool,
}

impl Plan {
    /// Plans an operation; without `out`, for a new row-major result.
    ///
    /// # Errors
    ///
    /// The operation does not fit the operands, the result does not fit `out`, or the temporaries
    /// exceed the limit.
    pub(crate) fn new(
        operation: Operation,
        operands: Vec<(Dtype, Layout)>,
        out: Option<(Dtype, Layout)>,
        limits: Limits,
    ) -> Result<Self> {
        for (dtype, _) in operands.iter().chain(&out) {
            arithmetic(*dtype)?;
        }
        let contraction = operation.contraction(&operands)?;
        let given = operands.iter().map(|(dtype, _)| *dtype);
        let result = given.reduce(Dtype::promote).unwrap_or(Dtype::F64);
        let shape = contraction.output_shape();
        let is_new = out.is_none();
        let out = match out {
            Some(out) => out,
            None => (result, Layout::row_major(&shape)?),
        };
        if out.1.shape != shape {
            let (expected, given) = (shape.to_vec(), out.1.shape.to_vec());
            return Err(Error::new(ErrorKind::OutputShape { expected, given }));
        }
        // As NumPy: einsum casts only safely, and calculates in a type that holds `out`'s as well;
        // the products cast floats to any float.
        let is_einsum = matches!(operation, Operation::Einsum(_));
        let storable = match result {
            Dtype::U8 => true,
            _ if is_einsum => result.casts_safely(out.0),
            _ => out.0 != Dtype::U8,
        };
        if !storable {
            return Err(Error::new(ErrorKind::OutputDtype { result, out: out.0 }));
        }
        let common = if is_einsum { result.promote(out.0) } else { result };
        let mut builder = Builder {
            sizes: contraction.sizes.clone(),
            arithmetic: arithmetic(common)?,
            limits,
            steps: Vec::new(),
            temporaries: Vec::new(),
            multiply_adds: 0,
            wraps: common == Dtype::U8,
        };
        builder.build(&contraction, &operands, &out)?;
        let overflow = || Error::new(ErrorKind::Overflow);
        let (temporaries, peak_bytes) = assign(&builder.temporaries).ok_or_else(overflow)?;
        if peak_bytes as u64 > limits.temporary_bytes {
            return Err(Error::new(ErrorKind::OverBudget {
                needed_bytes: peak_bytes as u64,
                budget_bytes: limits.temporary_bytes,
            }));
        }
        Ok(Self {
            operation,
            operands,
            out,
            arithmetic: builder.arithmetic,
            steps: builder.steps,
            temporaries,
            peak_bytes,
            multiply_adds: builder.multiply_adds,
            is_new,
            calls: AtomicU64::new(0),
        })
    }
}

impl Builder {
    fn build(
        &mut self,
        contraction: &Contraction,
        operands: &[(Dtype, Layout)],
        out: &(Dtype, Layout),
    ) -> Result<()> {
        let target =
            Value { place: Place::Out, dtype: out.0, axes: self.axes(&contraction.output, &out.1) };
        if out.1.is_empty() {
            return Ok(());
        }
        if self.sizes.contains(&0) {
            let dims = target.axes.iter().map(|&(label, stride)| self.dim(label, [0, 0, stride]));
            let (loops, _) = Loops::arrange(dims.collect(), Vec::new(), 1);
            self.push(Work::Zero { loops }, Place::Out, 1);
            return Ok(());
        }
        let mut values: Vec<Value> = (contraction.inputs.iter().zip(operands).enumerate())
            .map(|(operand, (labels, (dtype, layout)))| Value {
                place: Place::Operand(operand),
                dtype: *dtype,
                axes: self.axes(labels, layout),
            })
            .collect();
        let result = if let [only] = values.as_slice() {
            only.clone()
        } else {
            let output = target.labels();
            for index in 0..values.len() {
                values[index] = self.prepare(&values, index, output)?;
            }
            self.contract_all(values, &target)?
        };
        self.store(&result, &target)
    }

    /// An operand's labels without those of size 1; an axis that is repeated has no stride, and a
    /// label that stands twice has the sum of both (the diagonal).
    fn axes(&self, labels: &[Label], layout: &Layout) -> Vec<(Label, isize)> {
        let mut axes: Vec<(Label, isize)> = Vec::with_capacity(labels.len());
        for ((&label, &size), &stride) in labels.iter().zip(&layout.shape).zip(&layout.strides) {
            if size == 1 {
                continue;
            }
            match axes.iter_mut().find(|(known, _)| *known == label) {
                Some((_, diagonal)) => *diagonal += stride,
                None => axes.push((label, stride)),
            }
        }
        axes
    }

    /// Sums over the labels that no other operand and no output has, and converts to the type that
    /// is calculated in, if there is anything of that to do. Factoring such sums out is exact but
    /// for rounding, and saves the most there is to save.
    fn prepare(&mut self, values: &[Value], index: usize, output: LabelSet) -> Result<Value> {
        let value = &values[index];
        let others = values.iter().enumerate().filter(|(other, _)| *other != index);
        let needed = others.fold(output, |set, (_, value)| set | value.labels());
        if value.labels() & !needed == 0 && value.dtype == self.arithmetic {
            return Ok(value.clone());
        }
        let order = value.by_stride(needed);
        let target = self.temporary(&order)?;
        self.convert(value, &target);
        Ok(target)
    }

    fn contract_all(&mut self, operands: Vec<Value>, target: &Value) -> Result<Value> {
        let output = target.labels();
        let inputs: Vec<LabelSet> = operands.iter().map(Value::labels).collect();
        let pairs = order::pairs(&inputs, output, &self.sizes);
        let mut values: Vec<Option<Value>> = operands.into_iter().map(Some).collect();
        for (step, &(first, second)) in pairs.iter().enumerate() {
            let (Some(x), Some(y)) = (values[first].take(), values[second].take()) else {
                unreachable!("the order uses every value once");
            };
            let rest = values.iter().flatten().fold(output, |set, value| set | value.labels());
            let last = step + 1 == pairs.len();
            let to = if last && target.dtype == self.arithmetic && !self.wraps {
                target.clone()
            } else if last {
                self.temporary(&target.by_stride(LabelSet::MAX))?
            } else {
                let own = values.len();
                let user = pairs[step + 1..].iter().find(|&&(a, b)| a == own || b == own);
                let partner = user.map(|&(a, b)| if a == own { b } else { a });
                let partner = partner.and_then(|p| values.get(p)).and_then(Option::as_ref);
                let result = (x.labels() | y.labels()) & rest;
                let order = self.layout_for(result, partner, &values, target);
                self.temporary(&order)?
            };
            self.contract(&x, &y, &to)?;
            if self.wraps {
                let count = to.axes.iter().map(|(label, _)| self.size(*label)).product();
                self.push(Work::Wrap { count }, to.place, 1);
            }
            values.push(Some(to));
        }
        match values.pop().flatten() {
            Some(result) => Ok(result),
            None => unreachable!("the last step leaves the result"),
        }
    }

    /// The order of an intermediate result's labels that suits the step that will use it: batches
    /// outside and what is summed inside, unless `partner` has a batch label innermost.
    fn layout_for(
        &self,
        result: LabelSet,
        partner: Option<&Value>,
        values: &[Option<Value>],
        target: &Value,
    ) -> Vec<Label> {
        let shared = partner.map_or(0, Value::labels) & result;
        let elsewhere = (values.iter().flatten())
            .filter(|value| partner.is_none_or(|partner| partner.place != value.place))
            .fold(target.labels(), |set, value| set | value.labels());
        let (batch, summed) = (shared & elsewhere, shared & !elsewhere);
        let in_order = |set| partner.map_or(Vec::new(), |partner| partner.by_stride(set));
        let mut own = target.by_stride(result & !shared);
        let placed = own.iter().fold(shared, |set, &label| set | bit(label));
        own.extend((0..self.sizes.len() as Label).filter(|&l| bit(l) & result & !placed != 0));
        let innermost = in_order(LabelSet::MAX).last().map_or(0, |&label| bit(label));
        let (batch_labels, summed) = (in_order(batch), in_order(summed));
        if innermost & batch != 0 {
            [own, summed, batch_labels].concat()
        } else {
            [batch_labels, own, summed].concat()
        }
    }

    /// Converts or copies the result into `out`, if it is not there already.
    fn store(&mut self, result: &Value, target: &Value) -> Result<()> {
        if result.place == Place::Out {
            return Ok(());
        }
        let mut result = result.clone();
        let sums = result.labels() & !target.labels() != 0;
        if (result.dtype != self.arithmetic || sums) && target.dtype != self.arithmetic {
            let order = result.by_stride(target.labels());
            let converted = self.temporary(&order)?;
            self.convert(&result, &converted);
            result = converted;
        }
        self.convert(&result, target);
        Ok(())
    }

    /// A new row-major intermediate result.
    fn temporary(&mut self, order: &[Label]) -> Result<Value> {
        let shape: Vec<usize> = order.iter().map(|&label| self.size(label)).collect();
        let layout = Layout::row_major(&shape)?;
        let place = self.reserve(element_count(&shape)?, 1);
        let axes = order.iter().copied().zip(layout.strides.iter().copied()).collect();
        Ok(Value { place, dtype: self.arithmetic, axes })
    }

    /// Scratch for the next step; reading it later keeps it.
    pub(super) fn reserve(&mut self, elements: usize, threads: usize) -> Place {
        let size_bytes =
            elements.saturating_mul(self.arithmetic.item_bytes()).saturating_mul(threads);
        let next = self.steps.len();
        self.temporaries.push(Temporary { size_bytes, steps: (next, next) });
        Place::Temporary(self.temporaries.len() - 1)
    }

    fn convert(&mut self, from: &Value, to: &Value) {
        let kept = to.axes.iter().map(|&(l, stride)| self.dim(l, [from.stride(l), 0, stride]));
        let summed = (from.axes.iter())
            .filter(|(label, _)| to.labels() & bit(*label) == 0)
            .map(|&(label, stride)| self.dim(label, [stride, 0, 0]));
        let (loops, _) = Loops::arrange(kept.collect(), summed.collect(), 1);
        let (from, from_dtype) = (from.place, from.dtype);
        self.push_loops(loops, to, |loops, to_dtype| Work::Convert {
            loops,
            from,
            from_dtype,
            to_dtype,
        });
    }

    /// Appends a step of loops; and where their sums are done in pieces, another that adds these up.
    pub(super) fn push_loops(
        &mut self,
        loops: Loops,
        to: &Value,
        work: impl FnOnce(Loops, Dtype) -> Work,
    ) {
        let item_bytes = self.arithmetic.item_bytes();
        let bytes = loops.iterations().saturating_mul(item_bytes);
        let threads =
            |loops: &Loops| self.threads(bytes / LOOP_BYTES, loops.outer().div_ceil(loops.unit()));
        let Some(Pieces { parts, results, total }) = loops.in_pieces(item_bytes) else {
            let threads = threads(&loops);
            return self.push(work(loops, to.dtype), to.place, threads);
        };
        let threads = threads(&parts);
        let from = self.reserve(results, 1);
        self.push(work(parts, self.arithmetic), from, threads);
        let (from_dtype, to_dtype) = (self.arithmetic, to.dtype);
        self.push(Work::Convert { loops: total, from, from_dtype, to_dtype }, to.place, 1);
    }

    /// How many threads a step takes that is worth so many and has so many parts.
    pub(super) fn threads(&self, worth: usize, parts: usize) -> usize {
        worth.min(parts).clamp(1, self.limits.threads.max(1))
    }

    pub(super) fn size(&self, label: Label) -> usize {
        self.sizes[usize::from(label)]
    }

    pub(super) fn dim(&self, label: Label, strides: [isize; 3]) -> Dim {
        Dim { size: self.size(label), strides }
    }

    /// Appends a step, which keeps what it reads alive.
    pub(super) fn push(&mut self, work: Work, out: Place, threads: usize) {
        let now = self.steps.len();
        let read = match &work {
            Work::Zero { .. } | Work::Wrap { .. } => [None, None],
            Work::Convert { from, .. } => [Some(*from), None],
            Work::Multiply { first, second, .. } => [Some(*first), Some(*second)],
            Work::Product { lhs, rhs, .. } => [Some(*lhs), Some(*rhs)],
        };
        for place in read.into_iter().flatten().chain([out]) {
            if let Place::Temporary(index) = place {
                self.temporaries[index].steps.1 = now;
            }
        }
        let multiply_adds: u64 = match &work {
            Work::Zero { .. } | Work::Wrap { .. } => 0,
            Work::Convert { loops, .. } | Work::Multiply { loops, .. } => loops.iterations() as u64,
            Work::Product { product, batch, .. } => {
                let sizes = product.sizes().into_iter().chain(batch.iter().map(|dim| dim.size));
                sizes.fold(1, |product, size| product.saturating_mul(size as u64))
            }
        };
        self.multiply_adds = self.multiply_adds.saturating_add(multiply_adds);
        self.steps.push(Step { work, out, threads });
    }
}
