//! Clients of Toxiproxy in other languages, unchanged: each drives every toxic and sees its effect.

use crate::{
    program::{Done, done},
    server::Server,
};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Where `.ci/run` puts what it installs.
fn installed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers")
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name)
}

fn all_is_as_it_should_be(done: &Done) {
    assert_eq!(done.code, Some(0), "{}", done.told);
    let seen = done.told.matches(": as it should be").count();
    assert_eq!(seen, 8, "{}", done.told);
}

#[test]
#[ignore = "needs Node.js and toxiproxy-node-client from npm; .ci/run installs them and runs this"]
fn the_client_for_node_drives_every_toxic() {
    let server = Server::start();
    let mut command = Command::new("node");
    command.env("NODE_PATH", installed().join("node/node_modules"));
    command.arg(script("client.cjs")).arg(format!("http://{}", server.admin));
    all_is_as_it_should_be(&done(command));
}

#[test]
#[ignore = "needs Python and toxiproxy-python from PyPI; .ci/run installs them and runs this"]
fn the_client_for_python_drives_every_toxic() {
    let server = Server::start();
    let mut command = Command::new(installed().join("python/bin/python"));
    let (host, port) = (server.admin.ip().to_string(), server.admin.port().to_string());
    command.arg(script("client.py")).args([host, port]);
    all_is_as_it_should_be(&done(command));
}
