//! `/metrics`: what Prometheus reads.
//!
//! Everything is looked up when it is asked for, so nothing of it is on the way of the traffic. The
//! first family has Toxiproxy's names and labels, so that its dashboards go on; unlike there, bytes
//! count while they flow and not when their connection ends.

use crate::{
    control::{App, Proxied, origin},
    engine::FaultTally,
    proxy::Metered,
};
use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder, text},
    metrics::MetricType,
    registry::Registry,
};
use std::{fmt, sync::Arc};

const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Its route.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/metrics", get(scrape))
}

async fn scrape(State(app): State<Arc<App>>) -> Response {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(app)));
    let mut text = String::new();
    match text::encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, FORMAT)], text).into_response(),
        Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// One look at everything.
#[derive(Debug)]
struct Scrape(Arc<App>);

type Labels<'a> = [(&'static str, &'a str)];

/// A family of one name, of which samples are written.
struct Family<'a>(MetricEncoder<'a>);

impl Family<'_> {
    fn count(&mut self, labels: &Labels<'_>, value: impl EncodeCounterValue + Copy) -> fmt::Result {
        self.0.encode_family(&labels)?.encode_counter::<[(&str, &str); 0], _, u64>(&value, None)
    }

    fn gauge(&mut self, labels: &Labels<'_>, value: impl EncodeGaugeValue + Copy) -> fmt::Result {
        self.0.encode_family(&labels)?.encode_gauge(&value)
    }
}

fn counter<'e>(
    encoder: &'e mut DescriptorEncoder<'_>,
    name: &'e str,
    help: &'e str,
) -> Result<Family<'e>, fmt::Error> {
    encoder.encode_descriptor(name, help, None, MetricType::Counter).map(Family)
}

fn gauge<'e>(
    encoder: &'e mut DescriptorEncoder<'_>,
    name: &'e str,
    help: &'e str,
) -> Result<Family<'e>, fmt::Error> {
    encoder.encode_descriptor(name, help, None, MetricType::Gauge).map(Family)
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let app = &*self.0;
        let proxies: Vec<(Arc<Proxied>, Metered)> =
            app.registry.list().into_iter().map(metered).collect();
        toxiproxy(&mut encoder, &proxies)?;
        traffic(&mut encoder, &proxies)?;
        faults(&mut encoder, app, &proxies)?;
        drill(&mut encoder, app)
    }
}

fn metered(proxied: Arc<Proxied>) -> (Arc<Proxied>, Metered) {
    let metered = proxied.meters.read();
    (proxied, metered)
}

/// What is upstream to Toxiproxy is on its way there.
fn toxiproxy(
    encoder: &mut DescriptorEncoder<'_>,
    proxies: &[(Arc<Proxied>, Metered)],
) -> fmt::Result {
    type Bytes = fn(&Metered) -> (u64, u64);
    let families: [(&str, &str, Bytes); 2] = [
        ("toxiproxy_proxy_received_bytes", "Bytes read, by where they are going", |metered| {
            (metered.from_clients, metered.from_upstream)
        }),
        ("toxiproxy_proxy_sent_bytes", "Bytes written, by where they are going", |metered| {
            (metered.to_upstream, metered.to_clients)
        }),
    ];
    for (name, help, bytes) in families {
        let mut family = counter(encoder, name, help)?;
        for (proxied, metered) in proxies {
            let spec = proxied.spec();
            let listener = spec.listen.to_string();
            let (up, down) = bytes(metered);
            for (direction, count) in [("upstream", up), ("downstream", down)] {
                let labels = [
                    ("direction", direction),
                    ("listener", &*listener),
                    ("proxy", &*spec.name),
                    ("upstream", &*spec.upstream),
                ];
                family.count(&labels, count)?;
            }
        }
    }
    Ok(())
}

