//! `overload`: a server of finite capacity.
//!
//! ```yaml
//! - overload: 200/s
//! - overload: { capacity: 200/s -> 50/s, queue: 100, status: 503, retry_after: 5s }
//! ```
//!
//! All requests it is meant for stand in one queue, in front of a server that takes one every
//! `1 / capacity`. Who comes to an idle server is let in at once; with the load the queue grows,
//! and with it the wait; who finds `queue` requests waiting is answered 503 at once. So a client
//! that repeats what was slow makes it slower, as in life: one that gives up leaves its place in the
//! queue behind, since a server does not notice.
//!
//! Each request's turn is settled when it comes, by the capacity at that moment: from the times of
//! arrival follows everything else. It differs from `rate_limit`, which turns away and never holds,
//! and from `latency`, which does not depend on the load.

use crate::{
    fault::{
        Canned, Cx, Denial, Effect, Fault, Stage, Tick,
        canned::{bare, read_status, whole_seconds},
        catalog::{Entry, Layer, Protocol, Traffic},
        form::is_curve,
        queue::pop_if,
    },
    read::{Field, Kind, Reader, Shape},
    timeline::{Moment, Moving},
    units::RequestRate,
    yaml::{Node, Spanned},
};
use http::{HeaderValue, StatusCode, header};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "overload",
    layer: Layer::Message,
    protocols: Protocol::HTTP,
    traffic: Traffic::Http,
    summary: "a server of finite capacity: a queue that grows with the load, 503 when it is full",
    about: "Requests stand in one queue, in front of a server that takes `capacity` of them in a
second. An idle server takes a request at once; with the load the queue grows, and with it the wait.
Who finds `queue` requests waiting (100 unless given; 0 is a server without a queue) is answered 503,
or `status`, at once, with a `retry-after` if `retry_after` is given. A client that gives up leaves
its work in the queue, so retries make it worse, as in life. The wait comes on top of what the
upstream takes. When the phase or the drill ends, whoever waits is let in. The capacity is in real
time, and may move: a request's wait is settled when it comes.",
    examples: &[
        "overload: 200/s",
        "overload: { capacity: 200/s, queue: 100 }",
        "overload: { capacity: 200/s -> 50/s, queue: 20, status: 502, retry_after: 5s }",
    ],
    kind: Kind::Any(&[CAPACITY, Kind::Map(&SHAPE)]),
    read,
};

const CAPACITY: Kind = Kind::Moving(&Kind::Requests);

static SHAPE: Shape = Shape {
    what: "`overload`",
    fields: &[
        Field::required("capacity", CAPACITY, "how many requests are taken, such as `200/s`"),
        Field::optional(
            "queue",
            Kind::Integer(0, MOST_WAITING),
            "how many may wait, 100 by default; 0 is a server without a queue",
        ),
        Field::optional(
            "status",
            Kind::Integer(200, 599),
            "the answer when the queue is full, 503 by default",
        ),
        Field::optional(
            "retry_after",
            Kind::Duration,
            "sent with that answer as `retry-after` in whole seconds, rounded up",
        ),
    ],
};

const MOST_WAITING: i64 = 1_000_000;

/// Lets in what a server can take.
#[derive(Debug)]
struct Overload {
    capacity: Arc<Moving<RequestRate>>,
    queue: usize,
    full: Arc<Canned>,
    server: Mutex<Server>,
}

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let mut full = bare(StatusCode::SERVICE_UNAVAILABLE);
    let mut queue = 100;
    let capacity = if !matches!(node.value, Node::Map(_)) || is_curve(&node.value) {
        reader.moving(node)?
    } else {
        let fields = reader.fields(node, &SHAPE)?;
        if let Some(node) = fields.get("queue") {
            queue = usize::try_from(reader.integer(node, 0, MOST_WAITING)?).unwrap_or(0);
        }
        if let Some(status) = fields.get("status") {
            full = bare(read_status(status, reader)?);
        }
        if let Some(after) = fields.get("retry_after") {
            let seconds = whole_seconds(reader.quantity(after)?);
            full.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        reader.moving(fields.get("capacity")?)?
    };
    let (capacity, full) = (Arc::new(capacity), Arc::new(full));
    Some(Arc::new(Overload { capacity, queue, full, server: Mutex::default() }))
}

