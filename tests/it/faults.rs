//! Each fault as a client meets it.

use crate::support::{Drill, GET, OK, Upstream};

#[tokio::test]
async fn a_response_comes_without_the_upstream() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["respond: { status: 503, retry_after: 30s, headers: { x-a: b } }"])
        .before(&upstream)
        .await;

    let answer = drill.ask(GET).await;

    assert_eq!(answer.start(), "HTTP/1.1 503 Service Unavailable");
    assert_eq!(answer.field("retry-after"), Some("30"));
    assert_eq!(answer.field("x-a"), Some("b"));
    assert_eq!(answer.text(), "Service Unavailable\n");
    assert_eq!(upstream.connections(), 0);
}
