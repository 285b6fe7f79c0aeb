//! "did you mean": the nearest of the known words.

/// The known word nearest to `typed`, if one is near enough to be meant.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = typed.to_lowercase().replace('-', "_");
    // One edit for three letters. Five letters may have two: `clame` is `claim`.
    let allowed = ((folded.chars().count() + 1) / 3).max(1);
    known
        .into_iter()
        .map(|word| {
            (
                strsim::osa_distance(&folded, &word.to_lowercase().replace('-', "_")),
                word,
            )
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// The sentence for a report.
pub fn did_you_mean<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(typed, known).map(|word| format!("did you mean `{word}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
