//! An upstream in memory, where time is a test's own.

use crate::support::{Message, Wire};
use firedrill::proxy::{Connector, Dial, UpstreamIo};
use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
};
use tokio::{io::DuplexStream, sync::mpsc, time::Instant};

type Script = dyn Fn(Wire<DuplexStream>, Arc<Heard>) -> Pin<Box<dyn Future<Output = ()> + Send>>
    + Send
    + Sync;

/// What an upstream heard, and when.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<Vec<(Instant, Message)>>);

impl Heard {
    pub(crate) fn got(&self, request: Message) {
        self.0.lock().expect("no panic").push((Instant::now(), request));
    }

    /// When each request came to its end.
    pub(crate) fn times(&self) -> Vec<Instant> {
        self.0.lock().expect("no panic").iter().map(|(at, _)| *at).collect()
    }

    /// The requests.
    pub(crate) fn requests(&self) -> Vec<Message> {
        self.0.lock().expect("no panic").iter().map(|(_, request)| request.clone()).collect()
    }
}

/// Dials a script.
struct Scripted {
    script: Box<Script>,
    heard: Arc<Heard>,
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

impl Dial for Scripted {
    fn dial(&self) -> Pin<Box<dyn Future<Output = io::Result<UpstreamIo>> + Send>> {
        let (near, far) = tokio::io::duplex(64 * 1024);
        tokio::spawn((self.script)(Wire::memory(far), Arc::clone(&self.heard)));
        Box::pin(async move { Ok(UpstreamIo::Memory(near)) })
    }
}

/// A connector to a script, and what is heard there.
pub(crate) fn scripted<F, Fut>(script: F) -> (Connector, Arc<Heard>)
where
    F: Fn(Wire<DuplexStream>, Arc<Heard>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let (dial, heard) = dialled(script);
    (Connector::custom(dial), heard)
}

fn dialled<F, Fut>(script: F) -> (Arc<dyn Dial>, Arc<Heard>)
where
    F: Fn(Wire<DuplexStream>, Arc<Heard>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let script: Box<Script> = Box::new(move |wire, heard| Box::pin(script(wire, heard)));
    let heard = Arc::new(Heard::default());
    (Arc::new(Scripted { script, heard: Arc::clone(&heard) }), heard)
}

/// A connector to an upstream that answers every request alike and at once.
pub(crate) fn answering(answer: impl Into<Vec<u8>>) -> (Connector, Arc<Heard>) {
    let answer: Arc<[u8]> = answer.into().into();
    scripted(move |mut wire, heard| {
        let answer = Arc::clone(&answer);
        async move {
            while let Some(request) = wire.request().await {
                heard.got(request);
                if wire.try_send(&answer).await.is_err() {
                    return;
                }
            }
        }
    })
}

/// A connector to an upstream that sends everything back as it comes, and ends when its peer does.
pub(crate) fn echoing() -> Connector {
    Connector::custom(echo())
}

/// The way to such an upstream.
pub(crate) fn echo() -> Arc<dyn Dial> {
    let echo = |mut wire: Wire<DuplexStream>, _| async move {
        while let Some(bytes) = wire.some().await {
            if wire.try_send(bytes).await.is_err() {
                return;
            }
        }
    };
    dialled(echo).0
}

/// The upstream's ends of connections, in the order in which they were dialled.
#[derive(Debug)]
pub(crate) struct Ends(mpsc::Receiver<Wire<DuplexStream>>);

impl Ends {
    /// The next one, when it is dialled.
    pub(crate) async fn next(&mut self) -> Wire<DuplexStream> {
        self.0.recv().await.expect("somebody dials")
    }
}

/// A connector whose other ends are a test's own.
pub(crate) fn held() -> (Connector, Ends) {
    let (ends, taken) = mpsc::channel(4_096);
    let hand_over = move |wire, _| {
        // Nobody looks at it any more when the test is over.
        let _handed_over = ends.try_send(wire);
        std::future::ready(())
    };
    (scripted(hand_over).0, Ends(taken))
}

/// A connector that never gets through.
pub(crate) fn unanswered() -> Connector {
    #[derive(Debug)]
    struct Unanswered;
    impl Dial for Unanswered {
        fn dial(&self) -> Pin<Box<dyn Future<Output = io::Result<UpstreamIo>> + Send>> {
            Box::pin(std::future::pending())
        }
    }
    Connector::custom(Arc::new(Unanswered))
}
