//! What a proxy was told beside where it is: those keys that say something else than is the case
//! without them, in the words of a config, so that what is shown can be sent.

use crate::{
    config::{
        Allow, Forwarded, HostHeader, Identity, ProxyProtocol, Terminate, UpstreamHttp, UpstreamTls,
    },
    control::Spec,
    fault::catalog::Protocol,
    select::{UserSource, Users},
};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// Files are told by their paths. What is in them never is.
pub(super) fn settings(spec: &Spec) -> Map<String, Value> {
    let mut shown = Map::new();
    let mut show = |key: &str, value: Value| shown.insert(key.to_owned(), value);
    if spec.protocol == Protocol::Forward {
        let allow = spec.upstream.parse::<Allow>();
        show("allow", allow.map(|allow| allow.rules().collect()).unwrap_or_default());
        show("intercept", spec.intercept.into());
    }
    if let Some(users) = &spec.users {
        show("users", sources(users));
    }
    if spec.host == HostHeader::Rewrite {
        show("host", "rewrite".into());
    }
    if !spec.mark {
        show("mark", false.into());
    }
    if spec.http != UpstreamHttp::Same {
        show("upstream_http", spec.http.name().into());
    }
    if let Some(tls) = spec.tls.as_ref().filter(|tls| **tls != UpstreamTls::default()) {
        show("tls", upstream(tls));
    }
    if let Some(terminate) = &spec.terminate {
        show("terminate", clients(terminate));
    }
    if !spec.sni.is_empty() {
        let routes = spec.sni.iter().map(|(name, to)| (name.clone(), to.as_str().into()));
        show("sni", Value::Object(routes.collect()));
    }
    if spec.proxy_protocol != ProxyProtocol::default() {
        show("proxy_protocol", introduced(&spec.proxy_protocol));
    }
    if spec.forwarded != Forwarded::None {
        show("forwarded", spec.forwarded.name().into());
    }
    shown
}

fn sources(users: &Users) -> Value {
    let source = |source: &UserSource| match source {
        UserSource::Header(name) => json!({ "header": name.as_str() }),
        UserSource::Cookie(name) => json!({ "cookie": name }),
        UserSource::Query(name) => json!({ "query": name }),
        UserSource::Peer => "peer".into(),
    };
    users.sources.iter().map(source).collect()
}

fn upstream(tls: &UpstreamTls) -> Value {
    let mut shown = files(tls.identity.as_ref(), "ca", tls.ca.as_ref());
    if !tls.verify {
        shown.insert("verify".to_owned(), false.into());
    }
    if let Some(name) = &tls.sni {
        shown.insert("sni".to_owned(), name.as_str().into());
    }
    shown.into()
}

fn clients(terminate: &Terminate) -> Value {
    let shown = files(terminate.identity.as_ref(), "client_ca", terminate.client_ca.as_ref());
    if shown.is_empty() { true.into() } else { shown.into() }
}

fn files(
    identity: Option<&Identity>,
    trusted: &str,
    authorities: Option<&PathBuf>,
) -> Map<String, Value> {
    let own = identity.map(|own| [("cert", &own.cert), ("key", &own.key)]);
    let all = own.into_iter().flatten().chain(authorities.map(|path| (trusted, path)));
    all.map(|(key, path)| (key.to_owned(), path.display().to_string().into())).collect()
}

fn introduced(protocol: &ProxyProtocol) -> Value {
    let mut shown = Map::new();
    if !protocol.accept.is_empty() {
        let all = protocol.accept.iter().map(ToString::to_string);
        shown.insert("accept".to_owned(), all.collect());
    }
    if let Some(version) = protocol.send {
        shown.insert("send".to_owned(), version.name().into());
    }
    shown.into()
}
