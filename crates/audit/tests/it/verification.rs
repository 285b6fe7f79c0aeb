//! A file that differs from what was exported does not verify.

use narthex_audit::{CheckpointKey, ExportWriter, Report, VerificationKeys, Verifier, link};
use narthex_directory::{Actor, AuditEvent, ChainHash, ChainLink, RecordedEvent, Seals};
use serde_json::{Map, Value, json};

fn key(seed: u8) -> CheckpointKey {
    CheckpointKey::from_seed(&[seed; 32]).unwrap()
}

fn keys(of: &CheckpointKey) -> VerificationKeys {
    VerificationKeys::parse(&json!({ "keys": [of.public_jwk()] })).unwrap()
}

/// Events of which each has other content.
fn events(count: u64, word: &str) -> Vec<RecordedEvent> {
    let event = |sequence: u64| {
        let mut event = AuditEvent::new("user.updated", Actor::System, 1_700_000_000_000);
        let detail =
            json!({ "why": format!("{word} {sequence}"), "share": 0.1, "list": [1, null, true, "é\n\u{202e}"] });
        event.detail.clone_from(detail.as_object().unwrap());
        RecordedEvent {
            sequence,
            event,
            seals: Seals::default(),
        }
    };
    (1..=count).map(event).collect()
}

/// An export of the events from number `from` on, with a checkpoint before the first and after every fourth.
fn export(all: &[RecordedEvent], from: u64, key: &CheckpointKey) -> String {
    let (mut writer, mut file) = ExportWriter::begin(vec![key.public_jwk()], None);
    let mut previous = ChainHash::GENESIS;
    for recorded in all {
        let hash = link(previous, recorded).hash;
        let before = std::mem::replace(&mut previous, hash);
        if recorded.sequence < from {
            if recorded.sequence + 1 == from {
                let sequence = recorded.sequence;
                file.push_str(&writer.checkpoint(&key.checkpoint(ChainLink { sequence, hash }, 8)));
            }
            continue;
        }
        file.push_str(&writer.event((before, hash), recorded, None));
        if recorded.sequence.is_multiple_of(4) {
            let sequence = recorded.sequence;
            file.push_str(&writer.checkpoint(&key.checkpoint(ChainLink { sequence, hash }, 9)));
        }
    }
    file.push_str(&writer.end(key, 10));
    file
}

fn verify(file: &[u8], keys: Option<VerificationKeys>) -> Report {
    let mut verifier = Verifier::new(keys);
    file.split_inclusive(|byte| *byte == b'\n')
        .for_each(|line| verifier.line(line));
    verifier.finish()
}

/// Numbers that look random and are the same each time (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }
}

/// One change of a file: of a byte, of a line, or of its length; or a piece of another file of the same key.
fn changed(file: &str, other: &str, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = file.as_bytes().to_vec();
    let mut lines: Vec<&str> = file.split_inclusive('\n').collect();
    let (one, two) = (dice.below(lines.len()), dice.below(lines.len()));
    let place = dice.below(bytes.len());
    let byte = u8::try_from(dice.below(256)).unwrap();
    match dice.below(9) {
        0 => bytes[place] = byte,
        1 => bytes[place] ^= 1 << dice.below(8),
        2 => {
            bytes.remove(place);
        }
        3 => bytes.insert(place, byte),
        4 => bytes.truncate(place),
        5 => {
            lines.remove(one);
            bytes = lines.concat().into_bytes();
        }
        6 => {
            lines.swap(one, two);
            bytes = lines.concat().into_bytes();
        }
        7 => {
            lines.insert(one, lines[two]);
            bytes = lines.concat().into_bytes();
        }
        _ => {
            let others: Vec<&str> = other.split_inclusive('\n').collect();
            lines.truncate(one);
            lines.extend(others.get(two..).unwrap_or_default());
            bytes = lines.concat().into_bytes();
        }
    }
    bytes
}

