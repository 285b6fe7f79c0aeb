//! Random calls of `sign`, half of them sensible, half of them not.

use std::sync::LazyLock;

use narthex_template::{Object, Value};
use serde_json::{Value as Json, json};

use super::Case;

/// `SplitMix64`: small, and the same on every machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }
}

/// A key in PEM.
struct Pem {
    name: String,
    text: String,
}

/// Every private and public key of the vectors.
static KEYS: LazyLock<Vec<Pem>> = LazyLock::new(|| {
    let files = [
        include_str!("../../vectors/jwt_sign.json"),
        include_str!("../../vectors/more-keys.json"),
    ];
    let mut keys = Vec::new();
    for file in files {
        let file: Json = serde_json::from_str(file).unwrap();
        for (name, text) in file["keys"].as_object().unwrap() {
            keys.push(Pem {
                name: name.clone(),
                text: text.as_str().unwrap().to_owned(),
            });
        }
    }
    keys
});

const ALGORITHMS: [&str; 13] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "none",
];
const OPTIONS: [&str; 14] = [
    "expiresIn",
    "notBefore",
    "audience",
    "algorithm",
    "header",
    "encoding",
    "issuer",
    "subject",
    "noTimestamp",
    "jwtid",
    "keyid",
    "mutatePayload",
    "allowInsecureKeySizes",
    "allowInvalidAsymmetricKeyTypes",
];
/// No name of JavaScript's object prototype: there the library fails, or loses the member.
const NAMES: [&str; 22] = [
    "iat",
    "exp",
    "nbf",
    "aud",
    "iss",
    "sub",
    "jti",
    "a",
    "b",
    "scope",
    "0",
    "1",
    "10",
    "01",
    "-1",
    "1.5",
    "4294967294",
    "4294967295",
    "",
    "é",
    "😀",
    "a\u{2028}\"\\\u{7}b",
];

/// A random call.
pub(crate) fn case(random: &mut Random) -> Case {
    let sensible = random.percent(60);
    let algorithm = (*random.pick(&ALGORITHMS[..12])).to_owned();
    let (secret, mut options) = if sensible {
        (fitting_secret(random, &algorithm), options(random, 100))
    } else {
        (secret(random), options(random, 75))
    };
    if (sensible || random.percent(60))
        && let Value::Object(members) = &mut options
    {
        members.insert("algorithm".to_owned(), Value::from(algorithm));
    }
    let payload = if sensible {
        claims(random, true)
    } else {
        payload(random)
    };
    Case {
        payload,
        secret,
        options,
        now_ms: *random.pick(&[0, 999, 1_000, 1_700_000_000_123, 253_402_300_799_999, 4_102_444_800_000]),
    }
}

fn payload(random: &mut Random) -> Value {
    match random.below(12) {
        0 => text(random),
        1 => number(random),
        2 => random
            .pick(&[Value::Bool(true), Value::Bool(false), Value::Null, Value::Undefined])
            .clone(),
        3 => Value::Array(vec![value(random, 2)]),
        4 => Value::Binary(bytes(random)),
        5 => Value::Date(1_700_000_000_123),
        _ => {
            let right = random.percent(50);
            claims(random, right)
        }
    }
}

/// An object; its times are numbers if they have to be `right`.
fn claims(random: &mut Random, right: bool) -> Value {
    let mut members = Object::new();
    for _ in 0..random.below(8) {
        let name = *random.pick(&NAMES);
        let time = ["iat", "exp", "nbf"].contains(&name);
        if time && right && random.percent(50) {
            continue;
        }
        let value = if time && (right || random.percent(50)) {
            number(random)
        } else {
            value(random, 3)
        };
        members.insert(name.to_owned(), value);
    }
    if random.percent(10) {
        members.insert(
            "numbers".to_owned(),
            Value::Array((0..50).map(|_| number(random)).collect()),
        );
    }
    Value::Object(members)
}

fn value(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 8 } else { 11 }) {
        0 => Value::Null,
        1 => Value::Bool(random.percent(50)),
        2 | 3 => number(random),
        4 | 5 => text(random),
        6 => random
            .pick(&[
                Value::Undefined,
                Value::Date(0),
                Value::Date(-1),
                Value::Date(253_402_300_799_999),
            ])
            .clone(),
        7 if random.percent(20) => Value::Binary(bytes(random)),
        7 => Value::from("x"),
        8 => Value::Array((0..random.below(4)).map(|_| value(random, depth - 1)).collect()),
        _ => {
            let members = (0..random.below(5)).map(|_| ((*random.pick(&NAMES)).to_owned(), value(random, depth - 1)));
            Value::Object(members.collect())
        }
    }
}

