//! Toxiproxy's API at its own paths, so that its clients work unchanged.
//!
//! What it does is Toxiproxy 2.12's contract, seen from a client; where we differ on purpose is told
//! in `docs/toxiproxy.md`. Toxics are faults by hand, and nothing here waits for anybody's traffic.

mod error;
mod json;
mod listen;
mod proxies;
mod toxics;
mod wire;

use crate::control::{App, Proxied};
use axum::{
    Router,
    body::Bytes,
    extract::{Path, Request, State, rejection::PathRejection},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::any,
};
use error::ApiError;
use http::{HeaderValue, Method, StatusCode, Uri, header};
use json::Json;
use serde::Serialize;
use std::{collections::BTreeMap, future::Future, sync::Arc};
use wire::{ProxyOutput, ToxicInput, ToxicOutput, answer};

/// The version of Toxiproxy whose contract this is. Clients ask for it, and some look at it.
const VERSION: &str = "2.12.0";

/// Its routes.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/version", any(version))
        .route("/proxies", any(all))
        .route("/proxies/{proxy}", any(one))
        .route("/proxies/{proxy}/toxics", any(all_toxics))
        .route("/proxies/{proxy}/toxics/{toxic}", any(one_toxic))
        .route("/populate", any(populate))
        .route("/reset", any(reset))
        .layer(middleware::from_fn(every))
}

/// Why a Toxiproxy config file cannot be honoured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    message: String,
    the_files: bool,
}

impl ConfigError {
    /// Whether it is the file that is wrong, and not the place.
    pub const fn is_the_files(&self) -> bool {
        self.the_files
    }
}

/// Makes the proxies of a Toxiproxy config file: a list of proxies, as `/populate` takes it, with
/// their toxics.
///
/// # Errors
///
/// Fails at the first that cannot be made.
pub async fn config(app: &App, text: &[u8]) -> Result<(), ConfigError> {
    let json = Json::read(text)
        .map_err(|why| ConfigError { message: format!("no JSON: {why}"), the_files: true })?;
    match proxies::populate(app, &json).await.error {
        None => Ok(()),
        Some(error) => {
            Err(ConfigError { the_files: !error.status.is_server_error(), message: error.message })
        }
    }
}

/// What is said of a path that nobody knows.
pub(super) async fn not_found(uri: Uri) -> Response {
    if let Some(clean) = cleaned(uri.path()) {
        return (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, clean)]).into_response();
    }
    let fields = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (StatusCode::NOT_FOUND, fields, "404 page not found\n").into_response()
}

/// The path without slashes that stand twice, if it has any.
fn cleaned(path: &str) -> Option<String> {
    let mut clean = path.to_owned();
    while clean.contains("//") {
        clean = clean.replace("//", "/");
    }
    (clean != path).then_some(clean)
}

/// What every known path does: browsers are not served, and requests are numbered.
async fn every(request: Request, next: Next) -> Response {
    let agent = request.headers().get(header::USER_AGENT);
    let is_browser = agent.is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"));
    let mut response = if is_browser && is_known(request.method(), request.uri().path()) {
        (StatusCode::FORBIDDEN, "User agent not allowed\n").into_response()
    } else {
        next.run(request).await
    };
    if response.status() != StatusCode::METHOD_NOT_ALLOWED
        && let Ok(id) = HeaderValue::try_from(request_id())
    {
        response.headers_mut().insert("x-toxiproxy-request-id", id);
    }
    response
}

/// Whether a path of ours takes a method at all.
fn is_known(method: &Method, path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let methods: &[Method] = match parts.len() {
        1 if parts[0] == "version" => &[Method::GET],
        1 if parts[0] != "proxies" => &[Method::POST],
        1 | 3 => &[Method::GET, Method::POST],
        _ => &[Method::GET, Method::POST, Method::PATCH, Method::DELETE],
    };
    methods.contains(method)
}

/// Twenty characters that no other request has.
fn request_id() -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let seed = crate::dice::Seed::fresh().0;
    let mut bits = u128::from(crate::dice::key(&seed.to_le_bytes())) << 64
        | u128::from(crate::dice::key(&next().to_le_bytes()));
    let mut id = String::with_capacity(20);
    for _ in 0..20 {
        id.push(char::from(DIGITS[usize::try_from(bits & 31).unwrap_or(0)]));
        bits >>= 5;
    }
    id
}

fn next() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// An answer, or what is wrong.
type Answer = Result<Response, ApiError>;

/// Goes through with a command, though the connection it came on may end: a proxy is not to be left
/// between two states.
async fn through<T: Send + 'static>(
    command: impl Future<Output = Result<T, ApiError>> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::spawn(command).await.unwrap_or_else(|_| {
        Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the command was lost"))
    })
}

fn read(body: &Bytes) -> Result<Json, ApiError> {
    Json::read(body).map_err(|why| ApiError::bad_body(&why))
}