fn traffic(
    encoder: &mut DescriptorEncoder<'_>,
    proxies: &[(Arc<Proxied>, Metered)],
) -> fmt::Result {
    let mut enabled = gauge(encoder, "firedrill_proxy_enabled", "Whether a proxy listens")?;
    for (proxied, _) in proxies {
        enabled.gauge(&[("proxy", &proxied.name)], i64::from(proxied.spec().enabled))?;
    }
    let mut accepted =
        counter(encoder, "firedrill_connections_accepted", "Connections accepted from clients")?;
    for (proxied, metered) in proxies {
        accepted.count(&[("proxy", &proxied.name)], metered.accepted)?;
    }
    let mut open = gauge(encoder, "firedrill_connections_open", "Connections of clients")?;
    for (proxied, metered) in proxies {
        open.gauge(&[("proxy", &proxied.name)], metered.open)?;
    }
    let mut bytes = counter(encoder, "firedrill_bytes", "Bytes read and written, by where")?;
    for (proxied, metered) in proxies {
        for (way, count) in [
            ("from_clients", metered.from_clients),
            ("to_upstream", metered.to_upstream),
            ("from_upstream", metered.from_upstream),
            ("to_clients", metered.to_clients),
        ] {
            bytes.count(&[("proxy", &proxied.name), ("way", way)], count)?;
        }
    }
    Ok(())
}

/// A proxy, where a fault is from, and what it did.
type Tally<'a> = (&'a str, &'static str, FaultTally);

fn labels_of<'a>((proxy, origin, tally): &'a Tally<'_>) -> [(&'static str, &'a str); 4] {
    [("proxy", proxy), ("fault", &tally.name), ("kind", tally.kind), ("origin", origin)]
}

fn faults(
    encoder: &mut DescriptorEncoder<'_>,
    app: &App,
    proxies: &[(Arc<Proxied>, Metered)],
) -> fmt::Result {
    // A scenario's fault is one on all proxies, and counted as one.
    let mut tallies: Vec<Tally<'_>> =
        app.controls.tallies().into_iter().map(|tally| ("", "scenario", tally)).collect();
    for (proxied, _) in proxies {
        let by_hand = proxied.hand.list();
        tallies.extend(by_hand.iter().map(|fault| (&*proxied.name, origin(fault), fault.tally())));
    }
    let mut considered = counter(
        encoder,
        "firedrill_fault_considered",
        "Requests or connections that a fault was meant for",
    )?;
    for tally in &tallies {
        considered.count(&labels_of(tally), tally.2.considered)?;
    }
    let mut hits =
        counter(encoder, "firedrill_fault_hits", "Requests or connections that a fault hit")?;
    for tally in &tallies {
        hits.count(&labels_of(tally), tally.2.hit)?;
    }
    let mut held =
        counter(encoder, "firedrill_fault_held_seconds", "Delays that a fault dealt, added up")?;
    for tally in &tallies {
        held.count(&labels_of(tally), tally.2.held.as_secs_f64())?;
    }
    Ok(())
}

fn drill(encoder: &mut DescriptorEncoder<'_>, app: &App) -> fmt::Result {
    let mut build = gauge(encoder, "firedrill_build_info", "The program that runs")?;
    build.gauge(&[("version", env!("CARGO_PKG_VERSION")), ("run", &app.run)], 1i64)?;
    let Some(scenario) = &app.scenario else { return Ok(()) };
    let status = app.controls.status();
    let name = ("scenario", &*scenario.name);
    let mut playing = gauge(encoder, "firedrill_drill_playing", "Whether the scenario goes on")?;
    playing.gauge(&[name], i64::from(status.playing && !status.over))?;
    let mut over = gauge(encoder, "firedrill_drill_over", "Whether the drill is over")?;
    over.gauge(&[name], i64::from(status.over))?;
    let mut time = gauge(encoder, "firedrill_drill_seconds", "Where in the scenario we are")?;
    time.gauge(&[name], status.time.as_secs_f64())?;
    let position = status.position.filter(|_| !status.over);
    let phase = position.and_then(|position| scenario.phases.get(position.phase));
    let mut info = gauge(encoder, "firedrill_phase_info", "The phase that is played")?;
    if let Some(phase) = phase {
        info.gauge(&[name, ("phase", &phase.name)], 1i64)?;
    }
    Ok(())
}
