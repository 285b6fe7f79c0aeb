//! `narthex user erase`, `narthex user lift-erasure` and `narthex organization lift-deletion`.

use narthex_admin::api::ErasedUserBody;
use narthex_admin::ops::erasure::{ErasedUser, ErasureTerms, webhooks};
use narthex_directory::{ExternalId, RemovedIdentity, RemovedKind, UserStatus};

use super::{AdminContext, Answer, usage_error};
use crate::args::Common;

/// Erases a user.
pub(super) async fn erase(user: &str, terms: ErasureTerms, confirmed: bool, common: &Common) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let before = context.user(user).await?.user;
    if !confirmed {
        return Err(usage_error(format!(
            "this erases the user `{}` ({}) for good; add `--yes` to do it",
            before.username, before.id
        )));
    }
    let refuses_all = terms.refuse_later_tokens || before.status == UserStatus::Disabled;
    let erasure = terms.checked()?;
    let erased = context
        .directory
        .erase_user(before.id, None, erasure, context.by())
        .await?;
    let body = ErasedUserBody::from(ErasedUser {
        user: erased,
        refuses_all,
        webhooks: webhooks(&*context.directory).await?,
        files: context.audit_files.clone(),
    });
    context.answer(&body, || text(&body))
}

fn text(body: &ErasedUserBody) -> String {
    let refused = match body.refuses {
        "all" => "Every later token of the user is refused.",
        _ => "Tokens from before the erasure are refused; a later one creates the user anew.",
    };
    let mut text = format!(
        "The user is erased, and is `{}` from now on. {refused}\n",
        body.pseudonym
    );
    if !body.webhooks.is_empty() {
        text.push_str(&format!(
            "Receivers of these webhooks may hold copies: {}.\n",
            body.webhooks.join(", ")
        ));
    }
    if !body.files.is_empty() {
        text.push_str(&format!("These files hold copies: {}.\n", body.files.join(", ")));
    }
    text.push_str("Logs, backups and earlier exports may hold copies, too.\n");
    text
}

/// Lets tokens bring an erased user or a deleted organization back.
pub(super) async fn lift(
    kind: RemovedKind,
    external_id: String,
    realm: Option<String>,
    common: &Common,
) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let identity = RemovedIdentity {
        kind,
        realm: context.realm(realm)?,
        external_id: ExternalId::new(external_id)?,
    };
    let lifted = context.directory.lift_erasure(identity, context.by()).await?;
    anyhow::ensure!(
        lifted,
        "nothing that tokens may not bring back had this external id in the realm; ids are compared exactly"
    );
    context.answer(&serde_json::json!({ "lifted": true }), || {
        "The next token that names it creates it anew.\n".to_owned()
    })
}
