//! Arguments, alone and together, and what each dialect has.

use crate::model::{
    Model,
    arguments::{Arguments, Dialect, InferenceAlgorithm, Named, Sophisticated},
    tensor::list,
};
use crate::{Error, Result};

/// The most iterations of inference: they are made at every step, and long before have settled or
/// never will.
const MOST_ITERATIONS: usize = 1_000_000;

/// The most steps of a window, which every agent may have to keep.
const MOST_WINDOW_STEPS: usize = 1 << 20;

impl Model {
    pub(super) fn check_arguments(&self) -> Result<()> {
        let agent = &self.arguments;
        at_least_one("agent.policy_len", agent.policy_len)?;
        at_least_one("agent.num_iter", agent.num_iter)?;
        if agent.num_iter > MOST_ITERATIONS {
            return Err(Error::invalid(format!(
                "agent.num_iter: is {}, and at most {MOST_ITERATIONS} are made",
                agent.num_iter
            )));
        }
        let horizon = agent.inference_horizon.unwrap_or(1);
        at_least_one("agent.inference_horizon", horizon)?;
        if horizon > MOST_WINDOW_STEPS {
            return Err(Error::invalid(format!(
                "agent.inference_horizon: is {horizon}, and a window holds at most \
                 {MOST_WINDOW_STEPS} steps"
            )));
        }
        for (name, value) in [("agent.gamma", agent.gamma), ("agent.alpha", agent.alpha)] {
            finite(name, value)?;
        }
        for (name, rate) in [
            ("lr_pA", agent.lr_pa),
            ("lr_pB", agent.lr_pb),
            ("lr_pD", agent.lr_pd),
            ("lr_pE", agent.lr_pe),
        ] {
            not_negative(&format!("agent.{name}"), rate)?;
        }
        self.check_dialect(agent)?;
        self.check_chosen(agent)?;
        self.check_learning(agent)?;
        self.check_beyond(agent)?;
        self.check_inductive(agent)?;
        if agent.inference_algo == InferenceAlgorithm::Exact && self.factors() != 1 {
            return Err(Error::invalid(format!(
                "agent.inference_algo: \"exact\" is for one factor, and there are {}",
                self.factors()
            )));
        }
        match &self.sophisticated {
            Some(search) => self.check_sophisticated(search),
            None => Ok(()),
        }
    }

    fn check_dialect(&self, agent: &Arguments) -> Result<()> {
        use InferenceAlgorithm::{Exact, ExactJoint, Fpi, Mmp, Ovf, Vanilla, Vmp};
        let algorithms: &[InferenceAlgorithm] = match self.dialect {
            Dialect::Pymdp1 => &[Fpi, Mmp, Vmp, Ovf, Exact, ExactJoint],
            Dialect::Pymdp0 => &[Vanilla, Mmp],
        };
        if !algorithms.contains(&agent.inference_algo) {
            let names: Vec<_> = algorithms.iter().map(|&one| one.name_in(self.dialect)).collect();
            return Err(Error::invalid(format!(
                "agent.inference_algo: {} has no \"{}\", only {}",
                self.dialect.name(),
                agent.inference_algo.name(),
                names.join(", ")
            )));
        }
        if self.dialect == Dialect::Pymdp0 && agent.inference_algo == Mmp {
            if agent.inference_horizon.is_none() {
                return Err(Error::invalid(
                    "agent.inference_horizon: is missing; MMP of pymdp-0 needs a window's length",
                ));
            }
            if !agent.use_bma {
                return Err(Error::invalid(
                    "agent.use_BMA: is false, but MMP's windows start from the mean over policies",
                ));
            }
        }
        let foreign = match self.dialect {
            Dialect::Pymdp1 => vec![
                ("agent.use_BMA", agent.use_bma),
                ("agent.modalities_to_learn", agent.modalities_to_learn.is_some()),
                ("agent.factors_to_learn", agent.factors_to_learn.is_some()),
            ],
            Dialect::Pymdp0 => vec![
                ("agent.use_inductive", agent.use_inductive),
                ("agent.categorical_obs", agent.categorical_obs),
                ("H.0", !self.h.is_empty()),
                ("sophisticated", self.sophisticated.is_some()),
                ("agent.learn_E", agent.learn_e),
                ("agent.keep_zeros", agent.keep_zeros),
                ("agent.planning_interval", agent.planning_interval != 1),
            ],
        };
        match foreign.iter().find(|(_, asked)| *asked) {
            Some((name, _)) => {
                Err(Error::invalid(format!("{name}: {} has no such thing", self.dialect.name())))
            }
            None => Ok(()),
        }
    }

