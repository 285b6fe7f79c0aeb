//! `deploy/`: what can be checked without a Docker engine, a cluster or a running systemd. The tools are the real ones:
//! systemd's own analysis, Docker Compose's reader, Helm, the schemas of Kubernetes, a linter of Dockerfiles.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use narthex_testkit::{process, repository};
use serde_json::Value;
use tempfile::TempDir;

use crate::commands::narthex;

/// Below this much `systemd-analyze security` must find, times ten.
const EXPOSURE_MOST: &str = "--threshold=20";

/// The oldest version of Kubernetes that the chart is for, and the newest one that the checker knows.
const KUBERNETES: [&str; 2] = ["1.30", "1.37"];

/// What an installation must say, because the chart has no default for it.
const REQUIRED: [&str; 6] = [
    "--set",
    "image.repository=registry.example/narthex",
    "--set",
    "secrets.store-url.name=database",
    "--set",
    "secrets.secret-key.name=sealing",
];

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs a tool that `cargo xtask setup` installs, to its end.
fn tool<S: AsRef<OsStr>>(name: &str, arguments: &[S]) -> anyhow::Result<String> {
    process::run(name, arguments).map_err(|error| error.context("`cargo xtask setup` installs what the tests need"))
}

/// Where the Python environment of the tests keeps a program.
fn in_python(name: &str) -> String {
    repository()
        .join("e2e/python/.venv/bin")
        .join(name)
        .to_string_lossy()
        .into_owned()
}

/// The documents of a YAML file.
fn yaml(path: &Path) -> Vec<Value> {
    let script = "import json, sys, yaml\nprint(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let json = tool(&in_python("python"), &["-c", script, &path.to_string_lossy()]).unwrap();
    serde_json::from_str(&json).unwrap()
}

/// A temporary folder with a file of this text.
fn written(name: &str, text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    (folder, path)
}

/// The whole seconds of a duration as the files write it, such as `20s`.
fn seconds(written: &str) -> u64 {
    written.strip_suffix('s').unwrap().parse().unwrap()
}

/// How long `serve` finishes requests under this configuration, in seconds.
fn shutdown_grace(configuration: &str) -> u64 {
    let table: toml::Table = configuration.parse().unwrap();
    let grace = table["listen"].get("shutdown_grace");
    grace.map_or(10, |grace| seconds(grace.as_str().unwrap()))
}

/// `narthex config check` of a configuration whose secrets are at `place`: there is nothing to say about it.
fn is_a_configuration(text: &str, place: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let secrets = [
        (
            "store-url",
            "postgres://narthex:secret@postgres/narthex?sslmode=disable\n",
        ),
        ("secret-key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"),
    ];
    for (name, secret) in secrets {
        let path = folder.path().join(name);
        fs::write(&path, secret).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    }
    assert!(text.contains(place), "no secret is at {place}");
    let here = format!("{}/", folder.path().display());
    let path = folder.path().join("narthex.toml");
    fs::write(&path, text.replace(place, &here)).unwrap();
    let ended = narthex(&["config", "check", &path.to_string_lossy()]);
    assert_eq!(ended.code, 0, "{ended:?}");
    // In a container every address is that of the container; what reaches it is the network's to say.
    let of_the_admin_port = "warning: the admin port listens on every address";
    let others = ended.stderr.replacen(of_the_admin_port, "", 1).replace("1 warning", "");
    assert!(!others.contains("warning"), "{ended:?}");
}

#[test]
fn the_unit_is_one_and_leaves_little_exposed() {
    let unit = read("deploy/systemd/narthex.service");
    // systemd looks whether the program is there.
    let here = unit.replace("/usr/local/bin/narthex", env!("CARGO_BIN_EXE_narthex"));
    assert_ne!(here, unit);
    let (_folder, path) = written("narthex.service", &here);
    let path = path.to_string_lossy();
    // It reads the units that ours names too, and only warns of a directive that does not exist.
    let verified = Command::new("systemd-analyze").args(["verify", &path]).output();
    let verified = verified.expect("`cargo xtask setup` installs what the tests need");
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && !said.contains("narthex.service"), "{said}");
    let report = tool("systemd-analyze", &["security", "--offline=true", EXPOSURE_MOST, &path]).unwrap();
    assert!(report.contains("Overall exposure level"), "{report}");
}

