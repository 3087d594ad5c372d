//! Answers for people.

use crate::{
    cli::ctl::args::{Command, Fault, Proxy},
    units::show_duration,
};
use comfy_table::{CellAlignment, Table, presets};
use serde_json::Value;
use std::time::Duration;

/// What the table of proxies shows, and what is shown below it.
const IN_TABLE: [&str; 8] =
    ["bytes", "connections", "enabled", "faults", "listen", "name", "protocol", "upstream"];

/// How everything stands.
pub(super) fn status(json: &Value) -> String {
    let mut out = format!("firedrill {}, run {}\n", text(&json["version"]), text(&json["run"]));
    out.push_str(&format!("{}\n", drill(&json["scenario"])));
    let proxies = &json["proxies"];
    out.push_str(&format!("\n{}", self::proxies(proxies)));
    let all: Vec<Value> =
        items(proxies).flat_map(|proxy| items(&proxy["faults"])).cloned().collect();
    out.push_str(&format!("\n{}", faults(&all.into())));
    out
}

/// Where the drill stands, in one line.
fn drill(scenario: &Value) -> String {
    if scenario.is_null() {
        return "no scenario is played".to_owned();
    }
    let name = text(&scenario["name"]);
    if scenario["over"] == true {
        let how = if scenario["aborted"] == true { "was aborted" } else { "is over" };
        return format!("{name} {how}");
    }
    let mut line = format!("{name}: phase `{}`", text(&scenario["phase"]));
    if let Some(elapsed) = time(&scenario["elapsed_ms"]) {
        line.push_str(&format!(", {elapsed} in"));
    }
    if scenario["playing"] == false {
        line.push_str(", standing still");
    } else if let Some(left) = time(&scenario["left_ms"]) {
        line.push_str(&format!(", {left} left"));
    }
    if scenario["speed"] != 1.0 {
        line.push_str(&format!(", ×{}", text(&scenario["speed"])));
    }
    line
}

/// One proxy, and what is in force on it.
pub(super) fn proxy_alone(proxy: &Value) -> String {
    let table = proxies(&Value::from(vec![proxy.clone()]));
    format!("{table}{}\n{}", told(proxy), faults(&proxy["faults"]))
}

/// What else a proxy was told, a line each.
fn told(proxy: &Value) -> String {
    let keys = proxy.as_object().into_iter().flatten();
    let others = keys.filter(|(key, _)| !IN_TABLE.contains(&key.as_str()));
    let lines: Vec<String> =
        others.map(|(key, value)| format!("{}: {}\n", plain(key), text(value))).collect();
    lines.concat()
}

/// A line for each proxy.
pub(super) fn proxies(list: &Value) -> String {
    let header =
        ["proxy", "listen", "upstream", "protocol", "state", "open", "accepted", "up", "down"];
    let row = |proxy: &Value| {
        let (connections, bytes) = (&proxy["connections"], &proxy["bytes"]);
        vec![
            text(&proxy["name"]),
            text(&proxy["listen"]),
            text(&proxy["upstream"]),
            text(&proxy["protocol"]),
            if proxy["enabled"] == true { "enabled" } else { "disabled" }.to_owned(),
            text(&connections["open"]),
            text(&connections["accepted"]),
            text(&bytes["to_upstream"]),
            text(&bytes["to_clients"]),
        ]
    };
    table(&header, 5, items(list).map(row).collect(), "no proxies")
}

/// A line for each fault.
pub(super) fn faults(list: &Value) -> String {
    let header = ["proxy", "fault", "from", "what", "share", "left", "meant for", "hit", "held"];
    let row = |fault: &Value| {
        vec![
            text(&fault["proxy"]),
            text(&fault["name"]),
            text(&fault["origin"]),
            text(&fault["what"]),
            text(&fault["share"]),
            time(&fault["left_ms"]).unwrap_or_default(),
            text(&fault["meant_for"]),
            text(&fault["hit"]),
            time(&fault["held_ms"]).unwrap_or_default(),
        ]
    };
    table(&header, 5, items(list).map(row).collect(), "no faults")
}

/// That a command was carried out.
pub(super) fn done(command: &Command, json: &Value) -> String {
    match command {
        Command::Proxy(command) => proxy(command, json),
        Command::Fault(Fault::Add { .. }) => {
            let each = |fault: &Value| {
                format!("put `{}` on `{}`", text(&fault["name"]), text(&fault["proxy"]))
            };
            items(&json["faults"]).map(each).collect::<Vec<_>>().join("\n")
        }
        Command::Fault(Fault::Change { proxy, name, .. }) => {
            format!("changed `{}` on `{}`", plain(name), plain(proxy))
        }
        Command::Fault(Fault::Remove { proxy, name }) => {
            format!("took `{}` from `{}`", plain(name), plain(proxy))
        }
        Command::Fault(Fault::Clear) => "took all faults by hand away".to_owned(),
        Command::Reset => "all proxies are enabled, and no fault by hand is left".to_owned(),
        _ => drill(json),
    }
}

fn proxy(command: &Proxy, json: &Value) -> String {
    if let Proxy::Remove { name } = command {
        return format!("took the proxy `{}` away", plain(name));
    }
    let state = if json["enabled"] == true { "enabled" } else { "disabled" };
    let (name, listen) = (text(&json["name"]), text(&json["listen"]));
    format!("`{name}` is {state}: {listen} -> {}", text(&json["upstream"]))
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn table(header: &[&str], numbers: usize, rows: Vec<Vec<String>>, none: &str) -> String {
    if rows.is_empty() {
        return format!("{none}\n");
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.iter().copied()).add_rows(rows);
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if at >= numbers {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines = table.lines().map(|line| format!("{}\n", line.trim_end()));
    lines.collect()
}

fn time(millis: &Value) -> Option<String> {
    let time = Duration::from_millis(millis.as_u64()?);
    // Nobody reads the milliseconds of an hour.
    let whole = time >= Duration::from_secs(60);
    Some(show_duration(if whole { Duration::from_secs(time.as_secs()) } else { time }))
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Without what a terminal would act on.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
