//! The header of a safetensors file, read as what it is: somebody else's claim.
//!
//! A file is `n` (u64, little-endian), `n` bytes of JSON that name every tensor's dtype, shape and
//! byte range, and the data. Nothing is allocated on the header's word: `n` and every range are
//! first held against the file's real length. As the format has it, ranges
//! tile the data exactly: no overlap, no hole, nothing left over.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::Read;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use crate::model::tensor::tuple;
use crate::{Error, Result};

/// Where the JSON starts.
pub(super) const LENGTH_BYTES: u64 = 8;
/// The longest JSON that is read; room for tens of thousands of tensors.
const LONGEST_HEADER_BYTES: u64 = 4 << 20;

/// What a file says of itself, found to be possible.
#[derive(Debug)]
pub(super) struct Header {
    /// The tensors, in the order of their data.
    pub(super) tensors: Vec<Entry>,
    /// Where in `tensors` each name is.
    by_name: HashMap<String, usize>,
    /// Free text by key.
    pub(super) metadata: Vec<(String, String)>,
}

/// A tensor's place.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) dtype: String,
    pub(super) shape: Vec<usize>,
    /// The first byte, counted from the start of the file.
    pub(super) start: u64,
    /// How many bytes.
    pub(super) bytes: u64,
}

impl Header {
    /// Reads and checks the header of a file of `file_bytes`.
    pub(super) fn read(file: &mut impl Read, file_bytes: u64) -> Result<Self> {
        if file_bytes == 0 {
            return Err(Error::invalid("the file is empty"));
        }
        if file_bytes < LENGTH_BYTES {
            return Err(Error::invalid(format!(
                "not a safetensors file: {file_bytes} bytes are too few"
            )));
        }
        let mut length = [0; LENGTH_BYTES as usize];
        read_exact(file, &mut length)?;
        let length = u64::from_le_bytes(length);
        let rest = file_bytes - LENGTH_BYTES;
        if length > rest {
            return Err(Error::invalid(format!(
                "not a safetensors file, or cut short: its header claims {length} bytes, but \
                 {rest} follow"
            )));
        }
        if length > LONGEST_HEADER_BYTES {
            return Err(Error::invalid(format!(
                "its header claims {length} bytes, and at most {LONGEST_HEADER_BYTES} are read"
            )));
        }
        let mut json = vec![0; length as usize];
        read_exact(file, &mut json)?;
        let json = std::str::from_utf8(&json).map_err(|error| {
            Error::invalid(format!("not a safetensors file: its header is not UTF-8 ({error})"))
        })?;
        let Claims { tensors, metadata } = serde_json::from_str(json).map_err(|error| {
            Error::invalid(format!("its header is not what safetensors has: {}", complaint(&error)))
        })?;
        let tensors = place(tensors, LENGTH_BYTES + length, rest - length)?;
        let names = tensors.iter().map(|entry| entry.name.clone());
        let by_name = names.zip(0..).collect();
        Ok(Self { tensors, by_name, metadata })
    }

    /// The tensor of a name.
    pub(super) fn find(&self, name: &str) -> Option<&Entry> {
        self.by_name.get(name).map(|&place| &self.tensors[place])
    }
}

