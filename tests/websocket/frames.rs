//! Frames as they should not be, and more of them than anybody needs.

use crate::{
    peers::{SECOND, tunnel},
    support::{Drill, Wire, memory},
};
use firedrill::{event::Tunnel, proxy::Connector};
use std::time::Duration;
use tokio::{io::DuplexStream, time::timeout};

const UPGRADE: &str =
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n";

/// An upstream that switches, sends some bytes, and then says back whatever comes.
fn blunt(first: Vec<u8>) -> Connector {
    let script = move |mut wire: Wire<DuplexStream>, _| {
        let first = first.clone();
        async move {
            wire.head().await;
            wire.send(SWITCH).await;
            wire.send(&first).await;
            loop {
                match wire.some().await {
                    Some(bytes) if wire.try_send(&bytes).await.is_ok() => {}
                    _ => return,
                }
            }
        }
    };
    memory::scripted(script).0
}

async fn open(drill: &Drill) -> Wire<DuplexStream> {
    let mut client = drill.memory_client(1);
    client.send(UPGRADE).await;
    assert_eq!(client.head().await.status(), 101);
    client
}

async fn end(drill: &Drill, client: Wire<DuplexStream>) -> Tunnel {
    drop(client);
    tunnel(drill).await
}

#[tokio::test(start_paused = true)]
async fn what_is_no_frame_passes_untouched_under_any_fault() {
    for fault in ["drop: yes", "delay: 10s", "stall: yes"] {
        for wrong in [
            &[0x83, 0x80, 0, 0, 0, 0][..], // a reserved opcode
            &[0x81, 2, b'h', b'i'],        // an unmasked client
            &[0x82, 0xff, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], // a length below zero
            b"no frame at all",
        ] {
            let drill = Drill::of(&[&format!("websocket: {{ {fault}, side: request }}")]);
            let drill = drill.detached(blunt(Vec::new()));
            let mut client = open(&drill).await;
            client.send(wrong).await;
            assert_eq!(client.take(wrong.len()).await, wrong, "{fault}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_claims_all_there_is_streams_through() {
    let claim = vec![0x82, 127, 0x7f, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3];
    let drill = Drill::of(&["websocket: { delay: 1s }"]).detached(blunt(claim.clone()));
    let mut client = open(&drill).await;

    assert_eq!(client.take(13).await, claim);
    let told = end(&drill, client).await;
    assert_eq!((told.down.bytes, told.down.frames, told.down.messages), (13, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_cut_off_arrives_as_far_as_it_came() {
    let drill = Drill::of(&["websocket: { drop: yes }"]).detached(blunt(vec![0x81]));
    let mut client = open(&drill).await;
    client.half_close().await;
    assert_eq!(client.rest().await.0, [0x81]);
}

#[tokio::test]
async fn a_million_tiny_frames_are_no_burden() {
    let frames: Vec<u8> = [0x81, 0x80, 0, 0, 0, 0].repeat(1_000_000);
    let drill = Drill::of(&["websocket: { drop: 0.1%, side: request }"]);
    let drill = drill.detached(
        memory::scripted(|mut wire, _| async move {
            wire.head().await;
            wire.send(SWITCH).await;
            while wire.some().await.is_some() {}
        })
        .0,
    );
    let mut client = open(&drill).await;
    let sent = timeout(60 * SECOND, client.send(&frames)).await;
    assert!(sent.is_ok(), "it is slow");
    client.half_close().await;

    let told = end(&drill, client).await;
    assert_eq!((told.up.frames, told.up.messages), (1_000_000, 1_000_000));
    assert!((998_500..999_500).contains(&told.up.passed), "{}", told.up.passed);
}

/// Half a megabyte a second for a silent minute is held back at the source, and not held.
#[tokio::test(start_paused = true)]
async fn a_silence_pushes_back() {
    let drill = Drill::of(&["websocket: { stall: yes }"]).detached(blunt(Vec::new()));
    let mut client = open(&drill).await;
    let mut frame = vec![0x82, 0xfe, 0xff, 0xff, 0, 0, 0, 0];
    frame.extend(vec![7; 65_535]);
    let flood = async {
        for _ in 0..100_000 {
            client.send(&frame).await;
        }
    };
    assert!(timeout(Duration::from_secs(60), flood).await.is_err(), "six gigabytes were taken");
}
