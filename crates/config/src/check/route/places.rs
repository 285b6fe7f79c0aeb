//! Places in which a route or an issuer looks for tokens.

use http::HeaderName;
use narthex_engine::TokenPlaces;

use super::super::{Check, header_names};
use crate::read::Optional;

impl Check<'_> {
    /// Reads the places besides `Authorization` that may carry a token.
    pub(crate) fn token_places(
        &mut self,
        header: &Optional<String>,
        cookie: &Optional<String>,
        query: &Optional<String>,
    ) -> Option<TokenPlaces> {
        let mut usable = true;
        let mut places = TokenPlaces::default();
        if let Some(written) = header.spanned() {
            match header_names::chosen(written.get_ref()) {
                Ok(name) => places.headers.push(name),
                Err(why) => {
                    self.error(written.span(), format!("`token_header` {why}"));
                    usable = false;
                }
            }
        }
        if let Some(written) = cookie.spanned() {
            // SPEC: RFC 6265 4.1.1: a cookie's name is a token, as a header's is.
            if written.get_ref().parse::<HeaderName>().is_err() {
                self.error(
                    written.span(),
                    format!("`{}` cannot be the name of a cookie", written.get_ref()),
                );
                usable = false;
            }
            places.cookies.push(written.get_ref().clone());
        }
        places.query_parameters.extend(query.value().cloned());
        usable.then_some(places)
    }
}
