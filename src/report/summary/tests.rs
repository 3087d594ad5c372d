use super::*;
use crate::{
    diag::{Problems, Source},
    event::{EndedBy, Event, Exchange, PhaseEdge, Upstream},
};
use http::Method;
use std::{net::SocketAddr, sync::Arc};

const SCENARIO: &str = "name: shop
targets: { purchase: { method: POST, path: /a/rather/long/path/to/the/purchases/of/everybody/** } }
phases:
  - { name: calm, for: 1m }
  - name: onset
    for: 10s
    faults:
      - { latency: 1s -> 2s, share: 0% -> 40% of users, target: purchase }
  - name: outage
    for: 5m
    faults:
      - { latency: 2s, share: 40% of users, target: purchase }
      - { lose_response: hang, name: answers-that-nobody-ever-gets, share: 3% }
";

fn scenario(text: &str) -> Scenario {
    let scenario = Scenario::read(&Source::new("shop.yaml", text), None, &mut Problems::default());
    scenario.expect("a scenario")
}

fn exchange(phase: Option<usize>) -> Event {
    Event::Exchange(Box::new(Exchange {
        proxy: 0,
        conn: 1,
        seq: 1,
        peer: SocketAddr::from(([127, 0, 0, 1], 40_000)),
        accepted: 1,
        secured: 0,
        phase,
        user: 7,
        user_source: 0,
        nth: 1,
        method: Method::GET,
        targets: 0,
        dealt: Vec::new(),
        upstream: Upstream::Status(200),
        upstream_error: None,
        status: 200,
        received: 0,
        sent: 2,
        complete: true,
        ended_by: EndedBy::Completed,
        http2: None,
        t_first: 1,
        t_head: 1,
        t_received: 1,
        t_forwarded: 2,
        t_answered: 3,
        t_upstream_end: 4,
        t_sent_first: 4,
        t_client_gone: 0,
        t_end: 5_000,
        grpc: None,
        detail: None,
    }))
}

fn edge(phase: usize) -> Event {
    Event::Edge(PhaseEdge { phase: Some(phase), planned: Duration::ZERO, actual: Duration::ZERO })
}

fn tally(name: &str, kind: &'static str, considered: u64, hit: u64) -> FaultTally {
    FaultTally {
        name: Arc::from(name),
        kind,
        describe: "as in its first phase".to_owned(),
        considered,
        hit,
        held: Duration::ZERO,
        gate: false,
    }
}

fn tallies() -> [FaultTally; 2] {
    [
        tally("latency:purchase", "latency", 10, 4),
        tally("answers-that-nobody-ever-gets", "lose_response", 90, 0),
    ]
}

/// The summary of a drill in which these things happened.
fn summed<T>(
    text: &str,
    events: &[Event],
    tallies: &[FaultTally],
    look: impl FnOnce(&Summary<'_>) -> T,
) -> T {
    let scenario = scenario(text);
    let timeline = scenario.timeline(None);
    let mut observations = Observations::default();
    for event in events {
        observations.fold(event);
    }
    let first = observations.edges.iter().find_map(|edge| edge.phase).unwrap_or(0);
    let start_at = timeline.start_of(first);
    look(&Summary {
        scenario: &scenario,
        timeline: &timeline,
        run: "0badcafe",
        start_at,
        seed: Seed(1),
        speed: Speed::REAL,
        longest_phase: None,
        end: End::Finished,
        took: Duration::from_secs(370),
        observations: &observations,
        tallies,
        verdict: &Verdict::default(),
        origin: &Origin::default(),
    })
}

fn shown(text: &str, events: &[Event], tallies: &[FaultTally], width: usize) -> String {
    summed(text, events, tallies, |summary| summary.text(Look::Plain, width))
}

fn words(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn a_fault_is_told_as_its_longest_phase_has_it() {
    let events = [edge(0), edge(1), edge(2), exchange(Some(2))];
    let text = shown(SCENARIO, &events, &tallies(), 140);

    let said = words(&text);
    for row in [
        "latency:purchase 2s 40% of users 10 4 40.0 % –",
        "answers-that-nobody-ever-gets lose_response: answer lost, silence 3% of requests 90 0 0.0 \
         % –",
    ] {
        assert!(said.iter().any(|line| line == row), "no {row:?} in\n{text}");
    }
    let json = summed(SCENARIO, &events, &tallies(), |summary| summary.json());
    let fault = &json["faults"][0];
    assert_eq!((&fault["what"], &fault["share"]), (&"2s".into(), &"40% of users".into()));
}

#[test]
fn no_line_is_wider_than_there_is_room() {
    let events = [edge(0), edge(1), edge(2), exchange(Some(2))];
    let mut tallies = tallies();
    tallies[0].hit = 0;
    tallies[0].considered = 0;
    for width in [60, 80, 100] {
        let text = shown(SCENARIO, &events, &tallies, width);
        let prose = text.lines().skip_while(|line| !line.starts_with("phases began"));
        let widest = prose.map(|line| line.chars().count()).max();
        assert!(widest <= Some(width), "{widest:?} of {width}:\n{text}");
    }
    let table = shown(SCENARIO, &events, &tallies, 60);
    assert!(table.contains("answer lost,"), "words stay whole where there is no room:\n{table}");
    let table = shown(SCENARIO, &events, &tallies, 100);
    assert!(table.lines().skip(1).all(|line| line.chars().count() <= 100), "{table}");
}

#[test]
fn a_drill_without_requests_says_where_clients_belong() {
    let idle = [tally("latency:purchase", "latency", 0, 0)];
    let text = shown(SCENARIO, &[edge(0), edge(1), edge(2)], &idle, 100);

    assert!(text.contains("no request came by; point the client at the proxy"), "{text}");
    assert!(!text.contains("p99") && !text.contains("meant for"), "{text}");
}

#[test]
fn a_drill_of_a_forward_proxy_without_requests_says_what_clients_heed() {
    let idle = [tally("latency:purchase", "latency", 0, 0)];
    let proxy = Event::Proxy { id: 0, name: "out".into(), forward: true };
    let text = shown(SCENARIO, &[proxy, edge(0), edge(1), edge(2)], &idle, 100);

    assert!(text.contains("HTTPS_PROXY") && text.contains("NO_PROXY"), "{text}");
    assert!(!text.contains("point the client"), "{text}");
}

#[test]
fn what_came_outside_the_phases_stands_last() {
    let events = [exchange(None), edge(0), exchange(Some(0))];
    let text = shown(SCENARIO, &events, &[], 100);

    let calm = text.find("calm").expect("the first phase");
    assert!(text.find("(outside)") > Some(calm), "{text}");
}

#[test]
fn a_fault_that_hit_nothing_says_why() {
    let why = |events: &[Event], considered| {
        let tallies = [tally("latency:purchase", "latency", considered, 0)];
        summed(SCENARIO, events, &tallies, |summary| {
            summary.silences().into_iter().map(|silence| silence.why).collect::<Vec<_>>()
        })
    };
    let all = [edge(0), edge(1), edge(2)];

    let path = "POST /a/rather/long/path/to/the/purchases/of/everybody/**";
    let nobody = format!(
        "no request for `purchase` ({path}; bind it with `--target`) came by in `onset`, `outage`"
    );
    assert_eq!(why(&all, 0), [nobody]);
    assert_eq!(why(&all, 1), ["1 request came by, and its share fell on none of them"]);
    assert_eq!(why(&all[..1], 0), ["the drill ended before `onset` began"]);
}

#[test]
fn a_fault_on_everything_that_hit_nothing_does_not_blame_its_share() {
    let text = "name: x\nphases: [{ name: a, for: 1m, faults: [{ truncate: 10KiB, SHARE }] }]";
    let tallies = [tally("truncate", "truncate", 3, 0)];
    let why = |share: &str| {
        summed(&text.replace("SHARE", share), &[edge(0)], &tallies, |summary| {
            summary.silences().remove(0).why
        })
    };

    let nothing = "3 requests came by, and it found nothing to do on any: see `firedrill faults \
                   truncate`";
    assert_eq!(why("share: 100%"), nothing);
    for other in ["share: 50%", "times: 1", "pattern: { every: 4s, on: 1s }"] {
        assert!(why(other).ends_with("its share fell on none of them"), "{other}");
    }
}

#[test]
fn a_fault_before_the_start_is_not_missed() {
    let tallies = [tally("latency:purchase", "latency", 0, 0)];
    let text = SCENARIO.replace("- { latency: 2s, share: 40% of users, target: purchase }", "");
    let silences =
        |events: &[Event]| summed(&text, events, &tallies, |summary| summary.silences().len());

    assert_eq!(silences(&[edge(2)]), 0, "started at the outage, after the onset");
    assert_eq!(silences(&[edge(0), edge(1), edge(2)]), 1);
}

#[test]
fn what_a_scenario_asks_for_in_vain_is_told() {
    let text = format!(
        "{SCENARIO}expect: [ recovery_time: 30s ]
stop_when: [ upstream_errors: {{ above: 50%, for: 10s }} ]
"
    );
    let cautions =
        |text: &str| summed(text, &[exchange(Some(0))], &[], |summary| summary.cautions());

    assert_eq!(cautions(SCENARIO), Vec::<String>::new());
    let told = cautions(&text);
    assert!(told.iter().any(|line| line.starts_with("`stop_when` is not watched")), "{told:?}");
}
