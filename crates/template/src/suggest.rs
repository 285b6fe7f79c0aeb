//! "Did you mean".

use crate::functions;
use crate::names::Names;
use crate::words::{self, KEYWORDS};

/// Advice on what to write instead of an unknown bare name.
pub(crate) fn for_name(name: &str, names: &Names) -> String {
    if functions::find(name).is_some() || names.function(name).is_some() {
        return format!("`{name}` is a function: call it with `{name}(…)`");
    }
    let candidates = names.roots().chain(KEYWORDS.iter().map(|keyword| keyword.name));
    if let Some(near) = nearest(name, candidates) {
        return format!("did you mean `{near}`?");
    }
    // Of the words that are names everywhere, the two that say something of the request.
    let known = names.roots().chain(["now", "timestamp"]);
    let known: Vec<String> = known.map(|name| format!("`{name}`")).collect();
    format!("the names here are {}; text stands in quotes", known.join(", "))
}

/// Advice on what to write instead of an unknown function.
pub(crate) fn for_function(name: &str, names: &Names) -> String {
    if words::find(name).is_some() {
        return format!("`{name}` is a word of its own: write it without parentheses");
    }
    if let Some((_, advice)) = ELSEWHERE.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)) {
        return (*advice).to_owned();
    }
    let candidates = functions::all()
        .map(|function| function.name)
        .chain(names.functions().map(|function| function.name()));
    nearest(name, candidates).map_or_else(
        || "docs/reference/templates.md lists the functions there are".to_owned(),
        |near| format!("did you mean `{near}`?"),
    )
}

/// Functions of other languages, and of other products that speak this one, that have another name here or none.
const ELSEWHERE: [(&str, &str); 48] = [
    (
        "jwt",
        "tokens are minted in connections and by `narthex template eval`, not in mappings",
    ),
    ("lowercase", "did you mean `lower`?"),
    ("toLowerCase", "did you mean `lower`?"),
    ("uppercase", "did you mean `upper`?"),
    ("toUpperCase", "did you mean `upper`?"),
    ("titlecase", "did you mean `startcase`?"),
    ("strip", "did you mean `trim`?"),
    ("len", "did you mean `length`?"),
    ("size", "did you mean `length`?"),
    ("count", "did you mean `length`?"),
    ("substr", "did you mean `substring`?"),
    ("mid", "did you mean `substring`?"),
    ("left", "use substring(text; 0; count)"),
    ("right", "use substring(text; length(text) - count)"),
    ("includes", "did you mean `contains`?"),
    ("has", "did you mean `contains`?"),
    ("in", "use contains(list; value)"),
    (
        "replaceAll",
        "use replace(text; \"/…/g\"; replacement) with a regular expression",
    ),
    (
        "regex",
        "use replace(text; \"/…/g\"; replacement) with a regular expression",
    ),
    (
        "match",
        "use replace(text; \"/…/\"; \"$1\") with a regular expression and a group",
    ),
    ("concat", "texts are joined with +, lists with merge(list; list)"),
    ("append", "did you mean `add`?"),
    ("push", "did you mean `add`?"),
    ("filter", "use map(list; key; filterKey; filterValues)"),
    ("unique", "did you mean `deduplicate`?"),
    ("uniq", "did you mean `deduplicate`?"),
    ("isBlank", "use ifempty(value; otherwise)"),
    ("isEmpty", "use ifempty(value; otherwise)"),
    ("coalesce", "use ifempty(value; otherwise)"),
    ("default", "use ifempty(value; otherwise)"),
    ("ifnull", "use ifempty(value; otherwise)"),
    ("not", "use ! before the value"),
    ("eq", "use = between the values"),
    ("case", "did you mean `switch`?"),
    ("int", "use parseNumber(text), or floor(number)"),
    ("number", "did you mean `parseNumber`?"),
    ("toNumber", "did you mean `parseNumber`?"),
    ("str", "did you mean `toString`?"),
    ("string", "did you mean `toString`?"),
    ("stringify", "did you mean `createJSON`?"),
    ("parse", "did you mean `parseJSON`?"),
    ("avg", "did you mean `average`?"),
    ("date", "use formatDate(date; format) or parseDate(text; format)"),
    ("dateDifference", "subtract the dates: the result is in milliseconds"),
    ("hmac", "use sha256(text; \"hex\"; key)"),
    ("hash", "did you mean `sha256`?"),
    ("base64decode", "use toString(toBinary(text; \"base64\"))"),
    (
        "set",
        "no value is changed here: build the collection in a document, with the key {{...}} for what stays as it is",
    ),
];

/// The candidate that is most like `name`, if it is like enough: "did you mean" for names of up to 64 bytes.
pub fn nearest<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    // Comparing costs the product of the lengths, and a typing error is not hundreds of characters long.
    if name.len() > 64 {
        return None;
    }
    let folded = name.to_lowercase();
    candidates
        .map(|candidate| (strsim::osa_distance(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(name.len()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
