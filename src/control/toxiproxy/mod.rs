//! Toxiproxy's API at its own paths, so that its clients work unchanged.

use crate::control::App;
use axum::{
    Router,
    response::{IntoResponse as _, Response},
    routing::any,
};
use http::{StatusCode, header};
use std::sync::Arc;

/// Its routes.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/version", any(async || ""))
}

/// What is said of a path that nobody knows.
pub(super) async fn not_found() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (StatusCode::NOT_FOUND, kind, "404 page not found\n").into_response()
}
