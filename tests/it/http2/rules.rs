//! What RFC 9113 has a server do about a client that breaks its rules, rule by rule: end the connection or
//! the stream, with the code that it names.

use super::hostile::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEAD, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS,
    calm, frame, frames, is_served, opening,
};
use crate::support::Drill;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

const PRIORITY: u8 = 2;
const PUSH_PROMISE: u8 = 5;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const PADDED: u8 = 8;
const ACK: u8 = 1;

/// What comes of it: the code of a GOAWAY, of a RST_STREAM, or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Connection(u32),
    Stream(u32),
    Answered,
}

use End::{Connection, Stream};

const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const FRAME_SIZE_ERROR: u32 = 6;

/// A field of a head, as HPACK has those that are in no table.
fn field(name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).expect("a short text");
    let mut field = vec![0, length(name)];
    field.extend(name.bytes());
    field.push(length(value));
    field.extend(value.bytes());
    field
}

/// A whole request with these fields behind what is in every one.
fn asking(fields: &[(&str, &str)]) -> Vec<u8> {
    let more = fields.iter().flat_map(|(name, value)| field(name, value));
    let head: Vec<u8> = HEAD.iter().copied().chain(more).collect();
    frame(HEADERS, END_STREAM | END_HEADERS, 1, &head)
}

/// A whole request with these fields alone.
fn with_head(fields: &[(&str, &str)]) -> Vec<u8> {
    let head: Vec<u8> = fields.iter().flat_map(|(name, value)| field(name, value)).collect();
    frame(HEADERS, END_STREAM | END_HEADERS, 1, &head)
}

/// A request whose body follows.
fn begun(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, HEAD)
}

fn setting(id: u16, value: u32) -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
}

/// What comes of these bytes.
async fn end_of(address: std::net::SocketAddr, bytes: &[u8]) -> End {
    let mut stream = TcpStream::connect(address).await.expect("it accepts");
    // It may be closed before it took all.
    let _cut = stream.write_all(bytes).await;
    let is_end = |kind, _: &[u8]| [GOAWAY, RST_STREAM, HEADERS].contains(&kind);
    let all = frames(&mut stream, is_end).await;
    let code = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().expect("a code"));
    match all.last() {
        Some((GOAWAY, payload)) => Connection(code(&payload[4..8])),
        Some((RST_STREAM, payload)) => Stream(code(&payload[..4])),
        Some((HEADERS, _)) => End::Answered,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_broken_rule_has_its_end() {
    let (_service, drill) = calm().await;
    let data = |stream, bytes: &[u8]| frame(DATA, 0, stream, bytes);
    let window = |stream, more: u32| frame(WINDOW_UPDATE, 0, stream, &more.to_be_bytes());
    let conn = Connection(PROTOCOL_ERROR);
    let cases = vec![
        ("4.2 a frame too large", data(1, &vec![0; 16_385]), Connection(FRAME_SIZE_ERROR)),
        ("5.1 DATA on an idle stream", data(1, b"x"), conn),
        ("5.1 RST_STREAM on an idle stream", frame(RST_STREAM, 0, 1, &[0; 4]), conn),
        ("5.1 WINDOW_UPDATE on an idle stream", window(1, 1), conn),
        ("5.1.1 an even stream", frame(HEADERS, END_STREAM | END_HEADERS, 2, HEAD), conn),
        ("5.1.1 a stream before the last", [begun(3), begun(1)].concat(), conn),
        ("6.1 DATA on no stream", data(0, b"x"), conn),
        ("6.1 padding all over", [begun(1), frame(DATA, PADDED, 1, &[9, 0])].concat(), conn),
        ("6.2 HEADERS on no stream", frame(HEADERS, END_HEADERS, 0, HEAD), conn),
        ("6.3 PRIORITY on no stream", frame(PRIORITY, 0, 0, &[0; 5]), conn),
        ("6.4 RST_STREAM on no stream", frame(RST_STREAM, 0, 0, &[0; 4]), conn),
        ("6.5 SETTINGS on a stream", frame(SETTINGS, 0, 1, &[]), conn),
        ("6.5.2 a push that is neither on nor off", setting(2, 2), conn),
        ("6.5.2 frames too small", setting(5, 16_383), conn),
        (
            "6.6 a push by a client",
            [begun(1), frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2])].concat(),
            conn,
        ),
        ("6.7 PING on a stream", frame(PING, 0, 1, &[0; 8]), conn),
        ("6.8 GOAWAY on a stream", frame(GOAWAY, 0, 1, &[0; 8]), conn),
        ("6.9 a window of nothing more", window(0, 0), conn),
        ("6.9.1 a window beyond 2^31", window(0, (1 << 31) - 1), Connection(FLOW_CONTROL_ERROR)),
        (
            "6.9.1 a stream's window beyond 2^31",
            [begun(1), window(1, (1 << 31) - 1)].concat(),
            Stream(FLOW_CONTROL_ERROR),
        ),
        ("6.10 CONTINUATION of nothing", frame(CONTINUATION, END_HEADERS, 1, HEAD), conn),
        ("6.10 something in a head", [frame(HEADERS, 0, 1, HEAD), data(1, b"x")].concat(), conn),
        (
            "6.10 another's CONTINUATION",
            [frame(HEADERS, 0, 1, HEAD), frame(CONTINUATION, END_HEADERS, 3, &[])].concat(),
            conn,
        ),
    ];
    all_end_so(&drill, cases).await;
}

