//! `/faults`: put on proxies by hand, changed and taken away.
//!
//! A fault is written as an entry of a scenario, with `proxy` and `ttl` beside it.

use crate::{
    config::{Ground, misfit_of},
    control::{
        App, Proxied, Spec,
        api::{
            body::{Body, apart},
            problem::Problem,
            proxies,
            show::{self, Json, Played},
        },
    },
    diag::{Code, Diagnostic},
    engine::{ByHand, HandError, HandFault},
    read::Reader,
    scenario::{FaultAlone, Scenario, entry_keys},
    units::Quantity as _,
    yaml::{Node, Spanned},
};
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use http::StatusCode;
use serde_json::{Value, json};
use std::{collections::HashSet, sync::Arc, time::Duration};

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/faults", get(list).post(add).delete(clear))
        .route("/faults/{proxy}/{name}", get(one).put(replace).delete(remove))
}

/// A fault as a body says it.
#[derive(Debug)]
struct Written {
    alone: FaultAlone,
    ttl: Option<Duration>,
    /// The proxies it is meant for: those that are named, or all that it works on.
    proxies: Vec<Arc<Proxied>>,
    /// Whether they are named.
    chosen: bool,
}

impl Written {
    fn read(node: &Spanned<Node>, app: &App, reader: &mut Reader<'_>) -> Option<Self> {
        let others: Vec<&str> = entry_keys().filter(|key| *key != "proxy").collect();
        let ([proxy, ttl], rest) = apart(node, ["proxy", "ttl"], &others, reader);
        let empty = Scenario::empty();
        let scenario = app.scenario.as_deref().unwrap_or(&empty);
        let alone = scenario.fault_alone(&rest, reader);
        let ttl = ttl.map(|node| read_ttl(&node, reader));
        let named = proxy.as_ref().map(|node| {
            reader.one_or_list(node, |reader, node| {
                Some(Spanned { value: reader.name(node)?, span: node.span })
            })
        });
        let (mut alone, chosen) = (alone?, named.is_some());
        let proxies = choose(&mut alone, named.flatten(), app, reader)?;
        Some(Self { alone, ttl: ttl.flatten(), proxies, chosen })
    }
}

