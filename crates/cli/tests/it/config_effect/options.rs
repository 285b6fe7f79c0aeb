//! Every option of the configuration, from its schema: each has a case here, or a test elsewhere that would fail if it did
//! nothing, or a reason why no answer depends on it. A new option has to be put somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use toml::Table;

use super::{EFFECTS, LIMIT_EFFECTS, ORGANIZATION_EFFECTS, ROUTE_EFFECTS};

/// Options beside those of the lists, and the test in this module that changes them.
const HERE: &[(&str, &str)] = &[
    ("issuer.aliases", "sec_config_effect_of_combined_options"),
    ("issuer.on_invalid", "sec_config_effect_of_combined_options"),
    ("issuer.danger_short_secret", "sec_config_effect_of_shared_secrets"),
    (
        "issuer.danger_tokens_without_exp",
        "sec_config_effect_of_shared_secrets",
    ),
    ("issuer.secret_file", "sec_config_effect_of_shared_secrets"),
    ("issuer.stale_max", "sec_config_effect_of_times"),
    ("issuer.tags.lease", "sec_config_effect_of_times"),
    ("assertion.issuer", "sec_config_effect_of_times"),
    ("assertion.lifetime", "sec_config_effect_of_times"),
    ("route.forward_token", "sec_config_effect_of_routes"),
    ("issuer.mapping.context", "sec_config_effect_of_limits"),
    (
        "issuer.mapping.organization.role",
        "sec_config_effect_of_mapped_organizations",
    ),
    ("issuer.mapping.team.role", "sec_config_effect_of_mapped_organizations"),
    ("organization.external_id", "sec_config_effect_of_mapped_organizations"),
];

