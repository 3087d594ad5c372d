//! Panics of the program, which would end a task and fail no test.

use std::{
    panic,
    sync::{
        Once,
        atomic::{AtomicUsize, Ordering},
    },
};

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Counts them from now on; those of tests are their own matter.
pub(crate) fn watch() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if panic.location().is_some_and(|place| !place.file().contains("tests/it")) {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            before(panic);
        }));
    });
}

/// How many there were.
pub(crate) fn count() -> usize {
    PANICS.load(Ordering::SeqCst)
}
