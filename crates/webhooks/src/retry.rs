//! Times of tries: back-off with jitter, for up to a day, and what a receiver asks for.

/// Delay after the first failure, in milliseconds.
const FIRST_MS: i64 = 2_000;
/// Longest delay between two tries, in milliseconds: two hours.
const DELAY_MAX_MS: i64 = 2 * 60 * 60 * 1_000;
/// Time after which an event is given up, in milliseconds: a day.
pub const GIVE_UP_MS: i64 = 24 * 60 * 60 * 1_000;
/// Longest time for which a receiver that takes nothing is left alone, in milliseconds. Short, so that one that is back
/// gets what waits.
const PAUSE_MAX_MS: i64 = 60_000;

/// Returns the delay after so many failures: doubled each time, up to two hours, and between 80 % and 120 % of that.
/// `random` is any number.
pub fn delay_ms(failures: u32, random: u64) -> i64 {
    bounded(failures, DELAY_MAX_MS, random)
}

/// Returns the time for which a receiver is left alone that took nothing so many times: doubled each time, up to a minute.
pub fn pause_ms(failures: u32, random: u64) -> i64 {
    bounded(failures, PAUSE_MAX_MS, random)
}

fn bounded(failures: u32, most: i64, random: u64) -> i64 {
    let doublings = failures.saturating_sub(1).min(30);
    let delay = FIRST_MS.saturating_mul(1_i64 << doublings).min(most);
    let fifth = delay / 5;
    let within = i64::try_from(random % u64::try_from(2 * fifth + 1).unwrap_or(1)).unwrap_or(0);
    delay - fifth + within
}

/// Tests whether an event is given up that was taken up at one time and has failed at another, both in milliseconds.
pub const fn is_given_up(taken_up_ms: i64, now_ms: i64) -> bool {
    now_ms.saturating_sub(taken_up_ms) >= GIVE_UP_MS
}

/// Returns the time that `Retry-After` asks for, in milliseconds since the epoch (RFC 9110 section 10.2.3: seconds or a
/// date), but at most a day ahead. `None` if it is neither, or in the past.
pub fn retry_after_ms(value: &str, now_ms: i64) -> Option<i64> {
    let value = value.trim();
    let at_ms = match value.parse::<u32>() {
        Ok(seconds) => now_ms.saturating_add(i64::from(seconds).saturating_mul(1_000)),
        Err(_) => jiff::fmt::rfc2822::parse(value).ok()?.timestamp().as_millisecond(),
    };
    (at_ms > now_ms).then(|| at_ms.min(now_ms.saturating_add(GIVE_UP_MS)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn delays_double_up_to_two_hours() {
        let middle = |failures| delay_ms(failures, u64::try_from(delay_ms(failures, 0)).unwrap() / 4);
        assert_eq!([1, 2, 3, 4].map(middle), [2_000, 4_000, 8_000, 16_000]);
        assert_eq!(middle(100), DELAY_MAX_MS);
        assert!(pause_ms(100, 7) <= PAUSE_MAX_MS + PAUSE_MAX_MS / 5);
    }

    proptest! {
        #[test]
        fn jitter_stays_within_a_fifth(failures in 1_u32..200, random: u64) {
            let exact = FIRST_MS.saturating_mul(1 << (failures - 1).min(30)).min(DELAY_MAX_MS);
            let delay = delay_ms(failures, random);
            prop_assert!(delay >= exact - exact / 5 && delay <= exact + exact / 5);
        }
    }

    #[test]
    fn an_event_is_given_up_after_a_day() {
        assert!(!is_given_up(0, GIVE_UP_MS - 1));
        assert!(is_given_up(0, GIVE_UP_MS));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now_ms = 1_800_000_000_000;
        assert_eq!(retry_after_ms("120", now_ms), Some(now_ms + 120_000));
        assert_eq!(
            retry_after_ms("Fri, 15 Jan 2027 08:01:00 GMT", now_ms),
            Some(now_ms + 60_000)
        );
        for nothing in ["0", "-5", "soon", "", "Fri, 15 Jan 2027 07:00:00 GMT"] {
            assert_eq!(retry_after_ms(nothing, now_ms), None, "{nothing}");
        }
        assert_eq!(retry_after_ms("4000000000", now_ms), Some(now_ms + GIVE_UP_MS));
    }
}
