//! Every key a document may have, and those of Make's documents that a connection does not take.
//!
//! One row each, from which unknown keys, "did you mean" and the reference page come.

/// A key of a connection document.
#[derive(Debug, Clone, Copy)]
pub struct DocumentKey {
    /// Its path, dotted, such as `response.valid.condition`.
    pub path: &'static str,
    /// Form of its value.
    pub form: &'static str,
    /// Purpose of the key; or, if it is refused, the reason.
    pub summary: &'static str,
    /// `true` if a connection takes it.
    pub taken: bool,
}

/// Every key, in the order of the reference page.
pub fn document_keys() -> impl Iterator<Item = &'static DocumentKey> {
    KEYS.iter()
}

/// The key of that name under a path: `child("response", "uid")`.
pub(crate) fn child(under: &str, name: &str) -> Option<&'static DocumentKey> {
    document_keys().find(|key| split(key.path) == (under, name))
}

/// The names that may stand under a path.
pub(crate) fn children(under: &str) -> impl Iterator<Item = &'static str> {
    document_keys()
        .filter(move |key| key.taken && split(key.path).0 == under)
        .map(|key| split(key.path).1)
}

fn split(path: &'static str) -> (&'static str, &'static str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

const fn taken(path: &'static str, form: &'static str, summary: &'static str) -> DocumentKey {
    DocumentKey {
        path,
        form,
        summary,
        taken: true,
    }
}

const fn refused(path: &'static str, summary: &'static str) -> DocumentKey {
    DocumentKey {
        path,
        form: "",
        summary,
        taken: false,
    }
}

const MODULE: &str = "it belongs to modules; a connection makes no bundles";

static KEYS: &[DocumentKey] = &[
    taken(
        "url",
        "text template, 1 to 512 characters",
        "where to: an absolute http or https URL after evaluation",
    ),
    taken("method", "text template", "GET if it is not there; any case"),
    taken(
        "temp",
        "object of templates",
        "evaluated before everything else, then merged into `temp`",
    ),
    taken(
        "condition",
        "boolean, template or object",
        "if it is not true, the request is skipped",
    ),
    taken(
        "condition.condition",
        "boolean or template",
        "the same, beside a default",
    ),
    taken("condition.default", "template", "the output of a skipped request"),
    taken(
        "headers",
        "flat object of templates",
        "names in any case; lists repeat the header; null and undefined drop it",
    ),
    taken(
        "qs",
        "flat object of templates",
        "the query, in place of one in the URL; lists repeat the name; a `#` is an error if `encodeUrl` is false",
    ),
    taken(
        "body",
        "template of any shape",
        "what is sent; ignored for GET and HEAD",
    ),
    taken(
        "type",
        "`json`, `urlencoded`, `multipart/form-data`, `text`, `string`, `raw` or `binary`",
        "how the body is written; `json` if it is not there",
    ),
    taken(
        "encodeUrl",
        "literal boolean",
        "`false`: URL and query are sent as they are written",
    ),
    taken(
        "ca",
        "text template, at most 8192 characters",
        "PEM certificates that are trusted in place of the system's",
    ),
    taken(
        "followRedirects",
        "literal boolean",
        "whether a GET follows redirects; `true` if it is not there",
    ),
    taken(
        "followAllRedirects",
        "literal boolean",
        "whether other methods do; `true` if it is not there",
    ),
    taken("gzip", "literal boolean", "whether a compressed answer is asked for"),
    taken("repeat", "object", "sends the request again while a condition holds"),
    taken(
        "repeat.condition",
        "boolean or template that reads `temp` only",
        "whether to send it again; evaluated after `response.temp`",
    ),
    taken("repeat.delay", "literal number", "milliseconds between two tries"),
    taken("repeat.limit", "literal number", "maximum number of repetitions"),
    taken("log", "object", "what is kept out of logs"),
    taken(
        "log.sanitize",
        "list of paths",
        "dotted paths under `request` and `response`, in any case; odd names in back-quotes",
    ),
    taken("response", "object", "how the answer is read and judged"),
    taken(
        "response.type",
        "text, or an object of statuses",
        "`automatic`, `json`, `urlencoded`, `text`, `string`, `raw`, `binary` or `xml`; by `200`, `400-499` or `*`, the narrowest wins",
    ),
    taken(
        "response.temp",
        "object of templates",
        "evaluated first, then merged into `temp`",
    ),
    taken(
        "response.valid",
        "boolean, template or object",
        "whether the answer is good; a status of 400 and above never is",
    ),
    taken(
        "response.valid.condition",
        "boolean or template",
        "the same, beside a message",
    ),
    taken("response.valid.message", "text template", "the message if it is not"),
    taken("response.valid.type", "text template", "the error's type"),
    taken("response.error", "text template or object", "the message of an error"),
    taken("response.error.message", "text template", "the same"),
    taken(
        "response.error.type",
        "text template",
        "the error's type; `RuntimeError` if it is not there",
    ),
    taken(
        "response.error.STATUS",
        "text template or object",
        "message and type for one status, such as `404`",
    ),
    taken("response.error.STATUS.message", "text template", "the message"),
    taken("response.error.STATUS.type", "text template", "the error's type"),
    taken(
        "response.uid",
        "template",
        "who the connection is at the other side; shown, so `***` where it reads a parameter, common or stored data",
    ),
    taken("response.metadata", "object", "a label for people"),
    taken("response.metadata.type", "`email` or `text`", "what kind of label"),
    taken("response.metadata.value", "template", "the label; shown, as `uid` is"),
    taken(
        "response.data",
        "object of templates",
        "what the connection keeps; later `data`",
    ),
    taken(
        "response.expires",
        "template, at most 512 characters",
        "when what was obtained ends: a date, or milliseconds since 1970",
    ),
    refused(
        "aws",
        "a connection has no AWS signing; write the headers with `sha256(…)`",
    ),
    refused("oauth", "it is the helper of OAuth 1 connections"),
    refused("pagination", MODULE),
    refused("output", MODULE),
    refused("iterate", MODULE),
    refused("respond", "it belongs to webhooks"),
    refused("verification", "it belongs to webhooks"),
    refused("endpoint", "it belongs to remote procedures; write a `url`"),
    refused("input", "it belongs to remote procedures"),
    refused("baseUrl", "it belongs to the base of an app; write the whole `url`"),
    refused("timeout", "the sender has its own time limits"),
    refused(
        "rejectUnauthorized",
        "certificates are always checked; name a private authority in `ca`",
    ),
    refused(
        "shareCookies",
        "cookies are not kept; read them from `headers` and send them yourself",
    ),
    refused("response.output", MODULE),
    refused("response.iterate", MODULE),
    refused("response.limit", MODULE),
    refused("response.wrapper", MODULE),
    refused("response.trigger", MODULE),
    refused("response.oauth", "it is the helper of OAuth connections"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_unique_and_lead_to_their_parents() {
        let mut seen = std::collections::BTreeSet::new();
        for key in document_keys() {
            assert!(seen.insert(key.path), "{} twice", key.path);
            let (under, _) = split(key.path);
            assert!(under.is_empty() || seen.contains(under), "{}", key.path);
            assert!(!key.summary.ends_with('.'), "{}", key.path);
        }
    }
}