/// Checks that the claimed ranges fit their shapes and tile the data.
fn place(claims: Vec<(String, Claim)>, data_start: u64, data_bytes: u64) -> Result<Vec<Entry>> {
    let mut claims = claims;
    claims.sort_by_key(|(_, claim)| claim.data_offsets);
    let mut entries: Vec<Entry> = Vec::with_capacity(claims.len());
    let mut end = 0;
    for (name, Claim { dtype, shape, data_offsets: (from, to) }) in claims {
        let wrong = |what: String| Err(Error::invalid(what).within(shown(&name)));
        if to < from || to > data_bytes {
            return wrong(format!(
                "its data are bytes {from} to {to}, but the file has {data_bytes} (cut short?)"
            ));
        }
        if from < end {
            let before = entries.last().map_or(String::new(), |entry| shown(&entry.name));
            return wrong(format!(
                "its data, bytes {from} to {to}, overlap those of {before}, which end at {end}"
            ));
        }
        if from > end {
            return wrong(format!("bytes {end} to {from} before its data belong to no tensor"));
        }
        let Some(width) = width_bytes(&dtype) else {
            return wrong(format!("its dtype is {}, which is not known", shown(&dtype)));
        };
        let needed = shape.iter().try_fold(width, |bytes, &axis| bytes.checked_mul(axis as u64));
        if needed != Some(to - from) {
            return wrong(format!(
                "shape {} of {dtype} is not {} bytes of data",
                tuple(&shape),
                to - from
            ));
        }
        entries.push(Entry { name, dtype, shape, start: data_start + from, bytes: to - from });
        end = to;
    }
    if end != data_bytes {
        return Err(Error::invalid(format!(
            "the last {} bytes belong to no tensor",
            data_bytes - end
        )));
    }
    Ok(entries)
}

/// The bytes of one value.
fn width_bytes(dtype: &str) -> Option<u64> {
    Some(match dtype {
        "BOOL" | "U8" | "I8" | "F8_E5M2" | "F8_E4M3" => 1,
        "U16" | "I16" | "F16" | "BF16" => 2,
        "U32" | "I32" | "F32" => 4,
        "U64" | "I64" | "F64" | "C64" => 8,
        _ => return None,
    })
}

fn read_exact(file: &mut impl Read, bytes: &mut [u8]) -> Result<()> {
    file.read_exact(bytes).map_err(|error| Error::invalid(format!("cannot be read: {error}")))
}

/// A stranger's text, fit for one line of a message.
pub(super) fn shown(text: &str) -> String {
    one_line(text, 80)
}

/// At most so many characters, those that would move the line or the terminal escaped.
pub(super) fn one_line(text: &str, most: usize) -> String {
    let mut line = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == most {
            line.push('…');
            break;
        }
        match character {
            _ if character.is_control() => line.extend(character.escape_default()),
            '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' => {
                line.extend(character.escape_default());
            }
            _ => line.push(character),
        }
    }
    line
}

/// What serde has to say, which may quote the stranger.
pub(super) fn complaint(error: &serde_json::Error) -> String {
    one_line(&error.to_string(), 240)
}

/// The header's JSON; a name that comes twice is an error, not the last one wins.
struct Claims {
    tensors: Vec<(String, Claim)>,
    metadata: Vec<(String, String)>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(ClaimsVisitor)
    }
}

struct ClaimsVisitor;

impl<'de> Visitor<'de> for ClaimsVisitor {
    type Value = Claims;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Claims, A::Error> {
        let mut claims = Claims { tensors: Vec::new(), metadata: Vec::new() };
        let mut names = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name.clone()) {
                map.next_value::<IgnoredAny>()?;
                return Err(A::Error::custom(format_args!("{} comes twice", shown(&name))));
            }
            if name == "__metadata__" {
                let Unique(pairs) = map.next_value()?;
                claims.metadata = pairs;
            } else {
                claims.tensors.push((name, map.next_value()?));
            }
        }
        Ok(claims)
    }
}

/// An object's pairs in their order; a key that comes twice is an error.
pub(super) struct Unique<T>(pub(super) Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Unique<T> {
    /// Reads an object's pairs.
    pub(super) fn of<A: MapAccess<'de>>(mut map: A) -> std::result::Result<Self, A::Error> {
        let mut pairs: Vec<(String, T)> = Vec::new();
        let mut keys = HashSet::new();
        while let Some((key, value)) = map.next_entry::<String, T>()? {
            if !keys.insert(key.clone()) {
                return Err(A::Error::custom(format_args!("{} comes twice", shown(&key))));
            }
            pairs.push((key, value));
        }
        Ok(Self(pairs))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Unique<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Pairs<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Pairs<T> {
            type Value = Unique<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                map: A,
            ) -> std::result::Result<Unique<T>, A::Error> {
                Unique::of(map)
            }
        }
        deserializer.deserialize_map(Pairs(std::marker::PhantomData))
    }
}
