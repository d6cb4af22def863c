//! Arguments that no pymdp has (docs/beyond.md): none may stand where it would do nothing.

use crate::model::{Model, arguments::Arguments};
use crate::{Error, Result, SamplingMode};

impl Model {
    pub(super) fn check_beyond(&self, agent: &Arguments) -> Result<()> {
        for (array, learns, rate) in [
            ('A', agent.learn_a, agent.fr_pa),
            ('B', agent.learn_b, agent.fr_pb),
            ('D', agent.learn_d, agent.fr_pd),
            ('E', agent.learn_e, agent.fr_pe),
        ] {
            let name = format!("agent.fr_p{array}");
            if !(rate > 0.0 && rate <= 1.0) {
                let rule = "not above 0 and at most 1";
                return Err(Error::invalid(format!("{name}: is {rate}, {rule}")));
            }
            if rate < 1.0 && !learns {
                return Err(Error::invalid(format!(
                    "{name}: is {rate}, but nothing is learnt that could be forgotten: \
                     agent.learn_{array} is false"
                )));
            }
        }
        if agent.keep_zeros && !(agent.learn_a || agent.learn_b || agent.learn_d || agent.learn_e) {
            return Err(Error::invalid("agent.keep_zeros: is true, but nothing is learnt"));
        }
        if agent.learn_e && self.sophisticated.is_some() {
            return Err(Error::invalid(
                "agent.learn_E: is true, but sophisticated inference does not use E",
            ));
        }
        self.check_interval(agent)
    }

    /// In between two plannings the policy that was chosen is followed, so there is one, and it is
    /// long enough.
    fn check_interval(&self, agent: &Arguments) -> Result<()> {
        let interval = agent.planning_interval;
        let wrong = |what: String| Err(Error::invalid(format!("agent.planning_interval: {what}")));
        if interval == 0 {
            return wrong("is 0, not at least 1".into());
        }
        if interval > agent.policy_len {
            return wrong(format!(
                "is {interval}, but policies have {} steps to follow (agent.policy_len)",
                agent.policy_len
            ));
        }
        if interval > 1 && agent.sampling_mode == SamplingMode::Marginal {
            return wrong(format!(
                "is {interval}, but with agent.sampling_mode \"marginal\" no policy is chosen that \
                 could be followed"
            ));
        }
        Ok(())
    }
}
