//! What is said when a command is not carried out: RFC 9457.

use crate::{
    control::RegistryError,
    diag::{self, Problems, Source},
    engine::HandError,
};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};
use std::error::Error;

/// Why a command is not carried out; nothing was changed.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    /// What tells it apart for programs.
    kind: &'static str,
    detail: String,
    /// What is wrong with a body, each with its place.
    problems: Vec<Value>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: detail.into(), problems: Vec::new() }
    }

    /// There is no such thing.
    pub(super) fn unknown(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// It does not go together with how things stand.
    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// It makes no sense.
    pub(super) fn senseless(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unreadable", detail)
    }

    /// The body cannot be read.
    pub(super) fn unreadable(source: &Source, problems: &Problems) -> Self {
        let lines = diag::json(source, problems);
        let each = |line: &str| {
            let mut problem: Value = serde_json::from_str(line).ok()?;
            problem.as_object_mut()?.remove("file");
            Some(problem)
        };
        let problems: Vec<Value> = lines.lines().filter_map(each).collect();
        let first = problems.first().and_then(|problem| problem["message"].as_str());
        let detail = first.unwrap_or("the body cannot be read").to_owned();
        Self { problems, ..Self::senseless(detail) }
    }
}

impl From<HandError> for Problem {
    fn from(error: HandError) -> Self {
        let detail = error.to_string();
        match error {
            HandError::Unknown(_) => Self::unknown(detail),
            HandError::MovesForEver => Self::senseless(format!("{detail}; add `ttl: 30s`")),
            HandError::Protocol { .. } => Self::senseless(detail),
            HandError::NameTaken(_)
            | HandError::TooMany
            | HandError::TooManyTargets
            | HandError::Over => Self::conflict(detail),
        }
    }
}

impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Self {
        let mut detail = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            detail.push_str(&format!(": {error}"));
            cause = error.source();
        }
        match error {
            RegistryError::Unknown(_) => Self::unknown(detail),
            RegistryError::Exists(_) | RegistryError::Listen { .. } => Self::conflict(detail),
            RegistryError::Upstream(_)
            | RegistryError::Allow(_)
            | RegistryError::Untold
            | RegistryError::Tls(_)
            | RegistryError::Fault(_) => Self::senseless(detail),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut text = json!({
            "type": format!("urn:firedrill:{}", self.kind),
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if !self.problems.is_empty() {
            text["problems"] = self.problems.into();
        }
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        (self.status, kind, format!("{text}\n")).into_response()
    }
}
