//! The path of a request, refused where two programs could read it differently.

use thiserror::Error;

/// A request path that reads the same to every program: what is matched is byte for byte what is forwarded.
///
/// SECURITY: most bypasses of gateways come from a path that the gateway reads in one way and the application in
/// another (`/public/../admin`, `/a%2fb`, `/a;x`). Such a path is refused, never rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestPath<'p> {
    text: &'p str,
    has_encoded_slash: bool,
}

/// Treatment of an encoded slash (`%2F`) in a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EncodedSlash {
    /// It is refused: an application may take it for a boundary of segments.
    #[default]
    Refuse,
    /// It is a character inside its segment.
    Allow,
}

/// Reason for refusing a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PathProblem {
    /// It does not begin with a slash.
    #[error("the path does not begin with `/`")]
    NotAbsolute,
    /// It is longer than [`RequestPath::LENGTH_MAX`] bytes.
    #[error("the path is longer than 8192 bytes")]
    TooLong,
    /// It has a segment `.` or `..`.
    #[error("the path has a dot segment")]
    DotSegment,
    /// It has `//`.
    #[error("the path has an empty segment (`//`)")]
    EmptySegment,
    /// It has a `;`, which some servers take for the start of parameters.
    #[error("the path has a `;`")]
    Semicolon,
    /// It has a backslash, which some servers take for a slash.
    #[error("the path has a backslash")]
    Backslash,
    /// It has a `#` or a `?` that is not encoded.
    #[error("the path has a fragment or query mark inside")]
    Delimiter,
    /// It has an encoded slash, backslash or dot, which would move a boundary when it is decoded once, or again (`%252e`).
    #[error("the path has an encoded slash, backslash or dot")]
    EncodedDelimiter,
    /// It is percent-encoded more often than [`RequestPath::ENCODINGS_MAX`] times (`%252525…`).
    #[error("the path is percent-encoded more than 4 times")]
    EncodedTooOften,
    /// It has a control character, raw or encoded.
    #[error("the path has a control character")]
    Control,
    /// A `%` is not followed by two hexadecimal digits.
    #[error("the path has a broken percent-encoding")]
    BrokenEncoding,
    /// It has a byte beyond ASCII that is not percent-encoded (RFC 3986 section 2).
    #[error("the path has a character beyond ASCII that is not percent-encoded")]
    NotAscii,
    /// It is not UTF-8 after decoding.
    #[error("the path is not UTF-8")]
    NotUtf8,
}

impl<'p> RequestPath<'p> {
    /// The longest path that is looked at, in bytes.
    pub const LENGTH_MAX: usize = 8192;

    /// Limit of nested percent-encodings. Each is a pass over the path when it is checked and matched.
    pub const ENCODINGS_MAX: usize = 4;

    /// Takes the raw path of a request, without its query, for routes that refuse an encoded slash.
    ///
    /// # Errors
    ///
    /// A [`PathProblem`] for anything that two programs could read differently; the answer is then 400.
    pub fn parse(raw: &'p [u8]) -> Result<Self, PathProblem> {
        Self::parse_with(raw, EncodedSlash::Refuse)
    }

    /// The same, where some route may allow an encoded slash. It is refused all the same if it is encoded twice, or if a dot
    /// segment is beside it.
    ///
    /// # Errors
    ///
    /// As [`RequestPath::parse`].
    pub fn parse_with(raw: &'p [u8], slashes: EncodedSlash) -> Result<Self, PathProblem> {
        if raw.len() > Self::LENGTH_MAX {
            return Err(PathProblem::TooLong);
        }
        let text = std::str::from_utf8(raw)
            .ok()
            .filter(|text| text.is_ascii())
            .ok_or(PathProblem::NotAscii)?;
        let Some(rest) = text.strip_prefix('/') else {
            return Err(PathProblem::NotAbsolute);
        };
        let has_encoded_slash = refuse_characters(raw, slashes)?;
        let mut segments = rest.split('/').peekable();
        while let Some(segment) = segments.next() {
            if segment.is_empty() && segments.peek().is_some() {
                return Err(PathProblem::EmptySegment);
            }
            if segment == "." || segment == ".." {
                return Err(PathProblem::DotSegment);
            }
            // SECURITY: to an application that takes it for a boundary, `a%2F..%2Fb` has a dot segment.
            if has_encoded_slash && pieces(segment).any(|piece| piece == "." || piece == "..") {
                return Err(PathProblem::DotSegment);
            }
        }
        Ok(Self {
            text,
            has_encoded_slash,
        })
    }

    /// The path as it was received.
    pub const fn as_str(self) -> &'p str {
        self.text
    }

    /// Tests whether a slash in it is encoded.
    pub const fn has_encoded_slash(self) -> bool {
        self.has_encoded_slash
    }
}

/// The pieces of a text between its encoded slashes.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        match text.match_indices('%').find(|(at, _)| is_encoded_slash(text, *at)) {
            Some((at, _)) => {
                rest = text.get(at + ENCODED_SLASH_BYTES..);
                text.get(..at)
            }
            None => rest.take(),
        }
    })
}

