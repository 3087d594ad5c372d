//! `unreachable`: a dead host.
//!
//! ```yaml
//! - unreachable: {}
//! ```
//!
//! Connections hang in SYN, as to a host that lost its power: no refusal, no answer, until the
//! client's own connect timeout. The listener's accept queue is filled up, so the kernel drops
//! further SYNs; once the fault lets go, the next SYN retry of each client gets through (after 1,
//! 2, 3 … s on current kernels). Everybody who connects is hit; connections that are open stay
//! open. It differs from `blackhole`, which accepts and then says nothing.

use crate::{
    fault::{
        Denial, Fault, Gate,
        catalog::{Entry, Layer, Protocol, Traffic},
        form::read_nothing,
    },
    read::{Kind, Reader, Shape},
    yaml::{Node, Spanned},
};
use std::sync::Arc;

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "unreachable",
    layer: Layer::Listener,
    protocols: Protocol::ALL,
    traffic: Traffic::Any,
    summary: "connections hang in SYN, as to a dead host",
    about: "Whoever connects gets neither a refusal nor an answer until their own connect timeout.
The accept queue of the listener is full, so the kernel drops SYNs, and no privilege is needed. Once
the fault lets go, the next SYN retry of each client gets through. It is about the listener as a
whole, so there is no `target` and no `share`. A host that accepts and then says nothing is
`blackhole`.",
    examples: &["unreachable: {}"],
    kind: Kind::Map(&SHAPE),
    read,
};

static SHAPE: Shape = Shape { what: "`unreachable`", fields: &[] };

/// Nobody answers a SYN.
#[derive(Clone, Copy, Debug)]
struct Unreachable;

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    read_nothing("unreachable", node, reader)?;
    Some(Arc::new(Unreachable))
}

impl Fault for Unreachable {
    fn gate(&self) -> Option<Gate> {
        Some(Gate::Unreachable)
    }

    fn denies(&self) -> Denial {
        Denial::Always
    }

    fn describe(&self) -> String {
        "connections hang in SYN".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diag::Code,
        fault::support::{codes, fault},
    };

    #[test]
    fn it_acts_on_the_listener_and_on_nothing_else() {
        let fault = fault("unreachable: {}");
        assert_eq!(fault.gate(), Some(Gate::Unreachable));
        assert!(fault.stages().is_empty() && !fault.shapes_connections());
    }

    #[test]
    fn nothing_can_be_set() {
        assert_eq!(codes("unreachable: { after: 3s }"), [Code::E0101]);
        assert_eq!(codes("unreachable: 503"), [Code::E0003]);
        assert_eq!(codes("unreachable:"), []);
    }
}
