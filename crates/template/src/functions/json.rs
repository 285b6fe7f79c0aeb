//! JSON text, and media types by file name.

use super::{Action, Args, Function, Group, example, row};
use crate::error::Fault;
use crate::eval::Run;
use crate::json_text;
use crate::value::Value;
use crate::view::{Val, View};

pub(super) static TABLE: &[Function] = &[
    row(
        Group::Json,
        "createJSON",
        &["value"],
        "the value as compact JSON text, as JSON.stringify writes it",
        &[example(
            "{{createJSON(c)}}",
            r#"{"c":{"b":[1,null],"1":"x"}}"#,
            r#""{\"1\":\"x\",\"b\":[1,null]}""#,
        )],
        Action::Eager(|args, run| {
            run.meter.burn(args.view(0).weight())?;
            match json_text::write(args.at(0)) {
                Some(text) => run.made(text),
                None => Ok(Val::UNDEFINED),
            }
        }),
    ),
    row(
        Group::Json,
        "parseJSON",
        &["text"],
        "the value that a JSON text shows",
        &[example("{{parseJSON(s)}}", r#"{"s":"{\"a\":[1]}"}"#, r#"{"a":[1]}"#)],
        Action::Eager(parse_json),
    ),
    row(
        Group::Json,
        "mime",
        &["fileName"],
        "the media type that a file name's extension stands for",
        &[
            example("{{mime(\"picture.png\")}}", "{}", "\"image/png\""),
            example("{{mime(\"x.unknown\")}}", "{}", "\"application/octet-stream\""),
        ],
        Action::Eager(|args, run| {
            let name = args.text(0, run)?.to_lowercase();
            let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
            run.made(media_type(extension).to_owned())
        }),
    ),
];

fn parse_json<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    if let View::Object(_) | View::Array(_) = args.view(0) {
        return Ok(args.take(0));
    }
    let text = args.text(0, run)?;
    // A value takes some times the room of its text: `[0,0,0]`.
    run.meter.make(text.len().saturating_mul(8))?;
    run.meter.burn(text.len() / 8)?;
    let parsed: serde_json::Value = serde_json::from_str(&text).map_err(|_| args.unreadable(0, "JSON"))?;
    Ok(Val::Own(Value::from(parsed)))
}

fn media_type(extension: &str) -> &'static str {
    match extension {
        "7z" => "application/x-7z-compressed",
        "aac" => "audio/aac",
        "avi" => "video/x-msvideo",
        "avif" => "image/avif",
        "bmp" => "image/bmp",
        "bz2" => "application/x-bzip2",
        "css" => "text/css",
        "csv" => "text/csv",
        "doc" => "application/msword",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "eml" => "message/rfc822",
        "epub" => "application/epub+zip",
        "flac" => "audio/x-flac",
        "gif" => "image/gif",
        "gz" => "application/gzip",
        "htm" | "html" => "text/html",
        "ico" => "image/vnd.microsoft.icon",
        "ics" => "text/calendar",
        "jpeg" | "jpg" => "image/jpeg",
        "js" | "mjs" => "text/javascript",
        "json" => "application/json",
        "jsonld" => "application/ld+json",
        "m4a" => "audio/mp4",
        "md" => "text/markdown",
        "mov" => "video/quicktime",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        "mpeg" => "video/mpeg",
        "odp" => "application/vnd.oasis.opendocument.presentation",
        "ods" => "application/vnd.oasis.opendocument.spreadsheet",
        "odt" => "application/vnd.oasis.opendocument.text",
        "ogg" => "audio/ogg",
        "otf" => "font/otf",
        "pdf" => "application/pdf",
        "pem" => "application/x-pem-file",
        "png" => "image/png",
        "ppt" => "application/vnd.ms-powerpoint",
        "pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "rar" => "application/vnd.rar",
        "rtf" => "application/rtf",
        "svg" => "image/svg+xml",
        "tar" => "application/x-tar",
        "tif" | "tiff" => "image/tiff",
        "ttf" => "font/ttf",
        "txt" | "log" => "text/plain",
        "vcf" => "text/vcard",
        "wasm" => "application/wasm",
        "wav" => "audio/wav",
        "weba" => "audio/webm",
        "webm" => "video/webm",
        "webp" => "image/webp",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "xls" => "application/vnd.ms-excel",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xml" => "application/xml",
        "yaml" | "yml" => "application/yaml",
        "zip" => "application/zip",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_decide() {
        assert_eq!(media_type("png"), "image/png");
        assert_eq!(media_type(""), "application/octet-stream");
    }
}
