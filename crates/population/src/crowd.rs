//! A population that is driven from outside: its world is the caller's.
//!
//! A step reads observations and writes actions where the caller has them; nothing is copied on the
//! way. What agents believe and how they weigh their policies is answered for those that are asked
//! about, from what is stored; asking changes nothing.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use bytemuck::cast_slice;
use populace_agent::{Answers, CompiledModel, Model, Precision, Reals, Scratch};
use populace_pool::SharedResource;
use populace_tensor::lanes::LANES;

use crate::chunk::NOT_BORN;
use crate::population::{Population, Source};
use crate::record::{DENSE, Keep, Number};
use crate::tick::Worker;
use crate::{Environment, Error, ErrorKind, Memory, Moment, Result, Settings, Tiers};

/// A population whose observations come from the caller and whose actions go to it.
///
/// ```
/// use populace_agent::models::{TmazeOptions, tmaze};
/// use populace_population::{Crowd, Settings};
///
/// let model = tmaze(&TmazeOptions::default())?;
/// let settings = Settings { agents: 3, budget_bytes: 8 << 20, ..Settings::default() };
/// let mut crowd = Crowd::new(&model, &settings)?;
/// let mut actions = [0; 3 * 2]; // (agents, factors)
/// crowd.step(&[0, 0, 0, 0, 0, 0, 0, 0, 0], &mut actions)?; // (agents, modalities)
/// assert_eq!(actions[..2], actions[2..4]);
/// assert_eq!(crowd.beliefs(&[1])?[1].iter().collect::<Vec<_>>(), [0.5, 0.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Crowd(Inner);

enum Inner {
    F32(Box<Population<f32>>),
    F64(Box<Population<f64>>),
}

macro_rules! with {
    ($self:expr, $population:ident => $e:expr) => {
        match $self {
            Inner::F32($population) => $e,
            Inner::F64($population) => $e,
        }
    };
}

/// How agents weigh their policies; row-major, a row an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyPosterior {
    /// The posterior over policies, (ids, P).
    pub q_pi: Reals,
    /// −EFE of every policy, (ids, P).
    pub neg_efe: Reals,
    /// P, how many policies there are.
    pub policies: usize,
}

impl Crowd {
    /// A population of agents of `model` that nobody has stepped yet.
    ///
    /// # Errors
    ///
    /// The model or the settings are not valid, ask for what is not there yet, or need more memory in
    /// the worst case than the budget.
    pub fn new(model: &Model, settings: &Settings) -> Result<Self> {
        let environment =
            |_: &SharedResource| -> Result<Box<dyn Environment>> { Ok(Box::new(Outside)) };
        let source = Source {
            model,
            environment: &environment,
            steps: None,
            keep_arrays: false,
            answers: Answers::Policies,
        };
        Ok(Self(match settings.precision {
            Precision::F32 => Inner::F32(Box::new(Population::new(&source, settings)?)),
            Precision::F64 => Inner::F64(Box::new(Population::new(&source, settings)?)),
        }))
    }

    /// Steps every agent once: `observations` is (agents, modalities), −1 is nothing; `actions`,
    /// (agents, factors), flat per factor, gets what the agents chose.
    ///
    /// # Errors
    ///
    /// An array is too long or too short, or an outcome is out of range: then nobody was stepped.
    /// Or the operating system refuses memory that the budget would allow.
    pub fn step(&mut self, observations: &[i32], actions: &mut [i32]) -> Result<()> {
        with!(&mut self.0, population => population.drive(observations, actions))
    }

    /// The actions, (agents, factors), that were really taken since the last step, where they are
    /// others than the agents chose: the next step starts from them.
    ///
    /// # Errors
    ///
    /// Nobody was stepped yet, the array is too long or too short, or an action is out of range:
    /// then nothing has changed.
    pub fn took(&mut self, actions: &[i32]) -> Result<()> {
        with!(&mut self.0, population => population.take(actions))
    }

