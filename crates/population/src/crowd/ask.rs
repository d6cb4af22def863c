//! What agents believe, and how they weigh their policies: read from what is stored.

use bytemuck::cast_slice;
use populace_agent::{Answers, CompiledModel, Model, Planner, Scratch};
use populace_tensor::lanes::{LANES, Lane};

use crate::chunk::NOT_BORN;
use crate::membership::{find, worker};
use crate::population::Population;
use crate::record::{DENSE, Keep, Number};
use crate::roster::{Call, by_chunk};
use crate::tick::{Records, Worker, read_counts};
use crate::{Error, ErrorKind, Result};

/// A model that answers for policies, where the agents' own knows only what to do next.
pub(crate) struct Enumerator<T: Number> {
    model: CompiledModel<T>,
    scratch: Scratch<T>,
}

impl<T: Number> Population<T> {
    /// Beliefs by factor, (ids, S_f).
    pub(crate) fn beliefs(&mut self, ids: &[u64]) -> Result<Vec<Vec<T>>> {
        let states = self.model.num_states().to_vec();
        let mut beliefs: Vec<Vec<T>> =
            states.iter().map(|&states| vec![T::ZERO; ids.len() * states]).collect();
        self.visit(ids, false, |_, scratch, places| {
            for (f, beliefs) in beliefs.iter_mut().enumerate() {
                let rows = &scratch.beliefs()[scratch.rows_of(f)];
                for (lane, &place) in places.iter().enumerate() {
                    column(&mut beliefs[place * rows.len()..][..rows.len()], rows, lane);
                }
            }
        })?;
        Ok(beliefs)
    }

    /// How far beliefs may be from the exact ones, (ids).
    pub(crate) fn error_bounds(&mut self, ids: &[u64]) -> Result<Vec<f64>> {
        let calls = self.locate(ids, true)?;
        let mut bounds = vec![0.0; ids.len()];
        for (index, calls) in by_chunk(&calls) {
            self.with_chunk(index, |layout, chunk| {
                let form = chunk.form(layout);
                let (columns, _) = chunk.parts(layout);
                for call in calls {
                    bounds[call.row as usize] = layout.bound(&columns, form, call.place as usize);
                }
                Ok(())
            })?;
        }
        Ok(bounds)
    }

