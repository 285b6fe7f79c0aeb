//! Thousands of random payloads, secrets, algorithms and options, given to npm `jsonwebtoken` and to this crate.
//!
//! Tokens must agree byte for byte (of PS and ES, which sign anew each time, header and payload, and the signature must
//! verify there), errors text for text. What is refused here by design is listed in [`agree`], and nothing else.
//!
//! Every run has a new seed, printed when it fails together with the smallest failing case: `NARTHEX_SEED=n` repeats it.

mod generate;
mod node;

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use narthex_mint::{Algorithms, Jwt, Key, sign};
use narthex_template::{Names, Object, Scope, Template, Value};

use generate::Random;
use node::{Answer, Node};

const CASES: usize = 6_000;

/// One call of `sign`.
#[derive(Clone)]
pub(crate) struct Case {
    payload: Value,
    secret: Value,
    options: Value,
    now_ms: i64,
}

#[test]
fn the_library_agrees_on_thousands_of_random_calls() {
    let seed = std::env::var_os("NARTHEX_SEED")
        .and_then(|seed| seed.to_str()?.parse().ok())
        .unwrap_or_else(|| std::hash::RandomState::new().build_hasher().finish());
    let mut random = Random::new(seed);
    let cases: Vec<Case> = (0..CASES).map(|_| generate::case(&mut random)).collect();
    let mut node = Node::start();
    let mut verdicts = judge(&mut node, &cases);
    let tokens = verdicts.iter().filter(|verdict| matches!(verdict, Ok(true))).count();
    if let Some(smallest) = smallest(&mut node, &cases, &verdicts) {
        let failed = verdicts.iter().filter(|verdict| verdict.is_err()).count();
        verdicts = judge(&mut node, std::slice::from_ref(&smallest));
        panic!(
            "{failed} of {CASES} cases differ; NARTHEX_SEED={seed} repeats them. The smallest:\n{smallest}\n{}",
            verdicts.remove(0).unwrap_err()
        );
    }
    // Cases that only ever fail would compare little.
    assert!(
        (CASES / 3..CASES * 9 / 10).contains(&tokens),
        "{tokens} of {CASES} cases made a token; NARTHEX_SEED={seed} repeats them"
    );
}

/// Whether a case made a token, or how the two differ.
type Verdict = Result<bool, String>;

fn judge(node: &mut Node, cases: &[Case]) -> Vec<Verdict> {
    let answers = node.sign(cases);
    let mut verdicts: Vec<Verdict> = Vec::new();
    let mut to_verify = Vec::new();
    for (at, (case, answer)) in cases.iter().zip(answers).enumerate() {
        let verdict = agree(case, &answer);
        if let Ok(Some((token, algorithm))) = &verdict
            && (algorithm.starts_with("PS") || algorithm.starts_with("ES"))
        {
            to_verify.push((at, token.clone(), algorithm.clone(), case.secret.clone()));
        }
        verdicts.push(verdict.map(|token| token.is_some()));
    }
    for (at, valid) in node.verify(&to_verify) {
        if !valid {
            verdicts[at] = Err("the library does not verify the signature".to_owned());
        }
    }
    verdicts
}

/// Holds what we make of a case against what the library made. Gives the token and its algorithm, if both made one.
fn agree(case: &Case, theirs: &Answer) -> Result<Option<(String, String)>, String> {
    let key = Key::from_value(&case.secret);
    let ours = |algorithms| {
        sign(&case.payload, &key, &case.options, algorithms, case.now_ms).map_err(|error| error.to_string())
    };
    let every = ours(Algorithms::OfLibrary);
    let differ = || Err(format!("  library  {theirs:?}\n  narthex  {every:?}"));
    agree_on_templates(case, &every, &ours(Algorithms::OfTemplates))?;
    let invalid_types = option(case, "allowInvalidAsymmetricKeyTypes") == Value::Bool(true);
    let starts = |start: &str| every.as_ref().is_err_and(|text| text.starts_with(start));
    let too_small = starts("secretOrPrivateKey has a minimum key size");
    let wrong_type = too_small
        || starts("Invalid key for this operation, its RSA-PSS parameter")
        || starts("\"alg\" parameter \"ES");
    let without_secret = option(case, "algorithm").as_text() == Some("none") && !has_secret(&case.secret);
    match (theirs, &every) {
        (Answer::Token(token), Ok(made)) => {
            let algorithm = algorithm_of(token);
            let same = match algorithm.get(..2) {
                Some("PS" | "ES") => signed_part(token) == signed_part(made),
                _ => token == made,
            };
            if same {
                Ok(Some((made.clone(), algorithm)))
            } else {
                differ()
            }
        }
        // By design: `none`, which is refused in words of our own.
        (Answer::Token(token), Err(text)) if algorithm_of(token) == "none" && text.contains("not minted here") => {
            Ok(None)
        }
        // By design: without a secret there is no token, also where `none` lets an empty one through to an HMAC.
        (Answer::Token(_), Err(text)) if without_secret && is_about_the_secret(text) => Ok(None),
        (Answer::Error { .. }, Err(_)) if without_secret => Ok(None),
        // By design: no bytes are no secret, as no text is none.
        (_, Err(text))
            if matches!(&case.secret, Value::Binary(bytes) if bytes.is_empty()) && is_about_the_secret(text) =>
        {
            Ok(None)
        }
        // By design: a key of the wrong type makes no signature that anybody could verify, so there is none; where the
        // library fails over it, it does so in the words of OpenSSL.
        (Answer::Token(_) | Answer::Error { inner: true, .. }, Err(_)) if invalid_types && wrong_type => Ok(None),
        // By design: a key that is too small for the hash; the library's words are OpenSSL's.
        (Answer::Error { inner: true, .. }, Err(_))
            if too_small && option(case, "allowInsecureKeySizes") == Value::Bool(true) =>
        {
            Ok(None)
        }
        (Answer::Error { text, .. }, Err(own)) if text == own => Ok(None),
        // By design: a message repeats no more than a hundred characters of the caller's.
        (Answer::Error { text, .. }, Err(own))
            if cut(text).is_some() && cut(text) == cut(own) && own.starts_with(['"', 'U']) =>
        {
            Ok(None)
        }
        _ => differ(),
    }
}

