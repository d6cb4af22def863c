//! Records the trace that the pool's `agents` workload replays:
//!
//! ```text
//! cargo run --release -p populace-population --example record_agents_trace -- crates/pool/traces/agents.trace
//! ```
//!
//! 200,000 agents live 40 ticks in a 20 × 20 grid where one move in ten slips, so that beliefs spread
//! at different times, and chunks with them. One thread, so that the order of requests, and with it the file,
//! is the same every time.

use std::path::PathBuf;

use populace_agent::models::{GridOptions, grid};
use populace_population::{Settings, Simulation};

const TICKS: u64 = 40;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).map(PathBuf::from).ok_or("which file?")?;
    let model = grid(&GridOptions { slip: 0.1, ..GridOptions::default() })?;
    let settings = Settings { agents: 200_000, threads: 1, ..Settings::default() };
    let (mut simulation, record) = Simulation::recorded(&model, None, &settings, TICKS)?;
    for _ in 0..TICKS {
        simulation.tick()?;
    }
    drop(simulation);
    let trace = record.trace();
    trace.write(&path)?;
    let learned = trace.learn(0.05)?;
    println!(
        "{} operations, {} allocations, {} bytes live at most",
        trace.operations().len(),
        trace.allocations(),
        trace.peak_requested_bytes(),
    );
    println!(
        "waste {:.2} % geometric, {:.2} % learned",
        100.0 * learned.geometric_waste,
        100.0 * learned.learned_waste,
    );
    Ok(())
}
