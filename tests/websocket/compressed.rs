//! Compressed messages, which may need all that were sent before them.

use crate::{
    stall::by_hand,
    support::{Drill, Wire, memory},
};
use firedrill::proxy::Connector;
use tokio::io::DuplexStream;

const OFFER: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
     Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

/// A server's frames, of which the first and the last are compressed.
const FRAMES: [&[u8]; 4] = [&[0xc1, 1, b'a'], &[0x81, 1, b'b'], &[0x89, 0], &[0xc1, 1, b'c']];

/// An upstream that takes what it is offered, this much of it, and sends its frames when the client says
/// something.
fn service(takes: &'static str) -> Connector {
    let script = move |mut wire: Wire<DuplexStream>, _| async move {
        let head = wire.head().await;
        let is_offered = head.field("sec-websocket-extensions").is_some();
        let agreed = if is_offered {
            format!("Sec-WebSocket-Extensions: {takes}\r\n")
        } else {
            String::new()
        };
        wire.send(&format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{agreed}\r\n"
        ))
        .await;
        while wire.some().await.is_some() {
            wire.send(FRAMES.concat()).await;
        }
    };
    memory::scripted(script).0
}

async fn open(drill: &Drill) -> (Wire<DuplexStream>, Option<String>) {
    let mut client = drill.memory_client(1);
    client.send(OFFER).await;
    let head = client.head().await;
    assert_eq!(head.status(), 101);
    let agreed = head.field("sec-websocket-extensions").map(str::to_owned);
    (client, agreed)
}

#[tokio::test(start_paused = true)]
async fn sockets_that_a_fault_may_take_messages_out_of_are_not_compressed() {
    for (fault, is_compressed) in [
        ("websocket: { drop: 20% }", false),
        ("websocket: { drop: 20%, side: request }, target: { path: /chat }", false),
        ("websocket: { drop: 20% }, target: { path: /other }", true),
        ("websocket: { delay: 1s }", true),
        ("websocket: { stall: yes }", true),
    ] {
        let later = format!("{{ name: later, for: 10m, faults: [{{ {fault} }}] }}");
        let drill = Drill::phases(&["{ name: calm, for: 10m }", &later]);
        let drill = drill.detached(service("permessage-deflate"));
        let (_client, agreed) = open(&drill).await;
        assert_eq!(agreed.is_some(), is_compressed, "{fault}");
    }
    let drill = Drill::calm().detached(service("permessage-deflate"));
    drill.hand.add(by_hand("websocket: { drop: 20% }")).expect("it is put there");
    assert_eq!(open(&drill).await.1, None);
}

#[tokio::test(start_paused = true)]
async fn what_others_need_is_never_taken_out_of_an_open_socket() {
    for (takes, passes) in [
        ("permessage-deflate", [FRAMES[0], FRAMES[2], FRAMES[3]].concat()),
        (
            "permessage-deflate; client_no_context_takeover",
            [FRAMES[0], FRAMES[2], FRAMES[3]].concat(),
        ),
        ("permessage-deflate; server_no_context_takeover", FRAMES[2].to_vec()),
    ] {
        let drill = Drill::calm().detached(service(takes));
        let (mut client, agreed) = open(&drill).await;
        assert_eq!(agreed.as_deref(), Some(takes));
        drill
            .hand
            .add(by_hand("websocket: { drop: yes, side: response }"))
            .expect("it is put there");

        client.send([0x81, 0x80, 0, 0, 0, 0]).await;

        assert_eq!(client.take(passes.len()).await, passes, "{takes}");
        drill.hand.remove("websocket:drop").expect("it was there");
        client.send([0x81, 0x80, 0, 0, 0, 0]).await;
        assert_eq!(client.take(FRAMES.concat().len()).await, FRAMES.concat(), "{takes}");
    }
}
