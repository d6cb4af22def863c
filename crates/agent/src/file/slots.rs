//! Arguments as named places: one table says what each is called and what it holds, and both
//! reading and writing go by it.

use serde_json::{Map, Value, json};

use super::header::shown;
use crate::model::arguments::Named;
use crate::nearest::hint;
use crate::{
    ActionSelection, Arguments, Error, InferenceAlgorithm, Result, SamplingMode, Sophisticated,
};

/// Where an argument's value lives.
pub(super) enum Slot<'a> {
    Count(&'a mut usize),
    /// `null` leaves the default.
    Window(&'a mut Option<usize>),
    Real(&'a mut f64),
    Switch(&'a mut bool),
    Selection(&'a mut ActionSelection),
    Sampling(&'a mut SamplingMode),
    Algorithm(&'a mut InferenceAlgorithm),
    /// A list, or this word for all.
    Chosen(&'a mut Option<Vec<usize>>, Option<&'static str>),
}

type Slots<'a> = Vec<(&'static str, Slot<'a>)>;

/// Arguments that pymdp, or one of the two, does not have: written where they ask for something.
pub(super) const RARE: [&str; 11] = [
    "modalities_to_learn",
    "factors_to_learn",
    "control_fac_idx",
    "learn_E",
    "lr_pE",
    "fr_pA",
    "fr_pB",
    "fr_pD",
    "fr_pE",
    "keep_zeros",
    "planning_interval",
];

/// The places of an agent's arguments.
pub(super) fn of_agent(agent: &mut Arguments) -> Slots<'_> {
    use Slot::{Algorithm, Chosen, Count, Real, Sampling, Selection, Switch, Window};
    vec![
        ("policy_len", Count(&mut agent.policy_len)),
        ("gamma", Real(&mut agent.gamma)),
        ("alpha", Real(&mut agent.alpha)),
        ("num_iter", Count(&mut agent.num_iter)),
        ("action_selection", Selection(&mut agent.action_selection)),
        ("sampling_mode", Sampling(&mut agent.sampling_mode)),
        ("inference_algo", Algorithm(&mut agent.inference_algo)),
        ("inference_horizon", Window(&mut agent.inference_horizon)),
        ("use_utility", Switch(&mut agent.use_utility)),
        ("use_states_info_gain", Switch(&mut agent.use_states_info_gain)),
        ("use_param_info_gain", Switch(&mut agent.use_param_info_gain)),
        ("use_inductive", Switch(&mut agent.use_inductive)),
        ("inductive_depth", Count(&mut agent.inductive_depth)),
        ("inductive_threshold", Real(&mut agent.inductive_threshold)),
        ("inductive_epsilon", Real(&mut agent.inductive_epsilon)),
        ("categorical_obs", Switch(&mut agent.categorical_obs)),
        ("use_BMA", Switch(&mut agent.use_bma)),
        ("learn_A", Switch(&mut agent.learn_a)),
        ("learn_B", Switch(&mut agent.learn_b)),
        ("learn_D", Switch(&mut agent.learn_d)),
        ("modalities_to_learn", Chosen(&mut agent.modalities_to_learn, Some("all"))),
        ("factors_to_learn", Chosen(&mut agent.factors_to_learn, Some("all"))),
        ("control_fac_idx", Chosen(&mut agent.control_fac_idx, None)),
        ("lr_pA", Real(&mut agent.lr_pa)),
        ("lr_pB", Real(&mut agent.lr_pb)),
        ("lr_pD", Real(&mut agent.lr_pd)),
        ("learn_E", Switch(&mut agent.learn_e)),
        ("lr_pE", Real(&mut agent.lr_pe)),
        ("fr_pA", Real(&mut agent.fr_pa)),
        ("fr_pB", Real(&mut agent.fr_pb)),
        ("fr_pD", Real(&mut agent.fr_pd)),
        ("fr_pE", Real(&mut agent.fr_pe)),
        ("keep_zeros", Switch(&mut agent.keep_zeros)),
        ("planning_interval", Count(&mut agent.planning_interval)),
    ]
}

/// The places of sophisticated inference's arguments.
pub(super) fn of_search(search: &mut Sophisticated) -> Slots<'_> {
    use Slot::{Count, Real};
    vec![
        ("horizon", Count(&mut search.horizon)),
        ("max_nodes", Count(&mut search.max_nodes)),
        ("max_branching", Count(&mut search.max_branching)),
        ("policy_prune_threshold", Real(&mut search.policy_prune_threshold)),
        ("observation_prune_threshold", Real(&mut search.observation_prune_threshold)),
        ("entropy_stop_threshold", Real(&mut search.entropy_stop_threshold)),
        ("prune_penalty", Real(&mut search.prune_penalty)),
        ("gamma", Real(&mut search.gamma)),
    ]
}

/// Fills places from an object. `inert` names what is known and accepted at one value only, as its
/// JSON.
pub(super) fn read(
    place: &str,
    object: &Value,
    slots: &mut Slots<'_>,
    inert: &[(&str, &str)],
) -> Result<()> {
    let Some(object) = object.as_object() else { return Err(wrong(place, object, "an object")) };
    for (key, value) in object {
        let name = format!("{place}.{}", shown(key));
        if let Some((_, slot)) = slots.iter_mut().find(|(known, _)| known == key) {
            slot.set(&name, value)?;
        } else if let Some((_, only)) = inert.iter().find(|(known, _)| known == key) {
            let given = value.to_string();
            if given != *only {
                return Err(Error::unsupported(format!(
                    "{name}: is {}, and this version does only {only}",
                    text(value)
                )));
            }
        } else {
            let hint = hint(key, slots.iter().map(|(known, _)| *known));
            return Err(Error::invalid(format!("{name}: there is no such argument{hint}")));
        }
    }
    Ok(())
}

/// All places as an object.
pub(super) fn write(slots: &mut Slots<'_>) -> Value {
    let pairs = slots.iter().map(|(name, slot)| ((*name).to_owned(), slot.get()));
    Value::Object(pairs.collect::<Map<_, _>>())
}

impl Slot<'_> {
    fn set(&mut self, name: &str, value: &Value) -> Result<()> {
        match self {
            Self::Count(slot) => **slot = count(name, value)?,
            Self::Window(_) if value.is_null() => {}
            Self::Window(slot) => **slot = Some(count(name, value)?),
            Self::Real(slot) => **slot = real(name, value)?,
            Self::Switch(slot) => **slot = switch(name, value)?,
            Self::Selection(slot) => **slot = named(name, value)?,
            Self::Sampling(slot) => **slot = named(name, value)?,
            Self::Algorithm(slot) => **slot = named(name, value)?,
            Self::Chosen(..) if value.is_null() => {}
            Self::Chosen(slot, all) if value.is_string() && value.as_str() == *all => **slot = None,
            Self::Chosen(slot, _) => **slot = Some(counts(name, value)?),
        }
        Ok(())
    }

    fn get(&self) -> Value {
        match self {
            Self::Count(slot) => json!(slot),
            Self::Window(slot) => json!(slot),
            Self::Real(slot) => json!(slot),
            Self::Switch(slot) => json!(slot),
            Self::Selection(slot) => json!(slot.name()),
            Self::Sampling(slot) => json!(slot.name()),
            Self::Algorithm(slot) => json!(slot.name()),
            Self::Chosen(slot, all) => slot.as_ref().map_or(json!(all), |slot| json!(slot)),
        }
    }
}

/// A value's JSON, fit for a message.
pub(super) fn text(value: &Value) -> String {
    shown(&value.to_string())
}

pub(super) fn wrong(name: &str, value: &Value, what: &str) -> Error {
    Error::invalid(format!("{name}: {} is not {what}", text(value)))
}

pub(super) fn counts(name: &str, value: &Value) -> Result<Vec<usize>> {
    let Some(list) = value.as_array() else { return Err(wrong(name, value, "a list")) };
    list.iter().enumerate().map(|(index, item)| count(&format!("{name}[{index}]"), item)).collect()
}

pub(super) fn count(name: &str, value: &Value) -> Result<usize> {
    value
        .as_u64()
        .and_then(|number| usize::try_from(number).ok())
        .ok_or_else(|| wrong(name, value, "a whole number of at least 0"))
}

fn real(name: &str, value: &Value) -> Result<f64> {
    value.as_f64().ok_or_else(|| wrong(name, value, "a number"))
}

fn switch(name: &str, value: &Value) -> Result<bool> {
    value.as_bool().ok_or_else(|| wrong(name, value, "true or false"))
}

pub(super) fn string(name: &str, value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).ok_or_else(|| wrong(name, value, "a text"))
}

pub(super) fn named<T: Named>(name: &str, value: &Value) -> Result<T> {
    value.as_str().and_then(T::from_name).ok_or_else(|| {
        let names: Vec<_> = T::NAMES.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        wrong(name, value, &format!("one of {}", names.join(", ")))
    })
}
