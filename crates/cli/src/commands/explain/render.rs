//! Explanation as text for a tired reader: the answer and the next step first, then each step with a mark.

use narthex_decision::Reason;
use narthex_explain::{ChangeRow, Explanation, FieldRow, IdentityRow, NearMissRow, RequestRow, StepRow};
use narthex_token::{Limits, parse};
use serde_json::{Map, Value};

use crate::commands::terminal::{OutputStyle, Tone, escape_line, escape_sentence, moment, relative, span};

/// The whole explanation.
pub(super) fn text(told: &Explanation, token: &str, now_ms: i64, style: OutputStyle) -> String {
    let limits = Limits {
        token_bytes_max: token.len(),
        ..Limits::default()
    };
    let claims = parse(token, &limits)
        .map(|parsed| parsed.into_unverified().claims().clone())
        .unwrap_or_default();
    let mut page = Page {
        text: String::new(),
        style,
        now_ms,
        claims,
    };
    page.answer(told);
    page.token(told);
    page.identity(told);
    page.tags(told);
    page.directory(told);
    if let Some(request) = &told.request {
        page.request(request, told);
    }
    page.text
}

/// Mark of a line.
#[derive(Clone, Copy)]
enum Mark {
    Yes,
    No,
    Beside,
}

struct Page {
    text: String,
    style: OutputStyle,
    now_ms: i64,
    /// Claims of the token, for its times.
    claims: Map<String, Value>,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn heading(&mut self, title: &str, aside: &str) {
        let title = self.style.paint(Tone::Strong, title);
        let aside = if aside.is_empty() {
            String::new()
        } else {
            format!("  {}", self.style.paint(Tone::Faint, aside))
        };
        self.line("");
        self.line(&format!("{title}{aside}"));
    }

    /// A mark, a name in a column, what was found, and an aside.
    fn row(&mut self, mark: Mark, name: &str, width: usize, said: &str, aside: &str) {
        let sign = match mark {
            Mark::Yes => self.style.paint(Tone::Good, "✓"),
            Mark::No => self.style.paint(Tone::Bad, "✗"),
            Mark::Beside => self.style.paint(Tone::Faint, "–"),
        };
        let aside = if aside.is_empty() {
            String::new()
        } else {
            format!("  {}", self.style.paint(Tone::Faint, aside))
        };
        self.line(&format!("  {sign} {name:<width$}  {said}{aside}"));
    }

    fn answer(&mut self, told: &Explanation) {
        let answer = &told.answer;
        let Some(reason) = &answer.reason else {
            let passes = if told.request.is_some() {
                "the request may pass"
            } else {
                "the token is accepted"
            };
            let line = self.style.paint(Tone::Good, format!("✓ 200 {passes}"));
            return self.line(&line);
        };
        let line = self.style.paint(Tone::Bad, format!("✗ {} {reason}", answer.status));
        self.line(&line);
        let detail = answer.cause.as_deref().unwrap_or_default();
        let moment = match reason.as_str() {
            "token.expired" => self.time("exp", "it expires", "it expired"),
            "token.not_yet_valid" => self.time("nbf", "it becomes valid", "it became valid"),
            "token.issued_in_future" | "token.too_old" => self.time("iat", "it was issued", "it was issued"),
            _ => None,
        };
        self.line(&format!(
            "  cause:  {}",
            moment.unwrap_or_else(|| escape_sentence(detail))
        ));
        if let Some(cure) = &answer.cure {
            let sentence = self.style.paint(Tone::Strong, escape_sentence(&cure.sentence));
            self.line(&format!("  cure:   {sentence}"));
        }
        self.line(&format!("  told:   {}", escape_sentence(&answer.message)));
        for next in &answer.also {
            self.line(&format!("  then:   {}: {}", next.reason, escape_sentence(&next.cause)));
            if let Some(cure) = &next.cure {
                self.line(&format!("    cure: {}", escape_sentence(&cure.sentence)));
            }
        }
        let would_pass = told.request.as_ref().is_some_and(|request| request.decision == "allow");
        if answer.also.is_empty() && would_pass && told.key.is_some() {
            self.line("  else:   nothing; a token like this one without that fault would pass");
        }
    }

    fn token(&mut self, told: &Explanation) {
        let issuer = told.issuer.as_ref().map_or_else(
            || "no issuer was found".to_owned(),
            |issuer| format!("issuer `{issuer}`"),
        );
        if told.token.iter().any(|step| step.rule == "machine_key") {
            self.heading("Machine key", "found by its hash");
        } else {
            self.heading("Token", &issuer);
        }
        let width = widest(told.token.iter().map(|step| label(&step.rule)));
        for step in &told.token {
            let mark = match step.outcome {
                "passed" => Mark::Yes,
                "failed" => Mark::No,
                _ => Mark::Beside,
            };
            let (said, aside) = self.step(step);
            self.row(mark, &label(&step.rule), width, &said, &aside);
        }
    }

