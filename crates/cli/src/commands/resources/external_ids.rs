//! `narthex user external-ids`: a list of external ids, previewed or carried out.

use std::path::Path;

use narthex_admin::ops::external_ids::{ExternalIdChange, PlannedChange, edits, plan};
use serde::Serialize;

use super::grant::reason;
use super::table::Table;
use super::{AdminContext, Answer, usage_error};
use crate::args::Common;
use crate::commands::input::{argument_or_stdin, file};

/// Entry of the answer, as the admin API has it.
#[derive(Serialize)]
struct Shown<'p> {
    from: &'p str,
    to: &'p str,
    user_id: Option<String>,
    effect: &'static str,
    advice: Option<String>,
}

/// The answer, as the admin API has it.
#[derive(Serialize)]
struct ShownList<'p> {
    applied: bool,
    obstacles: usize,
    items: Vec<Shown<'p>>,
}

/// Runs it.
pub(super) async fn run(
    path: &str,
    realm: Option<String>,
    (apply, why): (bool, Option<String>),
    common: &Common,
) -> anyhow::Result<Answer> {
    let (changes, why) = (entries(&text(path)?)?, reason(why)?);
    let context = AdminContext::open(common).await?;
    let realm = context.realm(realm)?;
    let planned = plan(&*context.directory, &realm, changes).await?;
    let obstacles = planned.iter().filter(|planned| planned.effect.is_obstacle()).count();
    let applied = apply && obstacles == 0;
    if applied {
        let edits = edits(&planned, why.as_deref())?;
        context.directory.update_users(edits, context.by()).await?;
    }
    let list = ShownList {
        applied,
        obstacles,
        items: planned.iter().map(shown).collect(),
    };
    let end = match (applied, obstacles) {
        (true, _) => "All of it is done.\n".to_owned(),
        (false, 0) => "Nothing is changed yet: add `--apply` to carry it out.\n".to_owned(),
        (false, count) => format!("Nothing is changed: {count} of the entries cannot be carried out.\n"),
    };
    context.answer(&list, || format!("{}\n{end}", table(&list.items)))?;
    Ok(if obstacles == 0 { Answer::Yes } else { Answer::No })
}

fn shown(planned: &PlannedChange) -> Shown<'_> {
    Shown {
        from: &planned.change.from,
        to: &planned.change.to,
        user_id: planned.effect.user().map(|id| id.to_string()),
        effect: planned.effect.as_str(),
        advice: planned.effect.advice(),
    }
}

fn table(items: &[Shown<'_>]) -> Table {
    let headings = ["FROM", "TO", "EFFECT", "USER", "WHAT TO DO"];
    let mut table = Table::new(headings, "The list is empty.");
    for item in items {
        table.row([
            item.from.to_owned(),
            item.to.to_owned(),
            item.effect.to_owned(),
            item.user_id.clone().unwrap_or_else(|| "-".to_owned()),
            item.advice.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    table
}

/// The text of the list.
fn text(path: &str) -> anyhow::Result<String> {
    if path == "-" {
        return argument_or_stdin(path.to_owned());
    }
    let bytes = file("FILE", Path::new(path))?;
    let text = std::str::from_utf8(&bytes);
    Ok(text
        .map_err(|_| usage_error(format!("`{path}` is not text in UTF-8; save it as such")))?
        .to_owned())
}

/// The entries of a list: on each line two external ids with a tab between them, which no external id holds.
fn entries(text: &str) -> anyhow::Result<Vec<ExternalIdChange>> {
    let mut entries = Vec::new();
    // A byte order mark is a spreadsheet's, and no part of an id.
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let ids = line.split_once('\t').filter(|(_, to)| !to.contains('\t'));
        let (from, to) = ids.ok_or_else(|| {
            let number = index + 1;
            usage_error(format!(
                "line {number} is not two external ids; write the present one, a tab, and the new one"
            ))
        })?;
        entries.push(ExternalIdChange {
            from: from.to_owned(),
            to: to.to_owned(),
        });
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_two_ids_with_a_tab_between_them() {
        let read = entries("\u{feff}ann\t1\r\n\n a b\tc,d\n").unwrap();
        let read: Vec<(&str, &str)> = read
            .iter()
            .map(|change| (change.from.as_str(), change.to.as_str()))
            .collect();
        assert_eq!(read, [("ann", "1"), (" a b", "c,d")], "used exactly as written");
        for text in ["ann", "ann\t1\t2", "x\ty\nann 1"] {
            assert!(entries(text).is_err(), "{text:?}");
        }
    }
}