fn number(random: &mut Random) -> Value {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_wrap,
        reason = "any number will do"
    )]
    let number = match random.below(10) {
        0 => *random.pick(&[
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.5,
            1e21,
            1e-7,
            5e-324,
            f64::MAX,
            f64::NAN,
            f64::INFINITY,
        ]),
        1 => f64::from_bits(random.next()),
        2 => (random.next() as i64 >> random.below(64)) as f64,
        3 => 10_f64.powi(i32::try_from(random.below(60)).unwrap() - 30) * random.below(1000) as f64,
        4 => random.below(100_000) as f64 / 1000.0,
        // Between two shortest texts there are ties.
        9 => (random.next() >> (11 + random.below(3))) as f64 / 4.0,
        // Integers that no double holds, and a few that one does.
        5 => return Value::from(json!(random.next() >> random.below(20))),
        6 => return Value::from(json!((random.next() as i64) >> random.below(20))),
        _ => (1_600_000_000 + random.below(200_000_000)) as f64,
    };
    Value::Number(number)
}

fn text(random: &mut Random) -> Value {
    const PIECES: [&str; 20] = [
        "",
        "a",
        "user",
        " ",
        "\"",
        "\\",
        "/",
        "\n",
        "\r\t",
        "\u{0}",
        "\u{8}\u{c}\u{1f}",
        "\u{7f}\u{80}",
        "é",
        "ř",
        "😀",
        "\u{2028}\u{2029}",
        "\u{feff}",
        "{{1 + 1}}",
        "</script>",
        "\u{ffff}",
    ];
    let mut text = String::new();
    for _ in 0..random.below(6) {
        text.push_str(PIECES[random.below(PIECES.len())]);
    }
    if random.percent(5) {
        text = text.repeat(100);
    }
    Value::Text(text)
}

fn bytes(random: &mut Random) -> Vec<u8> {
    (0..random.below(70)).map(|_| random.next().to_le_bytes()[0]).collect()
}

fn pem(random: &mut Random, fits: impl Fn(&str) -> bool) -> Value {
    let fitting: Vec<&Pem> = KEYS.iter().filter(|key| fits(&key.name)).collect();
    let key = random.pick(&fitting);
    let text = match random.below(8) {
        0 => key.text.replace('\n', "\r\n"),
        1 => key.text.trim_end().to_owned(),
        2 => format!("\n\nsome text\n{}", key.text),
        _ => key.text.clone(),
    };
    let encrypted = key.name.contains("enc");
    match random.below(6) {
        0 if !encrypted => Value::from(json!({ "key": text })),
        1 if !encrypted => Value::Binary(text.into_bytes()),
        _ if encrypted => Value::from(json!({ "key": text, "passphrase": "top secret" })),
        _ => Value::from(text),
    }
}

/// A secret that signs with the algorithm.
fn fitting_secret(random: &mut Random, algorithm: &str) -> Value {
    match algorithm {
        "ES256" => pem(random, |name| name.contains("p256") && !name.contains("public")),
        "ES384" => pem(random, |name| name.contains("p384")),
        "ES512" => pem(random, |name| name.contains("p521")),
        name if name.starts_with("HS") => {
            let secrets = [
                Value::from("s"),
                Value::from("ěščřž"),
                Value::from("k".repeat(200)),
                Value::Binary(vec![0, 255, 7]),
            ];
            random.pick(&secrets).clone()
        }
        name if name.starts_with("PS") && random.percent(30) => pem(random, |name| name.starts_with("pss")),
        _ => pem(random, |name| {
            name.starts_with("rsa2048") && !name.contains("public") || name == "rsa3072"
        }),
    }
}

fn secret(random: &mut Random) -> Value {
    match random.below(10) {
        0 => Value::Binary(bytes(random)),
        1 => value(random, 2),
        2 => text(random),
        3 => damaged(random),
        4 => random
            .pick(&[
                Value::from(""),
                Value::Null,
                Value::Undefined,
                Value::Number(0.0),
                Value::Bool(false),
            ])
            .clone(),
        5 => {
            let passphrases = [
                json!("wrong"),
                json!(""),
                json!(5),
                json!(null),
                json!(true),
                json!(["top secret"]),
            ];
            let passphrase = random.pick(&passphrases).clone();
            Value::from(json!({ "key": random.pick(&KEYS).text, "passphrase": passphrase }))
        }
        _ => pem(random, |_| true),
    }
}

/// A key that lost something.
fn damaged(random: &mut Random) -> Value {
    let text = &random.pick(&KEYS).text;
    Value::from(match random.below(6) {
        0 => text.replace('\n', "\\n"),
        1 => text.replace('\n', " "),
        2 => format!("  {text}"),
        3 => text.lines().skip(1).collect::<Vec<_>>().join("\n"),
        4 => text.replacen("-----END", "----END", 1),
        _ => text.lines().filter(|line| !line.starts_with("-----")).collect(),
    })
}

