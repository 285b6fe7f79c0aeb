//! Servers of upstreams, their authorities, and TLS of the ports.

use super::{read_toml, report_on};

/// Folder of the keys of tests, from the folder of the configurations.
const KEYS: &str = "../../../testkit/keys";

/// A configuration with a route that has these lines.
fn route(path: &str, lines: &str) -> String {
    format!("[[route]]\npath = \"{path}\"\nrequire = \"public\"\n{lines}\n")
}

#[test]
fn a_list_of_servers_is_read_in_its_order() {
    let text =
        route("/a", "upstream = [\"http://one:1\", \"http://two:2/\"]") + &route("/b", "upstream = \"h2c://one:1\"");
    let config = read_toml(&text).into_config_or_problems().unwrap();
    let upstreams = config.route_settings.iter().filter_map(|route| route.upstream.as_ref());
    let read: Vec<(String, Vec<String>)> = upstreams
        .map(|upstream| {
            let servers = upstream.servers.authorities().map(ToString::to_string);
            (upstream.audience.clone(), servers.collect())
        })
        .collect();
    let expected = [
        ("http://one:1".to_owned(), vec!["one:1".to_owned(), "two:2".to_owned()]),
        ("h2c://one:1".to_owned(), vec!["one:1".to_owned()]),
    ];
    assert_eq!(read, expected);
}

#[test]
fn servers_that_could_not_serve_one_route_are_refused() {
    for (lines, expected) in [
        (
            "upstream = [\"http://one\", \"https://two\"]",
            "must have the same scheme",
        ),
        (
            "upstream = [\"http://one\", \"h2c://two\"]",
            "must have the same scheme",
        ),
        ("upstream = [\"http://one:1\", \"http://ONE:1/\"]", "in the list twice"),
        ("upstream = []", "is an empty list"),
        ("upstream = [\"http://one\", \"two\"]", "`upstream` must begin with"),
        ("upstream_ca_file = \"ca.pem\"", "does nothing without `upstream`"),
        (
            "upstream = \"http://one\"\nupstream_ca_file = \"ca.pem\"",
            "does nothing without an `https://` upstream",
        ),
        (
            "upstream = \"https://one\"\nupstream_ca_file = \"no-such.pem\"",
            "there is no such file",
        ),
        (
            "upstream = \"https://one\"\nupstream_ca_file = \"good/full.toml\"",
            "`upstream_ca_file` cannot be used",
        ),
    ] {
        let report = report_on(&route("/a", lines));
        assert!(report.contains(expected), "{lines}\n{report}");
    }
}

/// Connections to a server are shared by its routes, so that they trust the same authorities.
#[test]
fn one_server_has_the_same_authorities_on_every_route() {
    let upstream = "upstream = [\"https://one\", \"https://two\"]";
    let authorities = |key: &str| format!("upstream = \"https://TWO\"\nupstream_ca_file = \"{KEYS}/{key}.crt\"");
    let both = |other: &str| route("/a", &authorities("rsa_1")) + &route("/b", other);
    for (other, is_usable) in [
        (authorities("rsa_1"), true),
        (authorities("rsa_2"), false),
        (upstream.to_owned(), false),
        ("upstream = \"https://one\"".to_owned(), true),
        ("upstream = \"http://two\"".to_owned(), true),
    ] {
        let reading = read_toml(&both(&other));
        assert_eq!(reading.is_usable(), is_usable, "{}", report_on(&both(&other)));
    }
    let report = report_on(&both(upstream));
    assert!(report.contains("another `upstream_ca_file`"), "{report}");
}

#[test]
fn a_port_with_tls_needs_a_certificate_and_its_key() {
    let listen = |lines: &str| format!("[listen]\npublic_tls = {{ {lines} }}\n");
    let (certificate, key) = (
        format!("certificate_file = \"{KEYS}/rsa_1.crt\""),
        format!("key_file = \"{KEYS}/rsa_1.pem\""),
    );
    let good = listen(&format!("{certificate}, {key}, client_ca_file = \"{KEYS}/rsa_2.crt\""));
    let config = read_toml(&good).into_config_or_problems().unwrap();
    assert!(config.listen.public_tls.is_some() && config.listen.admin_tls.is_none());
    assert_eq!(config.watched.len(), 3, "each is read again when it changes");
    for (lines, expected) in [
        (certificate.clone(), "`key_file` is missing"),
        (
            format!("{certificate}, key_file = \"{KEYS}/rsa_2.pem\""),
            "it is not the key of the certificate",
        ),
        (
            format!("certificate_file = \"good/full.toml\", {key}"),
            "`certificate_file` cannot be used",
        ),
        (
            format!("{certificate}, {key}, client_ca_file = \"good/full.toml\""),
            "`client_ca_file` cannot be used",
        ),
        (format!("{certificate}, {key}, ca = \"x\""), "unknown key `ca`"),
    ] {
        let report = report_on(&listen(&lines));
        assert!(report.contains(expected), "{lines}\n{report}");
    }
}
