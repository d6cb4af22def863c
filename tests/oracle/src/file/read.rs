//! Reading a model file, with the recording that may stand beside the model.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Map, Value};

use crate::array::Array;
use crate::problem::{Algorithm, Arguments, Dialect, Observation, Policy, Problem, Sophisticated};

/// A model and what was recorded of it.
#[derive(Debug, Clone)]
pub struct Case {
    /// The model.
    pub problem: Problem,
    /// The observations, one a step; empty where the file has none.
    pub observations: Vec<Observation>,
    /// The actions really taken, one a step, where the file has them.
    pub actions: Option<Vec<Vec<i32>>>,
    /// `expect.*`, by name without the prefix.
    pub expect: BTreeMap<String, Array>,
}

/// Reads a file.
///
/// # Errors
/// When the file cannot be read or is not a model; the checks are those that the oracle needs, not
/// those that a user's file gets.
pub fn load(path: &Path) -> Result<Case, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(&bytes).map_err(|error| format!("{}: {error}", path.display()))
}

fn parse(bytes: &[u8]) -> Result<Case, String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let text = header.metadata().as_ref().and_then(|keys| keys.get("populace"));
    let text = text.ok_or("no metadata key `populace`")?;
    let json: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let json = json.as_object().ok_or("the metadata are no object")?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let file = File { tensors, json };
    let problem = file.problem()?;
    let modalities = problem.a.len();
    let actions = match file.get("actions")? {
        Some(actions) => {
            Some(integers(&actions).chunks(actions.shape[1]).map(<[i32]>::to_vec).collect())
        }
        None => None,
    };
    let mut expect = BTreeMap::new();
    for name in file.tensors.names() {
        if let (Some(short), Some(array)) = (name.strip_prefix("expect."), file.get(name)?) {
            expect.insert(short.to_string(), array);
        }
    }
    Ok(Case { observations: file.observations(modalities)?, problem, actions, expect })
}

/// An open file.
struct File<'a> {
    tensors: SafeTensors<'a>,
    json: &'a Map<String, Value>,
}

