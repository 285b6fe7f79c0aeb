//! Setup links: an organization's admin brings the organization's own identity provider. A link is for one organization and makes one
//! issuer, within seven days; it ends when that issuer lets people in.
//!
//! SECURITY: the link is the credential. Its holder can make an issuer of that organization, observe it, and have it let people in;
//! nothing else. Only the SHA-256 of its secret is stored, as the name of its document.

use std::fmt::Write as _;
use std::sync::Arc;

use narthex_decision::{Action, Reason};
use narthex_directory::{
    Actor, By, Directory, Document, DocumentAt, DocumentKind, Listing, NewDocument, Organization, OrganizationId,
    OrganizationStatus,
};
use narthex_engine::respond::Refusal;
use narthex_explain::Explanation;
use narthex_issuers::store::{IssuerStore, NewIssuer};
use narthex_proposal::{Proposal, propose_for_address, propose_for_token};
use narthex_session::cookie::Secret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::IssuerSample;
use super::documents::FILE_ONLY;
use crate::Operations;
use crate::caller::Caller;
use crate::error::OpError;
use crate::gateway_api::TokenToExplain;
use crate::paging::PageRequest;

/// Time for which a link is good, in milliseconds: seven days.
pub const LINK_MS: i64 = 7 * 24 * 60 * 60 * 1_000;
/// Number of characters of a link's id that end the name of its issuer.
const NAME_ENDING: usize = 8;
/// Longest beginning of the name of an issuer, in characters.
const NAME_BEGINNING_MAX: usize = 48;

const UNKNOWN: OpError = OpError::Unknown { what: "setup link" };

/// A setup link, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupLink {
    /// Its id: the SHA-256 of its secret, in hexadecimal digits.
    pub id: String,
    /// The organization.
    pub organization: OrganizationId,
    /// Time of creation, in milliseconds.
    pub created_at_ms: i64,
    /// Time of expiry, in milliseconds.
    pub expires_at_ms: i64,
    /// Name of the issuer that it has made.
    pub issuer: Option<String>,
    /// True if it has ended: its issuer lets people in.
    pub is_used: bool,
    /// Version of its record.
    version: u64,
}

/// A setup link that was just created.
pub struct SetupLinkWithSecret {
    /// The link.
    pub link: SetupLink,
    /// Its secret, to be shown once.
    pub secret: Secret,
}

/// SECURITY: not the secret.
impl std::fmt::Debug for SetupLinkWithSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SetupLinkWithSecret")
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}

/// The record of a link.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Body {
    expires_at_ms: i64,
    issuer: Option<String>,
    is_used: bool,
}

/// Creates a link for the organization with this name or id.
///
/// # Errors
///
/// When the caller may not, there is no such organization, or the directory fails.
pub async fn create(caller: &Caller, organization: &str) -> Result<SetupLinkWithSecret, OpError> {
    let (permit, organization) = caller.organization(Action::WriteIssuers, organization).await?;
    permit.gateway().run_time_issuers().ok_or(FILE_ONLY)?;
    create_link(permit.directory(), organization.id, permit.by()).await
}

/// Creates a link without a caller, for the command line.
///
/// # Errors
///
/// When there is no such organization, or the directory fails.
pub async fn create_link(
    directory: &dyn Directory,
    organization: OrganizationId,
    by: By,
) -> Result<SetupLinkWithSecret, OpError> {
    let secret = Secret::draw()?;
    let body = Body {
        expires_at_ms: by.at_ms.saturating_add(LINK_MS),
        issuer: None,
        is_used: false,
    };
    let new = document(id_of(&secret), organization, &body)?;
    let saved = directory.save_document(new, DocumentAt::Absent, by).await?;
    Ok(SetupLinkWithSecret {
        link: link(saved)?,
        secret,
    })
}

/// Lists the links of an organization, used and expired ones too.
///
/// # Errors
///
/// When the caller may not, there is no such organization, the page cannot be used, or the directory fails.
pub async fn list(caller: &Caller, organization: &str, page: PageRequest) -> Result<Listing<SetupLink>, OpError> {
    let (permit, organization) = caller.organization(Action::WriteIssuers, organization).await?;
    let listing = permit
        .directory()
        .documents(DocumentKind::SetupLink, Some(organization.id), page.page()?)
        .await?;
    Ok(Listing {
        items: listing.items.into_iter().map(link).collect::<Result<_, _>>()?,
        next_cursor: listing.next_cursor,
    })
}

