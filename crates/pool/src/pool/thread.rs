//! Small numbers for threads: the lowest that no live thread has.
//!
//! A pool's slots are found by this number, so as long as no more threads live than there are
//! slots, no two threads share one, however many came and went.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::biased::ENDING;

const NONE: usize = usize::MAX;

thread_local! {
    /// Read on every acquire: constant, and without a destructor to register.
    static NUMBER: Cell<usize> = const { Cell::new(NONE) };
    static GIVEN: GiveBack = const { GiveBack };
}

/// Numbers that were given back, and the first that was never given.
static FREE: Mutex<(BTreeSet<usize>, usize)> = Mutex::new((BTreeSet::new(), 0));

/// Gives the thread's number back when the thread ends.
struct GiveBack;

impl Drop for GiveBack {
    fn drop(&mut self) {
        self.drop_number();
    }
}

impl GiveBack {
    fn drop_number(&self) {
        // From here on another thread may have the number: this one no longer uses it.
        let number = NUMBER.replace(ENDING);
        FREE.lock().unwrap_or_else(PoisonError::into_inner).0.insert(number);
    }
}

/// This thread's number.
#[inline]
pub(crate) fn number() -> usize {
    let number = NUMBER.get();
    if number == NONE { take() } else { number }
}

#[cold]
fn take() -> usize {
    let number = {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        free.0.pop_first().unwrap_or_else(|| {
            free.1 += 1;
            free.1 - 1
        })
    };
    NUMBER.set(number);
    if GIVEN.try_with(|_| ()).is_err() {
        // A thread that first meets a pool while it is ending has no destructor left to give the
        // number back later.
        GiveBack.drop_number();
    }
    NUMBER.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_given_back_when_threads_end() {
        let mine = number();
        assert_eq!(mine, number());
        let most = (0..200).map(|_| std::thread::spawn(number).join().unwrap()).max().unwrap();
        // Other tests' threads hold some; two hundred short lives must not have taken new ones.
        assert!(most < 100, "{most}");
    }
}
