//! The time that a check may take.

use std::time::Duration;

use http::HeaderMap;

use crate::server::Mode;

/// Upper limit of the time for one check, also for a call without a deadline.
const CHECK_MAX: Duration = Duration::from_secs(10);

/// Share, least and most of a call's time that is kept for the way back.
const MARGIN_SHARE: u32 = 2;
const MARGIN_LEAST: Duration = Duration::from_millis(5);
const MARGIN_MOST: Duration = Duration::from_millis(200);

/// Returns the time for a check, from the arrival of the call: its deadline (`grpc-timeout`, or in the HTTP mode
/// `x-envoy-expected-rq-timeout-ms`) less the time for the way back, and at most ten seconds.
///
/// SECURITY: in the HTTP mode, a `grpc-timeout` is one of the client, which would choose the time that a check may take. An answer after the deadline is an error for Envoy, and not a denial. A deadline that cannot be read leaves no time.
pub(crate) fn allowance(headers: &HeaderMap, mode: Mode) -> Duration {
    let (name, parse): (&str, fn(&str) -> Option<Duration>) = match mode {
        Mode::Grpc => ("grpc-timeout", grpc_timeout),
        Mode::Http => ("x-envoy-expected-rq-timeout-ms", milliseconds),
    };
    let Some(value) = headers.get(name) else {
        return CHECK_MAX;
    };
    let given = value.to_str().ok().and_then(parse).unwrap_or_default();
    let margin = (given / MARGIN_SHARE).clamp(MARGIN_LEAST, MARGIN_MOST);
    given.saturating_sub(margin).min(CHECK_MAX)
}

/// Parses a timeout of gRPC: at most eight digits and a unit (gRPC over HTTP/2, "Requests", `Timeout`).
fn grpc_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3_600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// Parses a number of milliseconds: at most eight digits.
fn milliseconds(text: &str) -> Option<Duration> {
    let is_count = (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_count.then(|| text.parse().ok().map(Duration::from_millis)).flatten()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn named(name: &'static str, value: &'static str, mode: Mode) -> Duration {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        allowance(&headers, mode)
    }

    fn of(value: &'static str) -> Duration {
        named("grpc-timeout", value, Mode::Grpc)
    }

    fn by_http(value: &'static str) -> Duration {
        named("x-envoy-expected-rq-timeout-ms", value, Mode::Http)
    }

    #[test]
    fn a_check_ends_before_the_deadline_of_its_call() {
        assert_eq!(allowance(&HeaderMap::new(), Mode::Grpc), Duration::from_secs(10));
        assert_eq!(of("100m"), Duration::from_millis(50));
        assert_eq!(of("200000u"), Duration::from_millis(100));
        assert_eq!(of("3S"), Duration::from_millis(2_800));
        assert_eq!(of("1M"), Duration::from_secs(10));
        assert_eq!(of("99999999H"), Duration::from_secs(10));
        assert_eq!(of("1000000n"), Duration::ZERO);
        assert_eq!(by_http("1000"), Duration::from_millis(800));
    }

    #[test]
    fn sec_a_client_chooses_no_deadline() {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", HeaderValue::from_static("99999999H"));
        headers.insert("x-envoy-expected-rq-timeout-ms", HeaderValue::from_static("1000"));
        assert_eq!(allowance(&headers, Mode::Http), by_http("1000"));
    }

    #[test]
    fn sec_a_deadline_that_cannot_be_read_leaves_no_time() {
        for value in ["", "m", "-1S", "1.5S", "100000000S", "5s", "S5", "1 S"] {
            assert_eq!(of(value), Duration::ZERO, "{value}");
            assert_eq!(by_http(value), of("0n"), "{value}");
        }
    }
}
