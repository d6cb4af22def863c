//! What the engine does not do yet. Later work shrinks this list; nothing else repeats it.

use super::Model;
use super::arguments::{Dialect, InferenceAlgorithm, Named};
use crate::{Error, Result};

impl Model {
    /// Refuses, by name, a model that asks for what the engine does not do yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported), naming the first such thing.
    pub fn supported(&self) -> Result<()> {
        let agent = &self.arguments;
        let algorithm = agent.inference_algo;
        let wanted = [(
            self.dialect == Dialect::Pymdp0 && algorithm == InferenceAlgorithm::Mmp,
            format!("agent.inference_algo \"{}\"", algorithm.name()),
        )];
        match wanted.into_iter().find(|(asked, _)| *asked) {
            Some((_, name)) => {
                Err(Error::unsupported(format!("{name}: this version does not do it yet")))
            }
            None => Ok(()),
        }
    }
}
