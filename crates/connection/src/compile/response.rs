//! The response side of a document.

use narthex_template::Template;

use super::{Compiler, Fields, TemplateKind};
use crate::document::{ErrorTemplates, Metadata, MetadataType, Response, ResponseType, TypeRange};
use crate::error::ErrorType;
use crate::jsonc::{Node, NodeKind, escaped};

impl Compiler<'_> {
    pub(super) fn response(&mut self, fields: &Fields<'_>) -> Response {
        let mut response = Response {
            types: Vec::new(),
            temp: None,
            valid: None,
            invalid: ErrorTemplates::default(),
            error: ErrorTemplates::default(),
            status_errors: Vec::new(),
            uid: None,
            metadata: None,
            data: None,
            expires: None,
        };
        let inner = fields
            .at("response")
            .and_then(|(node, at)| self.fields(node, &at, "response"));
        let Some(fields) = inner else { return response };
        if let Some((node, at)) = fields.at("type") {
            response.types = self.response_types(node, &at);
        }
        response.temp = self.maybe(&fields, "temp", |this, node, at| {
            this.object(node, at, TemplateKind::Response)
        });
        if let Some((node, at)) = fields.at("valid") {
            self.valid(node, &at, &mut response);
        }
        if let Some((node, at)) = fields.at("error") {
            self.error(node, &at, &mut response);
        }
        response.uid = self.maybe(&fields, "uid", |this, node, at| {
            this.document(node, at, TemplateKind::Response)
        });
        response.metadata = self.maybe(&fields, "metadata", Self::metadata);
        response.data = self.maybe(&fields, "data", |this, node, at| {
            this.object(node, at, TemplateKind::Response)
        });
        response.expires = self.maybe(&fields, "expires", |this, node, at| {
            this.bounded(node, at, TemplateKind::Response, 1, EXPIRES_CHARACTERS)
        });
        response
    }

    fn response_types(&mut self, node: &Node, pointer: &str) -> Vec<TypeRange> {
        let NodeKind::Object(members) = &node.kind else {
            let kind = self.word(node, pointer, &RESPONSE_TYPES);
            return kind
                .map(|kind| TypeRange {
                    from: 1,
                    to: STATUS_MAX,
                    kind,
                })
                .into_iter()
                .collect();
        };
        let mut types = Vec::new();
        for member in members {
            let at = format!("{pointer}/{}", escaped(&member.name));
            let kind = self.word(&member.value, &at, &RESPONSE_TYPES);
            let Some((from, to)) = statuses(&member.name) else {
                let message = format!("`{}` names no statuses", member.name);
                let found = crate::problem::UnplacedProblem::new(&at, member.name_span.clone(), message);
                self.problems
                    .push(found.help("write one status (`404`), a range (`400-499`), or `*` for all"));
                continue;
            };
            types.extend(kind.map(|kind| TypeRange { from, to, kind }));
        }
        types
    }

    fn valid(&mut self, node: &Node, pointer: &str, response: &mut Response) {
        if !matches!(node.kind, NodeKind::Object(_)) {
            response.valid = self.test(node, pointer, TemplateKind::Response);
            return;
        }
        let Some(fields) = self.fields(node, pointer, "response.valid") else {
            return;
        };
        response.valid = self.needed(&fields, "condition", |this, node, at| {
            this.test(node, at, TemplateKind::Response)
        });
        response.invalid = self.error_templates(&fields);
    }

    fn error(&mut self, node: &Node, pointer: &str, response: &mut Response) {
        if !matches!(node.kind, NodeKind::Object(_)) {
            response.error.message = self.message(node, pointer);
            return;
        }
        let Some(fields) = self.fields(node, pointer, "response.error") else {
            return;
        };
        response.error = self.error_templates(&fields);
        for (name, node) in &fields.members {
            let Ok(status) = name.parse::<u16>() else { continue };
            let at = fields.under(name);
            let templates = if matches!(node.kind, NodeKind::Object(_)) {
                match self.fields(node, &at, "response.error.STATUS") {
                    Some(inner) => self.error_templates(&inner),
                    None => continue,
                }
            } else {
                ErrorTemplates {
                    message: self.message(node, &at),
                    kind: None,
                }
            };
            response.status_errors.push((status, templates));
        }
    }

    fn error_templates(&mut self, fields: &Fields<'_>) -> ErrorTemplates {
        ErrorTemplates {
            message: self.maybe(fields, "message", Self::message),
            kind: self.maybe(fields, "type", Self::error_type),
        }
    }

    fn message(&mut self, node: &Node, pointer: &str) -> Option<(String, Template)> {
        let template = self.template(node, pointer, TemplateKind::Response)?;
        Some((pointer.to_owned(), template))
    }

    fn error_type(&mut self, node: &Node, pointer: &str) -> Option<(String, Template)> {
        let template = self.template(node, pointer, TemplateKind::Response)?;
        if template.is_literal() {
            let words: Vec<(&'static str, ErrorType)> =
                ErrorType::ALL.iter().map(|kind| (kind.name(), *kind)).collect();
            self.word(node, pointer, &words)?;
        }
        Some((pointer.to_owned(), template))
    }

    fn metadata(&mut self, node: &Node, pointer: &str) -> Option<Metadata> {
        let fields = self.fields(node, pointer, "response.metadata")?;
        let kind = self.maybe(&fields, "type", |this, node, at| this.word(node, at, &METADATA_TYPES));
        let value = self.needed(&fields, "value", |this, node, at| {
            this.document(node, at, TemplateKind::Response)
        })?;
        Some(Metadata {
            kind: kind.unwrap_or(MetadataType::Text),
            value,
        })
    }
}

/// `*`, `404` or `400-499`, both ends included.
fn statuses(name: &str) -> Option<(u16, u16)> {
    if name == "*" {
        return Some((1, STATUS_MAX));
    }
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>()
            .ok()
            .filter(|status| digits && (1..=STATUS_MAX).contains(status))
    };
    match name.split_once('-') {
        Some((from, to)) => number(from).zip(number(to)).filter(|(from, to)| from <= to),
        None => number(name).map(|status| (status, status)),
    }
}

const RESPONSE_TYPES: [(&str, ResponseType); 8] = [
    ("automatic", ResponseType::Automatic),
    ("json", ResponseType::Json),
    ("urlencoded", ResponseType::UrlEncoded),
    ("text", ResponseType::Text),
    ("string", ResponseType::Text),
    ("raw", ResponseType::Text),
    ("binary", ResponseType::Binary),
    ("xml", ResponseType::Xml),
];

const METADATA_TYPES: [(&str, MetadataType); 2] = [("text", MetadataType::Text), ("email", MetadataType::Email)];

const STATUS_MAX: u16 = 999;
const EXPIRES_CHARACTERS: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_one_or_a_range_or_all() {
        assert_eq!(statuses("*"), Some((1, 999)));
        assert_eq!(statuses("404"), Some((404, 404)));
        assert_eq!(statuses("400-499"), Some((400, 499)));
        for wrong in ["", "-", "4xx", "499-400", "0", "1000", "+4", "400-", "400-499-500"] {
            assert_eq!(statuses(wrong), None, "{wrong}");
        }
    }
}
