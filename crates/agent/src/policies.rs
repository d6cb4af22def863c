//! Policies: the plans that an agent chooses between.
//!
//! All plans of T steps are enumerated in the order of Python's
//! `itertools.product(*(num_controls * T))`, reshaped to (P, T, controls): the last control of the
//! last step runs fastest, P = (Π num_controls)^T. Where several controls act on a factor, their
//! actions are then encoded to one flat action per state factor.

use crate::model::tensor::list;
use crate::{Dialect, Error, Model, Result};

/// The most actions that an enumeration may have: P · T · F ≤ 2^24, 64 MiB.
const MOST_ACTIONS: u128 = 1 << 24;

/// The most joint actions of one step, and the most steps, that planning without enumeration takes.
const MOST_UNENUMERATED: usize = 1 << 20;

/// Policies, (P, T, F) row-major: the action of every state factor (flat, where several controls
/// act on it) at every step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies {
    /// How many policies.
    pub count: usize,
    /// Steps of each.
    pub len: usize,
    /// State factors.
    pub factors: usize,
    /// The actions, (P, T, F).
    pub actions: Vec<u32>,
}

impl Policies {
    /// The actions of all factors at a step of a policy. Panics where there is none.
    pub fn step(&self, policy: usize, step: usize) -> &[u32] {
        assert!(step < self.len, "step {step} of {}", self.len);
        let start = (policy * self.len + step) * self.factors;
        &self.actions[start..start + self.factors]
    }
}

impl Model {
    /// How many policies there are: those given, or all of `policy_len` steps. Takes no memory.
    ///
    /// # Errors
    ///
    /// There are too many to enumerate.
    pub fn policy_count(&self) -> Result<usize> {
        if let Some(given) = &self.policies {
            return Ok(given.count);
        }
        let steps = self.arguments.policy_len;
        let actions =
            self.num_controls.iter().try_fold(1_u128, |all, &one| all.checked_mul(one as u128));
        let count = actions
            .zip(u32::try_from(steps).ok())
            .and_then(|(actions, steps)| actions.checked_pow(steps));
        let fits = count.filter(|count| {
            let width = steps as u128 * self.factors().max(1) as u128;
            count.checked_mul(width).is_some_and(|all| all <= MOST_ACTIONS)
        });
        fits.map(|count| count as usize).ok_or_else(|| {
            let count = count.map_or("more than 2^128".into(), |count| count.to_string());
            Error::unsupported(format!(
                "agent.policy_len: {steps} steps of num_controls {} make {count} policies, and \
                 policies × steps × factors may be at most {MOST_ACTIONS}",
                list(&self.num_controls)
            ))
        })
    }

    /// The policies: those given, or all of `policy_len` steps.
    ///
    /// ```
    /// use populace_agent::{Dialect, Model, Tensor};
    ///
    /// let a = Tensor::certain([2, 2], |state| state as u32)?;
    /// let b = Tensor::certain([2, 2, 2], |column| column as u32 % 2)?;
    /// let mut model = Model::new(Dialect::Pymdp1, vec![a], vec![b]);
    /// model.arguments.policy_len = 2;
    /// assert_eq!(model.all_policies()?.actions, [0, 0, 0, 1, 1, 0, 1, 1]);
    /// # Ok::<(), populace_agent::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// There are too many to enumerate.
    pub fn all_policies(&self) -> Result<Policies> {
        if let Some(given) = &self.policies {
            return Ok(given.clone());
        }
        let (count, len) = (self.policy_count()?, self.arguments.policy_len);
        let (factors, controls) = (self.factors(), self.num_controls.len());
        let mut actions = Vec::with_capacity(count * len * factors);
        let mut plan = vec![0_u32; len * controls];
        for _ in 0..count {
            for step in 0..len {
                let step = &plan[step * controls..(step + 1) * controls];
                actions.extend((0..factors).map(|factor| self.flat_action(factor, step)));
            }
            self.advance(&mut plan);
        }
        Ok(Policies { count, len, factors, actions })
    }

    /// Whether first actions can be weighed without their policies: all sequences of steps are
    /// policies, they are more than one step long, and none is followed or learnt to be a habit.
    pub(crate) fn has_first_actions(&self) -> bool {
        let steps = self.arguments.policy_len;
        let mut controls = self.num_controls.iter();
        let actions = controls.try_fold(1_usize, |all, &one| all.checked_mul(one));
        self.dialect == Dialect::Pymdp1
            && self.policies.is_none()
            && self.sophisticated.is_none()
            && !self.arguments.learn_e
            && self.arguments.planning_interval == 1
            && (2..=MOST_UNENUMERATED).contains(&steps)
            && actions.is_some_and(|actions| actions <= MOST_UNENUMERATED)
    }

    /// What may be done in one step: the flat action of every factor, by the actions of all controls
    /// in the order of enumeration.
    pub(crate) fn joint_actions(&self) -> Vec<Vec<u32>> {
        let mut step = vec![0; self.num_controls.len()];
        let count = self.num_controls.iter().product();
        let mut actions = Vec::with_capacity(count);
        for _ in 0..count {
            actions.push((0..self.factors()).map(|f| self.flat_action(f, &step)).collect());
            self.advance(&mut step);
        }
        actions
    }

    /// The next plan in order; after the last comes the first.
    fn advance(&self, plan: &mut [u32]) {
        for (place, action) in plan.iter_mut().enumerate().rev() {
            *action += 1;
            if (*action as usize) < self.num_controls[place % self.num_controls.len()] {
                return;
            }
            *action = 0;
        }
    }
}
