//! What Prometheus reads.

use crate::{
    stage::{Stage, until, visit},
    support::client::{Ask, PATIENCE},
};
use http::Method;
use std::net::SocketAddr;

/// A sample's value by its name and labels; labels in the order in which they are written.
fn sample(text: &str, series: &str) -> Option<f64> {
    let line = text
        .lines()
        .find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit(' ').next()?.parse().ok()
}

fn metrics(stage: &Stage) -> String {
    let answer = stage.send(Method::GET, "/metrics", "");
    assert_eq!(answer.status, 200);
    answer.text
}

/// The four counters of Toxiproxy: received and sent on the way up, then down.
fn bytes(stage: &Stage, name: &str, listen: SocketAddr, upstream: &str) -> [f64; 4] {
    let text = metrics(stage);
    let one = |what: &str, direction: &str| {
        let series = format!(
            "toxiproxy_proxy_{what}_bytes_total{{direction=\"{direction}\",listener=\"{listen}\",\
             proxy=\"{name}\",upstream=\"{upstream}\"}}"
        );
        sample(&text, &series).unwrap_or_else(|| panic!("no {series} in\n{text}"))
    };
    [
        one("received", "upstream"),
        one("sent", "upstream"),
        one("received", "downstream"),
        one("sent", "downstream"),
    ]
}

#[test]
fn bytes_of_a_tcp_proxy_count_under_toxiproxys_names_while_the_connection_is_open() {
    let stage = Stage::idle();
    let listen = stage.tcp("db");
    let upstream = stage.upstream().url().trim_start_matches("http://").to_owned();
    assert!(bytes(&stage, "db", listen, &upstream).iter().all(|count| *count < 0.5));

    let mut connection = crate::support::client::Connection::to(listen);
    let met = connection.ask(&Ask::get("/a"), PATIENCE);
    assert!(met.is_ok());

    let least = met.body.len() as f64;
    until(
        || bytes(&stage, "db", listen, &upstream),
        |[received_up, sent_up, received_down, sent_down]| {
            let same = (received_up - sent_up).abs() + (received_down - sent_down).abs() < 0.5;
            same && *received_up > 10.0 && *received_down > least
        },
    );
}

#[test]
fn bytes_of_an_http_proxy_count_on_both_sides() {
    let stage = Stage::idle();
    let listen = stage.http("shop");
    let upstream = stage.upstream().url();
    let body = "x".repeat(50_000);

    assert!(Ask::post("/a", &body).at(listen, PATIENCE).is_ok());
    let met = visit(listen, "/missing/b");
    assert_eq!(met.status, 404);

    let (large, small) = (50_000.0..52_000.0, 60.0..2_000.0);
    until(
        || bytes(&stage, "shop", listen, &upstream),
        |[received_up, sent_up, received_down, sent_down]| {
            large.contains(received_up)
                && large.contains(sent_up)
                && small.contains(received_down)
                && small.contains(sent_down)
        },
    );
}

#[test]
fn an_injected_answer_reaches_the_client_alone() {
    let stage = Stage::idle();
    let listen = stage.http("shop");
    stage.put_on("{ respond: { status: 503, body: xxxxxxxxxxxxxxxx }, proxy: shop }");
    assert_eq!(visit(listen, "/a").status, 503);
    until(
        || bytes(&stage, "shop", listen, &stage.upstream().url()),
        |[from_client, to_upstream, from_upstream, to_client]| {
            *from_client > 10.0 && *to_client > 16.0 && to_upstream + from_upstream < 0.5
        },
    );
    assert_eq!(stage.upstream().seen(), []);
}

#[test]
fn what_faults_did_is_told_by_proxy_fault_kind_and_origin() {
    let stage =
        Stage::playing("{ name: x, phases: [{ name: a, for: 10m, faults: [{ latency: 20ms }] }] }");
    let listen = stage.http("shop");
    stage.put_on("{ respond: 503, proxy: shop, name: 'odd \"name\"' }");
    let _met = visit(listen, "/a");

    let text = metrics(&stage);

    let series = |name: &str, proxy: &str, fault: &str, kind: &str, origin: &str| {
        let labels =
            format!("proxy=\"{proxy}\",fault=\"{fault}\",kind=\"{kind}\",origin=\"{origin}\"");
        let series = format!("{name}{{{labels}}}");
        sample(&text, &series).unwrap_or_else(|| panic!("no {series} in\n{text}"))
    };
    let by_hand =
        series("firedrill_fault_hits_total", "shop", "odd \\\"name\\\"", "respond", "api");
    let held = series("firedrill_fault_held_seconds_total", "", "latency", "latency", "scenario");
    let meant = series("firedrill_fault_considered_total", "", "latency", "latency", "scenario");
    for (value, expected) in [(by_hand, 1.0), (held, 0.02), (meant, 1.0)] {
        assert!((value - expected).abs() < 1e-6, "{value} and not {expected}");
    }
    assert_eq!(sample(&text, "firedrill_phase_info{scenario=\"x\",phase=\"a\"}"), Some(1.0));
    assert_eq!(sample(&text, "firedrill_drill_playing{scenario=\"x\"}"), Some(1.0));
    assert_eq!(sample(&text, "firedrill_connections_accepted_total{proxy=\"shop\"}"), Some(1.0));
    assert!(text.ends_with("# EOF\n"));
}
