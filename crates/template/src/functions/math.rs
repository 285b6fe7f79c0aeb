//! Numbers.

use super::{Action, Args, Function, Group, example, numeric, row};
use crate::error::Fault;
use crate::eval::Run;
use crate::number;
use crate::view::{Items, Val, View};

pub(super) static TABLE: &[Function] = &[
    row(
        Group::Math,
        "abs",
        &["number"],
        "the number without its sign",
        &[example("{{abs(-5)}}", "{}", "5")],
        Action::Eager(|args, _| Ok(Val::from(args.number(0)?.abs()))),
    ),
    row(
        Group::Math,
        "ceil",
        &["number"],
        "the smallest whole number that is not less",
        &[example("{{ceil(1.2)}}", "{}", "2")],
        Action::Eager(|args, _| Ok(Val::from(args.number(0)?.ceil()))),
    ),
    row(
        Group::Math,
        "floor",
        &["number"],
        "the largest whole number that is not greater",
        &[example("{{floor(1.8)}}", "{}", "1")],
        Action::Eager(|args, _| Ok(Val::from(args.number(0)?.floor()))),
    ),
    row(
        Group::Math,
        "round",
        &["number"],
        "the nearest whole number; a half goes up",
        &[
            example("{{round(1.5)}}", "{}", "2"),
            example("{{round(-1.5)}}", "{}", "-1"),
        ],
        Action::Eager(|args, _| {
            let number = args.number(0)?;
            let floor = number.floor();
            Ok(Val::from(if number - floor >= 0.5 { floor + 1.0 } else { floor }))
        }),
    ),
    row(
        Group::Math,
        "trunc",
        &["number", "[decimals]"],
        "the number without its fraction, or with only so many decimals of it",
        &[
            example("{{trunc(3.789)}}", "{}", "3"),
            example("{{trunc(3.789; 2)}}", "{}", "3.78"),
        ],
        Action::Eager(trunc),
    ),
    row(
        Group::Math,
        "min",
        &["value…"],
        "the smallest of numbers, or of the numbers of a list; undefined if there are none",
        &[
            example("{{min(3; 1; 2)}}", "{}", "1"),
            example("{{min(l)}}", r#"{"l":[]}"#, "undefined"),
        ],
        Action::Eager(|args, run| aggregate(args, run, |numbers| numbers.iter().copied().reduce(f64::min))),
    ),
    row(
        Group::Math,
        "max",
        &["value…"],
        "the largest of numbers, or of the numbers of a list; undefined if there are none",
        &[example("{{max(l)}}", r#"{"l":[1,3,2]}"#, "3")],
        Action::Eager(|args, run| aggregate(args, run, |numbers| numbers.iter().copied().reduce(f64::max))),
    ),
    row(
        Group::Math,
        "sum",
        &["value…"],
        "the sum of numbers, or of the numbers of a list",
        &[example("{{sum(list)}}", r#"{"list":[1,2,3]}"#, "6")],
        Action::Eager(|args, run| aggregate(args, run, |numbers| Some(numbers.iter().sum()))),
    ),
    row(
        Group::Math,
        "average",
        &["value…"],
        "the average of numbers, or of the numbers of a list; undefined if there are none",
        &[example("{{average(1; 6000)}}", "{}", "3000.5")],
        Action::Eager(|args, run| aggregate(args, run, mean)),
    ),
    row(
        Group::Math,
        "median",
        &["value…"],
        "the middle one of numbers, or the average of the two in the middle",
        &[
            example("{{median(3; 5; 7)}}", "{}", "5"),
            example("{{median(2; 3; 5; 8)}}", "{}", "4"),
        ],
        Action::Eager(|args, run| aggregate(args, run, median)),
    ),
    row(
        Group::Math,
        "stdevP",
        &["value…"],
        "the standard deviation of numbers that are the whole population",
        &[example("{{stdevP(1; 2; 3; 4; 5)}}", "{}", "1.4142135623730951")],
        Action::Eager(|args, run| aggregate(args, run, |numbers| deviation(numbers, 0))),
    ),
    row(
        Group::Math,
        "stdevS",
        &["value…"],
        "the standard deviation of numbers that are a sample",
        &[example("{{stdevS(2; 4; 4; 4; 5; 5; 7; 9)}}", "{}", "2.138089935299395")],
        Action::Eager(|args, run| aggregate(args, run, |numbers| deviation(numbers, 1))),
    ),
    row(
        Group::Math,
        "parseNumber",
        &["text", "[decimalSeparator]"],
        "the number that a text shows; the decimal separator is a point if none is given, thousands separators do not \
         count",
        &[
            example("{{parseNumber(\"1.756,456\"; \",\")}}", "{}", "1756.456"),
            example("{{parseNumber(\"-1,756.5\")}}", "{}", "-1756.5"),
        ],
        Action::Eager(parse_number),
    ),
    row(
        Group::Math,
        "formatNumber",
        &["number", "decimals", "[decimalSeparator]", "[thousandsSeparator]"],
        "the number as text with so many decimals; the separators are `,` and `.` if none are given",
        &[
            example(
                "{{formatNumber(123456789; 3; \",\"; \".\")}}",
                "{}",
                "\"123.456.789,000\"",
            ),
            example("{{formatNumber(-1234.565; 2; \".\"; \"\")}}", "{}", "\"-1234.57\""),
        ],
        Action::Eager(format_number),
    ),
];

/// Cuts the decimals off the number's shortest decimal form: 4.35 with two decimals is 4.35, though the double is less.
fn trunc<'a>(args: &mut Args<'a>, _run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let number = args.number(0)?;
    let decimals = args.whole_or(1, 0)?;
    if decimals <= 0 {
        let scale = 10_f64.powi(i32::try_from(-decimals).unwrap_or(i32::MAX));
        return Ok(Val::from(
            (number / scale).trunc() * if scale.is_finite() { scale } else { 0.0 },
        ));
    }
    let text = format!("{number}");
    let kept = match text.split_once('.') {
        Some((whole, fraction)) => {
            let decimals = usize::try_from(decimals).unwrap_or(usize::MAX).min(fraction.len());
            format!("{whole}.{}", fraction.get(..decimals).unwrap_or(fraction))
        }
        None => text,
    };
    Ok(Val::from(kept.parse().unwrap_or(number)))
}

/// Gathers the numbers of all arguments, lists opened; missing ones do not count.
fn aggregate<'a>(
    args: &mut Args<'a>,
    run: &mut Run<'a>,
    reduce: impl FnOnce(&mut [f64]) -> Option<f64>,
) -> Result<Val<'a>, Fault> {
    let mut numbers = Vec::new();
    for (at, argument) in args.from(0).enumerate() {
        for item in Items::of(argument).iter() {
            run.meter.burn(1)?;
            run.meter.make(size_of::<f64>())?;
            match item.view() {
                View::Undefined | View::Null | View::Text("") => {}
                view => numbers.push(numeric(view).ok_or_else(|| args.wrong(at, "numbers"))?),
            }
        }
    }
    Ok(reduce(&mut numbers).map_or(Val::UNDEFINED, Val::from))
}

fn mean(numbers: &mut [f64]) -> Option<f64> {
    (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / number::of_length(numbers.len()))
}

fn median(numbers: &mut [f64]) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let upper = *numbers.get(numbers.len() / 2)?;
    if numbers.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *numbers.get(numbers.len() / 2 - 1)?;
    Some(f64::midpoint(lower, upper))
}

/// The square root of the squared differences from the mean, divided by the count less `less`.
fn deviation(numbers: &mut [f64], less: usize) -> Option<f64> {
    let count = numbers.len().checked_sub(less).filter(|count| *count > 0)?;
    let mean = mean(numbers)?;
    let squares: f64 = numbers.iter().map(|number| (number - mean) * (number - mean)).sum();
    Some((squares / number::of_length(count)).sqrt())
}

fn parse_number<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    if let View::Number(_) | View::BigInteger(_) = args.view(0) {
        return Ok(args.take(0));
    }
    let (text, separator) = (args.text(0, run)?, args.text_or(1, ".", run)?);
    let mut plain = String::with_capacity(text.len());
    for c in text.trim().chars() {
        if separator.starts_with(c) {
            plain.push('.');
        } else if !matches!(c, '.' | ',' | '\'' | '\u{2019}' | '_') && !c.is_whitespace() {
            plain.push(c);
        }
    }
    let number = number::of_text(&plain);
    if plain.is_empty() || number.is_nan() {
        return Err(args.unreadable(0, "a number"));
    }
    Ok(Val::from(number))
}

fn format_number<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let number = args.number(0)?;
    let decimals = usize::try_from(args.whole(1)?).ok().filter(|decimals| *decimals <= 100);
    let decimals = decimals.ok_or_else(|| args.wrong(1, "a number from 0 to 100"))?;
    let (point, thousands) = (args.text_or(2, ",", run)?, args.text_or(3, ".", run)?);
    let rounded = number::shown(number, decimals);
    let (sign, unsigned) = rounded
        .strip_prefix('-')
        .map_or(("", rounded.as_str()), |rest| ("-", rest));
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut text = sign.to_owned();
    run.meter.make(whole.len().saturating_mul(thousands.len()))?;
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            text.push_str(&thousands);
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push_str(&point);
        text.push_str(fraction);
    }
    run.made(text)
}
