//! A run with an admin listener, in this process.

use crate::support::{client::Ask, client::Met, client::PATIENCE, upstream::Upstream};
use firedrill::{
    control::{App, Client, Guard, Registry, Server},
    diag::{Problems, Source},
    dice::Seed,
    engine::{Play, Run},
    event::Recorder,
    scenario::Scenario,
    select::Users,
};
use http::Method;
use serde_json::{Value, json};
use std::{
    fmt::Debug,
    net::SocketAddr,
    process,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};
use tokio::runtime::Runtime;

/// What a command was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|why| panic!("{why}: {}", self.text))
    }
}

/// A run, and the door to it. What it is made of ends with it.
pub(crate) struct Stage {
    runtime: Runtime,
    run: Option<Run>,
    server: Option<Server>,
    client: Client,
    upstream: Upstream,
}

impl Stage {
    /// Nothing is played.
    pub(crate) fn idle() -> Self {
        Self::guarded(Guard::default())
    }

    /// Nothing is played, and who may command is told.
    pub(crate) fn guarded(guard: Guard) -> Self {
        Self::with(None, guard)
    }

    /// A scenario is played, at the speed of life.
    pub(crate) fn playing(scenario: &str) -> Self {
        let source = Source::new("test.yaml", scenario);
        let scenario = Scenario::read(&source, None, &mut Problems::default());
        Self::with(scenario, Guard::default())
    }

    fn with(scenario: Option<Scenario>, guard: Guard) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let scenario = scenario.map(Arc::new);
        let (run, server) = runtime.block_on(async {
            let recorder = Arc::new(Recorder::new(1024, false));
            let run = match &scenario {
                Some(scenario) => {
                    let play = Play::with_seed(Seed(7));
                    Run::start(Arc::clone(scenario), &play, Arc::clone(&recorder))
                }
                None => Run::idle(Seed(7), Arc::clone(&recorder)),
            };
            let app = App {
                registry: Arc::new(Registry::new(&run, recorder, Users::default())),
                controls: run.controls(),
                scenario,
                run: run.id().to_owned(),
            };
            let address = "127.0.0.1:0".parse().expect("an address");
            let server = Server::start(address, guard, app).await.expect("a free port");
            (run, server)
        });
        let client = Client::new(&server.address().to_string(), None).expect("a client");
        let upstream = Upstream::start();
        Self { runtime, run: Some(run), server: Some(server), client, upstream }
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.server.as_ref().expect("it listens").address()
    }

    pub(crate) fn run(&self) -> &Run {
        self.run.as_ref().expect("it runs")
    }

    pub(crate) fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Gives a command with a body as it is.
    pub(crate) fn send(&self, method: Method, path: &str, body: impl Into<String>) -> Answer {
        let sent = self.client.send(method, path, body.into());
        let answer = self.runtime.block_on(sent).expect("an answer");
        Answer { status: answer.status.as_u16(), text: answer.body }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, &format!("/api/v1/{path}"), "")
    }

    pub(crate) fn post(&self, path: &str, body: impl Into<String>) -> Answer {
        self.send(Method::POST, &format!("/api/v1/{path}"), body)
    }

    pub(crate) fn put(&self, path: &str, body: &str) -> Answer {
        self.send(Method::PUT, &format!("/api/v1/{path}"), body)
    }

    pub(crate) fn patch(&self, path: &str, body: &str) -> Answer {
        self.send(Method::PATCH, &format!("/api/v1/{path}"), body)
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, &format!("/api/v1/{path}"), "")
    }

    /// Makes an HTTP proxy in front of the service; says where it listens.
    pub(crate) fn http(&self, name: &str) -> SocketAddr {
        self.add(&json!({
            "name": name, "listen": free(), "upstream": self.upstream.url(),
        }))
    }

    /// Makes a proxy that passes on bytes.
    pub(crate) fn tcp(&self, name: &str) -> SocketAddr {
        let url = self.upstream.url();
        let upstream = url.trim_start_matches("http://");
        self.add(&json!({
            "name": name, "listen": free(), "upstream": upstream, "protocol": "tcp",
        }))
    }

    fn add(&self, proxy: &Value) -> SocketAddr {
        let answer = self.post("proxies", proxy.to_string());
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["listen"].as_str().expect("an address").parse().expect("an address")
    }

    /// Puts a fault on; says what it is called.
    pub(crate) fn put_on(&self, fault: &str) -> String {
        let answer = self.post("faults", fault);
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["faults"][0]["name"].as_str().expect("a name").to_owned()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // They talk to the runtime when they end.
        let _inside = self.runtime.enter();
        self.server = None;
        self.run = None;
    }
}

/// A free port of an address that nobody else listens on: one that is given up for a while is still
/// free afterwards.
pub(crate) fn free() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let [_, _, high, low] = process::id().to_be_bytes();
    let mine = 1 + NEXT.fetch_add(1, Ordering::Relaxed) % 254;
    format!("127.{}.{low}.{mine}:0", high.max(1))
}

/// What a client meets who asks for a path.
pub(crate) fn visit(address: SocketAddr, path: &str) -> Met {
    Ask::get(path).at(address, PATIENCE)
}

/// What is seen once it is as it should be: counters follow what they count by a moment.
pub(crate) fn until<T: Debug>(look: impl Fn() -> T, is: impl Fn(&T) -> bool) -> T {
    let start = Instant::now();
    loop {
        let seen = look();
        if is(&seen) {
            return seen;
        }
        assert!(start.elapsed() < PATIENCE, "it stays {seen:?}");
    }
}