/// A server that takes one request after the other.
#[derive(Debug, Default)]
struct Server {
    /// When it can take another one.
    free: Tick,
    /// The turns of those who wait, in order.
    turns: VecDeque<Tick>,
}

impl Server {
    /// How long a request that comes now waits for its turn; `None` if so many wait that it is
    /// turned away. The server is busy with it for as long as it says.
    fn arrive(&mut self, now: Tick, busy: Duration, room: usize) -> Option<Duration> {
        while pop_if(&mut self.turns, |turn| *turn <= now).is_some() {}
        let turn = self.free.max(now);
        if turn > now {
            if self.turns.len() >= room {
                return None;
            }
            self.turns.push_back(turn);
        }
        self.free = turn + busy;
        Some(turn.saturating_sub(now))
    }
}

impl Fault for Overload {
    fn stages(&self) -> &'static [Stage] {
        &[Stage::Admission]
    }

    fn decide(&self, _stage: Stage, cx: &Cx) -> Effect {
        let busy = Duration::from_secs_f64(1.0 / self.capacity.at(&cx.moment).per_second());
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        match server.arrive(cx.now, busy, self.queue) {
            None => Effect::Respond(Arc::clone(&self.full)),
            Some(Duration::ZERO) => Effect::Pass,
            Some(wait) => Effect::Queue(wait),
        }
    }

    fn armed(&self) -> Option<Arc<dyn Fault>> {
        Some(Arc::new(Self {
            capacity: Arc::clone(&self.capacity),
            queue: self.queue,
            full: Arc::clone(&self.full),
            server: Mutex::default(),
        }))
    }

    fn follows_load(&self) -> bool {
        true
    }

    fn moves(&self) -> bool {
        self.capacity.moves()
    }

    fn strength(&self, moment: &Moment) -> f64 {
        // Time per request: half the capacity is twice as hard.
        1.0 / self.capacity.at(moment).per_second()
    }

    fn denies(&self) -> Denial {
        Denial::Perhaps
    }

    fn describe(&self) -> String {
        let mut text = format!("{} taken, ", self.capacity.show());
        match self.queue {
            0 => text.push_str("none wait"),
            queue => text.push_str(&format!("{queue} wait")),
        }
        text.push_str(&format!(", else {}", self.full.status.as_u16()));
        if let Some(after) = self.full.headers.get(header::RETRY_AFTER)
            && let Ok(after) = after.to_str()
        {
            text.push_str(&format!(", retry after {after}s"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diag::Code,
        fault::support::{codes, cx_at, fault},
    };

    const MS: Duration = Duration::from_millis(1);

    /// What becomes of a request that comes at a time of a phase of a minute: its wait, or the
    /// status it is turned away with.
    fn arrive(fault: &dyn Fault, at: Tick) -> Result<Duration, u16> {
        match fault.decide(Stage::Admission, &cx_at(0, at)) {
            Effect::Pass => Ok(Duration::ZERO),
            Effect::Queue(wait) => Ok(wait),
            Effect::Respond(canned) => Err(canned.status.as_u16()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_wait_grows_with_the_queue_and_who_finds_it_full_is_turned_away() {
        let fault = fault("overload: { capacity: 200/s, queue: 3 }");
        let at_once: Vec<_> = (0..6).map(|_| arrive(&*fault, Tick::ZERO)).collect();
        let wait = |ms: u32| Ok(MS * ms);
        assert_eq!(at_once, [wait(0), wait(5), wait(10), wait(15), Err(503), Err(503)]);
        // One was taken at 5 ms, so that there is one place.
        assert_eq!([0, 0].map(|_| arrive(&*fault, 5 * MS)), [wait(15), Err(503)]);
    }

    #[test]
    fn below_its_capacity_nobody_waits_and_beyond_it_what_is_too_much_piles_up() {
        let calm = fault("overload: { capacity: 100/s, queue: 1000000 }");
        assert!((0..10_000).all(|nth| arrive(&*calm, 10 * MS * nth) == Ok(Duration::ZERO)));
        // Twice the capacity: each waits half a service longer than the one before.
        let storm = fault("overload: { capacity: 100/s, queue: 1000000 }");
        for nth in 0..1_000_u32 {
            assert_eq!(arrive(&*storm, 5 * MS * nth), Ok(5 * MS * nth));
        }
        // After that, the queue of 500 is worked off in five seconds.
        assert_eq!(arrive(&*storm, 5_000 * MS), Ok(5_000 * MS));
        assert_eq!(arrive(&*storm, 10_010 * MS), Ok(Duration::ZERO));
    }

    #[test]
    fn a_full_queue_takes_exactly_the_capacity() {
        let fault = fault("overload: { capacity: 100/s, queue: 5 }");
        let taken = (0..10_000_u32).filter(|nth| arrive(&*fault, MS * *nth).is_ok());
        // Ten seconds of service, and those who stand in the queue then.
        assert_eq!(taken.count(), 1_000 + 5);
    }

    #[test]
    fn a_server_without_a_queue_turns_away_whoever_comes_while_it_is_busy() {
        let fault = fault("overload: { capacity: 10/s, queue: 0, status: 502 }");
        let came = [0, 99, 100, 150, 200].map(|at| arrive(&*fault, MS * at));
        let taken = Ok(Duration::ZERO);
        assert_eq!(came, [taken, Err(502), taken, Err(502), taken]);
    }

    #[test]
    fn a_hundred_wait_unless_it_says_otherwise() {
        let fault = fault("overload: 1/s");
        let taken = (0..200).filter(|_| arrive(&*fault, Tick::ZERO).is_ok());
        assert_eq!(taken.count(), 101);
    }

    #[test]
    fn a_capacity_that_moves_is_the_one_of_the_arrival() {
        let fault = fault("overload: 100/s -> 10/s");
        assert_eq!([0, 0].map(|_| arrive(&*fault, Tick::ZERO)), [Ok(Duration::ZERO), Ok(10 * MS)]);
        // Half-way it is 55/s.
        let halfway = Duration::from_secs(30);
        let busy = Duration::from_secs_f64(1.0 / 55.0);
        assert_eq!([0, 0].map(|_| arrive(&*fault, halfway)), [Ok(Duration::ZERO), Ok(busy)]);
    }

    #[test]
    fn the_time_to_come_again_is_sent_if_it_is_given() {
        for (entry, after) in [
            ("overload: { capacity: 1/s, queue: 0 }", None),
            ("overload: { capacity: 1/s, queue: 0, retry_after: 1500ms }", Some("2")),
        ] {
            let fault = fault(entry);
            assert!(arrive(&*fault, Tick::ZERO).is_ok());
            let Effect::Respond(canned) = fault.decide(Stage::Admission, &cx_at(0, MS)) else {
                panic!("it is turned away");
            };
            let field = canned.headers.get("retry-after").and_then(|value| value.to_str().ok());
            assert_eq!(field, after);
        }
    }

    #[test]
    fn a_copy_for_another_run_has_an_idle_server() {
        let first = fault("overload: { capacity: 1/s, queue: 0 }");
        assert!(arrive(&*first, Tick::ZERO).is_ok());
        let second = first.armed().expect("it has a state");
        assert!(arrive(&*first, Tick::ZERO).is_err());
        assert!(arrive(&*second, Tick::ZERO).is_ok());
    }

    #[test]
    fn it_says_what_it_does() {
        for (entry, words) in [
            ("overload: 200/s", "200/s taken, 100 wait, else 503"),
            (
                "overload: { capacity: 200/s -> 50/s, queue: 0, status: 502, retry_after: 5s }",
                "200/s -> 50/s taken, none wait, else 502, retry after 5s",
            ),
        ] {
            assert_eq!(fault(entry).describe(), words);
        }
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for (entry, code) in [
            ("overload: 200", Code::E0201),
            ("overload: 0/s", Code::E0203),
            ("overload: {}", Code::E0103),
            ("overload: { capacity: 1/s, queue: -1 }", Code::E0203),
            ("overload: { capacity: 1/s, queue: many }", Code::E0003),
            ("overload: { capacity: 1/s, status: 100 }", Code::E0415),
        ] {
            assert_eq!(codes(entry), [code], "{entry}");
        }
    }
}
