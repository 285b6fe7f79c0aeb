//! `narthex audit verify`: an exported file, examined without the store that it is from.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use anyhow::Context as _;
use narthex_audit::{Report, VerificationKeys, Verifier};
use serde_json::Value;

use crate::args::AuditVerifyArgs;
use crate::commands::input::{file, usage_error};
use crate::commands::terminal::{OutputStyle, Tone};
use crate::commands::{Answer, print};

/// Maximum length of a line, in bytes. An event is far shorter; a file without line ends must not fill the memory.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Examines the file, and prints the answer.
pub(super) fn run(args: &AuditVerifyArgs) -> anyhow::Result<Answer> {
    let keys = args.key.as_deref().map(keys).transpose()?;
    let report = if args.file == Path::new("-") {
        examine(io::stdin().lock(), keys)
    } else {
        let opened = File::open(&args.file)
            .map_err(|error| usage_error(format!("`{}` cannot be read: {error}", args.file.display())))?;
        examine(BufReader::new(opened), keys)
    };
    let report = report.with_context(|| format!("while reading `{}`", args.file.display()))?;
    print(&if args.output.json {
        format!("{}\n", report.to_json())
    } else {
        text_of(&report, OutputStyle::of_stdout())
    })?;
    Ok(if report.is_valid() { Answer::Yes } else { Answer::No })
}

/// Reads the keys that are trusted.
fn keys(path: &Path) -> anyhow::Result<VerificationKeys> {
    let refuse = |why: String| {
        usage_error(format!(
            "the file of `--key`, `{}`, cannot be used: {why}",
            path.display()
        ))
    };
    let bytes = file("--key", path)?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| refuse(format!("it is not JSON: {error}")))?;
    VerificationKeys::parse(&value).map_err(|error| refuse(error.to_string()))
}

fn examine(mut input: impl BufRead, keys: Option<VerificationKeys>) -> io::Result<Report> {
    let mut verifier = Verifier::new(keys);
    let mut line = Vec::new();
    loop {
        line.clear();
        // A longer line comes in pieces, of which the first has no line end and is reported.
        let read = input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(verifier.finish());
        }
        verifier.line(&line);
    }
}

fn text_of(report: &Report, style: OutputStyle) -> String {
    let mut text = String::new();
    if !report.is_valid() {
        let headline = style.paint(Tone::Bad, "✗ this file is not as it was exported");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{headline}");
        for problem in &report.problems {
            let event = problem
                .sequence
                .map(|number| format!(", event {number}"))
                .unwrap_or_default();
            let _ = writeln!(text, "  line {}{event}: {}", problem.line, problem.message);
        }
        if report.more_problems > 0 {
            let _ = writeln!(text, "  and {} more", report.more_problems);
        }
        return text;
    }
    let _ = writeln!(text, "{}", style.paint(Tone::Good, "✓ this file is as it was exported"));
    let range = match (report.first, report.last) {
        (Some(first), Some(last)) => format!(", from number {first} to number {last}"),
        _ => String::new(),
    };
    let _ = writeln!(text, "  events       {}{range}", report.events);
    let _ = writeln!(text, "  checkpoints  {}", report.checkpoints);
    if report.personal_values + report.sealed_only > 0 {
        let left = match report.sealed_only {
            0 => String::new(),
            left => format!("; {left} are not there: they were erased, or left out of the file"),
        };
        let _ = writeln!(text, "  personal     {} values proved{left}", report.personal_values);
    }
    if let Some(cut) = report.cut {
        let _ = writeln!(
            text,
            "  begins       after number {cut}, with a checkpoint there: what was before is not in the file"
        );
    }
    if report.expired > 0 {
        let _ = writeln!(
            text,
            "  deleted      {} because of their age; the chain goes on past them",
            report.expired
        );
    }
    let _ = writeln!(text, "  complete     {}", complete(report));
    let kid = report.kid.as_deref().unwrap_or_default();
    let origin = if report.origin_proved {
        match (report.is_stream, report.unsigned) {
            (false, _) => format!("proved: signed with the key {kid}"),
            (true, 0) => "proved: a checkpoint signs every event".to_owned(),
            (true, left) => format!("proved, except for the last {left} events, which no checkpoint signs yet"),
        }
    } else if report.is_stream {
        "not proved: give the keys of the installation with `--key`, for a file with a checkpoint".to_owned()
    } else {
        format!("not proved: the key {kid} is the file's own; give the keys of the installation with `--key`")
    };
    let _ = writeln!(text, "  origin       {origin}");
    text
}

/// Returns the words about the completeness of a file.
const fn complete(report: &Report) -> &'static str {
    if report.filtered {
        "not proved: the export has a filter, and events were left out; each one that is there is proved"
    } else if report.is_stream {
        "proved up to the last event of the file, which grows: what came later cannot be missed"
    } else {
        "proved: no event between the first and the last is missing"
    }
}

#[cfg(test)]
mod tests {
    use narthex_audit::{CheckpointKey, ExportWriter};

    use super::*;

    #[test]
    fn the_report_says_what_is_proved_and_what_is_not() {
        let key = CheckpointKey::from_seed(&[3; 32]).unwrap();
        let (writer, mut export) = ExportWriter::begin(vec![key.public_jwk()], None);
        export.push_str(&writer.end(&key, 5));
        let report = examine(export.as_bytes(), None).unwrap();
        let text = text_of(&report, OutputStyle::Plain);
        assert!(
            text.starts_with("✓ this file is as it was exported\n  events       0\n"),
            "{text}"
        );
        assert!(
            text.contains("origin       not proved") && text.contains("--key"),
            "{text}"
        );
        assert_eq!(report.to_json()["origin_proved"], false);
        let keys = VerificationKeys::parse(&key.public_jwk()).unwrap();
        let report = examine(export.as_bytes(), Some(keys)).unwrap();
        assert!(text_of(&report, OutputStyle::Plain).contains(&format!("proved: signed with the key {}", key.kid())));
        let report = examine(export.replace(":5,", ":6,").as_bytes(), None).unwrap();
        let text = text_of(&report, OutputStyle::Plain);
        assert_eq!(
            text,
            "✗ this file is not as it was exported\n  line 2: its signature is wrong\n"
        );
    }
}
