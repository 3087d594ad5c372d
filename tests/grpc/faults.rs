//! What is done to calls, as a client of tonic meets it.

use crate::{
    drill::{CALM_FOR_HOURS, Drill, faults},
    memory::in_memory,
    service::{drain, number},
};
use firedrill::event::{Did, Outcome, Upstream};
use std::{collections::HashSet, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
    time::{Instant, sleep},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

#[tokio::test]
async fn a_call_is_turned_away_with_all_that_a_status_says() {
    let drill = Drill::of(&faults(
        "{ grpc: { code: RESOURCE_EXHAUSTED, message: 'über 100 %', pushback: 1500ms, \
         details: { retry_delay: 2s, reason: QUOTA, domain: shop, metadata: { who: me } } } }",
    ))
    .await;
    let status = drill.client().await.double(number(1)).await.expect_err("it is turned away");
    assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, "über 100 %"));
    assert_eq!(status.metadata().get("grpc-retry-pushback-ms").expect("it is there"), "1500");
    // As `google.rpc.Status` has it: tonic gives the bytes.
    let details: &[u8] = status.details();
    let has = |text: &str| details.windows(text.len()).any(|at| at == text.as_bytes());
    for text in ["google.rpc.RetryInfo", "google.rpc.ErrorInfo", "QUOTA", "shop", "who", "me"] {
        assert!(has(text), "{text}");
    }
    let exchange = drill.exchanges(1).await.remove(0);
    assert_eq!((exchange.upstream, exchange.status), (Upstream::NotSent, 200));
    assert_eq!(exchange.outcome(), Outcome::ClientError);
    let wait = exchange.detail.expect("details").retry_wait;
    assert_eq!(wait, Some(Duration::from_millis(1_500)));
}

#[tokio::test]
async fn a_stream_ends_with_a_status_after_so_many_messages() {
    for (fault, code, whole) in [
        (
            "{ grpc: { code: UNAVAILABLE, message: gone, after: 3 messages } }",
            Code::Unavailable,
            false,
        ),
        ("{ grpc: { code: OK, after: 3 messages } }", Code::Ok, false),
        ("{ grpc: { code: UNAVAILABLE, after: 3 messages } }", Code::Ok, true),
    ] {
        let drill = Drill::of(&faults(fault)).await;
        let to = if whole { 2 } else { 1_000 };
        let (values, ended, _) =
            drain(drill.client().await.count(to).await.expect("a stream")).await;
        assert_eq!((values.len(), ended), (if whole { 2 } else { 3 }, code), "{fault}");
        let exchange = drill.exchanges(1).await.remove(0);
        assert_eq!(exchange.dealt.len(), usize::from(!whole), "{fault}");
        assert_eq!(exchange.grpc.expect("a call").down, values.len() as u64, "{fault}");
    }
}

#[tokio::test]
async fn a_stream_is_reset_after_so_many_messages() {
    for fault in ["{ reset: { at: response, after: 3 messages } }", "{ truncate: 3 messages }"] {
        let drill = Drill::of(&faults(fault)).await;
        let client = drill.client().await;
        let (values, code, _) = drain(client.count(1_000).await.expect("a stream")).await;
        assert_eq!(values, [0, 1, 2], "{fault}");
        assert_ne!(code, Code::Ok, "{fault}");
        // Its fellows on the connection did not notice.
        let (values, ..) = drain(client.count(2).await.expect("a stream")).await;
        assert_eq!(values, [0, 1], "{fault}");
        let exchange = drill.exchanges(2).await.remove(0);
        assert_eq!(exchange.dealt[0].did, Did::Cut, "{fault}");
        assert_eq!((exchange.outcome(), exchange.grpc.expect("a call").down), (Outcome::Broken, 3));
    }
}

#[tokio::test]
async fn a_deadline_strikes_and_is_recorded() {
    let drill = Drill::of(&faults("{ hang: {} }")).await;
    let asked = Instant::now();
    let deadline = Some(Duration::from_millis(200));
    let client = drill.client().await;
    let status = client.double_within(number(1), deadline).await.expect_err("it hangs");
    assert!(matches!(status.code(), Code::Cancelled | Code::DeadlineExceeded), "{status:?}");
    assert!(asked.elapsed() < Duration::from_secs(10));
    let exchange = drill.exchanges(1).await.remove(0);
    assert_eq!(exchange.outcome(), Outcome::ClientGone);
    assert_eq!(exchange.detail.expect("details").keys.deadline.as_deref(), Some("200000u"));
}

