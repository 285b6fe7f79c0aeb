//! Bytes, encodings and hashes.

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use md5::{Digest as _, Md5};

use super::{Action, Args, Function, Group, example, row};
use crate::error::Fault;
use crate::eval::Run;
use crate::value::Value;
use crate::view::{Val, View};

pub(super) static TABLE: &[Function] = &[
    row(
        Group::Binary,
        "base64",
        &["value"],
        "a text's UTF-8 bytes, or a binary, in base64",
        &[example("{{base64(\"Make\")}}", "{}", "\"TWFrZQ==\"")],
        Action::Eager(|args, run| {
            let encoded = STANDARD.encode(bytes(args, 0, run)?);
            run.made(encoded)
        }),
    ),
    row(
        Group::Binary,
        "toBinary",
        &["value", "[encoding]"],
        "the bytes of a text: its UTF-8 form, or what it says in hex or base64",
        &[
            example("{{toString(toBinary(\"TWFrZQ==\"; \"base64\"))}}", "{}", "\"Make\""),
            example("{{length(toBinary(\"é\"))}}", "{}", "2"),
        ],
        Action::Eager(to_binary),
    ),
    row(
        Group::Binary,
        "md5",
        &["value"],
        "the MD5 hash in hex; not for anything that must be secure",
        &[example(
            "{{md5(\"Make\")}}",
            "{}",
            "\"529a05ca6c1263aab080ec4f20754411\"",
        )],
        Action::Eager(|args, run| {
            let hash = Md5::digest(bytes(args, 0, run)?);
            run.made(hex(&hash))
        }),
    ),
    row(
        Group::Binary,
        "sha1",
        HASH_PARAMETERS,
        "the SHA-1 hash, or with a key the HMAC, in hex, base64 or latin1; not for anything new that must be secure",
        &[example(
            "{{sha1(\"Make\")}}",
            "{}",
            "\"a94431ee22f05f141107f9355ed3127d0f0c4d5a\"",
        )],
        Action::Eager(|args, run| {
            hash(
                args,
                run,
                &digest::SHA1_FOR_LEGACY_USE_ONLY,
                hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            )
        }),
    ),
    row(
        Group::Binary,
        "sha256",
        HASH_PARAMETERS,
        "the SHA-256 hash, or with a key the HMAC, in hex, base64 or latin1; the key's encoding is text, hex, base64 or \
         binary",
        &[example(
            "{{sha256(\"hello\"; \"base64\"; \"secret\")}}",
            "{}",
            "\"iKqz7ejTrflNJquQ07r9SiCDBww7zOnAFO4EpEOEfAs=\"",
        )],
        Action::Eager(|args, run| hash(args, run, &digest::SHA256, hmac::HMAC_SHA256)),
    ),
    row(
        Group::Binary,
        "sha512",
        HASH_PARAMETERS,
        "the SHA-512 hash, or with a key the HMAC, in hex, base64 or latin1; the key's encoding is text, hex, base64 or \
         binary",
        &[example(
            "{{sha512(\"hello\"; \"base64\"; \"736563726574\"; \"hex\")}}",
            "{}",
            "\"2xWVroimL9FR7By6gbmMOd+C2q57TLmCD0RtW/AvHc/KZoPYjKs+Jz9ZY6uOxGmnRrWxkIY3Ejn2fR5fmaeUQA==\"",
        )],
        Action::Eager(|args, run| hash(args, run, &digest::SHA512, hmac::HMAC_SHA512)),
    ),
];

const HASH_PARAMETERS: &[&str] = &["value", "[outputEncoding]", "[key]", "[keyEncoding]"];

/// Base64 with or without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A binary's bytes, or the UTF-8 bytes of the argument's text.
fn bytes(args: &Args<'_>, index: usize, run: &mut Run<'_>) -> Result<Vec<u8>, Fault> {
    let bytes = match args.view(index) {
        View::Binary(bytes) => bytes.to_vec(),
        _ => args.text(index, run)?.into_owned().into_bytes(),
    };
    run.meter.make(bytes.len())?;
    Ok(bytes)
}

fn to_binary<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    if let View::Binary(_) = args.view(0) {
        return Ok(args.take(0));
    }
    let encoding = args.text_or(1, "utf8", run)?;
    let decoded = match &*encoding {
        "utf8" | "utf-8" | "text" => bytes(args, 0, run)?,
        "hex" | "base64" => decode(args, 0, &encoding, run)?,
        _ => return Err(args.unreadable(1, "an encoding: hex, base64 or utf8")),
    };
    run.meter.make(decoded.len())?;
    Ok(Val::Own(Value::Binary(decoded)))
}

/// The bytes that the argument's text says in hex or base64 (also its URL-safe form; white space does not count).
fn decode(args: &Args<'_>, index: usize, encoding: &str, run: &mut Run<'_>) -> Result<Vec<u8>, Fault> {
    let text = args.text(index, run)?;
    run.meter.make(text.len())?;
    let decoded = if encoding == "hex" {
        from_hex(text.trim())
    } else {
        let plain: String = text
            .chars()
            .filter(|c| !c.is_whitespace())
            .map(|c| match c {
                '-' => '+',
                '_' => '/',
                c => c,
            })
            .collect();
        LENIENT.decode(plain).ok()
    };
    decoded.ok_or_else(|| args.unreadable(index, encoding))
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(
        digits
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
            .collect(),
    )
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)])
        .collect()
}

fn hash<'a>(
    args: &mut Args<'a>,
    run: &mut Run<'a>,
    digest: &'static digest::Algorithm,
    hmac: hmac::Algorithm,
) -> Result<Val<'a>, Fault> {
    let message = bytes(args, 0, run)?;
    let result = if args.len() > 2 {
        let key = hmac::Key::new(hmac, &key(args, run)?);
        hmac::sign(&key, &message).as_ref().to_vec()
    } else {
        digest::digest(digest, &message).as_ref().to_vec()
    };
    let text = match &*args.text_or(1, "hex", run)? {
        "hex" => hex(&result),
        "base64" => STANDARD.encode(&result),
        "latin1" => result.iter().copied().map(char::from).collect(),
        _ => return Err(args.unreadable(1, "an encoding: hex, base64 or latin1")),
    };
    run.made(text)
}

/// The key of an HMAC.
// SECURITY: a key that is written but empty is an error. Taking it for "no key" would give every user the same hash
// when a secret is missing.
fn key(args: &Args<'_>, run: &mut Run<'_>) -> Result<Vec<u8>, Fault> {
    let key = match (&*args.text_or(3, "text", run)?, args.view(2)) {
        ("text" | "binary", View::Binary(bytes)) => bytes.to_vec(),
        ("text", _) => bytes(args, 2, run)?,
        ("binary", _) => return Err(args.wrong(2, "binary")),
        (encoding @ ("hex" | "base64"), _) => decode(args, 2, encoding, run)?,
        _ => return Err(args.unreadable(3, "an encoding: text, hex, base64 or binary")),
    };
    if key.is_empty() {
        Err(args.unreadable(2, "a key: it is empty"))
    } else {
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_goes_both_ways() {
        assert_eq!(hex(&[0, 0x0f, 0xff]), "000fff");
        assert_eq!(from_hex("000FfF").unwrap(), [0, 0x0f, 0xff]);
        assert!(from_hex("abc").is_none());
        assert!(from_hex("zz").is_none());
    }
}
