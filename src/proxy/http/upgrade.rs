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
    scenario::OpenConnections,
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
    let protocol = hop::upgrade(response.headers());
    hop::strip(response.headers_mut());
    if let Some(protocol) = protocol {
        hop::restore_upgrade(response.headers_mut(), protocol);
    }
    ctl.set_stand(Stand::Tunnel);
    let (ctl, bounds) = (Arc::clone(ctl), ending.clone());
    ending.tasks.spawn(async move {
        let _open = connection;
        let (Ok(downstream), Ok(upstream)) = tokio::join!(downstream, upstream) else {
            return;
        };
        let (mut downstream, mut upstream) = (TokioIo::new(downstream), TokioIo::new(upstream));
        tokio::select! {
            // Either side may break off at any time; that is how tunnels end.
            _ended = copy_bidirectional(&mut downstream, &mut upstream) => {}
            () = until_ended(&ctl, &bounds) => {}
        }
    });
    response
}

/// Waits for what ends a tunnel from outside: a phase's edge that resets connections, or the end of
/// the proxy. A tunnel has no end of its own that a drain could wait for.
async fn until_ended(ctl: &ConnCtl, ending: &Ending) {
    let mut changes = ctl.injector().changes();
    let reset = async {
        while changes.changed().await.is_ok() {
            if changes.borrow_and_update().open == OpenConnections::Reset {
                return;
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = reset => ctl.kill(Close::Reset),
        () = ending.draining.cancelled() => ctl.kill(Close::Fin),
        () = ctl.until_killed() => {}
    }
}
