//! The proxy's own patience, which the faults that it deals do not use up.

use crate::support::{Drill, Message, OK, Wire};
use firedrill::proxy::{Connector, Dial, UpstreamIo};
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::DuplexStream,
    time::{Instant, sleep},
};

const SECOND: Duration = Duration::from_secs(1);

/// What an upstream in memory does with an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Reads it and answers.
    Answers,
    /// Reads it and says nothing.
    IsSilent,
    /// Does not even read it.
    Ignores,
}

/// Dials an upstream in memory, so that time is virtual throughout.
#[derive(Debug)]
struct Memory {
    way: Way,
    got: Arc<Mutex<Vec<Message>>>,
}

impl Dial for Memory {
    fn dial(&self) -> Pin<Box<dyn Future<Output = io::Result<UpstreamIo>> + Send>> {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let (way, got) = (self.way, Arc::clone(&self.got));
        tokio::spawn(serve(Wire::memory(far), way, got));
        Box::pin(async move { Ok(UpstreamIo::Memory(near)) })
    }
}

async fn serve(mut wire: Wire<DuplexStream>, way: Way, got: Arc<Mutex<Vec<Message>>>) {
    if way == Way::Ignores {
        sleep(86_400 * SECOND).await;
    }
    while let Some(request) = wire.request().await {
        got.lock().expect("no panic").push(request);
        if way == Way::Answers {
            wire.send(OK).await;
        }
    }
}

/// A drill in front of such an upstream, and the requests it got.
fn drill(phases: &[&str], way: Way) -> (Drill, Arc<Mutex<Vec<Message>>>) {
    let got = Arc::default();
    let connector = Connector::custom(Arc::new(Memory { way, got: Arc::clone(&got) }));
    (Drill::phases(phases).detached(connector), got)
}

fn post(length: usize) -> String {
    format!("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: {length}\r\n\r\n")
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_a_fault_slows_down_for_longer_than_an_answer_may_take_is_answered() {
    let slow = "{ name: slow, for: 30m, faults: [{ bandwidth: 1KiB/s }] }";
    let (drill, got) = drill(&[slow], Way::Answers);
    let mut client = drill.memory_client(1);
    let begun = Instant::now();

    client.send(post(340_000)).await;
    client.send(vec![b'x'; 340_000]).await;
    let answer = client.answer().await;

    assert_eq!((answer.status(), &*answer.text()), (200, "ok"));
    assert!(begun.elapsed() > 310 * SECOND, "{:?}", begun.elapsed());
    assert_eq!(got.lock().expect("no panic")[0].body.len(), 340_000);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_a_fault_swallows_for_long_goes_on_afterwards() {
    let phases = [
        "{ name: before, for: 10m }",
        "{ name: outage, for: 20m, faults: [{ blackhole: {} }] }",
        "{ name: after, for: 10m }",
    ];
    let (drill, got) = drill(&phases, Way::Answers);
    let mut client = drill.memory_client(1);

    client.send(post(6)).await;
    client.send("abc").await;
    sleep(SECOND).await;
    drill.controls().skip();
    drill.phase(1).await;
    client.send("def").await;
    client.is_silent_for(1_000 * SECOND).await;
    drill.controls().skip();

    assert_eq!(client.answer().await.text(), "ok");
    assert_eq!(got.lock().expect("no panic")[0].text(), "abcdef");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stalls_without_a_fault_is_told_after_a_minute() {
    let (drill, _) = drill(&["{ name: calm, for: 10m }"], Way::Answers);
    let mut client = drill.memory_client(1);

    client.send(post(6)).await;
    client.send("abc").await;
    let begun = Instant::now();
    let answer = client.answer().await;

    assert_eq!((answer.status(), begun.elapsed().as_secs()), (408, 60));
    assert_eq!(drill.exchange().await.upstream_error, None);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_has_its_time_from_the_end_of_the_upload() {
    let (drill, _) = drill(&["{ name: calm, for: 10m }"], Way::IsSilent);
    let mut client = drill.memory_client(1);

    client.send(post(6)).await;
    for byte in ["a", "b", "c", "d", "e", "f"] {
        client.is_silent_for(40 * SECOND).await;
        client.send(byte).await;
    }
    let begun = Instant::now();
    let answer = client.answer().await;

    assert_eq!((answer.status(), begun.elapsed().as_secs()), (504, 300));
    assert_eq!(drill.exchange().await.upstream_error, Some("timeout"));
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_takes_no_upload_is_not_waited_for_for_ever() {
    let (drill, _) = drill(&["{ name: calm, for: 30m }"], Way::Ignores);
    let mut client = drill.memory_client(1);

    client.send(post(4_000_000)).await;
    let begun = Instant::now();
    let _taken_at_last = client.try_send(vec![b'x'; 4_000_000]).await;

    assert!(begun.elapsed() < 610 * SECOND, "{:?}", begun.elapsed());
    assert_eq!(client.answer().await.status(), 504);
}