#[test]
fn the_unit_and_its_configuration_agree() {
    let unit = read("deploy/systemd/narthex.service");
    let configuration = read("deploy/systemd/narthex.toml");
    let place = "/run/credentials/narthex.service/";
    is_a_configuration(&configuration, place);
    // The variant for several nodes, which the file describes in a comment.
    let (variant, store) = (
        configuration
            .lines()
            .map(|line| match line.strip_prefix("# `url_file = ") {
                Some(rest) => format!("url_file = {}", rest.split('`').next().unwrap()),
                None if line.starts_with("path = \"/var") => String::new(),
                None => line.to_owned(),
            })
            .collect::<Vec<_>>()
            .join("\n"),
        "url_file = \"/run/credentials/narthex.service/store-url\"",
    );
    assert!(variant.contains(store), "{variant}");
    is_a_configuration(&variant, place);
    for name in ["secret-key", "store-url"] {
        assert!(configuration.contains(&format!("{place}{name}\"")));
        assert!(
            unit.contains(&format!("LoadCredential={name}:")),
            "the unit loads `{name}`"
        );
    }
    let stop = unit
        .lines()
        .find_map(|line| line.strip_prefix("TimeoutStopSec="))
        .unwrap();
    assert!(seconds(stop) > shutdown_grace(&configuration));
}

/// The configuration of the packages is right as it is, and `narthex init` completes it.
#[test]
fn the_packaged_configuration_is_one() {
    let configuration = read("deploy/packages/narthex.toml");
    let added = read("deploy/systemd/narthex.toml");
    let added = added.get(added.find("[[issuer]]").unwrap()..).unwrap();
    is_a_configuration(&configuration.replace("# narthex: end\n", added), "/etc/narthex/");
    assert!(configuration.ends_with("\n# narthex: end\n"));
    assert!(!configuration.contains("[[issuer]]") && !configuration.contains("[[route]]"));
}

#[test]
fn the_dockerfile_builds_what_this_tree_has_with_its_toolchain() {
    let file = read("deploy/docker/Dockerfile");
    let dockerfile = repository().join("deploy/docker/Dockerfile");
    tool(&in_python("hadolint"), &[dockerfile.as_os_str()]).unwrap();
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let version = manifest["workspace"]["package"]["rust-version"].as_str().unwrap();
    assert!(file.contains(&format!("FROM rust:{version}-bookworm AS builder")));
    // One C library in both stages: Debian 12 is bookworm.
    assert!(file.contains("\nFROM gcr.io/distroless/cc-debian12:nonroot\n"));
    assert!(file.contains("\nUSER 65532:65532\n"));
    assert!(manifest["profile"].get("dist").is_some() && file.contains("--profile dist --package narthex-cli"));
    // What .dockerignore lets through is a workspace that Cargo can read, and no toolchain of its own.
    let folder = tempfile::tempdir().unwrap();
    let ignore = read(".dockerignore");
    let mut rules = ignore.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(rules.next(), Some("*"));
    for name in rules.map(|rule| rule.strip_prefix('!').unwrap()) {
        let from = repository().join(name);
        assert!(from.exists(), ".dockerignore names `{name}`, which does not exist");
        let arguments = [OsStr::new("-R"), from.as_os_str(), folder.path().as_os_str()];
        process::run("cp", &arguments).unwrap();
    }
    assert!(!folder.path().join("rust-toolchain.toml").exists());
    // How the allocator is set up when it is built, as it is everywhere else.
    assert!(folder.path().join(".cargo/config.toml").exists());
    let manifest = folder.path().join("Cargo.toml");
    let arguments = [
        "metadata",
        "--format-version=1",
        "--locked",
        "--offline",
        "--manifest-path",
    ]
    .map(OsStr::new);
    let arguments = [&arguments[..], &[manifest.as_os_str()]].concat();
    let metadata: Value = serde_json::from_str(&process::run(env!("CARGO"), &arguments).unwrap()).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.iter().any(|package| package["name"] == "narthex-cli"));
}

