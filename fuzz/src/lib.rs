//! What the fuzz targets share.

/// 2023-11-14T22:13:20.123Z, the time of every target.
pub const NOW_MS: i64 = 1_700_000_000_123;

/// The scope and the template of an input in the form of `crates/template/tests/cases`: parts between lines of `---`,
/// comments in the first. Without such a line the whole input is the template. `None` if it is no text.
pub fn parts(data: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(data).ok()?;
    match text.split_once("\n---\n") {
        Some((context, rest)) => {
            let object = context.find('{').and_then(|at| context.get(at..)).unwrap_or("");
            Some((object, rest.split("\n---\n").next().unwrap_or(rest)))
        }
        None => Some(("{}", text)),
    }
}