/// What another fault answers is a status of HTTP, which clients make a code of.
#[tokio::test]
async fn a_status_of_http_is_made_a_code() {
    for (status, code) in [
        (400, Code::Internal),
        (401, Code::Unauthenticated),
        (403, Code::PermissionDenied),
        (404, Code::Unimplemented),
        (429, Code::Unavailable),
        (500, Code::Unknown),
        (502, Code::Unavailable),
        (503, Code::Unavailable),
        (504, Code::Unavailable),
    ] {
        let fault = format!("{{ respond: {{ status: {status}, body: '' }} }}");
        let drill = Drill::of(&faults(&fault)).await;
        let met = drill.client().await.double(number(1)).await.expect_err("it is turned away");
        assert_eq!(met.code(), code, "{status}: {met:?}");
    }
}

/// tonic takes the text of a proxy in between for a message.
#[tokio::test]
async fn tonic_stumbles_over_the_body_of_an_http_error() {
    let drill = Drill::of(&faults("{ respond: 503 }")).await;
    let met = drill.client().await.double(number(1)).await.expect_err("it is turned away");
    assert_eq!(met.code(), Code::Internal, "{met:?}");
}

#[tokio::test]
async fn what_is_no_call_is_left_alone() {
    let drill = Drill::of(&faults("{ grpc: UNAVAILABLE }")).await;
    let address = drill.proxy.address().expect("it listens");
    let mut plain = TcpStream::connect(address).await.expect("it accepts");
    let asked = b"POST /test.Counting/Double HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
        content-type: application/grpc-web\r\ncontent-length: 0\r\n\r\n";
    plain.write_all(asked).await.expect("it is heard");
    let mut answer = String::new();
    let _broken = plain.read_to_string(&mut answer).await;
    assert!(!answer.contains("grpc-status: 14"), "{answer}");
    assert_eq!(drill.exchanges(1).await[0].dealt, []);
}

/// Streams are open for hours, and mostly nobody says anything on them.
#[tokio::test(start_paused = true)]
async fn a_conversation_may_be_silent_for_long() {
    let (_drill, client) = in_memory(CALM_FOR_HOURS).await;
    let (say, said) = mpsc::channel(1);
    say.send(number(1)).await.expect("there is room");
    let mut answer = client.echo(ReceiverStream::new(said)).await.expect("a stream");
    for value in 1..4 {
        let heard = answer.message().await.expect("no failure").expect("a message");
        assert_eq!(heard.value, value);
        sleep(Duration::from_secs(3_600)).await;
        say.send(number(value + 1)).await.expect("somebody hears it");
    }
    drop(say);
    assert_eq!(drain(answer).await.0, [4]);
}

#[tokio::test(start_paused = true)]
async fn three_hundred_milliseconds_for_each_message_are_no_less() {
    const PAUSE: Duration = Duration::from_millis(300);
    let text = faults("{ latency: { mean: 300ms, per: grpc_message } }");
    let (_drill, client) = in_memory(&text).await;

    // One message after the other, however many there are at once.
    let began = Instant::now();
    let mut stream = client.count(20).await.expect("a stream");
    for nth in 1..=20_u32 {
        let value = stream.message().await.expect("no failure").expect("a message").value;
        assert_eq!(value, u64::from(nth) - 1);
        let after = began.elapsed();
        assert!(after >= PAUSE * nth, "{nth}: {after:?}");
        assert!(after < PAUSE * nth + Duration::from_millis(50), "{nth}: {after:?}");
    }
    assert!(stream.message().await.expect("no failure").is_none());

    let began = Instant::now();
    client.double(number(1)).await.expect("it is late");
    assert!(began.elapsed() >= PAUSE);
}

/// Nobody looked at it, and tonic leaves it to its user to try again.
#[tokio::test]
async fn tonic_does_not_repeat_what_is_refused() {
    let drill = Drill::of(&faults("{ reset: { error: REFUSED_STREAM }, times: 1 }")).await;
    let client = drill.client().await;
    let met = client.double(number(1)).await.expect_err("it is refused");
    assert_eq!(met.code(), Code::Unavailable, "{met:?}");
    client.double(number(1)).await.expect("a number");
    let exchanges = drill.exchanges(2).await;
    assert_eq!(exchanges[0].http2.expect("a stream").reset, Some(7));
    assert_eq!(drill.upstream.seen.lock().expect("no panic").len(), 1);
}

#[tokio::test]
async fn tonic_goes_on_after_a_gentle_goaway_and_fails_by_another() {
    let drill = Drill::of(&faults("{ goaway: {} }")).await;
    let client = drill.client().await;
    for value in 1..4 {
        client.double(number(value)).await.expect("a number");
    }
    let connections: HashSet<u64> = drill.exchanges(3).await.iter().map(|e| e.conn).collect();
    assert_eq!(connections.len(), 3);

    let drill = Drill::of(&faults("{ goaway: ENHANCE_YOUR_CALM }")).await;
    drill.client().await.double(number(1)).await.expect_err("it ends");
    assert_eq!(drill.exchanges(1).await.len(), 1);
}
