//! `docs/reference/templates.md` is what the tables of functions and keywords say.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use narthex_template::{Example, Group, KEYWORDS, functions};

#[test]
fn the_reference_page_is_up_to_date() {
    let mut page = include_str!("reference.head.md").to_owned();
    keywords(&mut page);
    for (title, group) in [
        ("General functions", Group::General),
        ("Text", Group::Text),
        ("Binary and hashes", Group::Binary),
        ("Lists and collections", Group::Array),
        ("Dates", Group::Date),
        ("Math", Group::Math),
        ("JSON", Group::Json),
    ] {
        part(&mut page, title, group);
    }
    for function in functions() {
        assert!(
            page.contains(&format!("### `{}", function.signature())),
            "{} is in no part",
            function.name
        );
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/templates.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == page,
        "{} is out of date; run with UPDATE=1 and review the change",
        path.display()
    );
}

fn keywords(page: &mut String) {
    page.push_str("## Keywords\n\nA keyword wins over a root of the same name; in back-quotes it is the root.\n\n");
    page.push_str("| word | value |\n|---|---|\n");
    for keyword in KEYWORDS {
        writeln!(page, "| `{}` | {} |", keyword.name, keyword.summary).unwrap();
    }
}

fn part(page: &mut String, title: &str, group: Group) {
    write!(page, "\n## {title}\n").unwrap();
    for function in functions().filter(|function| function.group == group) {
        write!(
            page,
            "\n### `{}`\n\nGives {}.\n\n",
            function.signature(),
            function.summary
        )
        .unwrap();
        for example in function.examples {
            line(page, example);
        }
        if let Some(decision) = function.decided_here() {
            writeln!(page, "\nWhere Make's documents are silent: {decision}.").unwrap();
        }
    }
}

fn line(page: &mut String, example: &Example) {
    let with = if example.context == "{}" {
        String::new()
    } else {
        format!(" with {}", code(example.context))
    };
    writeln!(page, "* {}{with} → {}", code(example.template), code(example.result)).unwrap();
}

/// A code span; none of the examples has a back-quote in it.
fn code(text: &str) -> String {
    assert!(!text.contains('`'), "{text}");
    format!("`{text}`")
}
