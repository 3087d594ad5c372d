//! From a connection that was accepted to one that is served: first it may have to say from whom it
//! is.

use crate::{
    engine::Injector,
    proxy::{
        conn::{Shared, spawn},
        ctl::ConnCtl,
        introduce::{Ends, hear},
        socket::Stream,
    },
};
use std::{net::SocketAddr, sync::Arc};

/// A connection that was accepted.
#[derive(Debug)]
pub(super) struct Arrival {
    /// Its number.
    pub(super) id: u64,
    /// Who is at its other end.
    pub(super) peer: SocketAddr,
    /// Both of its ends, if they have addresses.
    pub(super) ends: Option<Ends>,
    /// When it was accepted, in microseconds of the drill.
    pub(super) accepted: u64,
}

impl Arrival {
    /// Serves it. Where the proxies before us are believed, they have to speak first.
    pub(super) fn welcome<S: Stream>(self, io: S, injector: &Injector, shared: &Arc<Shared>) {
        if shared.accept.is_empty() {
            return spawn(io, self.ctl(injector, shared), shared);
        }
        if !shared.accept.iter().any(|network| network.contains(self.peer.ip())) {
            let why = "who sent it is none of those in `proxy_protocol.accept`";
            return shared.refusals.say(self.peer, why);
        }
        let (injector, kept) = (injector.clone(), Arc::clone(shared));
        shared.ending.tasks.spawn(self.introduced(io, injector, kept));
    }

    /// Waits until it has said from whom it is. Nothing is under way on it that could be finished.
    async fn introduced<S: Stream>(mut self, mut io: S, injector: Injector, shared: Arc<Shared>) {
        let heard = tokio::select! {
            heard = hear(&mut io) => heard,
            () = shared.ending.draining.cancelled() => return,
            () = shared.ending.stopping.cancelled() => return,
        };
        match heard {
            Ok(Some(ends)) => {
                (self.peer, self.ends) = (ends.client, Some(ends));
                spawn(io, self.ctl(&injector, &shared), &shared);
            }
            // The proxy speaks for itself.
            Ok(None) => spawn(io, self.ctl(&injector, &shared), &shared),
            Err(why) => shared.refusals.say(self.peer, &why.to_string()),
        }
    }

    /// What the parts that serve it know of it together.
    pub(super) fn ctl(self, injector: &Injector, shared: &Shared) -> Arc<ConnCtl> {
        let key = injector.connection(self.peer.ip());
        let welcome = injector.welcome(key);
        let (recorder, meters) = (Arc::clone(&shared.recorder), Arc::clone(&shared.meters));
        let injector = injector.clone();
        let ctl = ConnCtl::new(self.id, self.peer, key, welcome, injector, recorder, meters);
        Arc::new(ctl.from(self.ends, self.accepted))
    }
}
