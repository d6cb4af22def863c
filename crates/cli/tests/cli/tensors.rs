//! Safetensors files as the tests read, spoil and write them.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;

/// One tensor, as bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Raw {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

/// A whole file.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) tensors: BTreeMap<String, Raw>,
    pub(crate) metadata: Value,
}

impl File {
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let populace = header.metadata().as_ref().and_then(|it| it.get("populace"));
        let metadata = populace.map_or(Value::Null, |text| serde_json::from_str(text).unwrap());
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file
            .tensors()
            .into_iter()
            .map(|(name, view)| {
                let (dtype, shape) = (view.dtype(), view.shape().to_vec());
                (name, Raw { dtype, shape, bytes: view.data().to_vec() })
            })
            .collect();
        Self { tensors, metadata }
    }

    /// The file's bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let views = self.tensors.iter().map(|(name, raw)| {
            (name, TensorView::new(raw.dtype, raw.shape.clone(), &raw.bytes).unwrap())
        });
        let metadata = [("populace".to_owned(), self.metadata.to_string())];
        safetensors::serialize(views, Some(metadata.into())).unwrap()
    }

    /// The numbers of a tensor, in double precision.
    pub(crate) fn reals(&self, name: &str) -> Vec<f64> {
        let raw = self.raw(name);
        match raw.dtype {
            Dtype::F64 => words(&raw.bytes).map(f64::from_le_bytes).collect(),
            Dtype::F32 => words(&raw.bytes).map(|it| f64::from(f32::from_le_bytes(it))).collect(),
            dtype => panic!("{name} is {dtype:?}"),
        }
    }

    /// The numbers of an int32 tensor.
    pub(crate) fn integers(&self, name: &str) -> Vec<i32> {
        let raw = self.raw(name);
        assert_eq!(raw.dtype, Dtype::I32, "{name}");
        words(&raw.bytes).map(i32::from_le_bytes).collect()
    }

    /// Changes numbers of a double-precision tensor.
    pub(crate) fn change(&mut self, name: &str, change: impl FnOnce(&mut [f64])) {
        let mut values = self.reals(name);
        change(&mut values);
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensors.get_mut(name).unwrap().bytes = bytes;
    }

    pub(crate) fn raw(&self, name: &str) -> &Raw {
        self.tensors.get(name).unwrap_or_else(|| {
            panic!("there is no {name} among {:?}", self.tensors.keys().collect::<Vec<_>>())
        })
    }
}

fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    bytes.as_chunks().0.iter().copied()
}