    /// What agents believe now, D before their first step: an array (ids, S_f) a factor.
    ///
    /// # Errors
    ///
    /// There is no such agent.
    pub fn beliefs(&mut self, ids: &[u64]) -> Result<Vec<Reals>> {
        with!(&mut self.0, population => {
            Ok(population.beliefs(ids)?.into_iter().map(Reals::from).collect())
        })
    }

    /// How far what agents believe may be from the exact beliefs: total-variation distances, 0 where
    /// nothing is lost, 1 where nothing is known ([`Bounds`](crate::Bounds)).
    ///
    /// # Errors
    ///
    /// There is no such agent.
    pub fn bounds(&mut self, ids: &[u64]) -> Result<Vec<f64>> {
        with!(&mut self.0, population => population.bounds_of(ids))
    }

    /// How agents weigh their policies by what they believe now.
    ///
    /// # Errors
    ///
    /// There is no such agent, or agents learn.
    pub fn policies(&mut self, ids: &[u64]) -> Result<PolicyPosterior> {
        with!(&mut self.0, population => {
            let (q_pi, neg_efe) = population.policies(ids)?;
            let policies = population.model.policy_count();
            Ok(PolicyPosterior { q_pi: q_pi.into(), neg_efe: neg_efe.into(), policies })
        })
    }

    /// How many agents there are.
    pub fn agents(&self) -> u64 {
        with!(&self.0, population => population.agents())
    }

    /// How many steps have been made.
    pub fn ticks(&self) -> u64 {
        with!(&self.0, population => population.ticks())
    }

    /// The hash of all choices so far ([`trajectory_term`](crate::trajectory_term)).
    pub fn trajectory_hash(&self) -> u64 {
        with!(&self.0, population => population.trajectory_hash())
    }

    /// Where every engine byte is now.
    pub fn memory(&self) -> Memory {
        with!(&self.0, population => population.memory())
    }

    /// Where every engine byte was when there were most.
    pub fn peak(&self) -> Memory {
        with!(&self.0, population => population.peak())
    }

    /// Engine bytes that grow with the number of agents, when there were most, by the agent.
    pub fn bytes_per_agent(&self) -> f64 {
        with!(&self.0, population => population.bytes_per_agent())
    }

    /// How beliefs are stored now.
    pub fn tiers(&mut self) -> Tiers {
        with!(&mut self.0, population => population.tiers())
    }

    /// How many threads step agents.
    pub fn threads(&self) -> usize {
        with!(&self.0, population => population.thread_count())
    }
}

