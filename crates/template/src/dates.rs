//! Instants: zones, ISO 8601 text, and what else may be read as a date.

use jiff::Timestamp;
use jiff::tz::TimeZone;

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

    pub(crate) fn inner(&self) -> &TimeZone {
        &self.0
    }
}

/// The instant as `YYYY-MM-DDTHH:mm:ss.sssZ`.
pub(crate) fn iso_text(ms: i64) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(instant) => {
            let at = instant.to_zoned(TimeZone::UTC).datetime();
            format!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
                at.year(),
                at.month(),
                at.day(),
                at.hour(),
                at.minute(),
                at.second(),
                at.millisecond()
            )
        }
        Err(_) => "Invalid date".to_owned(),
    }
}

/// A value as an instant in milliseconds: a date, a number of milliseconds, or text in one of the usual forms.
pub(crate) fn of_view(view: View<'_>, zone: &Zone) -> Option<i64> {
    let ms = match view {
        View::Date(ms) => ms,
        View::Number(number) => number::as_safe_integer(number.trunc())?,
        View::Text(text) => return of_text(text, zone),
        _ => return None,
    };
    Timestamp::from_millisecond(ms)
        .ok()
        .map(Timestamp::as_millisecond)
}

fn of_text(text: &str, zone: &Zone) -> Option<i64> {
    let _ = zone;
    text.parse::<Timestamp>()
        .ok()
        .map(Timestamp::as_millisecond)
}
