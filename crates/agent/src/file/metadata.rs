//! The JSON beside a model's tensors, under the metadata key `populace`.
//!
//! `{"format": 1, "dialect": "pymdp-1", "A_dependencies": [[0]], "B_dependencies": [[0]],
//! "num_controls": [5], "agent": {"policy_len": 2, …}, "sparse": {"B.0": [400, 400, 5]}, …}`, all
//! optional. Keys and arguments that are not known are refused, never passed over: a misspelt
//! `gamma` must not quietly mean the default.

use serde_json::{Map, Value, json};

use super::header::{Unique, complaint, shown};
use super::slots::{self, counts, named, string, text, wrong};
use super::strict::Strict;
use crate::model::arguments::Named;
use crate::nearest::hint;
use crate::{Arguments, Dialect, Error, Model, Result, Sophisticated};

/// The version that is written, and the newest that is read.
const FORMAT: u64 = 1;

const KEYS: [&str; 10] = [
    "format",
    "dialect",
    "A_dependencies",
    "B_dependencies",
    "B_action_dependencies",
    "num_controls",
    "agent",
    "sparse",
    "reference",
    "sophisticated",
];

/// What the JSON says; None where it says nothing.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) dialect: Dialect,
    pub(super) a_dependencies: Option<Vec<Vec<usize>>>,
    pub(super) b_dependencies: Option<Vec<Vec<usize>>>,
    pub(super) b_action_dependencies: Option<Vec<Vec<usize>>>,
    pub(super) num_controls: Option<Vec<usize>>,
    pub(super) arguments: Arguments,
    /// Whether `policy_len` was given.
    pub(super) plans: bool,
    /// The shapes of sparse tensors by name.
    pub(super) sparse: Vec<(String, Vec<usize>)>,
    pub(super) reference: Option<String>,
    pub(super) sophisticated: Option<Sophisticated>,
}

impl Metadata {
    /// Reads the JSON.
    pub(super) fn parse(json: &str) -> Result<Self> {
        let Unique(pairs) = serde_json::from_str::<Unique<Strict>>(json).map_err(|error| {
            Error::invalid(format!("metadata `populace`: {}", complaint(&error)))
        })?;
        if let Some((key, _)) = pairs.iter().find(|(key, _)| !KEYS.contains(&key.as_str())) {
            let hint = hint(key, KEYS);
            return Err(Error::invalid(format!("unknown key `{}`{hint}", shown(key))));
        }
        // pymdp's None arrives as null and means: not given.
        let get = |key: &str| {
            pairs
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, Strict(value))| value)
                .filter(|v| !v.is_null())
        };
        if let Some(format) = get("format").filter(|format| format.as_u64() != Some(FORMAT)) {
            return Err(Error::invalid(format!(
                "format: is {}, and this version reads {FORMAT}",
                text(format)
            )));
        }
        let dialect = get("dialect").map(|value| named("dialect", value)).transpose()?;
        let dialect = dialect.unwrap_or_default();
        let mut arguments = Arguments::for_dialect(dialect);
        let agent = get("agent");
        if let Some(agent) = agent {
            slots::read("agent", agent, &mut slots::of_agent(&mut arguments), &INERT)?;
        }
        let plans = agent.is_some_and(|agent| agent.get("policy_len").is_some());
        Ok(Self {
            dialect,
            a_dependencies: lists("A_dependencies", get("A_dependencies"))?,
            b_dependencies: lists("B_dependencies", get("B_dependencies"))?,
            b_action_dependencies: lists("B_action_dependencies", get("B_action_dependencies"))?,
            num_controls: get("num_controls")
                .map(|list| counts("num_controls", list))
                .transpose()?,
            arguments,
            plans,
            sparse: read_sparse(get("sparse"))?,
            reference: get("reference").map(|value| string("reference", value)).transpose()?,
            sophisticated: get("sophisticated").map(read_search).transpose()?,
        })
    }

    /// The JSON of a model, with the shapes of its sparse tensors.
    pub(super) fn write(model: &Model, sparse: Map<String, Value>) -> String {
        let mut object = Map::new();
        object.insert("format".into(), json!(FORMAT));
        object.insert("dialect".into(), json!(model.dialect.name()));
        object.insert("A_dependencies".into(), json!(model.a_dependencies));
        object.insert("B_dependencies".into(), json!(model.b_dependencies));
        if let Some(dependencies) = &model.b_action_dependencies {
            object.insert("B_action_dependencies".into(), json!(dependencies));
        }
        object.insert("num_controls".into(), json!(model.num_controls));
        object.insert("agent".into(), write_agent(model));
        if !sparse.is_empty() {
            object.insert("sparse".into(), Value::Object(sparse));
        }
        if let Some(reference) = &model.reference {
            object.insert("reference".into(), json!(reference));
        }
        if let Some(search) = &model.sophisticated {
            object.insert(
                "sophisticated".into(),
                slots::write(&mut slots::of_search(&mut search.clone())),
            );
        }
        Value::Object(object).to_string()
    }
}

/// Arguments of pymdp that change nothing at the value given here, and are refused at any other.
const INERT: [(&str, &str); 7] = [
    ("batch_size", "1"),
    ("learning_mode", "\"online\""),
    ("learn_C", "false"),
    ("preprocess_fn", "null"),
    ("policy_sep_prior", "false"),
    ("inference_params", "null"),
    ("save_belief_hist", "false"),
];

/// The same of sophisticated inference.
const INERT_IN_SEARCH: [(&str, &str); 2] =
    [("neg_efe_stop_threshold", "10000000000.0"), ("topk_obsspace", "10000")];

fn write_agent(model: &Model) -> Value {
    let mut agent = slots::write(&mut slots::of_agent(&mut model.arguments.clone()));
    // A file that asks for nothing of ours is one that pymdp's arguments alone describe.
    let plain = &mut Arguments::for_dialect(model.dialect);
    let plain = slots::write(&mut slots::of_agent(plain));
    if let Some(agent) = agent.as_object_mut() {
        agent.retain(|key, value| !slots::RARE.contains(&key.as_str()) || plain[key] != *value);
    }
    if model.dialect == Dialect::Pymdp0 {
        agent["inference_algo"] = json!(model.arguments.inference_algo.name_in(model.dialect));
    }
    agent
}

fn read_search(value: &Value) -> Result<Sophisticated> {
    let mut search = Sophisticated::default();
    slots::read("sophisticated", value, &mut slots::of_search(&mut search), &INERT_IN_SEARCH)?;
    Ok(search)
}

fn read_sparse(value: Option<&Value>) -> Result<Vec<(String, Vec<usize>)>> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let Some(object) = value.as_object() else { return Err(wrong("sparse", value, "an object")) };
    object
        .iter()
        .map(|(name, shape)| Ok((name.clone(), counts(&format!("sparse.{}", shown(name)), shape)?)))
        .collect()
}

fn lists(name: &str, value: Option<&Value>) -> Result<Option<Vec<Vec<usize>>>> {
    let Some(value) = value else { return Ok(None) };
    let Some(list) = value.as_array() else { return Err(wrong(name, value, "a list of lists")) };
    let lists =
        list.iter().enumerate().map(|(index, item)| counts(&format!("{name}[{index}]"), item));
    lists.collect::<Result<_>>().map(Some)
}
