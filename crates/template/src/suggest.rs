//! "Did you mean".

use crate::functions;
use crate::names::Names;
use crate::words::{self, KEYWORDS};

/// What to write instead of an unknown bare name.
pub(crate) fn for_name(name: &str, names: &Names) -> String {
    if functions::find(name).is_some() || names.function(name).is_some() {
        return format!("`{name}` is a function: call it with `{name}(…)`");
    }
    let candidates = names.roots().chain(KEYWORDS.iter().map(|keyword| keyword.name));
    if let Some(near) = nearest(name, candidates) {
        return format!("did you mean `{near}`?");
    }
    let roots: Vec<String> = names.roots().map(|root| format!("`{root}`")).collect();
    if roots.is_empty() {
        "there are no names here; text stands in quotes".to_owned()
    } else {
        format!("the names here are {}; text stands in quotes", roots.join(", "))
    }
}

/// What to write instead of an unknown function.
pub(crate) fn for_function(name: &str, names: &Names) -> String {
    if words::find(name).is_some() {
        return format!("`{name}` is a word of its own: write it without parentheses");
    }
    let candidates = functions::all()
        .map(|function| function.name)
        .chain(names.functions().map(|function| function.name()));
    nearest(name, candidates)
        .map(|near| format!("did you mean `{near}`?"))
        .unwrap_or_default()
}

/// The candidate that is most like `name`, if it is like enough.
fn nearest<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    // Comparing costs the product of the lengths, and nobody mistypes a name by hundreds of characters.
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
