//! Agents that come and go by a schedule: the same lives on any number of threads, in any chunks, in
//! memory and on disk.
#![allow(clippy::unwrap_used)] // tests' helpers

mod budgets;

use std::collections::BTreeSet;

use populace_agent::models::{GridOptions, grid};
use populace_population::{Schedule, Settings, Simulation};

use budgets::least_budget;

#[test]
fn a_schedule_is_kept_within_the_budget() {
    let model = grid(&GridOptions { side: 9, slip: 0.1, ..GridOptions::default() }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut seen = BTreeSet::new();
    for (threads, chunk, spills) in [
        (1, None, false),
        (2, Some(3), false),
        (2, Some(100), false),
        (1, None, true),
        (2, Some(3), true),
    ] {
        let store = folder.path().join(format!("{threads}-{chunk:?}-{spills}"));
        let schedule = Schedule {
            every: 3,
            spawn: 60,
            retire: 0.1,
            lifetime: Some(20),
            hibernate: 0.2,
            wake: 0.3,
            store: Some(store),
        };
        let spill = spills.then(|| folder.path().join("spill"));
        let plenty = Settings { agents: 1500, threads, chunk, spill, ..Settings::default() };
        let living = |budget_bytes| {
            let settings = Settings { budget_bytes, ..plenty.clone() };
            Simulation::living(&model, None, &settings, 40, &schedule)
        };
        let budget_bytes = match spills {
            // As little as can be: who leaves lets others into memory, who comes sends them to disk.
            true => {
                let least = least_budget(8 << 20, |bytes| {
                    let made = living(bytes).is_ok();
                    let _ = std::fs::remove_file(schedule.store.as_ref().unwrap());
                    made
                });
                least + (8 << 10)
            }
            false => 8 << 20,
        };
        let mut run = living(budget_bytes).unwrap();
        while run.ticks() < 40 {
            run.tick().unwrap();
            assert_eq!(run.memory().total(), run.engine_bytes());
            assert!(run.peak().total() <= budget_bytes);
            let counts = run.lifecycle_counts();
            let alive = counts.active + counts.hibernated;
            assert!(alive <= schedule.most_agents(1500, run.ticks()), "{counts:?}");
            let changes = (run.ticks() - 1) / 3;
            assert_eq!(alive + counts.retired, 1500 + 60 * changes);
        }
        assert_eq!(run.spilled().read_bytes > 0, spills, "{:?}", run.spilled());
        seen.insert((run.trajectory_hash(), run.lifecycle_counts().hibernated));
        assert!(living(budget_bytes).is_err(), "in use");
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
}
