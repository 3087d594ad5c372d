//! Clients that mean harm: memory and time are bounded, and others do not notice.

use crate::{
    http2::peer::{Client, Service, ok},
    support::Drill,
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const PATIENCE: Duration = Duration::from_secs(20);
/// `:method: GET`, `:scheme: http`, `:path: /`, `:authority: a`, as HPACK has them.
pub(super) const HEAD: &[u8] = &[0x82, 0x86, 0x84, 0x41, 0x01, b'a'];

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame");
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// What opens a connection.
pub(super) fn opening() -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()
}

/// The frames that come until the connection ends, each with its kind and payload; at most those of
/// so long.
pub(super) async fn frames(
    stream: &mut TcpStream,
    until: impl Fn(u8, &[u8]) -> bool,
) -> Vec<(u8, Vec<u8>)> {
    let mut all = Vec::new();
    let read = async {
        let mut head = [0; 9];
        while stream.read_exact(&mut head).await.is_ok() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let mut payload = vec![0; length];
            if stream.read_exact(&mut payload).await.is_err() {
                return;
            }
            let done = until(head[3], &payload);
            all.push((head[3], payload));
            if done {
                return;
            }
        }
    };
    timeout(PATIENCE, read).await.expect("it ends");
    all
}

/// The code of the GOAWAY among them.
fn away(frames: &[(u8, Vec<u8>)]) -> Option<u32> {
    let (_, payload) = frames.iter().find(|(kind, _)| *kind == GOAWAY)?;
    Some(u32::from_be_bytes(payload[4..8].try_into().expect("a code")))
}

/// Writes for as long as it is taken.
async fn flood(mut stream: impl AsyncWrite + Unpin, bytes: &[u8], times: usize) {
    for _ in 0..times {
        if stream.write_all(bytes).await.is_err() {
            return;
        }
    }
}

/// A client that writes frames by hand.
pub(super) struct Raw(TcpStream);

impl Raw {
    pub(super) async fn to(address: std::net::SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("it accepts");
        stream.write_all(&opening()).await.expect("it is taken");
        Self(stream)
    }

    /// Opens so many streams at once.
    pub(super) async fn ask(&mut self, streams: u32) {
        let ask = |n| frame(HEADERS, END_STREAM | END_HEADERS, 2 * n + 1, HEAD);
        let bytes: Vec<u8> = (0..streams).flat_map(ask).collect();
        self.0.write_all(&bytes).await.expect("it is taken");
    }

    /// The codes of the first resets that come.
    pub(super) async fn resets(&mut self, count: usize) -> Vec<u32> {
        let mut codes = Vec::new();
        while codes.len() < count {
            let frames = frames(&mut self.0, |kind, _| kind == RST_STREAM).await;
            let (_, payload) = frames.last().expect("a reset");
            codes.push(u32::from_be_bytes(payload[..4].try_into().expect("a code")));
        }
        codes
    }
}

pub(super) async fn calm() -> (Service, Drill) {
    let service = Service::of(ok).await;
    let drill = Drill::calm().at(&service.url());
    (service, drill)
}

pub(super) async fn is_served(drill: &Drill) {
    let client = Client::to(drill.address()).await;
    let got = timeout(PATIENCE, client.get("/")).await.expect("in time").expect("an answer");
    assert_eq!(got.status, 200);
}

#[tokio::test]
async fn a_preface_may_come_byte_by_byte() {
    let (_service, drill) = calm().await;
    let mut stream = TcpStream::connect(drill.address()).await.expect("it accepts");
    stream.set_nodelay(true).expect("a socket");
    let all = [opening(), frame(HEADERS, END_STREAM | END_HEADERS, 1, HEAD)].concat();

    for byte in all {
        stream.write_all(&[byte]).await.expect("it is taken");
        tokio::task::yield_now().await;
    }

    let frames = frames(&mut stream, |kind, _| kind == DATA).await;
    assert_eq!(frames.last().map(|(_, payload)| &payload[..]), Some(&b"ok"[..]));
}

