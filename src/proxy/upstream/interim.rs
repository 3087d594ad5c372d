//! Interim answers on their way from the upstream to the client.

use crate::proxy::{
    ask::Ask,
    ctl::{ConnCtl, lock},
};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// Passes interim answers on, and lets a body that waits for `100 Continue` go on it.
#[derive(Debug)]
pub(super) struct Interims {
    word: Mutex<Option<oneshot::Sender<()>>>,
    ctl: Arc<ConnCtl>,
}

impl Interims {
    pub(super) fn new(request: &mut Request<Ask>, ctl: &Arc<ConnCtl>) -> Self {
        Self { word: Mutex::new(request.body_mut().wait_for_word()), ctl: Arc::clone(ctl) }
    }

    /// Passes on those that hyper hears of.
    pub(super) fn attach(self, request: &mut Request<Ask>) {
        hyper::ext::on_informational(request, move |interim| {
            self.pass(interim.status(), interim.headers());
        });
    }

    pub(super) fn pass(&self, status: StatusCode, headers: &HeaderMap) {
        if status == StatusCode::CONTINUE {
            if let Some(word) = lock(&self.word).take() {
                // Fails only if the body is gone, and the connection with it.
                let _gone = word.send(());
                // To a client of HTTP/1 hyper writes the 100 itself, when the body is first read.
                self.ctl.inform(status, headers);
            }
        } else if self.ctl.is_stream() {
            self.ctl.inform(status, headers);
        } else if self.ctl.allows_interims() {
            self.ctl.push_interim(bytes_of(status, headers));
        }
    }
}

fn bytes_of(status: StatusCode, headers: &HeaderMap) -> Bytes {
    let mut bytes = BytesMut::new();
    let reason = status.canonical_reason().unwrap_or("Interim");
    bytes.put_slice(format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).as_bytes());
    for (name, value) in headers {
        bytes.put_slice(name.as_str().as_bytes());
        bytes.put_slice(b": ");
        bytes.put_slice(value.as_bytes());
        bytes.put_slice(b"\r\n");
    }
    bytes.put_slice(b"\r\n");
    bytes.freeze()
}
