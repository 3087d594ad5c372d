//! A file that holds a scenario, a config, or both.

use crate::{
    config::{Config, fit::fit, whole},
    diag::{Code, Diagnostic, Problems, Severity, Source},
    read::{Fields, Reader, Shape},
    scenario::{KEYS, Scenario},
    yaml::{self, Node, Spanned},
};
use std::path::PathBuf;

/// What a file holds; at least one of the two.
#[derive(Clone, Debug)]
pub struct File {
    /// What happens.
    pub scenario: Option<Scenario>,
    /// Where.
    pub config: Option<Config>,
}

static FILE: Shape = Shape { what: "a scenario or a config", fields: KEYS };

/// The keys by which a config is known.
const OF_CONFIG: [&str; 2] = ["proxies", "admin"];
/// The keys that tell nothing, since either may have them.
const OF_BOTH: [&str; 1] = ["users"];

impl File {
    /// Reads whatever is in a file, and if that is both, whether they fit each other. Files that it
    /// names are looked for in `folder`. All problems are noted at once, and with an error among
    /// them nothing is given out.
    pub fn read(source: &Source, folder: Option<PathBuf>, problems: &mut Problems) -> Option<Self> {
        let tree = yaml::parse(source, problems)?;
        let (of_scenario, of_config) = (is_scenario(&tree), is_config(&tree));
        if !of_scenario && !of_config {
            neither(&tree, &mut Reader::new(problems, folder));
            return None;
        }
        if !of_scenario {
            let config = Some(Config::of(&tree, &mut Reader::new(problems, folder))?);
            return (!problems.has_errors()).then_some(Self { scenario: None, config });
        }
        // The scenario's reader has a look at all keys, and at `users`.
        let scenario = Scenario::of(&tree, &mut Reader::new(problems, folder.clone()));
        if !of_config {
            return (!problems.has_errors()).then_some(Self { scenario, config: None });
        }
        let fields = Fields::of(&tree)?;
        let users = scenario.as_ref().map(|scenario| scenario.users.clone());
        let users = users.filter(|_| fields.get("users").is_some());
        let before = problems.count(Severity::Error);
        let config = whole(&fields, users, &mut Reader::new(problems, folder));
        // A proxy that could not be read would seem to be missing.
        let sound = problems.count(Severity::Error) == before;
        if let (Some(scenario), Some(config), true) = (&scenario, &config, sound) {
            fit(scenario, &config.known(), problems);
        }
        (!problems.has_errors()).then_some(Self { scenario, config })
    }
}

fn keys(tree: &Spanned<Node>) -> impl Iterator<Item = &str> {
    let entries = Fields::of(tree).map_or(&[][..], |fields| fields.entries());
    entries.iter().map(|(key, _)| &*key.value)
}

fn is_config(tree: &Spanned<Node>) -> bool {
    keys(tree).any(|key| OF_CONFIG.contains(&key))
}

fn is_scenario(tree: &Spanned<Node>) -> bool {
    let elsewhere = |key: &str| OF_CONFIG.contains(&key) || OF_BOTH.contains(&key);
    keys(tree).any(|key| !elsewhere(key) && KEYS.iter().any(|field| field.name == key))
}

fn neither(tree: &Spanned<Node>, reader: &mut Reader<'_>) {
    let Some(fields) = reader.keys(tree, &FILE) else { return };
    let title = "the file holds neither a scenario nor a config";
    let problem = Diagnostic::new(Code::E0708, title, fields.span);
    reader.problem(problem.help("a scenario has `name` and `phases`, a config has `proxies`"));
}