#[tokio::test(start_paused = true)]
async fn a_preface_that_never_ends_is_given_up_after_75_seconds() {
    for first in
        [&b"P"[..], &PREFACE[..20], &opening(), &[opening(), frame(HEADERS, 0, 1, HEAD)].concat()]
    {
        let drill = Drill::calm().detached(Service::in_memory(ok));
        let mut client = drill.memory_client(1).into_io();
        client.write_all(first).await.expect("it is taken");
        let began = Instant::now();

        let mut rest = Vec::new();
        let _end = client.read_to_end(&mut rest).await;

        assert!(began.elapsed() <= Duration::from_secs(78), "{:?}", began.elapsed());
        assert!(began.elapsed() >= Duration::from_secs(70), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn what_begins_like_a_preface_and_is_none_is_http1() {
    let (_service, drill) = calm().await;
    let answer = drill.ask("PRI / HTTP/1.1\r\nhost: shop\r\n\r\n").await;
    // The service speaks HTTP/2 alone, and what it says to a client of HTTP/1 is no answer.
    assert_eq!(answer.status(), 502);
}

#[tokio::test]
async fn a_head_without_end_ends_the_connection() {
    let (_service, drill) = calm().await;
    let mut stream = TcpStream::connect(drill.address()).await.expect("it accepts");
    stream.write_all(&opening()).await.expect("it is taken");
    stream.write_all(&frame(HEADERS, END_STREAM, 1, HEAD)).await.expect("it is taken");
    let (mut read, write) = stream.split();
    // A field of 4 KiB each.
    let mut field = vec![0x40, 0x01, b'x', 0x7f, 0x81, 0x1f];
    field.extend(vec![b'v'; 4096]);
    let more = frame(CONTINUATION, 0, 1, &field);
    let flood = flood(write, &more, 100_000);
    let mut all = Vec::new();
    let _cut = timeout(PATIENCE, async { tokio::join!(flood, read.read_to_end(&mut all)) })
        .await
        .expect("it ends");

    is_served(&drill).await;
}

#[tokio::test]
async fn a_small_head_cannot_be_blown_up() {
    let (_service, drill) = calm().await;
    let mut stream = TcpStream::connect(drill.address()).await.expect("it accepts");
    // One field of 4000 bytes goes into the table, and is named ten thousand times by a byte each.
    let mut bomb = HEAD.to_vec();
    bomb.extend([0x40, 0x01, b'x', 0x7f, 0xa1, 0x1e]);
    bomb.extend(vec![b'v'; 4000]);
    bomb.extend(vec![0xbe; 10_000]);
    let bytes = [opening(), frame(HEADERS, END_STREAM | END_HEADERS, 1, &bomb)].concat();
    stream.write_all(&bytes).await.expect("it is taken");

    let frames =
        frames(&mut stream, |kind, _| kind == GOAWAY || kind == RST_STREAM || kind == HEADERS)
            .await;

    let (kind, _) = frames.last().expect("a word");
    assert!([GOAWAY, RST_STREAM, HEADERS].contains(kind), "{frames:?}");
    assert!(!frames.iter().any(|(kind, payload)| *kind == DATA && payload == b"ok"));
    assert!(drill.finished().is_empty());
    is_served(&drill).await;
}

#[tokio::test]
async fn streams_that_are_opened_and_reset_at_once_harm_nobody_else() {
    let (_service, drill) = calm().await;
    let mut stream = TcpStream::connect(drill.address()).await.expect("it accepts");
    let mut bytes = opening();
    for n in 0..50_000 {
        bytes.extend(frame(HEADERS, END_STREAM | END_HEADERS, 2 * n + 1, HEAD));
        bytes.extend(frame(RST_STREAM, 0, 2 * n + 1, &8_u32.to_be_bytes()));
    }
    let began = Instant::now();
    let (mut read, mut write) = stream.split();
    let mut all = Vec::new();
    let others = async {
        for _ in 0..20 {
            is_served(&drill).await;
        }
    };
    let flood = async {
        let _cut = write.write_all(&bytes).await;
        let _cut = write.shutdown().await;
    };
    let read = async {
        let _end = timeout(PATIENCE, read.read_to_end(&mut all)).await.expect("it ends");
    };
    tokio::join!(flood, read, others);
    assert!(began.elapsed() < PATIENCE);
}

#[tokio::test]
async fn pings_and_settings_without_end_are_answered_no_faster_than_they_are_read() {
    for (kind, payload) in [(PING, &[0; 8][..]), (SETTINGS, &[])] {
        let (_service, drill) = calm().await;
        let mut stream = TcpStream::connect(drill.address()).await.expect("it accepts");
        stream.write_all(&opening()).await.expect("it is taken");
        let frame = frame(kind, 0, 0, payload).repeat(1_000);

        // Nobody reads the answers, so that at some point nothing more is taken.
        let taken = timeout(Duration::from_secs(3), flood(&mut stream, &frame, 10_000)).await;

        assert!(taken.is_err(), "{kind}: 10 000 000 frames were taken, and their answers kept");
        is_served(&drill).await;
    }
}

#[tokio::test]
async fn more_streams_than_are_allowed_are_refused() {
    let service = Service::of(ok).await;
    let drill = Drill::of(&["hang: {}"]).at(&service.url());
    let mut stream = TcpStream::connect(drill.address()).await.expect("it accepts");
    let mut bytes = opening();
    for n in 0..201 {
        bytes.extend(frame(HEADERS, END_STREAM | END_HEADERS, 2 * n + 1, HEAD));
    }
    stream.write_all(&bytes).await.expect("it is taken");

    let frames = frames(&mut stream, |kind, _| kind == RST_STREAM).await;

    assert_eq!(frames.last().map(|(_, payload)| &payload[..]), Some(&7_u32.to_be_bytes()[..]));
}

#[tokio::test]
async fn breaking_the_rules_ends_the_connection_with_a_code() {
    let (_service, drill) = calm().await;
    for bytes in [
        // DATA on no stream, a PING that is too short, a window of zero more, HEADERS on an even stream.
        frame(DATA, 0, 0, b"x"),
        frame(PING, 0, 0, b"x"),
        frame(8, 0, 0, &[0; 4]),
        frame(HEADERS, END_STREAM | END_HEADERS, 2, HEAD),
        // HPACK that names what is not in its table.
        frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0xff, 0x7f]),
    ] {
        let mut stream = TcpStream::connect(drill.address()).await.expect("it accepts");
        stream.write_all(&[opening(), bytes].concat()).await.expect("it is taken");
        let frames = frames(&mut stream, |kind, _| kind == GOAWAY).await;
        assert!(away(&frames).is_some_and(|code| code > 0), "{frames:?}");
    }
}
