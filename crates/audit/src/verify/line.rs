//! Reading of one line, and only of the one text that an export writes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use narthex_directory::{ChainHash, ChainLink};
use serde_json::Value;

use super::Members;
use crate::canonical::{canonical, canonical_object};
use crate::checkpoint::VerificationKeys;
use crate::export::{FORMAT, FORMAT_VERSION, PERSONAL, STREAM};

/// Line of a file.
pub(super) enum Line {
    /// The first.
    Header(HeaderLine),
    /// An event.
    Event(EventLine),
    /// A checkpoint.
    Checkpoint(SignedLine),
    /// Events that were deleted because of their age.
    Expired(ExpiredLine),
    /// The last.
    End(EndLine),
}

/// The first line.
pub(super) struct HeaderLine {
    /// True if the events are those of a filter.
    pub(super) filtered: bool,
    /// True for a file that grows.
    pub(super) is_stream: bool,
    /// The keys that it names.
    pub(super) keys: VerificationKeys,
}

/// The line of an event.
pub(super) struct EventLine {
    /// The event, with seals.
    pub(super) event: Members,
    /// Its hash.
    pub(super) hash: ChainHash,
    /// The hash of the event before it.
    pub(super) previous: ChainHash,
    /// Its number.
    pub(super) sequence: u64,
    /// The personal values beside it.
    pub(super) personal: Option<PersonalValues>,
    /// The line without them, which is what the last line covers; `None` if it has none.
    pub(super) covered: Option<String>,
}

/// The line of events that were deleted because of their age.
pub(super) struct ExpiredLine {
    /// Number of the first.
    pub(super) first: u64,
    /// Number of the last.
    pub(super) last: u64,
    /// Hash of the event before the first.
    pub(super) previous: ChainHash,
    /// Hash of the last.
    pub(super) hash: ChainHash,
}

/// Personal values beside an event.
pub(super) struct PersonalValues {
    /// The key of their seals.
    pub(super) key: Vec<u8>,
    /// The values, by their places.
    pub(super) values: Members,
}

/// A line with a signature.
pub(super) struct SignedLine {
    /// The members that the signature covers.
    pub(super) members: Members,
    /// The key.
    pub(super) kid: String,
    /// The signature.
    pub(super) signature: String,
}

impl SignedLine {
    /// Reads a line's object that has exactly these members besides `kid` and `signature`.
    fn of(mut members: Members, names: &[&str]) -> Option<Self> {
        let Some(Value::String(signature)) = members.remove("signature") else {
            return None;
        };
        let kid = members.get("kid")?.as_str()?.to_owned();
        let is_known = members.len() == names.len() + 1 && names.iter().all(|name| members.contains_key(*name));
        is_known.then_some(Self {
            members,
            kid,
            signature,
        })
    }

    /// The link that a checkpoint signs.
    pub(super) fn link(&self) -> Option<ChainLink> {
        Some(ChainLink {
            sequence: self.members.get("sequence")?.as_u64()?,
            hash: hash(&self.members, "hash")?,
        })
    }
}

/// The last line.
pub(super) struct EndLine {
    /// Number of events.
    pub(super) count: u64,
    /// Number of the first event.
    pub(super) first: Option<u64>,
    /// Number of the last event.
    pub(super) last: Option<u64>,
    /// Hash of every line before.
    pub(super) lines: ChainHash,
    /// The members, and their signature.
    pub(super) signed: SignedLine,
}

/// Reads a line.
///
/// SECURITY: a line that is not byte for byte the text of its value is refused. Two texts of one value, such as a member
/// given twice, could say one thing to this reader and another to the next.
pub(super) fn read(raw: &[u8], is_first: bool) -> Result<Line, &'static str> {
    let text = raw
        .strip_suffix(b"\n")
        .ok_or("it has no line end: the file was cut short")?;
    let value: Value = serde_json::from_slice(text).map_err(|_| "it is not JSON")?;
    if canonical(&value).as_bytes() != text {
        return Err("it is not written as an export writes it: blanks, order or spelling differ");
    }
    let Value::Object(members) = value else {
        return Err("it is not a JSON object");
    };
    let has = |name: &str| members.contains_key(name);
    match (is_first, has("event"), has("checkpoint"), has("end")) {
        (true, ..) => header(&members).map(Line::Header),
        (false, true, ..) => event(members)
            .map(Line::Event)
            .ok_or("it is not the line of an event: that has `event`, `hash`, `previous_hash`, `sequence` and perhaps `personal`"),
        (false, _, true, _) => signed(members, "checkpoint", &["at_ms", "hash", "sequence"])
            .map(Line::Checkpoint)
            .ok_or("it is not the line of a checkpoint"),
        (false, ..) if has("expired") => expired(members)
            .map(Line::Expired)
            .ok_or("it is not the line of deleted events: that has `first`, `last`, `previous_hash` and `hash`"),
        (false, _, _, true) => end(members)
            .map(Line::End)
            .ok_or("it is not the last line of an export"),
        _ => Err("it is none of the lines of an export"),
    }
}

