//! `firedrill list` and `firedrill show`: the scenarios that come with the program.

use crate::{
    cli::{Exit, error, print},
    diag::{Problems, closest},
    scenario::{
        Scenario,
        bundled::{self, BUNDLED},
    },
    units::show_duration,
};
use clap::Args as ClapArgs;

/// Print a bundled scenario, to read or to start one's own from
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct Args {
    /// A name of `firedrill list`
    pub name: String,
}

/// Lists them: name, length, title.
pub(super) fn list() -> Exit {
    let widest = BUNDLED.iter().map(|bundled| bundled.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for bundled in BUNDLED {
        let scenario = Scenario::read(&bundled.source(), None, &mut Problems::default());
        let Some(scenario) = scenario else { continue };
        let length = show_duration(scenario.timeline(None).length());
        let title = scenario.title.unwrap_or_default();
        text.push_str(&format!("{:widest$}  {length:>8}  {title}\n", bundled.name));
    }
    print(&text)
}

/// Prints one.
pub(super) fn show(args: &Args) -> Exit {
    if let Some(bundled) = bundled::find(&args.name) {
        return print(bundled.text);
    }
    let hint = match closest(&args.name, BUNDLED.iter().map(|bundled| bundled.name)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`firedrill list` shows them".to_owned(),
    };
    error(&format!("there is no bundled scenario `{}`; {hint}", args.name));
    Exit::Usage
}
