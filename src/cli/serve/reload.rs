//! Reading the config again while traffic goes on.

use crate::{
    cli::{
        place::{self, causes},
        run::Refusal,
    },
    control::{Registry, Spec},
};
use std::path::Path;

/// What a reload came to.
pub(super) struct Reloaded {
    /// The proxies of the file as it is now.
    pub specs: Vec<Spec>,
    /// Those that were made, or made anew without the faults that were on them.
    pub made: Vec<String>,
    /// Those that were taken away.
    pub gone: Vec<String>,
    /// Those that stayed, with other certificates.
    pub renewed: Vec<String>,
}

/// Goes over to the proxies of a config file. Those that are in `before` and not in the file any
/// more are taken away, and those that the file writes otherwise than before are made anew. What
/// stands in it as before is left alone, whatever was done to it by hand, but for certificates, whose
/// files may be others; and so are those that somebody made by hand.
///
/// # Errors
///
/// Fails if the file is wrong, or one that it names, or a port is taken; then nothing was changed.
pub(super) async fn reload(
    registry: &Registry,
    path: &Path,
    before: &[Spec],
) -> Result<Reloaded, Refusal> {
    let config = place::read_config(path)?;
    let specs = place::specs(&config);
    let stays = |name: &str| specs.iter().any(|spec| spec.name == name);
    let names = |specs: &[&Spec]| specs.iter().map(|spec| spec.name.clone()).collect();
    let gone: Vec<&Spec> = before.iter().filter(|spec| !stays(&spec.name)).collect();
    let (same, changed): (Vec<&Spec>, Vec<&Spec>) =
        specs.iter().partition(|spec| before.contains(spec));
    let (gone, made, same): (Vec<String>, Vec<String>, Vec<String>) =
        (names(&gone), names(&changed), names(&same));
    let changed: Vec<Spec> = changed.into_iter().cloned().collect();
    let went = registry.go_over(&changed, &gone, &same).await;
    let renewed = went.map_err(|error| Refusal::place(causes(&error)))?;
    Ok(Reloaded { specs, made, gone, renewed })
}
