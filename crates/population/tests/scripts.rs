//! Random scripts of everything that can be done to a crowd, under budgets that are tight: after each
//! operation every byte has a name, and there are no more than the budget.
//!
//! What agents then do is held against twins by `tests/lifecycle.rs`; here the operations are many.

#![allow(clippy::unwrap_used)] // tests' helpers

mod budgets;
mod scripted;

use std::path::Path;

use populace_agent::Model;
use populace_agent::models::{Builtin, GridOptions, grid};
use populace_population::{Belief, Crowd, Error, ErrorKind, History, Settings};

use budgets::least_budget;
use scripted::{Dice, drawing, learning};

/// Operations, over all scripts: the 10^7 with `POPULACE_LONG=1`.
fn operations() -> u64 {
    if std::env::var_os("POPULACE_LONG").is_some() { 10_000_000 } else { 30_000 }
}

impl Dice {
    /// Up to `most` of these, in a row.
    fn some<'a>(&mut self, from: &'a [u64], most: u64) -> &'a [u64] {
        let count = self.roll(most + 1).min(from.len() as u64) as usize;
        let first = self.roll((from.len() - count) as u64 + 1) as usize;
        &from[first..first + count]
    }
}

/// What is scripted: models whose records are of one length, of any, shared, and growing.
fn subjects() -> Vec<(&'static str, Model, Settings)> {
    let slip = |side| grid(&GridOptions { side, slip: 0.1, ..GridOptions::default() }).unwrap();
    let history = History { ticks: 12, ..History::default() };
    let common = Settings { budget_bytes: 64 << 20, threads: 1, ..Settings::default() };
    let with = |belief| Settings { belief, ..common.clone() };
    let remembering = |belief| Settings { history: Some(history.clone()), ..with(belief) };
    let mut cases = vec![
        ("sparse", slip(9), remembering(Belief::Auto)),
        ("dense", slip(5), with(Belief::Dense)),
        ("log8", slip(9), Settings { mass: 1e-4, ..with(Belief::Log8) }),
        ("tmaze", Builtin::Tmaze.model().unwrap(), remembering(Belief::Auto)),
        ("learning", learning(), remembering(Belief::Auto)),
    ];
    for (_, model, _) in &mut cases {
        *model = drawing(model.clone());
    }
    cases
}

/// How many operations were done, and how many of them refused.
#[derive(Debug, Default)]
struct Done {
    operations: u64,
    refused: u64,
    hibernations: u64,
    agent_steps: u64,
}

impl Done {
    /// Only memory is ever refused.
    fn accept<R>(&mut self, result: Result<R, Error>) -> Option<R> {
        match result {
            Ok(done) => Some(done),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Budget, "{error}");
                self.refused += 1;
                None
            }
        }
    }
}

fn script(model: &Model, settings: &Settings, file: &Path, operations: u64, done: &mut Done) {
    let mut dice = Dice(operations ^ done.operations);
    let most = Settings { agents: 40 + dice.roll(60), ..settings.clone() };
    let accepts =
        |budget_bytes| Crowd::new(model, &Settings { budget_bytes, ..most.clone() }).is_ok();
    let budget_bytes =
        least_budget(most.budget_bytes, accepts) + (2 << 20 | 260 << 10) + dice.roll(64 << 10);
    let first = Settings { agents: 8, budget_bytes, ..settings.clone() };
    let mut crowd = Crowd::new(model, &first).unwrap();
    crowd.hibernate_in(file).unwrap();
    let (mut awake, mut asleep) = (crowd.ids(), Vec::new());
    let (modalities, factors) = (model.modalities(), model.factors());
    let outcomes = model.num_obs();
    for _ in 0..operations {
        match dice.roll(400) {
            0..240 => {
                let everyone = dice.roll(16) == 0;
                let ids = if everyone { &awake[..] } else { dice.some(&awake, 4) };
                let observed: Vec<i32> = (0..ids.len() * modalities)
                    .map(|at| dice.roll(outcomes[at % modalities] as u64 + 1) as i32 - 1)
                    .collect();
                let mut actions = vec![0; ids.len() * factors];
                if everyone {
                    crowd.step(&observed, &mut actions).unwrap();
                } else {
                    crowd.step_subset(ids, &observed, &mut actions).unwrap();
                }
            }
            240..300 => {
                let most = if dice.roll(8) == 0 { 50 } else { 3 };
                let count = dice.roll(most);
                if let Some(born) = done.accept(crowd.spawn(count)) {
                    awake.extend(born);
                }
            }
            300..360 => {
                let most = if dice.roll(8) == 0 { 50 } else { 3 };
                let ids = dice.some(&awake, most).to_vec();
                crowd.retire(&ids).unwrap();
                awake.retain(|id| !ids.contains(id));
            }
            360..380 => {
                let ids = dice.some(&awake, 3).to_vec();
                if let Some(born) = done.accept(crowd.recycle(&ids)) {
                    awake.retain(|id| !ids.contains(id));
                    awake.extend(born);
                }
            }
            380..396 => {
                let ids = dice.some(&awake, 6).to_vec();
                crowd.beliefs(&ids).unwrap();
                done.accept(crowd.policies(&ids));
                if let (Some(&id), true) = (ids.first(), settings.history.is_some()) {
                    crowd.history(id, 0..crowd.ticks()).unwrap();
                }
            }
            // The disk is waited for.
            396 => {
                let ids = dice.some(&awake, 8).to_vec();
                crowd.hibernate(&ids).unwrap();
                awake.retain(|id| !ids.contains(id));
                asleep.extend(ids);
                asleep.sort_unstable();
                done.hibernations += 1;
            }
            397 => {
                let ids = dice.some(&asleep, 8).to_vec();
                if done.accept(crowd.wake(&ids)).is_some() {
                    asleep.retain(|id| !ids.contains(id));
                    awake.extend(ids);
                    awake.sort_unstable();
                }
            }
            _ => {
                let ids = dice.some(&asleep, 4).to_vec();
                crowd.retire(&ids).unwrap();
                asleep.retain(|id| !ids.contains(id));
            }
        }
        assert_eq!(crowd.memory().total(), crowd.engine_bytes(), "a byte without a name");
        assert!(crowd.engine_bytes() <= budget_bytes && crowd.peak().total() <= budget_bytes);
        done.operations += 1;
    }
    assert_eq!(crowd.ids(), awake);
    assert_eq!(crowd.lifecycle_counts().hibernated, asleep.len() as u64);
    done.agent_steps += crowd.agent_steps();
}

#[test]
fn every_byte_has_a_name_and_the_budget_holds_after_every_operation() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = subjects();
    let scripts = 2;
    let spill = folder.path().join("spill");
    let mut done = Done::default();
    for seed in 0..scripts {
        for (name, model, settings) in &subjects {
            let spill = (seed == 1).then(|| spill.clone());
            let settings = Settings { threads: 1 + seed as usize, spill, ..settings.clone() };
            let file = folder.path().join(format!("{name}-{seed}"));
            let share = operations() / (scripts * subjects.len() as u64);
            script(model, &settings, &file, share, &mut done);
        }
    }
    println!("{done:?}");
    assert!(done.operations >= operations() && done.refused > 0 && done.hibernations > 0);
}