#[test]
fn compose_starts_two_narrow_nodes_on_one_database() {
    let file = repository().join("deploy/compose/compose.yaml");
    // Docker Compose checks the file and says how it understood it, with anchors followed.
    let understood = tool("docker-compose", &["-f", &file.to_string_lossy(), "config"]).unwrap();
    let (_folder, path) = written("understood.yaml", &understood);
    let compose = &yaml(&path)[0];
    let configuration = read("deploy/compose/narthex.toml");
    is_a_configuration(&configuration, "/run/secrets/");

    for name in ["narthex-1", "narthex-2"] {
        let node = &compose["services"][name];
        assert_eq!(node["user"], "65532:65532", "{name}");
        assert_eq!(node["read_only"], true, "{name}");
        assert_eq!(node["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        assert_eq!(
            node["security_opt"],
            serde_json::json!(["no-new-privileges:true"]),
            "{name}"
        );
        assert_eq!(node["environment"], Value::Null, "secrets are files");
        assert_eq!(node["depends_on"]["postgres"]["condition"], "service_healthy", "{name}");
        assert!(seconds(node["stop_grace_period"].as_str().unwrap()) > shutdown_grace(&configuration));
        for port in node["ports"].as_array().unwrap() {
            assert!(
                port.as_str().unwrap().starts_with("127.0.0.1:"),
                "{name} is reached at {port}"
            );
        }
        let context = PathBuf::from(node["build"]["context"].as_str().unwrap());
        assert!(context.join(node["build"]["dockerfile"].as_str().unwrap()).is_file());
    }
    let postgres = &compose["services"]["postgres"];
    let version = postgres["image"].as_str().unwrap().strip_prefix("postgres:").unwrap();
    assert!(version.split('-').next().unwrap().parse::<u32>().unwrap() >= 15);
    assert!(
        postgres["healthcheck"]["test"]
            .as_array()
            .unwrap()
            .contains(&"pg_isready".into())
    );
    assert!(postgres["environment"].get("POSTGRES_PASSWORD").is_none());
    assert_eq!(postgres["ports"], Value::Null);
    assert_eq!(compose["networks"]["store"]["internal"], true);
    for secret in compose["secrets"].as_object().unwrap().values() {
        assert!(secret["file"].is_string(), "{secret}");
    }
}

/// What Helm makes of the chart under these settings, each document checked against the schemas of Kubernetes.
fn rendered(settings: &[&str]) -> Vec<Value> {
    let chart = repository().join("deploy/helm/narthex");
    let chart = chart.to_string_lossy();
    let helm = in_python("helm");
    tool(
        &helm,
        &[&["lint", "--strict", &chart], &REQUIRED[..], settings].concat(),
    )
    .unwrap();
    let text = tool(
        &helm,
        &[&["template", "test", &chart], &REQUIRED[..], settings].concat(),
    )
    .unwrap();
    let (_folder, path) = written("rendered.yaml", &text);
    for version in KUBERNETES {
        let arguments = ["--strict", "--kubernetes-version", version, &path.to_string_lossy()];
        tool(&in_python("kubernetes-validate"), &arguments).unwrap();
    }
    yaml(&path)
}

fn of_kind<'d>(documents: &'d [Value], kind: &str) -> Vec<&'d Value> {
    documents.iter().filter(|document| document["kind"] == kind).collect()
}

fn only<'d>(documents: &'d [Value], kind: &str) -> &'d Value {
    let found = of_kind(documents, kind);
    assert_eq!(found.len(), 1, "{kind}");
    found[0]
}

#[test]
fn the_chart_runs_pods_that_may_do_little() {
    let documents = rendered(&[]);
    let pod = &only(&documents, "Deployment")["spec"]["template"]["spec"];
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(
        only(&documents, "ServiceAccount")["automountServiceAccountToken"],
        false
    );
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["runAsUser"], 65532);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    let container = &pod["containers"][0];
    let context = &container["securityContext"];
    assert_eq!(context["readOnlyRootFilesystem"], true);
    assert_eq!(context["allowPrivilegeEscalation"], false);
    assert_eq!(context["capabilities"], serde_json::json!({ "drop": ["ALL"] }));
    assert!(container["resources"]["requests"].is_object() && container["resources"]["limits"]["memory"].is_string());
    for (probe, path) in [
        ("startupProbe", "/healthz"),
        ("livenessProbe", "/healthz"),
        ("readinessProbe", "/readyz"),
    ] {
        let asked = &container[probe]["httpGet"];
        assert_eq!(
            (&asked["path"], &asked["port"]),
            (&path.into(), &"admin".into()),
            "{probe}"
        );
    }
    assert_eq!(pod["topologySpreadConstraints"].as_array().unwrap().len(), 2);

    let configuration = only(&documents, "ConfigMap")["data"]["narthex.toml"].as_str().unwrap();
    is_a_configuration(configuration, "/run/secrets/narthex/");
    let grace = Duration::from_secs(pod["terminationGracePeriodSeconds"].as_u64().unwrap());
    let before = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
    assert!(grace > Duration::from_secs(before + shutdown_grace(configuration)));
}

