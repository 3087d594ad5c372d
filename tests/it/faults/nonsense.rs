//! `malformed`: an answer that is not HTTP.

use crate::support::{Drill, End, GET, OK, Upstream};
use firedrill::event::{self, Did, EndedBy};

/// What comes on a connection after a request.
async fn heard(drill: &Drill) -> (String, End) {
    let mut client = drill.client().await;
    client.send(GET).await;
    let (bytes, end) = client.rest().await;
    (String::from_utf8_lossy(&bytes).into_owned(), end)
}

#[tokio::test]
async fn each_kind_is_written_byte_for_byte_and_then_comes_a_fin() {
    let good = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n";
    for (kind, bytes, status) in [
        ("empty", String::new(), 0),
        ("protocol", "SSH-2.0-OpenSSH_9.6\r\n".to_owned(), 0),
        ("status_line", good.replace("200", "2oo") + "content-length: 3\r\n\r\nok\n", 0),
        ("header", format!("{good}this line is no field\r\ncontent-length: 3\r\n\r\nok\n"), 200),
        ("length", format!("{good}content-length: three\r\n\r\nok\n"), 200),
        ("half_head", format!("{good}content-le"), 200),
        (
            "chunk",
            format!(
                "{good}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\nworld\r\n0\r\n\r\n"
            ),
            200,
        ),
    ] {
        let upstream = Upstream::answering(OK).await;
        let drill = Drill::of(&[&format!("malformed: {kind}")]).before(&upstream);

        assert_eq!(heard(&drill).await, (bytes, End::Fin), "{kind}");

        assert_eq!(upstream.connections(), 0, "{kind}");
        let exchange = drill.exchange().await;
        assert_eq!((exchange.status, exchange.complete), (status, false), "{kind}");
        assert_eq!(exchange.ended_by, EndedBy::ProxyFin);
        assert_eq!(exchange.upstream, event::Upstream::NotSent);
        assert_eq!(exchange.dealt[0].did, Did::Malformed);
        let tally = &drill.tallies()[0];
        assert_eq!((tally.considered, tally.hit), (1, 1));
    }
}

#[tokio::test]
async fn garbage_is_the_same_under_the_same_seed_only() {
    let upstream = Upstream::answering(OK).await;
    let mut seen = Vec::new();
    for seed in [1, 1, 2] {
        let drill = Drill::of(&["malformed: garbage"]).seed(seed).before(&upstream);
        let mut of_seed = Vec::new();
        for _ in 0..3 {
            let mut client = drill.client().await;
            client.send(GET).await;
            let (bytes, end) = client.rest().await;
            assert!(bytes.len() >= 64 && end == End::Fin);
            of_seed.push(bytes);
        }
        seen.push(of_seed);
    }
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[0], seen[2]);
    assert_ne!(seen[0][0], seen[0][1], "each request has its own");
}

#[tokio::test]
async fn the_upstream_does_the_work_first_if_it_is_to() {
    let upstream = Upstream::answering(OK).await;
    for kind in ["empty", "protocol"] {
        let fault = format!("malformed: {{ kind: {kind}, after_upstream: yes }}");
        let drill = Drill::of(&[&fault]).before(&upstream);

        let (text, end) = heard(&drill).await;

        assert_eq!((text.is_empty(), end), (kind == "empty", End::Fin));
        let exchange = drill.exchange().await;
        assert_eq!(exchange.upstream, event::Upstream::Status(200));
        assert_eq!((exchange.status, exchange.dealt[0].did), (0, Did::Malformed));
        assert_eq!(drill.tallies()[0].hit, 1);
    }
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_told_of_as_it_is() {
    let drill =
        Drill::of(&["malformed: { kind: garbage, after_upstream: yes }"]).at("http://127.0.0.1:1");

    assert_eq!(drill.ask(GET).await.status(), 502);

    assert!(drill.exchange().await.dealt.is_empty());
    assert_eq!(drill.tallies()[0].hit, 0);
}

#[tokio::test]
async fn an_upload_is_read_first_so_that_the_fin_stays_one() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["malformed: protocol"]).before(&upstream);
    let mut client = drill.client().await;
    let body = "x".repeat(2_000_000);

    client
        .send(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2000000\r\n\r\n{body}"))
        .await;

    assert_eq!(client.rest().await, (b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(), End::Fin));
}

#[tokio::test]
async fn it_follows_an_answer_that_was_asked_for_before_and_nothing_follows_it() {
    let answer =
        format!("HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n{}", "x".repeat(3_000_000));
    let upstream = Upstream::answering(answer).await;
    let drill = Drill::of(&["malformed: protocol, target: { path: /bad }"]).before(&upstream);
    let mut client = drill.client().await;

    client.send(format!("{GET}GET /bad HTTP/1.1\r\nhost: shop\r\n\r\n{GET}")).await;

    let first = client.answer().await;
    assert!(first.whole && first.body.len() == 3_000_000);
    assert_eq!(client.rest().await, (b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(), End::Fin));
    assert_eq!(drill.tallies()[0].hit, 1);
    let told = drill.exchanges(2).await;
    assert_eq!(
        told.iter().map(|e| (e.seq, e.complete)).collect::<Vec<_>>(),
        [(1, true), (2, false)]
    );
}

#[tokio::test]
async fn it_goes_through_the_faults_on_the_bytes_of_its_connection() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["malformed: chunk", "bandwidth: { rate: 1KiB/s, burst: 16B }"])
        .before(&upstream);
    let started = tokio::time::Instant::now();

    let (text, end) = heard(&drill).await;

    assert!(text.ends_with("0\r\n\r\n") && end == End::Fin, "{text:?}");
    assert!(started.elapsed().as_millis() >= 80, "{:?}", started.elapsed());
    let did: Vec<Did> = drill.exchange().await.dealt.iter().map(|dealt| dealt.did).collect();
    assert_eq!(did, [Did::Malformed, Did::Wire]);
}

#[tokio::test]
async fn nothing_is_malformed_at_0_percent_and_everything_at_100() {
    let upstream = Upstream::answering(OK).await;
    for (share, whole) in [("0%", true), ("100%", false)] {
        let drill = Drill::of(&[&format!("malformed: empty, share: {share}")]).before(&upstream);
        for _ in 0..20 {
            assert_eq!(heard_once(&drill).await, whole, "{share}");
        }
    }
}

/// Whether an answer comes at all.
async fn heard_once(drill: &Drill) -> bool {
    let mut client = drill.client().await;
    client.send(GET).await;
    !client.head().await.head.is_empty()
}
