//! Everything at once, in bytes: what keeps bytes keeps all of them, and nothing is left open.

use crate::{
    support::{Drill, eventually, panics},
    tcp::{all_freed, connections, echo},
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

/// Byte faults that keep every byte and its place.
const KEEPING: [&str; 7] = [
    "latency: { mean: 5ms, jitter: 5ms, side: both }",
    "latency: { mean: 20ms, per: connection, side: both }, name: far, share: 40% of connections",
    "bandwidth: { rate: 40MB/s, burst: 256KiB }",
    "packet_loss: { rate: 0.5%, rtt: 2ms, side: both }",
    "slice: { size: 20KB, variation: 10KB }, share: 50% of connections",
    "slow_close: 10ms",
    "blackhole: {}, pattern: { every: 100ms, on: 20ms }",
];
/// Those that end connections or change what they carry.
const BREAKING: [&str; 6] = [
    "corrupt: { rate: 0.1%, side: both }, share: 30% of connections",
    "limit_data: 300KB, share: 20% of connections",
    "limit_data: { bytes: 100KB, side: request, by: reset }, name: cut, share: 20% of connections",
    "reset: connect, share: 10% of connections",
    "reset: { at: response, after: 50KB }, name: late, share: 10% of connections",
    "dribble: { bytes: 4KB, every: 1ms }, share: 20% of connections",
];

fn outage(faults: &[&str], more: &str) -> String {
    let all: Vec<String> = faults.iter().map(|fault| format!("{{ {fault} }}")).collect();
    format!("{{ name: n, for: 10m{more}, faults: [{}] }}", all.join(", "))
}

/// Bytes that nobody else sends.
fn own(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(count);
    bytes
}

/// Sends `up` while `down` comes, and ends its side; says what came.
async fn exchange(stream: TcpStream, up: Vec<u8>) -> Vec<u8> {
    let (mut read, mut write) = stream.into_split();
    let sender = tokio::spawn(async move {
        write.write_all(&up).await.expect("it takes all");
        write.shutdown().await.expect("it takes the end");
    });
    let mut came = Vec::new();
    read.read_to_end(&mut came).await.expect("an end");
    sender.await.expect("no panic");
    came
}

/// An upstream of so many clients that has as much to say as each, and says it meanwhile. It ends
/// when they have, in a panic if what came up is not what was sent.
async fn talking(clients: usize, count: usize) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let task = tokio::spawn(async move {
        let mut talks = JoinSet::new();
        for _ in 0..clients {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            talks.spawn(async move {
                // The first eight bytes say whom one talks to.
                let id = stream.read_u64_le().await.expect("a number");
                let came = exchange(stream, own(!id, count)).await;
                assert!(came == own(id, count), "client {id}: {} bytes", came.len());
            });
        }
        talks.join_all().await;
    });
    (address, task)
}

