//! The request side of a document.

use super::{Compiler, Fields, TemplateKind};
use crate::document::{BodyType, Condition, Repeat, Request};
use crate::jsonc::{Node, NodeKind};
use crate::problem::UnplacedProblem;

impl Compiler<'_> {
    pub(super) fn requests(&mut self, root: &Node) -> Vec<Request> {
        let NodeKind::List(items) = &root.kind else {
            return self.request(root, "").into_iter().collect();
        };
        if items.is_empty() || items.len() > self.limits.requests {
            let message = format!(
                "a list of requests has 1 to {} of them, not {}",
                self.limits.requests,
                items.len()
            );
            self.problem("", root, message);
        }
        let requests = items.iter().take(self.limits.requests).enumerate();
        requests
            .filter_map(|(at, item)| self.request(item, &format!("/{at}")))
            .collect()
    }

    /// `None` if something is wrong with it; the problems say what.
    fn request(&mut self, node: &Node, pointer: &str) -> Option<Request> {
        if !matches!(node.kind, NodeKind::Object(_)) {
            let message = format!("a connection is an object, or a list of them, not {}", node.describe());
            self.problem(pointer, node, message);
            return None;
        }
        let fields = self.fields(node, pointer, "")?;
        // In the order of evaluation, and each on its own: one that is wrong does not hide the next.
        let temp = self.maybe(&fields, "temp", |this, node, at| {
            this.object(node, at, TemplateKind::Request)
        });
        let condition = self.maybe(&fields, "condition", Self::condition);
        let url = self.url(&fields);
        let method = self.method(&fields);
        let headers = self.maybe(&fields, "headers", |this, node, at| {
            this.same_header_twice(node, at);
            this.flat(node, at)
        });
        let qs = self.maybe(&fields, "qs", Self::flat);
        let body = self.maybe(&fields, "body", |this, node, at| {
            this.document(node, at, TemplateKind::Request)
        });
        let body_type = self.maybe(&fields, "type", |this, node, at| this.word(node, at, &BODY_TYPES));
        let ca = self.maybe(&fields, "ca", |this, node, at| {
            this.bounded(node, at, TemplateKind::Request, 1, CA_CHARACTERS)
        });
        let repeat = self.maybe(&fields, "repeat", Self::repeat);
        self.maybe(&fields, "log", Self::log);
        let response = self.response(&fields);
        let encode_url = self.flag(&fields, "encodeUrl", true);
        let follow_redirects = self.flag(&fields, "followRedirects", true);
        let follow_all_redirects = self.flag(&fields, "followAllRedirects", true);
        let gzip = self.flag(&fields, "gzip", false);
        Some(Request {
            pointer: pointer.to_owned(),
            url: url?,
            method,
            temp,
            condition,
            headers,
            qs,
            body,
            body_type: body_type.unwrap_or(BodyType::Json),
            encode_url,
            ca,
            follow_redirects,
            follow_all_redirects,
            gzip,
            repeat,
            response,
        })
    }

    /// Compiles a member if it is there.
    pub(super) fn maybe<T>(
        &mut self,
        fields: &Fields<'_>,
        name: &str,
        compile: impl FnOnce(&mut Self, &Node, &str) -> Option<T>,
    ) -> Option<T> {
        let (node, pointer) = fields.at(name)?;
        compile(self, node, &pointer)
    }

    fn url(&mut self, fields: &Fields<'_>) -> Option<narthex_template::Template> {
        let Some((node, pointer)) = fields.at("url") else {
            let found = UnplacedProblem::new(&fields.pointer, fields.span.clone(), "there is no `url`");
            self.problems
                .push(found.help("a connection always has one; there is no mode without a request"));
            return None;
        };
        self.bounded(node, &pointer, TemplateKind::Request, 1, URL_CHARACTERS)
    }

    fn method(&mut self, fields: &Fields<'_>) -> Option<narthex_template::Template> {
        let (node, pointer) = fields.at("method")?;
        let template = self.template(node, &pointer, TemplateKind::Request)?;
        if template.is_literal() && !METHODS.contains(&template.source().to_ascii_uppercase().as_str()) {
            let message = format!("`{}` is no method", template.source());
            self.advise(&pointer, node, message, format!("methods are {}", METHODS.join(", ")));
        }
        Some(template)
    }

    fn condition(&mut self, node: &Node, pointer: &str) -> Option<Condition> {
        if !matches!(node.kind, NodeKind::Object(_)) {
            let test = self.test(node, pointer, TemplateKind::Request)?;
            return Some(Condition { test, default: None });
        }
        let fields = self.fields(node, pointer, "condition")?;
        let default = self.maybe(&fields, "default", |this, node, at| {
            this.document(node, at, TemplateKind::Request)
        });
        let test = self.needed(&fields, "condition", |this, node, at| {
            this.test(node, at, TemplateKind::Request)
        })?;
        Some(Condition { test, default })
    }

    fn repeat(&mut self, node: &Node, pointer: &str) -> Option<Repeat> {
        let fields = self.fields(node, pointer, "repeat")?;
        let most = u64::from(self.limits.repeats);
        let limit = self.count(&fields, "limit", REPEATS.min(most), most);
        let delay_ms = self.count(&fields, "delay", 0, self.limits.wait_ms);
        let test = self.needed(&fields, "condition", |this, node, at| {
            this.test(node, at, TemplateKind::Repeat)
        })?;
        Some(Repeat {
            test,
            delay_ms,
            limit: u32::try_from(limit).unwrap_or(self.limits.repeats),
        })
    }

    /// Compiles a member that must be there.
    pub(super) fn needed<T>(
        &mut self,
        fields: &Fields<'_>,
        name: &str,
        compile: impl FnOnce(&mut Self, &Node, &str) -> Option<T>,
    ) -> Option<T> {
        if fields.at(name).is_none() {
            let message = format!("there is no `{name}`");
            self.problems
                .push(UnplacedProblem::new(&fields.pointer, fields.span.clone(), message));
        }
        self.maybe(fields, name, compile)
    }

    /// Names that differ only in case are one header: the document would mean only one of them.
    fn same_header_twice(&mut self, node: &Node, pointer: &str) {
        let NodeKind::Object(members) = &node.kind else { return };
        for (at, member) in members.iter().enumerate() {
            let same = |other: &&crate::jsonc::Member| other.name.eq_ignore_ascii_case(&member.name);
            if let Some(first) = members.iter().take(at).find(same)
                && first.name != member.name
            {
                let message = format!("`{}` and `{}` are one header", first.name, member.name);
                let found = UnplacedProblem::new(pointer, member.name_span.clone(), message);
                self.problems.push(found.help("give it a list to send it twice"));
            }
        }
    }
}

/// Methods that a document may name.
pub(crate) const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

const BODY_TYPES: [(&str, BodyType); 7] = [
    ("json", BodyType::Json),
    ("urlencoded", BodyType::UrlEncoded),
    ("multipart/form-data", BodyType::Multipart),
    ("text", BodyType::Text),
    ("string", BodyType::Text),
    ("raw", BodyType::Text),
    ("binary", BodyType::Binary),
];

const URL_CHARACTERS: usize = 512;
const CA_CHARACTERS: usize = 8192;
/// Default number of repetitions if its document does not say.
const REPEATS: u64 = 10;
