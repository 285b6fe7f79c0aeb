//! The rules of profile values, for the edges where people type them: what a person may write is what a token may say.
//!
//! `Ok(None)` means that nothing is left once blanks around the text are gone.

use narthex_template::Value;

use crate::error::Breach;
use crate::rules;

/// Text: trimmed, at most 256 characters, without control characters.
pub fn text(text: &str) -> Result<Option<String>, Breach> {
    rules::text(Value::from(text))
}

/// A country of ISO 3166-1, two or three letters in any case; alpha-3 in upper case is kept.
pub fn country(text: &str) -> Result<Option<String>, Breach> {
    rules::country(Value::from(text))
}

/// A name of the tz database; its spelling there is kept.
pub fn timezone(text: &str) -> Result<Option<String>, Breach> {
    rules::zone(Value::from(text))
}

/// A language tag of BCP 47; its canonical spelling is kept.
pub fn language(text: &str) -> Result<Option<String>, Breach> {
    rules::language(Value::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_what_tokens_may_say() {
        assert_eq!(text("  Ada ").unwrap().as_deref(), Some("Ada"));
        assert_eq!(text(" ").unwrap(), None);
        assert_eq!(country("cz").unwrap().as_deref(), Some("CZE"));
        assert_eq!(timezone("europe/prague").unwrap().as_deref(), Some("Europe/Prague"));
        assert_eq!(language("cs_cz").unwrap().as_deref(), Some("cs-CZ"));
        assert!(matches!(country("Bohemia"), Err(Breach::Country)));
        assert!(matches!(timezone("Mars/Olympus"), Err(Breach::Zone)));
        assert!(matches!(language("not a language"), Err(Breach::LanguageTag)));
    }
}
