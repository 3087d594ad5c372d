use super::*;
use crate::{
    diag::{Problems, Source},
    dice::Seed,
    engine::{Play, Run},
    event::Recorder,
    proxy::{ctl::Stand, memory},
    scenario::Scenario,
};
use std::{net::SocketAddr, task::Waker};
use tokio::io::{DuplexStream, duplex};

/// A socket under a scenario, its client, and the run it is asked of.
fn socket(scenario: &str) -> (Socket<DuplexStream>, DuplexStream, Run) {
    let (client, io) = duplex(1_024);
    let (socket, run) = socket_of(io, scenario);
    (socket, client, run)
}

fn socket_of<S: Stream>(io: S, scenario: &str) -> (Socket<S>, Run) {
    let source = Source::new("test.yaml", format!("name: test\n{scenario}\n"));
    let scenario = Scenario::read(&source, None, &mut Problems::default()).expect("a scenario");
    let recorder = Arc::new(Recorder::new(1_000, false));
    let run = Run::start(Arc::new(scenario), &Play::with_seed(Seed(7)), Arc::clone(&recorder));
    let injector = run.injector();
    let peer = SocketAddr::from(([10, 0, 0, 1], 40_000));
    let key = injector.connection(peer.ip());
    let welcome = injector.welcome(key);
    let ctl = ConnCtl::new(1, peer, key, welcome, injector, recorder, Arc::default());
    (Socket::new(io, Arc::new(ctl)), run)
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

#[tokio::test]
async fn a_client_that_goes_with_its_answer_has_it() {
    let calm = "phases: [{ name: calm, for: 10m }]";
    let slow = "phases: [{ name: slow, for: 10m, faults: [{ bandwidth: 1B/s }] }]";
    for (scenario, has_it) in [(calm, true), (slow, false)] {
        let (client, io) = memory::pair();
        let (mut socket, _run) = socket_of(io, scenario);
        let ctl = Arc::clone(socket.ctl());
        ctl.begin(true, false);
        ctl.set_stand(Stand::Responding);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut socket).poll_write(&mut cx, b"an answer").is_ready(), "{scenario}");

        // Its last word is written, and before anybody looks the client has read it and gone.
        ctl.set_stand(Stand::Flushing);
        drop(client);
        let flushed = Pin::new(&mut socket).poll_flush(&mut cx);

        assert_eq!(matches!(flushed, Poll::Ready(Ok(()))), has_it, "{scenario}: {flushed:?}");
        assert_eq!(ctl.gone_at() == 0, has_it, "{scenario}");
    }
}
