//! `rate_limit`: beyond a rate, requests are turned away.

use crate::support::{Drill, GET, OK, Setup, Upstream, memory};
use firedrill::event::{self, Did};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};

const MS: Duration = Duration::from_millis(1);

fn play(setup: Setup) -> (Drill, Arc<memory::Heard>) {
    let (connector, heard) = memory::answering(OK);
    (setup.detached(connector), heard)
}

fn get(path: &str, user: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: shop\r\nx-user-id: {user}\r\n\r\n")
}

#[tokio::test(start_paused = true)]
async fn what_is_beyond_the_rate_is_turned_away_to_the_millisecond() {
    let began = Instant::now();
    let (drill, heard) = play(Drill::of(&["rate_limit: { rate: 10/s, burst: 2 }"]));
    let mut client = drill.memory_client(1);
    let mut passed = Vec::new();

    for at in [0, 1, 2, 99, 100, 101, 199, 200, 399, 400, 401] {
        sleep_until(began + at * MS).await;
        let answer = client.ask(GET).await;
        match answer.status() {
            200 => passed.push(at),
            status => assert_eq!((status, answer.field("retry-after")), (429, Some("1"))),
        }
    }

    assert_eq!(began.elapsed(), 401 * MS, "nobody is held");
    assert_eq!(passed, [0, 1, 100, 200, 399, 400]);
    assert_eq!(heard.times(), passed.iter().map(|at| began + *at * MS).collect::<Vec<_>>());
    let tally = &drill.tallies()[0];
    assert_eq!((tally.considered, tally.hit), (11, 5));
}

#[tokio::test]
async fn the_answer_says_what_the_limit_is_and_whose_it_is() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["rate_limit: { rate: 30/min, burst: 1 }"]).before(&upstream);
    let mut client = drill.client().await;

    let passed = client.ask(GET).await;
    let away = client.ask(GET).await;

    assert_eq!(passed.fields(), ["content-length: 2"], "it is not touched");
    assert_eq!(away.start(), "HTTP/1.1 429 Too Many Requests");
    assert_eq!(away.field("retry-after"), Some("2"));
    assert_eq!(away.field("ratelimit-policy"), Some("\"default\";q=30;w=60"));
    assert_eq!(away.field("ratelimit"), Some("\"default\";r=0;t=2"));
    assert_eq!(away.field("ratelimit-remaining"), Some("0"));
    assert!(away.field("x-firedrill").is_some_and(|mark| mark.ends_with("fault=rate_limit")));
    assert_eq!(upstream.requests().len(), 1);
    let exchange = drill.exchanges(2).await.pop().expect("the second");
    assert_eq!(exchange.dealt[0].did, Did::Responded(429));
    assert_eq!(exchange.upstream, event::Upstream::NotSent);
    assert_eq!(exchange.detail.expect("details").retry_after.as_deref(), Some("2"));
}

#[tokio::test(start_paused = true)]
async fn each_user_has_a_bucket_and_only_requests_of_the_target_are_counted() {
    let scenario = "targets: { api: { path: /api } }\n\
        phases: [{ name: a, for: 10m, faults: [{ rate_limit: 1/h, target: api }] }]";
    let (drill, _) = play(Setup::read(scenario));
    let mut client = drill.memory_client(1);

    for (path, user, status) in [
        ("/other", "ann", 200),
        ("/api", "ann", 200),
        ("/api", "ann", 429),
        ("/other", "ann", 200),
        ("/api", "bob", 200),
        ("/api", "bob", 429),
    ] {
        assert_eq!(client.ask(get(path, user)).await.status(), status, "{user} at {path}");
    }
    assert_eq!(drill.tallies()[0].considered, 4);
}

#[tokio::test(start_paused = true)]
async fn only_requests_of_its_share_are_counted() {
    let (drill, _) = play(Drill::of(&["rate_limit: { rate: 1/h, per: run }, share: 30% of users"]));
    let mut client = drill.memory_client(1);
    let mut away = 0;
    for user in 0..300 {
        away += u32::from(client.ask(get("/", &user.to_string())).await.status() == 429);
    }
    // One of those it is about took the only token.
    assert_eq!(u64::from(away), drill.tallies()[0].hit);
    assert!((60..120).contains(&away), "{away}");
}

#[tokio::test(start_paused = true)]
async fn the_same_traffic_meets_the_same_limit() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let (drill, _) = play(Drill::of(&["rate_limit: { rate: 7/s, burst: 3 }"]));
        let began = Instant::now();
        let mut client = drill.memory_client(1);
        let mut statuses = Vec::new();
        for nth in 0..100_u32 {
            sleep_until(began + 37 * MS * nth).await;
            statuses.push(client.ask(GET).await.status());
        }
        runs.push(statuses);
    }
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].contains(&429) && runs[0].contains(&200));
}

#[tokio::test(start_paused = true)]
async fn it_lets_go_with_its_phase_and_with_the_drill() {
    let began = Instant::now();
    let phases = [
        "{ name: a, for: 10s, faults: [{ rate_limit: 1/h }] }",
        "{ name: calm, for: 10s }",
        "{ name: b, for: 10s, faults: [{ rate_limit: 1/h }] }",
    ];
    let (drill, _) = play(Drill::phases(&phases));
    let mut client = drill.memory_client(1);

    for (at, status) in [(1, 200), (2, 429), (11, 200), (12, 200), (21, 200), (22, 429)] {
        sleep_until(began + Duration::from_secs(at)).await;
        assert_eq!(client.ask(GET).await.status(), status, "{at} s");
    }
    drill.controls().stop();
    assert_eq!(client.ask(GET).await.status(), 200);
}

/// What ends a request may be asked about more than once; who comes in is counted once.
#[tokio::test(start_paused = true)]
async fn a_request_that_was_let_in_is_not_counted_again_after_a_silence() {
    let limit = "rate_limit: { rate: 1/h, burst: 2, per: run }";
    let phases = [
        format!(
            "{{ name: a, for: 10s, faults: [{{ {limit} }}, {{ hang: {{}}, target: {{ path: /hang }} }}] }}"
        ),
        format!("{{ name: b, for: 10m, faults: [{{ {limit} }}] }}"),
    ];
    let (drill, _) = play(Drill::phases(&phases.each_ref().map(|phase| &**phase)));
    let mut held = drill.memory_client(1);
    assert_eq!(held.ask(get("/hang", "ann")).await.status(), 200);

    let mut client = drill.memory_client(1);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(client.ask(GET).await.status());
    }
    assert_eq!(statuses, [200, 200, 429]);
}

#[tokio::test(start_paused = true)]
async fn a_delay_is_served_before_the_request_is_counted() {
    let (drill, _) = play(Drill::of(&["rate_limit: { rate: 1/h, burst: 1 }", "latency: 300ms"]));
    let asked = Instant::now();
    let mut client = drill.memory_client(1);
    assert_eq!(client.ask(GET).await.status(), 200);
    assert_eq!(client.ask(GET).await.status(), 429);
    assert_eq!(asked.elapsed(), 600 * MS);
}
