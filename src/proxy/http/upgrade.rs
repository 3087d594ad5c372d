//! After `101 Switching Protocols`: a tunnel, both ways, half-close kept.

use crate::{
    fault::Close,
    proxy::{
        ctl::{ConnCtl, Stand},
        drain::Ending,
        http::hop,
        reply::Reply,
        upstream::Tunnelled,
    },
};
use http::Response;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio::io::copy_bidirectional;

/// The upstream's 101 for the client; once it is written, bytes flow.
///
/// The tunnel ends with either side, or when the connection is ended by a phase's edge or by the
/// proxy's own end.
pub(super) fn tunnel(
    mut response: Response<Reply>,
    downstream: OnUpgrade,
    ctl: &Arc<ConnCtl>,
    ending: &Ending,
) -> Response<Reply> {
    let upstream = hyper::upgrade::on(&mut response);
    let connection = response.extensions_mut().remove::<Arc<Tunnelled>>();
    hop::strip(response.headers_mut(), true);
    ctl.set_stand(Stand::Tunnel);
    let (ctl, bounds) = (Arc::clone(ctl), ending.clone());
    ending.tasks.spawn(async move {
        let _open = connection;
        let (Ok(downstream), Ok(upstream)) = tokio::join!(downstream, upstream) else {
            return;
        };
        let (mut downstream, mut upstream) = (TokioIo::new(downstream), TokioIo::new(upstream));
        let mut changes = ctl.injector().changes();
        let resets = changes.borrow_and_update().resets;
        let copy = copy_bidirectional(&mut downstream, &mut upstream);
        tokio::pin!(copy);
        loop {
            tokio::select! {
                // Either side may break off at any time; that is how tunnels end.
                _ended = copy.as_mut() => break,
                // An edge has it polled again, so that bytes held by a fault that is over leave.
                Ok(()) = changes.changed() => {
                    if changes.borrow_and_update().resets > resets {
                        ctl.kill_by_edge();
                        break;
                    }
                }
                // A tunnel has no end of its own that a drain could wait for.
                () = bounds.draining.cancelled() => {
                    ctl.kill(Close::Fin);
                    break;
                }
                () = ctl.until_killed() => break,
            }
        }
    });
    response
}
