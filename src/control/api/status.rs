//! `/status`: how everything stands at this moment.

use crate::control::{
    App,
    api::show::{self, Json, Played, millis},
};
use axum::extract::State;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn status(State(app): State<Arc<App>>) -> Json {
    let played = Played::now(&app);
    let proxies = app.registry.list();
    let proxies = proxies.iter().map(|proxied| show::proxy(proxied, &played));
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "run": app.run,
        "scenario": drill(&app),
        "proxies": proxies.collect::<Vec<_>>(),
    }))
}

/// Where the drill stands; null if no scenario is played.
pub(super) fn drill(app: &App) -> Value {
    let Some(scenario) = &app.scenario else { return Value::Null };
    let status = app.controls.status();
    let position = status.position.filter(|_| !status.over);
    let phase = position.and_then(|position| scenario.phases.get(position.phase));
    json!({
        "name": scenario.name,
        "title": scenario.title,
        "phase": phase.map(|phase| &phase.name),
        "phases": scenario.phases.iter().map(|phase| &phase.name).collect::<Vec<_>>(),
        "elapsed_ms": position.map(|position| millis(position.elapsed)),
        "left_ms": status.left.filter(|_| !status.over).map(millis),
        "time_ms": millis(status.time),
        "length_ms": millis(app.controls.timeline().length()),
        "speed": status.speed.factor(),
        "playing": status.playing && !status.over,
        "over": status.over,
        "aborted": status.aborted,
    })
}
