//! `[secrets]`, `[connections]` and `[webhook]`.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use narthex_engine::{SealingKey, SealingKeys};
use narthex_fetch::outbound::{HostPattern, OutboundLimits, Policy};
use narthex_fetch::ssrf_guard::{Guard, Loopback};
use narthex_settings_reader::{Problem, Size, Span};
use toml::Spanned;

use super::{Check, within};
use crate::Webhook;
use crate::file::{ConnectionsSection, SecretsSection, WebhookSection};
use crate::secret::Secret;

/// Environment variable with the key when no file is named.
const KEY_VARIABLE: &str = "NARTHEX_SECRET_KEY";
/// Environment variable with the previous key.
const PREVIOUS_KEY_VARIABLE: &str = "NARTHEX_SECRET_KEY_PREVIOUS";
/// The largest file that holds a key.
const KEY_FILE_BYTES_MOST: u64 = 4 * 1024;
/// The largest answer a connection may read.
const RESPONSE_SIZE_MOST: Size = Size(64 << 20);
/// Permitted time limits of one request of a connection.
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(5);

impl Check<'_> {
    /// The keys that secrets in the store are sealed with, if there are any.
    pub(crate) fn sealing(&mut self, written: &SecretsSection, section: &Span) -> Option<Arc<SealingKeys>> {
        let current = self.sealing_key("key_file", written.key_file.spanned(), KEY_VARIABLE, section);
        let previous = self.sealing_key(
            "previous_key_file",
            written.previous_key_file.spanned(),
            PREVIOUS_KEY_VARIABLE,
            section,
        );
        match (current, previous) {
            (Some(current), previous) => Some(Arc::new(SealingKeys::new(current, previous))),
            (None, Some(_)) => {
                let problem = Problem::error(section.clone(), "there is a previous secret key, but no current one");
                self.problems
                    .push(problem.help("name it with `key_file`, or set `NARTHEX_SECRET_KEY`"));
                None
            }
            (None, None) => None,
        }
    }

    fn sealing_key(
        &mut self,
        key: &'static str,
        file: Option<&Spanned<PathBuf>>,
        variable: &str,
        section: &Span,
    ) -> Option<SealingKey> {
        let (secret, span, named) = if let Some(file) = file {
            if self.environment.is_world_readable(file.get_ref()) {
                let problem = Problem::warning(file.span(), "every user of this machine can read this key");
                self.problems
                    .push(problem.help("remove the permission, such as with `chmod o-r`"));
            }
            let bytes = self.read(key, file.get_ref(), &file.span(), KEY_FILE_BYTES_MOST)?;
            (Secret::new(bytes), file.span(), format!("`{key}`"))
        } else {
            let value = self.environment.variable(variable)?;
            let named = format!("the environment variable `{variable}`");
            (Secret::new(value.into_encoded_bytes()), section.clone(), named)
        };
        SealingKey::parse(secret.expose())
            .map_err(|cause| self.error(span, format!("{named} is no secret key: {cause}")))
            .ok()
    }

    /// Checks the hosts and the time limit of webhooks.
    pub(crate) fn webhook(&mut self, written: &WebhookSection) -> Webhook {
        self.private_hosts(written.allow_private_hosts.value());
        let hosts = written.allow_private_hosts.value().iter();
        Webhook {
            allow_private_hosts: hosts.map(|host| host.get_ref().clone()).collect(),
            timeout: within(&mut self.problems, "timeout", &written.timeout, &TIMEOUTS),
        }
    }

    /// Checks the hosts that connections may call, and the limits of a request.
    pub(crate) fn connections(&mut self, written: &ConnectionsSection) -> Policy {
        let response_size = *written.response_size.value();
        if response_size > RESPONSE_SIZE_MOST {
            self.error(
                written.response_size.span(),
                "`response_size` must be at most `\"64MiB\"`",
            );
        }
        let total = within(&mut self.problems, "timeout", &written.timeout, &TIMEOUTS);
        let mut patterns = Vec::new();
        for host in written.allowed_hosts.value() {
            match host.get_ref().trim().parse::<HostPattern>() {
                Ok(pattern) => patterns.push(pattern),
                Err(cause) => self.error(host.span(), format!("`{}` is no host: {cause}", host.get_ref())),
            }
        }
        self.private_hosts(written.allow_private_hosts.value());
        let private: Vec<&str> = written
            .allow_private_hosts
            .value()
            .iter()
            .map(|host| host.get_ref().as_str())
            .collect();
        Policy {
            guard: Guard::new(private, Loopback::Refused),
            limits: OutboundLimits {
                total,
                response_bytes: usize::try_from(response_size.0).unwrap_or(usize::MAX),
                redirects: usize::try_from(written.redirects.value().0).unwrap_or(usize::MAX),
                ..OutboundLimits::default()
            },
            ..Policy::listed(patterns)
        }
    }
}