/// Options that another test is about: its name, or a scenario's. The file it is in speaks of the option.
const ELSEWHERE: &[(&str, &str)] = &[
    ("listen.trusted_proxies", "sec_xff_untrusted"),
    (
        "listen.proxy_protocol_from",
        "sec_the_client_of_a_load_balancer_is_the_one_that_it_states",
    ),
    (
        "listen.public_tls.certificate_file",
        "the_public_port_speaks_tls_and_takes_a_new_certificate",
    ),
    (
        "listen.public_tls.key_file",
        "the_public_port_speaks_tls_and_takes_a_new_certificate",
    ),
    (
        "listen.public_tls.client_ca_file",
        "sec_mutual_tls_needs_a_certificate_and_no_less_a_token",
    ),
    ("audit.file", "the_file_of_the_audit_trail_verifies_and_goes_on"),
    (
        "console.origin",
        "the_console_answers_for_its_origin_and_signs_browsers_in",
    ),
    ("login.issuer", "a_browser_signs_in_comes_back_and_signs_out"),
    ("login.url", "a_page_of_the_operator_takes_the_place_of_an_issuer"),
    ("login.origins", "only_a_navigation_is_sent_to_sign_in"),
    ("route.login", "only_a_navigation_is_sent_to_sign_in"),
    ("issuer.introspection.url", "opaque_tokens_are_asked_about_and_cached"),
    (
        "issuer.introspection.client_id",
        "opaque_tokens_are_asked_about_and_cached",
    ),
    (
        "issuer.introspection.client_secret_file",
        "opaque_tokens_are_asked_about_and_cached",
    ),
    ("issuer.dpop", "sec_dpop_token_needs_its_proof_at_each_door"),
    ("route.scopes", "sec_a_route_with_scopes_takes_no_token_without_them"),
    ("issuer.client_id", "sec_the_client_id_is_no_audience_of_other_tokens"),
    (
        "issuer.client_secret_file",
        "a_browser_signs_in_comes_back_and_signs_out",
    ),
    ("issuer.scopes", "the_scopes_of_an_issuer_are_asked_for"),
    ("issuer.frame_ancestors", "a_portal_signs_its_user_in_by_post"),
    (
        "limits.sync_changes_per_minute",
        "sec_config_effect_of_sync_changes_per_minute",
    ),
    ("route.method_override", "sec_method_override"),
    ("webhook.allow_private_hosts", "sec_webhooks_reach_no_private_host"),
    (
        "telemetry.otlp_endpoint",
        "a_collector_gets_the_spans_of_a_request_with_its_reason",
    ),
    (
        "route.organization",
        "a_member_is_let_in_wherever_the_request_names_the_organization",
    ),
    (
        "route.organization_header",
        "a_member_is_let_in_wherever_the_request_names_the_organization",
    ),
    (
        "route.organization_by",
        "a_member_is_let_in_wherever_the_request_names_the_organization",
    ),
    ("route.strip_prefix", "sec_a_prefix_is_stripped_at_the_end_of_a_segment"),
    ("route.headers.user_id", "sec_headers_under_chosen_names"),
    ("route.headers.external_id", "sec_headers_under_chosen_names"),
    ("route.headers.username", "sec_headers_under_chosen_names"),
    ("route.headers.email", "sec_headers_under_chosen_names"),
    ("route.headers.name", "sec_headers_under_chosen_names"),
    ("route.headers.organization", "sec_headers_under_chosen_names"),
    ("route.headers.organization_role", "sec_headers_under_chosen_names"),
    ("route.headers.platform_role", "sec_headers_under_chosen_names"),
    ("route.headers.roles", "sec_headers_under_chosen_names"),
    ("route.headers.tags", "sec_headers_under_chosen_names"),
    ("route.upgrades", "upgrades_are_those_that_the_route_names"),
    (
        "store.offline_max",
        "without_the_database_what_is_known_serves_on_for_a_while",
    ),
    ("issuer.issuer", "sec_cache_revocation"),
    ("issuer.tenants", "sec_tenants_of_one_provider"),
    ("issuer.audiences", "sec_cache_revocation"),
    ("issuer.jwks_url", "sec_cache_revocation"),
    ("issuer.realm", "sec_email_takeover"),
    ("issuer.organization", "sec_issuer_of_one_organization"),
    ("issuer.discovery", "discovery_is_remembered_until_it_leads_nowhere"),
    ("issuer.jwks_file", "the_answer_can_be_json"),
    ("issuer.ca_file", "sec_jwks_tls"),
    ("issuer.key_url", "key_ids_are_asked_for_one_by_one"),
    ("issuer.proxy", "a_proxy_carries_the_requests"),
    (
        "issuer.bearer_token_file",
        "a_bearer_token_is_read_at_every_fetch_and_stays_with_its_origin",
    ),
    ("issuer.mapping.user.external_id", "s1_creates_updates_and_links"),
    ("issuer.mapping.user.username", "s3_username_from_the_configured_claim"),
    ("issuer.mapping.user.email", "s1_creates_updates_and_links"),
    ("issuer.mapping.user.name", "s1_creates_updates_and_links"),
    ("issuer.mapping.user.timezone", "s1_creates_updates_and_links"),
    ("issuer.mapping.user.locale", "s1_creates_updates_and_links"),
    ("issuer.mapping.user.language", "s1_creates_updates_and_links"),
    (
        "issuer.mapping.organization.external_id",
        "s1_creates_updates_and_links",
    ),
    ("issuer.mapping.organization.each", "s1_each_states_all_organizations"),
    ("issuer.mapping.organization.name", "s1_creates_updates_and_links"),
    ("issuer.mapping.organization.timezone", "s1_creates_updates_and_links"),
    ("issuer.mapping.team.external_id", "s1_creates_updates_and_links"),
    ("issuer.mapping.team.name", "s1_creates_updates_and_links"),
    ("issuer.tags.platform_admin", "s3_promotes_and_demotes_platform_admins"),
    ("issuer.tags.pattern.match", "s3_tag_patterns"),
    ("issuer.tags.pattern.roles", "s3_tag_patterns"),
    ("issuer.tags.pattern.create", "s3_tag_patterns"),
    ("organization.tag_patterns", "s3_tag_patterns"),
    ("issuer.tags.on_missing", "s3_missing_tags_can_keep_or_empty"),
    ("issuer.tags.on_empty", "s3_empty_list_can_leave_manual_grants"),
    (
        "organization.membership",
        "an_external_only_organization_takes_no_role_by_hand",
    ),
    ("issuer.secret_format", "sec_config_effect_of_shared_secrets"),
    ("route.path", "sec_the_doors_agree_on_every_request"),
    ("route.require", "sec_the_doors_agree_on_every_request"),
    (
        "route.upstream_ca_file",
        "sec_an_upstream_is_trusted_by_the_authorities_of_its_route_alone",
    ),
    ("route.upstream", "sec_the_doors_agree_on_every_request"),
    ("route.audience", "sec_assertion_audience"),
    ("route.body_size", "a_body_larger_than_the_route_takes_is_refused"),
    (
        "route.upstream_timeout",
        "an_upstream_that_does_not_answer_in_time_is_a_gateway_timeout",
    ),
    ("limits.body_size", "a_body_larger_than_the_route_takes_is_refused"),
    (
        "limits.upstream_timeout",
        "an_upstream_that_does_not_answer_in_time_is_a_gateway_timeout",
    ),
    ("route.cors_origins", "sec_origin_of_cookie_tokens"),
    ("route.idle_timeout", "a_stream_that_says_nothing_is_cut_off"),
    ("limits.idle_timeout", "a_stream_that_says_nothing_is_cut_off"),
    ("limits.body_grace", "sec_stream_ends_with_its_token"),
    ("limits.upstream_requests", "sec_requests_under_way_to_one_upstream"),
    ("limits.rate", "too_many_requests_are_refused_at_each_door"),
    ("limits.header_timeout", "sec_slow_head"),
    (
        "connections.allowed_hosts",
        "a_member_uses_it_and_its_key_is_changed_without_a_pause",
    ),
    (
        "connections.allow_private_hosts",
        "a_member_uses_it_and_its_key_is_changed_without_a_pause",
    ),
    (
        "secrets.key_file",
        "a_member_uses_it_and_its_key_is_changed_without_a_pause",
    ),
    (
        "secrets.previous_key_file",
        "a_member_uses_it_and_its_key_is_changed_without_a_pause",
    ),
];

