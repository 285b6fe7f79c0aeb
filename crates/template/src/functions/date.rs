//! Dates and times. Calendar fields are those of the scope's zone.

use jiff::civil::DateTime;
use jiff::{Span, Zoned};

use super::{Action, Args, Function, Group, example, numeric, row};
use crate::dates::{self, Zone};
use crate::error::Fault;
use crate::eval::Run;
use crate::moment::{self, MONTHS, WEEKDAYS};
use crate::number;
use crate::value::Value;
use crate::view::{Val, View};

pub(super) static TABLE: &[Function] = &[
    row(
        Group::Date,
        "formatDate",
        &["date", "format", "[timezone]"],
        "the date as text in a format of moment tokens, in a zone or the default one",
        &[
            example(
                "{{formatDate(now; \"YYYY-MM-DD HH:mm\")}}",
                "{}",
                "\"2023-11-14 22:13\"",
            ),
            example(
                "{{formatDate(now; \"DD.MM.YYYY HH:mm Z\"; \"Europe/Prague\")}}",
                "{}",
                "\"14.11.2023 23:13 +01:00\"",
            ),
        ],
        Action::Eager(format_date),
    ),
    row(
        Group::Date,
        "parseDate",
        &["text", "format", "[timezone]"],
        "the date that a text shows in a format of moment tokens, in a zone or the default one",
        &[
            example(
                "{{parseDate(\"2016-12-28 16:03\"; \"YYYY-MM-DD HH:mm\")}}",
                "{}",
                "\"2016-12-28T16:03:00.000Z\"",
            ),
            example(
                "{{parseDate(\"1482940986\"; \"X\")}}",
                "{}",
                "\"2016-12-28T16:03:06.000Z\"",
            ),
        ],
        Action::Eager(parse_date),
    ),
    row(
        Group::Date,
        "addSeconds",
        ADD_PARAMETERS,
        "the date so many seconds later, earlier if negative",
        &[example(
            "{{addSeconds(now; -20)}}",
            "{}",
            "\"2023-11-14T22:13:00.123Z\"",
        )],
        Action::Eager(|args, run| add_ms(args, run, 1_000.0)),
    ),
    row(
        Group::Date,
        "addMinutes",
        ADD_PARAMETERS,
        "the date so many minutes later, earlier if negative",
        &[example("{{addMinutes(now; 15)}}", "{}", "\"2023-11-14T22:28:20.123Z\"")],
        Action::Eager(|args, run| add_ms(args, run, 60_000.0)),
    ),
    row(
        Group::Date,
        "addHours",
        ADD_PARAMETERS,
        "the date so many hours later, earlier if negative",
        &[example(
            "{{addHours(\"2016-12-08T15:55:57.536Z\"; 2)}}",
            "{}",
            "\"2016-12-08T17:55:57.536Z\"",
        )],
        Action::Eager(|args, run| add_ms(args, run, 3_600_000.0)),
    ),
    row(
        Group::Date,
        "addDays",
        ADD_PARAMETERS,
        "the date so many days later at the same time of day",
        &[example(
            "{{addDays(now; \"-2\")}}",
            "{}",
            "\"2023-11-12T22:13:20.123Z\"",
        )],
        Action::Eager(|args, run| add_span(args, run, |n| Span::new().try_days(n))),
    ),
    row(
        Group::Date,
        "addMonths",
        ADD_PARAMETERS,
        "the date so many months later; in a shorter month, its last day",
        &[example(
            "{{addMonths(\"2023-01-31\"; 1)}}",
            "{}",
            "\"2023-02-28T00:00:00.000Z\"",
        )],
        Action::Eager(|args, run| add_span(args, run, |n| Span::new().try_months(n))),
    ),
    row(
        Group::Date,
        "addYears",
        ADD_PARAMETERS,
        "the date so many years later",
        &[example(
            "{{addYears(\"2024-02-29\"; 1)}}",
            "{}",
            "\"2025-02-28T00:00:00.000Z\"",
        )],
        Action::Eager(|args, run| add_span(args, run, |n| Span::new().try_years(n))),
    ),
    row(
        Group::Date,
        "setSecond",
        &["date", "second"],
        "the date with another second; numbers out of range go on into the neighbouring minutes",
        &[example(
            "{{setSecond(\"2015-10-07T11:36:39.138Z\"; 61)}}",
            "{}",
            "\"2015-10-07T11:37:01.138Z\"",
        )],
        Action::Eager(|args, run| {
            set(args, run, None, |at, n| {
                at.with().second(0).build()?.checked_add(Span::new().try_seconds(n)?)
            })
        }),
    ),
    row(
        Group::Date,
        "setMinute",
        &["date", "minute"],
        "the date with another minute; numbers out of range go on into the neighbouring hours",
        &[example(
            "{{setMinute(\"2015-10-07T11:36:39.138Z\"; 0)}}",
            "{}",
            "\"2015-10-07T11:00:39.138Z\"",
        )],
        Action::Eager(|args, run| {
            set(args, run, None, |at, n| {
                at.with().minute(0).build()?.checked_add(Span::new().try_minutes(n)?)
            })
        }),
    ),
    row(
        Group::Date,
        "setHour",
        &["date", "hour"],
        "the date with another hour; numbers out of range go on into the neighbouring days",
        &[example(
            "{{setHour(\"2015-10-07T11:36:39.138Z\"; 24)}}",
            "{}",
            "\"2015-10-08T00:36:39.138Z\"",
        )],
        Action::Eager(|args, run| {
            set(args, run, None, |at, n| {
                at.with().hour(0).build()?.checked_add(Span::new().try_hours(n)?)
            })
        }),
    ),
    row(
        Group::Date,
        "setDay",
        &["date", "day"],
        "the day of the same week, which begins on Sunday, by number from 1 or English name",
        &[
            example(
                "{{setDay(\"2018-06-27T11:36:39.138Z\"; \"monday\")}}",
                "{}",
                "\"2018-06-25T11:36:39.138Z\"",
            ),
            example(
                "{{setDay(\"2018-06-27T11:36:39.138Z\"; 7)}}",
                "{}",
                "\"2018-06-30T11:36:39.138Z\"",
            ),
        ],
        Action::Eager(|args, run| {
            set(args, run, Some(&WEEKDAYS), |at, n| {
                let today = i64::from(at.weekday().to_sunday_zero_offset()) + 1;
                at.checked_add(Span::new().try_days(n.saturating_sub(today))?)
            })
        }),
    ),
    row(
        Group::Date,
        "setDate",
        &["date", "dayOfMonth"],
        "the date with another day of the month; numbers out of range go on into the neighbouring months",
        &[example(
            "{{setDate(\"2015-08-07T11:36:39.138Z\"; 32)}}",
            "{}",
            "\"2015-09-01T11:36:39.138Z\"",
        )],
        Action::Eager(|args, run| {
            set(args, run, None, |at, n| {
                at.with()
                    .day(1)
                    .build()?
                    .checked_add(Span::new().try_days(n.saturating_sub(1))?)
            })
        }),
    ),
    row(
        Group::Date,
        "setMonth",
        &["date", "month"],
        "the date with another month, by number from 1 or English name; numbers out of range go on into other years",
        &[
            example(
                "{{setMonth(\"2015-08-07T11:36:39.138Z\"; \"january\")}}",
                "{}",
                "\"2015-01-07T11:36:39.138Z\"",
            ),
            example(
                "{{setMonth(\"2015-08-07T11:36:39.138Z\"; 17)}}",
                "{}",
                "\"2016-05-07T11:36:39.138Z\"",
            ),
        ],
        Action::Eager(|args, run| {
            set(args, run, Some(&MONTHS), |at, n| {
                let ahead = n.saturating_sub(i64::from(at.month()));
                at.checked_add(Span::new().try_months(ahead)?)
            })
        }),
    ),
    row(
        Group::Date,
        "setYear",
        &["date", "year"],
        "the date with another year",
        &[example(
            "{{setYear(\"2015-08-07T11:36:39.138Z\"; 2017)}}",
            "{}",
            "\"2017-08-07T11:36:39.138Z\"",
        )],
        Action::Eager(|args, run| {
            set(args, run, None, |at, n| {
                at.checked_add(Span::new().try_years(n.saturating_sub(i64::from(at.year())))?)
            })
        }),
    ),
];

