//! Lists that stay lists.
//!
//! A list that is undefined or null stays so: a missing list must not turn into an empty one, which would mean "none at
//! all" to its reader. Anything else that is no list is a list of one.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::{Action, Args, Function, Group, example, row};
use crate::error::Fault;
use crate::eval::Run;
use crate::json_text;
use crate::number;
use crate::view::{Items, Ref, Val, View};

pub(super) static TABLE: &[Function] = &[
    row(
        Group::Array,
        "add",
        &["list", "value…"],
        "the list with values appended",
        &[example("{{add(l; 4)}}", r#"{"l":[1,2,3]}"#, "[1,2,3,4]")],
        Action::Eager(|args, run| run.list(args.items(0).iter().chain(args.from(1)))),
    ),
    row(
        Group::Array,
        "remove",
        &["list", "value…"],
        "the list without the items equal to one of the values",
        &[example("{{remove(l; 2)}}", r#"{"l":[1,2,3]}"#, "[1,3]")],
        Action::Eager(remove),
    ),
    row(
        Group::Array,
        "merge",
        &["list…"],
        "one list of all the items of lists; undefined if none of them exists",
        &[
            example("{{merge(a; b)}}", r#"{"a":["x"],"b":["y","x"]}"#, r#"["x","y","x"]"#),
            example("{{merge(a; none)}}", r#"{"a":["x"],"none":null}"#, r#"["x"]"#),
        ],
        Action::Eager(|args, run| {
            if args.from(0).all(|list| list.view().is_nothing()) {
                return Ok(Val::UNDEFINED);
            }
            run.list(args.from(0).flat_map(|list| Items::of(list).iter()))
        }),
    ),
    row(
        Group::Array,
        "first",
        &["list"],
        "the first item",
        &[
            example("{{first(l)}}", r#"{"l":[1,2,3]}"#, "1"),
            example("{{first(l)}}", r#"{"l":[]}"#, "undefined"),
        ],
        Action::Eager(|args, run| item(args, run, 1)),
    ),
    row(
        Group::Array,
        "last",
        &["list"],
        "the last item",
        &[example("{{last(l)}}", r#"{"l":[1,2,3]}"#, "3")],
        Action::Eager(|args, run| item(args, run, -1)),
    ),
    row(
        Group::Array,
        "slice",
        &["list", "start", "[end]"],
        "the items from a 0-based position up to, but not including, another; negative positions count from the end",
        &[
            example("{{slice(l; 0; 2)}}", r#"{"l":[1,2,3]}"#, "[1,2]"),
            example("{{slice(l; -2)}}", r#"{"l":[1,2,3]}"#, "[2,3]"),
        ],
        Action::Eager(slice),
    ),
    row(
        Group::Array,
        "reverse",
        &["list"],
        "the items from last to first",
        &[example("{{reverse(l)}}", r#"{"l":[1,2,3]}"#, "[3,2,1]")],
        Action::Eager(|args, run| transform(args, run, |args, run| run.list(args.items(0).iter().rev()))),
    ),
    row(
        Group::Array,
        "shuffle",
        &["list"],
        "the items in random order",
        &[example("{{shuffle(l)}}", r#"{"l":[1]}"#, "[1]")],
        Action::Eager(|args, run| transform(args, run, shuffle)),
    ),
    row(
        Group::Array,
        "sort",
        &["list", "[order]", "[key]"],
        "the items in order: asc (default), desc, asc ci or desc ci, where ci takes no notice of case; by the value of a \
         key, if one is given",
        &[
            example("{{sort(l)}}", r#"{"l":["b","C","a"]}"#, r#"["C","a","b"]"#),
            example("{{sort(l; \"desc ci\")}}", r#"{"l":["b","C","a"]}"#, r#"["C","b","a"]"#),
            example(
                "{{sort(c; \"name\")}}",
                r#"{"c":[{"name":"b"},{"name":"a"}]}"#,
                r#"[{"name":"a"},{"name":"b"}]"#,
            ),
            example(
                "{{sort(c; \"desc\"; \"a.n\")}}",
                r#"{"c":[{"a":{"n":9}},{"a":{"n":10}}]}"#,
                r#"[{"a":{"n":10}},{"a":{"n":9}}]"#,
            ),
        ],
        Action::Eager(|args, run| transform(args, run, sort)),
    ),
    row(
        Group::Array,
        "deduplicate",
        &["list"],
        "the list without repeated items",
        &[example("{{deduplicate(l)}}", r#"{"l":["a","b","a"]}"#, r#"["a","b"]"#)],
        Action::Eager(|args, run| transform(args, run, distinct)),
    ),
    row(
        Group::Array,
        "distinct",
        &["list", "[key]"],
        "the list without repeated items, or without items that repeat the value of a key",
        &[example(
            "{{distinct(l; \"a\")}}",
            r#"{"l":[{"a":1,"b":1},{"a":1,"b":2}]}"#,
            r#"[{"a":1,"b":1}]"#,
        )],
        Action::Eager(|args, run| transform(args, run, distinct)),
    ),
    row(
        Group::Array,
        "flatten",
        &["list", "[depth]"],
        "the list with the items of the lists in it, one level deep or as deep as given",
        &[
            example("{{flatten(l)}}", r#"{"l":[1,[2,[3]]]}"#, "[1,2,[3]]"),
            example("{{flatten(l; 2)}}", r#"{"l":[1,[2,[3]]]}"#, "[1,2,3]"),
        ],
        Action::Eager(|args, run| transform(args, run, flatten)),
    ),
    row(
        Group::Array,
        "arrayDiff",
        &["list", "other"],
        "the items of the first list that are not in the second",
        &[example("{{arrayDiff(a; b)}}", r#"{"a":[1,2,3],"b":[2]}"#, "[1,3]")],
        Action::Eager(|args, run| transform(args, run, |args, run| common(args, run, false))),
    ),
    row(
        Group::Array,
        "arrayIntersect",
        &["list", "other"],
        "the items of the first list that are also in the second",
        &[example(
            "{{arrayIntersect(a; b)}}",
            r#"{"a":[1,2,3],"b":[3,2]}"#,
            "[2,3]",
        )],
        Action::Eager(|args, run| transform(args, run, |args, run| common(args, run, true))),
    ),
];

/// Leaves undefined and null as they are.
pub(super) fn transform<'a>(
    args: &mut Args<'a>,
    run: &mut Run<'a>,
    list: impl FnOnce(&mut Args<'a>, &mut Run<'a>) -> Result<Val<'a>, Fault>,
) -> Result<Val<'a>, Fault> {
    if args.has(0) { list(args, run) } else { Ok(args.take(0)) }
}

fn item<'a>(args: &mut Args<'a>, run: &mut Run<'a>, position: i64) -> Result<Val<'a>, Fault> {
    let value = args.take(0);
    match value.view() {
        View::Array(_) => value.part(&mut run.meter, |list| list.item(position)),
        _ => Ok(value),
    }
}

fn remove<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    transform(args, run, |args, run| {
        let mut kept = Vec::new();
        for item in args.items(0).iter() {
            let mut removed = false;
            for value in args.from(1) {
                run.meter.burn(1)?;
                removed |= run.equal(item.view(), value.view())?;
            }
            if !removed {
                kept.push(item);
            }
        }
        run.list(kept.into_iter())
    })
}

fn slice<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let (start, end) = (args.whole(1)?, args.whole_or(2, i64::MAX)?);
    transform(args, run, |args, run| {
        let items = args.items(0);
        let place = |position: i64| {
            let from_end = usize::try_from(position.unsigned_abs()).unwrap_or(usize::MAX);
            if position < 0 {
                items.len().saturating_sub(from_end)
            } else {
                from_end.min(items.len())
            }
        };
        let (start, end) = (place(start), place(end));
        run.list(items.iter().skip(start).take(end.saturating_sub(start)))
    })
}

fn shuffle<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let mut items: Vec<Ref<'_>> = args.items(0).iter().collect();
    for last in (1..items.len()).rev() {
        run.meter.burn(1)?;
        let chosen = number::as_safe_integer((run.random("shuffle")? * number::of_length(last + 1)).floor());
        items.swap(last, usize::try_from(chosen.unwrap_or(0)).unwrap_or(0).min(last));
    }
    run.list(items.into_iter())
}

fn sort<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let word = args.text(1, run)?;
    let (descending, fold) = match &*word {
        "desc" => (true, false),
        "asc ci" => (false, true),
        "desc ci" => (true, true),
        _ => (false, false),
    };
    let is_order = matches!(&*word, "" | "asc" | "desc" | "asc ci" | "desc ci");
    let key = if is_order { args.text(2, run)? } else { word };
    let items = args.items(0);
    let mut keyed = Vec::with_capacity(items.len());
    for item in items.iter() {
        run.meter.burn(1)?;
        let value = if key.is_empty() { item } else { item.dotted(&key) };
        run.meter.make(value.view().weight())?;
        keyed.push((SortKey::of(value.view(), fold), item));
    }
    run.meter
        .burn(keyed.len().saturating_mul(keyed.len().max(1).ilog2() as usize))?;
    keyed.sort_by(|(a, _), (b, _)| a.order(b, descending));
    run.list(keyed.into_iter().map(|(_, item)| item))
}

/// Sort key of an item: numbers before texts before everything else; missing items come last.
enum SortKey {
    Number(f64),
    /// UTF-16 units: the order of JavaScript's texts.
    Text(Vec<u16>),
    Other,
    Nothing,
}

impl SortKey {
    fn of(view: View<'_>, fold: bool) -> Self {
        match view {
            View::Undefined | View::Null => Self::Nothing,
            View::Number(_) | View::BigInteger(_) | View::Bool(_) | View::Date(_) => Self::Number(view.to_number()),
            View::Text(text) if fold => Self::Text(text.to_lowercase().encode_utf16().collect()),
            View::Text(text) => Self::Text(text.encode_utf16().collect()),
            View::Array(_) | View::Object(_) | View::Binary(_) => Self::Other,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Number(_) => 0,
            Self::Text(_) => 1,
            Self::Other => 2,
            Self::Nothing => 3,
        }
    }

    fn order(&self, other: &Self, descending: bool) -> Ordering {
        let ordering = match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Nothing, _) | (_, Self::Nothing) => return self.rank().cmp(&other.rank()),
            _ => self.rank().cmp(&other.rank()),
        };
        if descending { ordering.reverse() } else { ordering }
    }
}

/// A value as a key of a set. Values that are equal have the same key.
fn identity(value: Ref<'_>) -> String {
    let view = value.view();
    format!("{}:{}", view.kind(), json_text::write(value).unwrap_or_default())
}

fn distinct<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let key = args.text(1, run)?;
    let mut seen = HashSet::new();
    let mut kept = Vec::new();
    for item in args.items(0).iter() {
        let value = if key.is_empty() { item } else { item.dotted(&key) };
        run.meter.burn(1 + value.view().weight())?;
        if seen.insert(identity(value)) {
            kept.push(item);
        }
    }
    run.list(kept.into_iter())
}

fn common<'a>(args: &mut Args<'a>, run: &mut Run<'a>, wanted: bool) -> Result<Val<'a>, Fault> {
    run.meter.burn(args.view(0).weight() + args.view(1).weight())?;
    let other: HashSet<String> = args.items(1).iter().map(identity).collect();
    run.list(
        args.items(0)
            .iter()
            .filter(|item| other.contains(&identity(*item)) == wanted),
    )
}

fn flatten<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let depth = args.whole_or(1, 1)?;
    let mut flat = Vec::new();
    let mut open = vec![args.items(0).iter().collect::<Vec<_>>().into_iter()];
    while let Some(items) = open.last_mut() {
        let Some(item) = items.next() else {
            open.pop();
            continue;
        };
        run.meter.burn(1)?;
        match item.view() {
            View::Array(inner) if i64::try_from(open.len()).is_ok_and(|level| level <= depth) => {
                open.push(inner.iter().collect::<Vec<_>>().into_iter());
            }
            _ => flat.push(item),
        }
    }
    run.list(flat.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    #[test]
    fn nothing_sorts_last_either_way() {
        let (number, nothing) = (SortKey::of(View::Number(1.0), false), SortKey::of(View::Null, false));
        assert_eq!(number.order(&nothing, false), Ordering::Less);
        assert_eq!(number.order(&nothing, true), Ordering::Less);
        assert_ne!(
            identity(Ref::Value(&Value::from("1"))),
            identity(Ref::Value(&Value::from(1.0)))
        );
    }
}
