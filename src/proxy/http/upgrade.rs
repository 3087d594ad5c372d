//! After `101 Switching Protocols`: a tunnel, both ways, half-close kept.

use crate::{
    fault::frames::is_carried_by,
    proxy::{
        ctl::Stand,
        drain::Ending,
        http::{hop, tunnel::Tunnel},
        record::Draft,
        reply::Reply,
        timer::Timer,
        upstream::Tunnelled,
    },
};
use http::{Response, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::sync::Arc;

/// The upstream's 101 for the client; once it is written, bytes flow.
pub(super) fn tunnel(
    mut response: Response<Reply>,
    downstream: OnUpgrade,
    draft: &Draft,
    ending: &Ending,
    timer: Timer,
) -> Response<Reply> {
    let upstream = hyper::upgrade::on(&mut response);
    let connection = response.extensions_mut().remove::<Arc<Tunnelled>>();
    let to = response.headers().get(header::UPGRADE);
    let is_websocket = to.is_some_and(|to| is_carried_by(to.as_bytes()));
    hop::strip(response.headers_mut(), true);
    draft.ctl.set_stand(Stand::Tunnel);
    let (draft, bounds) = (draft.clone(), ending.clone());
    let opened = draft.opening(response.status());
    ending.tasks.spawn(async move {
        let _open = connection;
        let (Ok(downstream), Ok(upstream)) = tokio::join!(downstream, upstream) else {
            return;
        };
        let (client, upstream) = (TokioIo::new(downstream), TokioIo::new(upstream));
        let ctl = Arc::clone(&draft.ctl);
        drop(draft);
        Tunnel::new(client, upstream, ctl, opened, is_websocket, &timer).carry(&bounds).await;
    });
    response
}