/// Length of `%2F`, in bytes.
const ENCODED_SLASH_BYTES: usize = 3;

fn is_encoded_slash(text: &str, at: usize) -> bool {
    let encoded = text.get(at..at + ENCODED_SLASH_BYTES);
    encoded.is_some_and(|encoded| encoded.eq_ignore_ascii_case("%2f"))
}

/// One pass over the bytes: raw characters and percent-encodings that are not plain. Tells whether a slash is encoded.
fn refuse_characters(raw: &[u8], slashes: EncodedSlash) -> Result<bool, PathProblem> {
    let (mut decoded_non_ascii, mut decoded_again, mut encoded_slash) = (false, false, false);
    let mut bytes = raw.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b';' => return Err(PathProblem::Semicolon),
            b'\\' => return Err(PathProblem::Backslash),
            b'#' | b'?' => return Err(PathProblem::Delimiter),
            0..=0x20 | 0x7f => return Err(PathProblem::Control),
            b'%' => {
                let (Some(high), Some(low)) =
                    (bytes.next().copied().and_then(hex), bytes.next().copied().and_then(hex))
                else {
                    return Err(PathProblem::BrokenEncoding);
                };
                let decoded = high << 4 | low;
                if decoded == b'/' && slashes == EncodedSlash::Allow {
                    encoded_slash = true;
                    continue;
                }
                refuse_decoded(decoded)?;
                decoded_non_ascii |= !decoded.is_ascii();
                decoded_again |= decoded == b'%';
            }
            _ => {}
        }
    }
    if decoded_non_ascii && std::str::from_utf8(&decoded(raw)).is_err() {
        return Err(PathProblem::NotUtf8);
    }
    if decoded_again {
        refuse_decoding_again(raw)?;
    }
    Ok(encoded_slash)
}

/// SECURITY: decoded by the application, any of these would move a boundary or end a line.
const fn refuse_decoded(byte: u8) -> Result<(), PathProblem> {
    match byte {
        b'/' | b'\\' | b'.' => Err(PathProblem::EncodedDelimiter),
        0..=0x1f | 0x7f => Err(PathProblem::Control),
        _ => Ok(()),
    }
}

/// SECURITY: some applications decode twice, behind a server that has decoded already. `%252e%252e` is two dots to them.
fn refuse_decoding_again(raw: &[u8]) -> Result<(), PathProblem> {
    let mut text = decoded(raw);
    // SECURITY: without a limit a path of 8 KB could ask for thousands of passes over it.
    for _ in 0..RequestPath::ENCODINGS_MAX {
        let again = decoded(&text);
        if again == text {
            return Ok(());
        }
        if std::str::from_utf8(&again).is_err() {
            return Err(PathProblem::NotUtf8);
        }
        let mut rest = text.as_slice();
        while let [first, after @ ..] = rest {
            rest = after;
            if let (b'%', [high, low, ..]) = (first, after)
                && let (Some(high), Some(low)) = (hex(*high), hex(*low))
            {
                refuse_decoded(high << 4 | low)?;
            }
        }
        text = again;
    }
    Err(PathProblem::EncodedTooOften)
}