#[test]
fn the_chart_refers_to_secrets_and_holds_none() {
    let documents = rendered(&[
        "--set",
        "secrets.corp-secret.name=corp",
        "--set",
        "secrets.corp-secret.key=jwt",
    ]);
    assert!(of_kind(&documents, "Secret").is_empty());
    let pod = &only(&documents, "Deployment")["spec"]["template"]["spec"];
    assert_eq!(pod["containers"][0]["env"], Value::Null);
    let sources = pod["volumes"][1]["projected"]["sources"].as_array().unwrap().iter();
    let mut named: Vec<(&str, &str)> = sources
        .map(|source| {
            let secret = &source["secret"];
            (
                secret["name"].as_str().unwrap(),
                secret["items"][0]["path"].as_str().unwrap(),
            )
        })
        .collect();
    named.sort_unstable();
    assert_eq!(
        named,
        [
            ("corp", "corp-secret"),
            ("database", "store-url"),
            ("sealing", "secret-key")
        ]
    );
    assert_eq!(pod["volumes"][1]["projected"]["defaultMode"], 0o440);
    // Without their names nothing is rendered, and the message says which are missing.
    let chart = repository().join("deploy/helm/narthex");
    let refused = tool(&in_python("helm"), &["template", "test", &chart.to_string_lossy()]).unwrap_err();
    let refused = format!("{refused:#}");
    for missing in [
        "/image/repository",
        "/secrets/store-url/name",
        "/secrets/secret-key/name",
    ] {
        assert!(refused.contains(missing), "{refused}");
    }
}

