//! Clients that break the rules: refused clearly, and nobody else the worse for it.

mod framing;
mod heads;
mod slow;

use crate::support::{Drill, End, GET, Message, OK, Upstream, panics};

/// What came of some bytes.
#[derive(Debug)]
struct Outcome {
    /// The status of the answer; `None` if the connection ended without one.
    status: Option<u16>,
    /// How the connection ended.
    end: End,
    /// What reached the upstream.
    upstream: Vec<Message>,
}

/// Says something on a connection of its own, next to one that behaves. A client that says that it
/// is done gets the end of the connection for sure.
async fn outcome(bytes: impl AsRef<[u8]>) -> Outcome {
    panics::watch();
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::calm().before(&upstream);
    let mut good = drill.client().await;
    assert_eq!(good.ask(GET).await.status(), 200);
    let mut client = drill.client().await;

    // Whoever is refused early may be cut off while still speaking.
    let _cut_off = client.try_send(bytes).await;
    let _cut_off = client.try_half_close().await;
    let (answer, end) = client.rest().await;

    assert_eq!(good.ask(GET).await.status(), 200, "others are undisturbed");
    assert_eq!(panics::count(), 0);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let answer = answer.trim_start_matches("HTTP/1.1 102 Processing\r\n\r\n");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    assert!(status.is_some() || answer.is_empty(), "{answer:?}");
    let good = |request: &Message| request.head == GET;
    let upstream = upstream.requests().into_iter().filter(|request| !good(request)).collect();
    Outcome { status, end, upstream }
}

/// Says something that has to be refused with a status.
async fn refused(bytes: impl AsRef<[u8]>, status: u16) {
    let bytes = bytes.as_ref();
    let outcome = outcome(bytes).await;
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    assert_eq!(outcome.status, Some(status), "{shown:?}: {outcome:?}");
    assert!(outcome.upstream.is_empty(), "{shown:?}: {outcome:?}");
}
