//! A model to a file.

use std::io;
use std::path::Path;

use serde_json::{Map, json};

use super::metadata::Metadata;
use super::recording::{Observations, Recording};
use super::writer::{Data, Item, write, write_to};
use crate::{Error, ErrorKind, Model, Result, Tensor};

impl Model {
    /// Writes the model to a file, whole or not at all: what stood there stays until the new file
    /// is complete. Sparse tensors are written sparse. Reading it back gives the same model, bit
    /// for bit.
    ///
    /// # Errors
    ///
    /// The model breaks a rule of [`Model::check`]; or
    /// [`ErrorKind::Io`](crate::ErrorKind::Io), naming the path and the cause.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_all(None, |metadata, items| write(path.as_ref(), metadata, items))
    }

    /// Writes the bytes that [`save`](Self::save) would put into a file: equal where models are.
    ///
    /// ```
    /// use populace_agent::{ModelFile, models::Builtin};
    ///
    /// let (model, mut bytes) = (Builtin::Tmaze.model()?, Vec::new());
    /// model.write(&mut bytes)?;
    /// let mut again = Vec::new();
    /// ModelFile::from_bytes("tmaze", bytes.clone())?.model()?.write(&mut again)?;
    /// assert_eq!(again, bytes);
    /// # Ok::<(), populace_agent::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The model breaks a rule of [`Model::check`], or [`ErrorKind::Io`].
    pub fn write(&self, out: &mut impl io::Write) -> Result<()> {
        self.save_all(None, |metadata, items| {
            write_to(out, metadata, items)
                .map_err(|error| Error::new(ErrorKind::Io, format!("cannot be written: {error}")))
        })
    }

    /// Writes the model together with what was recorded of it.
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save); also where the recording does not fit the model.
    pub fn save_with(&self, path: impl AsRef<Path>, recording: &Recording) -> Result<()> {
        self.save_all(Some(recording), |metadata, items| write(path.as_ref(), metadata, items))
    }

    fn save_all(
        &self,
        recording: Option<&Recording>,
        write: impl FnOnce(Option<&str>, Vec<Item<'_>>) -> Result<()>,
    ) -> Result<()> {
        self.check()?;
        let mut items = Vec::new();
        let mut sparse = Map::new();
        for (prefix, tensors) in self.families() {
            for (index, tensor) in tensors.iter().enumerate() {
                let name = format!("{prefix}.{index}");
                if tensor.is_sparse() {
                    sparse.insert(name.clone(), json!(tensor.shape()));
                }
                push_tensor(&mut items, name, tensor)?;
            }
        }
        if let Some(prior) = &self.e {
            items.push(vector("E".into(), prior.len(), Data::F64(prior)));
        }
        if !self.p_e.is_empty() {
            items.push(vector("pE".into(), self.p_e.len(), Data::F64(&self.p_e)));
        }
        let actions = match &self.policies {
            Some(policies) => signed("policies", &policies.actions)?,
            None => Vec::new(),
        };
        if let Some(policies) = &self.policies {
            items.push(Item {
                name: "policies".into(),
                shape: vec![policies.count, policies.len, policies.factors],
                data: Data::I32(&actions),
            });
        }
        let taken = match recording.and_then(|recording| recording.actions.as_ref()) {
            Some(taken) => signed("actions", taken)?,
            None => Vec::new(),
        };
        if let Some(recording) = recording {
            recording.check(self)?;
            self.push_recording(&mut items, recording, &taken);
        }
        write(Some(&Metadata::write(self, sparse)), items)
    }

    fn push_recording<'a>(
        &self,
        items: &mut Vec<Item<'a>>,
        recording: &'a Recording,
        taken: &'a [i32],
    ) {
        let steps = recording.steps;
        match &recording.observations {
            Observations::Discrete(outcomes) => items.push(Item {
                name: "observations".into(),
                shape: vec![steps, self.modalities()],
                data: Data::I32(outcomes),
            }),
            Observations::Soft(modalities) => {
                for (modality, outcomes) in modalities.iter().enumerate() {
                    items.push(Item {
                        name: format!("observations.{modality}"),
                        shape: vec![steps, self.a[modality].rows()],
                        data: Data::F64(outcomes),
                    });
                }
            }
        }
        if recording.actions.is_some() {
            items.push(Item {
                name: "actions".into(),
                shape: vec![steps, self.factors()],
                data: Data::I32(taken),
            });
        }
    }
}

fn push_tensor<'a>(items: &mut Vec<Item<'a>>, name: String, tensor: &'a Tensor) -> Result<()> {
    match tensor {
        Tensor::Dense { shape, values } => {
            items.push(Item { name, shape: shape.clone(), data: values.into() });
        }
        Tensor::Sparse { indptr, indices, values, .. } => {
            let family = name.split('.').next().unwrap_or_default();
            if !matches!(family, "A" | "B" | "pA" | "pB") {
                return Err(Error::invalid(format!("{name}: is sparse, but a file has it dense")));
            }
            let parts = [
                ("indptr", indptr.len(), Data::U64(indptr)),
                ("indices", indices.len(), Data::U32(indices)),
                ("values", values.len(), values.into()),
            ];
            for (part, len, data) in parts {
                items.push(vector(format!("{name}.{part}"), len, data));
            }
        }
    }
    Ok(())
}

fn vector(name: String, len: usize, data: Data<'_>) -> Item<'_> {
    Item { name, shape: vec![len], data }
}

/// Actions as files have them.
fn signed(name: &str, actions: &[u32]) -> Result<Vec<i32>> {
    let mut signed = Vec::with_capacity(actions.len());
    for &action in actions {
        signed.push(i32::try_from(action).map_err(|_| {
            Error::invalid(format!("{name}: {action} is more than an int32 holds"))
        })?);
    }
    Ok(signed)
}
