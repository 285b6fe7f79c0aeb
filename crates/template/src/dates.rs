//! Instants: zones, ISO 8601 text, and other forms that may be read as a date.

use std::sync::LazyLock;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};
use regex::{Captures, Regex};

use crate::number;
use crate::view::View;

/// A time zone of the tz database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// Coordinated Universal Time.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The zone of that name, such as `Europe/Prague`, in any case.
    pub fn named(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(Self)
    }

    /// Date and time that clocks in the zone show at an instant.
    pub(crate) fn at(&self, ms: i64) -> Option<Zoned> {
        Some(Timestamp::from_millisecond(ms).ok()?.to_zoned(self.0.clone()))
    }

    /// The instant at which clocks in the zone show a time; in a gap, the one as far behind the gap.
    pub(crate) fn instant(&self, shown: DateTime) -> Option<i64> {
        Some(shown.to_zoned(self.0.clone()).ok()?.timestamp().as_millisecond())
    }
}

/// The instant as `YYYY-MM-DDTHH:mm:ss.sssZ`; years outside of 0 to 9999 have a sign and six digits, as in JavaScript.
/// An instant that JavaScript has no date for has no such text.
// SPEC: ECMA-262 21.4.1.32 and 21.4.4.36. Computed here, since the calendar of the zones ends two hours before the year
// 9999 does.
pub(crate) fn iso_text(ms: i64) -> String {
    if ms.unsigned_abs() > 8_640_000_000_000_000 {
        return "Invalid date".to_owned();
    }
    let CivilDate { year, month, day } = CivilDate::of(ms.div_euclid(DAY_MS));
    let of_day = ms.rem_euclid(DAY_MS);
    let [hour, minute, second] = [3_600_000, 60_000, 1_000].map(|unit| of_day / unit);
    let year = match year {
        0..=9999 => format!("{year:04}"),
        _ => format!("{year:+07}"),
    };
    format!(
        "{year}-{month:02}-{day:02}T{hour:02}:{:02}:{:02}.{:03}Z",
        minute % 60,
        second % 60,
        of_day % 1_000
    )
}

/// Date of the Gregorian calendar without end.
struct CivilDate {
    year: i64,
    month: i64,
    day: i64,
}

impl CivilDate {
    /// The date of a number of days since 1970. Years are counted from March, so that the leap day is the last.
    fn of(days: i64) -> Self {
        const DAYS_BEFORE_1970: i64 = 719_468;
        const DAYS_OF_400_YEARS: i64 = 146_097;
        let days = days + DAYS_BEFORE_1970;
        let (era, of_era) = (days.div_euclid(DAYS_OF_400_YEARS), days.rem_euclid(DAYS_OF_400_YEARS));
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / (DAYS_OF_400_YEARS - 1)) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        Self {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month,
            day,
        }
    }
}

const DAY_MS: i64 = 86_400_000;

/// A value as an instant in milliseconds: a date, a number of milliseconds, or text in one of the usual forms.
pub(crate) fn of_view(view: View<'_>, zone: &Zone) -> Option<i64> {
    let ms = match view {
        View::Date(ms) => ms,
        View::Number(number) => number::as_safe_integer(number.trunc())?,
        View::Text(text) => return of_text(text, zone),
        _ => return None,
    };
    Timestamp::from_millisecond(ms).ok().map(Timestamp::as_millisecond)
}

/// Year first with `-` or `/`, month first with `/`, day first with `.`; then perhaps a time, perhaps with AM or PM;
/// then perhaps a zone.
static FORMS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let year_first = r"(?<y1>[0-9]{4})[-/](?<m1>[0-9]{1,2})[-/](?<d1>[0-9]{1,2})";
    let month_first = r"(?<m2>[0-9]{1,2})/(?<d2>[0-9]{1,2})/(?<y2>[0-9]{4})";
    let day_first = r"(?<d3>[0-9]{1,2})\.(?<m3>[0-9]{1,2})\.(?<y3>[0-9]{4})";
    let time = r"(?<h>[0-9]{1,2}):(?<min>[0-9]{2})(?::(?<s>[0-9]{2})(?:[.,](?<f>[0-9]{1,9}))?)?\s*(?<half>[AaPp][Mm])?";
    let zone = r"(?<utc>[Zz]|GMT|UTC)?\s*(?<sign>[+-])(?<oh>[0-9]{2}):?(?<om>[0-9]{2})?|(?<plain>[Zz]|GMT|UTC)";
    Regex::new(&format!(
        r"^\s*(?:{year_first}|{month_first}|{day_first})(?:[Tt\s]\s*{time})?\s*(?:{zone})?\s*$"
    ))
    .ok()
});

