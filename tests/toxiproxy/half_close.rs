//! Half-close: one side is done, the other is not. The original loses its answer.

use crate::{
    peer::{End, Service},
    server::Server,
};

#[test]
fn an_answer_after_the_client_is_done_arrives() {
    let server = Server::start();
    let service = Service::start();
    let (client, behind) = service.pair(server.proxy(service.address()));
    client.send(b"question");
    client.finish();
    assert_eq!(behind.rest(), (b"question".to_vec(), End::Fin));
    client.stays_silent_for(std::time::Duration::from_millis(200));
    behind.send(b"answer");
    client.gets(b"answer");
    drop(behind);
    assert_eq!(client.ends(), End::Fin);
}

#[test]
fn a_question_after_the_service_is_done_arrives() {
    let server = Server::start();
    let service = Service::start();
    let (client, behind) = service.pair(server.proxy(service.address()));
    behind.finish();
    assert_eq!(client.ends(), End::Fin);
    client.time_to(&behind, b"all the same");
}

#[test]
fn toxics_keep_it_too() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    for toxic in [
        r#"{"type":"latency","attributes":{"latency":50}}"#,
        r#"{"type":"latency","stream":"upstream","attributes":{"latency":50}}"#,
        r#"{"type":"slicer","attributes":{"average_size":3}}"#,
        r#"{"type":"bandwidth","stream":"upstream","attributes":{"rate":100}}"#,
        r#"{"type":"slow_close","attributes":{"delay":50}}"#,
        r#"{"type":"limit_data","attributes":{"bytes":1000}}"#,
        r#"{"type":"noop"}"#,
    ] {
        server.toxic(toxic);
    }
    let (client, behind) = service.pair(listen);
    client.send(b"question");
    client.finish();
    assert_eq!(behind.rest(), (b"question".to_vec(), End::Fin));
    behind.send(b"answer");
    drop(behind);
    assert_eq!(client.rest(), (b"answer".to_vec(), End::Fin));
}
