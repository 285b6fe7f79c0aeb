//! The nearest of some words: what was probably meant.

/// The words that are near enough to `typed` to be meant, the nearest first.
pub(in crate::explain) fn nearest<'w>(
    typed: &str,
    words: impl IntoIterator<Item = &'w str>,
    most: usize,
) -> Vec<&'w str> {
    let typed = typed.to_lowercase();
    let allowed = (typed.chars().count() / 3).max(1);
    let near = |word: &&str| typed.chars().count().abs_diff(word.chars().count()) <= allowed;
    let mut found: Vec<(usize, &str)> = words
        .into_iter()
        .filter(near)
        .map(|word| (distance(&typed, &word.to_lowercase()), word))
        .filter(|(distance, _)| *distance <= allowed)
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().take(most).map(|(_, word)| word).collect()
}

/// Edits between two words: insert, delete, replace (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, from_char) in from.chars().enumerate() {
        let mut above_left = line;
        let mut left = line + 1;
        let mut next = vec![left];
        for (to_char, above) in to.iter().zip(row.iter().skip(1)) {
            let replaced = above_left + usize::from(from_char != *to_char);
            left = replaced.min(above + 1).min(left + 1);
            next.push(left);
            above_left = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        for (from, to, edits) in [
            ("", "", 0),
            ("abc", "", 3),
            ("", "abc", 3),
            ("acmee", "acme", 1),
            ("acme", "acmee", 1),
            ("kitten", "sitting", 3),
            ("abc", "acb", 2),
        ] {
            assert_eq!(distance(from, to), edits, "{from} {to}");
        }
    }

    #[test]
    fn finds_slips_and_leaves_strangers_alone() {
        let known = ["acme", "acne", "globex", "acmee"];
        assert_eq!(nearest("acmee", known, 3), ["acmee", "acme"]);
        assert_eq!(nearest("ACME", known, 1), ["acme"]);
        assert!(nearest("initech", known, 3).is_empty());
    }
}
