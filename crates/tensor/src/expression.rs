//! The language of einsum: `"ij,jk->ik"`.
//!
//! ```text
//! expression = term {"," term} ["->" term]      spaces are skipped
//! term       = {a-z | A-Z} ["..." {a-z | A-Z}]
//! ```
//!
//! A label that stands twice in a term takes the diagonal; one that is not in the output is summed
//! over. Without `->`, the output is the axes of `...`, then every label that stands once, A-Z
//! before a-z. `...` stands for any number of axes, which are broadcast from the last one forward.
//! What differs from NumPy: an empty expression is refused, because it is mostly a mistake.

use crate::contraction::{Contraction, Label, MAX_LABELS};
use crate::layout::element_count;
use crate::{Error, ErrorKind, Result};

#[derive(Clone, Copy, PartialEq)]
enum Symbol {
    Letter(char),
    Ellipsis,
}

/// A symbol and the byte where it stands.
type Placed = (Symbol, usize);

/// The parsed text; shapes are not known yet.
struct Terms {
    inputs: Vec<(Vec<Placed>, usize)>,
    output: Option<(Vec<Placed>, usize)>,
}

fn parse(text: &str) -> Result<Terms> {
    let bad = |c, at| Error::at(ErrorKind::BadCharacter(c), text, at);
    if text.trim().is_empty() {
        return Err(Error::at(ErrorKind::EmptyExpression, text, 0));
    }
    let mut terms = Vec::new();
    let mut arrow = false;
    let mut term: (Vec<Placed>, usize) = (Vec::new(), 0);
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        let rest = &text[at..];
        match c {
            ' ' => {}
            'a'..='z' | 'A'..='Z' => term.0.push((Symbol::Letter(c), at)),
            ',' if !arrow => {
                terms.push(std::mem::replace(&mut term, (Vec::new(), at + 1)));
            }
            '-' if !arrow && rest.starts_with("->") => {
                characters.next();
                arrow = true;
                terms.push(std::mem::replace(&mut term, (Vec::new(), at + 2)));
            }
            '.' if rest.starts_with("...")
                && !term.0.iter().any(|(symbol, _)| *symbol == Symbol::Ellipsis) =>
            {
                characters.nth(1);
                term.0.push((Symbol::Ellipsis, at));
            }
            _ => return Err(bad(c, at)),
        }
    }
    let output = if arrow {
        Some(term)
    } else {
        terms.push(term);
        None
    };
    Ok(Terms { inputs: terms, output })
}

/// Names to labels: letters in order of appearance, the ellipsis' axes counted from the last.
struct Resolver<'t> {
    text: &'t str,
    names: Vec<Name>,
    sizes: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Name {
    Letter(char),
    FromLast(usize),
}

