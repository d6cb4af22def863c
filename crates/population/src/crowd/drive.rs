//! A tick of a crowd: observations from the caller's rows, actions into them.

use std::sync::Mutex;

use crate::chunk::{Chunk, ChunkLayout, Columns, NOT_BORN};
use crate::lifecycle::Lifecycle;
use crate::population::Population;
use crate::record::Number;
use crate::roster::{Call, by_chunk};
use crate::tick::{Observed, Rows, World};
use crate::{Error, Result};

impl<T: Number> Population<T> {
    /// Steps everyone in memory.
    pub(crate) fn drive(&mut self, observations: Observed<'_>, actions: &mut [i32]) -> Result<()> {
        self.check_step(self.agents(), observations, actions)?;
        let passed = if self.life.is_told() { self.everyone() } else { Vec::new() };
        self.step_rows(None, &passed, observations, actions)
    }

    /// Steps some.
    pub(crate) fn drive_some(
        &mut self,
        ids: &[u64],
        observations: Observed<'_>,
        actions: &mut [i32],
    ) -> Result<()> {
        self.check_step(ids.len() as u64, observations, actions)?;
        if self.life.policy.wakes {
            self.wake_called(ids)?;
        }
        let calls = self.locate(ids, false)?;
        self.step_rows(Some(&calls), &calls, observations, actions)
    }

    /// Steps who is called (everyone: `None`), tells who of `passed` has become active by that, and
    /// sweeps where that is wished for.
    fn step_rows(
        &mut self,
        calls: Option<&[Call]>,
        passed: &[Call],
        observations: Observed<'_>,
        actions: &mut [i32],
    ) -> Result<()> {
        let before = self.lifecycles_if_told(passed)?;
        let actions = Mutex::new(actions);
        let rows = Rows { observations, actions: &actions };
        self.tick_in(Some(World::Rows(&rows)), calls, None)?;
        for (id, from) in before.into_iter().filter(|&(_, from)| from != Lifecycle::Active) {
            self.life.tell(id, Some(from), Lifecycle::Active);
        }
        if self.life.policy.sweeps {
            self.sweep()?;
        }
        Ok(())
    }

    /// Wakes who of these is hibernated.
    fn wake_called(&mut self, ids: &[u64]) -> Result<()> {
        let absent: Vec<u64> =
            ids.iter().copied().filter(|&id| self.find_id(id).is_none()).collect();
        if absent.is_empty() {
            return Ok(());
        }
        let Some(store) = &self.life.store else { return Ok(()) };
        let held = store.holds(absent.iter().copied())?;
        let mut asleep: Vec<u64> =
            absent.into_iter().zip(held).filter(|&(_, held)| held).map(|(id, _)| id).collect();
        // An id that stands there twice is refused when all are awake.
        asleep.sort_unstable();
        asleep.dedup();
        if asleep.is_empty() { Ok(()) } else { self.wake(&asleep) }
    }

