//! `log.sanitize`: paths of what no log may show.

use super::Compiler;
use crate::document::{SanitizePath, Side};
use crate::jsonc::{Node, NodeKind};

impl Compiler<'_> {
    pub(super) fn log(&mut self, node: &Node, pointer: &str) -> Option<()> {
        let fields = self.fields(node, pointer, "log")?;
        let (node, at) = fields.at("sanitize")?;
        let NodeKind::List(items) = &node.kind else {
            let message = format!("this must be a list of paths, not {}", node.describe());
            self.problem(&at, node, message);
            return None;
        };
        for (index, item) in items.iter().enumerate() {
            let at = format!("{at}/{index}");
            let NodeKind::Text(text) = &item.kind else {
                let message = format!("a path is text, not {}", item.describe());
                self.problem(&at, item, message);
                continue;
            };
            match path(text) {
                Some(path) => self.sanitize.push(path),
                None => self.advise(
                    &at,
                    item,
                    format!("`{text}` is no path that can be hidden"),
                    "a path begins with `request.` or `response.`, such as `request.headers.authorization`; a name with a dot \
                     in it stands in back-quotes",
                ),
            }
        }
        // SECURITY: a path that was meant to hide something and hides nothing must not pass unnoticed, so an unreadable
        // one is a problem and no more is asked of the rest.
        Some(())
    }
}

fn path(text: &str) -> Option<SanitizePath> {
    let mut steps = steps(text)?;
    if steps.len() < 2 {
        return None;
    }
    let side = match steps.remove(0).as_str() {
        "request" => Side::Request,
        "response" => Side::Response,
        _ => return None,
    };
    Some(SanitizePath { side, steps })
}

/// The steps of a dotted path in lower case. Back-quoted steps may hold dots.
fn steps(text: &str) -> Option<Vec<String>> {
    let mut steps = Vec::new();
    let mut rest = text.trim();
    loop {
        let (step, after) = match rest.strip_prefix('`') {
            Some(quoted) => quoted.split_once('`')?,
            None => rest.split_at(rest.find('.').unwrap_or(rest.len())),
        };
        if step.is_empty() || after.starts_with('`') {
            return None;
        }
        steps.push(step.to_lowercase());
        if after.is_empty() {
            return Some(steps);
        }
        rest = after.strip_prefix('.')?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read() {
        assert_eq!(
            steps("request.headers.Authorization").unwrap(),
            ["request", "headers", "authorization"]
        );
        assert_eq!(
            steps("request.headers.`X-API.Key`").unwrap(),
            ["request", "headers", "x-api.key"]
        );
        for wrong in ["", "a..b", ".a", "a.", "a.`b", "a.``", "a.`b`c"] {
            assert_eq!(steps(wrong), None, "{wrong}");
        }
        assert_eq!(path("request"), None);
        assert_eq!(path("body.x"), None);
    }
}
