//! Beliefs that were demoted are within their bounds of those of an exact twin.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use populace_agent::models::{GridOptions, grid};
use populace_agent::{Answers, Model};
use populace_pool::SharedResource;

use super::{Population, Source};
use crate::record::Number;
use crate::{Belief, Environment, Generative, Moment, Result, Settings};

/// What agents saw and did, by the tick.
type Past = Arc<Mutex<(Vec<i32>, Vec<i32>)>>;

/// A world that writes down what happens in it.
struct Written {
    world: Generative,
    past: Past,
}

/// A world in which that happens again, whatever is chosen.
struct Again {
    past: Past,
}

fn put(to: &mut [i32], ids: &Range<u64>, from: &[i32]) {
    let width = from.len() / (ids.end - ids.start) as usize;
    to[ids.start as usize * width..ids.end as usize * width].copy_from_slice(from);
}

fn take(to: &mut [i32], ids: &Range<u64>, from: &[i32]) {
    let width = to.len() / (ids.end - ids.start) as usize;
    to.copy_from_slice(&from[ids.start as usize * width..ids.end as usize * width]);
}

impl Environment for Written {
    fn state_bytes(&self) -> usize {
        self.world.state_bytes()
    }

    fn begin(&self, seed: u64, ids: Range<u64>, states: &mut [u8]) {
        self.world.begin(seed, ids, states);
    }

    fn observe(&self, moment: Moment, ids: Range<u64>, states: &mut [u8], seen: &mut [i32]) {
        self.world.observe(moment, ids.clone(), states, seen);
        put(&mut self.past.lock().unwrap().0, &ids, seen);
    }

    fn act(&self, moment: Moment, ids: Range<u64>, states: &mut [u8], done: &mut [i32]) {
        self.world.act(moment, ids.clone(), states, done);
        put(&mut self.past.lock().unwrap().1, &ids, done);
    }
}

impl Environment for Again {
    fn state_bytes(&self) -> usize {
        0
    }

    fn begin(&self, _: u64, _: Range<u64>, _: &mut [u8]) {}

    fn observe(&self, _: Moment, ids: Range<u64>, _: &mut [u8], seen: &mut [i32]) {
        take(seen, &ids, &self.past.lock().unwrap().0);
    }

    fn act(&self, _: Moment, ids: Range<u64>, _: &mut [u8], done: &mut [i32]) {
        take(done, &ids, &self.past.lock().unwrap().1);
    }
}

type Make<'a> = &'a dyn Fn(&SharedResource) -> Result<Box<dyn Environment>>;

fn population<T: Number>(model: &Model, settings: &Settings, make: Make<'_>) -> Population<T> {
    let source = Source {
        model,
        answers: Answers::Actions,
        environment: make,
        steps: None,
        keep_arrays: false,
        changes: false,
    };
    Population::new(&source, settings).unwrap()
}

/// The largest distance of two beliefs over S states.
fn apart(a: &[f32], b: &[f64]) -> f64 {
    let sum = |of: &mut dyn Iterator<Item = f64>| of.sum::<f64>();
    let (all_a, all_b) = (sum(&mut a.iter().map(|&q| q.into())), sum(&mut b.iter().copied()));
    let off = a.iter().zip(b).map(|(&a, &b)| (f64::from(a) / all_a - b / all_b).abs());
    0.5 * off.sum::<f64>()
}

#[test]
fn what_was_demoted_is_within_its_bound_of_an_exact_twin() {
    let model = grid(&GridOptions { side: 10, slip: 0.1, ..GridOptions::default() }).unwrap();
    let agents = 300;
    let ids: Vec<u64> = (0..agents).collect();
    for demote in [Belief::F16, Belief::Log8] {
        let past = Past::default();
        *past.lock().unwrap() = (vec![0; agents as usize], vec![0; agents as usize]);
        let world = |memory: &SharedResource| -> Result<Box<dyn Environment>> {
            let world = Generative::new(&model, memory)?;
            Ok(Box::new(Written { world, past: past.clone() }))
        };
        let plenty =
            Settings { agents, budget_bytes: 1 << 30, chunk: Some(16), ..Settings::default() };
        let demoting = Settings { demote: Some(demote), ..plenty.clone() };
        let needed = {
            let whole = population::<f32>(&model, &demoting, &world);
            whole.needed_bytes(agents, false) as u64
        };
        // Room for all in the lowest tier, and for some of them as they are.
        let tight = Settings { budget_bytes: needed + (16 << 10), ..demoting };
        let mut lossy = population::<f32>(&model, &tight, &world);
        let exact = Settings { belief: Belief::Dense, ..plenty };
        let mut twin =
            population::<f64>(&model, &exact, &|_| Ok(Box::new(Again { past: past.clone() })));
        let mut informative = 0;
        for tick in 0..40 {
            lossy.tick(None).unwrap();
            twin.tick(None).unwrap();
            assert!(lossy.engine_bytes() <= tight.budget_bytes);
            let bounds = lossy.error_bounds(&ids).unwrap();
            let (ours, theirs) = (lossy.beliefs(&ids).unwrap(), twin.beliefs(&ids).unwrap());
            let pairs = ours[0].chunks_exact(100).zip(theirs[0].chunks_exact(100));
            for (agent, (bound, (a, b))) in bounds.iter().zip(pairs).enumerate() {
                let apart = apart(a, b);
                // Who was never demoted has lost nothing but what single precision rounds.
                assert!(
                    apart <= bound.max(1e-4),
                    "{demote:?}: agent {agent} at tick {tick} is {apart} off, not {bound}"
                );
                informative += u64::from(*bound > 0.0 && *bound < 0.5);
            }
        }
        let economies = lossy.economies();
        assert!(economies.demotions > 0 && informative > 1000, "{economies:?} {informative}");
    }
}
