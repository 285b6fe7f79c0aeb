//! Plain text in columns.

use std::fmt;

use crate::escape_line;

/// Rows under headings, or facts beside their names.
#[derive(Debug)]
pub struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    empty: &'static str,
}

impl Table {
    /// A table with these headings; `empty` is said instead when there are no rows.
    pub fn new<const N: usize>(headings: [&'static str; N], empty: &'static str) -> Self {
        Self {
            headings: headings.to_vec(),
            rows: Vec::new(),
            empty,
        }
    }

    /// Facts beside their names. What is not known is left out.
    pub fn facts<const N: usize>(facts: [(&str, Option<String>); N]) -> Self {
        let known = facts
            .into_iter()
            .filter_map(|(name, fact)| Some(vec![name.to_owned(), fact?]));
        Self {
            headings: Vec::new(),
            rows: known.collect(),
            empty: "",
        }
    }

    /// The table with one more row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// The table with rows for these items.
    #[must_use]
    pub fn rows<T, const N: usize>(mut self, items: &[T], cells: impl Fn(&T) -> [String; N]) -> Self {
        for item in items {
            self.row(cells(item));
        }
        self
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.is_empty() {
            return writeln!(f, "{}", self.empty);
        }
        // SECURITY: names come from tokens; what could move a terminal's cursor is shown, not sent.
        let safe = |cells: &[String]| cells.iter().map(|cell| escape_line(cell)).collect::<Vec<_>>();
        let headings: Vec<String> = self.headings.iter().map(ToString::to_string).collect();
        let lines: Vec<Vec<String>> = Some(headings)
            .filter(|line| !line.is_empty())
            .into_iter()
            .chain(self.rows.iter().map(|row| safe(row)))
            .collect();
        let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            lines
                .iter()
                .filter_map(|line| line.get(column))
                .map(|cell| cell.chars().count())
                .max()
        };
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        for line in &lines {
            let padded: Vec<String> = line
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            writeln!(f, "{}", padded.join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let mut table = Table::new(["NAME", "ROLE"], "No members.");
        assert_eq!(table.to_string(), "No members.\n");
        table.row(["Žofie".to_owned(), "admin".to_owned()]);
        table.row(["a".to_owned(), String::new()]);
        assert_eq!(table.to_string(), "NAME   ROLE\nŽofie  admin\na\n");
        let facts = Table::facts([
            ("name", Some("acme".to_owned())),
            ("label", None),
            ("id", Some("1".to_owned())),
        ]);
        assert_eq!(facts.to_string(), "name  acme\nid    1\n");
    }

    #[test]
    fn sec_terminal_sequences_in_names_are_shown() {
        let mut table = Table::new(["NAME"], "");
        table.row(["a\u{1b}[2J".to_owned()]);
        assert!(!table.to_string().contains('\u{1b}'));
    }
}
