//! Outcome values that are taken from one belief together.
//!
//! The steps that may follow a belief look at the same belief through different tables, but seldom at
//! different numbers: where moves are certain, an outcome is as likely after one action as another
//! outcome is after the next, since both are made by the same state. Every distinct row of a family's
//! tables is evaluated once; rows that belong to the same tables are summed before they are handed on:
//!
//! ```text
//! value[t] = l[t]·q − rest[t] − Σ_{g ∋ t} Σ_{row ∈ g} f(b[row] + e[row]·q)
//! ```
//!
//! On the 20 × 20 grid five actions have 2,000 rows, of which 480 are distinct.

use std::collections::BTreeMap;

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::lanes::{Lane, contract};
use populace_tensor::simd::{Kernel, Real, Simd, Vector};

use super::outcome::{OutcomeRow, f};
use super::rows::Rows;
use crate::Result;
use crate::step::kernels::{splat, x_ln_x};

/// The tables of a family, by distinct rows.
#[derive(Debug)]
pub(crate) struct Family<T> {
    /// l, (tables, states).
    linear: Array<T>,
    /// Σ f(b) over the outcomes that no state makes likelier, by table.
    rest: Array<T>,
    /// Distinct rows, group by group, those of one state first within each.
    rows: Rows<T>,
    /// b of the rows.
    background: Array<T>,
    /// Groups in turn: rows of one state, other rows, how many tables, the tables.
    groups: Array<u32>,
}

/// A row of a table, so that equal ones can be told: background, then (state, value).
type Key = (u64, Vec<(u32, u64)>);

impl<T: Real> Family<T> {
    /// From every table's l, and its rows.
    pub(super) fn new(
        memory: &SharedResource,
        linear: &[Vec<f64>],
        tables: &[Vec<OutcomeRow>],
    ) -> Result<Self> {
        let mut rest = vec![0.0; tables.len()];
        // The tables of every distinct row, one as often as it has the row.
        let mut distinct: BTreeMap<Key, Vec<u32>> = BTreeMap::new();
        for (t, table) in tables.iter().enumerate() {
            for row in table {
                if row.entries.is_empty() {
                    rest[t] += f(row.background);
                    continue;
                }
                let entries = row.entries.iter().map(|&(s, value)| (s, value.to_bits()));
                let key = (row.background.to_bits(), entries.collect());
                distinct.entry(key).or_default().push(t as u32);
            }
        }
        let mut groups: BTreeMap<Vec<u32>, Vec<Key>> = BTreeMap::new();
        for ((background, entries), of) in distinct {
            groups.entry(of).or_default().push((background, entries));
        }
        let mut words = Vec::new();
        let (mut background, mut entries) = (Vec::new(), Vec::new());
        for (of, mut rows) in groups {
            // In the order of their states the belief is walked once.
            rows.sort_by_key(|(_, entries)| (entries.len() > 1, entries[0].0));
            let singles = rows.iter().filter(|(_, entries)| entries.len() == 1).count();
            words.extend([singles, rows.len() - singles, of.len()].map(|count| count as u32));
            words.extend(of);
            for (b, row) in rows {
                let at = background.len();
                entries.extend(row.iter().map(|&(s, value)| (at, s, f64::from_bits(value))));
                background.push(T::from_f64(f64::from_bits(b)));
            }
        }
        let real = |values: &[f64]| -> Vec<T> { values.iter().map(|&x| T::from_f64(x)).collect() };
        Ok(Self {
            linear: Array::copied(memory, &real(&linear.concat()))?,
            rest: Array::copied(memory, &real(&rest))?,
            rows: Rows::new(memory, background.len(), entries.into_iter())?,
            background: Array::copied(memory, &background)?,
            groups: Array::copied(memory, &words)?,
        })
    }

    /// How many tables there are.
    pub(crate) fn tables(&self) -> usize {
        self.rest.len()
    }

    /// How many states the belief has.
    pub(crate) fn states(&self) -> usize {
        self.linear.len() / self.rest.len()
    }

    /// The value of every table.
    #[inline(always)]
    pub(crate) fn values<S: Simd>(&self, simd: S, q: &[Lane<T>], out: &mut [Lane<T>]) {
        simd.call(Values { family: self, q, out });
    }
}

struct Values<'a, T: Real> {
    family: &'a Family<T>,
    q: &'a [Lane<T>],
    out: &'a mut [Lane<T>],
}

impl<T: Real> Kernel for Values<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { family, q, out } = self;
        contract(simd, &family.linear, q, out);
        for (out, &rest) in out.iter_mut().zip(family.rest.iter()) {
            (Vector::load(simd, out) - Vector::splat(simd, rest)).store(out);
        }
        let (mut row, mut words) = (0, &family.groups[..]);
        while let [singles, several, count, after @ ..] = words {
            let (tables, next) = after.split_at(*count as usize);
            words = next;
            let end = row + *singles as usize;
            let mut sum = splat::<T, S>(simd, 0.0);
            for (x, &background) in family.rows.single(row..end).zip(&family.background[row..end]) {
                let (state, value) = x;
                let q = Vector::load(simd, &q[state]);
                let x = Vector::splat(simd, value).mul_add(q, Vector::splat(simd, background));
                sum = sum + x_ln_x(x);
            }
            row = end;
            for _ in 0..*several {
                let background = Vector::splat(simd, family.background[row]);
                sum = sum + x_ln_x(background + family.rows.dot(simd, row, q));
                row += 1;
            }
            for &table in tables {
                let out = &mut out[table as usize];
                (Vector::load(simd, out) - sum).store(out);
            }
        }
    }
}