impl<T: Number> Population<T> {
    fn agents(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.len as u64).sum()
    }

    fn drive(&mut self, observations: &[i32], actions: &mut [i32]) -> Result<()> {
        let (modalities, factors) = (self.model.num_obs(), self.model.num_states().len());
        self.check_rows("observations", observations.len(), modalities.len(), "modalities")?;
        self.check_rows("actions", actions.len(), factors, "factors")?;
        if let Some(place) = out_of_range(observations, modalities, -1) {
            let (row, m) = (place / modalities.len(), place % modalities.len());
            return Err(Error::invalid(format!(
                "observations[{row}, {m}]: is {}, not between 0 and {}, nor -1 for none",
                observations[place],
                modalities[m] - 1
            )));
        }
        let modalities = modalities.len();
        let world = Driven { observations, modalities, actions: Mutex::new(actions), factors };
        self.tick_in(Some(&world), None)
    }

    fn take(&mut self, actions: &[i32]) -> Result<()> {
        let counts = self.model.num_actions();
        if self.ticks() == 0 {
            return Err(Error::invalid("actions: no agent was stepped yet, so none has acted"));
        }
        self.check_rows("actions", actions.len(), counts.len(), "factors")?;
        if let Some(place) = out_of_range(actions, counts, 0) {
            let (row, f) = (place / counts.len(), place % counts.len());
            return Err(Error::invalid(format!(
                "actions[{row}, {f}]: is {}, not between 0 and {}",
                actions[place],
                counts[f] - 1
            )));
        }
        let mut rows = actions.chunks_exact(counts.len());
        for chunk in &mut self.chunks {
            let len = chunk.len;
            let (mut columns, _) = chunk.parts(&self.layout);
            for (agent, row) in rows.by_ref().take(len).enumerate() {
                columns.set_action(agent, self.layout.encode_action(row));
            }
        }
        Ok(())
    }

    fn check_rows(&self, name: &str, len: usize, width: usize, what: &str) -> Result<()> {
        let agents = self.agents();
        if len as u128 == u128::from(agents) * width as u128 {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "{name}: has {len} values, and {agents} agents with {width} {what} need {}",
            u128::from(agents) * width as u128
        )))
    }

    fn beliefs(&mut self, ids: &[u64]) -> Result<Vec<Vec<T>>> {
        let states = self.model.num_states().to_vec();
        let mut beliefs: Vec<Vec<T>> =
            states.iter().map(|&states| vec![T::ZERO; ids.len() * states]).collect();
        self.visit(ids, |_, scratch, places| {
            for (f, beliefs) in beliefs.iter_mut().enumerate() {
                let rows = &scratch.beliefs()[scratch.rows_of(f)];
                for (lane, &place) in places.iter().enumerate() {
                    let belief = &mut beliefs[place * rows.len()..][..rows.len()];
                    belief.iter_mut().zip(rows).for_each(|(to, row)| *to = row[lane]);
                }
            }
        })?;
        Ok(beliefs)
    }

    fn bounds_of(&mut self, ids: &[u64]) -> Result<Vec<f64>> {
        self.check_ids(ids)?;
        let Self { layout, chunks, chunk_agents, .. } = self;
        let step = *chunk_agents as u64;
        let bound = |&id: &u64| {
            let (columns, _) = chunks[(id / step) as usize].parts(layout);
            Self::bound(&layout.record, &columns, (id % step) as usize)
        };
        Ok(ids.iter().map(bound).collect())
    }

    fn check_ids(&self, ids: &[u64]) -> Result<()> {
        let agents = self.agents();
        match ids.iter().position(|&id| id >= agents) {
            None => Ok(()),
            Some(place) => Err(Error::invalid(format!(
                "ids[{place}]: {} is out of range, there are {agents} agents",
                ids[place]
            ))),
        }
    }

    fn policies(&mut self, ids: &[u64]) -> Result<(Vec<T>, Vec<T>)> {
        if self.model.learns() {
            // The weights would be the shared model's, not those of what each agent has learnt.
            return Err(Error::new(
                ErrorKind::Unsupported,
                "policies of agents that learn: this version does not tell them yet",
            ));
        }
        let policies = self.model.policy_count();
        let mut q_pi = vec![T::ZERO; ids.len() * policies];
        let mut neg_efe = q_pi.clone();
        self.visit(ids, |model, scratch, places| {
            model.infer_policies(scratch);
            for (lane, &place) in places.iter().enumerate() {
                let row = place * policies..(place + 1) * policies;
                let column = |to: &mut [T], from: &[_]| {
                    let from: &[populace_tensor::lanes::Lane<T>] = from;
                    to.iter_mut().zip(from).for_each(|(to, row)| *to = row[lane]);
                };
                column(&mut q_pi[row.clone()], scratch.q_pi());
                column(&mut neg_efe[row], scratch.neg_efe());
            }
        })?;
        Ok((q_pi, neg_efe))
    }

    /// Shows the beliefs of agents, a block at a time: lane l of the scratch has those of
    /// `ids[places[l]]`.
    fn visit(
        &mut self,
        ids: &[u64],
        mut show: impl FnMut(&CompiledModel<T>, &mut Scratch<T>, &[usize]),
    ) -> Result<()> {
        self.check_ids(ids)?;
        // In the agents' order each chunk is walked once.
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_by_key(|&place| ids[place]);
        let Self { model, layout, chunks, workers, chunk_agents, .. } = self;
        let worker = workers[0].get_mut().unwrap_or_else(PoisonError::into_inner);
        let Worker { scratch, values: room, .. } = worker;
        let record = &layout.record;
        let variable = record.variable();
        // The agent whose record starts at `at`.
        let (mut next, mut at) = (0, 0);
        for places in order.chunks(LANES) {
            scratch.start();
            for (lane, &place) in places.iter().enumerate() {
                let id = ids[place];
                let chunk = &mut chunks[(id / *chunk_agents as u64) as usize];
                let first = chunk.first;
                let (columns, stream) = chunk.parts(layout);
                let stream: &[u8] = cast_slice(stream);
                let born = |id: u64| columns.action((id - first) as usize) != NOT_BORN;
                let length =
                    |id: u64, v: usize| columns.length((id - first) as usize * variable + v);
                if next < first {
                    (next, at) = (first, 0);
                }
                while next < id {
                    at += if record.fixed() {
                        record.most_bytes()
                    } else if born(next) {
                        let beliefs = record.bytes_of(|v| length(next, v));
                        beliefs + record.experience.bytes::<T>(&stream[at + beliefs..])
                    } else {
                        0
                    };
                    next += 1;
                }
                let rows = scratch.beliefs_mut();
                if !born(id) {
                    rows.iter_mut().zip(model.initial()).for_each(|(row, &d)| row[lane] = d);
                    continue;
                }
                let (mut part, mut row, mut v) = (at, 0, 0);
                for factor in &record.factors {
                    let mut stored = DENSE;
                    if factor.keep != Keep::Dense {
                        stored = length(id, v);
                        v += 1;
                    }
                    let bytes = factor.part_bytes(stored);
                    let rows = &mut rows[row..row + factor.states];
                    factor.read_rows(&stream[part..part + bytes], stored, room, rows, lane);
                    part += bytes;
                    row += factor.states;
                }
            }
            show(model, scratch, places);
        }
        Ok(())
    }
}