/// Options on which the answer to no request depends, and why.
const EXEMPT: &[(&str, &str)] = &[
    ("listen.public", "an address: without it nothing answers"),
    ("listen.admin", "an address: without it nothing answers"),
    (
        "listen.ext_authz",
        "an address: without it nothing answers Envoy, and the tests of `envoy` ask there",
    ),
    (
        "listen.admin_tls.certificate_file",
        "read by the same code as `public_tls`, whose tests are in `port_tls`",
    ),
    ("listen.admin_tls.key_file", "the same"),
    ("listen.admin_tls.client_ca_file", "the same"),
    ("listen.shutdown_grace", "how long the end may take"),
    ("store.path", "where the directory lies, not what it says"),
    ("store.url", "where the directory lies, not what it says"),
    ("store.url_file", "where the directory lies, not what it says"),
    ("store.url_env", "where the directory lies, not what it says"),
    ("store.connections", "how many questions wait"),
    ("store.pooled", "how the directory is reached, not what it says"),
    ("store.listen_url", "how the directory is reached, not what it says"),
    (
        "store.listen_url_file",
        "how the directory is reached, not what it says",
    ),
    ("store.listen_url_env", "how the directory is reached, not what it says"),
    ("issuer.name", "a name for people; what tells issuers apart is `issuer`"),
    (
        "issuer.secret_env",
        "another place for what `secret_file` names; read by the same code, and config/good tries it",
    ),
    ("organization.name", "what is named is there: every scenario has one"),
    ("organization.label", "shown to people only"),
    ("organization.contact_name", "shown to people only"),
    ("organization.contact_email", "shown to people only"),
    ("organization.website", "shown to people only"),
    ("organization.timezone", "shown to people only"),
    ("organization.logo_file", "shown to people only"),
    (
        "issuer.allow_private_hosts",
        "names that lead to private addresses, which a test's machine does not have; the gateway's tests have its rules",
    ),
    (
        "connections.timeout",
        "of connections; the policy has its tests in the gateway",
    ),
    (
        "connections.response_size",
        "of connections; the policy has its tests in the gateway",
    ),
    (
        "connections.redirects",
        "of connections; the policy has its tests in the gateway",
    ),
    (
        "cache.tokens",
        "how much is kept; an answer is the same with and without it",
    ),
    (
        "cache.accounts",
        "how much is kept; an answer is the same with and without it",
    ),
    (
        "webhook.timeout",
        "how long until a receiver that is away counts as such",
    ),
    ("limits.connections", "more wait"),
    ("limits.connections_per_client", "more are not answered at all"),
    (
        "limits.connect_timeout",
        "how long until an upstream that is away counts as such",
    ),
    (
        "limits.fetch_timeout",
        "how long until an issuer that is away counts as such",
    ),
    ("audit.retention", "how long events stay; the stores have its tests"),
    ("audit.refusals", "how long refusals stay; the stores have its tests"),
    (
        "session.idle",
        "how long a session stands unused; the stores have its tests",
    ),
    (
        "session.max",
        "how long a session stands at most; the stores have its tests",
    ),
    ("assertion.rotation", "old and new keys are published together"),
    ("log.level", "what is written"),
    ("log.format", "what is written"),
    ("log.access", "what is written, in `refused.rs`"),
];

