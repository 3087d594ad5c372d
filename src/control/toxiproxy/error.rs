//! What went wrong, in Toxiproxy's words.

use crate::{control::RegistryError, engine::HandError};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, StatusCode, header};
use std::io;

/// An answer that says what is wrong. Toxiproxy sends these as text, which their content is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    pub status: StatusCode,
    pub message: String,
}

/// Stops browsers from guessing at what it is.
const NOSNIFF: (HeaderName, &str) = (header::X_CONTENT_TYPE_OPTIONS, "nosniff");

impl ApiError {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn bad_body(why: &str) -> Self {
        Self::bad_request(format!("bad request body: {why}"))
    }

    pub(super) fn missing(field: &str) -> Self {
        Self::bad_request(format!("missing required field: {field}"))
    }

    pub(super) fn no_proxy() -> Self {
        Self::new(StatusCode::NOT_FOUND, "proxy not found")
    }

    pub(super) fn no_toxic() -> Self {
        Self::new(StatusCode::NOT_FOUND, "toxic not found")
    }

    /// An address that cannot be listened on, as Go's resolver puts it.
    pub(super) fn unresolved(why: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, why)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "error": self.message, "status": self.status.as_u16() });
        let kind = (header::CONTENT_TYPE, "application/json");
        (self.status, [kind, NOSNIFF], format!("{body}\n")).into_response()
    }
}

impl From<RegistryError> for ApiError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Exists(_) => Self::new(StatusCode::CONFLICT, "proxy already exists"),
            RegistryError::Unknown(_) => Self::no_proxy(),
            RegistryError::Listen { address, source } => {
                Self::unresolved(format!("listen tcp {address}: bind: {}", bind(&source)))
            }
            RegistryError::Fault(error) => error.into(),
            RegistryError::Upstream(_)
            | RegistryError::Allow(_)
            | RegistryError::Untold
            | RegistryError::Tls(_) => Self::bad_request(error.to_string()),
        }
    }
}

impl From<HandError> for ApiError {
    fn from(error: HandError) -> Self {
        match error {
            HandError::NameTaken(_) => Self::new(StatusCode::CONFLICT, "toxic already exists"),
            HandError::Unknown(_) => Self::no_toxic(),
            HandError::Over => Self::new(StatusCode::CONFLICT, error.to_string()),
            _ => Self::bad_request(error.to_string()),
        }
    }
}

/// The system's own words for why an address is not to be had.
fn bind(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "address already in use".to_owned(),
        io::ErrorKind::AddrNotAvailable => "cannot assign requested address".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
