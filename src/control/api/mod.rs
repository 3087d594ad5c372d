//! Our own API.

use crate::control::App;
use axum::{Router, routing::get};
use std::sync::Arc;

/// Its routes.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/healthz", get(async || "ok\n"))
}