fn decoded(bytes: &[u8]) -> Vec<u8> {
    percent_encoding::percent_decode(bytes).collect()
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_paths_pass_unchanged() {
        for path in [
            "/",
            "/v1/algo/acme/echo/1.0",
            "/a/",
            "/a.b/..c/d..",
            "/caf%C3%A9",
            "/a%23b",
            "/a%3Fb%3fc",
            "/a%3bb",
            "/100%25",
            "/a%25b",
            "/a%2520b",
            "/a:b@c!$&'()*+,=~",
            "/a%20b",
            "/...",
        ] {
            assert_eq!(
                RequestPath::parse(path.as_bytes()).map(RequestPath::as_str),
                Ok(path),
                "{path}"
            );
        }
    }

    /// Each of these has led some gateway to match one path and forward another.
    #[test]
    fn sec_path_reject() {
        let table: &[(&[u8], PathProblem)] = &[
            (b"", PathProblem::NotAbsolute),
            (b"v1", PathProblem::NotAbsolute),
            (b"http://x/v1", PathProblem::NotAbsolute),
            (b"*", PathProblem::NotAbsolute),
            (b"/..", PathProblem::DotSegment),
            (b"/.", PathProblem::DotSegment),
            (b"/public/../admin", PathProblem::DotSegment),
            (b"/public/./admin", PathProblem::DotSegment),
            (b"/public/..", PathProblem::DotSegment),
            (b"//admin", PathProblem::EmptySegment),
            (b"/a//b", PathProblem::EmptySegment),
            (b"/a//", PathProblem::EmptySegment),
            (b"/a;b", PathProblem::Semicolon),
            (b"/a/..;/b", PathProblem::Semicolon),
            (b"/a\\b", PathProblem::Backslash),
            (b"/a#b", PathProblem::Delimiter),
            (b"/a?b", PathProblem::Delimiter),
            (b"/%2e%2e/admin", PathProblem::EncodedDelimiter),
            (b"/%2E./admin", PathProblem::EncodedDelimiter),
            (b"/a%2fb", PathProblem::EncodedDelimiter),
            (b"/a%2Fb", PathProblem::EncodedDelimiter),
            (b"/a%5cb", PathProblem::EncodedDelimiter),
            (b"/a%252e%252e/b", PathProblem::EncodedDelimiter),
            (b"/a%252fb", PathProblem::EncodedDelimiter),
            (b"/a%00", PathProblem::Control),
            (b"/a\0", PathProblem::Control),
            (b"/a b", PathProblem::Control),
            (b"/a\tb", PathProblem::Control),
            (b"/a%0d%0ab", PathProblem::Control),
            (b"/a\x7f", PathProblem::Control),
            (b"/a%", PathProblem::BrokenEncoding),
            (b"/a%2", PathProblem::BrokenEncoding),
            (b"/a%zz", PathProblem::BrokenEncoding),
            (b"/a%u002e", PathProblem::BrokenEncoding),
            (b"/a\xff", PathProblem::NotAscii),
            ("/café".as_bytes(), PathProblem::NotAscii),
            (b"/a%25252e", PathProblem::EncodedDelimiter),
            (b"/a%255cb", PathProblem::EncodedDelimiter),
            (b"/a%2500", PathProblem::Control),
            (b"/a%25c0%25ae", PathProblem::NotUtf8),
            (b"/a%ff", PathProblem::NotUtf8),
            // An overlong encoding of `.` and of `/`.
            (b"/a%c0%ae%c0%ae/b", PathProblem::NotUtf8),
            (b"/a%c0%afb", PathProblem::NotUtf8),
        ];
        for (path, problem) in table {
            assert_eq!(
                RequestPath::parse(path),
                Err(*problem),
                "{}",
                String::from_utf8_lossy(path)
            );
        }
        assert_eq!(RequestPath::parse(&[b'/'; 8193]), Err(PathProblem::TooLong));
        let encoded = |times: usize| format!("/a%{}", "25".repeat(times));
        for times in 1..=RequestPath::ENCODINGS_MAX {
            assert!(RequestPath::parse(encoded(times).as_bytes()).is_ok(), "{times}");
        }
        for times in [RequestPath::ENCODINGS_MAX + 1, 4000] {
            let path = encoded(times);
            assert_eq!(
                RequestPath::parse(path.as_bytes()),
                Err(PathProblem::EncodedTooOften),
                "{times}"
            );
        }
    }

    /// An encoded slash that a route allows is a character; whatever could move a boundary behind it is refused.
    #[test]
    fn sec_encoded_slash() {
        let parse = |path: &'static str| RequestPath::parse_with(path.as_bytes(), EncodedSlash::Allow);
        for path in [
            "/a%2Fb",
            "/a%2fb",
            "/%2F",
            "/https:%2F%2Fexample.com%2Frepo",
            "/@scope%2fname",
            "/a%2F...%2Fb",
        ] {
            let parsed = parse(path).unwrap();
            assert!(parsed.has_encoded_slash() && parsed.as_str() == path, "{path}");
        }
        assert!(!parse("/a/b%25").unwrap().has_encoded_slash());
        for (path, problem) in [
            ("/a%2F..%2Fb", PathProblem::DotSegment),
            ("/a%2f..", PathProblem::DotSegment),
            ("/..%2Fb", PathProblem::DotSegment),
            ("/a%2F.%2fb", PathProblem::DotSegment),
            ("/a%2F%2e%2e%2Fb", PathProblem::EncodedDelimiter),
            ("/a%252Fb", PathProblem::EncodedDelimiter),
            ("/a%2F%252e%252e", PathProblem::EncodedDelimiter),
            ("/a%2Fb%5Cc", PathProblem::EncodedDelimiter),
            ("/a%2Fb;c", PathProblem::Semicolon),
            ("/a%2F%00", PathProblem::Control),
            ("/a%2F/../b", PathProblem::DotSegment),
            ("/a%2F//b", PathProblem::EmptySegment),
        ] {
            assert_eq!(parse(path), Err(problem), "{path}");
        }
        assert_eq!(RequestPath::parse(b"/a%2Fb"), Err(PathProblem::EncodedDelimiter));
    }

    proptest! {
        /// However often an accepted path is percent-decoded, it keeps its segments.
        #[test]
        fn decoding_an_accepted_path_moves_no_boundary(raw in "/[a-z.%0-9A-F/;\\\\#?]{0,24}") {
            if let Ok(path) = RequestPath::parse(raw.as_bytes()) {
                let mut text = path.as_str().as_bytes().to_vec();
                loop {
                    let decoded = decoded(&text);
                    prop_assert_eq!(decoded.split(|byte| *byte == b'/').count(), raw.split('/').count());
                    prop_assert!(!decoded.split(|byte| *byte == b'/').any(|segment| segment == b"." || segment == b".."));
                    if decoded == text {
                        break;
                    }
                    text = decoded;
                }
            }
        }
    }
}
