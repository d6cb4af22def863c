//! The records of a chunk after a tick: from the worker, who wrote them in whatever order, into the
//! chunk's stream, in the form that takes least and fits.
//!
//! First, equal records stand once, where that makes the stream a quarter shorter; then, where the
//! chunk would still take more than its [quota](crate::quota), beliefs go down a tier.

use std::sync::atomic::Ordering::Relaxed;

use bytemuck::{cast_slice, cast_slice_mut};
use populace_pool::SharedResource;

use super::beliefs::lost;
use super::{Tick, Worker, find_records};
use crate::Result;
use crate::chunk::form::{Form, MOST_SHARING, set_place};
use crate::chunk::{Chunk, ChunkLayout, Columns, NOT_BORN, WORD};
use crate::record::{DENSE, Keep, Number, RecordLayout, distance, shed};

/// What the records of a chunk take in one form.
struct Size {
    form: Form,
    /// Bytes of the stream.
    bytes: usize,
    /// Bytes of the longest record.
    longest: usize,
}

impl<T: Number> Tick<'_, T> {
    /// Puts the records that were written into the chunk, in the agents' order; `form` is the form that
    /// it had.
    pub(super) fn store(
        &self,
        chunk: &mut Chunk,
        worker: &mut Worker<T>,
        form: Form,
    ) -> Result<()> {
        let (layout, len) = (self.layout, chunk.len());
        let shared = worker.positions.found && layout.steps_alike && len <= MOST_SHARING;
        let most = self.quota.words(layout, len);
        let longest = self.quota.record_bytes(layout);
        let (mut columns, _) = chunk.parts(layout);
        if shared {
            worker.find_equals(&layout.record, &columns);
        }
        let whole = Form { tier: 0, ..form };
        let mut size = worker.size(layout, &columns, whole, shared);
        while size.bytes.div_ceil(WORD) > most || size.longest > longest {
            let form = Form { tier: size.form.tier + 1, inexact: true, ..form };
            if usize::from(form.tier) == layout.tiers().count() {
                break;
            }
            size = worker.size(layout, &columns, form, shared);
        }
        if size.form.tier > 0 {
            worker.recode(layout, &mut columns, size.form, len);
            self.demotions.fetch_add(len as u64, Relaxed);
            size = worker.size(layout, &columns, size.form, shared);
        }
        let variable = layout.record.variable();
        for (index, &length) in worker.lengths.iter().enumerate().take(len * variable) {
            columns.set_length(index, length);
        }
        chunk.resize(size.bytes.div_ceil(WORD), most, self.memory, worker.spare.as_mut())?;
        worker.copy_records(layout, chunk, &size);
        Ok(())
    }
}

impl<T: Number> Worker<T> {
    /// Gives every agent of a chunk a record of its own, where they share some: agents come and go with
    /// theirs. What that takes was `admitted`, or is refused, and nothing has changed then.
    pub(crate) fn part_records(
        &mut self,
        layout: &ChunkLayout,
        chunk: &mut Chunk,
        memory: &SharedResource,
        admitted: bool,
    ) -> Result<()> {
        let form = chunk.form(layout);
        if !form.shared {
            return Ok(());
        }
        let len = chunk.len();
        let (columns, stream) = chunk.parts(layout);
        let starts = &mut self.before[..len];
        find_records::<T>(layout, &columns, stream, starts);
        let (record, stream) = (layout.records(form), cast_slice::<u64, u8>(stream));
        let own = Form { shared: false, ..form };
        let start = layout.records_start(own, len);
        let records: &mut [u8] = cast_slice_mut(&mut self.records);
        let mut end = start;
        for (agent, &from) in starts.iter().enumerate() {
            let bytes = record.bytes_in(&columns, agent);
            records[end..end + bytes].copy_from_slice(&stream[from as usize..][..bytes]);
            end += bytes;
        }
        let words = end.div_ceil(WORD);
        chunk.lengthen(words, memory, admitted)?;
        let (_, stream) = chunk.parts(layout);
        stream[0] = own.head();
        cast_slice_mut(stream)[start..end].copy_from_slice(&records[start..end]);
        Ok(())
    }

    /// The bytes of the record that was written of an agent.
    fn record_bytes(&self, record: &RecordLayout, columns: &Columns<'_>, agent: usize) -> usize {
        if columns.action(agent) == NOT_BORN {
            return 0;
        }
        let variable = record.variable();
        let lengths = &self.lengths[agent * variable..(agent + 1) * variable];
        let beliefs = record.bytes_of(|v| lengths[v]);
        if record.experience.is_empty() {
            return beliefs;
        }
        let records: &[u8] = cast_slice(&self.records);
        beliefs + record.experience.bytes::<T>(&records[self.after[agent] as usize + beliefs..])
    }