fn header(members: &Members) -> Result<HeaderLine, &'static str> {
    let not_first = "it is not the first line of an export; was the beginning of the file removed?";
    if members.get("format").and_then(Value::as_str) != Some(FORMAT) {
        return Err(not_first);
    }
    if members.get("version").and_then(Value::as_u64) != Some(FORMAT_VERSION) {
        return Err("the file is of another version of the format; use the version of Narthex that wrote it");
    }
    let is_stream = members.get(STREAM) == Some(&Value::Bool(true));
    let most = 4 + usize::from(is_stream);
    let (Some(filter), Some(keys), true) = (members.get("filter"), members.get("keys"), members.len() == most) else {
        return Err(not_first);
    };
    let keys = keys.as_array().ok_or(not_first)?;
    let mut set = Members::new();
    set.insert("keys".to_owned(), Value::Array(keys.clone()));
    Ok(HeaderLine {
        filtered: !filter.is_null(),
        is_stream,
        // A file without a key has no signature that could be right.
        keys: VerificationKeys::parse(&Value::Object(set)).unwrap_or_default(),
    })
}

fn event(mut members: Members) -> Option<EventLine> {
    let personal = match members.remove(PERSONAL) {
        Some(values) => Some(personal(values)?),
        None => None,
    };
    let covered = personal.is_some().then(|| canonical_object(&members) + "\n");
    let (hash, previous) = (hash(&members, "hash")?, hash(&members, "previous_hash")?);
    let sequence = members.get("sequence")?.as_u64()?;
    let Some(Value::Object(event)) = members.remove("event") else {
        return None;
    };
    // The three others are left.
    (members.len() == 3).then_some(EventLine {
        event,
        hash,
        previous,
        sequence,
        personal,
        covered,
    })
}

fn expired(mut members: Members) -> Option<ExpiredLine> {
    let Some(Value::Object(expired)) = members.remove("expired") else {
        return None;
    };
    let line = ExpiredLine {
        first: expired.get("first")?.as_u64()?,
        last: expired.get("last")?.as_u64()?,
        previous: hash(&expired, "previous_hash")?,
        hash: hash(&expired, "hash")?,
    };
    (members.is_empty() && expired.len() == 4 && (1..=line.last).contains(&line.first)).then_some(line)
}

fn personal(value: Value) -> Option<PersonalValues> {
    let Value::Object(mut members) = value else { return None };
    let (Some(Value::Object(values)), Some(Value::String(key)), true) =
        (members.remove("values"), members.remove("key"), members.is_empty())
    else {
        return None;
    };
    let key = URL_SAFE_NO_PAD.decode(key).ok()?;
    (!values.is_empty()).then_some(PersonalValues { key, values })
}

fn signed(mut members: Members, name: &str, names: &[&str]) -> Option<SignedLine> {
    let Some(Value::Object(inner)) = members.remove(name) else {
        return None;
    };
    members.is_empty().then_some(())?;
    SignedLine::of(inner, names)
}

fn end(members: Members) -> Option<EndLine> {
    let names = ["at_ms", "count", "first", "last", "lines_sha256"];
    let signed = signed(members, "end", &names)?;
    Some(EndLine {
        count: signed.members.get("count")?.as_u64()?,
        first: number(&signed.members, "first").ok()?,
        last: number(&signed.members, "last").ok()?,
        lines: hash(&signed.members, "lines_sha256")?,
        signed,
    })
}

/// Reads a number that may be `null`.
fn number(members: &Members, name: &str) -> Result<Option<u64>, NotANumber> {
    match members.get(name) {
        Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or(NotANumber),
        None => Err(NotANumber),
    }
}

/// Error of a member that is neither a number nor `null`.
struct NotANumber;

fn hash(members: &Members, name: &str) -> Option<ChainHash> {
    ChainHash::parse(members.get(name)?.as_str()?)
}
