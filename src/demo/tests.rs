//! Clients against shops and worse, over pipes in memory: the tests own the time.

use super::*;
use crate::demo::{
    client::{Call, Manner, Want, Wire},
    io::Stream,
};
use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

const SEED: Seed = Seed(7);

/// A pipe whose far end `serve` gets, for every connection.
fn pipe(serve: impl Fn(DuplexStream) + Send + Sync + 'static) -> Dialer {
    Dialer::new(move || {
        let (near, far) = duplex(64 * 1024);
        serve(far);
        async { Ok(near) }
    })
}

/// A server that answers the n-th request with what `script` says: nothing means it hangs up.
/// Also counts the requests.
fn scripted(script: fn(u64) -> &'static str) -> (Dialer, Arc<AtomicU64>) {
    let seen = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&seen);
    let dialer = pipe(move |mut stream| {
        let counter = Arc::clone(&counter);
        tokio::spawn(async move {
            let mut request = [0; 4096];
            // A request of a test is one write, so one read.
            while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                let answer = script(counter.fetch_add(1, Ordering::Relaxed));
                if answer.is_empty() || stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
    });
    (dialer, seen)
}

/// The shop behind a relay that loses the answer to every other purchase, counting its losses.
fn lossy(shop: &Arc<Shop>) -> (Dialer, Arc<AtomicU64>) {
    let lost = Arc::new(AtomicU64::new(0));
    let (shop, losses, purchases) = (Arc::clone(shop), Arc::clone(&lost), AtomicU64::new(0));
    let purchases = Arc::new(purchases);
    let dialer = pipe(move |stream| {
        let (to_shop, far) = duplex(64 * 1024);
        shop.serve(far);
        tokio::spawn(relay(stream, to_shop, Arc::clone(&purchases), Arc::clone(&losses)));
    });
    (dialer, lost)
}

async fn relay(
    mut client: impl Stream,
    mut shop: impl Stream,
    purchases: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
) -> Option<()> {
    let mut bytes = [0; 4096];
    loop {
        let read = client.read(&mut bytes).await.ok().filter(|&read| read > 0)?;
        let purchase = bytes.starts_with(b"POST");
        shop.write_all(&bytes[..read]).await.ok()?;
        let read = shop.read(&mut bytes).await.ok().filter(|&read| read > 0)?;
        if purchase && purchases.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            lost.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        client.write_all(&bytes[..read]).await.ok()?;
    }
}

fn browse(nth: u64) -> Call {
    Call { id: format!("browse-{nth}"), want: Want::List }
}

fn purchase(nth: u64) -> Call {
    Call { id: format!("order-{nth}"), want: Want::Purchase { amount: 999 } }
}

/// One user does these operations, one after the other without thinking.
async fn operate(policy: Policy, dialer: Dialer, calls: impl IntoIterator<Item = Call>) -> Tally {
    let mut wire = Wire::new("somebody".to_owned(), dialer, Instant::now());
    let mut client = (policy.make)(SEED, 0);
    for call in calls {
        wire.operate(client.as_mut(), &call).await;
    }
    wire.close()
}

async fn shop() -> Arc<Shop> {
    Arc::new(Shop::start().await.expect("a loopback port"))
}

fn behind(shop: &Arc<Shop>) -> Dialer {
    let shop = Arc::clone(shop);
    pipe(move |stream| shop.serve(stream))
}

const DOWN: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn naive_sends_six_attempts_at_once_into_an_outage() {
    let (dialer, seen) = scripted(|_| DOWN);

    let tally = operate(naive::POLICY, dialer, (0..10).map(browse)).await;

    assert_eq!(seen.load(Ordering::Relaxed), 60);
    assert_eq!((tally.operations, tally.failed, tally.attempts), (10, 10, 60));
    assert_eq!(tally.worst, Duration::ZERO);
    assert_eq!(tally.peak_per_second(), 60);
}

#[tokio::test(start_paused = true)]
async fn naive_keeps_its_user_a_minute_before_a_silent_service() {
    // Held open and never answered.
    let dialer = pipe(|stream| {
        tokio::spawn(async move { (stream, pending::<()>().await) });
    });

    let tally = operate(naive::POLICY, dialer, [browse(0)]).await;

    assert_eq!(tally.attempts, 6);
    // Six times ten seconds; the timers' own slack is a millisecond each.
    assert!(tally.worst.abs_diff(Duration::from_secs(60)) < Duration::from_millis(10));
    assert!(tally.log.iter().all(|attempt| attempt.ending == Some(Ending::TimedOut)));
}

#[tokio::test(start_paused = true)]
async fn naive_pays_once_more_for_every_answer_that_is_lost() {
    let shop = shop().await;
    let (dialer, lost) = lossy(&shop);

    let tally = operate(naive::POLICY, dialer, (0..10).map(purchase)).await;

    let account = shop.ledger().account("order-");
    assert_eq!(tally.purchases, 10);
    assert_eq!(account.orders, 10);
    assert_eq!(lost.load(Ordering::Relaxed), 10);
    assert_eq!(account.duplicate_charges(), 10);
}

#[tokio::test(start_paused = true)]
async fn the_shop_charges_a_keyed_purchase_once_and_an_unkeyed_one_each_time() {
    let shop = shop().await;
    let mut wire = Wire::new("somebody".to_owned(), behind(&shop), Instant::now());
    let keyed = Manner { timeout: Duration::from_secs(1), keyed: true, reuse: true };

    for _ in 0..3 {
        let reply = wire.attempt(&purchase(0), keyed).await.expect("an answer");
        assert_eq!(reply.status, 201);
    }
    let changed = Call { want: Want::Purchase { amount: 1 }, ..purchase(0) };
    let changed = wire.attempt(&changed, keyed).await.expect("an answer");
    for _ in 0..3 {
        let unkeyed = Manner { keyed: false, ..keyed };
        wire.attempt(&purchase(1), unkeyed).await.expect("an answer");
    }

    assert_eq!(changed.status, 422);
    assert_eq!(shop.ledger().account("order-0"), Account { orders: 1, charges: 1 });
    assert_eq!(shop.ledger().account("order-1"), Account { orders: 1, charges: 3 });
    assert_eq!(shop.ledger().requests_per_second().iter().sum::<u32>(), 7);
}

#[tokio::test(start_paused = true)]
async fn the_shop_sells_what_it_has_and_takes_its_time() {
    let shop = shop().await;
    let mut wire = Wire::new("somebody".to_owned(), behind(&shop), Instant::now());
    let manner = Manner { timeout: Duration::from_secs(1), keyed: false, reuse: true };

    for (want, status) in [(Want::List, 200), (Want::Item(1), 200), (Want::Item(99), 404)] {
        let asked = Instant::now();
        let reply = wire.attempt(&Call { id: String::new(), want }, manner).await;
        assert_eq!(reply.expect("an answer").status, status);
        let took = asked.elapsed();
        assert!((2..=6).contains(&took.as_millis()), "{took:?}");
    }
}
