//! The known name that a mistyped one was probably meant to be.

/// The candidate nearest to `name`, if one is near: at most a third of its letters differ, upper
/// and lower case counting as the same.
///
/// ```
/// use populace_agent::nearest;
///
/// assert_eq!(nearest("polcy_len", ["gamma", "policy_len"]), Some("policy_len"));
/// assert_eq!(nearest("gmama", ["gamma", "policy_len"]), Some("gamma"));
/// assert_eq!(nearest("potato", ["gamma", "policy_len"]), None);
/// ```
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Nothing that is much longer than any name can be near one.
    let name: Vec<char> = name.chars().take(64).flat_map(char::to_lowercase).collect();
    candidates
        .into_iter()
        .map(|candidate| {
            let letters: Vec<char> = candidate.chars().flat_map(char::to_lowercase).collect();
            (distance(&name, &letters), letters.len(), candidate)
        })
        .filter(|&(edits, length, _)| edits <= (length / 3).max(1))
        .min_by_key(|&(edits, ..)| edits)
        .map(|(.., candidate)| candidate)
}

/// ` (did you mean X?)`, or nothing.
pub(crate) fn hint<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map_or(String::new(), |near| format!(" (did you mean {near}?)"))
}

/// How many letters must be replaced, inserted, removed or swapped with their neighbour: optimal
/// string alignment, three rows at a time.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut before = vec![0; to.len() + 1];
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (i, letter) in from.iter().enumerate() {
        let mut row = vec![i + 1; to.len() + 1];
        for (j, other) in to.iter().enumerate() {
            let replaced = above[j] + usize::from(letter != other);
            row[j + 1] = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && from[i - 1] == *other && to[j - 1] == *letter {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[to.len()]
}
