//! The keys in `docs/reference/connections.md` are the keys of the code. `UPDATE=1 cargo nextest run` rewrites them.

use std::path::Path;

use narthex_connection::{DocumentKey, ErrorType, Limits, document_keys};

const BEGIN: &str = "<!-- keys: UPDATE=1 cargo nextest run -p narthex-connection rewrites what follows -->\n";
const END: &str = "<!-- end of keys -->\n";

fn tables() -> String {
    let row = |key: &DocumentKey| {
        let form = if key.form.is_empty() {
            String::new()
        } else {
            format!("{} | ", key.form)
        };
        format!("| `{}` | {form}{} |\n", key.path, key.summary)
    };
    let taken: String = document_keys().filter(|key| key.taken).map(row).collect();
    let refused: String = document_keys().filter(|key| !key.taken).map(row).collect();
    format!(
        "\n| key | takes | what it does |\n|---|---|---|\n{taken}\nKeys of Make's documents that a connection does not take:\n\n\
         | key | why |\n|---|---|\n{refused}\n"
    )
}

#[test]
fn the_reference_page_has_the_keys_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/connections.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page marks where the keys begin");
    let (_, after) = rest.split_once(END).expect("the page marks where the keys end");
    let expected = format!("{before}{BEGIN}{}{END}{after}", tables());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &expected).unwrap();
        return;
    }
    assert!(
        page == expected,
        "{} is out of date; run with UPDATE=1 and review the change",
        path.display()
    );
}

#[test]
fn the_reference_page_names_every_error_type_and_limit() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/connections.md");
    let page = std::fs::read_to_string(path).unwrap();
    for kind in ErrorType::ALL {
        assert!(page.contains(&format!("`{kind}`")), "{kind}");
    }
    let limits = Limits::default();
    for (name, value) in [
        ("bytes of a document", limits.document_bytes),
        ("levels of nesting", limits.depth),
        ("requests of a document", limits.requests),
        ("headers of a request", limits.headers),
        ("bytes of a URL", limits.url_bytes),
        ("bytes of a header", limits.header_bytes),
        ("bytes of a body that is sent", limits.request_bytes),
        ("bytes of an answer", limits.response_bytes),
        ("levels of an XML answer", limits.xml_depth),
        ("nodes of an XML answer", usize::try_from(limits.xml_nodes).unwrap()),
        ("repeats of one request", usize::try_from(limits.repeats).unwrap()),
        (
            "values of an answer in JSON or of a form, attributes of an XML answer",
            limits.response_values,
        ),
        (
            "requests of one run, repeated ones included",
            usize::try_from(limits.sends).unwrap(),
        ),
        (
            "bytes of parameters, common data and stored data together",
            limits.secret_bytes,
        ),
        (
            "milliseconds of waiting in one run",
            usize::try_from(limits.wait_ms).unwrap(),
        ),
    ] {
        assert!(page.contains(&format!("| {name} | {value} |")), "{name} {value}");
    }
}
