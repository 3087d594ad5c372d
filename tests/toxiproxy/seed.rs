//! `--seed`: who is hit follows from it.

use crate::{
    peer::{Service, passing},
    server::Server,
};

/// Which of thirty connections a server of this seed lets through.
fn passed(seed: &str) -> Vec<bool> {
    let server = Server::with(["--seed", seed]);
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"name":"t","type":"timeout","toxicity":0.5}"#);
    passing(&service.pairs(listen, 30))
}

#[test]
fn the_same_seed_hits_the_same_connections() {
    assert_eq!(passed("42"), passed("42"));
}

#[test]
fn another_seed_hits_others() {
    assert_ne!(passed("42"), passed("43"));
}
