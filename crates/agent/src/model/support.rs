//! What the engine does not do yet. Later work shrinks this list; nothing else repeats it.

use super::Model;
use super::arguments::Dialect;
use crate::{Error, Result};

impl Model {
    /// Refuses, by name, a model that asks for what the engine does not do yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported), naming the first such thing.
    pub fn supported(&self) -> Result<()> {
        let agent = &self.arguments;
        let wanted = [
            (
                self.sophisticated.is_some() && (agent.learn_a || agent.learn_b || agent.learn_d),
                "sophisticated with learning".to_owned(),
            ),
            (
                agent.learn_d && self.dialect == Dialect::Pymdp1,
                "agent.learn_D in pymdp-1".to_owned(),
            ),
        ];
        match wanted.into_iter().find(|(asked, _)| *asked) {
            Some((_, name)) => {
                Err(Error::unsupported(format!("{name}: this version does not do it yet")))
            }
            None => Ok(()),
        }
    }
}