    /// Sets what was really done by those who are called (everyone: `None`).
    pub(crate) fn take(&mut self, ids: Option<&[u64]>, actions: &[i32]) -> Result<()> {
        let counts = self.model.num_actions();
        if self.ticks() == 0 {
            return Err(Error::invalid("actions: no agent was stepped yet, so none has acted"));
        }
        let rows = ids.map_or(self.agents(), |ids| ids.len() as u64);
        check_rows("actions", actions.len(), rows, counts.len(), "factors")?;
        if let Some(place) = out_of_range(actions, counts, 0) {
            let (row, f) = (place / counts.len(), place % counts.len());
            return Err(Error::invalid(format!(
                "actions[{row}, {f}]: is {}, not between 0 and {}",
                actions[place],
                counts[f] - 1
            )));
        }
        let calls = match ids {
            Some(ids) => self.locate(ids, false)?,
            None => self.everyone(),
        };
        let width = self.model.num_states().len();
        for (index, calls) in by_chunk(&calls) {
            self.with_chunk(index, |layout, chunk| {
                let acted = |call: &&Call, columns: &Columns<'_>| {
                    columns.action(call.place as usize) != NOT_BORN
                };
                let (members, columns, _) = chunk.split(layout);
                match calls.iter().find(|call| !acted(call, &columns)) {
                    None => Ok(()),
                    Some(call) => Err(Error::invalid(format!(
                        "actions[{}]: agent {} was not stepped yet, so it has not acted",
                        call.row,
                        members.id(call.place as usize)
                    ))),
                }
            })?;
        }
        let set = |layout: &ChunkLayout, chunk: &mut Chunk, calls: &[Call]| {
            let (mut columns, _) = chunk.parts(layout);
            for call in calls {
                let row = &actions[call.row as usize * width..][..width];
                columns.set_action(call.place as usize, layout.encode_action(row));
            }
        };
        self.finish_writing()?;
        let mut written = Vec::new();
        for (index, calls) in by_chunk(&calls) {
            let image = self.write_changed(index, |open| {
                set(open.layout, open.chunk, calls);
                Ok(None)
            });
            match image {
                Ok(image) => written.extend(image.map(|image| (index, image))),
                Err(error) => {
                    self.discard_all(written);
                    return Err(error);
                }
            }
        }
        let mut images = written.iter().map(|&(index, _)| index).peekable();
        for (index, calls) in by_chunk(&calls) {
            if images.next_if_eq(&index).is_none() {
                set(&self.layout, &mut self.chunks[index], calls);
            }
        }
        self.replace_all(written);
        Ok(())
    }

    /// The ids of all in memory.
    pub(crate) fn ids(&self) -> Vec<u64> {
        let members = self.chunks.iter().map(|chunk| &chunk.members);
        members.flat_map(|members| (0..members.len()).map(|place| members.id(place))).collect()
    }

    /// Everyone in memory, as if they had been called.
    fn everyone(&self) -> Vec<Call> {
        let chunks = self.chunks.iter().enumerate();
        let calls = chunks.flat_map(|(index, chunk)| {
            (0..chunk.len()).map(move |place| Call {
                chunk: index as u32,
                place: place as u32,
                row: (chunk.row + place) as u32,
            })
        });
        calls.collect()
    }

    fn check_step(&self, rows: u64, observations: Observed<'_>, actions: &[i32]) -> Result<()> {
        let (outcomes, factors) = (self.model.num_obs(), self.model.num_states().len());
        match observations {
            Observed::Outcomes(seen) => self.check_outcomes(rows, seen)?,
            Observed::Soft(seen) => {
                if !self.environment.is_soft() {
                    return Err(Error::invalid(
                        "observations: are distributions, but agents observe outcomes without \
                         categorical_obs",
                    ));
                }
                let width = outcomes.iter().sum();
                check_rows("observations", seen.len(), rows, width, "outcomes")?;
                if let Some(place) = seen.iter().position(|p| !p.is_finite() || *p < 0.0) {
                    return Err(Error::invalid(format!(
                        "observations[{}, {}]: is {}, no probability",
                        place / width,
                        place % width,
                        seen[place]
                    )));
                }
            }
        }
        check_rows("actions", actions.len(), rows, factors, "factors")
    }

    fn check_outcomes(&self, rows: u64, observations: &[i32]) -> Result<()> {
        let modalities = self.model.num_obs();
        if self.environment.is_soft() {
            return Err(Error::invalid(
                "observations: are outcomes, but agents observe distributions with categorical_obs",
            ));
        }
        check_rows("observations", observations.len(), rows, modalities.len(), "modalities")?;
        let (least, or_none) = match self.model.observes_nothing() {
            true => (-1, ", nor -1 for none"),
            false => (0, "; pymdp-0 knows no missing observations"),
        };
        if let Some(place) = out_of_range(observations, modalities, least) {
            let (row, m) = (place / modalities.len(), place % modalities.len());
            return Err(Error::invalid(format!(
                "observations[{row}, {m}]: is {}, not between 0 and {}{or_none}",
                observations[place],
                modalities[m] - 1
            )));
        }
        Ok(())
    }
}

fn check_rows(name: &str, len: usize, agents: u64, width: usize, what: &str) -> Result<()> {
    let needed = u128::from(agents) * width as u128;
    if len as u128 == needed {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{name}: has {len} values, and {agents} agents with {width} {what} need {needed}"
    )))
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
