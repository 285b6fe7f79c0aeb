//! Reads dates.
//!
//! As lenient as moment: each token takes the next text that fits it, and the text between does not matter. A missing
//! part is taken from the current date if it is larger than the parts given, and is the smallest otherwise.

use jiff::civil::{Date, DateTime, ISOWeekDate, Time, Weekday};
use jiff::tz::Offset;
use jiff::{Span, ToSpan as _};

use super::{MONTHS, Piece, WEEKDAYS, named, pieces};
use crate::dates::Zone;

/// Values that the tokens gave.
#[derive(Debug, Default)]
struct ParsedFields {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    week_year: Option<i64>,
    week: Option<i64>,
    /// 1 is Monday, 7 is Sunday.
    weekday: Option<i64>,
    /// The same, of an ISO week.
    iso_weekday: Option<i64>,
    hour: Option<i64>,
    minute: Option<i64>,
    second: Option<i64>,
    millisecond: Option<i64>,
    afternoon: Option<bool>,
    offset_minutes: Option<i64>,
    instant_ms: Option<i64>,
    any: bool,
}

/// Reads a date in a format; `None` if the text does not show one.
pub(crate) fn parse(text: &str, format: &str, zone: &Zone, now_ms: i64) -> Option<i64> {
    let mut found = ParsedFields::default();
    let mut rest = text;
    for piece in pieces(format) {
        match piece {
            Piece::Literal(literal) => {
                if let Some(at) = rest.find(literal) {
                    rest = rest.get(at + literal.len()..).unwrap_or("");
                }
            }
            Piece::Token(token) => {
                if let Some((start, end)) = locate(token, rest) {
                    found.take(token, rest.get(start..end).unwrap_or(""))?;
                    rest = rest.get(end..).unwrap_or("");
                }
            }
        }
    }
    found.resolve(zone, now_ms)
}

/// Range of the next text that fits a token.
fn locate(token: &str, text: &str) -> Option<(usize, usize)> {
    let digits = |most: usize| {
        let start = text.find(|c: char| c.is_ascii_digit())?;
        let count = text
            .bytes()
            .skip(start)
            .take(most)
            .take_while(u8::is_ascii_digit)
            .count();
        Some((start, start + count))
    };
    let signed = |range: Option<(usize, usize)>| {
        let (start, end) = range?;
        let before = start
            .checked_sub(1)
            .filter(|at| matches!(text.as_bytes().get(*at), Some(b'-' | b'+')));
        Some((before.unwrap_or(start), end))
    };
    match token {
        "YYYY" | "GGGG" | "gggg" => digits(4),
        "Y" => signed(digits(6)),
        "DDD" | "DDDD" | "DDDo" | "S" | "SS" | "SSS" => digits(3),
        "Q" | "Qo" | "d" | "e" | "do" => digits(1),
        "X" => signed(digits(18)).map(|(start, end)| {
            let fraction = text.get(end..).and_then(|rest| rest.strip_prefix('.')).unwrap_or("");
            let count = fraction.bytes().take(3).take_while(u8::is_ascii_digit).count();
            (start, if count > 0 { end + 1 + count } else { end })
        }),
        "x" => signed(digits(18)),
        "MMM" | "MMMM" => word(text, &MONTHS),
        "dd" | "ddd" | "dddd" => word(text, &WEEKDAYS),
        "a" | "A" => half(text),
        "Z" | "ZZ" => offset(text),
        token if token.starts_with('S') => digits(18),
        _ => digits(2),
    }
}

/// The first of the names in the text, whole if it is whole.
fn word(text: &str, names: &[&str]) -> Option<(usize, usize)> {
    text.char_indices().find_map(|(start, _)| {
        let rest = text.get(start..)?;
        let begins = |name: &str| {
            rest.get(..name.len())
                .is_some_and(|word| word.eq_ignore_ascii_case(name))
        };
        let whole = names.iter().copied().find(|name| begins(name));
        let found = whole.or_else(|| names.iter().filter_map(|name| name.get(..3)).find(|name| begins(name)))?;
        Some((start, start + found.len()))
    })
}

/// `a`, `am`, `p.m.` in any case.
fn half(text: &str) -> Option<(usize, usize)> {
    let start = text.find(['a', 'A', 'p', 'P'])?;
    let rest = text.get(start + 1..)?;
    let tail = ["m.", "M.", ".m.", ".M.", "m", "M"]
        .into_iter()
        .find(|tail| rest.starts_with(tail))
        .unwrap_or("");
    Some((start, start + 1 + tail.len()))
}

/// `Z`, `+07:00`, `-0700`.
fn offset(text: &str) -> Option<(usize, usize)> {
    text.char_indices().find_map(|(start, c)| match c {
        'Z' | 'z' => Some((start, start + 1)),
        '+' | '-' => {
            let digit = |at: usize| text.as_bytes().get(start + at).is_some_and(u8::is_ascii_digit);
            let colon = usize::from(text.as_bytes().get(start + 3) == Some(&b':'));
            let fits = digit(1) && digit(2) && digit(3 + colon) && digit(4 + colon);
            fits.then_some((start, start + 5 + colon))
        }
        _ => None,
    })
}

