//! A number of bytes as people write it: `256MiB`, `1.5 GiB`, `1000000`.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer};

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByteSize(pub(crate) u64);

const HINT: &str = "write 256MiB, \"1.5 GiB\" or plain bytes";

/// Units by their spelling in lower case. `M` alone is `MiB`, as elsewhere on a command line.
const UNITS: [(&str, u64); 14] = [
    ("", 1),
    ("b", 1),
    ("k", 1 << 10),
    ("kib", 1 << 10),
    ("kb", 1_000),
    ("m", 1 << 20),
    ("mib", 1 << 20),
    ("mb", 1_000_000),
    ("g", 1 << 30),
    ("gib", 1 << 30),
    ("gb", 1_000_000_000),
    ("t", 1 << 40),
    ("tib", 1 << 40),
    ("tb", 1_000_000_000_000),
];

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let end = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '_')).unwrap_or(text.len());
        let (number, unit) = (text[..end].replace('_', ""), text[end..].trim());
        let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
        if whole.is_empty() || fraction.contains('.') {
            return Err(format!("{text:?} is not a number of bytes; {HINT}"));
        }
        let scale = UNITS
            .iter()
            .find(|(name, _)| *name == unit.to_ascii_lowercase())
            .map(|(_, scale)| u128::from(*scale))
            .ok_or_else(|| format!("{unit:?} is not a unit of bytes; {HINT}"))?;
        let too_large = || format!("{text:?} is more than 2^64 bytes; {HINT}");
        let whole: u64 = whole.parse().map_err(|_| too_large())?;
        // In integers, so that no size is off by the rounding of a double. Nine decimals of the
        // largest unit are a kilobyte.
        let fraction = format!("{fraction:0<9.9}");
        let billionths: u128 = fraction.parse().map_err(|_| too_large())?;
        let bytes = u128::from(whole) * scale + billionths * scale / 1_000_000_000;
        u64::try_from(bytes).map(Self).map_err(|_| too_large())
    }
}

/// In a file, a size is a string or a plain integer.
impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = ByteSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes such as \"256MiB\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteSize, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<ByteSize, E> {
                let negative = || E::custom(format!("{bytes} is not a number of bytes; {HINT}"));
                u64::try_from(bytes).map(ByteSize).map_err(|_| negative())
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::ByteSize;

    fn bytes(text: &str) -> Result<u64, String> {
        text.parse().map(|ByteSize(bytes)| bytes)
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(bytes("256MiB"), Ok(256 << 20));
        assert_eq!(bytes("1GiB"), Ok(1 << 30));
        assert_eq!(bytes("1.5 GiB"), Ok(3 << 29));
        assert_eq!(bytes(" 2 mb "), Ok(2_000_000));
        assert_eq!(bytes("512M"), Ok(512 << 20));
        assert_eq!(bytes("1_000_000"), Ok(1_000_000));
        assert_eq!(bytes("0.001KiB"), Ok(1));
        assert_eq!(bytes("18446744073709551615"), Ok(u64::MAX));
    }

    #[test]
    fn anything_else_is_refused_by_its_name() {
        for (text, culprit) in [
            ("12 potatoes", "potatoes"),
            ("", "\"\""),
            ("MiB", "MiB"),
            ("-1", "-1"),
            ("1.2.3", "1.2.3"),
            ("1e3", "e3"),
            ("18446744073709551616", "18446744073709551616"),
            ("99999999999 TiB", "99999999999"),
        ] {
            let error = bytes(text).expect_err(text);
            assert!(error.contains(culprit), "{text:?}: {error}");
        }
    }
}
