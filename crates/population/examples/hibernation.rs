//! How fast agents are hibernated and woken:
//!
//! ```text
//! cargo run --release -p populace-population --example hibernation -- FILE
//! ```
//!
//! 50,000 agents of the 20 × 20 grid world are hibernated in one call; 2,000 of them are woken one by
//! one, each timed, then the rest at once.

use std::path::PathBuf;
use std::time::Instant;

use populace_agent::models::{GridOptions, grid};
use populace_population::{Crowd, Settings};

const AGENTS: u64 = 50_000;
const SINGLE: u64 = 2_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).map(PathBuf::from).ok_or("which file?")?;
    let model = grid(&GridOptions::default())?;
    let settings = Settings { agents: AGENTS, ..Settings::default() };
    let mut crowd = Crowd::new(&model, &settings)?;
    crowd.hibernate_in(&path)?;
    let mut actions = vec![0; AGENTS as usize];
    let seen: Vec<i32> = (0..AGENTS as i32).map(|agent| agent % 400).collect();
    for _ in 0..4 {
        crowd.step(&seen, &mut actions)?;
    }
    let before = crowd.memory().agents;
    let start = Instant::now();
    crowd.hibernate(&crowd.ids())?;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{AGENTS} agents, {:.1} bytes each, in {:.0} ms: {:.0} a second; {} bytes of agents are left",
        before as f64 / AGENTS as f64,
        1e3 * seconds,
        AGENTS as f64 / seconds,
        crowd.memory().agents,
    );
    let stride = AGENTS / SINGLE;
    let mut times = Vec::new();
    for id in (0..AGENTS).step_by(stride as usize) {
        let start = Instant::now();
        crowd.wake(&[id])?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let at = |part: f64| times[(part * (times.len() - 1) as f64) as usize];
    println!("woken one by one: median {:?}, p99 {:?}, most {:?}", at(0.5), at(0.99), at(1.0));
    let rest: Vec<u64> = (0..AGENTS).filter(|id| !id.is_multiple_of(stride)).collect();
    let start = Instant::now();
    crowd.wake(&rest)?;
    let seconds = start.elapsed().as_secs_f64();
    println!("woken together: {:.0} a second", rest.len() as f64 / seconds);
    Ok(())
}