    /// What the records of a chunk take in the tier of `form`; `shared` is whether equal ones are known.
    fn size(&self, layout: &ChunkLayout, columns: &Columns<'_>, form: Form, shared: bool) -> Size {
        let record = layout.records(form);
        let (mut all, mut distinct, mut longest) = (0, 0, 0);
        let len = columns.len();
        for agent in 0..len {
            let bytes = self.record_bytes(record, columns, agent);
            all += bytes;
            longest = longest.max(bytes);
            if shared && self.positions.next[agent] as usize == agent {
                distinct += bytes;
            }
        }
        let own = Form { shared: false, ..form };
        let one = Form { shared: true, ..form };
        let own_bytes = layout.records_start(own, len) + all;
        let one_bytes = layout.records_start(one, len) + distinct;
        // A quarter, so that what is saved is worth reading places.
        if shared && 4 * one_bytes <= 3 * own_bytes {
            Size { form: one, bytes: one_bytes, longest }
        } else {
            Size { form: own, bytes: own_bytes, longest }
        }
    }

    /// Writes the records of a chunk anew in the tier of `form`, each where it is: lower tiers take
    /// less. Who follows another in this tick follows it here.
    fn recode(&mut self, layout: &ChunkLayout, columns: &mut Columns<'_>, form: Form, len: usize) {
        let (from, to) = (&layout.record, layout.records(form));
        let variable = from.variable();
        let Self { records, after, lengths, positions, states, values, room, .. } = self;
        let records: &mut [u8] = cast_slice_mut(records);
        for agent in 0..len {
            let leader = if positions.found { positions.leader[agent] as usize } else { agent };
            if leader != agent {
                lengths.copy_within(leader * variable..(leader + 1) * variable, agent * variable);
                if from.bounded {
                    columns.set_bound(agent, columns.bound(leader));
                }
                continue;
            }
            let (mut read, mut written, mut v) =
                (after[agent] as usize, after[agent] as usize, agent * variable);
            let mut apart = 0.0;
            for (factor, lower) in from.factors.iter().zip(&to.factors) {
                let length = if factor.keep == Keep::Dense { DENSE } else { lengths[v] };
                let part = &records[read..read + factor.part_bytes(length)];
                read += part.len();
                let kept = if length == DENSE {
                    let belief = &mut values[..factor.states];
                    factor.code.read(part, belief);
                    let part = &mut records[written..written + lower.part_bytes(DENSE)];
                    lower.code.write(belief, part);
                    if to.bounded {
                        let again = &mut room[..belief.len()];
                        lower.code.read(part, again);
                        apart += distance(belief.iter().copied(), 0.0, again.iter().copied());
                    }
                    DENSE
                } else {
                    let n = length as usize;
                    factor.read_sparse(part, n, states, values);
                    let (states, values) = (&mut states[..n], &mut values[..n]);
                    let (n, dropped) = shed(states, values, 0.0, lower.code, room);
                    let part = &mut records[written..written + lower.part_bytes(n as u32)];
                    lower.write_sparse(&states[..n], &values[..n], part);
                    if to.bounded {
                        let (states, values) = (&states[..n], &values[..n]);
                        apart += lost(lower, states, values, dropped, n as u32, part, room);
                    }
                    n as u32
                };
                written += lower.part_bytes(kept);
                if factor.keep != Keep::Dense {
                    lengths[v] = kept;
                    v += 1;
                }
            }
            if to.bounded {
                columns.set_bound(agent, columns.bound(agent) + apart);
            }
        }
    }

    /// Copies the records of a chunk into its stream, which is as long as `size` says.
    fn copy_records(&self, layout: &ChunkLayout, chunk: &mut Chunk, size: &Size) {
        let (form, len) = (size.form, chunk.len());
        let start = layout.records_start(form, len);
        let records: &[u8] = cast_slice(&self.records);
        let (columns, stream) = chunk.parts(layout);
        if let (true, Some(head)) = (layout.has_head(), stream.first_mut()) {
            *head = form.head();
        }
        let stream: &mut [u8] = cast_slice_mut(stream);
        // Nobody follows another, and no record was made shorter: they may stand as they should already.
        let whole = !self.positions.found && form.tier == 0;
        if whole && size.bytes - start == self.records_len && self.after[..len].is_sorted() {
            stream[start..size.bytes].copy_from_slice(&records[..self.records_len]);
            return;
        }
        if form.shared {
            stream[start - WORD..start].fill(0);
        }
        let record = layout.records(form);
        let mut to = start;
        for (agent, &from) in self.after[..len].iter().enumerate() {
            if form.shared {
                let place = self.positions.next[agent];
                set_place(stream, agent, place);
                if place as usize != agent {
                    continue;
                }
            }
            let bytes = self.record_bytes(record, &columns, agent);
            stream[to..to + bytes].copy_from_slice(&records[from as usize..][..bytes]);
            to += bytes;
        }
    }
}
