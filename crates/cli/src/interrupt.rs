//! Ctrl-C, and being asked to terminate, end a run after the current tick; a second time at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::failure::{Failure, Outcome};

/// Whether Ctrl-C was pressed (or SIGTERM came, which a scheduler sends).
pub(crate) struct Interrupt {
    pressed: Arc<AtomicBool>,
}

impl Interrupt {
    /// Listens from now on.
    pub(crate) fn listen() -> Outcome<Self> {
        let pressed = Arc::new(AtomicBool::new(false));
        // The order matters: the second signal finds the flag set by the first and exits.
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_shutdown(signal, 130, Arc::clone(&pressed))
                .and_then(|_| flag::register(signal, Arc::clone(&pressed)))
                .map_err(|error| {
                    Failure::other(format!("Ctrl-C cannot be listened to: {error}"))
                })?;
        }
        Ok(Self { pressed })
    }

    /// Whether it was pressed since.
    pub(crate) fn pressed(&self) -> bool {
        self.pressed.load(Ordering::Relaxed)
    }
}