/// Options, each of them right with a chance of `right` percent.
fn options(random: &mut Random, right: usize) -> Value {
    if !random.percent(right) && random.percent(30) {
        return random
            .pick(&[
                Value::Null,
                Value::Undefined,
                Value::from("HS512"),
                Value::Number(5.0),
                Value::Bool(true),
                Value::Array(vec![]),
                Value::from(""),
            ])
            .clone();
    }
    let mut members = Object::new();
    for _ in 0..random.below(5) {
        let name = *random.pick(&OPTIONS);
        let rare = ["allowInsecureKeySizes", "allowInvalidAsymmetricKeyTypes", "encoding"].contains(&name);
        if rare && random.percent(60) {
            continue;
        }
        let value = if random.percent(right) {
            right_option(random, name)
        } else {
            value(random, 2)
        };
        members.insert(name.to_owned(), value);
    }
    if !random.percent(right) && random.percent(10) {
        members.insert((*random.pick(&NAMES)).to_owned(), value(random, 1));
    }
    Value::Object(members)
}

/// Spans of time; the last dozen are none.
const SPANS: [&str; 30] = [
    "1h",
    "2 days",
    "1d",
    "20h",
    "60",
    "-1h",
    "-1.5m",
    ".5d",
    "0",
    "10  s",
    "1Y",
    "1 WEEK",
    "100ms",
    "2.5 hrs",
    "-.5h",
    "999999999y",
    "1 msec",
    "3 yrs",
    "5.",
    "1h30m",
    "1e3",
    "+1h",
    " 1h",
    "1h ",
    "1 month",
    "h",
    "1.2.3",
    "-",
    "\u{661}h",
    "1\th",
];
const ENCODINGS: [&str; 14] = [
    "utf8",
    "UTF-8",
    "latin1",
    "binary",
    "ascii",
    "ucs2",
    "UCS-2",
    "utf16le",
    "utf-16le",
    "hex",
    "base64",
    "base64url",
    "utf7",
    "",
];

fn right_option(random: &mut Random, name: &str) -> Value {
    match name {
        "expiresIn" | "notBefore" if random.percent(50) => {
            let good = if random.percent(80) { 18 } else { SPANS.len() };
            Value::from(SPANS[random.below(good)])
        }
        "expiresIn" | "notBefore" => random
            .pick(&[
                Value::Number(60.0),
                Value::Number(-3600.0),
                Value::Number(0.0),
                Value::Number(1e21),
                Value::Number(-0.0),
            ])
            .clone(),
        "audience" if random.percent(50) => Value::Array((0..random.below(3)).map(|_| value(random, 1)).collect()),
        "algorithm" => Value::from(*random.pick(&ALGORITHMS)),
        "header" => header(random),
        "encoding" => Value::from(*random.pick(&ENCODINGS)),
        "noTimestamp" | "mutatePayload" | "allowInsecureKeySizes" | "allowInvalidAsymmetricKeyTypes" => {
            Value::Bool(random.percent(60))
        }
        _ => text(random),
    }
}

fn header(random: &mut Random) -> Value {
    let mut members = Object::new();
    for _ in 0..random.below(4) {
        let (name, value) = match random.below(8) {
            0 if random.percent(40) => ("alg", Value::from(*random.pick(&ALGORITHMS))),
            1 if random.percent(30) => {
                let odd = [
                    Value::from("hs256"),
                    Value::from(""),
                    Value::from("XX256"),
                    Value::from("RS1"),
                    Value::Null,
                    Value::Undefined,
                ];
                ("alg", random.pick(&odd).clone())
            }
            2 if random.percent(20) => ("alg", value(random, 1)),
            3 => ("typ", value(random, 1)),
            4 => ("kid", text(random)),
            5 => ("cty", Value::from("ř€😀é")),
            _ => (*random.pick(&NAMES), value(random, 2)),
        };
        members.insert(name.to_owned(), value);
    }
    Value::Object(members)
}

/// The case with one thing less, in every way.
pub(crate) fn smaller(case: &Case) -> Vec<Case> {
    let mut cases = Vec::new();
    for value in lesser(&case.payload) {
        cases.push(Case {
            payload: value,
            ..case.clone()
        });
    }
    for value in lesser(&case.options) {
        cases.push(Case {
            options: value,
            ..case.clone()
        });
    }
    cases.push(Case {
        secret: Value::from("s"),
        ..case.clone()
    });
    cases.push(Case {
        now_ms: 0,
        ..case.clone()
    });
    cases
}

/// The value without one of its parts, or with a lesser one.
fn lesser(value: &Value) -> Vec<Value> {
    match value {
        Value::Object(members) => {
            let mut all = Vec::new();
            for (name, inner) in members {
                let mut without = members.clone();
                without.shift_remove(name);
                all.push(Value::Object(without));
                for less in lesser(inner) {
                    let mut with = members.clone();
                    with.insert(name.clone(), less);
                    all.push(Value::Object(with));
                }
            }
            all
        }
        Value::Array(items) => (0..items.len())
            .map(|at| {
                let mut less = items.clone();
                less.remove(at);
                Value::Array(less)
            })
            .collect(),
        Value::Text(text) if !text.is_empty() => {
            let half: String = text.chars().take(text.chars().count() / 2).collect();
            let rest: String = text.chars().skip(1).collect();
            vec![Value::Text(half), Value::Text(rest)]
        }
        _ => Vec::new(),
    }
}