const ADD_PARAMETERS: &[&str] = &["date", "number"];

impl Args<'_> {
    /// The argument as an instant in milliseconds.
    fn date(&self, index: usize, run: &Run<'_>) -> Result<i64, Fault> {
        dates::of_view(self.view(index), run.scope.zone()).ok_or_else(|| match self.view(index) {
            View::Text(_) => self.unreadable(index, "a date"),
            _ => self.wrong(index, "a date"),
        })
    }

    /// The zone that the argument names; one that is not known is ignored.
    fn zone(&self, index: usize, run: &mut Run<'_>) -> Result<Zone, Fault> {
        let named = if self.has(index) {
            Zone::named(&self.text(index, run)?)
        } else {
            None
        };
        Ok(named.unwrap_or_else(|| run.scope.zone().clone()))
    }

    fn out_of_range(&self) -> Fault {
        Fault::DateRange {
            function: self.function(),
        }
    }
}

fn date<'a>(at: Option<i64>, args: &Args<'_>) -> Result<Val<'a>, Fault> {
    at.map(|ms| Val::Own(Value::Date(ms)))
        .ok_or_else(|| args.out_of_range())
}

fn format_date<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let ms = args.date(0, run)?;
    let format = args.text(1, run)?;
    let zone = args.zone(2, run)?;
    // A token of one letter may become a name of nine.
    run.meter.make(format.len().saturating_mul(12))?;
    let at = zone.at(ms).ok_or_else(|| args.out_of_range())?;
    run.made(moment::format::format(&at, &format))
}

