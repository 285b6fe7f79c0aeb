//! `[store]`: one place, and the connections to it.

use std::path::Path;

use narthex_store::PostgresOptions;

use super::Check;
use crate::config::StoreLocation;
use crate::config::file::StoreSection;
use crate::config::problem::{Problem, Span};
use crate::config::secret::Secret;

/// The file that is used if none is named.
const STORE_DEFAULT: &str = "narthex.db";
/// The largest file that holds a URL.
const URL_BYTES_MOST: u64 = 64 * 1024;
/// The largest file of certificates.
const CERTIFICATES_BYTES_MOST: u64 = 4 * 1024 * 1024;

/// A URL, and where it is written.
struct Written {
    text: String,
    span: Span,
    /// It is in the configuration file itself, where a password must not be.
    here: bool,
}

impl Check<'_> {
    pub(super) fn store(&mut self, section: &StoreSection) -> StoreLocation {
        let mut named = [
            ("path", section.path.span()),
            ("url", section.url.span()),
            ("url_file", section.url_file.span()),
            ("url_env", section.url_env.span()),
        ]
        .into_iter()
        .filter_map(|(key, span)| span.map(|span| (key, span)))
        .collect::<Vec<_>>();
        named.sort_by_key(|(_, span)| span.start);
        if let Some(((first, place), others)) = named.split_first() {
            for (other, span) in others {
                let message = format!("`{first}` and `{other}` both say where the store is");
                let problem = Problem::error(span.clone(), message).context(place.clone(), format!("`{first}`"));
                self.problems.push(problem.help("keep one of them"));
            }
        }
        let location = match (section.path.value(), self.written_url(section)) {
            (None, Some(url)) => self.store_url(section, &url),
            (path, _) => path.map(|path| StoreLocation::Sqlite(self.surroundings.path(path))),
        };
        if let (true, Some(StoreLocation::Sqlite(_)) | None) = (section.connections.is_written(), &location) {
            let problem = Problem::error(section.connections.span(), "`connections` does nothing with SQLite");
            self.problems.push(problem.help("it goes with a `postgres://` URL"));
        }
        if let Some(StoreLocation::Sqlite(path)) = &location
            && let Some((_, place)) = named.first()
            && self.surroundings.is_directory(path)
        {
            let problem = Problem::error(place.clone(), "the store is a file, and this is a directory");
            self.problems
                .push(problem.help("name a file in it; it is made if it is missing"));
        }
        // Without a place that can be used there is a problem, or nothing was said.
        location.unwrap_or_else(|| StoreLocation::Sqlite(self.surroundings.path(Path::new(STORE_DEFAULT))))
    }

    fn written_url(&mut self, section: &StoreSection) -> Option<Written> {
        if let Some(url) = section.url.spanned() {
            return Some(Written {
                text: url.get_ref().clone(),
                span: url.span(),
                here: true,
            });
        }
        let (key, bytes, span) = if let Some(file) = section.url_file.spanned() {
            if self.surroundings.is_world_readable(file.get_ref()) {
                let problem = Problem::warning(file.span(), "everybody on this machine can read this file");
                self.problems
                    .push(problem.help("take the permission away, such as with `chmod o-r`, if it holds a password"));
            }
            let bytes = self.read("url_file", file.get_ref(), &file.span(), URL_BYTES_MOST)?;
            ("url_file", bytes, file.span())
        } else {
            let name = section.url_env.spanned()?;
            let Some(value) = self.surroundings.variable(name.get_ref()) else {
                let message = format!("the environment variable `{}` is not set", name.get_ref());
                self.error(name.span(), message);
                return None;
            };
            ("url_env", value.into_encoded_bytes(), name.span())
        };
        let secret = Secret::new(bytes);
        let Ok(text) = str::from_utf8(secret.expose()) else {
            self.error(span, format!("what `{key}` names is not UTF-8"));
            return None;
        };
        Some(Written {
            text: text.to_owned(),
            span,
            here: false,
        })
    }

    fn store_url(&mut self, section: &StoreSection, url: &Written) -> Option<StoreLocation> {
        match url.text.split_once(':') {
            Some(("sqlite", path)) if !path.trim_start_matches('/').is_empty() => {
                Some(StoreLocation::Sqlite(self.surroundings.path(sqlite_path(path))))
            }
            Some(("postgres" | "postgresql", _)) => self.postgres(section, url),
            _ => {
                let problem = Problem::error(url.span.clone(), "this is not the URL of a store");
                self.problems.push(problem.help(
                    "write `sqlite:` and the path of a file, such as `\"sqlite:narthex.db\"`, or \
                     `\"postgres://USER@HOST/DATABASE\"`",
                ));
                None
            }
        }
    }

    fn postgres(&mut self, section: &StoreSection, url: &Written) -> Option<StoreLocation> {
        let options = match PostgresOptions::parse(&url.text) {
            Ok(options) => options,
            Err(cause) => {
                self.error(
                    url.span.clone(),
                    format!("the URL of the store cannot be used: {cause}"),
                );
                return None;
            }
        };
        // SECURITY: no secret is in the file, which is copied, committed and sent around.
        if url.here && options.has_password() {
            let problem = Problem::error(url.span.clone(), "`url` holds a password");
            self.problems.push(problem.help(
                "put the whole URL into a file that `url_file` names, or into an environment variable that `url_env` \
                 names",
            ));
            return None;
        }
        if options.trusts_anybody() {
            let message = "with this `sslmode`, whoever answers is taken for the database";
            let problem = Problem::warning(url.span.clone(), message);
            self.problems
                .push(problem.help("`sslmode=verify-full` checks its certificate; it is the default"));
        }
        let connections = usize::try_from(section.connections.value().0).unwrap_or(usize::MAX);
        let options = options.with_connections(connections);
        let authorities = options.authorities_path().map(Path::to_path_buf);
        let options = match authorities {
            None => options,
            Some(path) => {
                let pem = self.read("sslrootcert", &path, &url.span, CERTIFICATES_BYTES_MOST)?;
                if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
                    let message = "`sslrootcert` holds no PEM certificate (`-----BEGIN CERTIFICATE-----`)";
                    self.error(url.span.clone(), message);
                    return None;
                }
                options.with_authorities(pem)
            }
        };
        Some(StoreLocation::Postgres(Box::new(options)))
    }
}

/// `sqlite:a.db` and `sqlite://a.db` are relative, `sqlite:/a.db` and `sqlite:///a.db` are absolute.
fn sqlite_path(rest: &str) -> &Path {
    Path::new(rest.strip_prefix("//").unwrap_or(rest))
}