    /// Modalities and factors that are chosen exist, and stand there once.
    fn check_chosen(&self, agent: &Arguments) -> Result<()> {
        let (modalities, factors) = (self.modalities(), self.factors());
        for (name, chosen, count, what) in [
            ("modalities_to_learn", &agent.modalities_to_learn, modalities, "modalities"),
            ("factors_to_learn", &agent.factors_to_learn, factors, "factors"),
            ("control_fac_idx", &agent.control_fac_idx, self.num_controls.len(), "control factors"),
        ] {
            let chosen = chosen.as_deref().unwrap_or_default();
            for (place, &index) in chosen.iter().enumerate() {
                let wrong = |rule: String| Error::invalid(format!("agent.{name}[{place}]: {rule}"));
                if index >= count {
                    return Err(wrong(format!("is {index}, and there are {count} {what}")));
                }
                if chosen[..place].contains(&index) {
                    return Err(wrong(format!("{index} stands there twice")));
                }
                if name == "control_fac_idx" && self.num_controls[index] < 2 {
                    return Err(wrong(format!("factor {index} has one action")));
                }
            }
        }
        Ok(())
    }

    fn check_learning(&self, agent: &Arguments) -> Result<()> {
        let learnt = [
            ("learn_A", agent.learn_a, self.p_a.is_empty(), "pA"),
            ("learn_B", agent.learn_b, self.p_b.is_empty(), "pB"),
            ("learn_D", agent.learn_d, self.p_d.is_empty(), "pD"),
            ("learn_E", agent.learn_e, self.p_e.is_empty(), "pE"),
        ];
        for (name, asked, missing, counts) in learnt {
            if asked && missing {
                let counts = if counts == "pE" { "pE".into() } else { format!("{counts}.0") };
                return Err(Error::invalid(format!(
                    "agent.{name}: needs Dirichlet counts, but {counts} is missing"
                )));
            }
        }
        if agent.use_param_info_gain && self.p_a.is_empty() && self.p_b.is_empty() {
            return Err(Error::invalid(
                "agent.use_param_info_gain: needs Dirichlet counts, but pA.0 and pB.0 are missing",
            ));
        }
        match agent.inference_algo {
            InferenceAlgorithm::Ovf if agent.learn_b => {
                self.own_dynamics("agent.learn_B with inference_algo \"ovf\"")
            }
            InferenceAlgorithm::Exact if agent.learn_a && agent.learn_b => Err(Error::invalid(
                "agent.inference_algo: \"exact\" does not learn A and B together",
            )),
            _ => Ok(()),
        }
    }

    fn check_inductive(&self, agent: &Arguments) -> Result<()> {
        if !agent.use_inductive {
            return Ok(());
        }
        if self.h.is_empty() {
            return Err(Error::invalid("agent.use_inductive: needs a goal, but H.0 is missing"));
        }
        at_least_one("agent.inductive_depth", agent.inductive_depth)?;
        not_negative("agent.inductive_threshold", agent.inductive_threshold)?;
        finite("agent.inductive_epsilon", agent.inductive_epsilon)?;
        if agent.inductive_epsilon <= 0.0 {
            return Err(Error::invalid(format!(
                "agent.inductive_epsilon: is {}, not above 0",
                agent.inductive_epsilon
            )));
        }
        self.own_dynamics("agent.use_inductive")
    }

    /// Refuses transitions that depend on other factors, for what cannot do with them.
    fn own_dynamics(&self, what: &str) -> Result<()> {
        match self.b_dependencies.iter().position(|list| list.len() > 1) {
            Some(factor) => Err(Error::invalid(format!(
                "{what}: needs factors that depend on themselves alone, but B_dependencies[{factor}] \
                 is {}",
                list(&self.b_dependencies[factor])
            ))),
            None => Ok(()),
        }
    }

    fn check_sophisticated(&self, search: &Sophisticated) -> Result<()> {
        at_least_one("sophisticated.horizon", search.horizon)?;
        at_least_one("sophisticated.max_nodes", search.max_nodes)?;
        at_least_one("sophisticated.max_branching", search.max_branching)?;
        for (name, value) in [
            ("policy_prune_threshold", search.policy_prune_threshold),
            ("observation_prune_threshold", search.observation_prune_threshold),
            ("entropy_stop_threshold", search.entropy_stop_threshold),
            ("prune_penalty", search.prune_penalty),
            ("gamma", search.gamma),
        ] {
            finite(&format!("sophisticated.{name}"), value)?;
        }
        if self.arguments.policy_len != 1 {
            return Err(Error::invalid(format!(
                "sophisticated: searches one step at a time, but agent.policy_len is {}",
                self.arguments.policy_len
            )));
        }
        let policies = self.policy_count()?;
        if policies > search.max_branching {
            return Err(Error::invalid(format!(
                "sophisticated.max_branching: is {}, but there are {policies} policies",
                search.max_branching
            )));
        }
        Ok(())
    }
}

fn at_least_one(name: &str, value: usize) -> Result<()> {
    if value == 0 {
        return Err(Error::invalid(format!("{name}: is 0, not at least 1")));
    }
    Ok(())
}

fn finite(name: &str, value: f64) -> Result<()> {
    if !value.is_finite() {
        return Err(Error::invalid(format!("{name}: is {value}, not a finite number")));
    }
    Ok(())
}

fn not_negative(name: &str, value: f64) -> Result<()> {
    finite(name, value)?;
    if value < 0.0 {
        return Err(Error::invalid(format!("{name}: is {value}, not at least 0")));
    }
    Ok(())
}
