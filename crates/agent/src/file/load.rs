//! A model from a file's tensors and JSON.

use super::ModelFile;
use super::header::shown;
use super::metadata::Metadata;
use super::names::{Family, Name};
use crate::model::tensor::tuple;
use crate::{Arguments, Dialect, Error, Model, Policies, Result, Tensor};

/// The most outcomes that a default C is made for; their number may be a bare claim where A is
/// sparse.
const MOST_DEFAULT_OUTCOMES: usize = 1 << 24;
/// The most dependencies that are made where none are given.
const MOST_DEPENDENCIES: usize = 1 << 20;

impl ModelFile {
    pub(super) fn read_model(&mut self) -> Result<Model> {
        let mut metadata = self.read_metadata()?;
        let a = self.family(Family::A, &metadata)?;
        let b = self.family(Family::B, &metadata)?;
        for (name, tensors) in [("A", &a), ("B", &b)] {
            if tensors.is_empty() {
                return Err(Error::invalid(format!("{name}.0: is missing")));
            }
        }
        let p_d = self.family(Family::CountsD, &metadata)?;
        let policies = self.read_policies()?;
        if let Some(given) = policies.as_ref().filter(|_| !metadata.plans) {
            metadata.arguments.policy_len = given.len;
        }
        let factors = b.len();
        if metadata.a_dependencies.is_none() && factors.saturating_mul(a.len()) > MOST_DEPENDENCIES
        {
            return Err(Error::invalid(format!(
                "A_dependencies: are missing; for {} modalities and {factors} factors they must be \
                 given",
                a.len()
            )));
        }
        let model = Model {
            dialect: metadata.dialect,
            c: self.preferences(&a, &metadata)?,
            d: self.initial(&b, &p_d, &metadata)?,
            e: self.over_policies("E")?,
            p_a: self.family(Family::CountsA, &metadata)?,
            p_b: self.family(Family::CountsB, &metadata)?,
            p_d,
            p_e: self.over_policies("pE")?.unwrap_or_default(),
            h: self.family(Family::Goals, &metadata)?,
            a_dependencies: metadata
                .a_dependencies
                .take()
                .unwrap_or_else(|| vec![(0..factors).collect(); a.len()]),
            b_dependencies: metadata
                .b_dependencies
                .take()
                .unwrap_or_else(|| (0..factors).map(|factor| vec![factor]).collect()),
            num_controls: num_controls(&b, &metadata)?,
            b_action_dependencies: metadata.b_action_dependencies.take(),
            policies,
            arguments: std::mem::replace(
                &mut metadata.arguments,
                Arguments::for_dialect(metadata.dialect),
            ),
            sophisticated: metadata.sophisticated.take(),
            reference: metadata.reference.take(),
            a,
            b,
        };
        Ok(model)
    }

    fn read_metadata(&self) -> Result<Metadata> {
        let mut json = None;
        for (key, text) in &self.header.metadata {
            match key.as_str() {
                "populace" => json = Some(text),
                // What safetensors' own writers put there.
                "format" => {}
                _ => {
                    return Err(Error::invalid(format!("unknown metadata key `{}`", shown(key))));
                }
            }
        }
        let Some(json) = json else {
            return Err(Error::invalid("is no model file: it has no metadata key `populace`"));
        };
        let metadata = Metadata::parse(json)?;
        for (name, _) in &metadata.sparse {
            if self.header.find(&format!("{name}.indptr")).is_none() {
                return Err(Error::invalid(format!(
                    "sparse: has a shape of {name}, but there is no {name}.indptr",
                    name = shown(name)
                )));
            }
        }
        Ok(metadata)
    }

    /// All tensors of a family, 0, 1, …; none, where there is none.
    fn family(&mut self, family: Family, metadata: &Metadata) -> Result<Vec<Tensor>> {
        let mut indices: Vec<usize> = self
            .header
            .tensors
            .iter()
            .filter_map(|entry| match Name::parse(&entry.name) {
                Ok(Name::Model(found, index, _)) if found == family => Some(index),
                _ => None,
            })
            .collect();
        indices.sort_unstable();
        indices.dedup();
        let prefix = family.prefix();
        if let Some((hole, &next)) = indices.iter().enumerate().find(|(place, at)| place != *at) {
            return Err(Error::invalid(format!(
                "{prefix}.{hole}: is missing, but {prefix}.{next} is there"
            )));
        }
        indices.iter().map(|index| self.one(&format!("{prefix}.{index}"), metadata)).collect()
    }