impl ParsedFields {
    /// Notes what a token found; `None` if it cannot be.
    fn take(&mut self, token: &str, text: &str) -> Option<()> {
        self.any = true;
        let number = || text.parse::<i64>().ok();
        let two_digit_year = |year: i64| if year > 68 { year + 1900 } else { year + 2000 };
        match token {
            "YYYY" if text.len() == 2 => self.year = Some(two_digit_year(number()?)),
            "YYYY" | "Y" => self.year = Some(number()?),
            "YY" => self.year = Some(two_digit_year(number()?)),
            "GGGG" => self.week_year = Some(number()?),
            "GG" => self.week_year = Some(two_digit_year(number()?)),
            "Q" | "Qo" => self.month = Some((number()? - 1) * 3 + 1),
            "M" | "MM" | "Mo" => self.month = Some(number()?),
            "MMM" | "MMMM" => self.month = Some(i64::try_from(named(&MONTHS, text)?).ok()? + 1),
            "D" | "DD" | "Do" => self.day = Some(number()?),
            "DDD" | "DDDD" | "DDDo" => self.day_of_year = Some(number()?),
            "dd" | "ddd" | "dddd" => {
                let sunday_first = i64::try_from(named(&WEEKDAYS, text)?).ok()?;
                self.weekday = Some(if sunday_first == 0 { 7 } else { sunday_first });
            }
            "d" | "e" | "do" => self.weekday = Some(if number()? == 0 { 7 } else { number()? }),
            "E" => self.iso_weekday = Some(number()?),
            "W" | "WW" | "Wo" => self.week = Some(number()?),
            "H" | "HH" | "h" | "hh" => self.hour = Some(number()?),
            "k" | "kk" => self.hour = Some(number()? % 24),
            "m" | "mm" => self.minute = Some(number()?),
            "s" | "ss" => self.second = Some(number()?),
            "a" | "A" => self.afternoon = Some(text.starts_with(['p', 'P'])),
            "Z" | "ZZ" => self.offset_minutes = Some(offset_minutes(text)?),
            "X" => {
                let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
                let ms: i64 = format!("{fraction:0<3}").parse().ok()?;
                let ms = if text.starts_with('-') { -ms } else { ms };
                self.instant_ms = Some(seconds.parse::<i64>().ok()?.checked_mul(1000)?.checked_add(ms)?);
            }
            "x" => self.instant_ms = Some(number()?),
            token if token.starts_with('S') => {
                self.millisecond = Some(format!("{text:0<3}").get(..3)?.parse().ok()?);
            }
            // Tokens that moment writes but does not read.
            _ => {}
        }
        Some(())
    }

    fn resolve(self, zone: &Zone, now_ms: i64) -> Option<i64> {
        if !self.any {
            return None;
        }
        if let Some(ms) = self.instant_ms {
            return crate::dates::of_view(crate::view::View::Date(ms), zone);
        }
        let today = zone.at(now_ms)?.date();
        let (time, next_day) = self.time()?;
        let shown = DateTime::from_parts(self.date(today)?, time)
            .checked_add(next_day)
            .ok()?;
        match self.offset_minutes {
            Some(minutes) => {
                let offset = Offset::from_seconds(i32::try_from(minutes * 60).ok()?).ok()?;
                Some(offset.to_timestamp(shown).ok()?.as_millisecond())
            }
            None => zone.instant(shown),
        }
    }

    /// The time of day, and a day to add for 24:00.
    fn time(&self) -> Option<(Time, Span)> {
        let hour = match (self.hour.unwrap_or(0), self.afternoon) {
            (hour, Some(true)) if hour < 12 => hour + 12,
            (12, Some(false)) => 0,
            (hour, _) => hour,
        };
        let rest = [self.minute, self.second, self.millisecond].map(|part| part.unwrap_or(0));
        if hour == 24 && rest == [0; 3] {
            return Some((Time::midnight(), 1.day()));
        }
        let narrow = |number: i64| i8::try_from(number).ok();
        let [minute, second, millisecond] = rest;
        let nanosecond = i32::try_from(millisecond * 1_000_000).ok()?;
        Some((
            Time::new(narrow(hour)?, narrow(minute)?, narrow(second)?, nanosecond).ok()?,
            Span::new(),
        ))
    }