/// `jwt()` is the same but for its list of four, and so is its third argument.
fn agree_on_templates(
    case: &Case,
    every: &Result<String, String>,
    four: &Result<String, String>,
) -> Result<(), String> {
    let listed = |token: &str| ["HS256", "HS384", "HS512", "RS256"].contains(&&*algorithm_of(token));
    let same = match (every, four) {
        (Ok(token), Ok(made)) => token == made && listed(token),
        (Ok(token), Err(text)) => !listed(token) && text.contains("are not minted here"),
        (Err(text), Err(own)) => text == own || own.contains("are not minted here"),
        (Err(_), Ok(_)) => false,
    };
    if !same {
        return Err(format!("  all algorithms  {every:?}\n  the four        {four:?}"));
    }
    let names = Names::new(["p", "s", "a", "o"]).with_function(Arc::new(Jwt::new()));
    let (third, rest) = match &case.options {
        Value::Object(members) => {
            let mut rest = members.clone();
            let third = rest.shift_remove("algorithm").unwrap_or(Value::Undefined);
            (third, Value::Object(rest))
        }
        other => (Value::Undefined, other.clone()),
    };
    let in_place = Value::Text("RS1".to_owned());
    for (third, options) in [
        (Value::Undefined, case.options.clone()),
        // An algorithm as third argument wins over one among the options.
        (
            third.clone(),
            if third.is_truthy() {
                with(&rest, &in_place)
            } else {
                rest
            },
        ),
    ] {
        let scope = Scope::new(case.now_ms)
            .with_value("p", &case.payload)
            .with_value("s", &case.secret)
            .with_value("a", &third)
            .with_value("o", &options);
        let template = Template::compile("{{jwt(p; s; a; o)}}", &names).unwrap();
        let made = template.evaluate(&scope).map_err(|error| error.to_string());
        let made = made.map(|value| value.as_text().unwrap().to_owned());
        // Options are checked in their order, and the third argument may have changed it.
        let reordered = matches!((&made, four), (Err(a), Err(b)) if a.contains("options") || b.contains("options") || a.starts_with('"'));
        // An `algorithm` that is given and falsy counts as a bad option, but not as a third argument.
        let named = matches!(&case.options, Value::Object(members) if members.contains_key("algorithm"));
        let dropped = !third.is_truthy() && named && four.is_err();
        if made != *four && !reordered && !dropped {
            return Err(format!("  sign   {four:?}\n  jwt()  {made:?}"));
        }
    }
    Ok(())
}

/// The options with an algorithm in front, which the third argument is to win over.
fn with(options: &Value, algorithm: &Value) -> Value {
    let Value::Object(members) = options else {
        return options.clone();
    };
    let mut all = Object::new();
    all.insert("algorithm".to_owned(), algorithm.clone());
    all.extend(members.clone());
    Value::Object(all)
}

fn is_about_the_secret(text: &str) -> bool {
    text.starts_with("secretOrPrivateKey") || text.contains("not minted here")
}

fn has_secret(secret: &Value) -> bool {
    !matches!(secret, Value::Binary(bytes) if bytes.is_empty()) && secret.is_truthy()
}

fn option(case: &Case, name: &str) -> Value {
    match &case.options {
        Value::Object(members) => members.get(name).cloned().unwrap_or(Value::Undefined),
        _ => Value::Undefined,
    }
}

/// The first hundred characters, if there are so many.
fn cut(text: &str) -> Option<&str> {
    let (end, _) = text.char_indices().nth(100)?;
    text.get(..end)
}

/// Header and payload.
fn signed_part(token: &str) -> &str {
    token.rsplit_once('.').unwrap().0
}

fn algorithm_of(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    // Headers are cut to Latin-1, after which they need not be JSON any more.
    let header: String = header.into_iter().map(char::from).collect();
    let (_, rest) = header.split_once(r#""alg":""#).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// The failing case that takes the least to write, made smaller as long as it fails.
fn smallest(node: &mut Node, cases: &[Case], verdicts: &[Verdict]) -> Option<Case> {
    let failing = cases.iter().zip(verdicts).filter(|(_, verdict)| verdict.is_err());
    let mut best = failing.map(|(case, _)| case.clone()).min_by_key(Case::size)?;
    loop {
        let smaller = generate::smaller(&best);
        let verdicts = judge(node, &smaller);
        let failing = smaller
            .into_iter()
            .zip(verdicts)
            .filter(|(_, verdict)| verdict.is_err());
        match failing.map(|(case, _)| case).min_by_key(Case::size) {
            Some(case) if case.size() < best.size() => best = case,
            _ => return Some(best),
        }
    }
}

impl Case {
    fn size(&self) -> usize {
        self.to_string().len()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {}", node::request(self))
    }
}
