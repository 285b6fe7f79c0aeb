//! `narthex organization delete`.

use narthex_admin::api::OrganizationContentBody;
use narthex_admin::ops::organizations::deletion::DeletionTerms;

use super::table::Table;
use super::{AdminContext, Answer};
use crate::args::Common;

/// Shows what ends with an organization, or deletes it.
pub(super) async fn delete(
    organization: &str,
    terms: DeletionTerms,
    confirmed: bool,
    common: &Common,
) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let found = context.organization(organization).await?;
    let content = context.directory.organization_content(found.id).await?;
    if confirmed {
        let deletion = terms.checked()?;
        // What was counted is what is deleted.
        let version = Some(found.version);
        context
            .directory
            .delete_organization(found.id, version, deletion, context.by())
            .await?;
    }
    let body = OrganizationContentBody::from(content);
    context.answer(&serde_json::json!({ "deleted": confirmed, "content": body }), || {
        let counts = Table::facts([
            ("members", Some(body.members.to_string())),
            ("teams", Some(body.teams.to_string())),
            ("machine keys", Some(body.machine_keys.to_string())),
            ("API keys", Some(body.api_keys.to_string())),
            ("connections", Some(body.documents.to_string())),
        ]);
        let said = if confirmed {
            format!("The organization {} is deleted.", found.name)
        } else {
            format!("This ends with {}; add `--yes` to delete it.", found.name)
        };
        format!("{counts}\n{said}\n")
    })
}
