//! Einsum by nested loops over every label, in f64.

/// One operand: its labels, and its elements row-major over `shape`.
pub struct Naive<'a> {
    pub labels: &'a str,
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

/// The result row-major, and beside every element the sum of the absolute values of its terms.
pub fn einsum(operands: &[Naive<'_>], output: &str) -> (Vec<f64>, Vec<f64>) {
    let mut labels: Vec<char> = output.chars().collect();
    labels.extend(operands.iter().flat_map(|operand| operand.labels.chars()));
    let mut seen = Vec::new();
    labels.retain(|&c| {
        !seen.contains(&c) && {
            seen.push(c);
            true
        }
    });
    let size = |c: char| {
        let sizes = operands.iter().flat_map(|o| o.labels.chars().zip(o.shape.iter().copied()));
        let own: Vec<usize> = sizes.filter(|(label, _)| *label == c).map(|(_, n)| n).collect();
        own.iter().copied().find(|&n| n != 1).unwrap_or(1)
    };
    let sizes: Vec<usize> = labels.iter().map(|&c| size(c)).collect();
    let outer: usize = sizes[..output.len()].iter().product();
    let inner: usize = sizes[output.len()..].iter().product();
    let mut index = vec![0; labels.len()];
    let (mut result, mut scale) = (vec![0.0; outer], vec![0.0; outer]);
    for to in 0..outer {
        for _ in 0..inner {
            let mut term = 1.0;
            for operand in operands {
                let offset =
                    operand.labels.chars().zip(&operand.shape).fold(0, |offset, (c, &n)| {
                        let at = labels.iter().position(|&l| l == c).map_or(0, |l| index[l]);
                        offset * n + if n == 1 { 0 } else { at }
                    });
                term *= operand.values[offset];
            }
            result[to] += term;
            scale[to] += f64::abs(term);
            for (i, &n) in index.iter_mut().zip(&sizes).rev() {
                *i += 1;
                if *i < n {
                    break;
                }
                *i = 0;
            }
        }
    }
    (result, scale)
}
