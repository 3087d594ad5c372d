//! The one who comes by for what was said.

use crate::{
    event::{Event, Recorder},
    observe::{End, Ending, Journal, Observations},
};
use std::{
    fmt::Debug,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::watch;

/// How often it comes by.
const PERIOD: Duration = Duration::from_millis(50);

/// Somebody who wants to hear of every event.
pub trait Listener: Debug + Send + 'static {
    /// Something happened.
    fn hear(&mut self, event: &Event);
}

/// Nobody.
impl Listener for () {
    fn hear(&mut self, _event: &Event) {}
}

/// Fetches events on a thread of its own, where writing to a disk holds nobody up.
#[derive(Debug)]
pub struct Collector<L> {
    seen: Arc<Mutex<Observations>>,
    stop: mpsc::Sender<Ending>,
    failed: watch::Receiver<Option<String>>,
    thread: JoinHandle<Collected<L>>,
}

/// What was collected.
#[derive(Debug)]
pub struct Collected<L> {
    /// The figures.
    pub observations: Observations,
    /// The listener, who has heard everything; `None` if it failed.
    pub listener: Option<L>,
    /// Why the record broke off, if it did.
    pub record: Result<(), io::Error>,
}

impl<L: Listener> Collector<L> {
    /// Starts to collect.
    ///
    /// # Errors
    ///
    /// Fails if the system gives no thread.
    pub fn start(
        recorder: Arc<Recorder>,
        journal: Option<Journal>,
        listener: L,
    ) -> io::Result<Self> {
        let seen = Arc::new(Mutex::new(Observations::default()));
        let (stop, stopped) = mpsc::channel();
        let (fail, failed) = watch::channel(None);
        let work =
            Work { recorder, journal, listener, seen: Arc::clone(&seen), fail, record: Ok(()) };
        let thread = std::thread::Builder::new()
            .name("collector".into())
            .spawn(move || work.run(&stopped))?;
        Ok(Self { seen, stop, failed, thread })
    }

    /// Looks at the figures so far.
    pub fn look<T>(&self, look: impl FnOnce(&Observations) -> T) -> T {
        look(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells why the record could not be written any further, as soon as that is so.
    pub fn failed(&self) -> watch::Receiver<Option<String>> {
        self.failed.clone()
    }

    /// Fetches what is left, closes the record with how the drill ended (what was counted here is
    /// filled in), and hands over.
    pub fn finish(self, ending: Ending) -> Collected<L> {
        // A collector that is gone has stopped already.
        let _gone = self.stop.send(ending);
        self.thread.join().unwrap_or_else(|_| Collected {
            observations: Observations::default(),
            listener: None,
            record: Err(io::Error::other("the collector failed")),
        })
    }
}

struct Work<L> {
    listener: L,
    recorder: Arc<Recorder>,
    journal: Option<Journal>,
    seen: Arc<Mutex<Observations>>,
    fail: watch::Sender<Option<String>>,
    record: Result<(), io::Error>,
}

impl<L: Listener> Work<L> {
    fn run(mut self, stopped: &mpsc::Receiver<Ending>) -> Collected<L> {
        let ending = loop {
            match stopped.recv_timeout(PERIOD) {
                Err(RecvTimeoutError::Timeout) => self.fetch(),
                Ok(ending) => break ending,
                Err(RecvTimeoutError::Disconnected) => break Ending::of(End::Lost),
            }
        };
        self.fetch();
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(mut journal) = self.journal.take() {
            let exchanges = seen.exchanges + seen.wrappings;
            let ending = Ending { exchanges, dropped: seen.dropped, ..ending };
            let ended = journal.end(&ending);
            self.record = std::mem::replace(&mut self.record, Ok(())).and(ended);
        }
        Collected { observations: seen, listener: Some(self.listener), record: self.record }
    }

    fn fetch(&mut self) {
        let batch = self.recorder.fetch();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.dropped = batch.dropped;
        for event in &batch.events {
            seen.fold(event);
        }
        drop(seen);
        for event in &batch.events {
            self.listener.hear(event);
        }
        let Some(journal) = &mut self.journal else {
            return;
        };
        if let Err(error) = journal.write(&batch.events) {
            // The rest would have a hole in it: the record ends here, and whoever runs the drill
            // is told.
            self.fail.send_replace(Some(error.to_string()));
            self.record = Err(error);
            self.journal = None;
        }
    }
}
