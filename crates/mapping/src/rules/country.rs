//! Countries of ISO 3166-1.

/// Kosovo's codes, which the standard leaves to users and everybody uses.
const KOSOVO: [&str; 2] = ["XK", "XKX"];

/// The alpha-3 code, in upper case, of an alpha-2 or alpha-3 code in any case.
pub(super) fn alpha_3(text: &str) -> Option<&'static str> {
    if !text.is_ascii() {
        return None;
    }
    let upper = text.to_ascii_uppercase();
    let [_, kosovo] = KOSOVO;
    if KOSOVO.contains(&upper.as_str()) {
        return Some(kosovo);
    }
    let found = match upper.len() {
        2 => rust_iso3166::from_alpha2(&upper),
        3 => rust_iso3166::from_alpha3(&upper),
        _ => None,
    };
    found.map(|country| country.alpha3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_either_code_in_any_case() {
        for (given, kept) in [
            ("CZ", "CZE"),
            ("cz", "CZE"),
            ("CZE", "CZE"),
            ("cze", "CZE"),
            ("Gb", "GBR"),
            ("US", "USA"),
            ("de", "DEU"),
            ("AX", "ALA"),
            ("SSD", "SSD"),
            ("bq", "BES"),
            ("XK", "XKX"),
            ("xk", "XKX"),
            ("Xkx", "XKX"),
        ] {
            assert_eq!(alpha_3(given), Some(kept), "{given}");
        }
        // `UK` and `EU` are reserved, not assigned; `XA` is for private use as `XK` is, and unused; `203` is the
        // numeric code of Czechia.
        for not in [
            "",
            "C",
            "UK",
            "EU",
            "XA",
            "XKK",
            "203",
            "Czechia",
            "CZ-20",
            "ČZ",
            "c\u{17f}e",
            "ANT",
            "SUN",
        ] {
            assert_eq!(alpha_3(not), None, "{not}");
        }
    }
}