impl Resolver<'_> {
    fn label(&mut self, name: Name, size: usize, operand: usize, at: usize) -> Result<Label> {
        let fail = |kind| Err(Error::at(kind, self.text, at));
        if let Some(label) = self.names.iter().position(|&known| known == name) {
            let known = self.sizes[label];
            if known == 1 {
                self.sizes[label] = size;
            } else if size != known && size != 1 {
                let label = if let Name::Letter(c) = name { c } else { '.' };
                return fail(ErrorKind::Contradiction { label, operand, size, elsewhere: known });
            }
            return Ok(label as Label);
        }
        if self.names.len() == MAX_LABELS {
            return fail(ErrorKind::TooManyLabels);
        }
        self.names.push(name);
        self.sizes.push(size);
        Ok((self.names.len() - 1) as Label)
    }

    fn input(
        &mut self,
        operand: usize,
        term: &(Vec<Placed>, usize),
        shape: &[usize],
    ) -> Result<Vec<Label>> {
        let letters = term.0.iter().filter(|(symbol, _)| *symbol != Symbol::Ellipsis).count();
        let has_ellipsis = letters < term.0.len();
        if letters > shape.len() || (!has_ellipsis && letters < shape.len()) {
            let at = term.0.first().map_or(term.1, |(_, at)| *at);
            let kind = ErrorKind::Rank { operand, labels: letters, axes: shape.len() };
            return Err(Error::at(kind, self.text, at));
        }
        let mut labels: Vec<Label> = Vec::with_capacity(shape.len());
        for &(symbol, at) in &term.0 {
            match symbol {
                Symbol::Letter(c) => {
                    let axis = labels.len();
                    let label = self.label(Name::Letter(c), shape[axis], operand, at)?;
                    // Within one operand the sizes must agree exactly: a diagonal of a 1 × 3
                    // matrix is a mistake, not a broadcast.
                    if let Some(first) = labels.iter().position(|&earlier| earlier == label)
                        && shape[first] != shape[axis]
                    {
                        let (size, elsewhere) = (shape[axis], shape[first]);
                        let kind = ErrorKind::Contradiction { label: c, operand, size, elsewhere };
                        return Err(Error::at(kind, self.text, at));
                    }
                    labels.push(label);
                }
                Symbol::Ellipsis => {
                    for from_last in (0..shape.len() - letters).rev() {
                        let name = Name::FromLast(from_last);
                        labels.push(self.label(name, shape[labels.len()], operand, at)?);
                    }
                }
            }
        }
        Ok(labels)
    }

    /// The labels of the ellipsis' axes, first axis first.
    fn ellipsis(&self) -> impl Iterator<Item = Label> + '_ {
        let axes = self.names.iter().filter(|name| matches!(name, Name::FromLast(_))).count();
        (0..axes).rev().filter_map(|from_last| self.find(Name::FromLast(from_last)))
    }

    fn find(&self, name: Name) -> Option<Label> {
        self.names.iter().position(|&known| known == name).map(|label| label as Label)
    }

    fn output(&self, term: &(Vec<Placed>, usize)) -> Result<Vec<Label>> {
        let fail = |kind, at| Err(Error::at(kind, self.text, at));
        let mut labels = Vec::new();
        for &(symbol, at) in &term.0 {
            match symbol {
                Symbol::Ellipsis => labels.extend(self.ellipsis()),
                Symbol::Letter(c) => match self.find(Name::Letter(c)) {
                    None => return fail(ErrorKind::UnknownOutputLabel(c), at),
                    Some(label) if labels.contains(&label) => {
                        return fail(ErrorKind::RepeatedOutputLabel(c), at);
                    }
                    Some(label) => labels.push(label),
                },
            }
        }
        if !term.0.iter().any(|(symbol, _)| *symbol == Symbol::Ellipsis)
            && self.ellipsis().next().is_some()
        {
            return fail(ErrorKind::EllipsisNotInOutput, term.1);
        }
        Ok(labels)
    }

    fn implicit_output(&self, inputs: &[(Vec<Placed>, usize)]) -> Vec<Label> {
        let stands = |c: char| {
            let symbols = inputs.iter().flat_map(|(term, _)| term);
            symbols.filter(|(symbol, _)| *symbol == Symbol::Letter(c)).count()
        };
        let once = ('A'..='Z').chain('a'..='z').filter(|&c| stands(c) == 1);
        self.ellipsis().chain(once.filter_map(|c| self.find(Name::Letter(c)))).collect()
    }
}

