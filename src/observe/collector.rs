//! The one who comes by for what was said.

use crate::{
    event::Recorder,
    observe::{End, Journal, Observations},
};
use std::{
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

/// Fetches events on a thread of its own, where writing to a disk holds nobody up.
#[derive(Debug)]
pub struct Collector {
    seen: Arc<Mutex<Observations>>,
    stop: mpsc::Sender<End>,
    failed: watch::Receiver<Option<String>>,
    thread: JoinHandle<Collected>,
}

/// What was collected.
#[derive(Debug)]
pub struct Collected {
    /// The figures.
    pub observations: Observations,
    /// Why the record broke off, if it did.
    pub record: Result<(), io::Error>,
}

impl Collector {
    /// Starts to collect.
    ///
    /// # Errors
    ///
    /// Fails if the system gives no thread.
    pub fn start(recorder: Arc<Recorder>, journal: Option<Journal>) -> io::Result<Self> {
        let seen = Arc::new(Mutex::new(Observations::default()));
        let (stop, stopped) = mpsc::channel();
        let (fail, failed) = watch::channel(None);
        let work = Work { recorder, journal, seen: Arc::clone(&seen), fail, record: Ok(()) };
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

    /// Fetches what is left, closes the record, and hands over.
    pub fn finish(self, end: End) -> Collected {
        // A collector that is gone has stopped already.
        let _gone = self.stop.send(end);
        self.thread.join().unwrap_or_else(|_| Collected {
            observations: Observations::default(),
            record: Err(io::Error::other("the collector failed")),
        })
    }
}

struct Work {
    recorder: Arc<Recorder>,
    journal: Option<Journal>,
    seen: Arc<Mutex<Observations>>,
    fail: watch::Sender<Option<String>>,
    record: Result<(), io::Error>,
}

impl Work {
    fn run(mut self, stopped: &mpsc::Receiver<End>) -> Collected {
        let end = loop {
            match stopped.recv_timeout(PERIOD) {
                Err(RecvTimeoutError::Timeout) => self.fetch(),
                Ok(end) => break end,
                Err(RecvTimeoutError::Disconnected) => break End::Lost,
            }
        };
        self.fetch();
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(mut journal) = self.journal.take() {
            let ended = journal.end(end, seen.exchanges, seen.dropped);
            self.record = std::mem::replace(&mut self.record, Ok(())).and(ended);
        }
        Collected { observations: seen, record: self.record }
    }

    fn fetch(&mut self) {
        let batch = self.recorder.fetch();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.dropped = batch.dropped;
        for event in &batch.events {
            seen.fold(event);
        }
        drop(seen);
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
