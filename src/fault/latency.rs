//! `latency`: hold every message for a while before it goes on.
//!
//! ```yaml
//! - latency: 300ms
//! - latency: 100ms -> 2s
//! ```

use crate::{
    diag::{Code, Diagnostic},
    fault::{
        Cx, Effect, Fault, Stage,
        catalog::{Entry, Layer},
    },
    read::{Kind, Reader},
    timeline::Moving,
    yaml::{Node, Spanned},
};
use std::{sync::Arc, time::Duration};

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "latency",
    layer: Layer::Message,
    summary: "messages are held for a while",
    about: "Holds every request before it goes on.",
    examples: &["latency: 300ms", "latency: 100ms -> 2s"],
    kind: Kind::Moving(&Kind::Duration),
    read,
};

#[derive(Clone, Debug)]
struct Latency {
    delay: Moving<Duration>,
}

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let delay = reader.moving::<Duration>(node)?;
    if delay.peak() == Duration::ZERO {
        reader.problem(
            Diagnostic::new(Code::E0413, "a delay of `0s` is no delay", node.span)
                .help("write a longer delay, such as `300ms`"),
        );
        return None;
    }
    Some(Arc::new(Latency { delay }))
}

impl Fault for Latency {
    fn stages(&self) -> &'static [Stage] {
        &[Stage::RequestDelay]
    }

    fn decide(&self, _stage: Stage, cx: &Cx) -> Effect {
        match self.delay.at(&cx.moment) {
            Duration::ZERO => Effect::Pass,
            delay => Effect::Delay(delay),
        }
    }

    fn moves(&self) -> bool {
        self.delay.moves()
    }

    fn describe(&self) -> String {
        format!("+{}", self.delay.show())
    }
}
