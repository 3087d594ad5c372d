//! A service in bytes: it answers what it is told to and remembers what it got.

use crate::support::{End, Message, Wire, eventually};
use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// What an upstream saw.
#[derive(Debug, Default)]
pub(crate) struct Log {
    connections: AtomicUsize,
    requests: Mutex<Vec<Message>>,
    ends: Mutex<Vec<End>>,
}

impl Log {
    pub(crate) fn got(&self, request: Message) {
        self.requests.lock().expect("no panic").push(request);
    }

    pub(crate) fn ended(&self, end: End) {
        self.ends.lock().expect("no panic").push(end);
    }
}

/// A service that listens, until it is dropped.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    log: Arc<Log>,
    _tasks: JoinSet<()>,
}

impl Upstream {
    /// Answers every request alike, after it was read to its end.
    pub(crate) async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<[u8]> = answer.into().into();
        Self::scripted(move |mut wire, log| {
            let answer = Arc::clone(&answer);
            async move {
                while let Some(request) = wire.request().await {
                    log.got(request);
                    if wire.try_send(&answer).await.is_err() {
                        return;
                    }
                }
                log.ended(wire.end().await);
            }
        })
        .await
    }

    /// Answers the only request of each connection when it is told to.
    pub(crate) async fn holding(answer: impl Into<Vec<u8>>) -> (Self, watch::Sender<bool>) {
        let answer: Arc<[u8]> = answer.into().into();
        let (go, wait) = watch::channel(false);
        let upstream = Self::scripted(move |mut wire, log| {
            let (mut wait, answer) = (wait.clone(), Arc::clone(&answer));
            async move {
                log.got(wire.request().await.expect("a request"));
                wait.wait_for(|go| *go).await.expect("the test goes on");
                wire.send(&answer).await;
                wire.end().await;
            }
        });
        (upstream.await, go)
    }

    /// Does on each connection as the script says.
    pub(crate) async fn scripted<F, Fut>(script: F) -> Self
    where
        F: Fn(Wire<TcpStream>, Arc<Log>) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let log = Arc::new(Log::default());
        let seen = Arc::clone(&log);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                seen.connections.fetch_add(1, Ordering::SeqCst);
                connections.spawn(script(Wire::tcp(stream), Arc::clone(&seen)));
            }
        });
        Self { address, log, _tasks: tasks }
    }

    /// How many connections it accepted.
    pub(crate) fn connections(&self) -> usize {
        self.log.connections.load(Ordering::SeqCst)
    }

    /// The requests it got, in the order of their ends.
    pub(crate) fn requests(&self) -> Vec<Message> {
        self.log.requests.lock().expect("no panic").clone()
    }

    /// The only request it got.
    pub(crate) fn request(&self) -> Message {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    /// Waits until so many of its connections have ended, and says how.
    pub(crate) async fn ends(&self, count: usize) -> Vec<End> {
        let ends = || self.log.ends.lock().expect("no panic").clone();
        eventually("the upstream's connections end", || (ends().len() >= count).then(ends)).await
    }
}