/// Eight clients with megabytes each way at once, each of which checks every byte.
async fn all_arrives(faults: &[&str], count: usize) {
    let (address, talking) = talking(8, count).await;
    let phases = outage(faults, "");
    let drill = Drill::phases(&[&phases]).facing(address);
    let mut clients = JoinSet::new();
    for id in 0..8_u64 {
        let address = drill.address();
        clients.spawn(async move {
            let mut stream = TcpStream::connect(address).await.expect("it accepts");
            stream.write_u64_le(id).await.expect("sent");
            let came = exchange(stream, own(id, count)).await;
            assert!(came == own(!id, count), "client {id}: {} bytes", came.len());
        });
    }
    let all = timeout(Duration::from_secs(60), async {
        while let Some(one) = clients.join_next().await {
            one.expect("what came down is what was sent");
        }
        talking.await.expect("what came up is what was sent");
    });
    all.await.unwrap_or_else(|_| panic!("left hanging by {faults:?}"));
    all_freed(&drill).await;
    let all = connections(&drill);
    assert_eq!(all.len(), 8, "{faults:?}");
    for told in all {
        let relay = told.relay.expect("what it carried");
        assert_eq!((relay.up, relay.down), (count as u64 + 8, count as u64));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn megabytes_both_ways_at_once_arrive_whole_under_each_fault_that_keeps_bytes() {
    panics::watch();
    for fault in KEEPING {
        all_arrives(&[fault], 3_000_000).await;
    }
    assert_eq!(panics::count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn megabytes_both_ways_at_once_arrive_whole_under_all_of_them() {
    panics::watch();
    all_arrives(&KEEPING, 3_000_000).await;
    assert_eq!(panics::count(), 0);
}

/// One client: connections with some bytes each, of which some are given up.
async fn hectic(address: SocketAddr, id: usize, over: Arc<AtomicUsize>) {
    for round in 0..1_000 {
        if over.load(Ordering::SeqCst) > 0 {
            return;
        }
        // The door may be shut at the moment.
        let Ok(mut stream) = TcpStream::connect(address).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let whims = (id * 7 + round) % 11;
        let (mut read, mut write) = stream.split();
        let sent = own(id as u64, (id * 9_973 + round * 131) % 400_000);
        let talk = async {
            let up = async {
                let _cut = write.write_all(&sent).await;
                if whims != 3 {
                    let _cut = write.shutdown().await;
                }
            };
            let mut came = Vec::new();
            let down = async {
                let _end = timeout(Duration::from_millis(200), read.read_to_end(&mut came)).await;
            };
            tokio::join!(up, down);
        };
        // Some have little patience.
        let patience = Duration::from_millis(if whims < 3 { 5 } else { 400 });
        let _given_up = timeout(patience, talk).await;
        if whims == 1 {
            let _gone = stream.set_zero_linger();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_left_hanging_and_nothing_is_left_open() {
    panics::watch();
    let (address, _echo) = echo().await;
    let everything: Vec<&str> = KEEPING.iter().chain(&BREAKING).copied().collect();
    let phases = [
        outage(&everything, ""),
        "{ name: b, for: 10m }".to_owned(),
        outage(&everything, ", connections: reset"),
        outage(&["refuse: {}"], ", connections: drain"),
        outage(&["blackhole: {}, share: 50% of connections"], ""),
    ];
    let phases: Vec<String> = phases
        .iter()
        .enumerate()
        .map(|(at, phase)| phase.replace("name: n,", &format!("name: p{at},")))
        .collect();
    let phases: Vec<&str> = phases.iter().map(|phase| &**phase).collect();
    let drill = Drill::phases(&phases).facing(address);
    let over = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for id in 0..60 {
        clients.spawn(hectic(drill.address(), id, Arc::clone(&over)));
    }
    let controls = drill.controls();
    for round in 0_u32..80 {
        sleep(Duration::from_millis(25)).await;
        match round % 5 {
            4 => controls.seek(Duration::ZERO),
            _ => controls.skip(),
        }
        if round % 3 == 0 {
            let _there = drill.hand.add(crate::tcp::by_hand("latency: 3ms, name: beside"));
        } else {
            let _gone = drill.hand.remove("beside");
        }
        if controls.status().over {
            break;
        }
    }
    controls.stop();
    over.fetch_add(1, Ordering::SeqCst);
    let all = timeout(Duration::from_secs(20), async {
        while let Some(client) = clients.join_next().await {
            client.expect("no panic");
        }
    });
    all.await.expect("no client is left hanging");
    eventually("the door is open", || std::net::TcpStream::connect(drill.address()).ok()).await;
    all_freed(&drill).await;
    // The last one may not have been accepted before.
    let told = eventually("everything is told of", || {
        let (told, accepted) = (connections(&drill), drill.proxy.meters().read().accepted);
        (told.len() as u64 == accepted).then_some(told)
    })
    .await;
    let mut ids: Vec<u64> = told.iter().map(|connection| connection.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), told.len(), "nothing is told twice");
    assert!(told.len() > 200, "{}", told.len());
    let hit = drill.tallies().iter().filter(|tally| tally.hit > 0).count();
    assert!(hit >= 10, "{hit} faults hit");
    assert_eq!(panics::count(), 0);
}
