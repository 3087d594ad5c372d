//! `firedrill run`: play a scenario in front of a service.

mod args;
mod child;
mod drill;
mod load;
mod outcome;
mod proxied;
mod view;
mod words;

pub(super) use args::{Args, LogForm, PlayArgs, duration};
pub(super) use drill::{Drill, user_sources};
pub(super) use load::{Loaded, Refusal, load};
pub(super) use outcome::found;

use crate::cli::{exit::Exit, place};
use std::future::Future;

/// Plays it; says what came of it.
pub(super) fn run(args: &Args) -> Exit {
    let loaded = match load(args) {
        Ok(loaded) => loaded,
        Err(refusal) => return refusal.say(),
    };
    block_on(async {
        let troubles = place::troubles(&loaded.specs).await;
        match Drill::start(args, loaded).await {
            Ok(drill) => {
                for trouble in troubles {
                    drill.say(&format!("note: {trouble}; going on in case it comes up"));
                }
                drill.play(async {}).await
            }
            Err(refusal) => refusal.say(),
        }
    })
}

/// Runs a drill on a runtime of its own.
pub(super) fn block_on(drill: impl Future<Output = Exit>) -> Exit {
    raise_file_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Refusal::environment("cannot start", &error).say(),
    };
    let exit = runtime.block_on(drill);
    // Whatever still resolves a name or waits for a disk is not waited for.
    runtime.shutdown_background();
    exit
}

/// As many open files as the system allows: every connection is one, and every exchange two.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, most) {
        tracing::debug!(%error, "the limit on open files stays as it is");
    }
}
