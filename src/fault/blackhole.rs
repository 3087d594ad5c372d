//! `blackhole`: accepted, then silence.
//!
//! ```yaml
//! - blackhole: {}
//! ```
//!
//! The connection stands, and nothing passes in either direction: what a firewall that lost its
//! state, a frozen process or a cut cable looks like from an open connection. Nothing is read from
//! either end while it lasts, so the senders' windows fill up; nothing is lost, and once the fault
//! lets go everything flows on in order. The peers' kernels do answer (a proxy without privilege
//! cannot stop their ACKs), so a client sees silence, not unacknowledged data. It differs from
//! `hang`, which reads one request and keeps the rest of the connection alive.

use crate::{
    dice::Dice,
    fault::{
        ByteFilter, Denial, Fault, Out, Tick, Way,
        catalog::{Entry, Layer, Protocol, Traffic},
        form::read_nothing,
        queue::Queue,
    },
    read::{Kind, Reader, Shape},
    timeline::Moment,
    yaml::{Node, Spanned},
};
use bytes::Bytes;
use std::sync::Arc;

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "blackhole",
    layer: Layer::Connection,
    protocols: Protocol::ALL,
    traffic: Traffic::Any,
    summary: "connections are accepted, then silence in both directions",
    about: "Nothing passes in either direction for as long as the fault is in force; connections
that are open fall silent, new ones are accepted and hear nothing. No byte is lost: when it lets go,
everything flows on in order. Since a proxy's kernel still acknowledges what it receives, a client
meets silence, not unacknowledged data. For one request instead of a connection, use `hang`; for a
host that does not even accept, `unreachable`.",
    examples: &["blackhole: {}"],
    kind: Kind::Map(&SHAPE),
    read,
};

static SHAPE: Shape = Shape { what: "`blackhole`", fields: &[] };

/// What passes freely in one step while the fault is not in force.
const ROOM: usize = 256 * 1024;

/// Silence.
#[derive(Clone, Copy, Debug)]
struct Blackhole;

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    read_nothing("blackhole", node, reader)?;
    Some(Arc::new(Blackhole))
}

impl Fault for Blackhole {
    fn filter(&self, _way: Way, _connection: Dice, _shared: Dice) -> Option<Box<dyn ByteFilter>> {
        Some(Box::new(Dam::default()))
    }

    fn shapes_connections(&self) -> bool {
        true
    }

    fn denies(&self) -> Denial {
        Denial::Always
    }

    fn describe(&self) -> String {
        "silence in both directions".to_owned()
    }
}

/// Holds everything while it is shut.
#[derive(Debug, Default)]
pub(super) struct Dam {
    shut: bool,
    gone: bool,
    held: Queue,
    ending: bool,
}

impl ByteFilter for Dam {
    fn tune(&mut self, _now: Tick, moment: Option<&Moment>) {
        self.shut = moment.is_some() && !self.gone;
    }

    fn room(&self) -> usize {
        // The end of the source is not seen either while nothing is read, as in life.
        if self.shut { 0 } else { ROOM.saturating_sub(self.held.len()) }
    }

    fn push(&mut self, _now: Tick, bytes: Bytes) {
        self.held.push(bytes);
    }

    fn finish(&mut self, _now: Tick) {
        self.ending = true;
    }

    fn pull(&mut self, _now: Tick) -> Option<Out> {
        if self.shut {
            return None;
        }
        if let Some(bytes) = self.held.take(usize::MAX) {
            return Some(Out::Bytes(bytes));
        }
        std::mem::take(&mut self.ending).then_some(Out::End)
    }

    fn wake_at(&self) -> Option<Tick> {
        None
    }

    fn is_empty(&self) -> bool {
        self.held.is_empty() && !self.ending
    }

    fn let_go(&mut self, _now: Tick) {
        self.gone = true;
        self.shut = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::support::{cx, drain, fault, moment};
    use std::time::Duration;

    fn dam() -> Box<dyn ByteFilter> {
        let cx = cx(0);
        fault("blackhole: {}").filter(Way::Down, cx.connection, cx.shared).expect("a filter")
    }

    #[test]
    fn nothing_passes_while_it_lasts_and_nothing_is_lost() {
        let mut dam = dam();
        let now = Duration::from_secs(1);
        dam.tune(now, Some(&moment(now)));
        dam.push(now, Bytes::from_static(b"already read"));
        dam.finish(now);

        let later = Duration::from_secs(3_600);
        dam.tune(later, Some(&moment(later)));
        assert_eq!(dam.room(), 0);
        assert_eq!(dam.pull(later), None);

        dam.tune(later, None);
        assert_eq!(drain(dam.as_mut(), later), (Bytes::from_static(b"already read"), true));
        assert!(dam.is_empty());
    }

    #[test]
    fn once_let_go_it_never_shuts_again() {
        let mut dam = dam();
        let now = Duration::from_secs(1);
        dam.tune(now, Some(&moment(now)));
        dam.let_go(now);
        dam.tune(now, Some(&moment(now)));

        dam.push(now, Bytes::from_static(b"x"));

        assert_eq!(drain(dam.as_mut(), now).0, "x");
        assert!(dam.room() > 0);
    }
}
