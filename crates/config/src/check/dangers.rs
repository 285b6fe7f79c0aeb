//! Settings that are valid and dangerous. Each is a warning: the operator may have reasons that the file does not show.

use std::time::Duration;

use narthex_mapping::claim_paths;
use narthex_settings_reader::{Optional, Problem};
use toml::Spanned;

use super::Check;
use crate::file::{ConfigFile, IssuerSection, ListenSection};
use crate::values::TemplateText;

/// The longest leeway that a clock may need.
const LEEWAY_MOST: Duration = Duration::from_mins(10);

/// The standard claims and those of common providers that users fill in themselves, or have changed for them.
const CHOSEN_BY_USERS: [&str; 22] = [
    "preferred_username",
    "username",
    "user_name",
    "login",
    "nickname",
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "display_name",
    "unique_name",
    "upn",
    "email",
    "phone_number",
    "address",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
];

impl Check<'_> {
    /// Warns of every setting that is valid and dangerous.
    pub(crate) fn dangers(&mut self, file: &ConfigFile) {
        // What cannot be used is no danger yet.
        if self.problems.errors() > 0 {
            return;
        }
        self.open_admin_port(file.listen.value());
        let sections: Vec<&IssuerSection> = file.issuer.value().iter().map(Spanned::get_ref).collect();
        for section in &sections {
            self.issuer_dangers(section, &sections);
        }
    }

    /// Warns of every setting of an issuer that is valid and dangerous. `all` are the issuers of its document.
    pub(crate) fn issuer_dangers(&mut self, section: &IssuerSection, all: &[&IssuerSection]) {
        // What cannot be used is no danger yet.
        if self.problems.errors() > 0 {
            return;
        }
        self.long_leeway(section);
        self.danger_keys(section);
        self.chosen_user_key(section, all);
        self.chosen_tags(section);
        self.chosen_organization(section);
    }

    fn open_admin_port(&mut self, listen: &ListenSection) {
        if listen.admin.value().ip().is_unspecified() {
            let message = "the admin port listens on every address of this machine";
            let help = "it is for operators: write a loopback or an internal address, such as `\"127.0.0.1:8081\"`, or let \
                        no other network reach it";
            self.problems
                .push(Problem::warning(listen.admin.span(), message).help(help));
        }
    }

    fn long_leeway(&mut self, section: &IssuerSection) {
        if *section.leeway.value() > LEEWAY_MOST {
            let message = "tokens are accepted this long after their `exp` and before their `nbf`";
            let help = "`\"60s\"` is enough for synchronized clocks; no clock needs more than `\"10m\"`";
            self.problems
                .push(Problem::warning(section.leeway.span(), message).help(help));
        }
    }

    /// Names what the file itself calls a danger.
    fn danger_keys(&mut self, section: &IssuerSection) {
        let (endless, short) = (&section.danger_tokens_without_exp, &section.danger_short_secret);
        if *endless.value() {
            let message = "tokens of this issuer need not expire: a leaked token works until the secret is changed";
            let help = "have the sender put `exp` into its tokens, and remove `danger_tokens_without_exp`";
            self.problems.push(Problem::warning(endless.span(), message).help(help));
        }
        let bound = &section.danger_bound_tokens_as_bearer;
        if *bound.value() {
            let message = "tokens that are bound to a key of their sender are accepted without proof of that key: a stolen token works";
            let help =
                "have the issuer give bearer tokens for this application, and remove `danger_bound_tokens_as_bearer`";
            self.problems.push(Problem::warning(bound.span(), message).help(help));
        }
        if *short.value() {
            let message =
                "a short secret can be guessed from one token, and an attacker can then sign tokens of this issuer";
            let help = "make a long one with `openssl rand -hex 32`, then remove `danger_short_secret`";
            self.problems.push(Problem::warning(short.span(), message).help(help));
        }
    }

    // SECURITY: the key decides which user a token is. A user who can choose it can be another one.
    fn chosen_user_key(&mut self, section: &IssuerSection, all: &[&IssuerSection]) {
        let user = section.mapping.value().user.value();
        let (key, written, claim) = match (user.external_id.spanned(), user.username.spanned()) {
            (Some(external_id), _) => ("external_id", external_id, chosen_claim(&external_id.get_ref().0)),
            (None, Some(username)) if user.external_id.span().is_none() => {
                let other = claim_paths(&username.get_ref().0)
                    .into_iter()
                    .find(|path| *path != ["sub"]);
                ("username", username, other.map(|path| path.join(".")))
            }
            _ => return,
        };
        let Some(claim) = claim else { return };
        let sharing: Vec<String> = all
            .iter()
            .filter(|other| realm(other).is_some() && realm(other) == realm(section))
            .filter_map(|other| other.name.value())
            .map(|name| format!("`{name}`"))
            .collect();
        let message = if sharing.len() > 1 {
            format!(
                "a user who gets another user's `{claim}` at one of the issuers {} becomes that user, with every role in the realm",
                sharing.join(", ")
            )
        } else if key == "username" {
            format!("`external_id` is not mapped, so `{claim}` decides which user a token is")
        } else {
            format!("`{claim}` decides which user a token is, and users can change it")
        };
        let help = "map both, before the first users come: `external_id = \"{{payload.sub}}\"`, which never changes, and \
                    `username` for the name";
        self.problems.push(Problem::warning(written.span(), message).help(help));
    }

    // SECURITY: tags give roles. A user who can write them can have any role.
    fn chosen_tags(&mut self, section: &IssuerSection) {
        let Some(claim) = section.tags.value().and_then(|tags| tags.claim.spanned()) else {
            return;
        };
        let text = claim.get_ref();
        let mut read = claim_paths(text);
        if !text.contains("{{") {
            read = vec![vec![text.clone()]];
        }
        let user = section.mapping.value().user.value();
        let filled_in = [&user.username, &user.name, &user.email]
            .into_iter()
            .filter_map(Optional::value)
            .flat_map(|TemplateText(text)| claim_paths(text))
            .filter(|path| *path != ["sub"]);
        let filled_in: Vec<Vec<String>> = filled_in.collect();
        let chosen = read
            .into_iter()
            .find(|path| is_chosen(path) || filled_in.contains(path));
        if let Some(path) = chosen {
            let message = format!(
                "tags give roles, and `{}` is a claim that users choose themselves",
                path.join(".")
            );
            let help =
                "take the tags from a claim that only the identity provider fills in, such as `groups` or `roles`";
            self.problems.push(Problem::warning(claim.span(), message).help(help));
        }
    }

    // SECURITY: the claim that names the organization gives a role in it.
    fn chosen_organization(&mut self, section: &IssuerSection) {
        let mapping = section.mapping.value();
        let (organization, team) = (mapping.organization.value(), mapping.team.value());
        for (what, written) in [
            ("the organizations", &organization.each),
            ("the organization", &organization.external_id),
            ("the role in it", &organization.role),
            ("the team", &team.external_id),
            ("the role in it", &team.role),
        ] {
            let Some(written) = written.spanned() else { continue };
            if let Some(claim) = chosen_claim(&written.get_ref().0) {
                let message = format!("`{claim}` decides {what}, and users can change it");
                let help = "take it from a claim that only the identity provider fills in";
                self.problems.push(Problem::warning(written.span(), message).help(help));
            }
        }
    }
}

fn realm(section: &IssuerSection) -> Option<&String> {
    section.realm.value().or(section.name.value())
}

/// The claim in this template that users choose, if there is one.
fn chosen_claim(template: &str) -> Option<String> {
    let path = claim_paths(template).into_iter().find(|path| is_chosen(path))?;
    Some(path.join("."))
}

fn is_chosen(path: &[String]) -> bool {
    matches!(path, [only] if CHOSEN_BY_USERS.contains(&only.as_str()))
}
