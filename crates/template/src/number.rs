//! Numbers and text, the JavaScript way: `1e21` is `1e+21`, `-0` is `0`, integers have no `.0`.

use std::fmt::Write as _;

/// The largest integer up to which every integer has a double of its own.
pub(crate) const SAFE_INTEGER: i128 = 9_007_199_254_740_991;

/// The text JavaScript's `String(number)` gives.
///
/// ```
/// assert_eq!(narthex_template::number_text(1e21), "1e+21");
/// assert_eq!(narthex_template::number_text(-0.0), "0");
/// assert_eq!(narthex_template::number_text(0.1 + 0.2), "0.30000000000000004");
/// ```
pub fn number_text(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if number == 0.0 {
        return "0".to_owned();
    }
    if let Some(integer) = as_safe_integer(number) {
        return integer.to_string();
    }
    let shortest = shortest(number);
    let (sign, unsigned) = match shortest.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", shortest.as_str()),
    };
    let (mantissa, exponent) = unsigned.split_once('e').unwrap_or((unsigned, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    format!("{sign}{}", layout(&digits, exponent + 1))
}

/// The fewest digits that read back as the same double, in exponent form; of two such texts of one length the one that is
/// nearer, and of two that are as near the even one.
// SPEC: ECMA-262 6.1.6.1.20, step 5 and its second note, which JavaScript engines follow.
fn shortest(number: f64) -> String {
    let text = format!("{number:e}");
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let digits = digits
        - text
            .split('e')
            .nth(1)
            .map_or(0, |exponent| exponent.trim_start_matches('-').len());
    // Up to fifteen digits, each text is a double of its own. From there on Rust takes the larger of two that are as near.
    if digits > 15 {
        let nearest = format!("{number:.*e}", digits - 1);
        if nearest.parse::<f64>() == Ok(number) {
            return nearest;
        }
    }
    text
}

/// Lays out `digits` with the decimal point after the first `point` of them, as ECMA-262 6.1.6.1.20 does.
fn layout(digits: &str, point: i32) -> String {
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let mut text = String::with_capacity(24);
    if count <= point && point <= 21 {
        text.push_str(digits);
        text.extend((count..point).map(|_| '0'));
    } else if 0 < point && point <= 21 {
        let (whole, fraction) = digits
            .split_at_checked(usize::try_from(point).unwrap_or(0))
            .unwrap_or((digits, ""));
        text.push_str(whole);
        text.push('.');
        text.push_str(fraction);
    } else if -6 < point && point <= 0 {
        text.push_str("0.");
        text.extend((point..0).map(|_| '0'));
        text.push_str(digits);
    } else {
        let (first, rest) = digits.split_at_checked(1).unwrap_or((digits, ""));
        text.push_str(first);
        if !rest.is_empty() {
            text.push('.');
            text.push_str(rest);
        }
        let _ = write!(text, "e{:+}", point - 1);
    }
    text
}

/// The number as an integer, if it is one that a double holds exactly.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "bounded by SAFE_INTEGER one line above"
)]
pub(crate) fn as_safe_integer(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= SAFE_INTEGER as f64).then_some(number as i64)
}

/// The double nearest to an integer.
#[expect(
    clippy::cast_precision_loss,
    reason = "the loss is the meaning: JavaScript numbers are doubles"
)]
pub(crate) fn to_double(integer: i128) -> f64 {
    integer as f64
}

/// A length or position as a number.
pub(crate) fn of_length(length: usize) -> f64 {
    to_double(length as i128)
}

/// Result of JavaScript's `Number(text)`, but only for decimal text: blanks around it do not count, empty text is 0,
/// anything else is NaN.
pub(crate) fn of_text(text: &str) -> f64 {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return 0.0;
    }
    match trimmed {
        "Infinity" | "+Infinity" => return f64::INFINITY,
        "-Infinity" => return f64::NEG_INFINITY,
        _ => {}
    }
    // Rust would also take `inf`, `infinity` and `nan`.
    if trimmed
        .bytes()
        .all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
    {
        trimmed.parse().unwrap_or(f64::NAN)
    } else {
        f64::NAN
    }
}

/// The number as people read it, with `decimals` digits: its shortest decimal form, rounded half away from zero, so
/// that 1.005 with two decimals is 1.01.
pub(crate) fn shown(number: f64, decimals: usize) -> String {
    if !number.is_finite() {
        return number_text(number);
    }
    let short = format!("{number}");
    let (whole, fraction) = short.split_once('.').unwrap_or((short.as_str(), ""));
    let Some((kept, rest)) = fraction.split_at_checked(decimals) else {
        let zeros = "0".repeat(decimals - fraction.len());
        return if decimals == 0 {
            short
        } else {
            format!("{whole}.{fraction}{zeros}")
        };
    };
    let negative = whole.starts_with('-');
    let mut digits: Vec<u8> = whole.bytes().filter(u8::is_ascii_digit).chain(kept.bytes()).collect();
    if rest.as_bytes().first().is_some_and(|digit| *digit >= b'5') {
        increment(&mut digits);
    }
    let point = digits.len() - kept.len();
    let mut text = String::with_capacity(digits.len() + 2);
    if negative && digits.iter().any(|digit| *digit != b'0') {
        text.push('-');
    }
    for (at, digit) in digits.iter().enumerate() {
        if at == point {
            text.push('.');
        }
        text.push(char::from(*digit));
    }
    text
}

/// Adds one to a decimal number in digits.
fn increment(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
    digits.insert(0, b'1');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_numbers_as_javascript_does() {
        let cases: [(f64, &str); 26] = [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-1.0, "-1"),
            (42.0, "42"),
            (1.5, "1.5"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (123.456, "123.456"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e21, "1.5e+21"),
            (-1.5e300, "-1.5e+300"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (1.25e-7, "1.25e-7"),
            (9_007_199_254_740_991.0, "9007199254740991"),
            (9_007_199_254_740_992.0, "9007199254740992"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            // As near to ….2 as to ….3.
            (-8_562_559_344_889_265.0 / 4.0, "-2140639836222316.2"),
            (8_562_559_344_889_267.0 / 4.0, "2140639836222316.8"),
            (5.684_341_886_080_802e-14, "5.684341886080802e-14"),
            (9.5e-7, "9.5e-7"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (number, text) in cases {
            assert_eq!(number_text(number), text);
        }
    }

    #[test]
    fn reads_only_decimal_text() {
        for (text, shown) in [
            (" 12.5 ", "12.5"),
            ("", "0"),
            ("1e3", "1000"),
            ("-Infinity", "-Infinity"),
        ] {
            assert_eq!(number_text(of_text(text)), shown);
        }
        for text in ["inf", "nan", "infinity", "12px", "0x10", "1_000", "--1"] {
            assert!(of_text(text).is_nan(), "{text}");
        }
    }

    #[test]
    fn shown_numbers_round_halves_away_from_zero() {
        for (number, decimals, text) in [
            (2.5, 0, "3"),
            (-2.5, 0, "-3"),
            (0.5, 0, "1"),
            (1.005, 2, "1.01"),
            (9.999, 2, "10.00"),
            (-0.001, 2, "0.00"),
            (3.0, 0, "3"),
            (3.0, 2, "3.00"),
            (3.1, 2, "3.10"),
            (1e21, 1, "1000000000000000000000.0"),
        ] {
            assert_eq!(shown(number, decimals), text);
        }
    }
}
