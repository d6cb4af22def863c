//! A store's file that says it is unfinished for as long as it is being opened.
//!
//! redb repairs a store that was not closed, writes that it is whole, and only then makes a commit of its
//! own, of which a killed process may leave a half. That half commit is then taken for damage: a store
//! that was closed has none. So what is written meanwhile keeps the mark that sends the next reader
//! back to the commit before, which holds the same.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where redb's header says how its last writer left it, and the bits for: the maps of pages were
/// kept; a writer has not finished.
pub(crate) const STATE_AT: u64 = 9;
pub(crate) const MAPS_KEPT: u8 = 4;
pub(crate) const UNFINISHED: u8 = 2;

/// Whether a store is being opened.
#[derive(Debug, Clone)]
pub(crate) struct Opening(Arc<AtomicBool>);

impl Opening {
    /// It is; but a new store is nobody's to repair.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        Ok(Self(Arc::new(AtomicBool::new(file.metadata()?.len() > 0))))
    }

    pub(crate) fn is_over(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// What is to be written in place of `data`.
    pub(crate) fn mark<'a>(&self, offset: u64, data: &'a [u8]) -> Cow<'a, [u8]> {
        let state = STATE_AT.checked_sub(offset).filter(|&at| at < data.len() as u64);
        match state.filter(|_| self.0.load(Ordering::Relaxed)) {
            None => data.into(),
            Some(at) => {
                let mut data = data.to_vec();
                data[at as usize] |= UNFINISHED;
                data.into()
            }
        }
    }
}