    /// Description of a rule: short if it holds, expected and actual value if it does not.
    fn step(&self, step: &StepRow) -> (String, String) {
        let time = match step.rule.as_str() {
            "expiry" => self.time("exp", "expires", "expired"),
            "not_before" => self.time("nbf", "valid", "valid"),
            "issued_at" => self.time("iat", "issued", "issued"),
            _ => None,
        };
        match (step.outcome, time) {
            ("not_tried", _) => ("not tried".to_owned(), "an earlier rule failed".to_owned()),
            ("passed", Some(time)) => (time, String::new()),
            ("failed", Some(time)) => (time, format!("wanted: {}", escape_line(&step.expected))),
            ("passed", None) => (passed(step), String::new()),
            _ => (
                escape_line(&step.detail),
                format!(
                    "found: {}; wanted: {}",
                    escape_line(&step.found),
                    escape_line(&step.expected)
                ),
            ),
        }
    }

    /// A claim that is a time, against now.
    fn time(&self, claim: &str, ahead: &str, behind: &str) -> Option<String> {
        let seconds = self.claims.get(claim)?.as_f64()?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float beyond i64 saturates, and no calendar has it anyway"
        )]
        let at_ms = (seconds * 1000.0).floor() as i64;
        let verb = if at_ms > self.now_ms { ahead } else { behind };
        let far = if span(at_ms.saturating_sub(self.now_ms)).is_none() {
            "just now".to_owned()
        } else {
            relative(at_ms, self.now_ms)
        };
        Some(format!("{verb} {far}, {}", moment(at_ms)))
    }

    fn identity(&mut self, told: &Explanation) {
        let rows = &told.identity;
        if rows.is_empty() {
            return;
        }
        self.heading("Identity", "what the mapping makes of the claims");
        if told.key.is_none() {
            let warning = self
                .style
                .paint(Tone::Odd, "! no signature was verified: these claims may be forged");
            self.line(&format!("  {warning}"));
        }
        let width = widest(rows.iter().map(|row| field_label(&row.field)));
        let said: Vec<(Mark, String)> = rows.iter().map(given).collect();
        let said_width = widest(
            said.iter()
                .filter(|(mark, _)| !matches!(mark, Mark::No))
                .map(|(_, said)| said.clone()),
        )
        .min(SAID_WIDTH_MOST);
        for (row, (mark, said)) in rows.iter().zip(said) {
            self.row(
                mark,
                &field_label(&row.field),
                width,
                &format!("{said:<said_width$}"),
                &escape_line(&row.template),
            );
        }
    }

    fn tags(&mut self, told: &Explanation) {
        if told.tags.is_empty() && told.near_misses.is_empty() {
            return;
        }
        self.heading("Tags", "which tag met what");
        let width = widest(told.tags.iter().map(|row| escape_line(&row.tag)));
        for row in &told.tags {
            let (mark, gives) = if row.gives.is_empty() {
                (Mark::Beside, "nothing lists it".to_owned())
            } else {
                (Mark::Yes, row.gives.join(", "))
            };
            self.row(mark, &escape_line(&row.tag), width, &escape_line(&gives), "");
        }
        for miss in &told.near_misses {
            let sentence = self.style.paint(Tone::Odd, near_miss(miss));
            self.line(&format!("  ! {sentence}"));
        }
    }

    fn directory(&mut self, told: &Explanation) {
        let Some(platform_role) = &told.platform_role else {
            if told.key.is_none()
                && !told.identity.is_empty()
                && first_failure(told) != Some(Reason::KeysUnavailable.code())
            {
                self.heading(
                    "Directory",
                    "not asked: these claims lead to nothing, since no signature was proved",
                );
            }
            return;
        };
        self.heading("Directory", &format!("{}nothing was written", if_good(told, "", "; ")));
        if told.changes.is_empty() {
            self.line("    nothing would change");
        }
        for change in &told.changes {
            self.change(change);
        }
        for note in &told.notes {
            let note = self.style.paint(Tone::Odd, escape_line(note));
            self.line(&format!("  ! {note}"));
        }
        let mut roles = vec![format!("platform role {platform_role}")];
        roles.extend(told.organizations.iter().map(|row| {
            let open = if row.status == "active" {
                String::new()
            } else {
                format!(" ({})", row.status)
            };
            format!("{} of {}{open}", row.role, escape_line(&row.name))
        }));
        self.line(&format!("  = {}", roles.join(", ")));
    }

    /// One change, as in a diff.
    fn change(&mut self, change: &ChangeRow) {
        let (sign, tone) = match change.action.rsplit('.').next() {
            Some("created" | "opened" | "granted") => ("+", Tone::Good),
            Some("closed" | "revoked" | "deleted") => ("-", Tone::Bad),
            _ => ("~", Tone::Odd),
        };
        let line = self
            .style
            .paint(tone, format!("{sign} {}", escape_line(&change.summary)));
        self.line(&format!("  {line}"));
        let telling = |field: &&FieldRow| {
            !BESIDE.contains(&field.name.as_str()) && !USUAL.contains(&(field.name.as_str(), field.to.as_str()))
        };
        let fields: Vec<_> = change.fields.iter().filter(telling).collect();
        let width = widest(fields.iter().map(|field| label(&field.name)));
        for field in fields {
            let from = field
                .from
                .as_ref()
                .map(|from| format!("{} → ", escape_line(from)))
                .unwrap_or_default();
            self.line(&format!(
                "      {:<width$}  {from}{}",
                label(&field.name),
                escape_line(&field.to)
            ));
        }
    }

    fn request(&mut self, request: &RequestRow, told: &Explanation) {
        self.heading("Request", &escape_line(&format!("{} {}", request.method, request.path)));
        let Some(route) = &request.route else {
            self.row(Mark::No, "route", 5, "none has this path and method", "");
            return;
        };
        self.row(Mark::Yes, "route", 5, &route.join(", "), "");
        let needs = request.requires.join(" or ");
        let whose = request
            .organization
            .as_ref()
            .map(|name| format!("in organization {}", escape_line(name)))
            .unwrap_or_default();
        let whose = match request.decision {
            "allow" => [whose, if_good(told, "", "")]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(", "),
            _ => whose,
        };
        match (request.decision, &request.satisfied) {
            ("allow", Some(rule)) if *rule != needs => {
                self.row(Mark::Yes, "needs", 5, &needs, &format!("{whose}  satisfied by {rule}"));
            }
            ("allow", _) => self.row(Mark::Yes, "needs", 5, &needs, &whose),
            ("deny", _) => self.row(Mark::No, "needs", 5, &needs, &format!("{whose}  not satisfied")),
            _ => self.row(
                Mark::Beside,
                "needs",
                5,
                &needs,
                &format!("{whose}  not decided: no user is known"),
            ),
        }
        if told.headers.is_empty() {
            return;
        }
        let aside = format!(
            "what the application would see{}, beside the signed assertion",
            if_good(told, " ", "")
        );
        self.heading("Headers", &aside);
        let width = widest(told.headers.iter().map(|header| header.name.clone()));
        for header in &told.headers {
            self.line(&format!("    {:<width$}  {}", header.name, escape_line(&header.to)));
        }
    }
}

