//! Many users at once, and what came to whom.

use crate::support::client::{Ask, Connection, Met, PATIENCE};
use std::{
    collections::BTreeSet,
    io,
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Users who ask at the same time.
const AT_ONCE: usize = 8;

/// The names of `count` users.
pub(crate) fn users(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("user-{at}")).collect()
}

/// Everybody asks, and waits for their answer; in the order of the asks.
pub(crate) fn ask_all(address: SocketAddr, asks: &[Ask]) -> Vec<Met> {
    let (next, all) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(asks.len())));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let mut connection = Connection::to(address);
                while let Some((at, ask)) = take(&next, asks) {
                    let met = connection.ask(ask, PATIENCE);
                    all.lock().expect("no panic").push((at, met));
                }
            });
        }
    });
    let mut all = all.into_inner().expect("no panic");
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, met)| met).collect()
}

fn take<'a>(next: &AtomicUsize, asks: &'a [Ask]) -> Option<(usize, &'a Ask)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    Some((at, asks.get(at)?))
}

/// The users among whom the answers to `ask` fit `what`.
pub(crate) fn those(
    address: SocketAddr,
    users: &[String],
    ask: impl Fn(&str) -> Ask,
    what: impl Fn(&Met) -> bool,
) -> BTreeSet<String> {
    let asks: Vec<Ask> = users.iter().map(|user| ask(user).user(user)).collect();
    let met = ask_all(address, &asks);
    users.iter().zip(met).filter(|(_, met)| what(met)).map(|(user, _)| user.clone()).collect()
}

/// Sends everything, each on a connection of its own, and waits for nothing.
pub(crate) fn send_all(address: SocketAddr, asks: &[Ask]) -> Vec<Connection> {
    raise_file_limit();
    let sent = asks.iter().map(|ask| {
        let mut connection = Connection::to(address);
        connection.send(ask).map(|()| connection)
    });
    sent.collect::<io::Result<_>>().expect("they are taken")
}

/// What came of what was sent, until `patience` with all of it has ended.
pub(crate) fn hear_all(connections: &mut [Connection], patience: Duration) -> Vec<Met> {
    let until = Instant::now() + patience;
    let left = || until.saturating_duration_since(Instant::now());
    connections.iter_mut().map(|connection| connection.hear(left())).collect()
}

/// Both ends of each connection, and both sides of the proxy, are files of this process.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("it is allowed");
}

/// Holds a count against what a share of `of` independent draws comes to: four standard deviations
/// either way, and no less than one.
pub(crate) fn is_near(count: usize, of: usize, share: f64) {
    let (n, counted) = (of as f64, count as f64);
    let deviation = (n * share * (1.0 - share)).sqrt();
    assert!(
        (counted - n * share).abs() <= (4.0 * deviation).max(1.0),
        "{count} of {of} where {:.1} ± {:.1} were to be expected",
        n * share,
        4.0 * deviation,
    );
}
