//! Faults on messages, where there are bytes and no messages.

use crate::{
    dice::Dice,
    fault::{ByteFilter, Denial, Fault, Promise, Way, catalog::Protocol},
    timeline::Moment,
};

/// A fault on messages that makes sense on a stream of bytes as well.
pub(super) trait Bytewise: Fault {
    /// The shaper of one direction, as [`Fault::filter`].
    fn shaper(&self, way: Way, connection: Dice, shared: Dice) -> Option<Box<dyn ByteFilter>>;

    /// What it does there, as [`Fault::describe`].
    fn describe_bytes(&self) -> String {
        self.describe()
    }
}

/// Such a fault on the bytes of connections: all but the shaper is the same.
#[derive(Debug)]
pub(super) struct OnBytes<F>(pub(super) F);

impl<F: Bytewise> Fault for OnBytes<F> {
    fn filter(&self, way: Way, connection: Dice, shared: Dice) -> Option<Box<dyn ByteFilter>> {
        self.0.shaper(way, connection, shared)
    }

    fn shapes_connections(&self) -> bool {
        true
    }

    fn breaks(&self) -> &'static [Promise] {
        self.0.breaks()
    }

    fn works_on(&self, protocol: Protocol) -> Result<(), String> {
        self.0.works_on(protocol)
    }

    fn moves(&self) -> bool {
        self.0.moves()
    }

    fn strength(&self, moment: &Moment) -> f64 {
        self.0.strength(moment)
    }

    fn denies(&self) -> Denial {
        // How many bytes there will be is not known.
        let ends = self.0.breaks().contains(&Promise::Life);
        if ends { Denial::Perhaps } else { Denial::Never }
    }

    fn describe(&self) -> String {
        self.0.describe_bytes()
    }
}
