//! Dot, matmul and einsum, on one thread and on all; `benches/compare_numpy.py` sets NumPy's times
//! beside these rows.

use std::time::Duration;

use populace_pool::{Bytes, HostHeap, Pool};
use populace_tensor::workload::{self, Row};

use super::subject::Subject;
use crate::failure::{Failure, Outcome};
use crate::figures::{rate, seconds};
use crate::table::Table;

pub(super) const SUBJECT: Subject = Subject { name: "tensor", workloads: workload::NAMES };

/// How long a case is repeated; its fastest call counts.
const ENOUGH: Duration = Duration::from_millis(50);

/// Runs the cases of the workloads that `names` ask for.
pub(super) fn rows(names: &[String], cores: usize) -> Outcome<Vec<Row>> {
    let asked = SUBJECT.asked(names);
    let memory = Pool::new(HostHeap).resource();
    let mut rows = Vec::new();
    for case in workload::cases().iter().filter(|case| asked.contains(&case.workload())) {
        for threads in if cores > 1 { vec![1, cores] } else { vec![1] } {
            let row = workload::measure(case, &memory, threads, ENOUGH)
                .map_err(|error| Failure::other(format!("{}: {error}", case.name())))?;
            rows.push(row);
        }
    }
    Ok(rows)
}

pub(super) fn table(rows: &[&Row]) -> String {
    let mut table = Table::numbers_after(1);
    table.row(["", "threads", "a call", "flop/s", "temporary"]);
    for row in rows {
        table.row([
            row.name.clone(),
            row.threads.to_string(),
            seconds(row.seconds),
            rate(2.0 * row.multiply_adds as f64 / row.seconds),
            Bytes(row.temporary_bytes as u64).to_string(),
        ]);
    }
    table.render()
}
