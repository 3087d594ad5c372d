//! `refuse`: nobody listens.
//!
//! ```yaml
//! - refuse: {}
//! ```
//!
//! The listener is closed, so the client's kernel gets a real RST for its SYN and `connect` fails
//! with ECONNREFUSED, as for a process that crashed. A connection that is accepted and then reset
//! is something else (`reset: { at: connect }`): many clients retry the first and not the second.
//! Everybody who connects is refused; connections that are open stay open (`connections: reset` of
//! the phase ends them). Nobody can be told apart before they are connected, so it takes no
//! `target` and no `share`.

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
    name: "refuse",
    layer: Layer::Listener,
    protocols: Protocol::ALL,
    traffic: Traffic::Any,
    summary: "connections are refused: nobody listens",
    about: "The listener is closed for as long as the fault is in force: `connect` fails with a
real ECONNREFUSED, as for a process that crashed. It is about the listener as a whole, so there is
no `target` and no `share`. Connections that are open already stay open, unless the phase says
`connections: reset`.",
    examples: &["refuse: {}"],
    kind: Kind::Map(&SHAPE),
    read,
};

static SHAPE: Shape = Shape { what: "`refuse`", fields: &[] };

/// The listener is closed.
#[derive(Clone, Copy, Debug)]
struct Refuse;

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    read_nothing("refuse", node, reader)?;
    Some(Arc::new(Refuse))
}

impl Fault for Refuse {
    fn gate(&self) -> Option<Gate> {
        Some(Gate::Refuse)
    }

    fn denies(&self) -> Denial {
        Denial::Always
    }

    fn describe(&self) -> String {
        "connections refused".to_owned()
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
        let fault = fault("refuse: {}");
        assert_eq!(fault.gate(), Some(Gate::Refuse));
        assert!(fault.stages().is_empty() && !fault.shapes_connections());
    }

    #[test]
    fn nothing_can_be_set() {
        assert_eq!(codes("refuse: { after: 3s }"), [Code::E0101]);
        assert_eq!(codes("refuse: 503"), [Code::E0003]);
        assert_eq!(codes("refuse:"), []);
    }
}
