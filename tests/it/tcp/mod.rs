//! Connections whose bytes are passed on as they come.

mod broken;
mod delays;
mod edges;
mod gone;
mod hand;
mod limits;
mod relay;
mod several;
mod silence;
mod storm;
mod streams;
mod unmade;
mod whom;

use crate::support::{Drill, Setup, Wire, eventually, memory};
use firedrill::{
    diag::{Problems, Source},
    engine::HandFault,
    event::{Connection, Event},
    scenario::Scenario,
};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::DuplexStream,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::Instant,
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A listener for one upstream connection after the other.
async fn upstream() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// An upstream that sends everything back.
async fn echo() -> (SocketAddr, JoinHandle<()>) {
    let (listener, address) = upstream().await;
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut wire = Wire::tcp(stream);
                while let Some(bytes) = wire.some().await {
                    if wire.try_send(bytes).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, task)
}

/// A client and the upstream's end of its connection.
async fn pair(drill: &Drill, listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(drill.address()).await.expect("it accepts");
    let (server, _) = listener.accept().await.expect("it dials");
    (client, server)
}

/// A drill whose connections are in memory, and their other ends.
#[derive(Debug)]
struct Line {
    drill: Drill,
    ends: memory::Ends,
}

impl Line {
    fn of(setup: Setup) -> Self {
        let (connector, ends) = memory::held();
        Self { drill: setup.tcp().detached(connector), ends }
    }

    /// A client at 10.0.0.`host`, and the upstream's end of its connection.
    async fn pair(&mut self, host: u8) -> (Wire<DuplexStream>, Wire<DuplexStream>) {
        let client = self.drill.memory_client(host);
        (client, self.ends.next().await)
    }
}

/// A drill in memory whose upstream sends everything back.
fn echoing(setup: Setup) -> Drill {
    setup.tcp().detached(memory::echoing())
}

/// How long a few bytes take to the upstream and back.
async fn round_trip(client: &mut Wire<DuplexStream>) -> Duration {
    let sent = Instant::now();
    client.send("ping").await;
    assert_eq!(client.take(4).await, b"ping");
    sent.elapsed()
}

/// So many bytes, of which none can be missed or moved without its being seen.
fn bytes(count: usize) -> Vec<u8> {
    (0..=250).cycle().take(count).collect()
}

fn connections(drill: &Drill) -> Vec<Connection> {
    let events = drill.events().into_iter();
    events
        .filter_map(|event| match event {
            Event::Connection(connection) => Some(connection),
            _ => None,
        })
        .collect()
}

async fn the_connection(drill: &Drill) -> Connection {
    eventually("a connection is told of", || connections(drill).pop()).await
}

/// Waits until no connection holds anything any more.
async fn all_freed(drill: &Drill) {
    let freed = || (drill.proxy.meters().read().open == 0).then_some(());
    eventually("all connections are freed", freed).await;
}

/// A fault by hand, as an entry of a scenario.
pub(crate) fn by_hand(entry: &str) -> HandFault {
    let text = format!("name: x\nphases: [{{ name: a, for: 1s, faults: [{{ {entry} }}] }}]\n");
    let mut problems = Problems::default();
    let scenario = Scenario::read(&Source::new("x", text), None, &mut problems);
    let mut scenario = scenario.unwrap_or_else(|| panic!("{entry}: {problems:?}"));
    let entry = scenario.phases.remove(0).faults.remove(0);
    HandFault { entry, targets: Vec::new(), ttl: None, memo: None }
}
