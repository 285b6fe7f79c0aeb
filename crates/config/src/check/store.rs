//! `[store]`: one place, and the connections to it.

use std::path::{Path, PathBuf};

use narthex_settings_reader::{Optional, Problem, Span};
use narthex_store::PostgresOptions;

use super::Check;
use crate::StoreLocation;
use crate::file::StoreSection;
use crate::secret::Secret;

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
    /// Written in the configuration file itself, where a password must not be.
    here: bool,
}

/// The three keys of which one says where a URL is.
struct Keys<'s> {
    url: (&'static str, &'s Optional<String>),
    file: (&'static str, &'s Optional<PathBuf>),
    env: (&'static str, &'s Optional<String>),
}

impl Keys<'_> {
    fn named(&self) -> impl Iterator<Item = (&'static str, Option<Span>)> {
        [
            (self.url.0, self.url.1.span()),
            (self.file.0, self.file.1.span()),
            (self.env.0, self.env.1.span()),
        ]
        .into_iter()
    }
}

impl Check<'_> {
    pub(crate) fn store(&mut self, section: &StoreSection) -> StoreLocation {
        let keys = Keys {
            url: ("url", &section.url),
            file: ("url_file", &section.url_file),
            env: ("url_env", &section.url_env),
        };
        let path = ("path", section.path.span());
        let first = self.one_of(std::iter::once(path).chain(keys.named()), "where the store is");
        let location = match (section.path.value(), self.written_url(&keys)) {
            (None, Some(url)) => self.store_url(section, &url),
            (path, _) => path.map(|path| StoreLocation::Sqlite(self.environment.path(path))),
        };
        if let Some(StoreLocation::Sqlite(_)) | None = &location {
            self.of_postgres_only(section);
        }
        if let Some(StoreLocation::Sqlite(path)) = &location
            && let Some(place) = first
            && self.environment.is_directory(path)
        {
            let problem = Problem::error(place, "the store is a file, and this is a directory");
            self.problems
                .push(problem.help("name a file in it; Narthex creates the file if it is missing"));
        }
        // Without a place that can be used there is a problem, or nothing was said.
        location.unwrap_or_else(|| StoreLocation::Sqlite(self.environment.path(Path::new(STORE_DEFAULT))))
    }

    /// Span of the first of these keys that is written; each further one is a problem.
    fn one_of(&mut self, keys: impl Iterator<Item = (&'static str, Option<Span>)>, say: &str) -> Option<Span> {
        let mut named: Vec<(&str, Span)> = keys.filter_map(|(key, span)| span.map(|span| (key, span))).collect();
        named.sort_by_key(|(_, span)| span.start);
        let ((first, place), others) = named.split_first()?;
        for (other, span) in others {
            let message = format!("`{first}` and `{other}` both say {say}");
            let problem = Problem::error(span.clone(), message).context(place.clone(), format!("`{first}`"));
            self.problems.push(problem.help("keep one of them"));
        }
        Some(place.clone())
    }

    /// Keys that go with a PostgreSQL database.
    fn of_postgres_only(&mut self, section: &StoreSection) {
        let connections = section.connections.is_written().then(|| section.connections.span());
        for (key, span) in [
            ("connections", connections),
            ("pooled", section.pooled.span()),
            ("listen_url", section.listen_url.span()),
            ("listen_url_file", section.listen_url_file.span()),
            ("listen_url_env", section.listen_url_env.span()),
        ] {
            if let Some(span) = span {
                let problem = Problem::error(span, format!("`{key}` does nothing with SQLite"));
                self.problems.push(problem.help("it goes with a `postgres://` URL"));
            }
        }
    }

    fn written_url(&mut self, keys: &Keys<'_>) -> Option<Written> {
        if let Some(url) = keys.url.1.spanned() {
            return Some(Written {
                text: url.get_ref().clone(),
                span: url.span(),
                here: true,
            });
        }
        let (key, bytes, span) = if let (key, Some(file)) = (keys.file.0, keys.file.1.spanned()) {
            if self.environment.is_world_readable(file.get_ref()) {
                let problem = Problem::warning(file.span(), "every user of this machine can read this file");
                self.problems
                    .push(problem.help("remove the permission, such as with `chmod o-r`, if it holds a password"));
            }
            let bytes = self.read(key, file.get_ref(), &file.span(), URL_BYTES_MOST)?;
            (key, bytes, file.span())
        } else {
            let name = keys.env.1.spanned()?;
            let Some(value) = self.environment.variable(name.get_ref()) else {
                let message = format!("the environment variable `{}` is not set", name.get_ref());
                self.error(name.span(), message);
                return None;
            };
            (keys.env.0, value.into_encoded_bytes(), name.span())
        };
        let secret = Secret::new(bytes);
        let Ok(text) = str::from_utf8(secret.expose()) else {
            self.error(span, format!("the value that `{key}` names is not UTF-8"));
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
                Some(StoreLocation::Sqlite(self.environment.path(sqlite_path(path))))
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
        let keys = Keys {
            url: ("listen_url", &section.listen_url),
            file: ("listen_url_file", &section.listen_url_file),
            env: ("listen_url_env", &section.listen_url_env),
        };
        self.one_of(keys.named(), "where to listen");
        let direct = self.written_url(&keys);
        let direct = direct.map(|direct| self.postgres_url("listen_url", &direct));
        let connections = usize::try_from(section.connections.value().0).unwrap_or(usize::MAX);
        let mut options = self.postgres_url("url", url)?.with_connections(connections);
        if let Some(pooled) = section.pooled.value() {
            options = options.with_pooled(*pooled);
        }
        if let Some(direct) = direct {
            options = options.with_direct(direct?);
        }
        Some(StoreLocation::Postgres(Box::new(options)))
    }

    fn postgres_url(&mut self, key: &str, url: &Written) -> Option<PostgresOptions> {
        let options = match PostgresOptions::parse(&url.text) {
            Ok(options) => options,
            Err(cause) => {
                let whose = if key == "url" { "of the store" } else { "to listen at" };
                self.error(url.span.clone(), format!("the URL {whose} cannot be used: {cause}"));
                return None;
            }
        };
        // SECURITY: no secret is in the file, which is copied, committed and sent around.
        if url.here && options.has_password() {
            let problem = Problem::error(url.span.clone(), format!("`{key}` holds a password"));
            self.problems.push(problem.help(format!(
                "put the whole URL into a file that `{key}_file` names, or into an environment variable that \
                 `{key}_env` names"
            )));
            return None;
        }
        if options.trusts_anybody() {
            let message = "with this `sslmode`, any server can pose as the database";
            let problem = Problem::warning(url.span.clone(), message);
            self.problems
                .push(problem.help("`sslmode=verify-full` checks its certificate; it is the default"));
        }
        let Some(path) = options.authorities_path().map(Path::to_path_buf) else {
            return Some(options);
        };
        let pem = self.read("sslrootcert", &path, &url.span, CERTIFICATES_BYTES_MOST)?;
        if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
            let message = "`sslrootcert` holds no PEM certificate (`-----BEGIN CERTIFICATE-----`)";
            self.error(url.span.clone(), message);
            return None;
        }
        Some(options.with_authorities(pem))
    }
}

/// `sqlite:a.db` and `sqlite://a.db` are relative, `sqlite:/a.db` and `sqlite:///a.db` are absolute.
fn sqlite_path(rest: &str) -> &Path {
    Path::new(rest.strip_prefix("//").unwrap_or(rest))
}
