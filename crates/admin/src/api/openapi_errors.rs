//! Problem documents that operations can return, for OpenAPI. The meaning of each is in the document itself.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

/// Statuses that any call can return.
const ANY: [u16; 5] = [400, 401, 403, 500, 503];

macro_rules! openapi_errors {
    ($($(#[$doc:meta])* $name:ident = [$($status:literal),* $(,)?];)+) => {
        $(
            $(#[$doc])*
            pub(crate) struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    ANY.into_iter().chain([$($status),*]).map(problem).collect()
                }
            }
        )+
    };
}

openapi_errors! {
    /// Errors of a list.
    ListErrors = [];
    /// Errors of reading one record, or of an action on it that takes no input.
    OneErrors = [404];
    /// Errors of a call that validates a body and changes nothing.
    BodyErrors = [404, 413, 415, 422];
    /// Errors of a create.
    CreateErrors = [404, 409, 413, 415, 422];
    /// Errors of an update.
    ChangeErrors = [404, 409, 412, 413, 415, 422];
    /// Errors of a delete or a revocation.
    RemoveErrors = [404, 409, 412];
    /// Errors of an erasure.
    ErasureErrors = [404, 409, 412, 422];
    /// Errors of a deletion that may need a version.
    DeletionErrors = [404, 409, 412, 422, 428];
    /// Errors of an update of a record with secrets.
    SecretChangeErrors = [404, 409, 412, 413, 415, 422, 428];
    /// Errors of using a connection.
    UseErrors = [404, 409, 422, 429];
    /// Errors of a refresh of an issuer's keys.
    RefreshErrors = [404, 409, 429];
}

fn problem(status: u16) -> (String, RefOr<Response>) {
    let description = match status {
        400 => "The request cannot be read: the detail names the member or parameter.",
        401 => "No API key or token, or one that is refused.",
        403 => "The caller may not do this.",
        404 => "No such record.",
        409 => {
            "It does not go with what is there: a name that is taken, an organization that the configuration declares."
        }
        412 => "The record has changed since it was read.",
        413 => "The body is too large.",
        415 => "The body is of another media type.",
        422 => "A value breaks its rule: the detail names it.",
        428 => "The change needs `If-Match`: the detail says why.",
        429 => "Asked too often, or too many at once.",
        503 => "The directory cannot answer now.",
        _ => "A fault of ours; the log has more under the `request_id`.",
    };
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    let response = ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content);
    (status.to_string(), RefOr::T(response.build()))
}
