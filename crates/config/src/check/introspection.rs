//! `introspection` of an issuer: the endpoint that is asked about opaque tokens.

use narthex_fetch::keys::Endpoint;
use narthex_introspection::IntrospectionSettings;
use narthex_settings_reader::{Problem, Span};
use toml::Spanned;

use super::keys::Source;
use super::{Check, Reported};
use crate::IssuerIntrospection;
use crate::file::IssuerSection;

impl Check<'_> {
    /// The introspection endpoint of an issuer, if it has one.
    pub(crate) fn introspection(
        &mut self,
        section: &IssuerSection,
        source: Option<Source>,
    ) -> Result<Option<IssuerIntrospection>, Reported> {
        let Some(written) = section.introspection.value() else {
            let missing = section.introspection.span().is_none();
            return if missing { Ok(None) } else { Err(Reported) };
        };
        let (Some(url), Some(client_id)) = (written.url.spanned(), written.client_id.spanned()) else {
            return Err(Reported);
        };
        let audiences = self.asked_audiences(section, url.span());
        self.untrimmed("`client_id`", [client_id]);
        let file = written.client_secret_file.spanned().ok_or(Reported)?;
        let client_secret = self.one_line_secret("client_secret_file", file)?;
        // The access to fetched keys is checked with them.
        let access = match source {
            Some(source) if source.is_fetched() => self.unchecked_access(section),
            _ => self.access(section).ok_or(Reported)?,
        };
        let text = url.get_ref().0.as_str();
        self.public_address("url", text, &url.span()).ok_or(Reported)?;
        if let Err(cause) = Endpoint::check(text, &access) {
            self.problems
                .push(Problem::error(url.span(), format!("`url` cannot be asked: {cause}")));
            return Err(Reported);
        }
        audiences?;
        Ok(Some(IssuerIntrospection {
            url: text.to_owned(),
            settings: IntrospectionSettings {
                client_id: Spanned::get_ref(client_id).clone(),
                client_secret,
            },
            access,
        }))
    }

    /// SECURITY: an identity provider answers for the tokens of many applications.
    fn asked_audiences(&mut self, section: &IssuerSection, place: Span) -> Result<(), Reported> {
        if section.audiences.is_bad() || !section.audiences.value().is_empty() {
            return Ok(());
        }
        let problem = Problem::error(place, "an issuer with `introspection` needs `audiences`");
        self.problems.push(
            problem.help(
                "list those of this application: an identity provider answers for the tokens of many applications",
            ),
        );
        Err(Reported)
    }
}
