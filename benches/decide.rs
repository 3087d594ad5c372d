//! What one decision costs: is anything in force, whom does it mean, what is dealt.

mod support;

use divan::{Bencher, black_box};
use firedrill::{
    engine::Injector,
    fault::Stage,
    select::{RequestView, User},
};
use http::Method;
use support::{Head, Played, scenario};

/// Ten faults of the kinds that outages are made of; a bench takes the first few.
const FAULTS: [&str; 10] = [
    "{ latency: { median: 180ms, p99: 2s }, share: 17% of users }",
    "{ respond: { status: 503, retry_after: 30s }, target: purchase, share: 17% of users }",
    "{ hang: {}, share: 1% of requests }",
    "{ latency: { mean: 300ms, jitter: 80ms, side: response }, target: items }",
    "{ reset: { at: response, after: 10KiB }, share: 1% of connections }",
    "{ lose_response: { by: reset }, target: purchase, share: 2% of requests }",
    "{ truncate: { after: 50% }, target: search, share: 5% of requests }",
    "{ respond: 500, target: search, share: 0% -> 10% of users }",
    "{ latency: 20ms, pattern: { every: 10s, on: 3s } }",
    "{ respond: 429, target: items, share: 0.1% of requests, times: { first: 2, per: user } }",
];

/// The stages at which an exchange is asked for.
const STAGES: [Stage; 6] = [
    Stage::RequestDelay,
    Stage::End,
    Stage::Upstream,
    Stage::ResponseDelay,
    Stage::Body,
    Stage::Cut,
];

fn main() {
    divan::main();
}

fn purchase() -> Head {
    Head::new(Method::POST, "/purchase/7/confirm", None, "user-4711")
}

/// What every request pays while nothing is in force.
#[divan::bench]
fn calm(bencher: Bencher<'_, '_>) {
    let played = Played::new(scenario(&[]));
    bencher.bench_local(|| black_box(&played.injector).has_message_faults());
}

/// Which of three targets mean a request.
#[divan::bench]
fn targets(bencher: Bencher<'_, '_>) {
    let played = Played::new(scenario(&FAULTS));
    let head = purchase();
    bencher.bench_local(|| played.injector.targets(black_box(&head.view())));
}

/// One exchange of a new user, asked for at all its stages, with so many faults in force.
#[divan::bench(args = [0, 1, 10], sample_size = 1_000)]
fn exchange(bencher: Bencher<'_, '_>, faults: usize) {
    let played = Played::new(scenario(&FAULTS[..faults]));
    let head = purchase();
    let view = head.view();
    let mut key = 0_u64;
    bencher.bench_local(|| {
        key = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
        dealt(&played.injector, &view, User { key, source: 0 })
    });
}

/// How many things are dealt to one exchange.
fn dealt(injector: &Injector, view: &RequestView<'_>, user: User) -> usize {
    let conn = firedrill::engine::ConnKey { peer: user.key, nth: 1 };
    let mut ticket = injector.open(user, 1, injector.targets(view), user.key, conn);
    STAGES.iter().map(|stage| black_box(ticket.ask(*stage)).len()).sum()
}