    /// A tensor in whichever form it is there.
    fn one(&mut self, name: &str, metadata: &Metadata) -> Result<Tensor> {
        let whole = self.header.find(name).cloned();
        let part = |part: &str| self.header.find(&format!("{name}.{part}")).cloned();
        let parts = [part("indptr"), part("indices"), part("values")];
        let within = |error: Error| error.within(name);
        if let Some(entry) = whole {
            if parts.iter().any(Option::is_some) {
                return Err(within(Error::invalid("is there twice, dense and sparse")));
            }
            let values = self.reals(&entry)?;
            return Tensor::dense(entry.shape, values).map_err(within);
        }
        let [Some(indptr), Some(indices), Some(values)] = parts else {
            return Err(within(Error::invalid(
                "is sparse and needs all of .indptr, .indices and .values",
            )));
        };
        for entry in [&indptr, &indices, &values] {
            if entry.shape.len() != 1 {
                return Err(Error::invalid(format!(
                    "{}: shape is {}, not one axis",
                    entry.name,
                    tuple(&entry.shape)
                )));
            }
        }
        let Some((_, shape)) = metadata.sparse.iter().find(|(known, _)| known == name) else {
            return Err(within(Error::invalid(
                "is sparse, but the key `sparse` does not have its shape",
            )));
        };
        let (indptr, indices) = (self.numbers(&indptr)?, self.numbers(&indices)?);
        let values = self.reals(&values)?;
        Tensor::sparse(shape.clone(), indptr, indices, values).map_err(within)
    }

    /// C, or what the dialect prefers.
    fn preferences(&mut self, a: &[Tensor], metadata: &Metadata) -> Result<Vec<Tensor>> {
        let given = self.family(Family::C, metadata)?;
        if !given.is_empty() {
            return Ok(given);
        }
        let mut defaults = Vec::with_capacity(a.len());
        for (modality, likelihood) in a.iter().enumerate() {
            let outcomes = likelihood.rows();
            if outcomes > MOST_DEFAULT_OUTCOMES {
                return Err(Error::invalid(format!(
                    "C.{modality}: is missing; for {outcomes} outcomes it must be given"
                )));
            }
            defaults.push(Model::default_c(metadata.dialect, outcomes));
        }
        Ok(defaults)
    }

    /// D, or the mean of pD (`pymdp-0`), or uniform.
    fn initial(
        &mut self,
        b: &[Tensor],
        p_d: &[Tensor],
        metadata: &Metadata,
    ) -> Result<Vec<Tensor>> {
        let given = self.family(Family::D, metadata)?;
        if !given.is_empty() {
            return Ok(given);
        }
        if metadata.dialect == Dialect::Pymdp0 && !p_d.is_empty() {
            return Ok(p_d.iter().map(mean).collect());
        }
        // S_f states have S_f columns at least, all of them in the file.
        b.iter()
            .enumerate()
            .map(|(factor, transitions)| match transitions.columns() >= transitions.rows() {
                true => Ok(Tensor::uniform(transitions.rows())),
                false => Err(Error::invalid(format!(
                    "B.{factor}: shape has {} states to go to, but only {} columns to come from",
                    transitions.rows(),
                    transitions.columns()
                ))),
            })
            .collect()
    }

    /// `E` or `pE`.
    fn over_policies(&mut self, name: &str) -> Result<Option<Vec<f64>>> {
        let Some(entry) = self.header.find(name).cloned() else { return Ok(None) };
        if entry.shape.len() != 1 {
            let shape = tuple(&entry.shape);
            return Err(Error::invalid(format!("{name}: shape is {shape}, not (P,)")));
        }
        Ok(Some(self.reals(&entry)?.iter().collect()))
    }

    fn read_policies(&mut self) -> Result<Option<Policies>> {
        let Some(entry) = self.header.find("policies").cloned() else { return Ok(None) };
        let &[count, len, factors] = entry.shape.as_slice() else {
            return Err(Error::invalid(format!(
                "policies: shape is {}, not (P, T, F)",
                tuple(&entry.shape)
            )));
        };
        let given: Vec<i32> = self.numbers(&entry)?;
        let mut actions = Vec::with_capacity(given.len());
        for action in given {
            actions.push(u32::try_from(action).map_err(|_| {
                Error::invalid(format!("policies: {action} is not an action, which count from 0"))
            })?);
        }
        Ok(Some(Policies { count, len, factors, actions }))
    }
}

fn num_controls(b: &[Tensor], metadata: &Metadata) -> Result<Vec<usize>> {
    match (&metadata.num_controls, &metadata.b_action_dependencies) {
        (Some(given), _) => Ok(given.clone()),
        (None, None) => Ok(b.iter().map(|b| b.shape().last().copied().unwrap_or(1)).collect()),
        (None, Some(_)) => {
            Err(Error::invalid("num_controls: is missing; B_action_dependencies needs it"))
        }
    }
}

/// The distribution that Dirichlet counts make, in double precision.
fn mean(counts: &Tensor) -> Tensor {
    let counts = counts.to_f64();
    let total: f64 = counts.iter().sum();
    Tensor::vector(counts.into_iter().map(|count| count / total).collect())
}
