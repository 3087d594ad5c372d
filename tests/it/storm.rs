//! Everything at once: many clients on several threads, all faults, phases that come and go. What
//! holds then: nobody is left hanging, everything is told once, nothing is left open.

use crate::support::{Drill, GET, Upstream, Wire, eventually, panics};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

/// How long it lasts.
const STORM: Duration = Duration::from_secs(2);
const FAULTS: [&str; 19] = [
    "respond: 503, share: 20% of requests",
    "reset: {}, share: 5% of requests",
    "reset: { at: response, after: 100B }, share: 10% of requests",
    "truncate: 50%, share: 10% of requests",
    "lose_response: {}, share: 5% of requests",
    "lose_response: 502, name: lost, share: 5% of requests",
    "hang: 20ms, share: 5% of users",
    "hang: {}, name: held, share: 5% of users, pattern: { every: 60ms, on: 30ms }",
    "latency: { mean: 5ms, jitter: 5ms, side: both }",
    "latency: { mean: 2ms, per: chunk }, name: chunks",
    "headers: { remove: content-type, bloat: 2KiB }, share: 10% of requests",
    "headers: { side: request, set: { x: 1 } }, name: asked, share: 10% of requests",
    "body: { replace: changed, length: keep }, share: 5% of requests",
    "body: { replace: new }, name: new, share: 10% of requests",
    "body: { side: request, replace: other }, name: sent, share: 10% of requests",
    "malformed: garbage, share: 5% of requests",
    "malformed: { kind: chunk, after_upstream: yes }, name: lost-chunk, share: 5% of requests",
    "bandwidth: 10MB/s, share: 30% of connections",
    "blackhole: {}, share: 10% of connections, pattern: { every: 50ms, on: 20ms }",
];

/// One client: a few connections with a few requests, some of which it gives up.
async fn client(address: SocketAddr, id: usize, sent: Arc<AtomicUsize>, over: Arc<AtomicBool>) {
    for connection in 0..8 {
        if over.load(Ordering::SeqCst) {
            return;
        }
        // The door may be shut at the moment.
        let Ok(stream) = TcpStream::connect(address).await else { continue };
        let mut wire = Wire::tcp(stream);
        for request in 0..6 {
            let body = "x".repeat((id * 977 + request * 131) % 40_000);
            let head = format!(
                "POST /{id}/{request} HTTP/1.1\r\nhost: a\r\nx-user-id: {id}\r\n\
                 content-length: {}\r\n\r\n",
                body.len()
            );
            let whims = (id + connection * 7 + request) % 23;
            let said = if whims == 2 { head } else { head + &body };
            if wire.try_send(said).await.is_err() {
                break;
            }
            sent.fetch_add(1, Ordering::SeqCst);
            match whims {
                0 | 2 => break,
                1 => {
                    wire.reset();
                    break;
                }
                _ => {}
            }
            let answer = wire.head().await;
            if answer.head.is_empty() || !wire.body(answer).await.whole {
                break;
            }
        }
    }
}

/// An upstream that gives back what it gets, and counts its connections.
async fn echo(open: Arc<AtomicUsize>) -> Upstream {
    Upstream::scripted(move |mut wire, _| {
        let open = Arc::clone(&open);
        async move {
            open.fetch_add(1, Ordering::SeqCst);
            while let Some(request) = wire.request().await.filter(|request| request.whole) {
                let length = request.body.len();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                if wire.try_send([head.into_bytes(), request.body].concat()).await.is_err() {
                    break;
                }
            }
            open.fetch_sub(1, Ordering::SeqCst);
        }
    })
    .await
}

fn phases() -> [String; 5] {
    let all: Vec<String> = FAULTS.iter().map(|fault| format!("{{ {fault} }}")).collect();
    let all = all.join(", ");
    [
        format!("{{ name: a, for: 10m, faults: [{all}] }}"),
        "{ name: b, for: 10m }".to_owned(),
        format!("{{ name: c, for: 10m, connections: reset, faults: [{all}] }}"),
        "{ name: d, for: 10m, connections: drain, faults: [{ refuse: {} }] }".to_owned(),
        format!("{{ name: e, for: 10m, faults: [{all}] }}"),
    ]
}

/// Goes through the phases over and over, and pauses now and then.
async fn command(drill: &Drill) {
    let controls = drill.controls();
    for round in 0_u64.. {
        sleep(Duration::from_millis(25)).await;
        match round % 7 {
            3 => controls.pause(),
            4 => controls.resume(),
            _ if controls.status().position.is_some_and(|at| at.phase < 4) => controls.skip(),
            _ => controls.seek(Duration::ZERO),
        }
    }
}

async fn eventually_connect(address: SocketAddr) -> Wire<TcpStream> {
    loop {
        if let Ok(stream) = TcpStream::connect(address).await {
            return Wire::tcp(stream);
        }
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_left_hanging_and_nothing_is_left_open() {
    panics::watch();
    let open = Arc::new(AtomicUsize::new(0));
    let upstream = echo(Arc::clone(&open)).await;
    let phases = phases();
    let phases: Vec<&str> = phases.iter().map(|phase| &**phase).collect();
    let drill = Drill::phases(&phases).before(&upstream);
    let (sent, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let mut clients = JoinSet::new();
    for id in 0..150 {
        clients.spawn(client(drill.address(), id, Arc::clone(&sent), Arc::clone(&over)));
    }

    tokio::select! {
        () = command(&drill) => {}
        // Some wait for the end of a silence; they have no patience of their own.
        _over = timeout(STORM, async { while clients.join_next().await.is_some() {} }) => {}
    }
    drill.controls().stop();
    over.store(true, Ordering::SeqCst);
    while let Some(outcome) = clients.join_next().await {
        outcome.expect("no client is left hanging");
    }
    let mut last = eventually_connect(drill.address()).await;
    assert_eq!(last.ask(GET).await.status(), 200);
    assert_eq!(drill.proxy.drain(Duration::from_secs(5)).await, 0);
    let quiet = || (open.load(Ordering::SeqCst) == 0).then_some(());
    eventually("all upstream connections are closed", quiet).await;
    check(&drill, sent.load(Ordering::SeqCst) + 1);
    assert_eq!(panics::count(), 0);
}

/// Everything was told once, and makes sense.
fn check(drill: &Drill, sent: usize) {
    let exchanges = drill.finished();
    let mut told: Vec<(u64, u32)> = exchanges.iter().map(|e| (e.conn, e.seq)).collect();
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), exchanges.len(), "nothing is told twice");
    assert!(told.len() > 100 && told.len() <= sent, "{} of {sent}", told.len());
    for exchange in &exchanges {
        assert!(exchange.t_end >= exchange.t_head && exchange.t_head > 0, "{exchange:?}");
        assert!(!exchange.complete || exchange.status > 0, "{exchange:?}");
    }
    let tallies = drill.tallies();
    let hit: Vec<&str> = tallies.iter().filter(|t| t.hit > 0).map(|t| &*t.name).collect();
    assert!(hit.len() >= 8, "{hit:?}");
}
