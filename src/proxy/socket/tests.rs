use super::*;
use crate::{
    diag::{Problems, Source},
    dice::Seed,
    engine::{Play, Run},
    event::Recorder,
    scenario::Scenario,
};
use std::{net::SocketAddr, task::Waker};
use tokio::io::{DuplexStream, duplex};

/// A socket under a scenario, its client, and the run it is asked of.
fn socket(scenario: &str) -> (Socket<DuplexStream>, DuplexStream, Run) {
    let source = Source::new("test.yaml", format!("name: test\n{scenario}\n"));
    let scenario = Scenario::read(&source, None, &mut Problems::default()).expect("a scenario");
    let recorder = Arc::new(Recorder::new(1_000, false));
    let run = Run::start(Arc::new(scenario), &Play::with_seed(Seed(7)), Arc::clone(&recorder));
    let injector = run.injector();
    let peer = SocketAddr::from(([10, 0, 0, 1], 40_000));
    let key = injector.connection(peer.ip());
    let (client, io) = duplex(1_024);
    let welcome = injector.welcome(key);
    let ctl = ConnCtl::new(1, peer, key, welcome, injector, recorder, Arc::default());
    (Socket::new(io, Arc::new(ctl)), client, run)
}

#[tokio::test]
async fn a_slow_client_holds_the_writer_back_after_a_fault_too() {
    let (mut socket, _client, _run) = socket("phases: [{ name: calm, for: 10m }]");
    // What a fault that is over gave out, and the client has no room for.
    socket.outgoing = Bytes::from(vec![b'x'; 100_000]);
    let mut cx = Context::from_waker(Waker::noop());

    let mut taken = 0;
    while let Poll::Ready(wrote) = Pin::new(&mut socket).poll_write(&mut cx, &[b'y'; 16_384]) {
        taken += wrote.expect("the client is there");
        assert!(taken < 200_000, "without bound");
    }

    assert_eq!(taken, 0);
}
