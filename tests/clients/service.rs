//! The service that all of it is in front of: it answers whatever it is asked.

use crate::message::Buffer;
use std::{
    io::{self, Write},
    net::{TcpListener, TcpStream},
    thread,
};

/// Starts it; says where it is.
pub(crate) fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // A peer that breaks off is what a drill is about.
            thread::spawn(move || serve(stream).ok());
        }
    });
    format!("http://{address}")
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Buffer::default();
    while let Some(head) = buffer.head(&mut stream)? {
        if head.header("expect").is_some() {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let bodiless = head.length().is_none() && !head.first.starts_with("GET ");
        assert!(!bodiless, "this service takes bodies of a known length: {head:?}");
        buffer.body(&mut stream, head.length().unwrap_or(0), &mut Vec::new())?;
        // Long enough to be cut in two and to drip for longer than anything here is waited for.
        let padding = "-".repeat(100);
        // The clients of AWS read XML, all others that read anything read JSON.
        let (kind, body) = match head.header("amz-sdk-request") {
            Some(_) => ("xml", format!("<Result><Text>{padding}</Text></Result>")),
            None => ("json", format!(r#"{{"object":"operation","id":"1","text":"{padding}"}}"#)),
        };
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-type: application/{kind}\r\ncontent-length: {length}\r\n\r\n{body}"
        )?;
    }
    Ok(())
}
