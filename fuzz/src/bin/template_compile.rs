//! Any text as a template: it compiles, or every problem has a place in it and can be drawn.
//!
//! An input is a source, or a file of `crates/template/tests/cases`, of which the template is taken.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::{Corpus, fuzz_target};
use narthex_fuzz::parts;
use narthex_mint::Jwt;
use narthex_template::{Document, Names, Template};

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some((_, source)) = parts(data) else {
        return Corpus::Reject;
    };
    let names = Names::new(["payload", "body", "temp"])
        .with_folded_root("headers")
        .with_function(Arc::new(Jwt::new()));
    match Template::compile(source, &names) {
        Ok(template) => {
            assert_eq!(template.source(), source);
            assert!(template.roots().all(|root| names.roots().any(|known| known == root)));
            assert!(!template.is_literal() || template.roots().next().is_none());
        }
        Err(error) => {
            assert!(!error.problems().is_empty());
            for problem in error.problems() {
                assert!(problem.span.start <= problem.span.end && problem.span.end <= source.len().max(1));
            }
            assert!(!error.render().is_empty());
        }
    }
    if let Ok(json) = serde_json::from_str(source)
        && let Err(error) = Document::compile(&json, &names)
    {
        assert!(!error.render().is_empty());
    }
    Corpus::Keep
});