fn of_text(text: &str, zone: &Zone) -> Option<i64> {
    // No date is longer; the engine is linear, but there is no need to read a megabyte.
    let captures = FORMS.as_ref()?.captures(text.get(..text.len().min(64))?)?;
    if text.len() > 64 {
        return None;
    }
    let date = |names: [&str; 3]| Some(names.map(|name| digits(&captures, name))).filter(|[year, ..]| year.is_some());
    let [year, month, day] = date(["y1", "m1", "d1"])
        .or_else(|| date(["y2", "m2", "d2"]))
        .or_else(|| date(["y3", "m3", "d3"]))?;
    let hour = match (
        digits(&captures, "h").unwrap_or(0),
        captures.name("half").map(|half| half.as_str()),
    ) {
        (hour, None) => hour,
        (hour @ 1..=12, Some(half)) => hour % 12 + if half.starts_with(['p', 'P']) { 12 } else { 0 },
        _ => return None,
    };
    let second = digits(&captures, "s").unwrap_or(0);
    let nanosecond = captures
        .name("f")
        .and_then(|fraction| format!("{:0<9}", fraction.as_str()).parse().ok());
    let narrow = |number: i64| i8::try_from(number).ok();
    let shown = DateTime::new(
        i16::try_from(year?).ok()?,
        narrow(month?)?,
        narrow(day?)?,
        narrow(hour)?,
        narrow(digits(&captures, "min").unwrap_or(0))?,
        narrow(second)?,
        nanosecond.unwrap_or(0),
    )
    .ok()?;
    if let Some(sign) = captures.name("sign") {
        let seconds = digits(&captures, "oh")? * 3600 + digits(&captures, "om").unwrap_or(0) * 60;
        let seconds = if sign.as_str() == "-" { -seconds } else { seconds };
        let offset = Offset::from_seconds(i32::try_from(seconds).ok()?).ok()?;
        return Some(offset.to_timestamp(shown).ok()?.as_millisecond());
    }
    if captures.name("plain").is_some() {
        return Zone::utc().instant(shown);
    }
    zone.instant(shown)
}

fn digits(captures: &Captures<'_>, name: &str) -> Option<i64> {
    captures.name(name)?.as_str().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_usual_forms_of_dates() {
        let zone = Zone::named("Europe/Prague").unwrap();
        for (text, iso) in [
            ("2016-06-20T17:26:44.356Z", "2016-06-20T17:26:44.356Z"),
            ("2016-06-20 19:26:44 GMT+02:00", "2016-06-20T17:26:44.000Z"),
            ("2016-06-20 19:26+0200", "2016-06-20T17:26:00.000Z"),
            ("2016-06-20 17:26:44", "2016-06-20T15:26:44.000Z"),
            ("2016-06-20", "2016-06-19T22:00:00.000Z"),
            ("2016/06/20 5:26 PM", "2016-06-20T15:26:00.000Z"),
            ("06/20/2016 12:26 am UTC", "2016-06-20T00:26:00.000Z"),
            ("20.6.2016 17:26", "2016-06-20T15:26:00.000Z"),
        ] {
            assert_eq!(of_text(text, &zone).map(iso_text).as_deref(), Some(iso), "{text}");
        }
        for text in [
            "",
            "today",
            "2016-13-01",
            "2016-02-30",
            "2016-06-20 25:00",
            "13:00",
            "2016-06-20 13:00 pm x",
        ] {
            assert_eq!(of_text(text, &zone), None, "{text}");
        }
    }

    #[test]
    fn instants_outside_of_the_calendar_have_a_text_too() {
        for (ms, iso) in [
            (i64::MAX, "Invalid date"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "+010000-01-01T00:00:00.000Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
            (-62_167_219_200_001, "-000001-12-31T23:59:59.999Z"),
            (8_640_000_000_000_000, "+275760-09-13T00:00:00.000Z"),
        ] {
            assert_eq!(iso_text(ms), iso);
        }
    }
}
