//! Runs a plan.

use std::ptr::NonNull;

use super::{Matrices, Place, Plan, Step, Work};
use crate::dtype::{Arithmetic, with_element};
use crate::gemm::{Multiply, Product, Tiles, multiply};
use crate::loops::{Dim, Loops};
use crate::team::{part, share};
use crate::{Dtype, Element, Operand, Output};

/// The memory of one run: the operands, the output, and scratch for the temporaries.
#[derive(Clone, Copy)]
struct Memory<'m> {
    operands: &'m [Operand<'m>],
    out: *mut u8,
    scratch: *mut u8,
    temporaries: &'m [usize],
}

// SAFETY: threads of one run write disjoint elements, which the steps see to.
unsafe impl Sync for Memory<'_> {}

impl Memory<'_> {
    fn read<T>(&self, place: Place) -> *const T {
        match place {
            Place::Operand(operand) => self.operands[operand].first.cast(),
            _ => self.write::<T>(place),
        }
    }

    fn write<T>(&self, place: Place) -> *mut T {
        match place {
            // SAFETY: the offset lies inside the scratch, whose size is the plan's peak.
            Place::Temporary(index) => unsafe { self.scratch.add(self.temporaries[index]).cast() },
            Place::Out => self.out.cast(),
            Place::Operand(_) => unreachable!("no step writes an operand"),
        }
    }
}

impl Plan {
    /// Calculates into `out`.
    ///
    /// `scratch` points to [`Plan::peak_temporary_bytes`], aligned to 64 bytes; it is not read
    /// before it is written.
    ///
    /// # Safety
    ///
    /// The plan was made for such operands and such an `out`, which shares no memory with them; `scratch` can
    /// be written for that long, and nothing else touches it meanwhile.
    pub(crate) unsafe fn run(
        &self,
        operands: &[Operand<'_>],
        out: &mut Output<'_>,
        scratch: NonNull<u8>,
    ) {
        debug_assert!(self.describes(operands, Some(out)), "a plan for other operands");
        let memory = Memory {
            operands,
            out: out.first,
            scratch: scratch.as_ptr(),
            temporaries: &self.temporaries,
        };
        for step in &self.steps {
            // SAFETY: the caller's promise: the layouts are those that the steps were made for; `out`, a unique
            // borrow, overlaps no operand.
            unsafe {
                match self.arithmetic {
                    Dtype::F32 => step.run::<f32>(memory, self.out.0),
                    _ => step.run::<f64>(memory, self.out.0),
                }
            }
        }
    }
}

impl Step {
    /// # Safety
    ///
    /// The step belongs to the memory: its offsets lie inside.
    unsafe fn run<T: Multiply>(&self, memory: Memory<'_>, out_dtype: Dtype) {
        // SAFETY: the caller's promise.
        unsafe {
            match &self.work {
                Work::Zero { loops } => with_element!(out_dtype, D => {
                    let zero = T::ZERO;
                    let out = memory.write::<D>(self.out);
                    loops.run::<T, T, D, false>(&zero, &zero, out, 0..loops.outer());
                }),
                Work::Convert { loops, from, from_dtype, to_dtype } if *to_dtype == T::DTYPE => {
                    with_element!(*from_dtype, A => {
                        self.convert::<T, A, T>(memory, loops, *from);
                    });
                }
                Work::Convert { loops, from, to_dtype, .. } => with_element!(*to_dtype, D => {
                    self.convert::<T, T, D>(memory, loops, *from);
                }),
                Work::Multiply { loops, first, second } => {
                    let (first, second) =
                        (Read(memory.read::<T>(*first)), Read(memory.read::<T>(*second)));
                    let out = Write(memory.write::<T>(self.out));
                    share(self.threads, &|index, of| {
                        let part = part(loops.outer(), loops.unit(), index, of);
                        loops.run::<T, T, T, true>(first.get(), second.get(), out.get(), part);
                    });
                }
                Work::Product { product, batch, lhs, rhs, packed, packed_elements } => {
                    let packed = (*packed, *packed_elements);
                    match product {
                        Matrices::F32(product) => {
                            self.product(
                                product,
                                batch,
                                &Arrays::of(memory, *lhs, *rhs, self.out, packed),
                            );
                        }
                        Matrices::F64(product) => {
                            self.product(
                                product,
                                batch,
                                &Arrays::of(memory, *lhs, *rhs, self.out, packed),
                            );
                        }
                    }
                }
                Work::Wrap { count } => {
                    let values = memory.write::<T>(self.out);
                    for value in std::slice::from_raw_parts_mut(values, *count) {
                        *value = T::load(T::store::<u8>(*value));
                    }
                }
            }
        }
    }

