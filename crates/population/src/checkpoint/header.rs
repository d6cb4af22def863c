//! What a checkpoint says of its run: one JSON object, with a checksum before it.

use populace_agent::Precision;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::{Belief, Error, Result};

/// The version of the format: of the tables, of records, and of this object.
const FORMAT: u32 = 1;

/// A run, and how far it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) format: u32,
    /// What a person calls the model.
    pub(super) title: String,
    pub(super) agents: u64,
    pub(super) seed: u64,
    pub(super) steps: u64,
    pub(super) belief: Belief,
    pub(super) mass: f64,
    pub(super) tolerance: f64,
    /// Left out where nothing may be demoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) demote: Option<Belief>,
    pub(super) precision: Arithmetic,
    /// Bytes of the model's file, and of the process's where there is one.
    pub(super) model_bytes: u64,
    pub(super) process_bytes: Option<u64>,
    /// How many ticks have been run; agents have images once there is one.
    pub(super) tick: u64,
    pub(super) hash: u64,
    /// Agents of a chunk; the last may have fewer.
    pub(super) chunk: u64,
}

/// [`Precision`], as files spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Arithmetic {
    F32,
    F64,
}

impl From<Precision> for Arithmetic {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::F64 => Self::F64,
        }
    }
}

impl From<Arithmetic> for Precision {
    fn from(arithmetic: Arithmetic) -> Self {
        match arithmetic {
            Arithmetic::F32 => Self::F32,
            Arithmetic::F64 => Self::F64,
        }
    }
}

/// What is read first: later formats may have other fields.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl Header {
    pub(super) const FORMAT: u32 = FORMAT;

    /// As it stands in the file.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let json = serde_json::to_vec(self).map_err(|error| Error::invalid(error.to_string()))?;
        let mut bytes = XxHash3_64::oneshot(&json).to_le_bytes().to_vec();
        bytes.extend(json);
        Ok(bytes)
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// It is damaged, or of another version.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let damaged = || Error::invalid("is damaged: its header's checksum does not match");
        let (checksum, json) = bytes.split_at_checked(size_of::<u64>()).ok_or_else(damaged)?;
        if checksum != XxHash3_64::oneshot(json).to_le_bytes() {
            return Err(damaged());
        }
        let unread = |error: serde_json::Error| Error::invalid(format!("its header: {error}"));
        let Version { format } = serde_json::from_slice(json).map_err(unread)?;
        if format != FORMAT {
            return Err(Error::invalid(format!(
                "is a checkpoint of format {format}, and this version reads {FORMAT}"
            )));
        }
        serde_json::from_slice(json).map_err(unread)
    }
}