/// Reason of the first failed step; `None` if the token is accepted.
fn first_failure(told: &Explanation) -> Option<&'static str> {
    told.token.iter().find_map(|step| step.reason)
}

/// Remark on a result that the refused token does not lead to, so that no reader takes it for a real effect.
fn if_good(told: &Explanation, before: &str, after: &str) -> String {
    first_failure(told).map_or_else(String::new, |_| format!("{before}if the token were good{after}"))
}

/// Finding of a rule that holds.
fn passed(step: &StepRow) -> String {
    let detail = escape_line(&step.detail);
    match step.rule.as_str() {
        "issuer" if step.found != "absent" => format!("`iss` is {}", escape_line(&step.found)),
        "issuer" => "no `iss`, so it belongs to the issuer that takes such tokens".to_owned(),
        "key" if detail == "matched by secret" => "the shared secret".to_owned(),
        "audience" if step.expected.starts_with("no audience") => "none is configured, so none is compared".to_owned(),
        "audience" => format!("{detail}: {}", escape_line(&step.found)),
        _ => detail,
    }
}

/// Outcome of a template: its value, or why it has none.
fn given(row: &IdentityRow) -> (Mark, String) {
    let value = |value: &Option<Value>| match value {
        Some(Value::String(text)) => escape_line(text),
        Some(other) => escape_line(&other.to_string()),
        None => "nothing".to_owned(),
    };
    let problem = || escape_line(row.problem.as_deref().unwrap_or_default());
    match row.outcome {
        "taken" => (Mark::Yes, value(&row.value)),
        "not_given" => (Mark::Beside, "not given".to_owned()),
        "skipped" => (Mark::Beside, format!("left out: {}", problem())),
        _ => (Mark::No, format!("{}: {}", value(&row.gave), problem())),
    }
}

/// A near miss as a sentence that can be acted on.
fn near_miss(miss: &NearMissRow) -> String {
    let lister = miss.organization.as_ref().map_or_else(
        || "the issuer's `platform_admin`".to_owned(),
        |name| format!("organization {}", escape_line(name)),
    );
    let (tag, listed) = (escape_line(&miss.tag), escape_line(&miss.listed));
    format!(
        "the token has `{tag}`, {lister} lists `{listed}`: {}",
        escape_sentence(&miss.sentence)
    )
}

/// `user.external_id` as `user external id`.
fn label(name: &str) -> String {
    let mut label = String::new();
    for character in escape_line(name).chars() {
        label.push(if matches!(character, '_' | '.') { ' ' } else { character });
    }
    label
}

/// The same without `user`, whom an identity is about.
fn field_label(field: &str) -> String {
    label(field.strip_prefix("user.").unwrap_or(field))
}

fn widest(texts: impl Iterator<Item = String>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}

/// Fields of a record that say nothing about what was asked.
const BESIDE: [&str; 8] = [
    "id",
    "realm",
    "origin",
    "created_at",
    "updated_at",
    "version",
    "granted_at",
    "asserted_at",
];
/// Values that everything new has.
const USUAL: [(&str, &str); 3] = [("status", "active"), ("membership", "mixed"), ("logo", "false")];
/// Widest column of values that does not push the template to the right.
const SAID_WIDTH_MOST: usize = 40;
