//! Which filters a chain has: those of the faults in force that are meant for it, each in its place.

use crate::{
    engine::{
        armed::{Armed, Origin, Whom},
        chain::{Chain, Link, Met},
    },
    fault::{Out, Tick},
};
use std::sync::{Arc, atomic::Ordering};

impl Chain {
    /// The connection, and its user as far as it is known.
    pub(super) fn whom(&self) -> Whom {
        let by_tunnel = self.tunnel.map(|tunnel| (tunnel.nth, tunnel.targets));
        let socket = self.socket.as_ref().map(|lane| &lane.socket);
        let by = by_tunnel.or(socket.map(|socket| (socket.nth, socket.targets)));
        Whom {
            user: self.user.get().copied(),
            nth: by.map_or(0, |(nth, _)| nth),
            conn: (self.conn.peer, self.conn.nth),
            targets: by.map_or(0, |(_, targets)| targets),
            operation: 0,
        }
    }

    /// Whether a fault has something to do with what this is a chain of.
    fn is_for(&self, armed: &Armed) -> bool {
        match &self.socket {
            None => armed.shaper(self.tunnel.as_ref()).is_some(),
            Some(lane) => armed.fault.shapes_sockets() && armed.is_meant_for(lane.socket.targets),
        }
    }

    pub(super) fn relink(&mut self, now: Tick) {
        let over = self.shared.over.load(Ordering::Acquire);
        let in_force = self.shared.in_force(&self.station);
        for at in 0..self.links.len() {
            let uid = self.links[at].armed.uid;
            self.links[at].current = in_force.faults().any(|(armed, _)| armed.uid == uid);
            if self.links[at].current {
                continue;
            }
            let by_hand = matches!(self.links[at].armed.origin, Origin::Hand { .. });
            if by_hand && let Some(armed) = in_force.heir(&self.links[at].armed) {
                self.replace(at, &armed, now);
            } else if over || by_hand {
                // What was put there by hand lets go when it is taken away.
                self.links[at].filter.let_go(now);
            }
        }
        if self.finished {
            return;
        }
        for (armed, _) in in_force.faults() {
            if !self.is_for(armed) || self.links.iter().any(|link| link.armed.uid == armed.uid) {
                continue;
            }
            let at = self.links.len();
            if let Some(link) = self.link(armed, at) {
                self.links.push(link);
            }
        }
    }

    /// The link of a fault that has something to do with this direction, to be put into a place.
    fn link(&self, armed: &Arc<Armed>, at: usize) -> Option<Link> {
        let whom = self.whom();
        let (message, connection, shared) = armed.dice(&whom);
        // What comes to it is what has left the one before it.
        let before = at.checked_sub(1).and_then(|before| self.links[before].frames);
        let frames = before.or(self.socket.as_ref().map(|lane| lane.came));
        let filter = match (&self.socket, frames) {
            (Some(lane), Some(frames)) => {
                lane.socket.lanes(armed, message)?.lane(self.way, frames.parser())
            }
            _ => armed.shaper(self.tunnel.as_ref())?.filter(self.way, connection, shared)?,
        };
        self.counted.consider(&armed.count);
        Some(Link {
            armed: Arc::clone(armed),
            filter,
            point: armed.point(&whom),
            in_force: false,
            met: Met::Never,
            current: true,
            passed: 0,
            frames,
        })
    }

    /// Puts a fault that was changed by hand into the place of what it was before; what that held
    /// goes through it.
    fn replace(&mut self, at: usize, armed: &Arc<Armed>, now: Tick) {
        let new = self.link(armed, at);
        let playing = self.shared.playing_at(now);
        let old = &mut self.links[at];
        old.filter.let_go(now);
        let Some(mut new) = new else {
            // It has nothing to do with this direction any more, and goes when it is empty.
            return;
        };
        new.met = old.met;
        new.passed = old.passed;
        let goes_on = armed
            .origin
            .moment(playing, now)
            .is_some_and(|moment| armed.is_on(&moment) && armed.includes_point(new.point, &moment));
        let (mut held, mut waiting) = (Vec::new(), 0);
        while let Some(out) = old.filter.pull(now) {
            if let Out::Bytes(bytes) = &out {
                waiting += bytes.len() as u64;
            }
            held.push(out);
        }
        new.filter.resume(old.passed + waiting);
        // Not in force yet: what was held has served its time.
        new.filter.tune(now, None);
        for out in held {
            match out {
                Out::Bytes(bytes) => new.filter.push(now, bytes),
                Out::End => new.filter.finish(now),
                // The end of the old one is that of the connection only if nothing comes after it:
                // bytes are missing there.
                Out::Close(close) if !goes_on => self.passing.push_back(Out::Close(close)),
                Out::Close(_) => {}
            }
        }
        self.links[at] = new;
    }
}
