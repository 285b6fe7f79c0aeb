//! `narthex token decode`: what a token says, which proves nothing.

use std::fmt::Write as _;

use narthex_clock::Clock;
use narthex_token::{Limits, UnverifiedClaims, parse};
use serde_json::{Map, Value, json};

use crate::args::DecodeArgs;
use crate::commands::input::token_or_stdin;
use crate::commands::terminal::{OutputStyle, Tone, escape_lines, moment, relative};
use crate::commands::{Answer, print};

/// Prints it.
pub(super) fn run(args: DecodeArgs) -> anyhow::Result<Answer> {
    let token = token_or_stdin(args.token)?;
    // For showing, a token may be larger than any door takes.
    let limits = Limits {
        token_bytes_max: 1 << 20,
        depth_max: 64,
    };
    let parsed = match parse(&token, &limits) {
        Ok(parsed) => parsed.into_unverified(),
        Err(error) if args.output.json => {
            print(&format!(
                "{}\n",
                json!({ "reason": error.reason(), "message": error.to_string() })
            ))?;
            return Ok(Answer::No);
        }
        Err(error) => anyhow::bail!("{}: {error}", error.reason()),
    };
    print(&if args.output.json {
        json_of(&parsed)
    } else {
        text_of(&parsed, Clock::system().now_ms(), OutputStyle::of_stdout())
    })?;
    Ok(Answer::Yes)
}

fn json_of(token: &UnverifiedClaims) -> String {
    format!(
        "{}\n",
        json!({ "verified": false, "header": token.header(), "claims": token.claims() })
    )
}

fn text_of(token: &UnverifiedClaims, now_ms: i64, style: OutputStyle) -> String {
    let mut text = format!(
        "{}\n",
        style.paint(
            Tone::Odd,
            "NOT VERIFIED: this token may be forged. `narthex token verify` verifies it."
        )
    );
    for (title, members) in [("header", token.header()), ("claims", token.claims())] {
        let body = serde_json::to_string_pretty(members).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n{}\n{}\n",
            style.paint(Tone::Strong, title),
            escape_lines(&body)
        );
    }
    let times = times(token.claims(), now_ms);
    if !times.is_empty() {
        let _ = write!(text, "\n{}\n{times}", style.paint(Tone::Strong, "times"));
    }
    text
}

/// The claims that are times, as people read them.
fn times(claims: &Map<String, Value>, now_ms: i64) -> String {
    let mut text = String::new();
    for (name, meaning) in [
        ("iat", "issued"),
        ("nbf", "valid from"),
        ("exp", "expires"),
        ("auth_time", "signed in"),
    ] {
        let Some(value) = claims.get(name) else { continue };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float beyond i64 saturates, and no calendar has it anyway"
        )]
        let at_ms = value.as_f64().map(|seconds| (seconds * 1000.0).floor() as i64);
        let said = at_ms.map_or_else(
            || "not a number, so a verifier refuses it".to_owned(),
            |at_ms| format!("{} ({})", moment(at_ms), relative(at_ms, now_ms)),
        );
        let _ = writeln!(text, "{name:<9}  {meaning:<10}  {said}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_words_and_wrong_types_are_pointed_out() {
        let claims = json!({ "iat": 1_700_000_000, "exp": "1700003600", "nbf": 1_700_000_000.5 });
        let claims = claims.as_object().unwrap();
        assert_eq!(
            times(claims, 1_700_000_060_000),
            "iat        issued      2023-11-14 22:13:20 UTC (1 min ago)\n\
             nbf        valid from  2023-11-14 22:13:20 UTC (59 s ago)\n\
             exp        expires     not a number, so a verifier refuses it\n"
        );
    }
}
