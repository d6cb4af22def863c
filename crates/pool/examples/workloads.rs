//! Prints the rows of the pool's workloads: `cargo run --release --example workloads [NAME…]`.

use populace_pool::workload;

fn main() -> populace_pool::Result<()> {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        names = workload::NAMES.iter().map(ToString::to_string).collect();
    }
    println!(
        "workload              resource   median ns      p99 ns  hit rate   waste  peak  checked"
    );
    for name in names {
        for row in workload::run(&name)? {
            let share =
                |share: Option<f64>| share.map_or("-".to_owned(), |value| format!("{value:.4}"));
            println!(
                "{:<20} {:>9} {:>11.1} {:>11.1} {:>9} {:>7} {:>6} {:>6}",
                row.name,
                row.resource,
                row.ns_per_pair_median,
                row.ns_per_pair_p99,
                share(row.hit_rate),
                share(row.internal_waste),
                share(row.peak_reserved_over_requested),
                row.checked
            );
        }
    }
    Ok(())
}
