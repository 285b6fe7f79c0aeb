//! Writes dates.

use std::fmt::Write as _;

use jiff::Zoned;

use super::{MONTHS, Piece, WEEKDAYS, pieces};

/// Writes a date in a format.
pub(crate) fn format(at: &Zoned, format: &str) -> String {
    let mut text = String::with_capacity(format.len() + 16);
    for piece in pieces(format) {
        match piece {
            Piece::Literal(literal) => text.push_str(literal),
            Piece::Token(token) => write_token(at, token, &mut text),
        }
    }
    text
}

fn write_token(at: &Zoned, token: &str, text: &mut String) {
    let weekday = usize::try_from(at.weekday().to_sunday_zero_offset()).unwrap_or(0);
    let month_name = usize::try_from(at.month() - 1)
        .ok()
        .and_then(|index| MONTHS.get(index))
        .unwrap_or(&"");
    let day_name = WEEKDAYS.get(weekday).unwrap_or(&"");
    let name = |name: &str, length: usize| name.get(..length).unwrap_or(name).to_owned();
    let hour12 = i64::from((at.hour() + 11) % 12 + 1);
    let hour24 = i64::from((at.hour() + 23) % 24 + 1);
    let quarter = i64::from((at.month() - 1) / 3 + 1);
    let (number, width): (i64, usize) = match token {
        "YYYY" | "Y" => (i64::from(at.year()), 4),
        "YY" => (i64::from(at.year().rem_euclid(100)), 2),
        "GGGG" => (i64::from(at.date().iso_week_date().year()), 4),
        "GG" => (i64::from(at.date().iso_week_date().year().rem_euclid(100)), 2),
        "gggg" => (week(at).0, 4),
        "gg" => (week(at).0.rem_euclid(100), 2),
        "Q" | "Qo" => (quarter, 1),
        "M" | "Mo" => (i64::from(at.month()), 1),
        "MM" => (i64::from(at.month()), 2),
        "D" | "Do" => (i64::from(at.day()), 1),
        "DD" => (i64::from(at.day()), 2),
        "DDD" | "DDDo" => (i64::from(at.day_of_year()), 1),
        "DDDD" => (i64::from(at.day_of_year()), 3),
        "d" | "do" | "e" => (i64::from(at.weekday().to_sunday_zero_offset()), 1),
        "E" => (i64::from(at.weekday().to_monday_one_offset()), 1),
        "w" | "wo" => (week(at).1, 1),
        "ww" => (week(at).1, 2),
        "W" | "Wo" => (i64::from(at.date().iso_week_date().week()), 1),
        "WW" => (i64::from(at.date().iso_week_date().week()), 2),
        "H" => (i64::from(at.hour()), 1),
        "HH" => (i64::from(at.hour()), 2),
        "h" => (hour12, 1),
        "hh" => (hour12, 2),
        "k" => (hour24, 1),
        "kk" => (hour24, 2),
        "m" => (i64::from(at.minute()), 1),
        "mm" => (i64::from(at.minute()), 2),
        "s" => (i64::from(at.second()), 1),
        "ss" => (i64::from(at.second()), 2),
        "X" => (at.timestamp().as_millisecond().div_euclid(1000), 1),
        "x" => (at.timestamp().as_millisecond(), 1),
        "MMM" => return text.push_str(&name(month_name, 3)),
        "MMMM" => return text.push_str(month_name),
        "dd" => return text.push_str(&name(day_name, 2)),
        "ddd" => return text.push_str(&name(day_name, 3)),
        "dddd" => return text.push_str(day_name),
        "A" => return text.push_str(if at.hour() < 12 { "AM" } else { "PM" }),
        "a" => return text.push_str(if at.hour() < 12 { "am" } else { "pm" }),
        "Z" => return write_offset(at, ":", text),
        "ZZ" => return write_offset(at, "", text),
        fraction => return write_fraction(at, fraction.len(), text),
    };
    let sign = if number < 0 { "-" } else { "" };
    let _ = write!(text, "{sign}{:0width$}", number.unsigned_abs());
    if token.len() > 1 && token.ends_with('o') {
        text.push_str(ordinal(number));
    }
}

/// The English ending of an ordinal number.
fn ordinal(number: i64) -> &'static str {
    match (number % 10, number / 10 % 10) {
        (_, 1) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    }
}

/// `+07:00`, with a separator of choice.
fn write_offset(at: &Zoned, separator: &str, text: &mut String) {
    let minutes = at.offset().seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.abs();
    let _ = write!(text, "{sign}{:02}{separator}{:02}", minutes / 60, minutes % 60);
}

/// The first digits of the fraction of the second. A date has milliseconds; the digits behind them are zeros.
fn write_fraction(at: &Zoned, digits: usize, text: &mut String) {
    let fraction = format!("{:03}000000", at.millisecond());
    text.push_str(fraction.get(..digits).unwrap_or(&fraction));
}

/// The American week and its year: weeks begin on Sunday, week 1 is the one with 1 January in it.
fn week(at: &Zoned) -> (i64, i64) {
    let day = i64::from(at.day_of_year());
    let weekday = i64::from(at.weekday().to_sunday_zero_offset());
    // The last day of this week, counted from the beginning of the year.
    let saturday = day + 6 - weekday;
    let days = if at.in_leap_year() { 366 } else { 365 };
    if saturday > days {
        return (i64::from(at.year()) + 1, 1);
    }
    (i64::from(at.year()), (saturday + 6) / 7)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use jiff::tz::TimeZone;

    use super::*;

    fn written(year: i16, month: i8, day: i8, tokens: &str) -> String {
        let at = date(year, month, day)
            .at(0, 5, 9, 120_000_000)
            .to_zoned(TimeZone::get("America/New_York").unwrap());
        format(&at.unwrap(), tokens)
    }

    // Values of moment 2.30 with the locale en.
    #[test]
    fn writes_what_moment_writes() {
        assert_eq!(written(2016, 1, 1, "Do DDDo Qo wo Wo do"), "1st 1st 1st 1st 53rd 5th");
        assert_eq!(written(2016, 1, 1, "gggg ww GGGG WW GG gg"), "2016 01 2015 53 15 16");
        assert_eq!(written(2015, 12, 31, "gggg ww GGGG WW"), "2016 01 2015 53");
        assert_eq!(
            written(2012, 2, 12, "MMM MMMM dd ddd dddd E e d"),
            "Feb February Su Sun Sunday 7 0 0"
        );
        assert_eq!(written(2012, 2, 22, "Do M MM YY Y"), "22nd 2 02 12 2012");
        assert_eq!(
            written(2012, 2, 12, "H HH h hh k kk A a m mm s ss"),
            "0 00 12 12 24 24 AM am 5 05 9 09"
        );
        assert_eq!(
            written(2012, 2, 12, "S SS SSS SSSS SSSSSSSSS Z ZZ"),
            "1 12 120 1200 120000000 -05:00 -0500"
        );
    }

    #[test]
    fn eleventh_to_thirteenth_are_th() {
        assert_eq!(
            [1, 2, 3, 4, 11, 12, 13, 21, 112].map(ordinal),
            ["st", "nd", "rd", "th", "th", "th", "th", "st", "th"]
        );
    }
}
