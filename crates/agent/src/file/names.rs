//! The names that tensors have in files.

use super::header::shown;
use crate::nearest::hint;
use crate::{Error, Result};

/// What a tensor's name says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// `A.0`, `pB.1`, or a part of such a one in compressed columns.
    Model(Family, usize, Part),
    /// `E`: the prior over policies.
    PolicyPrior,
    /// `pE`: its counts.
    PolicyCounts,
    /// `policies`.
    Policies,
    /// `observations` (None), or the soft `observations.m`.
    Observations(Option<usize>),
    /// `actions`.
    Actions,
    /// `expect.…`: what a reference answered.
    Expected,
}

/// Tensors that come one a modality or factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    A,
    B,
    C,
    D,
    CountsA,
    CountsB,
    CountsD,
    Goals,
}

/// A dense tensor, or a part of a sparse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Indptr,
    Indices,
    Values,
}

impl Family {
    pub(super) const ALL: [(&'static str, Self); 8] = [
        ("A", Self::A),
        ("B", Self::B),
        ("C", Self::C),
        ("D", Self::D),
        ("pA", Self::CountsA),
        ("pB", Self::CountsB),
        ("pD", Self::CountsD),
        ("H", Self::Goals),
    ];

    pub(super) fn prefix(self) -> &'static str {
        Self::ALL.iter().find(|(_, family)| *family == self).map_or("?", |(prefix, _)| prefix)
    }

    /// Whether it may come in compressed columns.
    pub(super) fn may_be_sparse(self) -> bool {
        matches!(self, Self::A | Self::B | Self::CountsA | Self::CountsB)
    }
}

impl Name {
    /// Reads a tensor's name.
    ///
    /// # Errors
    ///
    /// The name is not one of the format's; the message suggests the near one.
    pub(super) fn parse(name: &str) -> Result<Self> {
        Self::known(name).ok_or_else(|| {
            let index = name.split('.').nth(1).filter(|index| number(index).is_some());
            let index = index.unwrap_or("0");
            let indexed = Family::ALL.iter().map(|(prefix, _)| format!("{prefix}.{index}"));
            let fixed = ["E", "pE", "policies", "observations", "actions"].map(str::to_owned);
            let soft = format!("observations.{index}");
            let known: Vec<String> = indexed.chain(fixed).chain([soft]).collect();
            let hint = hint(name, known.iter().map(String::as_str));
            Error::invalid(format!("{}: is no tensor of a model{hint}", shown(name)))
        })
    }

    fn known(name: &str) -> Option<Self> {
        match name {
            "E" => return Some(Self::PolicyPrior),
            "pE" => return Some(Self::PolicyCounts),
            "policies" => return Some(Self::Policies),
            "observations" => return Some(Self::Observations(None)),
            "actions" => return Some(Self::Actions),
            _ if name.starts_with("expect.") => return Some(Self::Expected),
            _ => {}
        }
        let mut words = name.split('.');
        let (prefix, index) = (words.next()?, number(words.next()?)?);
        let (part, more) = (words.next(), words.next());
        if more.is_some() {
            return None;
        }
        if prefix == "observations" {
            return part.is_none().then_some(Self::Observations(Some(index)));
        }
        let &(_, family) = Family::ALL.iter().find(|(known, _)| *known == prefix)?;
        let part = match part {
            None => Part::Whole,
            Some("indptr") if family.may_be_sparse() => Part::Indptr,
            Some("indices") if family.may_be_sparse() => Part::Indices,
            Some("values") if family.may_be_sparse() => Part::Values,
            Some(_) => return None,
        };
        Some(Self::Model(family, index, part))
    }
}

/// A decimal number as this format writes it: no sign, no leading zero.
fn number(text: &str) -> Option<usize> {
    text.parse().ok().filter(|number: &usize| number.to_string() == text)
}
