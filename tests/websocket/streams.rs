//! Answers that never end: server-sent events, long polls. Never held back, and broken off in their
//! own terms.

use crate::{
    peers::{MS, SECOND},
    support::{Drill, End, Upstream, Wire, memory},
};
use firedrill::{event::EndedBy, proxy::Connector};
use tokio::{
    io::DuplexStream,
    sync::mpsc,
    time::{Instant, sleep},
};

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
/// Of an old kind, so that the stream comes as it is and not in chunks.
const ASK: &str = "GET /events HTTP/1.0\r\nhost: a\r\naccept: text/event-stream\r\n\r\n";

fn event(number: usize) -> String {
    format!("id: {number}\ndata: {number}\n\n")
}

/// An upstream that sends an event each time it is told to.
fn on_demand() -> (Connector, mpsc::Sender<usize>) {
    let (tell, told) = mpsc::channel(100);
    let told = std::sync::Arc::new(tokio::sync::Mutex::new(told));
    let script = move |mut wire: Wire<DuplexStream>, _| {
        let told = std::sync::Arc::clone(&told);
        async move {
            wire.head().await;
            wire.send(STREAM).await;
            while let Some(number) = told.lock().await.recv().await {
                wire.send(event(number)).await;
            }
        }
    };
    (memory::scripted(script).0, tell)
}

/// An upstream that sends an event each second, from the one after the last that the client has.
fn ticking() -> Connector {
    let script = |mut wire: Wire<DuplexStream>, heard: std::sync::Arc<memory::Heard>| async move {
        let head = wire.head().await;
        let last = head.field("last-event-id").map_or(0, |id| id.parse().expect("a number"));
        heard.got(head);
        wire.send(STREAM).await;
        for number in last + 1.. {
            sleep(SECOND).await;
            if wire.try_send(event(number)).await.is_err() {
                return;
            }
        }
    };
    memory::scripted(script).0
}

async fn ask(drill: &Drill) -> Wire<DuplexStream> {
    let mut client = drill.memory_client(1);
    client.send(ASK).await;
    assert_eq!(client.head().await.status(), 200);
    client
}

/// The next is produced only when the one before has come.
#[tokio::test(start_paused = true)]
async fn an_event_arrives_before_the_next_is_made() {
    for faults in [
        &[][..],
        &["latency: { mean: 10ms, per: chunk }"],
        &["latency: { mean: 10ms, side: both }"],
        &["truncate: 100 events"],
        &["truncate: { after: 1h }"],
        &["truncate: { after: 1MiB, stall: yes }"],
        &["reset: { at: response, after: 99% }"],
        &["corrupt: 0.000001%"],
        &["slice: 4B"],
        &["bandwidth: 10KiB/s"],
        &["dribble: { bytes: 4B, every: 1ms }"],
        &["headers: { set: { x-a: b } }"],
        &["body: { merge: { a: 1 } }"],
        &["websocket: { stall: yes }"],
    ] {
        let (connector, tell) = on_demand();
        let drill = Drill::of(faults).detached(connector);
        let mut client = ask(&drill).await;
        for number in 1..=20 {
            tell.try_send(number).expect("it listens");
            let asked = Instant::now();
            let came = client.until("\n\n").await;
            assert_eq!(came, event(number), "{faults:?}");
            assert!(asked.elapsed() <= 50 * MS, "{faults:?}: {:?}", asked.elapsed());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_breaks_off_after_events_or_a_time() {
    for (fault, wanted, how) in [
        ("truncate: 3 events", 3, End::Fin),
        ("truncate: { after: 4500ms }", 4, End::Fin),
        ("reset: { at: response, after: 2 events }", 2, End::Fin),
    ] {
        let drill = Drill::of(&[fault]).detached(ticking());
        let mut client = ask(&drill).await;
        let (came, end) = client.rest().await;
        let all: String = (1..=wanted).map(event).collect();
        assert_eq!(String::from_utf8(came).expect("a text"), all, "{fault}");
        assert_eq!(end, how, "{fault}");
        let exchange = drill.exchange().await;
        assert!(!exchange.complete && exchange.dealt.len() == 1, "{exchange:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_stalls_and_goes_on_when_the_fault_lets_go() {
    let phases = [
        "{ name: outage, for: 60s, faults: [{ truncate: { after: 3 events, stall: yes } }] }",
        "{ name: after, for: 10m }",
    ];
    let drill = Drill::phases(&phases).detached(ticking());
    let mut client = ask(&drill).await;
    let asked = Instant::now();
    for number in 1..=3 {
        assert_eq!(client.until("\n\n").await, event(number));
    }
    client.is_silent_for(50 * SECOND).await;

    assert_eq!(client.until("\n\n").await, event(4));
    assert!((60 * SECOND..61 * SECOND).contains(&asked.elapsed()), "{:?}", asked.elapsed());
    assert_eq!(client.until("\n\n").await, event(5));
}

#[tokio::test]
async fn a_client_that_leaves_a_stalled_stream_is_seen_to() {
    let upstream = Upstream::scripted(|mut wire, log| async move {
        wire.head().await;
        wire.send(format!("{STREAM}{}{}", event(1), event(2))).await;
        log.ended(wire.end().await);
    });
    let upstream = upstream.await;
    let drill = Drill::of(&["truncate: { after: 1 event, stall: yes }"]).before(&upstream);
    let mut client = drill.client().await;
    client.send(ASK).await;
    client.head().await;
    assert_eq!(client.until("\n\n").await, event(1));

    client.reset();

    let exchange = drill.exchange().await;
    assert_eq!((exchange.complete, exchange.ended_by), (false, EndedBy::ClientRst));
    upstream.ends(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_says_what_it_had_last() {
    let drill = Drill::of(&["truncate: 3 events, times: 1"]).detached(ticking());
    let mut client = ask(&drill).await;
    client.rest().await;
    let mut client = drill.memory_client(1);
    client.send(ASK.replace("accept", "last-event-id: 3\r\naccept")).await;
    client.head().await;
    assert_eq!(client.until("\n\n").await, event(4));
}

/// A long poll is answered when there is something to say, however long that takes.
#[tokio::test(start_paused = true)]
async fn a_long_poll_waits_as_long_as_it_takes() {
    let upstream = memory::scripted(|mut wire, _| async move {
        wire.head().await;
        sleep(290 * SECOND).await;
        wire.send(crate::support::OK).await;
        wire.some().await;
    });
    let drill = Drill::calm().detached(upstream.0);
    let asked = Instant::now();
    let answer = drill.memory_client(1).ask("GET /poll HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!((answer.status(), asked.elapsed()), (200, 290 * SECOND));
}