/// Revokes a link. The issuer that it has made stays.
///
/// # Errors
///
/// When the caller may not, there is no such link, or the directory fails.
pub async fn revoke(caller: &Caller, id: &str) -> Result<(), OpError> {
    let permit = caller.permit(Action::WriteIssuers, None)?;
    let directory = permit.directory();
    let deleted = directory
        .delete_document(DocumentKind::SetupLink, id.to_owned(), DocumentAt::Any, permit.by())
        .await?;
    if deleted { Ok(()) } else { Err(UNKNOWN) }
}

/// The holder of a link that works.
pub struct SetupHolder {
    operations: Arc<Operations>,
    link: SetupLink,
    organization: Organization,
}

impl std::fmt::Debug for SetupHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SetupHolder")
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}

impl Operations {
    /// Returns the holder of a setup link.
    ///
    /// # Errors
    ///
    /// When the link was never made, was revoked, has expired or is used; when its organization is suspended; or when the directory
    /// fails. The first four are told alike.
    pub async fn setup_holder(self: &Arc<Self>, secret: &Secret) -> Result<SetupHolder, OpError> {
        let found = self.directory.document(DocumentKind::SetupLink, id_of(secret)).await?;
        let link = link(found.ok_or(UNKNOWN)?)?;
        if link.is_used || link.expires_at_ms <= self.now_ms() {
            return Err(UNKNOWN);
        }
        let organization = self.directory.organization(link.organization).await?;
        let organization = organization.ok_or(UNKNOWN)?;
        // SECURITY: a suspended organization gets no new way in.
        if organization.status == OrganizationStatus::Suspended {
            return Err(Refusal::new(Reason::OrganizationSuspended).into());
        }
        Ok(SetupHolder {
            operations: Arc::clone(self),
            link,
            organization,
        })
    }
}

impl SetupHolder {
    /// The link.
    pub const fn link(&self) -> &SetupLink {
        &self.link
    }

    /// The organization.
    pub const fn organization(&self) -> &Organization {
        &self.organization
    }

    /// Proposes an issuer. Nothing is verified, stored or fetched.
    ///
    /// # Errors
    ///
    /// When no configuration could accept such tokens; the text says what to do.
    pub fn propose(&self, sample: &IssuerSample) -> Result<Proposal, OpError> {
        match sample {
            IssuerSample::Token(token) => propose_for_token(token).map_err(|error| OpError::invalid("token", error)),
            IssuerSample::Address(address) => {
                propose_for_address(address).map_err(|error| OpError::invalid("issuer", error))
            }
        }
    }

    /// The document of the issuer that the link has made, if it has made one.
    ///
    /// # Errors
    ///
    /// When the directory fails.
    pub async fn issuer(&self) -> Result<Option<Document>, OpError> {
        let Some(name) = &self.link.issuer else { return Ok(None) };
        let found = self.directory().document(DocumentKind::Issuer, name.clone()).await?;
        // SECURITY: an issuer of this organization, or it is not the link's any more.
        Ok(found.filter(|found| found.organization == Some(self.organization.id)))
    }

    /// Saves the issuer of the link: it observes. The link makes one issuer; saved again, its document is replaced.
    ///
    /// # Errors
    ///
    /// When the document has a problem, has a key that an issuer from a setup link may not have, or its `iss` is taken; or when the
    /// directory fails.
    pub async fn save(&mut self, mut issuer: Map<String, Value>) -> Result<Document, OpError> {
        issuer.remove("name");
        issuer.insert("mode".to_owned(), "observe".into());
        let before = self.issuer().await?;
        let name = self.link.issuer.clone().unwrap_or_else(|| self.issuer_name());
        if self.link.issuer.is_none() {
            self.check(&name, &issuer).await?;
            // First, so that of two uses at once one makes an issuer.
            self.note(Some(name.clone()), false).await?;
        }
        let at = before.map_or(DocumentAt::Absent, |before| DocumentAt::Version(before.version));
        self.save_issuer(&name, &issuer, at).await
    }

    /// Explains a token of the issuer of the link. Nothing is written.
    ///
    /// # Errors
    ///
    /// When there is no issuer yet, the token is of another issuer, or the directory could not be read.
    pub async fn test(&self, token: String) -> Result<Explanation, OpError> {
        const OTHER: &str = "the token is of another issuer than the one that this link has made";
        let Some(issuer) = self.issuer().await? else {
            return Err(OpError::Conflict("save the issuer first; it only observes"));
        };
        let explanation = self
            .operations
            .gateway
            .explain(TokenToExplain {
                token,
                request: None,
                at_ms: None,
            })
            .await?;
        // SECURITY: a token of another issuer would tell about users of others.
        match explanation.issuer.as_deref() {
            Some(name) if name == issuer.name => Ok(explanation),
            _ => Err(OpError::invalid("token", OTHER)),
        }
    }