impl File<'_> {
    /// A tensor, dense, whatever its form in the file; None where there is none.
    fn get(&self, name: &str) -> Result<Option<Array>, String> {
        if let Some(shape) = self.json.get("sparse").and_then(|sparse| sparse.get(name)) {
            return self.sparse(name, shape).map(Some);
        }
        match self.tensors.tensor(name) {
            Ok(view) => Ok(Some(Array::new(view.shape().to_vec(), numbers(&view)?))),
            Err(_) => Ok(None),
        }
    }

    /// Compressed columns: column c holds `values[indptr[c]..indptr[c + 1]]` at rows `indices[…]`.
    fn sparse(&self, name: &str, shape: &Value) -> Result<Array, String> {
        let shape: Vec<usize> = list(shape, name)?;
        let part = |suffix: &str| {
            let view = self.tensors.tensor(&format!("{name}.{suffix}"));
            numbers(&view.map_err(|error| format!("{name}.{suffix}: {error}"))?)
        };
        let (indptr, indices, values) = (part("indptr")?, part("indices")?, part("values")?);
        let mut array = Array::zeros(&shape);
        let columns = array.data.len() / shape[0];
        for column in 0..columns {
            for entry in indptr[column] as usize..indptr[column + 1] as usize {
                array.data[indices[entry] as usize * columns + column] = values[entry];
            }
        }
        Ok(array)
    }

    /// `prefix.0`, `prefix.1`, … up to `count`, or none at all.
    fn series(&self, prefix: &str, count: usize) -> Result<Vec<Array>, String> {
        let mut series = Vec::new();
        for i in 0..count {
            series.extend(self.get(&format!("{prefix}.{i}"))?);
        }
        match series.len() {
            0 => Ok(series),
            n if n == count => Ok(series),
            n => Err(format!("{n} of {count} tensors {prefix}.*")),
        }
    }

    fn problem(&self) -> Result<Problem, String> {
        let dialect = match self.json.get("dialect").and_then(Value::as_str) {
            None | Some("pymdp-1") => Dialect::Pymdp1,
            Some("pymdp-0") => Dialect::Pymdp0,
            Some(other) => return Err(format!("unknown dialect {other}")),
        };
        let lists = |key: &str| self.json.get(key).map(|value| nested(value, key)).transpose();
        let a_dependencies = lists("A_dependencies")?.ok_or("no A_dependencies")?;
        let b_dependencies = lists("B_dependencies")?.ok_or("no B_dependencies")?;
        let b_action_dependencies = lists("B_action_dependencies")?;
        let (modalities, factors) = (a_dependencies.len(), b_dependencies.len());
        let a = self.series("A", modalities)?;
        let flat = |series: Vec<Array>| -> Vec<Array> {
            let flatten = |(f, b): (usize, Array)| flatten_actions(b, b_dependencies[f].len());
            series.into_iter().enumerate().map(flatten).collect()
        };
        let b = flat(self.series("B", factors)?);
        let num_controls = match self.json.get("num_controls") {
            Some(value) => list(value, "num_controls")?,
            None => b.iter().map(|b| b.shape[b.shape.len() - 1]).collect(),
        };
        let p_d = self.series("pD", factors)?;
        let mut c = self.series("C", modalities)?;
        if c.is_empty() {
            let default = |count: usize| match dialect {
                Dialect::Pymdp1 => 1.0 / count as f64,
                Dialect::Pymdp0 => 0.0,
            };
            c = a.iter().map(|a| Array::vector(vec![default(a.shape[0]); a.shape[0]])).collect();
        }
        let mut d = self.series("D", factors)?;
        if d.is_empty() {
            d = match (dialect, p_d.is_empty()) {
                (Dialect::Pymdp0, false) => p_d.iter().map(Array::normalise_columns).collect(),
                _ => b
                    .iter()
                    .map(|b| Array::vector(vec![1.0 / b.shape[0] as f64; b.shape[0]]))
                    .collect(),
            };
        }
        Ok(Problem {
            dialect,
            a,
            c,
            d,
            e: self.get("E")?.map(|e| e.data),
            p_a: self.series("pA", modalities)?,
            p_b: flat(self.series("pB", factors)?),
            p_d,
            p_e: self.get("pE")?.map(|p_e| p_e.data).unwrap_or_default(),
            h: self.series("H", factors)?,
            b,
            a_dependencies,
            b_dependencies,
            b_action_dependencies,
            num_controls,
            policies: self.get("policies")?.map(|policies| split_policies(&policies)),
            arguments: self.arguments(dialect)?,
            sophisticated: self.sophisticated()?,
        })
    }

    fn arguments(&self, dialect: Dialect) -> Result<Arguments, String> {
        let mut arguments = Arguments::new(dialect);
        let Some(agent) = self.json.get("agent") else { return Ok(arguments) };
        for (key, value) in agent.as_object().ok_or("`agent` is no object")? {
            let wrong = || format!("agent.{key}: {value}");
            let number = || value.as_f64().ok_or_else(wrong);
            let count = || value.as_u64().map(|n| n as usize).ok_or_else(wrong);
            let flag = || value.as_bool().ok_or_else(wrong);
            let word = || value.as_str().ok_or_else(wrong);
            let chosen = || match value.as_array() {
                None => Ok(None),
                Some(list) => {
                    let index = |one: &Value| one.as_u64().map(|n| n as usize).ok_or_else(wrong);
                    list.iter().map(index).collect::<Result<Vec<_>, _>>().map(Some)
                }
            };
            match key.as_str() {
                "policy_len" => arguments.policy_len = count()?,
                "gamma" => arguments.gamma = number()?,
                "alpha" => arguments.alpha = number()?,
                "num_iter" => arguments.num_iter = count()?,
                "action_selection" => arguments.stochastic = word()? == "stochastic",
                "sampling_mode" => arguments.marginal = word()? == "marginal",
                "inference_algo" => arguments.inference_algo = algorithm(word()?)?,
                "inference_horizon" if value.is_null() => arguments.inference_horizon = None,
                "inference_horizon" => arguments.inference_horizon = Some(count()?),
                "use_utility" => arguments.use_utility = flag()?,
                "use_states_info_gain" => arguments.use_states_info_gain = flag()?,
                "use_param_info_gain" => arguments.use_param_info_gain = flag()?,
                "use_inductive" => arguments.use_inductive = flag()?,
                "inductive_depth" => arguments.inductive_depth = count()?,
                "inductive_threshold" => arguments.inductive_threshold = number()?,
                "inductive_epsilon" => arguments.inductive_epsilon = number()?,
                "categorical_obs" => arguments.categorical_obs = flag()?,
                "use_BMA" => arguments.use_bma = flag()?,
                "learn_A" => arguments.learn_a = flag()?,
                "learn_B" => arguments.learn_b = flag()?,
                "learn_D" => arguments.learn_d = flag()?,
                "modalities_to_learn" => arguments.modalities_to_learn = chosen()?,
                "factors_to_learn" => arguments.factors_to_learn = chosen()?,
                "control_fac_idx" => {}
                "lr_pA" => arguments.lr_pa = number()?,
                "lr_pB" => arguments.lr_pb = number()?,
                "lr_pD" => arguments.lr_pd = number()?,
                "learn_E" => arguments.learn_e = flag()?,
                "lr_pE" => arguments.lr_pe = number()?,
                "fr_pA" => arguments.fr_pa = number()?,
                "fr_pB" => arguments.fr_pb = number()?,
                "fr_pD" => arguments.fr_pd = number()?,
                "fr_pE" => arguments.fr_pe = number()?,
                "keep_zeros" => arguments.keep_zeros = flag()?,
                "planning_interval" => arguments.planning_interval = count()?,
                _ => return Err(format!("unknown argument agent.{key}")),
            }
        }
        Ok(arguments)
    }

    fn sophisticated(&self) -> Result<Option<Sophisticated>, String> {
        let Some(search) = self.json.get("sophisticated") else { return Ok(None) };
        let mut result = Sophisticated::default();
        for (key, value) in search.as_object().ok_or("`sophisticated` is no object")? {
            let number = value.as_f64().ok_or_else(|| format!("sophisticated.{key}: {value}"))?;
            match key.as_str() {
                "horizon" => result.horizon = number as usize,
                "max_nodes" => result.max_nodes = number as usize,
                "max_branching" => result.max_branching = number as usize,
                "policy_prune_threshold" => result.policy_prune_threshold = number,
                "observation_prune_threshold" => result.observation_prune_threshold = number,
                "entropy_stop_threshold" => result.entropy_stop_threshold = number,
                "prune_penalty" => result.prune_penalty = number,
                "gamma" => result.gamma = number,
                _ => return Err(format!("unknown argument sophisticated.{key}")),
            }
        }
        Ok(Some(result))
    }

    fn observations(&self, modalities: usize) -> Result<Vec<Observation>, String> {
        if let Some(outcomes) = self.get("observations")? {
            let rows = integers(&outcomes);
            return Ok(rows
                .chunks(modalities)
                .map(|row| Observation::Outcomes(row.to_vec()))
                .collect());
        }
        let soft = self.series("observations", modalities)?;
        let steps = soft.first().map_or(0, |first| first.shape[0]);
        let row = |array: &Array, t: usize| {
            let width = array.shape[1];
            array.data[t * width..(t + 1) * width].to_vec()
        };
        let step = |t| Observation::Soft(soft.iter().map(|array| row(array, t)).collect());
        Ok((0..steps).map(step).collect())
    }
}

