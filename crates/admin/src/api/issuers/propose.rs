//! `POST /api/v1/issuers/propose`

use axum::Json;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::api::error::ApiError;
use crate::api::extract::{Body, RequestCaller};
use crate::api::openapi_errors::BodyErrors;
use narthex_ops::OpError;
use narthex_ops::issuers::{self, IssuerSample, Proposal, ProposedSetting};

/// Source of the proposal: a token or an address, one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssuerSampleBody {
    /// A token of the issuer, also an expired one. It is not stored.
    #[schema(example = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUuY29tIn0.c2ln")]
    token: Option<String>,
    /// The issuer's address. It is not called.
    #[schema(example = "https://id.example.com/realms/acme")]
    issuer: Option<String>,
}

/// A proposed issuer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProposalBody {
    /// Kind of the identity provider; `null` if it is not known.
    #[schema(required)]
    pub provider: Option<ProviderBody>,
    /// The settings, each with its reason.
    pub settings: Vec<ProposedSettingBody>,
    /// Facts to know before the proposal is used.
    pub cautions: Vec<String>,
    /// `true` if the document has all that an issuer needs.
    pub is_complete: bool,
    /// The issuer document: the keys of an `[[issuer]]` of the configuration file.
    #[schema(value_type = Object)]
    pub document: Value,
}

/// Kind of an identity provider.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderBody {
    /// Its word.
    #[schema(example = "keycloak")]
    pub kind: &'static str,
    /// Its name for people.
    #[schema(example = "Keycloak")]
    pub label: &'static str,
}

/// A proposed setting.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProposedSettingBody {
    /// Place in the document, as a JSON Pointer (RFC 6901).
    #[schema(example = "/audiences")]
    pub field: &'static str,
    /// Its value.
    pub value: Value,
    /// Reason for the value.
    pub reason: String,
    /// Name of the claim that suggests it, or of a header member such as `header.alg`; `null` if none does.
    #[schema(required)]
    pub claim: Option<String>,
    /// Value of that claim in the sample.
    #[schema(required)]
    pub sample: Option<Value>,
}

impl From<ProposedSetting> for ProposedSettingBody {
    fn from(setting: ProposedSetting) -> Self {
        Self {
            field: setting.field,
            value: setting.value,
            reason: setting.reason,
            claim: setting.claim,
            sample: setting.sample,
        }
    }
}

impl From<Proposal> for ProposalBody {
    fn from(proposal: Proposal) -> Self {
        let document = proposal.document();
        Self {
            provider: proposal.provider.map(|provider| ProviderBody {
                kind: provider.as_str(),
                label: provider.label(),
            }),
            settings: proposal.settings.into_iter().map(ProposedSettingBody::from).collect(),
            cautions: proposal.cautions,
            is_complete: proposal.is_complete,
            document,
        }
    }
}

/// Proposes an issuer
///
/// Takes a sample token or the issuer's address. The response proposes name, key source, audiences, claims and what a missing
/// tags claim does, each with the reason and the value that it has in the sample. Nothing is verified, stored or fetched.
#[utoipa::path(
    post, path = "/issuers/propose", tag = "issuers", operation_id = "propose_issuer",
    request_body = IssuerSampleBody,
    responses((status = 200, description = "The proposal.", body = ProposalBody), BodyErrors),
)]
pub(crate) async fn propose(
    RequestCaller(caller): RequestCaller,
    Body { value: body, .. }: Body<IssuerSampleBody>,
) -> Result<Json<ProposalBody>, ApiError> {
    let sample = match (body.token, body.issuer) {
        (Some(token), None) => IssuerSample::Token(token),
        (None, Some(issuer)) => IssuerSample::Address(issuer),
        _ => return Err(OpError::invalid("token", "send a token or an issuer, one of the two").into()),
    };
    Ok(Json(issuers::propose(&caller, &sample)?.into()))
}
