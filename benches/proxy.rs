//! What the hop costs: one keep-alive request straight to a service in memory, and the same request
//! through the proxy in front of it, over loopback.
//!
//! Times of day differ more than the two do, so what counts is their ratio, which is taken between
//! rounds that alternate and printed after the table.

mod support;

use divan::{Bencher, black_box};
use firedrill::{
    dice::Seed,
    engine::{Play, Run},
    event::Recorder,
    proxy::{Connector, Proxy, Settings, TlsSettings},
};
use std::{
    env,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};
use support::scenario;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    runtime::{Builder, Runtime},
    time::Instant,
};

const REQUEST: &[u8] = b"GET /items/7 HTTP/1.1\r\nhost: shop.example\r\naccept: */*\r\n\r\n";
/// The length of a body, a round KiB.
const BODY: usize = 1_024;
/// Rounds of the comparison, and requests in each.
const ROUNDS: usize = 31;
const REQUESTS: u32 = 500;

fn main() {
    divan::main();
    // `--test` runs everything once, and `--list` nothing.
    if !env::args().any(|arg| arg == "--test" || arg == "--list") {
        compare();
    }
}

/// To the service itself.
#[divan::bench]
fn direct(bencher: Bencher<'_, '_>) {
    let bench = Bench::new(&[]);
    let mut client = Client::new(bench.upstream);
    bencher.bench_local(|| client.ask());
}

/// Through the proxy, nothing in force.
#[divan::bench]
fn calm(bencher: Bencher<'_, '_>) {
    let bench = Bench::new(&[]);
    let mut client = Client::new(bench.proxy);
    bencher.bench_local(|| client.ask());
}

/// Through the proxy, with ten faults in force that mean somebody else.
#[divan::bench]
fn faults_elsewhere(bencher: Bencher<'_, '_>) {
    let bench = Bench::new(&["{ respond: 503, target: purchase }"; 10]);
    let mut client = Client::new(bench.proxy);
    bencher.bench_local(|| client.ask());
}

/// Through the proxy, answered by it.
#[divan::bench]
fn answered_by_a_fault(bencher: Bencher<'_, '_>) {
    let bench = Bench::new(&["{ respond: 503 }"]);
    let mut client = Client::new(bench.proxy);
    bencher.bench_local(|| client.ask());
}

/// A service, a proxy in front of it that plays one long phase, and the runtime they live in.
struct Bench {
    upstream: SocketAddr,
    proxy: SocketAddr,
    _kept: (Run, Proxy, Runtime),
}

impl Bench {
    fn new(faults: &[&str]) -> Self {
        let runtime =
            Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let scenario = scenario(faults);
        let (upstream, proxy, run) = runtime.block_on(async {
            let upstream = serve().await;
            // Small enough to be dropped from, as nobody collects: what is measured is the saying.
            let recorder = Arc::new(Recorder::new(1_024, false));
            let run =
                Run::start(scenario, &Play::with_seed(Seed(20_130_821)), Arc::clone(&recorder));
            let mut changes = run.injector().changes();
            changes.wait_for(|change| change.phase.is_some()).await.expect("the run lives");
            let address = format!("http://{upstream}").parse().expect("an upstream");
            let connector = Connector::new(&address, &TlsSettings::default()).expect("no TLS");
            let any = (Ipv4Addr::LOCALHOST, 0).into();
            let (settings, injector) = (Settings::default(), run.injector());
            let proxy = Proxy::listen(any, connector, settings, injector, recorder);
            (upstream, proxy.expect("a free port"), run)
        });
        let address = proxy.address().expect("it listens");
        Self { upstream, proxy: address, _kept: (run, proxy, runtime) }
    }
}

/// A service that answers whatever it reads with the same kilobyte.
async fn serve() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("it listens");
    let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {BODY}\r\n\r\n").into_bytes();
    answer.resize(answer.len() + BODY, b'x');
    let answer: Arc<[u8]> = answer.into();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let mut request = [0; 4_096];
                stream.set_nodelay(true).expect("an open connection");
                // A request fits into one read here: each is one write of a few bytes.
                while stream.read(&mut request).await.is_ok_and(|length| length > 0) {
                    if stream.write_all(&answer).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

/// A client with one connection, which waits without a runtime.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("somebody listens");
        stream.set_nodelay(true).expect("an open connection");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("an open connection");
        let mut client = Self { stream, buffer: vec![0; 8_192] };
        client.ask();
        client
    }

    /// One request and its whole answer; the answer's length.
    fn ask(&mut self) -> usize {
        self.stream.write_all(black_box(REQUEST)).expect("an open connection");
        let mut read = 0;
        loop {
            let more = self.stream.read(&mut self.buffer[read..]).expect("an answer");
            assert!(more > 0, "the connection was closed");
            read += more;
            let head = self.buffer[..read].windows(4).position(|end| end == b"\r\n\r\n");
            if head.is_some_and(|head| read >= head + 4 + length(&self.buffer[..head])) {
                return read;
            }
        }
    }

    /// The mean time of a request.
    fn round(&mut self) -> Duration {
        let start = Instant::now();
        for _ in 0..REQUESTS {
            self.ask();
        }
        start.elapsed() / REQUESTS
    }
}

/// The length that a head announces.
fn length(head: &[u8]) -> usize {
    let head = std::str::from_utf8(head).expect("a head of ASCII");
    let value = head.lines().filter_map(|line| line.split_once(": "));
    let mut lengths = value.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths.next().and_then(|(_, value)| value.parse().ok()).expect("a length")
}

/// Prints how much longer a request takes through the proxy than without it.
#[expect(clippy::print_stdout, reason = "the table above is on standard output as well")]
fn compare() {
    let calm = Bench::new(&[]);
    let hurt = Bench::new(&["{ respond: 503, target: purchase }"; 10]);
    let mut direct = Client::new(calm.upstream);
    let mut others = [("calm", Client::new(calm.proxy)), ("ten faults", Client::new(hurt.proxy))];
    let mut ratios = [const { Vec::new() }; 2];
    let mut added = [const { Vec::new() }; 2];
    for _ in 0..ROUNDS {
        let base = direct.round();
        for (at, (_, client)) in others.iter_mut().enumerate() {
            let took = client.round();
            ratios[at].push(took.as_secs_f64() / base.as_secs_f64());
            added[at].push((took.as_secs_f64() - base.as_secs_f64()) * 1e6);
        }
    }
    println!("\none request at a time, beside the same without the proxy ({ROUNDS} rounds):");
    for (at, (name, _)) in others.iter().enumerate() {
        let [low, middle, high] = quartiles(&mut ratios[at]);
        let [_, more, _] = quartiles(&mut added[at]);
        println!("  {name:<10}  x {middle:.2} ({low:.2} to {high:.2}), {more:+.0} us");
    }
}

fn quartiles(values: &mut [f64]) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[values.len() * quarter / 4])
}