fn parse_date<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    if let View::Date(_) = args.view(0) {
        return Ok(args.take(0));
    }
    let (text, format) = (args.text(0, run)?, args.text(1, run)?);
    let zone = args.zone(2, run)?;
    // Every token may search the whole text.
    run.meter.burn(format.len().saturating_mul(text.len()) / 16)?;
    match moment::parse::parse(&text, &format, &zone, run.scope.now_ms()) {
        Some(ms) => Ok(Val::Own(Value::Date(ms))),
        None => Err(args.unreadable(0, "a date in this format")),
    }
}

/// Adds a number of units that are always of the same length.
fn add_ms<'a>(args: &mut Args<'a>, run: &mut Run<'a>, unit_ms: f64) -> Result<Val<'a>, Fault> {
    let ms = args.date(0, run)?;
    let added = number::as_safe_integer((args.number(1)? * unit_ms).trunc());
    let sum = added.and_then(|added| ms.checked_add(added));
    date(sum.filter(|ms| run.scope.zone().at(*ms).is_some()), args)
}

/// Adds a number of units of the calendar.
fn add_span<'a>(
    args: &mut Args<'a>,
    run: &mut Run<'a>,
    span: fn(i64) -> Result<Span, jiff::Error>,
) -> Result<Val<'a>, Fault> {
    let ms = args.date(0, run)?;
    let number = args.whole(1)?;
    let zone = run.scope.zone();
    let sum = zone
        .at(ms)
        .zip(span(number).ok())
        .and_then(|(at, span): (Zoned, Span)| at.checked_add(span).ok());
    date(sum.map(|at| at.timestamp().as_millisecond()), args)
}

/// Sets a field of the calendar to a number, or to the position of one of `names`.
fn set<'a>(
    args: &mut Args<'a>,
    run: &mut Run<'a>,
    names: Option<&[&str]>,
    change: fn(DateTime, i64) -> Result<DateTime, jiff::Error>,
) -> Result<Val<'a>, Fault> {
    let ms = args.date(0, run)?;
    let name = match (names, args.view(1)) {
        (Some(names), View::Text(text)) if numeric(args.view(1)).is_none() => {
            let position = moment::named(names, text.trim()).ok_or_else(|| args.unreadable(1, "an English name"))?;
            i64::try_from(position).ok().map(|position| position + 1)
        }
        _ => None,
    };
    let number = match name {
        Some(number) => number,
        None => args.whole(1)?,
    };
    let zone = run.scope.zone();
    let changed = zone.at(ms).and_then(|at| change(at.datetime(), number).ok());
    date(changed.and_then(|shown| zone.instant(shown)), args)
}
