//! Places in which a route or an issuer looks for tokens.

use http::HeaderName;
use narthex_engine::{TokenPlaces, session_cookie};
use narthex_settings_reader::{OneOrMany, Optional, Problem, did_you_mean};

use super::super::{Check, Reported, header_names};
use super::tokens::is_public;
use crate::file::{RouteSection, TokenUse};

/// The words that a place begins with.
const KINDS: [&str; 5] = ["authorization", "header", "cookie", "query", "websocket"];

/// The forms of a place, for a report.
const FORMS: &str =
    "write `authorization`, `header:NAME`, `cookie:NAME`, `query:NAME` or `websocket:PREFIX` (a subprotocol)";

impl Check<'_> {
    /// Reads a list of places, if one is written.
    pub(crate) fn token_from(
        &mut self,
        written: &Optional<OneOrMany<String>>,
    ) -> Result<Option<TokenPlaces>, Reported> {
        let Some(list) = written.value() else {
            return written.span().map_or(Ok(None), |_| Err(Reported));
        };
        let (mut places, mut usable) = (TokenPlaces::none(), true);
        for text in &list.0 {
            let mut one = TokenPlaces::none();
            match read(text.get_ref(), &mut one) {
                Ok(()) if places.has_all(&one) => {
                    self.error(text.span(), format!("`{}` is there twice", text.get_ref()));
                    usable = false;
                }
                Ok(()) => places.add(&one),
                Err((message, help)) => {
                    self.problems.push(Problem::error(text.span(), message).help(help));
                    usable = false;
                }
            }
        }
        if usable { Ok(Some(places)) } else { Err(Reported) }
    }

    /// Reads the places of a route; `None` for those of its issuers.
    pub(super) fn route_token_from(&mut self, section: &RouteSection) -> Result<Option<TokenPlaces>, Reported> {
        let written = self.token_from(&section.token_from);
        if *section.token.value() == TokenUse::Read {
            return written;
        }
        // SECURITY: where a token decides, it has to be read.
        if !is_public(section) {
            let problem = Problem::error(section.token.span(), "`token = \"ignore\"` is for public routes only");
            self.problems.push(
                problem.help("every other requirement asks for a token; remove this, or write `require = \"public\"`"),
            );
            return Err(Reported);
        }
        let forwards = section.forward_token.is_written().then(|| section.forward_token.span());
        let mut usable = written.is_ok();
        for (key, span) in [
            ("token_from", section.token_from.span()),
            ("issuers", section.issuers.span()),
            ("forward_token", forwards),
        ] {
            if let Some(span) = span {
                self.error(span, format!("`{key}` does nothing with `token = \"ignore\"`"));
                usable = false;
            }
        }
        if usable {
            Ok(Some(TokenPlaces::none()))
        } else {
            Err(Reported)
        }
    }
}

/// Reads one place into an empty set; an error is a message and its help.
fn read(text: &str, into: &mut TokenPlaces) -> Result<(), (String, String)> {
    let refuse = |why: &str| Err((format!("`{text}` {why}"), FORMS.to_owned()));
    match text.split_once(':') {
        None if text == "authorization" => into.authorization = true,
        Some(("header", name)) => match header_names::chosen(name) {
            Ok(name) => into.headers.push(name),
            Err(why) => return Err((format!("`{name}` {why}"), FORMS.to_owned())),
        },
        // SPEC: RFC 6265 section 4.1.1: a cookie's name is a token, as a header's is.
        // SECURITY: a session stands for a credential that the gateway keeps; its cookie is no token, and is read elsewhere.
        Some(("cookie", name)) if session_cookie::is_session_cookie(name.as_bytes()) => {
            return refuse("is a cookie of Narthex's sessions");
        }
        Some(("cookie", name)) if is_token(name) => into.cookies.push(name.to_owned()),
        Some(("cookie", _)) => return refuse("does not name a cookie"),
        Some(("query", "")) => return refuse("names no query parameter"),
        Some(("query", name)) => into.query_parameters.push(name.to_owned()),
        // SPEC: RFC 6455 section 4.1: so is a subprotocol.
        Some(("websocket", prefix)) if is_token(prefix) => into.subprotocol_prefixes.push(prefix.to_owned()),
        Some(("websocket", _)) => return refuse("is not the beginning of a WebSocket subprotocol"),
        _ => {
            let kind = text.split(':').next().unwrap_or_default();
            let meant = did_you_mean(&kind.to_ascii_lowercase(), KINDS);
            let message = format!("`{text}` is not a place for tokens");
            return Err((message, meant.unwrap_or_else(|| FORMS.to_owned())));
        }
    }
    Ok(())
}

fn is_token(text: &str) -> bool {
    text.parse::<HeaderName>().is_ok()
}