fn read_ttl(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Duration> {
    let ttl: Duration = reader.quantity(node)?;
    if ttl.is_zero() {
        let title = format!("a fault that lasts {} is none", ttl.show());
        let problem = Diagnostic::new(Code::E0203, title, node.span);
        reader.problem(problem.help("give it a time, such as `30s`, or leave `ttl` out"));
        return None;
    }
    Some(ttl)
}

/// The proxies that a fault is meant for, all of which can play it.
fn choose(
    alone: &mut FaultAlone,
    named: Option<Vec<Spanned<String>>>,
    app: &App,
    reader: &mut Reader<'_>,
) -> Option<Vec<Arc<Proxied>>> {
    let all = app.registry.list();
    let specs: Vec<Spec> = all.iter().map(|proxied| proxied.spec()).collect();
    let known: Vec<Ground<'_>> = specs.iter().map(Spec::ground).collect();
    let mut chosen = Vec::new();
    let Some(named) = named else {
        let fits = known.iter().zip(&all);
        let fits = fits.filter(|(known, _)| misfit_of(&alone.entry, &[**known]).is_none());
        chosen.extend(fits.map(|(_, proxied)| Arc::clone(proxied)));
        if chosen.is_empty()
            && let Some(problem) = misfit_of(&alone.entry, &known)
        {
            reader.problem(problem);
            return None;
        }
        return Some(chosen);
    };
    let mut whole = true;
    for name in named {
        alone.entry.places.proxy = Some(name.span);
        alone.entry.proxy = Some(name.value);
        if let Some(problem) = misfit_of(&alone.entry, &known) {
            reader.problem(problem);
            whole = false;
        }
        let place = known.iter().position(|known| Some(known.name) == alone.entry.proxy.as_deref());
        if let Some(at) = place
            && !chosen.iter().any(|other| Arc::ptr_eq(other, &all[at]))
        {
            chosen.push(Arc::clone(&all[at]));
        }
    }
    alone.entry.proxy = None;
    whole.then_some(chosen)
}

async fn list(State(app): State<Arc<App>>) -> Json {
    let played = Played::now(&app);
    let all = app.registry.list();
    let all: Vec<Value> = all.iter().flat_map(|proxied| played.on(proxied)).collect();
    Json(json!({ "faults": all }))
}

async fn add(State(app): State<Arc<App>>, body: Body) -> Result<(StatusCode, Json), Problem> {
    let mut written = body.read(|node, reader| Written::read(node, &app, reader))?;
    if written.proxies.is_empty() {
        return Err(Problem::conflict("there is no proxy that it could be put on"));
    }
    let added = add_to_all(&mut written)?;
    let now = app.controls.tick();
    let shown: Vec<Value> =
        added.iter().map(|(proxied, fault)| show::put(&proxied.name, fault, now)).collect();
    Ok((StatusCode::CREATED, Json(json!({ "faults": shown }))))
}

type Added = Vec<(Arc<Proxied>, Arc<ByHand>)>;

/// Puts it on all its proxies, or on none.
fn add_to_all(written: &mut Written) -> Result<Added, Problem> {
    let base = written.alone.entry.name.clone();
    loop {
        if !written.alone.named {
            written.alone.entry.name = free_name(&base, &written.proxies);
        }
        let mut added: Added = Vec::new();
        let mut failed = None;
        for proxied in &written.proxies {
            match proxied.hand.add(by_hand(written)) {
                Ok(fault) => added.push((Arc::clone(proxied), fault)),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let Some(error) = failed else { return Ok(added) };
        for (proxied, fault) in &added {
            // Unless somebody was faster.
            let _gone = proxied.hand.remove(fault.name());
        }
        // Somebody took the name that was free a moment ago: there is another one.
        if written.alone.named || !matches!(error, HandError::NameTaken(_)) {
            return Err(error.into());
        }
    }
}

/// A name that no fault by hand on any of these has: `latency`, `latency#2`.
fn free_name(base: &str, proxies: &[Arc<Proxied>]) -> String {
    let all: Vec<Arc<ByHand>> = proxies.iter().flat_map(|proxied| proxied.hand.list()).collect();
    let taken: HashSet<&str> = all.iter().map(|fault| fault.name()).collect();
    let mut name = base.to_owned();
    let mut count = 1;
    while taken.contains(&*name) {
        count += 1;
        name = format!("{base}#{count}");
    }
    name
}

fn by_hand(written: &Written) -> HandFault {
    let FaultAlone { entry, targets, .. } = &written.alone;
    HandFault { entry: entry.clone(), targets: targets.clone(), ttl: written.ttl, memo: None }
}

async fn one(
    State(app): State<Arc<App>>,
    Path((proxy, name)): Path<(String, String)>,
) -> Result<Json, Problem> {
    let proxied = proxies::find(&app, &proxy)?;
    let fault = proxied.hand.find(&name).ok_or(HandError::Unknown(name))?;
    Ok(Json(show::put(&proxied.name, &fault, app.controls.tick())))
}

async fn replace(
    State(app): State<Arc<App>>,
    Path((proxy, name)): Path<(String, String)>,
    body: Body,
) -> Result<Json, Problem> {
    let proxied = proxies::find(&app, &proxy)?;
    proxied.hand.find(&name).ok_or_else(|| HandError::Unknown(name.clone()))?;
    let mut written = body.read(|node, reader| Written::read(node, &app, reader))?;
    let elsewhere = |other: &Arc<Proxied>| !Arc::ptr_eq(other, &proxied);
    if written.chosen && written.proxies.iter().any(elsewhere) {
        return Err(Problem::senseless("a fault stays on its proxy; leave `proxy` out"));
    }
    if written.alone.named && written.alone.entry.name != name {
        return Err(Problem::senseless("a fault keeps its name; leave `name` out"));
    }
    written.alone.entry.name.clone_from(&name);
    let now = app.controls.tick();
    let fault = proxied.hand.modify(&name, |old| {
        // A time to live goes on, unless it is set anew.
        let left = old.until().map(|until| until.saturating_sub(now));
        Ok::<_, HandError>(HandFault { ttl: written.ttl.or(left), ..by_hand(&written) })
    })?;
    Ok(Json(show::put(&proxied.name, &fault, app.controls.tick())))
}

async fn remove(
    State(app): State<Arc<App>>,
    Path((proxy, name)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    proxies::find(&app, &proxy)?.hand.remove(&name)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn clear(State(app): State<Arc<App>>) -> StatusCode {
    for proxied in app.registry.list() {
        proxied.hand.clear();
    }
    StatusCode::NO_CONTENT
}
