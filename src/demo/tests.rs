//! Clients against shops and worse, over pipes in memory: the tests own the time.

use super::*;
use crate::demo::{
    client::{Call, Key, Manner, Want},
    io::Stream,
    wire::{Errand, Papers, Wire},
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

pub(super) const SEED: Seed = Seed(7);

/// A pipe whose far end `serve` gets, for every connection.
pub(super) fn pipe(serve: impl Fn(DuplexStream) + Send + Sync + 'static) -> Dialer {
    Dialer::new(move || {
        let (near, far) = duplex(64 * 1024);
        serve(far);
        async { Ok(near) }
    })
}

/// A server that answers the n-th request with what `script` says: nothing means it hangs up.
/// Also counts the requests.
pub(super) fn scripted(script: fn(u64) -> &'static str) -> (Dialer, Arc<AtomicU64>) {
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
pub(super) fn lossy(shop: &Arc<Shop>) -> (Dialer, Arc<AtomicU64>) {
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

pub(super) fn browse(nth: u64) -> Call {
    Call { id: format!("browse-{nth}"), want: Want::List }
}

pub(super) fn purchase(nth: u64) -> Call {
    Call { id: format!("order-{nth}"), want: Want::Purchase { amount: 999 } }
}

pub(super) fn client(name: &str) -> Policy {
    find(name).expect("a client")
}

pub(super) fn wire(dialer: Dialer) -> Wire {
    let papers = Papers { user: "somebody".to_owned(), agent: "a test".to_owned(), truth: false };
    Wire::new(papers, &[dialer], Instant::now())
}

pub(super) fn user(policy: Policy, number: u64) -> User {
    User { policy, crowd: Crowd::DEMO, number, seed: SEED, visit: 0 }
}

/// One user does these operations, one after the other without thinking.
pub(super) async fn operate(
    policy: Policy,
    dialer: Dialer,
    calls: impl IntoIterator<Item = Call>,
) -> Tally {
    let wire = wire(dialer);
    let client = (policy.make)(SEED, 0);
    for call in calls {
        wire.operate(client.as_ref(), &call, wire.wanted(&call)).await;
    }
    wire.close()
}

pub(super) async fn shop() -> Arc<Shop> {
    Arc::new(Shop::start().await.expect("a loopback port"))
}

pub(super) fn behind(shop: &Arc<Shop>) -> Dialer {
    let shop = Arc::clone(shop);
    pipe(move |stream| shop.serve(stream))
}

pub(super) const DOWN: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn hasty_sends_six_attempts_at_once_into_an_outage() {
    let (dialer, seen) = scripted(|_| DOWN);

    let tally = operate(client("hasty"), dialer, (0..10).map(browse)).await;

    assert_eq!(seen.load(Ordering::Relaxed), 60);
    assert_eq!((tally.operations, tally.failed, tally.attempts), (10, 10, 60));
    assert_eq!(tally.worst, Duration::ZERO);
    assert_eq!(tally.peak_per_second(), 60);
}

#[tokio::test(start_paused = true)]
async fn hasty_keeps_its_user_a_minute_before_a_silent_service() {
    // Held open and never answered.
    let dialer = pipe(|stream| {
        tokio::spawn(async move { (stream, pending::<()>().await) });
    });

    let tally = operate(client("hasty"), dialer, [browse(0)]).await;

    assert_eq!(tally.attempts, 6);
    // Six times ten seconds; the timers' own slack is a millisecond each.
    assert!(tally.worst.abs_diff(Duration::from_secs(60)) < Duration::from_millis(10));
    assert!(tally.log.iter().all(|attempt| attempt.ending == Some(Ending::TimedOut)));
}

#[tokio::test(start_paused = true)]
async fn hasty_pays_once_more_for_every_answer_that_is_lost() {
    let shop = shop().await;
    let (dialer, lost) = lossy(&shop);

    let tally = operate(client("hasty"), dialer, (0..10).map(purchase)).await;

    let account = shop.ledger().account("order-");
    assert_eq!(tally.purchases, 10);
    assert_eq!(account.orders, 10);
    assert_eq!(lost.load(Ordering::Relaxed), 10);
    assert_eq!(account.duplicate_charges(), 10);
}

#[tokio::test(start_paused = true)]
async fn the_shop_charges_a_keyed_purchase_once_and_an_unkeyed_one_each_time() {
    let shop = shop().await;
    let wire = wire(behind(&shop));
    let keyed = Manner { key: Key::Operation, ..Manner::within(Duration::from_secs(1)) };

    for _ in 0..3 {
        let reply = Errand::new(&wire, &purchase(0)).attempt(keyed).await.expect("an answer");
        assert_eq!(reply.status, 201);
    }
    let changed = Call { want: Want::Purchase { amount: 1 }, ..purchase(0) };
    let changed = Errand::new(&wire, &changed).attempt(keyed).await.expect("an answer");
    for _ in 0..3 {
        let unkeyed = Manner { key: Key::None, ..keyed };
        Errand::new(&wire, &purchase(1)).attempt(unkeyed).await.expect("an answer");
    }

    assert_eq!(changed.status, 422);
    assert_eq!(shop.ledger().account("order-0"), Account { orders: 1, charges: 1 });
    assert_eq!(shop.ledger().account("order-1"), Account { orders: 1, charges: 3 });
    assert_eq!(shop.ledger().requests_per_second().iter().sum::<u32>(), 7);
}

#[tokio::test(start_paused = true)]
async fn the_shop_sells_what_it_has_and_takes_its_time() {
    let shop = shop().await;
    let wire = wire(behind(&shop));
    let manner = Manner::within(Duration::from_secs(1));

    for (want, status) in [(Want::List, 200), (Want::Item(1), 200), (Want::Item(99_999), 404)] {
        let asked = Instant::now();
        let call = Call { id: String::new(), want };
        let reply = Errand::new(&wire, &call).attempt(manner).await;
        assert_eq!(reply.expect("an answer").status, status);
        let took = asked.elapsed();
        assert!((2..=6).contains(&took.as_millis()), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn careful_never_pays_twice_however_many_answers_are_lost() {
    let shop = shop().await;
    let (dialer, lost) = lossy(&shop);

    let tally = operate(client("careful"), dialer, (0..10).map(purchase)).await;

    let account = shop.ledger().account("order-");
    // Its budget pays for a retry of the first two purchases. It is spent then, and has saved up
    // the next retry only at the tenth: of those eight every other one is lost for good.
    assert_eq!(tally.attempts, 12);
    assert_eq!(lost.load(Ordering::Relaxed), 6);
    assert_eq!(tally.purchases, 6);
    assert_eq!(account, Account { orders: 10, charges: 10 });
}

#[tokio::test(start_paused = true)]
async fn careful_waits_as_long_as_it_is_asked_to() {
    let (dialer, _) = scripted(|nth| match nth {
        0 => "HTTP/1.1 429 Too Many Requests\r\nretry-after: 2\r\ncontent-length: 0\r\n\r\n",
        _ => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    });

    let tally = operate(client("careful"), dialer, [browse(0)]).await;

    let gap = tally.log[1].at.saturating_sub(tally.log[0].at);
    // Two seconds and a jitter of up to 100 ms, plus the timers' own millisecond.
    assert!((2_000..=2_101).contains(&gap.as_millis()), "{gap:?}");
    assert_eq!((tally.attempts, tally.succeeded), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn careful_gives_up_rather_than_come_back_sooner_than_asked() {
    let (dialer, seen) = scripted(
        |_| "HTTP/1.1 503 Service Unavailable\r\nretry-after: 30\r\ncontent-length: 0\r\n\r\n",
    );

    let tally = operate(client("careful"), dialer, [browse(0)]).await;

    assert_eq!((seen.load(Ordering::Relaxed), tally.failed), (1, 1));
    assert_eq!(tally.worst, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn careful_backs_off_twice_at_different_lengths_and_then_gives_up() {
    let (dialer, seen) = scripted(|_| "");

    let tally = operate(client("careful"), dialer, [browse(0)]).await;

    let at: Vec<_> = tally.log.iter().map(|attempt| attempt.at.as_millis()).collect();
    assert_eq!((seen.load(Ordering::Relaxed), at.len()), (3, 3));
    let gaps = [at[1] - at[0], at[2] - at[1]];
    // Up to 100 ms, then up to 200 ms, and the timers' own millisecond.
    assert!((1..=101).contains(&gaps[0]) && (1..=201).contains(&gaps[1]), "{gaps:?}");
    assert_ne!(gaps[0], gaps[1]);
    assert!(tally.log.iter().all(|attempt| attempt.ending == Some(Ending::Lost)));
}

#[tokio::test(start_paused = true)]
async fn careful_leaves_a_dead_service_alone_where_hasty_storms_it() {
    let mut sent = Vec::new();
    for policy in DEFAULT {
        let (dialer, seen) = scripted(|_| DOWN);
        let user = user(*policy, 0);
        let stop = CancellationToken::new();
        let (began, doors) = (Instant::now(), [dialer]);

        let (tally, ()) = tokio::join!(user.live(&doors, began, stop.clone()), async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            stop.cancel();
        });

        assert_eq!(tally.attempts, seen.load(Ordering::Relaxed));
        assert_eq!(tally.succeeded, 0);
        sent.push((tally.operations, tally.attempts));
    }

    let [(hasty_operations, hasty), (_, careful)] = sent[..] else { panic!("two clients") };
    // A thought takes 250 ms on average: 240 operations a minute, six attempts each.
    assert!((200..=280).contains(&hasty_operations), "{hasty_operations}");
    assert_eq!(hasty, 6 * hasty_operations);
    // Five failures open the breaker, then a trial every two seconds and up to 400 ms.
    assert!((25..=35).contains(&careful), "{careful}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_that_the_server_closed_costs_no_attempt() {
    let connections = Arc::new(AtomicU64::new(0));
    let opened = Arc::clone(&connections);
    let dialer = pipe(move |mut stream| {
        opened.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            let mut request = [0; 4096];
            drop(stream.read(&mut request).await);
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await);
        });
    });

    let tally = operate(client("careful"), dialer, (0..5).map(browse)).await;

    assert_eq!((tally.attempts, tally.succeeded), (5, 5));
    assert_eq!(connections.load(Ordering::Relaxed), 5);
}

#[tokio::test(start_paused = true)]
async fn every_client_wants_the_same_things_under_names_of_its_own() {
    let calls = |policy| (0..1_000).map(move |nth| user(policy, 17).call(nth)).collect::<Vec<_>>();
    let (hasty, careful) = (calls(client("hasty")), calls(client("careful")));

    assert!(hasty.iter().zip(&careful).all(|(a, b)| a.want == b.want && a.id != b.id));
    assert_eq!(hasty[42].id, "hasty-0-17-42");
    // One in five buys: four standard deviations of 1,000 draws are 51.
    let bought = hasty.iter().filter(|call| matches!(call.want, Want::Purchase { .. })).count();
    assert!((150..=250).contains(&bought), "{bought}");
}

/// Plays against a healthy shop in virtual time.
async fn played(seed: Seed) -> (Outcome, Arc<Shop>) {
    let shop = shop().await;
    let (doors, stop) = ([behind(&shop)], CancellationToken::new());
    let (outcome, ()) = tokio::join!(play_by(DEFAULT, &doors, &shop, stop.clone(), seed), async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        stop.cancel();
    });
    (outcome, shop)
}

#[tokio::test(start_paused = true)]
async fn in_calm_both_clients_are_served_at_one_attempt_and_pay_once() {
    let (outcome, shop) = played(SEED).await;

    for Played { policy, tally, account } in &outcome.clients {
        // 40 users, a thought of 250 ms and a service of 3.5 ms: 3,156 operations in 20 s.
        assert!((3_000..=3_300).contains(&tally.operations), "{} {tally:?}", policy.name);
        assert_eq!((tally.attempts, tally.failed), (tally.operations, 0));
        assert!(tally.peak_per_second() >= 150);
        assert!(tally.purchases > 500 && account.duplicate_charges() == 0);
        // Only what was under way at the end.
        assert!(account.orders - tally.purchases <= tally.operations - tally.succeeded);
    }
    let sent: u64 = outcome.clients.iter().map(|played| played.tally.attempts).sum();
    let seen: u32 = shop.ledger().requests_per_second().iter().sum();
    assert!(sent.abs_diff(u64::from(seen)) <= 80, "{sent} {seen}");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_plays_the_same_and_another_does_not() {
    let tallies = async |seed| {
        let (outcome, _shop) = played(seed).await;
        outcome.clients.into_iter().map(|played| played.tally).collect::<Vec<_>>()
    };
    let first = tallies(SEED).await;

    assert!(first == tallies(SEED).await);
    assert!(first != tallies(Seed(8)).await);
}

#[tokio::test]
async fn stop_ends_the_players_and_the_shop_and_leaves_nothing() {
    let shop = shop().await;
    let stop = CancellationToken::new();
    let playing = play(DEFAULT, shop.address(), &shop, stop.clone(), SEED);

    let (outcome, ended) = tokio::join!(playing, async {
        while DEFAULT.iter().any(|policy| shop.ledger().account(policy.name).orders == 0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
        Instant::now()
    });
    shop.stop().await;

    assert!(ended.elapsed() < Duration::from_secs(2), "{:?}", ended.elapsed());
    assert_eq!(shop.tasks(), 0);
    for played in &outcome.clients {
        assert!(played.tally.succeeded > 0, "{played:?}");
        assert!(played.account.orders > 0 && played.account.duplicate_charges() == 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shop_that_closes_waits_for_no_customer_who_dawdles() {
    let shop = shop().await;
    let (mut idle, far) = duplex(1024);
    shop.serve(far);
    idle.write_all(b"POST /purchase HTTP/1.1\r\ncontent-length: 9\r\n\r\n{").await.expect("open");
    // A paused clock moves once nobody has anything to do: the shop waits for the rest now.
    tokio::time::sleep(Duration::from_millis(1)).await;

    let asked = Instant::now();
    shop.stop().await;

    assert!(asked.elapsed() < Duration::from_millis(300), "{:?}", asked.elapsed());
    assert_eq!((shop.tasks(), shop.ledger().account("").charges), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_shop_hangs_up() {
    let shop = Shop::start().await.expect("a loopback port");
    let (mut idle, far) = duplex(1024);
    shop.serve(far);

    drop(shop);

    assert_eq!(idle.read(&mut [0]).await.expect("an orderly end"), 0);
}
