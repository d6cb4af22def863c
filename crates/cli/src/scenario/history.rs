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

    /// What is asked for, with the ticks that a flag says in front, that is not what is kept already: its
    /// name, what is asked, and what is there. Its bytes are free.
    pub(crate) fn contradiction(
        &self,
        ticks: Option<u64>,
        kept: &populace_population::History,
    ) -> Option<(&'static str, String, String)> {
        let differ = |name, asked: Option<String>, there: String| {
            asked.filter(|asked| *asked != there).map(|asked| (name, asked, there))
        };
        let codec = |codec: Codec| format!("{codec:?}").to_lowercase();
        differ(
            "history ticks",
            ticks.or(self.ticks).map(|it| it.to_string()),
            kept.ticks.to_string(),
        )
        .or_else(|| {
            differ("history codec", self.codec.map(|it| codec(it.into())), codec(kept.codec))
        })
        .or_else(|| {
            let asked = self.beliefs.map(|it| it.to_string());
            differ("history beliefs", asked, kept.beliefs.to_string())
        })
    }
}