#[test]
fn the_chart_keeps_the_admin_port_inside_and_nodes_available() {
    let documents = rendered(&[]);
    let services = of_kind(&documents, "Service");
    let ports: Vec<&Value> = services
        .iter()
        .map(|service| &service["spec"]["ports"][0]["targetPort"])
        .collect();
    assert_eq!(ports, ["public", "admin"]);
    assert_eq!(services[1]["spec"]["type"], "ClusterIP");
    let ingress = only(&documents, "NetworkPolicy")["spec"]["ingress"].as_array().unwrap();
    assert_eq!(ingress.len(), 1, "nobody may reach the admin port by default");
    assert_eq!(ingress[0]["ports"], serde_json::json!([{ "port": "public" }]));
    assert_eq!(only(&documents, "PodDisruptionBudget")["spec"]["maxUnavailable"], 1);
    let scaler = &only(&documents, "HorizontalPodAutoscaler")["spec"];
    assert!(scaler["minReplicas"].as_u64() >= Some(2));
    let deployment = only(&documents, "Deployment");
    assert_eq!(
        deployment["spec"]["replicas"],
        Value::Null,
        "the autoscaler says how many"
    );
    for selected in [
        &services[0]["spec"]["selector"],
        &only(&documents, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
    ] {
        assert_eq!(selected, &deployment["spec"]["selector"]["matchLabels"]);
    }

    let documents = rendered(&[
        "--set=autoscaling.enabled=false",
        "--set=replicas=3",
        "--set-json=networkPolicy.adminFrom=[{\"podSelector\":{\"matchLabels\":{\"app\":\"prometheus\"}}}]",
        "--set-json=networkPolicy.egress=[{\"ports\":[{\"port\":5432}]}]",
        "--set=service.type=LoadBalancer",
    ]);
    assert!(of_kind(&documents, "HorizontalPodAutoscaler").is_empty());
    assert_eq!(only(&documents, "Deployment")["spec"]["replicas"], 3);
    let policy = &only(&documents, "NetworkPolicy")["spec"];
    assert_eq!(policy["policyTypes"], serde_json::json!(["Ingress", "Egress"]));
    assert_eq!(
        policy["ingress"][1]["from"][0]["podSelector"]["matchLabels"]["app"],
        "prometheus"
    );
    let services = of_kind(&documents, "Service");
    assert_eq!(services[0]["spec"]["type"], "LoadBalancer");
    assert_eq!(services[1]["spec"]["type"], "ClusterIP");
}

/// Checks manifests against the schemas of their kinds.
fn validate_manifests(manifests: &[String]) -> anyhow::Result<String> {
    let listed = |folder: &str, extension: &str| -> Vec<String> {
        let entries = fs::read_dir(repository().join(folder)).unwrap();
        let files = entries.map(|entry| entry.unwrap().path());
        let mut files: Vec<String> = files
            .filter(|file| file.extension().is_some_and(|found| found == extension))
            .map(|file| file.to_string_lossy().into_owned())
            .collect();
        files.sort();
        files
    };
    let script = repository().join("e2e/python/validate_crd.py");
    let mut arguments = vec![script.to_string_lossy().into_owned()];
    arguments.extend(listed("deploy/schemas", "json"));
    arguments.push("--".to_owned());
    arguments.extend_from_slice(manifests);
    tool(&in_python("python"), &arguments)
}

/// The manifests for gateways, each against the schema of its kind; each denies what Narthex does not answer.
#[test]
fn the_manifests_of_gateways_are_valid_and_fail_closed() {
    let manifest = |name: &str| repository().join("deploy/kubernetes").join(name);
    let names = ["narthex.yaml", "envoy-gateway.yaml", "istio.yaml", "gateway-api.yaml"];
    let files = names.map(|name| manifest(name).to_string_lossy().into_owned());
    let checked = validate_manifests(&files).unwrap();
    assert_eq!(checked.trim(), "6 checked");
    for version in KUBERNETES {
        let arguments = ["--strict", "--kubernetes-version", version, &files[0]];
        tool(&in_python("kubernetes-validate"), &arguments).unwrap();
    }
    let gateway = yaml(&manifest("envoy-gateway.yaml"));
    let checks = &only(&gateway, "SecurityPolicy")["spec"]["extAuth"];
    assert_eq!(
        (&checks["failOpen"], &checks["statusOnError"]),
        (&false.into(), &503.into())
    );
    let istio = yaml(&manifest("istio.yaml"));
    let provider = &only(&istio, "IstioOperator")["spec"]["meshConfig"]["extensionProviders"][0];
    let asked = &provider["envoyExtAuthzGrpc"];
    assert_eq!((&asked["failOpen"], &asked["timeout"]), (&false.into(), &"1s".into()));
    let policy = &only(&istio, "AuthorizationPolicy")["spec"];
    assert_eq!(policy["provider"]["name"], provider["name"]);
    assert_eq!(
        policy["rules"],
        serde_json::json!([{}]),
        "a policy without rules checks nothing"
    );
    let route = yaml(&manifest("gateway-api.yaml"));
    for rule in only(&route, "HTTPRoute")["spec"]["rules"].as_array().unwrap() {
        assert_eq!(
            rule["filters"][0]["type"], "ExternalAuth",
            "a rule without the filter checks nothing"
        );
    }
    let service = yaml(&manifest("narthex.yaml"));
    let port = &only(&service, "Service")["spec"]["ports"][0]["port"];
    assert_eq!(port, &asked["port"]);
    assert_eq!(port, &checks["grpc"]["backendRefs"][0]["port"]);
}

/// The checker finds what a cluster would refuse.
#[test]
fn a_manifest_with_an_unknown_field_or_a_wrong_value_is_found() {
    for (name, good, bad) in [
        ("envoy-gateway.yaml", "failOpen", "failopen"),
        ("envoy-gateway.yaml", "port: 8082", "port: \"8082\""),
        ("istio.yaml", "action: CUSTOM", "action: CUSTOMS"),
        ("istio.yaml", "failOpen", "failopen"),
        ("gateway-api.yaml", "protocol: GRPC", "protocol: gRPC"),
    ] {
        let text = read(&format!("deploy/kubernetes/{name}"));
        assert!(text.contains(good), "{name}: {good}");
        let (_folder, path) = written(name, &text.replace(good, bad));
        let refused = validate_manifests(&[path.to_string_lossy().into_owned()]);
        assert!(refused.is_err(), "{name}: {bad}");
    }
}
