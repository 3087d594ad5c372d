//! Proxies: made, changed, and many at once.

use crate::control::{
    App, Change, Proxied, Spec,
    toxiproxy::{error::ApiError, json::Json, listen::resolve, toxics, wire::ProxyInput},
};
use std::sync::Arc;

/// Makes a proxy, with its toxics if it has any.
pub(super) async fn create(app: &App, json: &Json) -> Result<Arc<Proxied>, ApiError> {
    let input = ProxyInput::read(json, true)?;
    let name = input.name.clone().filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| ApiError::missing("name"))?;
    let upstream = input.upstream.clone().filter(|upstream| !upstream.is_empty());
    let upstream = upstream.ok_or_else(|| ApiError::missing("upstream"))?;
    if app.registry.find(&name).is_some() {
        return Err(ApiError::new(http::StatusCode::CONFLICT, "proxy already exists"));
    }
    let spec = spec(&name, &upstream, &input).await?;
    Ok(app.registry.add_with(spec, toxics::faults(&input.toxics)?).await?)
}

/// Changes a proxy as far as the input says.
pub(super) async fn update(app: &App, name: &str, json: &Json) -> Result<Arc<Proxied>, ApiError> {
    if app.registry.find(name).is_none() {
        return Err(ApiError::no_proxy());
    }
    let input = ProxyInput::read(json, false)?;
    let listen = match input.listen {
        Some(written) => {
            let address = resolve(&written).await.map_err(ApiError::unresolved)?;
            Some((address.into(), written))
        }
        None => None,
    };
    let change = Change { listen, upstream: input.upstream, enabled: input.enabled };
    Ok(app.registry.change(name, change).await?)
}

/// What came of many proxies at once: those that were made or kept, and what stopped the others.
pub(super) struct Populated {
    pub proxies: Vec<Arc<Proxied>>,
    pub error: Option<ApiError>,
}

/// Makes or keeps many proxies. Names and upstreams are looked at before anything is made; the
/// first that cannot be made ends it, and those before it stay.
pub(super) async fn populate(app: &App, json: &Json) -> Populated {
    let mut populated = Populated { proxies: Vec::new(), error: None };
    match read_all(json) {
        Ok(inputs) => {
            for (name, upstream, input) in inputs {
                match put(app, &name, &upstream, input).await {
                    Ok(proxied) => populated.proxies.push(proxied),
                    Err(error) => {
                        populated.error = Some(error);
                        break;
                    }
                }
            }
        }
        Err(error) => populated.error = Some(error),
    }
    populated
}

fn read_all(json: &Json) -> Result<Vec<(String, String, ProxyInput)>, ApiError> {
    let list = match json {
        Json::Null => return Ok(Vec::new()),
        Json::List(list) => list,
        other => {
            let why = format!(
                "json: cannot unmarshal {} into Go value of type []toxiproxy.Proxy",
                other.kind()
            );
            return Err(ApiError::bad_body(&why));
        }
    };
    let inputs: Result<Vec<ProxyInput>, ApiError> =
        list.iter().map(|json| ProxyInput::read(json, true)).collect();
    let mut whole = Vec::new();
    for (at, input) in inputs?.into_iter().enumerate() {
        let missing = |field: &str| ApiError::missing(&format!("{field} at proxy {}", at + 1));
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let name = given(&input.name).ok_or_else(|| missing("name"))?;
        let upstream = given(&input.upstream).ok_or_else(|| missing("upstream"))?;
        whole.push((name, upstream, input));
    }
    Ok(whole)
}

async fn put(
    app: &App,
    name: &str,
    upstream: &str,
    input: ProxyInput,
) -> Result<Arc<Proxied>, ApiError> {
    let spec = spec(name, upstream, &input).await?;
    // One that was there already is kept with what is on it.
    Ok(app.registry.put(spec, toxics::faults(&input.toxics)?).await?)
}

async fn spec(name: &str, upstream: &str, input: &ProxyInput) -> Result<Spec, ApiError> {
    let written = input.listen.clone().unwrap_or_default();
    let enabled = input.enabled.unwrap_or(true);
    let listen = resolve(&written).await;
    let listen = listen.map_err(|why| ApiError::unresolved(format!("listen tcp: {why}")))?;
    Ok(Spec { written, enabled, ..Spec::tcp(name, listen, upstream) })
}
