//! Licence expressions, as SPDX writes them.
//!
//! ```text
//! either := both ("OR" both)*            "/" is an old spelling of OR
//! both   := one ("AND" one)*
//! one    := "(" either ")" | ID ["WITH" EXCEPTION]
//! ```

/// Which identifiers are allowed.
type Allowed<'a> = &'a dyn Fn(&str) -> bool;

/// Whether an expression can be satisfied with allowed licences alone.
///
/// `allowed` is asked for an identifier, or for `ID WITH EXCEPTION` as a whole.
pub(crate) fn satisfied(expression: &str, allowed: Allowed) -> Result<bool, String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut tokens = spaced.split_whitespace().peekable();
    let verdict = either(&mut tokens, allowed)?;
    match tokens.next() {
        None => Ok(verdict),
        Some(token) => Err(format!("`{token}` is not expected in `{expression}`")),
    }
}

type Tokens<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn either(tokens: &mut Tokens, allowed: Allowed) -> Result<bool, String> {
    let mut verdict = both(tokens, allowed)?;
    while tokens.next_if_eq(&"OR").is_some() {
        verdict |= both(tokens, allowed)?;
    }
    Ok(verdict)
}

fn both(tokens: &mut Tokens, allowed: Allowed) -> Result<bool, String> {
    let mut verdict = one(tokens, allowed)?;
    while tokens.next_if_eq(&"AND").is_some() {
        verdict &= one(tokens, allowed)?;
    }
    Ok(verdict)
}

fn one(tokens: &mut Tokens, allowed: Allowed) -> Result<bool, String> {
    match tokens.next() {
        Some("(") => {
            let verdict = either(tokens, allowed)?;
            tokens.next_if_eq(&")").map(|_| verdict).ok_or_else(|| "`)` is missing".into())
        }
        Some(id) if !matches!(id, ")" | "OR" | "AND" | "WITH") => {
            if tokens.next_if_eq(&"WITH").is_none() {
                return Ok(allowed(id));
            }
            let exception = tokens.next().ok_or("`WITH` what?")?;
            Ok(allowed(&format!("{id} WITH {exception}")))
        }
        Some(token) => Err(format!("`{token}` is not a licence")),
        None => Err("a licence is missing".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::satisfied;

    fn with(allowed: &[&str], expression: &str) -> Result<bool, String> {
        satisfied(expression, &|licence| allowed.contains(&licence))
    }

    #[test]
    fn and_binds_tighter_than_or() {
        assert_eq!(with(&["MIT"], "MIT OR GPL-3.0 AND Zlib"), Ok(true));
        assert_eq!(with(&["MIT"], "(MIT OR GPL-3.0) AND Zlib"), Ok(false));
        assert_eq!(with(&["MIT", "Zlib"], "(MIT OR GPL-3.0) AND Zlib"), Ok(true));
    }

    #[test]
    fn the_old_slash_means_or() {
        assert_eq!(with(&["Apache-2.0"], "MIT/Apache-2.0"), Ok(true));
    }

    #[test]
    fn an_exception_belongs_to_its_licence() {
        let expression = "Apache-2.0 WITH LLVM-exception";
        assert_eq!(with(&["Apache-2.0"], expression), Ok(false));
        assert_eq!(with(&["Apache-2.0 WITH LLVM-exception"], expression), Ok(true));
    }

    #[test]
    fn nonsense_is_refused() {
        for expression in ["", "MIT OR", "(MIT", "MIT Zlib", "AND MIT"] {
            assert!(with(&["MIT"], expression).is_err(), "{expression}");
        }
    }
}
