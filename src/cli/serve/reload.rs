//! Reading the config again while traffic goes on.

use crate::{
    cli::{
        place::{self, causes},
        run::Refusal,
    },
    control::{Registry, Spec},
};
use std::path::Path;

/// Goes over to the proxies of a config file. Those that are in `before` and not in the file any
/// more are taken away; those that somebody made by hand stay.
///
/// # Errors
///
/// Fails if the file is wrong or a port is taken; then nothing was changed.
pub(super) async fn reload(
    registry: &Registry,
    path: &Path,
    before: &[String],
) -> Result<Vec<Spec>, Refusal> {
    let (config, _) = place::read_config(path)?;
    let specs = place::specs(&config);
    let stays = |name: &String| specs.iter().any(|spec| spec.name == *name);
    let gone: Vec<String> = before.iter().filter(|name| !stays(name)).cloned().collect();
    let went = registry.go_over(&specs, &gone).await;
    went.map_err(|error| Refusal::place(causes(&error)))?;
    Ok(specs)
}