/// A tensor's numbers as f64.
fn numbers(view: &TensorView<'_>) -> Result<Vec<f64>, String> {
    fn read<const N: usize>(bytes: &[u8], number: fn([u8; N]) -> f64) -> Vec<f64> {
        bytes.as_chunks::<N>().0.iter().map(|&chunk| number(chunk)).collect()
    }
    match view.dtype() {
        Dtype::F64 => Ok(read(view.data(), f64::from_le_bytes)),
        Dtype::F32 => Ok(read(view.data(), |b| f32::from_le_bytes(b).into())),
        Dtype::I32 => Ok(read(view.data(), |b| i32::from_le_bytes(b).into())),
        Dtype::U32 => Ok(read(view.data(), |b| u32::from_le_bytes(b).into())),
        Dtype::U64 => Ok(read(view.data(), |b| u64::from_le_bytes(b) as f64)),
        other => Err(format!("no numbers of type {other:?}")),
    }
}

/// One trailing axis for all controls that act on a factor; one action where there is none.
fn flatten_actions(b: Array, dependencies: usize) -> Array {
    let (states, controls) = b.shape.split_at(1 + dependencies);
    let mut shape = states.to_vec();
    shape.push(controls.iter().product());
    Array::new(shape, b.data)
}

fn split_policies(policies: &Array) -> Vec<Policy> {
    let (len, width) = (policies.shape[1], policies.shape[2]);
    let steps: Vec<Vec<usize>> = policies
        .data
        .chunks(width)
        .map(|step| step.iter().map(|&u| u as usize).collect())
        .collect();
    steps.chunks(len).map(<[_]>::to_vec).collect()
}

fn integers(array: &Array) -> Vec<i32> {
    array.data.iter().map(|&x| x as i32).collect()
}

fn algorithm(name: &str) -> Result<Algorithm, String> {
    match name.to_lowercase().as_str() {
        "fpi" => Ok(Algorithm::Fpi),
        "exact" => Ok(Algorithm::Exact),
        "exact-joint" => Ok(Algorithm::ExactJoint),
        "ovf" => Ok(Algorithm::Ovf),
        "mmp" => Ok(Algorithm::Mmp),
        "vmp" => Ok(Algorithm::Vmp),
        "vanilla" => Ok(Algorithm::Vanilla),
        _ => Err(format!("unknown inference_algo {name}")),
    }
}

fn list(value: &Value, key: &str) -> Result<Vec<usize>, String> {
    let wrong = || format!("{key}: {value} is no list of numbers");
    let items = value.as_array().ok_or_else(wrong)?;
    items.iter().map(|item| item.as_u64().map(|n| n as usize).ok_or_else(wrong)).collect()
}

fn nested(value: &Value, key: &str) -> Result<Vec<Vec<usize>>, String> {
    let items = value.as_array().ok_or_else(|| format!("{key}: {value} is no list"))?;
    items.iter().map(|item| list(item, key)).collect()
}
