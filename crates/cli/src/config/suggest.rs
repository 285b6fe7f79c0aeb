//! "did you mean": the nearest of the known words.

/// The known word nearest to `typed`, if one is near enough to be meant.
pub(crate) fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = typed.to_lowercase().replace('-', "_");
    // One edit for three letters. Five letters may have two: `clame` is `claim`.
    let allowed = ((folded.chars().count() + 1) / 3).max(1);
    known
        .into_iter()
        .map(|word| (distance(&folded, &word.to_lowercase().replace('-', "_")), word))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// The sentence for a report.
pub(crate) fn did_you_mean<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(typed, known).map(|word| format!("did you mean `{word}`?"))
}

/// Edits between two words: insert, delete, replace, swap two neighbours (optimal string alignment).
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    let mut left: Option<char> = None;
    for (line, from_char) in from.iter().copied().enumerate() {
        let mut next = vec![line + 1];
        let mut above_left: Option<char> = None;
        for (column, to_char) in to.iter().copied().enumerate() {
            let at = |cells: &[usize], index: usize| cells.get(index).copied().unwrap_or(usize::MAX - 1);
            let replace = at(&row, column) + usize::from(from_char != to_char);
            let mut cost = replace.min(at(&row, column + 1) + 1).min(at(&next, column) + 1);
            if left == Some(to_char) && above_left == Some(from_char) {
                let two_back = column.checked_sub(1).map_or(usize::MAX - 1, |index| at(&before, index));
                cost = cost.min(two_back + 1);
            }
            next.push(cost);
            above_left = Some(to_char);
        }
        left = Some(from_char);
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        assert_eq!(distance("", ""), 0);
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("abc", "acb"), 1);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("audience", "audiences"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn finds_slips_and_leaves_strangers_alone() {
        let known = ["audiences", "algorithms", "jwks_url", "issuer"];
        assert_eq!(nearest("audience", known), Some("audiences"));
        assert_eq!(nearest("JWKS-URL", known), Some("jwks_url"));
        assert_eq!(nearest("isuser", known), Some("issuer"));
        assert_eq!(nearest("clame", ["claim", "lease"]), Some("claim"));
        assert_eq!(nearest("colour", known), None);
    }
}
