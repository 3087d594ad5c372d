//! `firedrill faults`: the catalogue of faults, with examples.

use crate::{
    cli::{Exit, error, print},
    diag::closest,
    fault::catalog::{self, CATALOG, Entry, Layer},
    read::{Field, Kind},
};
use clap::Args as ClapArgs;

/// List the faults that a scenario can name, or show the page of one with examples
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct Args {
    /// A fault of the list
    pub name: Option<String>,

    /// Print the list as a Markdown table
    #[arg(long, conflicts_with = "name")]
    pub markdown: bool,
}

/// Shows the list or a page.
pub(super) fn run(args: &Args) -> Exit {
    let Some(name) = &args.name else {
        return print(&if args.markdown { markdown() } else { table() });
    };
    if let Some(entry) = catalog::find(name) {
        return print(&page(entry));
    }
    let hint = match closest(name, CATALOG.iter().map(|entry| entry.name)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`firedrill faults` lists them".to_owned(),
    };
    error(&format!("there is no fault `{name}`; {hint}"));
    Exit::Usage
}

fn table() -> String {
    let widest = CATALOG.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    let row = |entry: &Entry| {
        let (name, layer) = (entry.name, layer(entry.layer));
        format!("{name:widest$}  {layer:10}  {}\n", entry.summary)
    };
    CATALOG.iter().map(row).collect()
}

fn markdown() -> String {
    let row = |entry: &Entry| {
        let (name, layer, traffic) = (entry.name, layer(entry.layer), entry.traffic.name());
        format!("| `{name}` | {layer} | {traffic} | {} |\n", entry.summary)
    };
    let rows: String = CATALOG.iter().map(row).collect();
    format!("| fault | on | traffic | what the client meets |\n|---|---|---|---|\n{rows}")
}

fn page(entry: &Entry) -> String {
    let proxies: Vec<&str> = entry.protocols.iter().map(|protocol| protocol.name()).collect();
    let mut page = format!(
        "{} (on {}): {}\n\n{}\n\nIt can hurt: {}\nOn proxies with `protocol`: {}\n",
        entry.name,
        layer(entry.layer),
        entry.summary,
        entry.about.trim(),
        entry.traffic.name(),
        proxies.join(", ")
    );
    let keys = keys(&entry.kind);
    if !keys.is_empty() {
        page.push_str("\nKeys:\n\n");
        let widest = keys.iter().map(|key| key.name.len()).max().unwrap_or(0);
        for key in keys {
            page.push_str(&format!("    {:widest$}  {}\n", key.name, key.doc));
        }
    }
    page.push_str("\nExamples:\n\n");
    for example in entry.examples {
        for (at, line) in example.lines().enumerate() {
            page.push_str(&format!("    {} {line}\n", if at == 0 { "-" } else { " " }));
        }
    }
    page
}

/// The keys that its mappings may have, each once.
fn keys(kind: &Kind) -> Vec<&'static Field> {
    let mut keys: Vec<&'static Field> = match kind {
        Kind::Map(shape) => shape.fields.iter().collect(),
        Kind::Any(kinds) => kinds.iter().flat_map(keys).collect(),
        _ => Vec::new(),
    };
    let mut seen = Vec::new();
    keys.retain(|key| {
        !seen.contains(&key.name) && {
            seen.push(key.name);
            true
        }
    });
    keys
}

fn layer(layer: Layer) -> &'static str {
    match layer {
        Layer::Listener => "listener",
        Layer::Connection => "connection",
        Layer::Handshake => "handshake",
        Layer::Message => "request",
        Layer::Socket => "websocket",
    }
}
