//! Binding a scenario's targets to routes of one's own.

use crate::{
    diag::{closest, list_of},
    scenario::Scenario,
    select::Matcher,
};

/// Why a target cannot be bound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// What it is to be bound to is no route.
    #[error("{0}; write a route such as `POST /api/checkout`")]
    Route(String),
    /// The scenario has no such target.
    #[error("{0}")]
    Unknown(String),
}

/// Has a target of the scenario mean a route: `POST /api/checkout`, or a path alone.
///
/// # Errors
///
/// See [`BindError`].
pub fn bind(scenario: &mut Scenario, name: &str, route: &str) -> Result<(), BindError> {
    let matcher = Matcher::route(route).map_err(BindError::Route)?;
    if let Some(target) = scenario.targets.iter_mut().find(|target| target.name == name) {
        target.matchers = vec![matcher];
        return Ok(());
    }
    let known = || scenario.targets.iter().map(|target| target.name.as_str());
    let hint = match closest(name, known()) {
        Some(close) => format!("did you mean `{close}`?"),
        None if scenario.targets.is_empty() => "it has none".to_owned(),
        None => format!("it has {}", list_of(known())),
    };
    Err(BindError::Unknown(format!("the scenario has no target `{name}`; {hint}")))
}