async fn version(method: Method) -> Answer {
    if method != Method::GET {
        return Ok(StatusCode::METHOD_NOT_ALLOWED.into_response());
    }
    let kind = [(header::CONTENT_TYPE, "application/json;charset=utf-8")];
    Ok((kind, format!("{{\"version\": \"{VERSION}\"}}\n")).into_response())
}

async fn all(State(app): State<Arc<App>>, method: Method, body: Bytes) -> Answer {
    match method {
        Method::GET => {
            let all = app.registry.list();
            let all: BTreeMap<&str, ProxyOutput> =
                all.iter().map(|proxied| (&*proxied.name, ProxyOutput::of(proxied))).collect();
            Ok(answer(StatusCode::OK, &all))
        }
        Method::POST => {
            let json = read(&body)?;
            let proxied = through(async move { proxies::create(&app, &json).await }).await?;
            Ok(answer(StatusCode::CREATED, &ProxyOutput::of(&proxied)))
        }
        _ => Ok(StatusCode::METHOD_NOT_ALLOWED.into_response()),
    }
}

async fn one(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
    method: Method,
    body: Bytes,
) -> Answer {
    let name = name.map(|Path(name)| name).unwrap_or_default();
    match method {
        Method::GET => Ok(answer(StatusCode::OK, &ProxyOutput::of(&*proxied(&app, &name)?))),
        Method::POST | Method::PATCH => {
            proxied(&app, &name)?;
            let json = read(&body)?;
            let update = async move { proxies::update(&app, &name, &json).await };
            let proxied = through(update).await?;
            Ok(answer(StatusCode::OK, &ProxyOutput::of(&proxied)))
        }
        Method::DELETE => {
            through(async move { Ok(app.registry.remove(&name).await?) }).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        _ => Ok(StatusCode::METHOD_NOT_ALLOWED.into_response()),
    }
}

fn proxied(app: &App, name: &str) -> Result<Arc<Proxied>, ApiError> {
    app.registry.find(name).ok_or_else(ApiError::no_proxy)
}

async fn all_toxics(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
    method: Method,
    body: Bytes,
) -> Answer {
    let name = name.map(|Path(name)| name).unwrap_or_default();
    match method {
        Method::GET => Ok(answer(StatusCode::OK, &ToxicOutput::all(&*proxied(&app, &name)?))),
        Method::POST => {
            let proxied = proxied(&app, &name)?;
            let input = ToxicInput::read(&read(&body)?)?;
            Ok(answer(StatusCode::OK, &toxics::add(&proxied, &input)?))
        }
        _ => Ok(StatusCode::METHOD_NOT_ALLOWED.into_response()),
    }
}

async fn one_toxic(
    State(app): State<Arc<App>>,
    names: Result<Path<(String, String)>, PathRejection>,
    method: Method,
    body: Bytes,
) -> Answer {
    let (name, toxic) = names.map(|Path(names)| names).unwrap_or_default();
    match method {
        Method::GET => Ok(answer(StatusCode::OK, &toxics::find(&*proxied(&app, &name)?, &toxic)?)),
        Method::POST | Method::PATCH => {
            let proxied = proxied(&app, &name)?;
            // Whether it is there comes first.
            toxics::find(&proxied, &toxic)?;
            Ok(answer(StatusCode::OK, &toxics::change(&proxied, &toxic, &read(&body)?)?))
        }
        Method::DELETE => {
            toxics::remove(&*proxied(&app, &name)?, &toxic)?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        _ => Ok(StatusCode::METHOD_NOT_ALLOWED.into_response()),
    }
}

/// What many proxies at once came to. The order of the keys is Toxiproxy's.
#[derive(Serialize)]
struct Populated<'p> {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    proxies: Option<Vec<ProxyOutput>>,
}

async fn populate(State(app): State<Arc<App>>, method: Method, body: Bytes) -> Answer {
    if method != Method::POST {
        return Ok(StatusCode::METHOD_NOT_ALLOWED.into_response());
    }
    let populated = match read(&body) {
        Ok(json) => through(async move { Ok(proxies::populate(&app, &json).await) }).await?,
        Err(error) => proxies::Populated { proxies: Vec::new(), error: Some(error) },
    };
    let proxies: Vec<ProxyOutput> =
        populated.proxies.iter().map(|proxied| ProxyOutput::of(proxied)).collect();
    let error = populated.error.as_ref();
    let status = error.map_or(StatusCode::CREATED, |error| error.status);
    let output = Populated {
        error: error.map(|error| &*error.message),
        status: error.map(|error| error.status.as_u16()),
        // Go's empty list.
        proxies: (!proxies.is_empty()).then_some(proxies),
    };
    Ok(answer(status, &output))
}

async fn reset(State(app): State<Arc<App>>, method: Method) -> Answer {
    if method != Method::POST {
        return Ok(StatusCode::METHOD_NOT_ALLOWED.into_response());
    }
    through(async move { Ok(app.registry.reset().await?) }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