/// The first place in rows of `counts.len()` numbers where one is not in least..count.
fn out_of_range(rows: &[i32], counts: &[usize], least: i32) -> Option<usize> {
    let wrong = |(&number, &count): (&i32, &usize)| {
        number < least || usize::try_from(number).is_ok_and(|number| number >= count)
    };
    let row = rows.chunks_exact(counts.len()).position(|row| row.iter().zip(counts).any(wrong))?;
    let start = row * counts.len();
    let column = rows[start..].iter().zip(counts).position(wrong)?;
    Some(start + column)
}

/// No world at all: what an agent observes comes with the step.
struct Outside;

impl Environment for Outside {
    fn state_bytes(&self) -> usize {
        0
    }

    fn begin(&self, _seed: u64, _agents: Range<u64>, _states: &mut [u8]) {}

    fn observe(&self, _: Moment, _: Range<u64>, _states: &mut [u8], observations: &mut [i32]) {
        observations.fill(-1);
    }

    fn act(&self, _: Moment, _: Range<u64>, _states: &mut [u8], _actions: &mut [i32]) {}
}

/// The world of one step: what the caller says, and where it wants the answer.
struct Driven<'a> {
    observations: &'a [i32],
    modalities: usize,
    /// Held for the copy of one chunk's actions.
    actions: Mutex<&'a mut [i32]>,
    factors: usize,
}

impl Environment for Driven<'_> {
    fn state_bytes(&self) -> usize {
        0
    }

    fn begin(&self, _seed: u64, _agents: Range<u64>, _states: &mut [u8]) {}

    fn observe(&self, _: Moment, agents: Range<u64>, _: &mut [u8], observations: &mut [i32]) {
        let start = agents.start as usize * self.modalities;
        observations.copy_from_slice(&self.observations[start..start + observations.len()]);
    }

    fn act(&self, _: Moment, agents: Range<u64>, _states: &mut [u8], actions: &mut [i32]) {
        let start = agents.start as usize * self.factors;
        let mut chosen = self.actions.lock().unwrap_or_else(PoisonError::into_inner);
        chosen[start..start + actions.len()].copy_from_slice(actions);
    }
}
