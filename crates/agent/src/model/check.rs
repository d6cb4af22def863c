//! Whether a model makes sense, before anything is computed from it.
//!
//! Each rule is checked in one place, structure before contents, so that a later rule may rely on
//! the earlier ones. The first violation is reported; a message names the tensor or argument, where
//! in it, the value and the rule: `B.0: column (3, 1) sums to 0.93, not 1 (±1e-6)`.

mod arguments;
mod beyond;
mod structure;
mod values;

use super::Model;
use crate::Result;

impl Model {
    /// Checks every rule that a model must meet.
    ///
    /// - Dependencies, controls and shapes fit each other; a factor depends on itself, as in pymdp.
    /// - Columns of A, B and D are distributions: no NaN, infinite or negative value, and sums
    ///   within 1e-4 (single precision) or 1e-6 (double) of 1.
    /// - C is finite, E, H and Dirichlet counts finite and not negative, all of the right length.
    /// - Policies have an action in range for every factor and step, and not too many are asked for.
    /// - Arguments make sense, alone and together, and exist in the dialect.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for the first rule that does not hold;
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) where there are too many policies.
    pub fn check(&self) -> Result<()> {
        self.check_structure()?;
        self.check_arguments()?;
        self.check_policies()?;
        self.check_preferences()?;
        self.check_values()
    }
}
