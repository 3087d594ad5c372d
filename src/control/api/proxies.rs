//! `/proxies`: made, changed and taken away.

use crate::{
    config::{ProxyChange, ProxyEntry},
    control::{
        App, Change, Proxied, Spec,
        api::{
            body::{Body, apart},
            problem::Problem,
            show::{self, Json, Played},
            through,
        },
    },
    diag::{Code, Diagnostic, closest},
    yaml::Spanned,
};
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/proxies", get(list).post(add))
        .route("/proxies/{name}", get(one).patch(change).delete(remove))
}

/// The keys of a proxy in a config file, its name aside.
const OTHERS: [&str; 15] = [
    "listen",
    "upstream",
    "upstream_http",
    "allow",
    "intercept",
    "protocol",
    "enabled",
    "users",
    "host",
    "mark",
    "tls",
    "terminate",
    "sni",
    "proxy_protocol",
    "forwarded",
];

async fn list(State(app): State<Arc<App>>) -> Json {
    let all = app.registry.list();
    let played = Played::now(&app);
    let all: Vec<Value> = all.iter().map(|proxied| show::proxy(proxied, &played)).collect();
    Json(json!({ "proxies": all }))
}

async fn one(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Json, Problem> {
    Ok(shown(&app, &*find(&app, &name)?))
}

async fn add(State(app): State<Arc<App>>, body: Body) -> Result<(StatusCode, Json), Problem> {
    let entry = body.read(|node, reader| {
        let ([name], rest) = apart(node, ["name"], &OTHERS, reader);
        let Some(name) = name else {
            let problem = Diagnostic::new(Code::E0103, "a proxy needs `name`", node.span);
            reader.problem(problem.help("`name`: what commands and reports call it"));
            return None;
        };
        let name = Spanned { value: reader.name(&name)?, span: name.span };
        ProxyEntry::read(&name, &rest, reader)
    })?;
    let registry = Arc::clone(&app.registry);
    let proxied = through(async move { Ok(registry.add(Spec::of(&entry)).await?) }).await?;
    Ok((StatusCode::CREATED, shown(&app, &proxied)))
}

async fn change(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json, Problem> {
    let protocol = find(&app, &name)?.spec().protocol;
    let change = body.read(|node, reader| ProxyChange::read(node, protocol, reader))?;
    let ProxyChange { listen, upstream, enabled } = change;
    let listen = listen.map(|place| (place.clone(), place.to_string()));
    let change = Change { listen, upstream, enabled };
    let registry = Arc::clone(&app.registry);
    let proxied = through(async move { Ok(registry.change(&name, change).await?) }).await?;
    Ok(shown(&app, &proxied))
}

async fn remove(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    find(&app, &name)?;
    through(async move { Ok(app.registry.remove(&name).await?) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(app: &App, proxied: &Proxied) -> Json {
    Json(show::proxy(proxied, &Played::now(app)))
}

/// The proxy of this name.
pub(super) fn find(app: &App, name: &str) -> Result<Arc<Proxied>, Problem> {
    app.registry.find(name).ok_or_else(|| {
        let all = app.registry.list();
        let hint = closest(name, all.iter().map(|proxied| &*proxied.name));
        let hint = hint.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        Problem::unknown(format!("there is no proxy `{name}`{hint}"))
    })
}