#[tokio::test]
async fn each_malformed_message_ends_its_stream() {
    let (_service, drill) = calm().await;
    let pseudo = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")];
    let without = |name: &str| {
        let rest: Vec<_> = pseudo.iter().copied().filter(|(known, _)| *known != name).collect();
        with_head(&rest)
    };
    let reset = Stream(PROTOCOL_ERROR);
    let cases = vec![
        (
            "8.1.1 less than announced",
            [
                frame(HEADERS, END_HEADERS, 1, &[HEAD, &field("content-length", "2")].concat()),
                frame(DATA, END_STREAM, 1, b"x"),
            ]
            .concat(),
            reset,
        ),
        (
            "8.1.1 more than announced",
            [
                frame(HEADERS, END_HEADERS, 1, &[HEAD, &field("content-length", "2")].concat()),
                frame(DATA, END_STREAM, 1, b"xxx"),
            ]
            .concat(),
            reset,
        ),
        (
            "8.1 trailers that end nothing",
            [begun(1), frame(HEADERS, END_HEADERS, 1, &field("a", "b"))].concat(),
            reset,
        ),
        ("8.2.2 connection", asking(&[("connection", "close")]), reset),
        ("8.2.2 transfer-encoding", asking(&[("transfer-encoding", "chunked")]), reset),
        ("8.2.2 te, and not trailers", asking(&[("te", "gzip")]), reset),
        ("8.3 one of answers", with_head(&[&pseudo[..], &[(":status", "200")]].concat()), reset),
        ("8.3 one behind the fields", with_head(&[&[("a", "b")], &pseudo[..]].concat()), reset),
        ("8.3.1 one twice", with_head(&[&pseudo[..], &[(":path", "/")]].concat()), reset),
        ("8.3.1 no method", without(":method"), reset),
        ("8.3.1 no scheme", without(":scheme"), reset),
        ("8.3.1 no path", without(":path"), reset),
        (
            "8.3.1 an empty path",
            with_head(&[pseudo[0], pseudo[1], (":path", ""), pseudo[3]]),
            reset,
        ),
        (
            "8.5 CONNECT with a path",
            with_head(&[(":method", "CONNECT"), pseudo[1], pseudo[2], pseudo[3]]),
            reset,
        ),
    ];
    all_end_so(&drill, cases).await;
}

/// Where the `h2` crate has another end than the RFC: another code, a connection for a stream (which it
/// may), and what it lets pass. docs/http2.md says so.
#[tokio::test]
async fn some_rules_have_another_end() {
    let (_service, drill) = calm().await;
    let conn = Connection(PROTOCOL_ERROR);
    let cases = vec![
        ("6.4 a short RST_STREAM", [begun(1), frame(RST_STREAM, 0, 1, &[0; 3])].concat(), conn),
        ("6.5 SETTINGS cut short", frame(SETTINGS, 0, 0, &[0; 5]), conn),
        ("6.5 an ACK that says something", frame(SETTINGS, ACK, 0, &[0; 6]), conn),
        ("6.5.2 a window beyond 2^31", setting(4, 1 << 31), conn),
        ("6.7 a short PING", frame(PING, 0, 0, &[0; 6]), conn),
        (
            "6.9 a stream's window of nothing more",
            [begun(1), frame(WINDOW_UPDATE, 0, 1, &[0; 4])].concat(),
            conn,
        ),
        ("6.9 a short WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 0, &[0; 3]), conn),
        (
            "8.1 trailers with a pseudo-field",
            [begun(1), frame(HEADERS, END_STREAM | END_HEADERS, 1, &field(":path", "/"))].concat(),
            End::Answered,
        ),
        ("8.2.1 a capital letter", asking(&[("A", "b")]), conn),
        ("8.2.1 a line break", asking(&[("a", "b\r\nc: d")]), conn),
        ("8.3 one that nobody knows", with_head(&[(":a", "b")]), conn),
        (
            "4.3 what cannot be unpacked",
            frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0xff, 0x7f]),
            conn,
        ),
    ];
    all_end_so(&drill, cases).await;
    let end = end_of(drill.address(), &[PREFACE, &asking(&[])].concat()).await;
    assert_eq!(end, End::Answered, "3.4 wants SETTINGS first");
}

async fn all_end_so(drill: &Drill, cases: Vec<(&str, Vec<u8>, End)>) {
    let mut wrong = Vec::new();
    for (rule, bytes, wanted) in cases {
        let end = end_of(drill.address(), &[opening(), bytes].concat()).await;
        if end != wanted {
            wrong.push(format!("{rule}: {end:?}, not {wanted:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    is_served(drill).await;
}