    /// The posterior over policies and −EFE, (ids, P), and P.
    pub(crate) fn policies(&mut self, ids: &[u64]) -> Result<(Vec<T>, Vec<T>, usize)> {
        if self.model.infers_by_policy() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "policies of agents with beliefs by policy (pymdp-0's MMP): they are weighed as they \
                 observe, and not kept",
            ));
        }
        self.enumerate()?;
        let model = self.enumerator.as_ref().map_or(&self.model, |enumerator| &enumerator.model);
        let policies = model.policy_count();
        let valued = if model.planner() == Planner::Search { 0 } else { policies };
        let mut q_pi = vec![T::ZERO; ids.len() * policies];
        let mut neg_efe = vec![T::ZERO; ids.len() * valued];
        self.visit(ids, true, |model, scratch, places| {
            if model.learns() {
                model.expect(scratch);
            }
            model.infer_policies(scratch);
            for (lane, &place) in places.iter().enumerate() {
                column(&mut q_pi[place * policies..][..policies], scratch.q_pi(), lane);
                column(&mut neg_efe[place * valued..][..valued], scratch.neg_efe(), lane);
            }
        })?;
        Ok((q_pi, neg_efe, policies))
    }

    /// Makes sure that policies can be enumerated.
    fn enumerate(&mut self) -> Result<()> {
        if self.enumerator.is_some() || self.model.planner() != Planner::Graph {
            return Ok(());
        }
        // How much it takes is known once it is taken.
        self.make_room(u64::MAX)?;
        let Some(source) = self.source.as_deref() else { return Ok(()) };
        let before = self.memory.split();
        let compile = |source: &Model| -> Result<_> {
            let model = CompiledModel::compile(source, Answers::Policies, &self.memory.shared())?;
            if model.planner() == Planner::Graph {
                let why = "policies: there are too many to enumerate";
                return Err(Error::new(ErrorKind::Unsupported, why));
            }
            let window = self.layout.record.experience.window();
            let scratch = model.scratch(window, &self.memory.scratch())?;
            Ok(Enumerator { model, scratch })
        };
        let enumerator = compile(source).map_err(|error| match error.kind() {
            ErrorKind::Budget => error.within("policies"),
            _ => error,
        })?;
        let taken = self.memory.split().total() - before.total();
        self.admit_bytes("policies", taken)?;
        self.enumerator = Some(enumerator);
        self.note_fixed(&before);
        self.note_peak();
        Ok(())
    }

    /// Shows the beliefs of agents, a block at a time: lane l of the scratch has those of
    /// `ids[places[l]]`, and their counts where they learn.
    pub(super) fn visit(
        &mut self,
        ids: &[u64],
        enumerated: bool,
        mut show: impl FnMut(&CompiledModel<T>, &mut Scratch<T>, &[usize]),
    ) -> Result<()> {
        let calls = self.locate(ids, true)?;
        for (index, calls) in by_chunk(&calls) {
            let brought = self.bring(index)?;
            self.show(index, calls, enumerated, &mut show);
            if brought {
                self.leave(index);
            }
        }
        Ok(())
    }

    /// The same of one chunk's, which is in memory.
    fn show(
        &mut self,
        index: usize,
        calls: &[Call],
        enumerated: bool,
        show: &mut impl FnMut(&CompiledModel<T>, &mut Scratch<T>, &[usize]),
    ) {
        let Self { model, layout, chunks, workers, enumerator, .. } = self;
        let worker = worker(workers);
        let chunk = &mut chunks[index];
        let record = layout.records(chunk.form(layout));
        let variable = record.variable();
        find(layout, chunk, worker);
        let (columns, stream) = chunk.parts(layout);
        let stream: &[u8] = cast_slice(stream);
        let Worker { scratch, before, values: room, .. } = &mut *worker;
        let before = &before[..];
        let (model, scratch) = match enumerator.as_mut().filter(|_| enumerated) {
            Some(enumerator) => (&enumerator.model, &mut enumerator.scratch),
            None => (&*model, scratch),
        };
        for calls in calls.chunks(LANES) {
            scratch.start();
            let mut agents = [0; LANES];
            let mut places = [0; LANES];
            for (lane, call) in calls.iter().enumerate() {
                (agents[lane], places[lane]) = (call.place, call.row as usize);
                // It is there, and observes nothing.
                scratch.observe(lane, []);
                let agent = call.place as usize;
                let rows = scratch.beliefs_mut();
                if columns.action(agent) == NOT_BORN {
                    rows.iter_mut().zip(model.initial()).for_each(|(row, &d)| row[lane] = d);
                    continue;
                }
                let (mut part, mut row, mut v) = (before[agent] as usize, 0, 0);
                for factor in &record.factors {
                    let mut stored = DENSE;
                    if factor.keep != Keep::Dense {
                        stored = columns.length(agent * variable + v);
                        v += 1;
                    }
                    let bytes = factor.part_bytes(stored);
                    let rows = &mut rows[row..row + factor.states];
                    factor.read_rows(&stream[part..part + bytes], stored, room, rows, lane);
                    part += bytes;
                    row += factor.states;
                }
            }
            if model.learns() {
                let records = Records { layout, columns: &columns, stream, before };
                read_counts(model, records, scratch, &agents[..calls.len()]);
            }
            show(model, scratch, &places[..calls.len()]);
        }
    }
}

/// One lane of rows.
fn column<T: Number>(to: &mut [T], rows: &[Lane<T>], lane: usize) {
    to.iter_mut().zip(rows).for_each(|(to, row)| *to = row[lane]);
}