/// The options of a schema, each by its place (`issuer.tags.claim`).
fn options(schema: &Value, place: &str, found: &mut BTreeSet<String>) {
    for (name, option) in schema["properties"].as_object().unwrap() {
        let place = if place.is_empty() {
            name.clone()
        } else {
            format!("{place}.{name}")
        };
        match [option, &option["items"]]
            .iter()
            .find(|inner| inner.get("properties").is_some())
        {
            Some(section) => options(section, &place, found),
            None => assert!(found.insert(place.clone()), "`{place}` is there twice"),
        }
    }
}

/// The options that the lines of the lists set.
fn set() -> BTreeSet<String> {
    let lines = (EFFECTS.iter().map(|effect| ("issuer", effect.line)))
        .chain(ROUTE_EFFECTS.iter().map(|effect| ("route", effect.line)))
        .chain(ORGANIZATION_EFFECTS.iter().map(|(line, ..)| ("organization", *line)))
        .chain(LIMIT_EFFECTS.iter().map(|(line, _)| ("limits", *line)));
    let mut found = BTreeSet::new();
    for (section, line) in lines {
        let table: Table = line.parse().unwrap();
        leaves(&table, section, &mut found);
    }
    found
}

fn leaves(table: &Table, place: &str, found: &mut BTreeSet<String>) {
    for (name, value) in table {
        let place = format!("{place}.{name}");
        match value {
            // What is in it is named by the user.
            toml::Value::Table(inner) if place != "issuer.required_claims" => leaves(inner, &place, found),
            toml::Value::Array(tables) if tables.iter().any(toml::Value::is_table) => {
                for inner in tables.iter().filter_map(toml::Value::as_table) {
                    leaves(inner, &place, found);
                }
            }
            _ => drop(found.insert(place)),
        }
    }
}

/// Names of tests, scenarios and files of tests, each with the text it is in.
fn tests(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests(&path, found);
            continue;
        }
        // This list speaks of every option.
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if stem == "options"
            || !path
                .extension()
                .is_some_and(|extension| extension == "rs" || extension == "toml")
        {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for part in text.split("fn ").skip(1) {
            let name: String = part
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            found.entry(name).or_default().push_str(&text);
        }
        found.entry(stem).or_default().push_str(&text);
    }
}

#[test]
fn sec_config_effect_of_every_option() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let schema = std::fs::read_to_string(root.join("docs/reference/config.schema.json")).unwrap();
    let mut all = BTreeSet::new();
    options(&serde_json::from_str(&schema).unwrap(), "", &mut all);
    let mut known = BTreeMap::new();
    for folder in [
        "crates/cli/tests/it",
        "crates/cli/tests/scenarios",
        "crates/fetch/tests",
        "crates/admin/tests",
    ] {
        tests(&root.join(folder), &mut known);
    }
    let mut wrong = Vec::new();
    let mut placed = set();
    for (option, test) in HERE.iter().chain(ELSEWHERE) {
        let key = option.rsplit('.').next().unwrap();
        match known.get(*test) {
            None => wrong.push(format!("`{option}`: there is no test `{test}`")),
            Some(text) if !text.contains(key) => wrong.push(format!("`{option}`: `{test}` does not speak of it")),
            Some(_) => {}
        }
        if !placed.insert((*option).to_owned()) {
            wrong.push(format!("`{option}` has a case, and need not be listed"));
        }
    }
    for (option, _) in EXEMPT {
        if !placed.insert((*option).to_owned()) {
            wrong.push(format!("`{option}` has a test and is exempt"));
        }
    }
    wrong.extend(
        all.difference(&placed)
            .map(|option| format!("`{option}` has no case: it may do nothing")),
    );
    wrong.extend(placed.difference(&all).map(|option| format!("`{option}` is no option")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
