//! Whether a scenario can be played on a config's proxies.
//!
//! A fault acts on every proxy that speaks one of its protocols, or on the one it names. One that
//! would act on none proves nothing, and a drill that passes because of it is a lie.

use crate::{
    config::{Config, ProxyEntry},
    diag::{Code, Diagnostic, Problems, Source, Span, closest, list_of},
    fault::catalog::{self, Protocol},
    scenario::{FaultEntry, Scenario},
    select::Unit,
};
use std::sync::Arc;

/// Proxies that a problem points at; more are as much use as these.
const MOST: usize = 3;

/// A proxy, as far as faults have to fit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ground<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it understands of its traffic.
    pub protocol: Protocol,
    /// Whether it speaks TLS with its clients.
    pub terminates: bool,
    /// Whether it speaks TLS inside their tunnels.
    pub intercepts: bool,
}

impl Ground<'_> {
    /// Whether it speaks TLS where faults are meant for it: inside of tunnels, if it is a forward proxy.
    pub fn speaks_tls(&self) -> bool {
        match self.protocol {
            Protocol::Forward => self.intercepts,
            Protocol::Http | Protocol::Tcp => self.terminates,
        }
    }

    /// Why tunnels that are to be read cannot be, if so.
    pub fn unread(&self) -> Option<&'static str> {
        let is_both = self.protocol == Protocol::Forward && self.terminates && self.intercepts;
        is_both.then_some("tunnels to a proxy that is itself behind TLS are not read")
    }
}