    fn date(&self, today: Date) -> Option<Date> {
        let narrow = |number: i64| i8::try_from(number).ok();
        let year = i16::try_from(self.year.unwrap_or(i64::from(today.year()))).ok()?;
        if let Some(day) = self.day_of_year {
            let last = Date::new(year, 12, 31).ok()?.day_of_year();
            return Date::new(year, 1, 1)
                .ok()?
                .checked_add((day - 1).days())
                .ok()
                .filter(|_| (1..=i64::from(last)).contains(&day));
        }
        let named = |number: Option<i64>| match number {
            Some(number) => narrow(number)
                .and_then(|number| Weekday::from_monday_one_offset(number).ok())
                .map(Some),
            None => Some(None),
        };
        let weekday = named(self.weekday)?;
        if self.month.is_none() && self.day.is_none() {
            if self.week_year.or(self.week).or(self.iso_weekday).is_some() {
                let current = today.iso_week_date();
                let year = i16::try_from(self.week_year.or(self.year).unwrap_or(i64::from(current.year()))).ok()?;
                let week = narrow(self.week.unwrap_or(1))?;
                let day = named(self.iso_weekday)?.unwrap_or(Weekday::Monday);
                return Some(ISOWeekDate::new(year, week, day).ok()?.date());
            }
            if let Some(weekday) = weekday {
                let ahead = weekday.to_sunday_zero_offset() - today.weekday().to_sunday_zero_offset();
                return today.checked_add(i64::from(ahead).days()).ok();
            }
        }
        // Parts larger than the largest given are today's, smaller ones the first.
        let month = match (self.month, self.year) {
            (Some(month), _) => narrow(month)?,
            (None, Some(_)) => 1,
            (None, None) => today.month(),
        };
        let day = match (self.day, self.month, self.year) {
            (Some(day), ..) => narrow(day)?,
            (None, None, None) => today.day(),
            (None, ..) => 1,
        };
        let date = Date::new(year, month, day).ok()?;
        // A weekday beside a date must be the date's.
        weekday.is_none_or(|weekday| date.weekday() == weekday).then_some(date)
    }
}

fn offset_minutes(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let (hours, minutes) = digits.split_at_checked(2)?;
    let total = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
    Some(if text.starts_with('-') { -total } else { total })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dates::iso_text;

    fn read(text: &str, format: &str) -> Option<String> {
        // Tuesday, 2023-11-14T22:13:20.123Z
        parse(text, format, &Zone::utc(), 1_700_000_000_123).map(iso_text)
    }

    #[test]
    fn reads_what_moment_reads() {
        for (text, format, iso) in [
            ("2016-12-28 16:03", "YYYY-MM-DD HH:mm", "2016-12-28T16:03:00.000Z"),
            ("2016-12-28 04:03 pm", "YYYY-MM-DD hh:mm a", "2016-12-28T16:03:00.000Z"),
            ("12 AM 1.2.16", "h A D.M.YY", "2016-02-01T00:00:00.000Z"),
            ("28th December 2016", "Do MMMM YYYY", "2016-12-28T00:00:00.000Z"),
            ("28 dec 69", "DD MMM YY", "1969-12-28T00:00:00.000Z"),
            ("2016-366", "YYYY-DDDD", "2016-12-31T00:00:00.000Z"),
            ("2016-W52-3", "GGGG-[W]WW-E", "2016-12-28T00:00:00.000Z"),
            ("2016 4", "YYYY Q", "2016-10-01T00:00:00.000Z"),
            ("16:03:04.5", "HH:mm:ss.S", "2023-11-14T16:03:04.500Z"),
            ("28", "DD", "2023-11-28T00:00:00.000Z"),
            ("05-28", "MM-DD", "2023-05-28T00:00:00.000Z"),
            ("2016", "YYYY", "2016-01-01T00:00:00.000Z"),
            ("Friday", "dddd", "2023-11-17T00:00:00.000Z"),
            ("Wed 2016-12-28", "ddd YYYY-MM-DD", "2016-12-28T00:00:00.000Z"),
            (
                "2016-12-28T16:03:06+0130",
                "YYYY-MM-DDTHH:mm:ssZ",
                "2016-12-28T14:33:06.000Z",
            ),
            ("2016-12-28 24:00", "YYYY-MM-DD HH:mm", "2016-12-29T00:00:00.000Z"),
            ("1482940986.5", "X", "2016-12-28T16:03:06.500Z"),
            ("-1.5", "X", "1969-12-31T23:59:58.500Z"),
            ("1482940986123", "x", "2016-12-28T16:03:06.123Z"),
        ] {
            assert_eq!(read(text, format).as_deref(), Some(iso), "{text} {format}");
        }
    }

    #[test]
    fn refuses_what_is_no_date() {
        for (text, format) in [
            ("", "YYYY"),
            ("never", "YYYY-MM-DD"),
            ("2016-13-01", "YYYY-MM-DD"),
            ("2015-02-29", "YYYY-MM-DD"),
            ("2015-366", "YYYY-DDD"),
            ("Mon 2016-12-28", "ddd YYYY-MM-DD"),
            ("25:00", "HH:mm"),
            ("999999999999999999", "x"),
        ] {
            assert_eq!(read(text, format), None, "{text} {format}");
        }
    }
}
