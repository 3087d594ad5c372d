//! What it costs to know a user and to say whether a share includes them.

mod support;

use divan::{Bencher, black_box};
use firedrill::{
    dice::{self, Dice, Purpose, Seed},
    select::{UserSource, Users},
    timeline::{Moment, Moving},
    units::Percent,
};
use http::{HeaderName, Method};
use std::time::Duration;
use support::Head;

fn main() {
    divan::main();
}

fn head() -> Head {
    Head::new(Method::GET, "/items/7", Some("page=2&user=4711"), "user-4711")
}

/// The hash of an identity.
#[divan::bench]
fn key() -> u64 {
    dice::key(black_box(b"user-4711"))
}

/// A user's place in a cohort: the point that shares are compared with.
#[divan::bench]
fn point(bencher: Bencher<'_, '_>) {
    let lots = Dice::new(Seed(20_130_821), "share cannot-buy");
    bencher.bench_local(|| black_box(lots).of(black_box(4711), 0).point(Purpose::Share));
}

/// Whether a share that moves includes a point, a third of the way into its phase.
#[divan::bench]
fn moving_share(bencher: Bencher<'_, '_>) {
    let share = Moving::Line { from: Percent::NONE, to: Percent::from_fraction(0.17) };
    let elapsed = Duration::from_secs(20);
    let moment = Moment { elapsed, length: Duration::from_secs(60), run: elapsed };
    bencher.bench_local(|| black_box(&share).at(black_box(&moment)).includes(black_box(1 << 61)));
}

/// Who is behind a request, by its header.
#[divan::bench(sample_size = 1_000)]
fn identify_by_header(bencher: Bencher<'_, '_>) {
    identify(bencher, &Users::default());
}

/// Who is behind a request, by a cookie.
#[divan::bench(sample_size = 1_000)]
fn identify_by_cookie(bencher: Bencher<'_, '_>) {
    identify(bencher, &Users { sources: vec![UserSource::Cookie("session".into())] });
}

/// Who is behind a request, by its query.
#[divan::bench(sample_size = 1_000)]
fn identify_by_query(bencher: Bencher<'_, '_>) {
    identify(bencher, &Users { sources: vec![UserSource::Query("user".into())] });
}

/// Who is behind a request that says nothing of its user: the peer.
#[divan::bench(sample_size = 1_000)]
fn identify_by_peer(bencher: Bencher<'_, '_>) {
    let missing = UserSource::Header(HeaderName::from_static("x-account"));
    identify(bencher, &Users { sources: vec![missing] });
}

fn identify(bencher: Bencher<'_, '_>, users: &Users) {
    let head = head();
    bencher.bench_local(|| black_box(users).identify(black_box(&head.view())));
}