/// Reads `text` for operands of these shapes.
pub(crate) fn contraction<'s>(
    text: &str,
    shapes: impl ExactSizeIterator<Item = &'s [usize]>,
) -> Result<Contraction> {
    let terms = parse(text)?;
    let (expected, given) = (terms.inputs.len(), shapes.len());
    if expected != given {
        let at = terms.inputs.get(given).map_or(0, |(_, start)| *start);
        return Err(Error::at(ErrorKind::OperandCount { expected, given }, text, at));
    }
    let mut resolver = Resolver { text, names: Vec::new(), sizes: Vec::new() };
    let mut inputs = Vec::with_capacity(given);
    for (operand, (term, shape)) in terms.inputs.iter().zip(shapes).enumerate() {
        inputs.push(resolver.input(operand, term, shape)?);
    }
    let output = match &terms.output {
        Some(term) => resolver.output(term)?,
        None => resolver.implicit_output(&terms.inputs),
    };
    let contraction = Contraction { inputs, output, sizes: resolver.sizes };
    element_count(&contraction.output_shape()).map_err(|error| {
        let at = terms.output.as_ref().map_or(0, |(_, start)| *start);
        Error::at(error.kind().clone(), text, at)
    })?;
    Ok(contraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, shapes: &[&[usize]]) -> Result<Contraction> {
        contraction(text, shapes.iter().copied())
    }

    #[test]
    fn shapes_of_results() {
        let shape = |text, shapes: &[&[usize]]| read(text, shapes).unwrap().output_shape().to_vec();
        assert_eq!(shape("ij,jk", &[&[2, 3], &[3, 4]]), [2, 4]);
        assert_eq!(shape("ba", &[&[2, 3]]), [3, 2]);
        assert_eq!(shape("bA", &[&[2, 3]]), [3, 2]);
        assert_eq!(shape("ii->i", &[&[3, 3]]), [3]);
        assert_eq!(shape("...i,...j", &[&[2, 3], &[5, 2, 3]]), [5, 2, 3, 3]);
        assert_eq!(shape("i...->...", &[&[2, 3, 4]]), [3, 4]);
        assert_eq!(shape("i,i->i", &[&[1], &[4]]), [4]);
        assert_eq!(shape("->", &[&[]]), [0_usize; 0]);
    }

    #[test]
    fn a_mistake_is_quoted_with_a_caret() {
        let message = |text, shapes: &[&[usize]]| read(text, shapes).unwrap_err().to_string();
        assert_eq!(
            message("ij,jk->iz", &[&[2, 3], &[3, 4]]),
            "output label 'z' is in no operand\n  ij,jk->iz\n          ^"
        );
        assert_eq!(message("", &[]), "the expression is empty\n  \n  ^");
        assert_eq!(
            message("ij,jk->ii", &[&[2, 3], &[3, 4]]),
            "output label 'i' stands twice\n  ij,jk->ii\n          ^"
        );
        assert_eq!(
            message("ij,jk", &[&[2, 3], &[4, 4]]),
            "label 'j' has size 4 in operand 1, but size 3 elsewhere\n  ij,jk\n     ^"
        );
        assert!(message("ij,jk", &[&[2, 3]]).ends_with("\n  ij,jk\n     ^"));
        assert!(message("i.j", &[&[2, 3]]).ends_with("\n  i.j\n   ^"));
        assert!(message("ié", &[&[2, 3]]).ends_with("\n  ié\n   ^"));
        assert!(message("ijk->i", &[&[2, 3]]).starts_with("operand 0 has 2 axes, but 3 labels"));
        assert!(message("ii->i", &[&[1, 3]]).starts_with("label 'i' has size 3"));
        assert!(message("...i->i", &[&[2, 3]]).ends_with("\n  ...i->i\n        ^"));
    }

    #[test]
    fn no_more_than_52_labels() {
        let letters: String = ('a'..='z').chain('A'..='Z').collect();
        let ones = [1; 52];
        assert_eq!(read(&letters, &[&ones]).unwrap().output.len(), 52);
        let error = read(&format!("{letters}..."), &[&[1; 53]]).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::TooManyLabels);
    }

    #[test]
    fn a_result_that_cannot_be_addressed_is_refused() {
        let big = [1 << 31];
        let error = read("i,j,k->ijk", &[&big, &big, &big]).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Overflow);
        assert!(error.to_string().ends_with("\n  i,j,k->ijk\n         ^"));
    }
}
