//! What a checkpoint says of its run: one JSON object, with a checksum before it.

use populace_agent::Precision;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use super::lives::{KeptPast, Lives};
use crate::{Belief, Error, Result};

/// The version of the format: of the tables, of records, and of this object.
const FORMAT: u32 = 2;

/// The oldest that is read: agents neither came nor went, and no past was kept.
const OLDEST: u32 = 1;

/// A run, and how far it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) format: u32,
    /// What a person calls the model.
    pub(crate) title: String,
    pub(crate) agents: u64,
    pub(crate) seed: u64,
    pub(crate) steps: u64,
    pub(crate) belief: Belief,
    pub(crate) mass: f64,
    pub(crate) tolerance: f64,
    pub(crate) precision: Arithmetic,
    /// Bytes of the model's file, and of the process's where there is one.
    pub(crate) model_bytes: u64,
    pub(crate) process_bytes: Option<u64>,
    /// How many ticks have been run; agents have images once there is one.
    pub(crate) tick: u64,
    pub(crate) hash: u64,
    /// Agents of a chunk at most; where nobody comes or goes only the last has fewer.
    pub(crate) chunk: u64,
    /// Of agents that come and go; none where they stay.
    #[serde(default)]
    pub(crate) lives: Option<Lives>,
    /// Of the past, where it is kept.
    #[serde(default)]
    pub(crate) past: Option<KeptPast>,
}

/// [`Precision`], as files spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Arithmetic {
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
        if !(OLDEST..=FORMAT).contains(&format) {
            return Err(Error::invalid(format!(
                "is a checkpoint of format {format}, and this version reads {OLDEST} to {FORMAT}"
            )));
        }
        serde_json::from_slice(json).map_err(unread)
    }
}

#[cfg(test)]
mod tests {
    use twox_hash::XxHash3_64;

    use super::Header;

    fn sealed(json: &str) -> Vec<u8> {
        let mut bytes = XxHash3_64::oneshot(json.as_bytes()).to_le_bytes().to_vec();
        bytes.extend(json.as_bytes());
        bytes
    }

    const FIRST: &str = r#"{"format":1,"title":"grid","agents":9,"seed":1,"steps":4,"belief":"auto",
        "mass":0.1,"tolerance":1.0,"precision":"f32","model_bytes":7,"process_bytes":null,"tick":2,
        "hash":18446744073709551615,"chunk":16}"#;

    #[test]
    fn a_header_of_format_1_is_read_and_of_an_unknown_one_refused() {
        let header = Header::from_bytes(&sealed(FIRST)).unwrap();
        assert_eq!((header.tick, header.hash, header.chunk), (2, u64::MAX, 16));
        assert!(header.lives.is_none() && header.past.is_none());
        for format in ["0", "3", "4000000000"] {
            let json = FIRST.replacen("\"format\":1", &format!("\"format\":{format}"), 1);
            let error = Header::from_bytes(&sealed(&json)).unwrap_err().to_string();
            assert!(error.contains(&format!("format {format}")), "{error}");
        }
        let again = Header::from_bytes(&header.to_bytes().unwrap()).unwrap();
        assert_eq!(again, header);
    }
}
