//! Freshness of an answer (RFC 9111), as far as a private cache of one small document cares.

use super::CacheSettings;

/// `max-age` less `Age`, clamped; the default if the answer does not say. `no-store` and `no-cache` give the least.
pub(super) fn lifetime_ms(cache_control: Option<&str>, age: Option<&str>, settings: &CacheSettings) -> i64 {
    let clamp = |ms: i64| {
        ms.clamp(
            settings.lifetime_ms_min,
            settings.lifetime_ms_max.max(settings.lifetime_ms_min),
        )
    };
    let mut max_age_seconds = None;
    for directive in cache_control.unwrap_or_default().split(',') {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let name = name.trim();
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return clamp(0);
        }
        if name.eq_ignore_ascii_case("max-age") && max_age_seconds.is_none() {
            // Nonsense is stale at once (RFC 9111 4.2.1), and stale at once means the least lifetime.
            max_age_seconds = Some(seconds(value.trim().trim_matches('"')).unwrap_or(0));
        }
    }
    match max_age_seconds {
        None => clamp(settings.lifetime_ms_default),
        Some(max_age) => {
            let age = age.and_then(|age| seconds(age.trim())).unwrap_or(0);
            clamp(max_age.saturating_sub(age).saturating_mul(1000))
        }
    }
}

/// Digits only. More seconds than fit are very many seconds.
fn seconds(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_cache_control_between_thirty_seconds_and_a_day() {
        let table: [(Option<&str>, Option<&str>, i64); 14] = [
            (None, None, 600),
            (Some(""), None, 600),
            (Some("public"), None, 600),
            (Some("max-age=3600"), None, 3600),
            (Some("public, MAX-AGE = \"3600\" , must-revalidate"), None, 3600),
            (Some("max-age=3600"), Some("600"), 3000),
            (Some("max-age=3600"), Some("9999999"), 30),
            (Some("max-age=1"), None, 30),
            (Some("max-age=0"), None, 30),
            (Some("no-store, max-age=3600"), None, 30),
            (Some("no-cache"), None, 30),
            (Some("max-age=99999999999999999999999"), None, 86_400),
            (Some("max-age=-5"), None, 30),
            (Some("s-maxage=90"), None, 600),
        ];
        for (cache_control, age, expected_seconds) in table {
            let lifetime = lifetime_ms(cache_control, age, &CacheSettings::default());
            assert_eq!(lifetime, expected_seconds * 1000, "{cache_control:?} {age:?}");
        }
    }
}
