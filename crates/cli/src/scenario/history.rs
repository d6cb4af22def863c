//! `[history]`: what is kept of the past.

use populace_population::history::Codec;
use serde::Deserialize;

use crate::byte_size::ByteSize;

/// `[history]`; none is kept where neither it nor a flag asks for any.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct History {
    ticks: Option<u64>,
    bytes: Option<ByteSize>,
    codec: Option<CodecName>,
    beliefs: Option<bool>,
}

/// What history is compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CodecName {
    Zstd,
    Zlib,
    Lz4,
    None,
}

impl From<CodecName> for Codec {
    fn from(name: CodecName) -> Self {
        match name {
            CodecName::Zstd => Self::Zstd,
            CodecName::Zlib => Self::Zlib,
            CodecName::Lz4 => Self::Lz4,
            CodecName::None => Self::None,
        }
    }
}

impl History {
    /// What is kept, with the ticks that a flag says in front.
    pub(crate) fn over(&self, ticks: Option<u64>) -> Option<populace_population::History> {
        if ticks.is_none() && *self == Self::default() {
            return None;
        }
        let default = populace_population::History::default();
        Some(populace_population::History {
            ticks: ticks.or(self.ticks).unwrap_or(default.ticks),
            bytes: self.bytes.map(|ByteSize(bytes)| bytes).or(default.bytes),
            codec: self.codec.map_or(default.codec, Into::into),
            beliefs: self.beliefs.unwrap_or(default.beliefs),
        })
    }
}
