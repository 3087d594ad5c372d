//! Our own API: JSON with stable keys under `/api/v1`, strict about what it reads.
//!
//! A body is read by the reader of scenario and config files (JSON is YAML), so that what is wrong
//! with it is told as there. A command is carried out whole or not at all, even if whoever gave it
//! goes away meanwhile.

mod body;
mod drill;
mod faults;
mod problem;
mod proxies;
mod settings;
mod show;
mod status;

use crate::control::App;
use axum::{
    Router,
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::{StatusCode, Uri};
use problem::Problem;
use std::{future::Future, sync::Arc};

/// Its routes.
pub(super) fn routes() -> Router<Arc<App>> {
    let ours = Router::new()
        .route("/status", get(status::status))
        .merge(proxies::routes())
        .merge(faults::routes())
        .merge(drill::routes())
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method);
    Router::new().route("/healthz", get(async || "ok\n")).nest("/api/v1", ours)
}

async fn unknown(path: Uri) -> Problem {
    Problem::unknown(format!("there is nothing at `/api/v1{}`", path.path()))
}

/// What is said of a body that did not come as it should.
pub(super) fn no_body(status: StatusCode, why: &str) -> Response {
    Problem::new(status, "body", why).into_response()
}

async fn wrong_method() -> Problem {
    let why = "the path is right, and takes other methods than this one";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", why)
}

/// Goes through with a command, though the connection it came on may end.
async fn through<T: Send + 'static>(
    command: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    tokio::spawn(command).await.unwrap_or_else(|_| {
        Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the command was lost"))
    })
}