    /// Lets people in by the issuer of the link, which has observed until now. The link is used up.
    ///
    /// # Errors
    ///
    /// When there is no issuer yet, or the directory fails.
    pub async fn switch_on(mut self) -> Result<Document, OpError> {
        let Some(before) = self.issuer().await? else {
            return Err(OpError::Conflict("save the issuer first; it only observes"));
        };
        let name = before.name.clone();
        let mut issuer = before.body;
        issuer.insert("mode".to_owned(), "enforce".into());
        // First, so that a link is not used up by an issuer that something else has come to exclude meanwhile.
        self.check(&name, &issuer).await?;
        self.note(Some(name.clone()), true).await?;
        self.save_issuer(&name, &issuer, DocumentAt::Version(before.version))
            .await
    }

    fn directory(&self) -> &dyn Directory {
        &*self.operations.directory
    }

    fn by(&self) -> By {
        By {
            actor: Actor::System,
            at_ms: self.operations.now_ms(),
        }
    }

    /// A name that no issuer has and no realm ever had: the organization's, and part of the link's id, which is random.
    fn issuer_name(&self) -> String {
        let organization = self.organization.name.as_str().to_ascii_lowercase();
        let fits = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(*c);
        let beginning: String = organization.chars().filter(fits).take(NAME_BEGINNING_MAX).collect();
        let beginning = beginning.trim_start_matches(['-', '_', '.']);
        let ending: String = self.link.id.chars().take(NAME_ENDING).collect();
        if beginning.is_empty() {
            format!("organization-{ending}")
        } else {
            format!("{beginning}-{ending}")
        }
    }

    // SECURITY: the record belongs to the organization, and so the issuer is one of that organization on every node.
    fn new_issuer(&self, name: &str, document: &Map<String, Value>) -> NewIssuer {
        NewIssuer {
            name: name.to_owned(),
            document: document.clone(),
            organization: Some(self.organization.id),
        }
    }

    /// Checks an issuer as saving it does.
    async fn check(&self, name: &str, issuer: &Map<String, Value>) -> Result<(), OpError> {
        let issuers = self.operations.gateway.run_time_issuers().ok_or(FILE_ONLY)?;
        let (file, limits) = (issuers.file(), issuers.limits());
        let store = IssuerStore {
            directory: self.directory(),
            file: &file,
            limits: &limits,
        };
        store
            .check(&self.new_issuer(name, issuer), self.operations.now_ms())
            .await?;
        Ok(())
    }

    async fn save_issuer(&self, name: &str, issuer: &Map<String, Value>, at: DocumentAt) -> Result<Document, OpError> {
        let issuers = self.operations.gateway.run_time_issuers().ok_or(FILE_ONLY)?;
        let (file, limits) = (issuers.file(), issuers.limits());
        let store = IssuerStore {
            directory: self.directory(),
            file: &file,
            limits: &limits,
        };
        Ok(store.save(self.new_issuer(name, issuer), at, self.by()).await?.document)
    }

    /// Notes the use of the link, if nothing has changed about it.
    async fn note(&mut self, issuer: Option<String>, is_used: bool) -> Result<(), OpError> {
        let body = Body {
            expires_at_ms: self.link.expires_at_ms,
            issuer,
            is_used,
        };
        let new = document(self.link.id.clone(), self.organization.id, &body)?;
        let at = DocumentAt::Version(self.link.version);
        self.link = link(self.directory().save_document(new, at, self.by()).await?)?;
        Ok(())
    }
}

/// Id of the link with this secret.
fn id_of(secret: &Secret) -> String {
    let mut id = String::new();
    for byte in secret.hash().0 {
        // Writing to a string cannot fail.
        let _ = write!(id, "{byte:02x}");
    }
    id
}

fn document(id: String, organization: OrganizationId, body: &Body) -> Result<NewDocument, OpError> {
    let Ok(Value::Object(body)) = serde_json::to_value(body) else {
        return Err(OpError::Internal("a setup link is no JSON object".to_owned()));
    };
    Ok(NewDocument {
        kind: DocumentKind::SetupLink,
        name: id,
        organization: Some(organization),
        body,
        secret: None,
    })
}

fn link(document: Document) -> Result<SetupLink, OpError> {
    let damaged = || OpError::Internal("the record of a setup link is damaged".to_owned());
    let body: Body = serde_json::from_value(Value::Object(document.body)).map_err(|_| damaged())?;
    Ok(SetupLink {
        id: document.name,
        organization: document.organization.ok_or_else(damaged)?,
        created_at_ms: document.created_at_ms,
        expires_at_ms: body.expires_at_ms,
        issuer: body.issuer,
        is_used: body.is_used,
        version: document.version,
    })
}
