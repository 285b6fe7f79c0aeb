//! `narthex why`: the denial of a request.

use anyhow::Context as _;
use narthex_admin::api::DenialBody;

use super::table::Table;
use super::{AdminContext, Answer};
use crate::args::Common;

/// Facts that are shown, in this order.
const FACTS: [&str; 13] = [
    "reason",
    "status",
    "message",
    "detail",
    "told",
    "method",
    "path",
    "door",
    "client",
    "issuer",
    "user_id",
    "organization",
    "advice",
];

/// Prints it.
pub(super) async fn run(request_id: &str, common: &Common) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let found = context
        .directory
        .denial(request_id.to_owned(), context.now_ms())
        .await?;
    let denial = found.with_context(|| {
        format!(
            "no request `{request_id}` was refused in the last hour; the log has older ones, and those that a flood \
             left no room for"
        )
    })?;
    let body = DenialBody::from(denial);
    context.answer(&body, || {
        let fact = |name: &'static str| {
            let value = body.facts.get(name)?;
            Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        Table::facts(FACTS.map(|name| (name, fact(name)))).to_string()
    })
}
