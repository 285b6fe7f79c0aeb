//! `[login]`, `[session]`, and the client of an issuer for sign-in.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use narthex_directory::IssuerName;
use narthex_engine::{SignInSettings, SignInTarget, WebOrigin};
use narthex_fetch::keys::IssuerEndpoints;
use narthex_openid::ClientSettings;
use narthex_settings_reader::{List, Problem, Provenance, Section, Span, did_you_mean};
use narthex_token::{BoundTokens, IssuerPolicy, KeySource as KeyKind, TrustedIssuer};
use toml::Spanned;
use zeroize::Zeroizing;

use super::keys::Source;
use super::{Check, Reported, within};
use crate::IssuerLogin;
use crate::file::{ConfigFile, IssuerSection, LoginSection};
use crate::secret::Secret;

/// The largest file that holds a client's secret.
const SECRET_BYTES_MOST: u64 = 4 * 1024;
/// Permitted idle limits. Uses are recorded once a minute.
const IDLE: RangeInclusive<Duration> = Duration::from_mins(2)..=Duration::from_hours(30 * 24);
/// Permitted absolute limits.
const LIFE: RangeInclusive<Duration> = Duration::from_mins(5)..=Duration::from_hours(366 * 24);

impl Check<'_> {
    /// Sign-in and the lifetime of sessions.
    pub(crate) fn sign_in(&mut self, file: &ConfigFile, has_key: bool) -> SignInSettings {
        self.secret_key_for_sessions(file, has_key);
        let session = file.session.value();
        let idle = within(&mut self.problems, "idle", &session.idle, &IDLE);
        let max = within(&mut self.problems, "max", &session.max, &LIFE);
        if idle > max {
            let problem = Problem::error(session.idle.span(), "`idle` is longer than `max`");
            self.problems.push(problem.context(session.max.span(), "`max`"));
        }
        let milliseconds = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let mut settings = SignInSettings {
            session_idle_ms: milliseconds(idle),
            session_max_ms: milliseconds(max),
            ..SignInSettings::default()
        };
        if let Some(login) = file.login.value() {
            settings.origins = self.login_origins(login);
            settings.target = self.login_target(login, file.issuer.value());
        }
        settings
    }

    /// The place where users sign in.
    fn login_target(&mut self, login: &LoginSection, issuers: &List<IssuerSection>) -> Option<SignInTarget> {
        match (login.issuer.spanned(), login.url.spanned()) {
            (Some(name), None) => self.login_issuer(name, issuers).map(SignInTarget::Issuer),
            (None, Some(url)) => Some(SignInTarget::Url(url.get_ref().0.to_string())),
            (Some(name), Some(url)) => {
                let problem = Problem::error(url.span(), "`issuer` and `url` both say where users sign in");
                self.problems
                    .push(problem.context(name.span(), "`issuer`").help("keep one of them"));
                None
            }
            (None, None) => {
                if login.issuer.span().is_none() && login.url.span().is_none() {
                    let problem = Problem::error(login.header(), "`[login]` does not say where users sign in");
                    self.problems
                        .push(problem.help("name an issuer with `issuer`, or a page of your own with `url`"));
                }
                None
            }
        }
    }

    /// The issuer that users sign in at.
    fn login_issuer(&mut self, name: &Spanned<String>, issuers: &List<IssuerSection>) -> Option<IssuerName> {
        let text = name.get_ref();
        let sections = || issuers.iter().map(Spanned::get_ref);
        let Some(section) = sections().find(|section| section.name.value() == Some(text)) else {
            let names = sections().filter_map(|section| section.name.value().map(String::as_str));
            let problem = Problem::error(name.span(), format!("there is no issuer `{text}`"));
            self.problems.push(problem.maybe_help(did_you_mean(text, names)));
            return None;
        };
        if section.client_id.span().is_none() {
            let problem = Problem::error(name.span(), format!("the issuer `{text}` has no `client_id`"));
            let help = "register Narthex as a client there, and write its id and secret with `client_id` and \
                        `client_secret_file`";
            self.problems
                .push(problem.context(section.header(), "this one").help(help));
        }
        if !*section.enabled.value() {
            let problem = Problem::error(name.span(), format!("the issuer `{text}` is not enabled"));
            self.problems.push(problem.context(section.enabled.span(), "here"));
        }
        IssuerName::new(text.as_str()).ok()
    }

    /// The origins that sign-in serves.
    fn login_origins(&mut self, login: &LoginSection) -> Vec<WebOrigin> {
        let written = login.origins.value();
        if written.is_empty() && !login.origins.is_bad() {
            let problem = Problem::error(login.header(), "`[login]` serves no origin");
            self.problems.push(
                problem
                    .help("list the origins of your applications, such as `origins = [\"https://app.example.com\"]`"),
            );
        }
        let mut origins = Vec::new();
        for text in written {
            match WebOrigin::parse(text.get_ref()) {
                // SECURITY: over plain http, every machine in between reads the cookie, and no browser keeps a `__Host-` cookie.
                Some(origin) if !origin.is_secure_context() => {
                    let message = format!("sessions need https, and `{}` is plain http", text.get_ref());
                    let problem = Problem::error(text.span(), message);
                    self.problems
                        .push(problem.help("write the https origin; plain http is for names of this machine only"));
                }
                Some(origin) if origins.contains(&origin) => {
                    self.error(text.span(), format!("`{}` is there twice", text.get_ref()));
                }
                Some(origin) => origins.push(origin),
                None => {
                    let problem = Problem::error(text.span(), format!("`{}` is not an origin", text.get_ref()));
                    self.problems.push(problem.help(
                        "write scheme, host and, if it is not the usual one, port, without a path: `\"https://app.example.com\"`",
                    ));
                }
            }
        }
        origins
    }

    /// Refuses sign-in without the key that sessions are encrypted with.
    fn secret_key_for_sessions(&mut self, file: &ConfigFile, has_key: bool) {
        // A key that cannot be used is reported already.
        let secrets = file.secrets.value();
        if has_key || secrets.key_file.span().is_some() || secrets.previous_key_file.span().is_some() {
            return;
        }
        let mut sections = file.issuer.value().iter().map(Spanned::get_ref);
        let client = sections.find_map(|section| section.client_id.span());
        let login = file.login.value().and_then(|login| login.issuer.span());
        let mut sections = file.issuer.value().iter().map(Spanned::get_ref);
        let embedded = sections.find_map(|section| {
            let is_written = section.frame_ancestors.is_written();
            is_written.then(|| section.frame_ancestors.span())
        });
        let Some(span) = login.or(client).or(embedded) else {
            return;
        };
        let problem = Problem::error(span, "sign-in needs a secret key, and there is none");
        self.problems.push(problem.help(
            "make one with `openssl rand -base64 32 > secret.key`, and name it with `key_file = \"secret.key\"` in `[secrets]`, or \
             set `NARTHEX_SECRET_KEY`",
        ));
    }

    /// The client at an issuer, if it has one.
    pub(crate) fn issuer_login(
        &mut self,
        section: &IssuerSection,
        source: Option<Source>,
        terms: Option<&IssuerPolicy>,
    ) -> Result<Option<IssuerLogin>, Reported> {
        let Some(client_id) = section.client_id.spanned() else {
            return self.no_client(section);
        };
        self.untrimmed("`client_id`", [client_id]);
        let client_secret = self.client_secret(section)?;
        let issuer = self.provider(section, client_id.span(), source)?;
        // The access to fetched keys is checked with them.
        let access = match source {
            Some(source) if source.is_fetched() => self.unchecked_access(section),
            _ => self.access(section).ok_or(Reported)?,
        };
        let checked = IssuerEndpoints::check(issuer.get_ref(), &access);
        if let Err(cause) = checked {
            let message = format!("`issuer` cannot be asked for its sign-in: {cause}");
            let problem = Problem::error(issuer.span(), message);
            self.problems.push(problem.context(client_id.span(), "because of this"));
            return Err(Reported);
        }
        // SECURITY: the client id is the one audience of its ID tokens, and no audience of other tokens.
        let terms = IssuerPolicy {
            audiences: vec![client_id.get_ref().clone()],
            audience_claims: vec!["aud".to_owned()],
            // An ID token comes from the token endpoint, and is bound to no key.
            bound_tokens: BoundTokens::Refused,
            ..terms.ok_or(Reported)?.clone()
        };
        // What is wrong with the terms is reported with those of other tokens.
        let trusted = TrustedIssuer::new(terms).map_err(|_| Reported)?;
        Ok(Some(IssuerLogin {
            issuer: issuer.get_ref().clone(),
            trusted: Arc::new(trusted),
            client: ClientSettings {
                client_id: client_id.get_ref().clone(),
                client_secret,
                scopes: section
                    .scopes
                    .value()
                    .iter()
                    .map(|scope| scope.get_ref().clone())
                    .collect(),
            },
            access,
        }))
    }

    /// Refuses what does nothing without a client id.
    fn no_client(&mut self, section: &IssuerSection) -> Result<Option<IssuerLogin>, Reported> {
        let scopes = section.scopes.is_written().then(|| section.scopes.span());
        for (key, span) in [
            ("client_secret_file", section.client_secret_file.span()),
            ("scopes", scopes),
        ] {
            if let Some(span) = span {
                self.error(span, format!("`{key}` does nothing without `client_id`"));
            }
        }
        if section.client_id.span().is_some() {
            return Err(Reported);
        }
        Ok(None)
    }

    /// The URL of an issuer that users can sign in at.
    fn provider<'s>(
        &mut self,
        section: &'s IssuerSection,
        client_id: Span,
        source: Option<Source>,
    ) -> Result<&'s Spanned<String>, Reported> {
        let refuse = |check: &mut Self, message: &str, help: &str| {
            let problem = Problem::error(client_id.clone(), message);
            check.problems.push(problem.help(help));
            Reported
        };
        if source.is_some_and(|source| source.kind() == KeyKind::SharedSecret) {
            return Err(refuse(
                self,
                "sign-in needs an issuer with public keys",
                "write `discovery = true` or `jwks_url` in place of the shared secret",
            ));
        }
        if section.tenants.span().is_some() {
            return Err(refuse(
                self,
                "sign-in asks at one address, and `issuer` stands for many",
                "give each tenant that users sign in at an `[[issuer]]` of its own",
            ));
        }
        let issuer = section.issuer.spanned().ok_or(Reported)?;
        self.public_address("issuer", issuer.get_ref(), &issuer.span())
            .ok_or(Reported)?;
        Ok(issuer)
    }

    fn client_secret(&mut self, section: &IssuerSection) -> Result<Option<Zeroizing<String>>, Reported> {
        let Some(file) = section.client_secret_file.spanned() else {
            let missing = section.client_secret_file.span().is_none();
            return if missing { Ok(None) } else { Err(Reported) };
        };
        self.one_line_secret("client_secret_file", file).map(Some)
    }

    /// A secret that a file holds as one line of text.
    pub(crate) fn one_line_secret(
        &mut self,
        key: &'static str,
        file: &Spanned<PathBuf>,
    ) -> Result<Zeroizing<String>, Reported> {
        if self.provenance == Provenance::Api {
            return Err(Reported);
        }
        if self.environment.is_world_readable(file.get_ref()) {
            let problem = Problem::warning(file.span(), "every user of this machine can read this secret");
            self.problems
                .push(problem.help("remove the permission, such as with `chmod o-r`"));
        }
        let bytes = self.read(key, file.get_ref(), &file.span(), SECRET_BYTES_MOST);
        let secret = Secret::new(bytes.ok_or(Reported)?);
        match std::str::from_utf8(secret.expose()) {
            Ok(text) if !text.trim().is_empty() && !text.contains(['\n', '\r']) => Ok(Zeroizing::new(text.to_owned())),
            _ => {
                self.error(file.span(), format!("`{key}` holds no secret in one line of text"));
                Err(Reported)
            }
        }
    }
}
