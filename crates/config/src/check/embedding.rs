//! `frame_ancestors` of an issuer: the pages that may embed applications and sign users in there.

use narthex_engine::WebOrigin;
use narthex_settings_reader::Problem;
use toml::Spanned;

use super::Check;
use crate::file::IssuerSection;

/// Name of an issuer whose cookie in frames would be the cookie of the console.
const CONSOLE: &str = "console";

impl Check<'_> {
    /// The pages that may embed applications, for an issuer.
    pub(crate) fn frame_ancestors(&mut self, section: &IssuerSection) -> Vec<WebOrigin> {
        let mut origins = Vec::new();
        for text in section.frame_ancestors.value() {
            match WebOrigin::parse(text.get_ref()) {
                // SECURITY: a page over plain http is written by every machine in between.
                Some(origin) if !origin.is_secure_context() => {
                    let message = format!(
                        "only pages over https embed sessions, and `{}` is plain http",
                        text.get_ref()
                    );
                    let problem = Problem::error(text.span(), message);
                    self.problems
                        .push(problem.help("write the https origin; plain http is for names of this machine only"));
                }
                Some(origin) if origins.contains(&origin) => {
                    self.error(text.span(), format!("`{}` is there twice", text.get_ref()));
                }
                Some(origin) => origins.push(origin),
                None => self.no_parent(text),
            }
        }
        let name = section.name.spanned().filter(|name| name.get_ref() == CONSOLE);
        if let Some(name) = name.filter(|_| !origins.is_empty()) {
            let message = "sessions in frames of the issuer `console` would have the cookie of the console";
            let problem = Problem::error(section.frame_ancestors.span(), message);
            self.problems.push(
                problem
                    .context(name.span(), "this name")
                    .help("give the issuer another name"),
            );
        }
        origins
    }

    fn no_parent(&mut self, text: &Spanned<String>) {
        let problem = Problem::error(text.span(), format!("`{}` is not an origin", text.get_ref()));
        self.problems.push(problem.help(
            "write scheme, host and, if it is not the usual one, port, without a path or `*`: `\"https://portal.example.com\"`",
        ));
    }
}
