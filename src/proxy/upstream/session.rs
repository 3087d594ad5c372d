//! Connections to the upstream on which HTTP/2 is spoken: many exchanges at a time on few of them.

use crate::proxy::{
    ctl::lock,
    http2::{MAX_STREAMS, Parcel},
    introduce::Who,
    upstream::{metered::Metered, pool::TaskGuard},
};
use h2::client::{Builder, SendRequest};
use std::{
    future::{Future as _, poll_fn},
    pin::pin,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

/// Connections that are made before requests have to wait for room on one.
const MAX_SESSIONS: usize = 64;
/// How long one may be without a stream, once to twice.
const IDLE_LIMIT: Duration = Duration::from_secs(20);
/// What the upstream may send on a stream before somebody reads it, and on all of them: one that
/// nobody reads holds no other.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// What waits to be written of a stream.
const SEND_BUFFER: usize = 64 * 1024;
/// The largest head of an answer.
const MAX_HEAD: u32 = 64 * 1024;

/// How long the upstream's first word on a connection, which says how many streams it takes, is waited
/// for. It has it ready: it needs to hear nothing before.
const FIRST_WORD: Duration = Duration::from_secs(1);
/// How many streams an upstream takes that has not said so yet. Nobody says just that.
const UNKNOWN: usize = 1_000_003;

/// One of them; dropping it, and all that it carries, closes it.
#[derive(Debug)]
pub(super) struct Session {
    sender: SendRequest<Parcel>,
    /// Whom it is of use to, if it is not of use to everybody.
    whose: Option<Who>,
    _task: TaskGuard,
    /// It is closed, or is to carry nothing more.
    over: Arc<AtomicBool>,
    /// Exchanges that it carries.
    active: AtomicUsize,
    /// It carried nothing when it was last looked at.
    was_idle: AtomicBool,
}

impl Session {
    /// Begins to speak HTTP/2 on a connection, and hears what the upstream has to say first: more streams
    /// than it takes would be refused.
    pub(super) async fn new(io: Metered, whose: Option<Who>) -> Result<Arc<Self>, h2::Error> {
        let (sender, connection) = Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buffer_size(SEND_BUFFER)
            .max_header_list_size(MAX_HEAD)
            .initial_max_send_streams(UNKNOWN)
            .handshake(io)
            .await?;
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        let (tell, first_word) = oneshot::channel();
        let mut tell = Some((tell, sender.clone()));
        let task = tokio::spawn(async move {
            let mut connection = pin!(connection);
            let served = poll_fn(|cx| {
                let served = connection.as_mut().poll(cx);
                if let Some((tell, _)) = tell.take_if(|(_, sender)| has_said(sender)) {
                    let _nobody = tell.send(Ok(()));
                }
                served
            });
            let served = served.await;
            ended.store(true, Ordering::Release);
            // From now on its failure reaches whoever waits for an answer.
            if let Some((tell, _)) = tell {
                let _nobody = tell.send(served);
            }
        });
        let task = TaskGuard::new(task);
        // If it says nothing, a request may still be what it waits for.
        if let Ok(Ok(Err(error))) = timeout(FIRST_WORD, first_word).await {
            return Err(error);
        }
        Ok(Arc::new(Self {
            sender,
            whose,
            _task: task,
            over,
            active: AtomicUsize::new(0),
            was_idle: AtomicBool::new(false),
        }))
    }

    /// A place on it for one exchange.
    pub(super) fn place(self: &Arc<Self>) -> Place {
        self.active.fetch_add(1, Ordering::AcqRel);
        Place(Arc::clone(self))
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    fn has_room(&self) -> bool {
        let most = self.sender.current_max_send_streams().min(MAX_STREAMS as usize);
        self.active.load(Ordering::Acquire) < most
    }
}

/// Whether the upstream has said how many streams it takes.
fn has_said(sender: &SendRequest<Parcel>) -> bool {
    sender.current_max_send_streams() != UNKNOWN
}

/// A place for one exchange; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<Session>);

impl Place {
    /// What sends a request, if the connection takes any.
    pub(super) async fn ready(&self) -> Result<SendRequest<Parcel>, h2::Error> {
        self.0.sender.clone().ready().await
    }

    /// The connection is to carry nothing more.
    pub(super) fn forget(&self) {
        self.0.over.store(true, Ordering::Release);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::AcqRel);
    }
}

/// All that are open.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: Mutex<Vec<Arc<Session>>>,
    /// One at a time: whoever else needs a connection waits for that one.
    pub(super) dialling: tokio::sync::Mutex<()>,
    /// Whether somebody comes by to close those that are idle.
    swept: AtomicBool,
}

impl Sessions {
    /// One with room for another stream; any, if there are too many.
    pub(super) fn with_room(&self, whose: Option<Who>) -> Option<Place> {
        let mut open = lock(&self.open);
        open.retain(|session| !session.is_over());
        if let Some(found) =
            open.iter().find(|session| session.whose == whose && session.has_room())
        {
            return Some(found.place());
        }
        let full = open.len() >= MAX_SESSIONS;
        let useful = open.iter().filter(|session| session.whose == whose);
        let least = useful.min_by_key(|session| session.active.load(Ordering::Acquire));
        least.filter(|_| full).map(Session::place)
    }

    /// Takes in a new one, and gives a place on it.
    pub(super) fn put(self: &Arc<Self>, session: Arc<Session>) -> Place {
        let place = session.place();
        lock(&self.open).push(session);
        if !self.swept.swap(true, Ordering::Relaxed) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
        place
    }
}

/// Closes those without a stream for too long, until none is left.
async fn sweep(sessions: Weak<Sessions>) {
    loop {
        sleep(IDLE_LIMIT).await;
        let Some(sessions) = sessions.upgrade() else {
            return;
        };
        let mut open = lock(&sessions.open);
        open.retain(|session| {
            let idle = session.active.load(Ordering::Acquire) == 0;
            let before = session.was_idle.swap(idle, Ordering::Relaxed);
            !(session.is_over() || idle && before)
        });
        if open.is_empty() {
            sessions.swept.store(false, Ordering::Relaxed);
            return;
        }
    }
}
