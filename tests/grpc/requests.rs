//! What is done to the messages that clients send.

use crate::{
    drill::{CALM_FOR_HOURS, Drill, faults},
    memory::{in_memory, in_memory_before},
    service::{Counting, Number, drain, number},
};
use firedrill::{
    event::{Did, Outcome, Upstream},
    proxy::{Connector, Dial, Proxy, Settings, TlsSettings, UpstreamIo},
};
use h2::Reason;
use std::{
    future::{Future, pending},
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout},
};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::Code;

const PAUSE: Duration = Duration::from_millis(300);
/// How long a service has to answer what it was sent, in microseconds.
const GRACE: u64 = 20_000;
/// What a clock of milliseconds and some hops may add.
const SLACK: Duration = Duration::from_millis(50);

fn numbers(count: u64) -> impl tokio_stream::Stream<Item = Number> + Send + 'static {
    tokio_stream::iter((0..count).map(number))
}

/// What the service heard, and how long after `began`.
fn heard(upstream: &Counting, began: Instant) -> Vec<(u64, Duration)> {
    let heard = upstream.heard.lock().expect("no panic");
    heard.iter().map(|(value, at)| (*value, at.duration_since(began))).collect()
}

#[tokio::test(start_paused = true)]
async fn three_hundred_milliseconds_for_each_message_that_is_sent_are_no_less() {
    let text = faults("{ latency: { mean: 300ms, per: grpc_message, side: request } }");
    let (drill, client) = in_memory(&text).await;

    let began = Instant::now();
    assert_eq!(client.sum(numbers(20)).await.expect("a sum"), (0..20_u64).sum::<u64>());

    let heard = heard(&drill.upstream, began);
    assert_eq!(heard.len(), 20);
    for (nth, (value, after)) in (1..).zip(heard) {
        assert_eq!(value, u64::from(nth) - 1);
        assert!(after >= PAUSE * nth && after < PAUSE * nth + SLACK, "{nth}: {after:?}");
    }
    // A call of one message has one, and its answer is not held.
    let began = Instant::now();
    client.double(number(1)).await.expect("it is late");
    assert!(began.elapsed() >= PAUSE && began.elapsed() < PAUSE + SLACK, "{:?}", began.elapsed());

    let dealt: Vec<_> = drill.exchanges(2).await.into_iter().map(|e| e.dealt.len()).collect();
    assert_eq!(dealt, [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn both_sides_are_held_and_told_of_once() {
    let text = faults("{ latency: { mean: 300ms, per: grpc_message, side: both } }");
    let (drill, client) = in_memory(&text).await;

    let began = Instant::now();
    let mut answer = client.echo(numbers(5)).await.expect("a stream");
    for nth in 1..=5_u32 {
        answer.message().await.expect("no failure").expect("a message");
        let (after, wanted) = (began.elapsed(), PAUSE * (nth + 1));
        assert!(after >= wanted && after < wanted + SLACK, "{nth}: {after:?}");
    }
    drop(answer);

    let exchange = drill.exchanges(1).await.remove(0);
    assert_eq!(exchange.dealt.len(), 1, "{:?}", exchange.dealt);
}

/// What waits in the proxy and on both connections is some windows of 64 KiB, not the stream.
#[tokio::test(start_paused = true)]
async fn a_long_upload_feels_the_delay_and_is_never_collected() {
    const COUNT: u64 = 20_000;
    /// In messages of 1 KiB.
    const MOST_AHEAD: u64 = 1_000;
    let text = faults("{ latency: { mean: 1ms, per: grpc_message, side: request } }");
    let (drill, client) = in_memory(&text).await;
    let heard = Arc::clone(&drill.upstream.heard);
    let most = Arc::new(AtomicU64::new(0));
    let ahead = Arc::clone(&most);
    let upload = tokio_stream::iter(0..COUNT).map(move |value| {
        let behind = heard.lock().expect("no panic").len() as u64;
        ahead.fetch_max(value - behind, Ordering::Relaxed);
        Number { value, filling: vec![7; 1024] }
    });

    let began = Instant::now();
    assert_eq!(client.sum(upload).await.expect("a sum"), (0..COUNT).sum::<u64>());

    assert!(began.elapsed() >= Duration::from_millis(COUNT), "{:?}", began.elapsed());
    let most = most.load(Ordering::Relaxed);
    assert!(most < MOST_AHEAD, "{most} messages were on their way");
    let values = drill.upstream.heard.lock().expect("no panic");
    assert!(values.iter().map(|(value, _)| *value).eq(0..COUNT));
}

/// The answer is waited for from when the last message went on, not from when it came.
#[tokio::test(start_paused = true)]
async fn an_upload_may_be_held_for_longer_than_an_answer_is_waited_for() {
    let text = "name: test\nphases: [{ name: outage, for: 10h, faults: [{ latency: { mean: 400s, \
        per: grpc_message, side: request } }] }]\n";
    let (_drill, client) = in_memory(text).await;
    assert_eq!(client.sum(numbers(3)).await.expect("a sum"), 3);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_drill_lets_go_of_messages_in_both_directions() {
    const OVER: Duration = Duration::from_secs(600);
    for (fault, spared) in [
        ("{ latency: { mean: 20m, per: grpc_message, side: request } }", 0),
        ("{ latency: { mean: 20m, per: grpc_message, side: response } }", 0),
        ("{ hang: { after: 1 message } }", 1),
        ("{ truncate: { after: 1 message, stall: yes } }", 1),
    ] {
        let (_drill, client) = in_memory(&faults(fault)).await;
        let began = Instant::now();
        let mut answer = client.echo(numbers(3)).await.expect("a stream");
        for nth in 0..3 {
            let heard = answer.message().await.expect("no failure").expect("a message");
            assert_eq!(heard.value, nth, "{fault}");
            let after = began.elapsed();
            if nth < spared {
                assert!(after < SLACK, "{fault}: {after:?}");
            } else {
                assert!(after + SLACK > OVER && after < OVER + SLACK * 2, "{fault}: {after:?}");
            }
        }
        assert!(answer.message().await.expect("no failure").is_none());
    }
}

/// A server that stops reading: its client can send no more, and nothing is lost when it reads on.
#[tokio::test(start_paused = true)]
async fn a_service_that_stops_reading_holds_its_client_back() {
    const COUNT: u64 = 2_000;
    let text = "name: test\nphases:\n  - { name: outage, for: 10m, faults: [{ hang: { after: 3 \
        messages } }] }\n  - { name: calm, for: 10m }\n";
    let (drill, client) = in_memory(text).await;
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let upload = tokio_stream::iter(0..COUNT).map(move |value| {
        counted.fetch_add(1, Ordering::Relaxed);
        Number { value, filling: vec![7; 1024] }
    });
    let began = Instant::now();
    let answer = client.echo(upload).await.expect("a stream");
    sleep(Duration::from_secs(590)).await;

    assert_eq!(heard(&drill.upstream, began).len(), 3);
    let most = sent.load(Ordering::Relaxed);
    assert!(most < 500, "{most} of {COUNT} messages were taken from the client");

    let (values, code, _) = drain(answer).await;
    assert_eq!((values.len() as u64, code), (COUNT, Code::Ok));
    assert!(values.into_iter().eq(0..COUNT));
    let late = heard(&drill.upstream, began)[3].1;
    assert!(late >= Duration::from_secs(600) && late < Duration::from_secs(600) + SLACK * 2);
    let exchange = drill.exchanges(1).await.remove(0);
    assert_eq!((exchange.dealt.len(), exchange.dealt[0].did), (1, Did::Cut));
}

/// An upstream that reads one request and says nothing: gives its bytes, whether its end came, and the
/// code of the reset.
async fn mute() -> (SocketAddr, oneshot::Receiver<(Vec<u8>, Option<Reason>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.expect("it connects");
        let mut connection = h2::server::handshake(socket).await.expect("it speaks HTTP/2");
        let (request, _respond) = connection.accept().await.expect("a stream").expect("a request");
        tokio::spawn(async move { while connection.accept().await.is_some() {} });
        let (mut body, mut got, mut reset) = (request.into_body(), Vec::new(), None);
        while let Some(data) = body.data().await {
            match data {
                Ok(data) => {
                    let _gone = body.flow_control().release_capacity(data.len());
                    got.extend_from_slice(&data);
                }
                Err(error) => {
                    reset = error.reason();
                    break;
                }
            }
        }
        let _nobody = tell.send((got, reset));
    });
    (address, told)
}

/// A drill in front of it.
fn before(address: SocketAddr, fault: &str) -> Drill {
    let url = format!("http://{address}").parse().expect("a URL");
    let connector = Connector::new(&url, &TlsSettings::default()).expect("a connector");
    Drill::begin(&faults(fault), Counting::default(), |injector, recorder| {
        let address = "127.0.0.1:0".parse().expect("an address");
        Proxy::listen(address, connector, Settings::default(), injector, recorder).expect("a port")
    })
}

#[tokio::test]
async fn an_upload_ends_after_so_many_messages_have_gone_to_the_upstream() {
    for (fault, code, reset) in [
        ("{ reset: { at: request, after: 3 messages } }", Code::Internal, Some(2)),
        (
            "{ reset: { at: request, after: 3 messages, error: ENHANCE_YOUR_CALM } }",
            Code::ResourceExhausted,
            Some(11),
        ),
        (
            "{ grpc: { code: ABORTED, message: no, after: 3 messages, side: request } }",
            Code::Aborted,
            None,
        ),
    ] {
        // All at once in one frame and then for ever nothing, with the end behind the last, and before it.
        for count in [1_000, 3] {
            let (address, told) = mute().await;
            let drill = before(address, fault);
            let status = drill.client().await.sum(numbers(count)).await.expect_err("it fails");
            assert_eq!(status.code(), code, "{fault}: {status:?}");

            let (got, cancelled) = told.await.expect("it was heard");
            // Values below 128 in messages of two bytes; a zero is left out.
            let wanted = [0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 8, 1, 0, 0, 0, 0, 2, 8, 2];
            assert_eq!((&got[..], cancelled), (&wanted[..], Some(Reason::CANCEL)), "{fault}");
            let exchange = drill.exchanges(1).await.remove(0);
            assert_eq!((exchange.dealt.len(), exchange.dealt[0].did), (1, Did::Cut), "{fault}");
            assert_eq!(exchange.upstream, Upstream::NoReply, "{fault}");
            assert_eq!(exchange.http2.expect("a stream").reset, reset, "{fault}");
            let outcome = if reset.is_some() { Outcome::Broken } else { Outcome::ClientError };
            assert_eq!(exchange.outcome(), outcome, "{fault}");
            assert_eq!(exchange.upstream_error, None, "{fault}");
        }
    }
}

#[tokio::test]
async fn a_call_of_fewer_messages_is_left_alone() {
    for fault in [
        "{ reset: { at: request, after: 3 messages } }",
        "{ grpc: { code: UNAVAILABLE, after: 3 messages, side: request } }",
        "{ hang: { after: 3 messages } }",
        "{ reset: { at: request, after: 1 message }, share: 0% }",
        "{ latency: { mean: 10h, per: grpc_message, side: request }, share: 0% }",
    ] {
        let drill = Drill::of(&faults(fault)).await;
        let client = drill.client().await;
        assert_eq!(client.sum(numbers(2)).await.expect("a sum"), 1, "{fault}");
        client.double(number(1)).await.expect("a number");
        for exchange in drill.exchanges(2).await {
            assert_eq!(exchange.dealt, [], "{fault}");
        }
    }
}

/// The service has the only message of such a call, and may do its work; however the client says that it
/// was the last, the service does not hear of that.
#[tokio::test]
async fn a_call_of_one_message_has_one() {
    for (fault, code) in [
        ("{ reset: { at: request, after: 1 message, error: CANCEL } }", Code::Cancelled),
        ("{ grpc: { code: UNAVAILABLE, after: 1 message, side: request } }", Code::Unavailable),
    ] {
        let (address, told) = mute().await;
        let drill = before(address, fault);
        let status = drill.client().await.double(number(1)).await.expect_err("it fails");
        assert_eq!(status.code(), code, "{fault}: {status:?}");
        let (got, reset) = told.await.expect("it was heard");
        assert_eq!(
            (&got[..], reset),
            (&[0, 0, 0, 0, 2, 8, 1][..], Some(Reason::CANCEL)),
            "{fault}"
        );
        let exchange = drill.exchanges(1).await.remove(0);
        assert_eq!((exchange.upstream, exchange.grpc.expect("a call").up), (Upstream::NoReply, 1));
    }
}

/// An upstream that answers each call at its first byte, and wants no more of it.
async fn brisk() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.expect("it connects");
        let mut connection = h2::server::handshake(socket).await.expect("it speaks HTTP/2");
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            tokio::spawn(async move {
                // Dropped without its end, which resets the stream with `NO_ERROR` behind the answer.
                let mut body = request.into_body();
                body.data().await.expect("a message").expect("no failure");
                let head = http::Response::builder()
                    .header("content-type", "application/grpc")
                    .header("grpc-status", "0");
                respond.send_response(head.body(()).expect("a head"), true).expect("a stream");
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_answered_before_the_end_is_told_of_as_one_that_did() {
    for fault in [
        "{ grpc: { code: UNAVAILABLE, after: 1 message, side: request } }",
        "{ reset: { at: request, after: 1 message } }",
    ] {
        let drill = before(brisk().await, fault);
        let client = drill.client().await;
        for _ in 0..50 {
            client.double(number(1)).await.expect_err("it is hit");
        }
        for exchange in drill.exchanges(50).await {
            let is_in_time = exchange.t_end - exchange.t_forwarded < GRACE;
            let answered = exchange.upstream == Upstream::Status(200);
            assert!(answered || !is_in_time, "{fault}: {exchange:?}");
            assert_eq!(exchange.dealt.len(), 1, "{fault}");
        }
    }
}

/// However soon it is answered: no call gets through because its answer was faster than we are.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_of_many_calls_is_hit() {
    const USERS: usize = 8;
    const CALLS: usize = 50;
    let drill =
        Drill::of(&faults("{ grpc: { code: ABORTED, after: 1 message, side: request } }")).await;
    let client = drill.client().await;
    let users = (0..USERS).map(|_| {
        let client = client.clone();
        tokio::spawn(async move {
            for _ in 0..CALLS {
                let met = client.double(number(1)).await.expect_err("it is hit");
                assert_eq!(met.code(), Code::Aborted, "{met:?}");
            }
        })
    });
    for user in users.collect::<Vec<_>>() {
        user.await.expect("no panic");
    }
    let exchanges = drill.exchanges(USERS * CALLS).await;
    assert!(exchanges.iter().all(|exchange| exchange.dealt.len() == 1));
}

/// Answers that came by then are the client's, and the status comes after them.
#[tokio::test]
async fn a_conversation_fails_after_so_many_messages_of_the_client() {
    let drill = Drill::of(&faults(
        "{ grpc: { code: UNAVAILABLE, message: gone, after: 3 messages, side: request } }",
    ))
    .await;
    let (say, said) = mpsc::channel(1);
    let mut answer = drill.client().await.echo(ReceiverStream::new(said)).await.expect("a stream");
    for value in 0..2 {
        say.send(number(value)).await.expect("somebody hears it");
        assert_eq!(answer.message().await.expect("no failure").expect("a message").value, value);
    }
    say.send(number(2)).await.expect("somebody hears it");
    // The third may have been answered by then, or not.
    let (values, code, message) = drain(answer).await;
    assert!(values.len() <= 1, "{values:?}");
    assert_eq!((code, &*message), (Code::Unavailable, "gone"));

    let exchange = drill.exchanges(1).await.remove(0);
    assert_eq!((exchange.upstream, exchange.dealt[0].did), (Upstream::Status(200), Did::Cut));
    // A fellow on the same connection does not notice.
    assert_eq!(drill.client().await.sum(numbers(2)).await.expect("a sum"), 1);
}

/// The upstream hears of the break at once; so does the client, though the drill ends in between.
#[tokio::test]
async fn a_break_that_was_begun_is_dealt_though_the_drill_ends() {
    let drill = Drill::of(&faults(
        "{ grpc: { code: UNAVAILABLE, message: gone, after: 3 messages, side: request } }",
    ))
    .await;
    let (say, said) = mpsc::channel(3);
    let mut answer = drill.client().await.echo(ReceiverStream::new(said)).await.expect("a stream");
    say.send(number(0)).await.expect("somebody hears it");
    assert_eq!(answer.message().await.expect("no failure").expect("a message").value, 0);

    for value in 1..3 {
        say.send(number(value)).await.expect("somebody hears it");
    }
    while drill.upstream.heard.lock().expect("no panic").len() < 3 {
        tokio::task::yield_now().await;
    }
    drill.controls().stop();

    let (_values, code, message) = drain(answer).await;
    assert_eq!((code, &*message), (Code::Unavailable, "gone"));
    let exchange = drill.exchanges(1).await.remove(0);
    assert_eq!(exchange.dealt.len(), 1);
    assert_eq!((exchange.upstream, exchange.upstream_error), (Upstream::Status(200), None));
}

/// What comes before the break is to leave first, but not for ever.
#[tokio::test(start_paused = true)]
async fn an_upstream_that_takes_nothing_does_not_keep_a_break_from_happening() {
    let fault = "{ grpc: { code: ABORTED, after: 200 messages, side: request } }";
    let (drill, client) = in_memory_before(&faults(fault), stuck()).await;

    let began = Instant::now();
    let call = timeout(Duration::from_secs(60), client.sum(numbers(1_000))).await;

    let status = call.expect("in time").expect_err("it fails");
    assert_eq!(status.code(), Code::Aborted, "{status:?}");
    assert!(began.elapsed() >= Duration::from_secs(10), "{:?}", began.elapsed());
    let exchange = drill.exchanges(1).await.remove(0);
    assert_eq!((exchange.dealt.len(), exchange.upstream_error), (1, None));
}

/// A way to an upstream that takes a call and none of its messages: sixteen bytes wait on the way.
fn stuck() -> Arc<dyn Dial> {
    #[derive(Debug)]
    struct Stuck;

    impl Dial for Stuck {
        fn dial(&self) -> Pin<Box<dyn Future<Output = io::Result<UpstreamIo>> + Send>> {
            let (near, far) = tokio::io::duplex(16);
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(far).await.expect("a handshake");
                let _asked = connection.accept().await;
                pending::<()>().await;
            });
            Box::pin(async move { Ok(UpstreamIo::Memory(near)) })
        }
    }

    Arc::new(Stuck)
}

/// Of a service that answers when it has heard all, there is no head for as long as its client is silent.
#[tokio::test(start_paused = true)]
async fn a_client_may_be_silent_for_long_in_the_middle_of_an_upload() {
    let (_drill, client) = in_memory(CALM_FOR_HOURS).await;
    let (say, said) = mpsc::channel(1);
    let sum = tokio::spawn(async move { client.sum(ReceiverStream::new(said)).await });
    for value in 0..3 {
        say.send(number(value)).await.expect("somebody hears it");
        sleep(Duration::from_secs(3_600)).await;
    }
    drop(say);
    let sum = timeout(Duration::from_secs(10), sum).await.expect("in time").expect("no panic");
    assert_eq!(sum.expect("a sum"), 3);
}
