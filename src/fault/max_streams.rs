//! `max_streams`: HTTP/2 with little room on each connection.
//!
//! ```yaml
//! - max_streams: 10
//! ```
//!
//! Servers and balancers allow 100 or so streams at a time on a connection, and some of them far less
//! once they are in trouble. A client then has to open more connections, or its requests wait for each
//! other inside of it, where no server's metric sees them: its own pool is the bottleneck. It is about
//! every connection of the proxy, so it takes no `target` and no `share`.

use crate::{
    fault::{
        Denial, Fault,
        catalog::{Entry, Layer, Protocol, Traffic},
    },
    read::{Kind, Reader},
    yaml::{Node, Spanned},
};
use std::sync::Arc;

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "max_streams",
    layer: Layer::Listener,
    protocols: Protocol::HTTP,
    traffic: Traffic::Http2,
    summary: "HTTP/2 connections take only so many streams at a time",
    about: "As long as it is in force every HTTP/2 connection is told by SETTINGS_MAX_CONCURRENT_STREAMS
how many streams it may have open, and 200 again afterwards; connections that are open already are told,
too. A stream beyond it, of a client that does not listen or did not hear of it yet, is reset with
REFUSED_STREAM, which promises that nothing was done. Streams that are under way stay. It is about the
proxy as a whole, so there is no `target` and no `share`. HTTP/1 has no streams, and is left alone.",
    examples: &["max_streams: 10", "max_streams: 1"],
    kind: KIND,
    read,
};

/// What a connection may have without it, less one.
const MOST: i64 = 199;
const KIND: Kind = Kind::Integer(1, MOST);

/// So many streams and no more.
#[derive(Clone, Copy, Debug)]
struct MaxStreams(u32);

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let most = u32::try_from(reader.integer(node, 1, MOST)?).ok()?;
    Some(Arc::new(MaxStreams(most)))
}

impl Fault for MaxStreams {
    fn max_streams(&self) -> Option<u32> {
        Some(self.0)
    }

    fn follows_load(&self) -> bool {
        true
    }

    fn denies(&self) -> Denial {
        Denial::Perhaps
    }

    fn describe(&self) -> String {
        format!("{} HTTP/2 streams at a time", self.0)
    }
}

#[cfg(test)]
mod tests {
    use crate::fault::support::{codes, fault};

    #[test]
    fn it_says_how_many_and_acts_at_no_stage() {
        let fault = fault("max_streams: 10");
        assert_eq!(fault.max_streams(), Some(10));
        assert!(fault.stages().is_empty() && fault.gate().is_none());
        assert_eq!(codes("max_streams: 0").len(), 1);
        assert_eq!(codes("max_streams: 200").len(), 1);
        assert_eq!(codes("max_streams: many").len(), 1);
    }
}
