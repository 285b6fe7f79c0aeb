//! Search for the nearest of some words: the one that was probably meant.

/// Returns the words that are near enough to `typed` to be meant, the nearest first.
pub fn nearest<'w>(typed: &str, words: impl IntoIterator<Item = &'w str>, most: usize) -> Vec<&'w str> {
    let typed = typed.to_lowercase();
    let allowed = (typed.chars().count() / 3).max(1);
    let near = |word: &&str| typed.chars().count().abs_diff(word.chars().count()) <= allowed;
    let mut found: Vec<(usize, &str)> = words
        .into_iter()
        .filter(near)
        .map(|word| (strsim::osa_distance(&typed, &word.to_lowercase()), word))
        .filter(|(distance, _)| *distance <= allowed)
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().take(most).map(|(_, word)| word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_leaves_strangers_alone() {
        let known = ["acme", "acne", "globex", "acmee"];
        assert_eq!(nearest("acmee", known, 3), ["acmee", "acme"]);
        assert_eq!(nearest("ACME", known, 1), ["acme"]);
        // Two swapped letters are one slip.
        assert_eq!(nearest("golbex", known, 1), ["globex"]);
        assert!(nearest("initech", known, 3).is_empty());
    }
}
