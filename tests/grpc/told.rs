//! What the program itself tells: the record of a call, through the built binary.

use crate::service::{Client, drain, number, start};
use serde_json::Value;
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};

const SCENARIO: &str = "name: told
targets: { count: { grpc: test.Counting/Count } }
phases:
  - name: outage
    for: 10m
    faults:
      - { grpc: { code: ABORTED, message: no, after: 2 messages }, target: count }
      - { grpc: { code: UNAVAILABLE, details: { retry_delay: 2s } }, target: { grpc: test.Counting/Double } }
";

/// A run that is ended however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _over = self.0.kill();
        let _gone = self.0.wait();
    }
}

async fn listens(address: SocketAddr) {
    let patience = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(address).await.is_err() {
        assert!(Instant::now() < patience, "nobody listens");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_record_tells_the_status_and_counts_the_messages() {
    let (upstream, _counting) = start().await;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("grpc");
    fs::create_dir_all(&folder).expect("a folder");
    let [scenario, record] = ["told.yaml", "told.jsonl"].map(|name| folder.join(name));
    fs::write(&scenario, SCENARIO).expect("a file");
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.arg("run").arg(&scenario).arg("--record").arg(&record);
    command.args(["--upstream", &upstream.to_string(), "--listen", &address.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let running = Running(command.spawn().expect("it starts"));
    listens(address).await;

    let client = Client::to(address).await;
    let (values, code, message) = drain(client.count(9).await.expect("a stream")).await;
    assert_eq!((values.len(), code, &*message), (2, tonic::Code::Aborted, "no"));
    client.double(number(1)).await.expect_err("it is turned away");
    assert_eq!(client.sum(tokio_stream::iter((0..3).map(number))).await.expect("a sum"), 3);

    let patience = Instant::now() + Duration::from_secs(20);
    let lines = loop {
        let text = fs::read_to_string(&record).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines: Vec<Value> = lines.filter(|line| line["type"] == "exchange").collect();
        if lines.len() >= 3 {
            break lines;
        }
        assert!(Instant::now() < patience, "{text}");
        sleep(Duration::from_millis(20)).await;
    };
    drop(running);
    let of = |method: &str| {
        let path = format!("/test.Counting/{method}");
        let line = lines.iter().find(|line| line["request"]["path"] == path.as_str());
        line.unwrap_or_else(|| panic!("{path} in {lines:?}"))
    };
    let count = of("Count");
    assert_eq!(count["grpc"]["status"], "ABORTED");
    assert_eq!((&count["grpc"]["up"], &count["grpc"]["down"]), (&1.into(), &2.into()));
    assert_eq!((&count["outcome"], &count["sent"]["status"]), (&"4xx".into(), &200.into()));
    assert_eq!(of("Double")["sent"]["retry_after_us"], 2_000_000);
    assert_eq!(of("Double")["upstream"]["got"], "not_sent");
    assert_eq!(of("Sum")["grpc"], serde_json::json!({ "status": "OK", "up": 3, "down": 1 }));
}