#[test]
fn sec_ten_thousand_changes_of_an_export_are_all_found() {
    let key = key(1);
    let (file, other) = (export(&events(9, "one"), 1, &key), export(&events(9, "two"), 1, &key));
    assert!(verify(file.as_bytes(), Some(keys(&key))).is_valid());
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut made = 0;
    while made < 10_000 {
        let bytes = changed(&file, &other, &mut dice);
        if bytes == file.as_bytes() || bytes == other.as_bytes() {
            continue;
        }
        made += 1;
        // Without a key too: then the file proves no origin, and still that it is whole.
        let keys = (made % 2 == 0).then(|| keys(&key));
        let report = verify(&bytes, keys);
        assert!(!report.is_valid(), "{}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn an_export_tells_what_it_proves() {
    let key = key(1);
    let all = events(9, "one");
    let report = verify(export(&all, 3, &key).as_bytes(), Some(keys(&key)));
    assert!(report.is_valid(), "{:?}", report.problems);
    assert_eq!(
        (report.events, report.first, report.last, report.checkpoints),
        (7, Some(3), Some(9), 3)
    );
    assert_eq!((report.cut, report.expired, report.unsigned), (Some(2), 0, 0));
    assert_eq!(
        (report.kid.as_deref(), report.origin_proved, report.filtered),
        (Some(key.kid()), true, false)
    );
    let report = verify(export(&[], 1, &key).as_bytes(), None);
    assert!(report.is_valid() && !report.origin_proved, "{:?}", report.problems);
    assert_eq!((report.events, report.first, report.last), (0, None, None));
}

#[test]
fn a_problem_names_the_line_and_the_event() {
    let key = key(1);
    let file = export(&events(9, "one"), 1, &key).replace("one 6", "two 6");
    let report = verify(file.as_bytes(), Some(keys(&key)));
    let found: Vec<(u64, Option<u64>)> = report
        .problems
        .iter()
        .map(|found| (found.line, found.sequence))
        .collect();
    // The first line, five events, a checkpoint after the fourth: number 6 is in line 8. The last line signs all others.
    assert_eq!(found, [(8, Some(6)), (13, None)]);
    let without: String = export(&events(9, "one"), 1, &key)
        .split_inclusive('\n')
        .filter(|line| !line.contains("one 6"))
        .collect();
    let report = verify(without.as_bytes(), Some(keys(&key)));
    assert!(
        report.problems[0].message.contains("events between are missing"),
        "{:?}",
        report.problems
    );
}

#[test]
fn sec_a_file_that_is_signed_again_proves_no_origin() {
    let forged = export(&events(9, "forged"), 1, &key(2));
    assert!(verify(forged.as_bytes(), None).is_valid());
    let report = verify(forged.as_bytes(), Some(keys(&key(1))));
    assert!(!report.is_valid() && report.checkpoints == 0 && report.kid.is_none());
}

#[test]
fn a_filtered_export_proves_its_lines_and_says_that_others_are_left_out() {
    let key = key(1);
    let filter = Map::from_iter([("action".to_owned(), Value::from("user.updated"))]);
    let (mut writer, mut file) = ExportWriter::begin(vec![key.public_jwk()], Some(filter));
    let mut previous = ChainHash::GENESIS;
    for recorded in events(9, "one") {
        let hash = link(previous, &recorded).hash;
        if recorded.sequence != 4 {
            file.push_str(&writer.event((previous, hash), &recorded, None));
        }
        previous = hash;
    }
    file.push_str(&writer.end(&key, 10));
    let report = verify(file.as_bytes(), Some(keys(&key)));
    assert!(
        report.is_valid() && report.filtered && report.events == 8,
        "{:?}",
        report.problems
    );
}

#[test]
fn a_file_that_is_no_export_is_refused_without_quoting_it() {
    for file in [
        "",
        "\n",
        "secret",
        "{}\n",
        "[]\n",
        "{\"format\":\"narthex-audit\",\"keys\":[],\"version\":2}\n",
    ] {
        let report = verify(file.as_bytes(), None);
        assert!(!report.is_valid(), "{file}");
        assert!(report.problems.iter().all(|found| !found.message.contains("secret")));
    }
}
