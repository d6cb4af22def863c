//! The pool beside the system's allocator, workload by workload, both in one run.

use populace_pool::workload::{self, Row};
use serde::Serialize;

use super::subject::Subject;
use crate::failure::{Failure, Outcome};
use crate::table::Table;

pub(super) const SUBJECT: Subject = Subject { name: "pool", workloads: workload::NAMES };

/// A row as `--json` has it; what the system's allocator does not count is null.
#[derive(Serialize)]
#[serde(remote = "Row")]
pub(super) struct Columns {
    name: String,
    resource: &'static str,
    ns_per_pair_median: f64,
    ns_per_pair_p99: f64,
    hit_rate: Option<f64>,
    internal_waste: Option<f64>,
    peak_reserved_over_requested: Option<f64>,
    checked: bool,
}

/// Runs the workloads that `names` ask for.
pub(super) fn rows(names: &[String]) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for workload in SUBJECT.asked(names) {
        rows.extend(
            workload::run(workload)
                .map_err(|error| Failure::other(format!("{workload}: {error}")))?,
        );
    }
    Ok(rows)
}

pub(super) fn table(rows: &[&Row]) -> String {
    let mut table = Table::numbers_after(2);
    table.row(["", "resource", "ns/pair", "99 %", "hits", "waste", "peak/asked"]);
    let percent =
        |share: Option<f64>| share.map_or_else(String::new, |x| format!("{:.1} %", 100.0 * x));
    for row in rows {
        let peak = row.peak_reserved_over_requested;
        table.row([
            row.name.clone(),
            row.resource.to_owned(),
            format!("{:.1}", row.ns_per_pair_median),
            format!("{:.1}", row.ns_per_pair_p99),
            percent(row.hit_rate),
            percent(row.internal_waste),
            peak.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        ]);
    }
    table.render()
}