/// Notes every fault that names a proxy which is not there, or that none of those it is meant for
/// can play. Where there are no proxies at all they are made later, and nothing is noted.
pub fn fit(scenario: &Scenario, proxies: &[Ground<'_>], problems: &mut Problems) {
    if proxies.is_empty() {
        return;
    }
    note(scenario, |entry| misfit_of(entry, proxies), problems);
}

/// As [`fit`], for a config in a file of its own, whose places are pointed at too.
pub fn fit_beside(
    scenario: &Scenario,
    config: &Config,
    source: &Arc<Source>,
    problems: &mut Problems,
) {
    let known = config.known();
    if known.is_empty() {
        return;
    }
    let misfit = |entry: &FaultEntry| {
        let problem = misfit_of(entry, &known)?;
        let meant = |proxy: &&ProxyEntry| match &entry.proxy {
            Some(name) if problem.code == Code::E0707 => proxy.name == *name,
            _ => true,
        };
        let meant: Vec<&ProxyEntry> = config.proxies.iter().filter(meant).take(MOST).collect();
        let point = |problem: Diagnostic, proxy: &&ProxyEntry| {
            let what = match proxy.protocol {
                _ if !entry.fault.needs_tls() || proxy.ground().speaks_tls() => "",
                Protocol::Forward => ", without `intercept`",
                Protocol::Http | Protocol::Tcp => ", without `terminate`",
            };
            let text = format!("a proxy for {}{what}", proxy.protocol.name());
            problem.label_in(source, proxy.places.name, text)
        };
        Some(meant.iter().fold(problem, point))
    };
    note(scenario, misfit, problems);
}

fn note(
    scenario: &Scenario,
    misfit: impl Fn(&FaultEntry) -> Option<Diagnostic>,
    problems: &mut Problems,
) {
    let entries = scenario.phases.iter().flat_map(|phase| &phase.faults);
    let mut found: Vec<Diagnostic> = entries.filter_map(misfit).collect();
    // The slices of a `one_of` share its keys.
    found.dedup();
    for problem in found {
        problems.push(problem);
    }
}

/// What keeps a fault from being played on any of these proxies that it is meant for, if anything.
pub fn misfit_of(entry: &FaultEntry, proxies: &[Ground<'_>]) -> Option<Diagnostic> {
    let Some(name) = &entry.proxy else {
        let misfits: Option<Vec<Misfit>> =
            proxies.iter().map(|place| misfit(entry, place)).collect();
        // What keeps it from the one that comes nearest is what can be mended.
        let misfit = misfits?.into_iter().min_by_key(|misfit| misfit.is_far)?;
        let title = misfit.title("no proxy does");
        let help = format!("{}, or add a proxy that it works on", misfit.help);
        return Some(Diagnostic::new(Code::E0707, title, misfit.span).help(help));
    };
    let place = entry.places.proxy.unwrap_or(entry.places.fault);
    let Some(known) = proxies.iter().find(|known| known.name == name) else {
        let names = || proxies.iter().map(|known| known.name);
        let problem =
            Diagnostic::new(Code::E0706, format!("nothing defines the proxy `{name}`"), place);
        return Some(match closest(name, names()) {
            Some(near) => problem.saying(format!("did you mean `{near}`?")),
            None => {
                problem.help(format!("define it under `proxies:`, or use {}", list_of(names())))
            }
        });
    };
    let misfit = misfit(entry, known)?;
    let title = misfit.title(&format!("`{name}` does not"));
    let problem = Diagnostic::new(Code::E0707, title, misfit.span);
    let problem = problem.label(place, format!("a proxy for {}", known.protocol.name()));
    Some(problem.help(format!("{}, or name another proxy", misfit.help)))
}

/// What keeps a fault from being played on a proxy.
struct Misfit {
    span: Span,
    /// A sentence about what the proxy would have to do.
    needs: String,
    /// Whether that says all there is to say.
    is_all: bool,
    /// Whether the fault is for proxies of another kind altogether.
    is_far: bool,
    help: &'static str,
}

impl Misfit {
    fn title(&self, found: &str) -> String {
        if self.is_all { self.needs.clone() } else { format!("{}, and {found}", self.needs) }
    }
}

fn misfit(entry: &FaultEntry, place: &Ground<'_>) -> Option<Misfit> {
    let (kind, places, protocol) = (entry.kind, &entry.places, place.protocol);
    let plays = catalog::find(kind).is_none_or(|kind| kind.protocols.contains(&protocol));
    if plays && let Err(why) = entry.fault.works_on(protocol) {
        let help = "change the fault";
        return Some(Misfit { span: places.fault, needs: why, is_all: true, is_far: false, help });
    }
    if plays && entry.fault.needs_tls() && !place.speaks_tls() {
        let (needs, help) = if protocol == Protocol::Forward {
            let help = if place.terminates {
                "write `intercept: yes` instead of `terminate` (or `--intercept` instead of `--terminate`), \
                 or remove the fault"
            } else {
                "add `intercept: yes` to the proxy (or `--intercept`), or remove the fault"
            };
            (format!("`{kind}` needs a forward proxy that speaks TLS inside its tunnels"), help)
        } else {
            let help = "add `terminate: yes` to the proxy (or `--terminate`), or remove the fault";
            (format!("`{kind}` needs a proxy that speaks TLS with its clients"), help)
        };
        return Some(Misfit { span: places.fault, needs, is_all: false, is_far: false, help });
    }
    let share = places.share.filter(|_| entry.share.unit == Unit::Requests);
    let (span, needs, help) = if !plays {
        let needs = format!("`{kind}` needs a proxy that understands requests");
        (places.fault, needs, "remove the fault")
    } else if protocol.has_requests() {
        return None;
    } else if let Some(span) = places.target {
        let help = "choose by `share: 17% of connections` instead";
        (span, "a `target` needs a proxy that understands requests".to_owned(), help)
    } else if let Some(span) = share {
        let help = "count it in connections: `share: 17% of connections`";
        (span, "a share of requests needs a proxy that understands them".to_owned(), help)
    } else {
        let help = "remove `times`";
        (places.times?, "`times` needs a proxy that understands requests".to_owned(), help)
    };
    Some(Misfit { span, needs, is_all: false, is_far: !plays, help })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ground(name: &str, protocol: Protocol, tls: [bool; 2]) -> Ground<'_> {
        Ground { name, protocol, terminates: tls[0], intercepts: tls[1] }
    }

    const HTTP: Ground<'_> = ground("shop", Protocol::Http, [false; 2]);
    const HTTPS: Ground<'_> = ground("till", Protocol::Http, [true, false]);
    const OUT: Ground<'_> = ground("out", Protocol::Forward, [false; 2]);
    const SAFE: Ground<'_> = ground("safe", Protocol::Forward, [true, false]);
    const INSIDE: Ground<'_> = ground("inside", Protocol::Forward, [false, true]);
    const TCP: Ground<'_> = ground("db", Protocol::Tcp, [false; 2]);

    /// What is said of one fault on some proxies.
    fn said(fault: &str, proxies: &[Ground<'_>]) -> Vec<(String, String)> {
        let text = format!(
            "name: x\nphases: [{{ name: a, for: 1m, faults: [{{ {fault} }}] }}]\n\
             targets: {{ buy: {{ path: /buy }} }}\n"
        );
        let source = Source::new("test.yaml", &*text);
        let scenario = Scenario::read(&source, None, &mut Problems::default());
        let mut problems = Problems::default();
        fit(&scenario.expect("a scenario"), proxies, &mut problems);
        let place = |problem: &Diagnostic| text[problem.primary.span.range()].to_owned();
        problems.sorted().into_iter().map(|p| (p.code.to_string(), place(p))).collect()
    }

    #[track_caller]
    fn is_refused(fault: &str, proxies: &[Ground<'_>], code: &str, place: &str) {
        assert_eq!(said(fault, proxies), [(code.to_owned(), place.to_owned())], "{fault}");
    }

    #[test]
    fn a_proxy_has_to_be_there() {
        is_refused("blackhole: {}, proxy: dd", &[HTTP, TCP], "E0706", "dd");
        is_refused("blackhole: {}, proxy: queue", &[HTTP, TCP], "E0706", "queue");
        assert_eq!(said("blackhole: {}, proxy: db", &[HTTP, TCP]), []);
    }

    /// What is said first is what can be done.
    #[test]
    fn nobody_is_told_to_write_what_is_refused_next() {
        let entry = |place: Ground<'_>| {
            let text = "name: x\nphases: [{ name: a, for: 1m, faults: [tls: expired] }]\n";
            let scenario = Scenario::read(&Source::new("x", text), None, &mut Problems::default());
            let scenario = scenario.expect("a scenario");
            let misfit = misfit_of(&scenario.phases[0].faults[0], &[place]).expect("a problem");
            format!("{misfit:?}")
        };
        assert!(entry(SAFE).contains("`intercept: yes` instead of `terminate`"));
        assert!(!entry(OUT).contains("terminate"));
        let both = Ground { intercepts: true, ..SAFE };
        assert!(both.unread().is_some());
        for one in [SAFE, INSIDE, OUT, HTTPS, HTTP, TCP] {
            assert_eq!(one.unread(), None);
        }
    }

    #[test]
    fn a_fault_on_requests_needs_requests() {
        for fault in ["respond: 503", "hang: {}", "truncate: 50%", "lose_response: {}"] {
            let kind = fault.split(':').next().expect("a key");
            is_refused(&format!("{fault}, proxy: db"), &[HTTP, TCP], "E0707", kind);
            is_refused(fault, &[TCP], "E0707", kind);
            assert_eq!(said(fault, &[TCP, HTTP]), [], "{fault}");
        }
    }

    #[test]
    fn what_chooses_requests_needs_requests() {
        for (keys, place) in [
            ("target: buy", "buy"),
            ("share: 17%", "17%"),
            ("share: 17% of requests", "17% of requests"),
            ("times: 2", "2"),
        ] {
            let fault = format!("latency: 1s, {keys}");
            is_refused(&format!("{fault}, proxy: db"), &[HTTP, TCP], "E0707", place);
            is_refused(&fault, &[TCP], "E0707", place);
            assert_eq!(said(&fault, &[TCP, HTTP]), [], "{fault}");
        }
    }

    #[test]
    fn a_form_that_works_on_bytes_alone_is_refused_elsewhere() {
        for (fault, works, fails) in [
            ("corrupt: { rate: 1%, side: request }", TCP, HTTP),
            ("reset: { at: response, after: 25% }", HTTP, TCP),
        ] {
            let kind = fault.split(':').next().expect("a key");
            is_refused(fault, &[fails], "E0707", kind);
            assert_eq!(said(fault, &[works]), [], "{fault}");
            assert_eq!(said(fault, &[works, fails]), [], "{fault}");
        }
    }

    #[test]
    fn a_handshake_needs_tls() {
        for fault in ["tls: expired", "tls: { stall: 3s }", "tls: reset, share: 1% of connections"]
        {
            is_refused(fault, &[HTTP, TCP], "E0707", "tls");
            is_refused(&format!("{fault}, proxy: shop"), &[HTTP, HTTPS], "E0707", "tls");
            is_refused(fault, &[OUT, TCP], "E0707", "tls");
            assert_eq!(said(fault, &[HTTP, HTTPS]), [], "{fault}");
            assert_eq!(said(fault, &[OUT, INSIDE]), [], "{fault}");
            assert_eq!(said(&format!("{fault}, proxy: till"), &[HTTP, HTTPS]), [], "{fault}");
        }
    }

    #[test]
    fn the_proxy_that_comes_nearest_is_the_one_to_mend() {
        let text = "name: x\nphases: [{ name: a, for: 1m, faults: [{ tls: expired }] }]\n";
        let source = Source::new("test.yaml", text);
        let scenario = Scenario::read(&source, None, &mut Problems::default());
        let entry = &scenario.expect("a scenario").phases[0].faults[0];
        for proxies in [[TCP, HTTP], [HTTP, TCP]] {
            let help = misfit_of(entry, &proxies).and_then(|problem| problem.help);
            assert!(help.as_ref().is_some_and(|help| help.contains("terminate: yes")), "{help:?}");
        }
    }

    #[test]
    fn bytes_are_enough_for_faults_on_bytes() {
        for fault in ["blackhole: {}", "latency: 1s", "latency: 1s, share: 17% of connections"] {
            assert_eq!(said(fault, &[TCP]), [], "{fault}");
            assert_eq!(said(&format!("{fault}, proxy: db"), &[TCP]), [], "{fault}");
        }
    }

    #[test]
    fn proxies_that_are_made_later_are_not_missed() {
        assert_eq!(said("respond: 503, proxy: shop", &[]), []);
    }
}