    /// # Safety
    ///
    /// As for [`Step::run`].
    unsafe fn convert<T: Arithmetic, A: Element, D: Element>(
        &self,
        memory: Memory<'_>,
        loops: &Loops,
        from: Place,
    ) {
        let (first, out) = (Read(memory.read::<A>(from)), Write(memory.write::<D>(self.out)));
        share(self.threads, &|index, of| {
            let part = part(loops.outer(), loops.unit(), index, of);
            // SAFETY: the caller's promise; parts write disjoint rows. One factor: the second is
            // not read.
            unsafe { loops.run::<T, A, D, false>(first.get(), std::ptr::null(), out.get(), part) };
        });
    }

    /// # Safety
    ///
    /// As for [`Step::run`].
    unsafe fn product<T: Multiply>(&self, product: &Product<T>, batch: &[Dim], arrays: &Arrays<T>) {
        let times = batch.iter().map(|dim| dim.size).product();
        share(self.threads, &|index, of| {
            let (rows, columns) = (product.rows, product.columns);
            let kernels = product.kernels;
            let (items, rows, columns) = if times >= of {
                (part(times, 1, index, of), 0..rows, 0..columns)
            } else if product.blocks.pack_rhs || rows < columns {
                (0..times, 0..rows, part(columns, kernels.columns, index, of))
            } else {
                (0..times, part(rows, kernels.lanes, index, of), 0..columns)
            };
            let several = items.len() > 1;
            let tiles =
                several.then(|| Tiles::of(product, rows.clone(), columns.clone())).flatten();
            for item in items {
                let at = batch_offset(batch, item);
                if let Some(tiles) = &tiles {
                    // SAFETY: as below.
                    unsafe {
                        let [left, right] = [arrays.lhs.offset(at[0]), arrays.rhs.offset(at[1])];
                        tiles.run(arrays.out.offset(at[2]), left, right);
                    }
                    continue;
                }
                // SAFETY: offsets of the batch lie inside the arrays; parts are disjoint, and each
                // thread has its own piece of the scratch.
                unsafe {
                    multiply(
                        product,
                        arrays.out.offset(at[2]),
                        arrays.lhs.offset(at[0]),
                        arrays.rhs.offset(at[1]),
                        rows.clone(),
                        columns.clone(),
                        arrays.packed.add(index * arrays.packed_elements),
                    );
                }
            }
        });
    }
}

/// The offsets of one index of the batch, the last loop fastest.
fn batch_offset(batch: &[Dim], mut item: usize) -> [isize; 3] {
    if let [only] = batch {
        return only.strides.map(|stride| item as isize * stride);
    }
    let mut at = [0; 3];
    for dim in batch.iter().rev() {
        let step = (item % dim.size) as isize;
        item /= dim.size;
        at.iter_mut().zip(dim.strides).for_each(|(at, stride)| *at += step * stride);
    }
    at
}

/// The arrays of a batch of products.
struct Arrays<T> {
    lhs: *const T,
    rhs: *const T,
    out: *mut T,
    packed: *mut T,
    packed_elements: usize,
}

impl<T> Arrays<T> {
    fn of(
        memory: Memory<'_>,
        lhs: Place,
        rhs: Place,
        out: Place,
        (packed, packed_elements): (usize, usize),
    ) -> Self {
        Self {
            lhs: memory.read(lhs),
            rhs: memory.read(rhs),
            out: memory.write(out),
            packed: memory.write(Place::Temporary(packed)),
            packed_elements,
        }
    }
}

// SAFETY: threads write disjoint parts of `out` and of `packed`.
unsafe impl<T: Sync> Sync for Arrays<T> {}

/// An address that threads of one step read.
struct Read<T>(*const T);

// SAFETY: what is read is not written during the step.
unsafe impl<T: Sync> Sync for Read<T> {}

impl<T> Read<T> {
    fn get(&self) -> *const T {
        self.0
    }
}

/// An address that threads of one step write, each elsewhere.
struct Write<T>(*mut T);

// SAFETY: threads write disjoint elements.
unsafe impl<T: Send> Sync for Write<T> {}

impl<T> Write<T> {
    fn get(&self) -> *mut T {
        self.0
    }
}
