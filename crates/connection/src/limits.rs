//! What a document, a run and a response may cost.

/// The limits of a connection. The defaults are far above what the documents of real services need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest document, in bytes.
    pub document_bytes: usize,
    /// Deepest nesting of a document.
    pub depth: usize,
    /// The most requests of one document.
    pub requests: usize,
    /// The most headers of one request.
    pub headers: usize,
    /// Longest URL after evaluation, in bytes.
    pub url_bytes: usize,
    /// Longest header value after evaluation, in bytes.
    pub header_bytes: usize,
    /// Largest body that is sent, in bytes.
    pub request_bytes: usize,
    /// Largest body that is read, in bytes.
    pub response_bytes: usize,
    /// Deepest nesting of an XML response.
    pub xml_depth: usize,
    /// The most nodes of an XML response.
    pub xml_nodes: u32,
    /// How often one request may be repeated, whatever its document says.
    pub repeats: u32,
    /// How long one run may wait between repeated requests, all waits together, in milliseconds.
    pub wait_ms: u64,
    /// How much of a body is shown, in bytes.
    pub shown_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            document_bytes: 256 * 1024,
            depth: 32,
            requests: 20,
            headers: 100,
            url_bytes: 16 * 1024,
            header_bytes: 16 * 1024,
            request_bytes: 4 * 1024 * 1024,
            response_bytes: 4 * 1024 * 1024,
            xml_depth: 64,
            xml_nodes: 100_000,
            repeats: 100,
            wait_ms: 5 * 60 * 1000,
            shown_bytes: 16 * 1024,
        }
    }
}
