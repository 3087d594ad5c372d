use super::*;
use crate::{
    event::{
        ByHand, Call, ClosedBy, Connection, Dealt, Detail, Did, Duplicate, EndedBy, Exchange, Flow,
        HandChange, Http2, Keys, PhaseEdge, Relay, SocketClose, Tunnel, Upstream,
    },
    grpc::Code,
    observe::{
        End, Tally,
        write::{Names, event_line},
    },
};
use http::Method;
use proptest::prelude::*;
use std::{net::SocketAddr, sync::Arc, time::Duration};

fn preface() -> Preface {
    Preface {
        run: "0badcafe".to_owned(),
        firedrill: "0.1.0".to_owned(),
        scenario: "shop".to_owned(),
        scenario_hash: "0123456789abcdef".to_owned(),
        seed: 7,
        speed: 1.5,
        started: "2026-11-22T14:32:02.421010485Z".to_owned(),
        phases: vec![("calm".to_owned(), 2_000), ("outage".to_owned(), 4_000)],
        targets: vec!["buy".to_owned(), "\"odd\"\n".to_owned()],
        users: vec!["header x-user-id".to_owned(), "peer address".to_owned()],
        scenario_text: "name: shop\n".to_owned(),
        bindings: vec!["buy=POST /x".to_owned()],
        start_at_ms: 1,
        longest_phase_ms: Some(3),
        proxies: vec![("default".to_owned(), "http".to_owned())],
    }
}

fn ending() -> Ending {
    Ending {
        took_us: Some(6_000_000),
        command_failed: true,
        faults: vec![Tally {
            name: "busy".to_owned(),
            kind: "respond".to_owned(),
            describe: "503".to_owned(),
            considered: 3,
            hit: 2,
            held_us: 1,
            gate: false,
        }],
        ..Ending::of(End::CommandEnded)
    }
}

/// The lines of these events, without the first and the last.
fn lines(events: &[Event]) -> Vec<String> {
    let preface = preface();
    let mut names = Names {
        phases: preface.phases.iter().map(|(name, _)| name.clone()).collect(),
        targets: preface.targets,
        users: preface.users,
        proxies: Vec::new(),
    };
    names.learn(events);
    let line = |event| serde_json::to_string(&event_line(event, &names)).expect("JSON");
    events.iter().map(line).collect()
}

fn head() -> String {
    let mut head = serde_json::to_value(preface()).expect("JSON");
    head["type"] = "run".into();
    head["format"] = 1.into();
    head.to_string()
}

fn tail(exchanges: u64) -> String {
    let mut tail = serde_json::to_value(Ending { exchanges, ..ending() }).expect("JSON");
    tail["type"] = "end".into();
    tail.to_string()
}

fn record(events: &[Event]) -> String {
    let count = events.iter().filter(|event| matches!(event, Event::Exchange(_))).count();
    let all = [vec![head()], lines(events), vec![tail(count as u64)]].concat();
    all.join("\n") + "\n"
}

type Whole = (Vec<Event>, Option<Ending>, Soundness);

fn read(text: &str) -> Result<Whole, ReadError> {
    let mut reader = Reader::new(text.as_bytes())?;
    let mut events = Vec::new();
    while let Some(event) = reader.next_event()? {
        events.push(event);
    }
    let (_, ending, soundness) = reader.finish();
    Ok((events, ending, soundness))
}

fn refused(text: &str) -> String {
    read(text).expect_err("it is refused").to_string()
}

pub(in crate::observe) fn exchange(conn: u64, seq: u32, start: u64, end: u64) -> Event {
    Event::Exchange(Box::new(Exchange {
        proxy: 0,
        conn,
        seq,
        peer: SocketAddr::from(([127, 0, 0, 1], 40_000)),
        accepted: 1,
        secured: 0,
        phase: Some(0),
        user: 7,
        user_source: 0,
        nth: 1,
        method: Method::GET,
        targets: 1,
        dealt: Vec::new(),
        upstream: Upstream::Status(200),
        upstream_error: None,
        status: 200,
        received: 0,
        sent: 2,
        complete: true,
        ended_by: EndedBy::Completed,
        http2: None,
        t_first: start,
        t_head: start,
        t_received: start,
        t_forwarded: start,
        t_answered: end,
        t_upstream_end: end,
        t_sent_first: end,
        t_client_gone: 0,
        t_end: end,
        grpc: None,
        detail: Some(Box::new(Detail { path: "/buy".to_owned(), ..Detail::default() })),
    }))
}

fn proxy() -> Event {
    Event::Proxy { id: 0, name: Arc::from("default"), forward: false }
}

fn words(of: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(of)
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 1..LATEST]
}

fn short() -> impl Strategy<Value = Option<String>> {
    prop::option::of("\\PC{0,12}|[\"\\\\\n\t/a]{0,6}")
}

fn micros() -> impl Strategy<Value = Duration> {
    (0..LATEST).prop_map(Duration::from_micros)
}

fn did() -> impl Strategy<Value = Did> {
    prop_oneof![
        micros().prop_map(Did::Delayed),
        micros().prop_map(Did::Queued),
        (100_u16..600).prop_map(Did::Responded),
        prop::sample::select(&[
            Did::Hung,
            Did::Closed,
            Did::Reset,
            Did::SentAway,
            Did::Duplicated,
            Did::LostResponse,
            Did::Malformed,
            Did::Handshake("expired"),
            Did::Edited,
            Did::Cut,
            Did::Shaped,
            Did::Wire,
            Did::Messages,
        ]),
    ]
}

fn dealt() -> impl Strategy<Value = Vec<Dealt>> {
    let kind = words(&["respond", "latency", "reset_peer"]);
    let one = ("\\PC{1,9}", kind, did()).prop_map(|(fault, kind, did)| Dealt {
        fault: Arc::from(fault),
        kind,
        did,
    });
    prop::collection::vec(one, 0..3)
}

fn upstream() -> impl Strategy<Value = (Upstream, Option<&'static str>)> {
    let upstream = prop_oneof![
        Just(Upstream::NotSent),
        Just(Upstream::NoReply),
        (100_u16..600).prop_map(Upstream::Status)
    ];
    (upstream, prop::option::of(words(&["broken", "connect_failed"])))
}

fn ended_by() -> impl Strategy<Value = EndedBy> {
    prop::sample::select(&[
        EndedBy::Completed,
        EndedBy::ProxyFin,
        EndedBy::ProxyRst,
        EndedBy::PhaseEdge,
        EndedBy::ClientFin,
        EndedBy::ClientRst,
        EndedBy::UpstreamFin,
        EndedBy::UpstreamRst,
    ])
}

fn phase() -> impl Strategy<Value = Option<usize>> {
    prop::option::of(0..2_usize)
}

fn peer() -> impl Strategy<Value = SocketAddr> {
    any::<(std::net::IpAddr, u16)>().prop_map(SocketAddr::from)
}

fn detail() -> impl Strategy<Value = Detail> {
    let hashes = any::<(u64, Option<u64>, u64, Option<u64>, Option<u64>, Option<u64>)>();
    let keys = prop::collection::vec(short(), 9).prop_map(|mut all| Keys {
        idempotency: all.pop().flatten(),
        operation: all.pop().flatten(),
        trace: all.pop().flatten(),
        request: all.pop().flatten(),
        invocation: all.pop().flatten(),
        attempt: all.pop().flatten(),
        case: all.pop().flatten(),
        client: all.pop().flatten(),
        deadline: all.pop().flatten(),
    });
    let texts = ("/\\PC{0,20}", short(), short(), short());
    (texts, hashes, prop::option::of(micros()), keys).prop_map(
        |((path, query, agent, retry_after), hashes, retry_wait, keys)| Detail {
            path,
            query,
            agent,
            fingerprint: hashes.0,
            auth: hashes.1,
            body_hash: hashes.2,
            shape_hash: hashes.3,
            masked_hash: hashes.4,
            retry_after,
            retry_wait,
            made: hashes.5,
            keys,
        },
    )
}

fn call() -> impl Strategy<Value = Call> {
    let status = prop::option::of((0_u8..17).prop_map(|number| Code::of(number).expect("a code")));
    (status, any::<bool>(), any::<u64>(), any::<u64>()).prop_map(|(status, never, up, down)| Call {
        status,
        never,
        up,
        down,
    })
}

fn any_exchange() -> impl Strategy<Value = Event> {
    let who = (peer(), any::<u64>(), 0..2_usize, any::<u64>(), 0..4_u64);
    let times = prop::collection::vec(time(), 10);
    let method = words(&["GET", "POST", "PURGE"]);
    let fate = (upstream(), prop_oneof![Just(0), 100_u16..600], any::<bool>(), ended_by());
    let bytes = (any::<u64>(), any::<u64>(), prop::option::of(call()));
    (who, times, method, phase(), dealt(), fate, bytes, prop::option::of(detail())).prop_map(
        |(
            (peer, user, user_source, nth, targets),
            t,
            method,
            phase,
            dealt,
            fate,
            bytes,
            detail,
        )| {
            let ((upstream, upstream_error), status, complete, ended_by) = fate;
            Event::Exchange(Box::new(Exchange {
                proxy: 0,
                conn: 0,
                seq: 1,
                peer,
                accepted: t[0],
                secured: t[0] / 2,
                phase,
                user,
                user_source,
                nth,
                method: Method::from_bytes(method.as_bytes()).expect("a method"),
                targets,
                dealt,
                upstream,
                upstream_error,
                status,
                received: bytes.0,
                sent: bytes.1,
                complete,
                ended_by,
                http2: (t[1] % 2 == 0).then(|| Http2 {
                    reset: u32::try_from(t[2]).ok().filter(|code| code % 2 == 0),
                }),
                t_first: t[1],
                t_head: t[2],
                t_received: t[3],
                t_forwarded: t[4],
                t_answered: t[5],
                t_upstream_end: t[6],
                t_sent_first: t[7],
                t_client_gone: t[8],
                t_end: t[9],
                grpc: bytes.2,
                detail: detail.map(Box::new),
            }))
        },
    )
}

fn any_other() -> impl Strategy<Value = Event> {
    let relay = (any::<u64>(), any::<(u64, u64)>(), time(), upstream()).prop_map(
        |(user, (up, down), t_connected, (_, upstream_error))| Relay {
            user,
            up,
            down,
            t_connected,
            upstream_error,
        },
    );
    let tls = (time(), prop::sample::select(vec![None, Some("left"), Some("alert_unknown_ca")]));
    let connection =
        (peer(), time(), time(), phase(), dealt(), ended_by(), tls, prop::option::of(relay));
    let connection = connection.prop_map(
        |(peer, accepted, ended, phase, dealt, ended_by, (secured, tls_error), relay)| {
            Event::Connection(Connection {
                proxy: 1,
                id: 3,
                peer,
                accepted,
                ended,
                phase,
                dealt,
                ended_by,
                secured,
                tls_error,
                relay,
            })
        },
    );
    let duplicate = ("\\PC{1,9}", upstream(), time(), time(), time()).prop_map(
        |(fault, (upstream, upstream_error), t_forwarded, t_answered, t_end)| {
            let fault = Arc::from(fault);
            let (proxy, conn, seq) = (0, 4, 2);
            Event::Duplicate(Duplicate {
                proxy,
                conn,
                seq,
                fault,
                upstream,
                upstream_error,
                t_forwarded,
                t_answered,
                t_end,
            })
        },
    );
    let edge = (phase(), micros(), micros())
        .prop_map(|(phase, planned, actual)| Event::Edge(PhaseEdge { phase, planned, actual }));
    let change = prop::sample::select(&[
        HandChange::Added,
        HandChange::Changed,
        HandChange::Removed,
        HandChange::Expired,
    ]);
    let by_hand = ("\\PC{1,9}", words(&["latency", "slicer"]), change, time()).prop_map(
        |(fault, kind, change, at)| {
            Event::ByHand(ByHand { proxy: 1, fault: Arc::from(fault), kind, change, at })
        },
    );
    let flow = || {
        any::<(u64, u64, u64, u64)>().prop_map(|(bytes, frames, messages, passed)| Flow {
            bytes,
            frames,
            messages,
            passed,
        })
    };
    let by = prop::sample::select(&ClosedBy::ALL);
    let close = (any::<u16>(), by).prop_map(|(code, by)| SocketClose { code, by });
    let tunnel = (any_exchange(), flow(), flow(), prop::option::of(close)).prop_map(
        |(exchange, up, down, close)| {
            let Event::Exchange(exchange) = exchange else { panic!("{exchange:?}") };
            Event::Tunnel(Box::new(Tunnel { exchange: *exchange, up, down, close }))
        },
    );
    prop_oneof![connection, duplicate, edge, by_hand, tunnel]
}

proptest! {
    #[test]
    fn what_was_written_is_read_again(
        events in prop::collection::vec(prop_oneof![any_exchange(), any_other()], 0..8),
    ) {
        let named = |id, name| Event::Proxy { id, name: Arc::from(name), forward: true };
        let mut all = vec![named(0, "default"), named(1, "d\"b")];
        for (at, mut event) in events.into_iter().enumerate() {
            if let Event::Exchange(exchange) = &mut event {
                exchange.conn = at as u64;
            }
            all.push(event);
        }
        let (events, end, soundness) = read(&record(&all)).expect("a record");
        let exchanges = all.iter().filter(|event| matches!(event, Event::Exchange(_))).count();
        prop_assert_eq!(events, all);
        prop_assert_eq!(end, Some(Ending { exchanges: exchanges as u64, ..ending() }));
        prop_assert_eq!((soundness.cut, soundness.miscounted), (None, None));
    }

    #[test]
    fn nonsense_is_refused_and_never_a_panic(text in "\\PC{0,40}", line in "[{}\":a-z0-9, ]{0,60}") {
        prop_assert!(read(&text).is_err());
        // Behind a good first line it is wrong, cut, or of a type that is not known.
        let _either = read(&format!("{}\n{line}\n", head()));
    }
}

#[test]
fn the_first_line_is_read_again() {
    let text = record(&[]);
    let reader = Reader::new(text.as_bytes()).expect("a record");
    assert_eq!(
        serde_json::to_value(reader.preface()).expect("JSON"),
        serde_json::to_value(preface()).expect("JSON")
    );
}

#[test]
fn a_record_of_an_older_version_is_read() {
    let mut head: serde_json::Value = serde_json::from_str(&head()).expect("JSON");
    for key in ["scenario_text", "bindings", "start_at_ms", "longest_phase_ms", "proxies"] {
        head.as_object_mut().expect("an object").remove(key);
    }
    let end = r#"{"type":"end","end":"finished","exchanges":0,"dropped":0}"#;
    let text = format!("{head}\n{end}\n");
    let (events, ending, soundness) = read(&text).expect("a record");
    assert_eq!((events.len(), ending), (0, Some(Ending::of(End::Finished))));
    assert_eq!(soundness, Soundness::default());
}

#[test]
fn what_is_not_known_is_passed_over() {
    let mut known: serde_json::Value =
        serde_json::from_str(&lines(&[proxy(), exchange(1, 1, 10, 20)])[1]).expect("JSON");
    known["mood"] = "good".into();
    known["request"]["smell"] = serde_json::json!([1, { "two": 2 }]);
    let new = r#"{"weather":"fine","type":"forecast"}"#;
    let text = format!("{}\n{}\n{known}\n{new}\n{}\n", head(), lines(&[proxy()])[0], tail(1));
    let (events, _, soundness) = read(&text).expect("a record");
    assert_eq!(events, [proxy(), exchange(1, 1, 10, 20)]);
    assert_eq!(soundness, Soundness { unknown: 1, ..Soundness::default() });
}

#[test]
fn what_is_no_record_is_told_from_one() {
    assert_eq!(refused(""), "it is empty");
    let no_json = "it is no record of firedrill: its first line is no JSON object";
    assert_eq!(refused("name: shop\n"), no_json);
    assert_eq!(refused("[1, 2]\n"), no_json);
    assert_eq!(
        refused("{\"level\":\"info\",\"msg\":\"hello\"}\n"),
        "it is no record of firedrill: its first line is not of the type `run`"
    );
    let cut = &head()[..40];
    assert_eq!(refused(cut), "it is no record of firedrill: its first line is cut off");
    let other = head().replace("\"format\":1", "\"format\":2");
    assert_eq!(refused(&other), "its format is 2, and this version reads format 1");
}

#[test]
fn a_line_that_is_wrong_is_named_by_its_number() {
    let (head, end) = (head(), tail(0));
    let refused = |line: &str| refused(&format!("{head}\n{line}\n{end}\n"));
    assert!(refused("nonsense").starts_with("line 2 is no JSON: expected"), "{}", refused("nons"));
    let shop = r#"{"type":"phase","phase":"onset","planned_us":1,"actual_us":1}"#;
    assert_eq!(
        refused(shop),
        "line 2 tells of the phase `onset`, which the first line does not name"
    );
    let partial = r#"{"type":"phase","phase":"calm","planned_us":1}"#;
    assert!(refused(partial).contains("line 2 is not as it should be: missing field `actual_us`"));
    let far = exchange(1, 1, 10, u64::MAX);
    assert_eq!(refused(&lines(&[far])[0]), "line 2 tells of a time beyond a year");
    let long = format!("\"{}\"", "x".repeat(1 << 20));
    assert_eq!(refused(&long), "line 2 is longer than a mebibyte");
    assert!(refused(&head).starts_with("line 2 begins another record"));
    assert!(refused(&end).starts_with("line 3 comes after the end"));
}

#[test]
fn a_record_that_was_cut_off_is_read_up_to_there() {
    let text = record(&[proxy(), exchange(1, 1, 10, 20), exchange(2, 1, 10, 20)]);
    let whole: Vec<&str> = text.lines().collect();
    let without_end = whole[..4].join("\n") + "\n";
    let (events, ending, soundness) = read(&without_end).expect("what is there");
    assert_eq!((events.len(), ending), (3, None));
    assert_eq!(soundness.cut, Some(Cut::NoEnd));
    let in_half = &without_end[..without_end.len() - 30];
    let (events, ending, soundness) = read(in_half).expect("what is there");
    assert_eq!((events.len(), ending), (2, None));
    assert_eq!(soundness.cut, Some(Cut::Line(4)));
    assert!(soundness.doubts()[0].contains("in the middle of line 4"), "{:?}", soundness.doubts());
}

#[test]
fn clocks_that_jump_are_told_with_the_line() {
    let second = 1_000_000;
    let sound = |events: &[Event]| read(&record(events)).expect("a record").2;
    // A batch is not in the order of time.
    let batch = [exchange(1, 1, 50_000, 60_000), exchange(2, 1, 10_000, 20_000)];
    assert_eq!(sound(&batch), Soundness::default());
    let back = [exchange(1, 1, 99 * second, 100 * second), exchange(2, 1, second, 2 * second)];
    assert_eq!(sound(&back).backwards, Noted { count: 1, line: 3 });
    let inside = [exchange(1, 1, 20, 10)];
    assert_eq!(sound(&inside).backwards, Noted { count: 1, line: 2 });
    let on_one = [exchange(1, 1, 3 * second, 4 * second), exchange(1, 2, second, 2 * second)];
    assert_eq!(sound(&on_one).backwards, Noted { count: 1, line: 3 });
    let edge = |phase, at| {
        let at = Duration::from_secs(at);
        Event::Edge(PhaseEdge { phase, planned: at, actual: at })
    };
    assert_eq!(sound(&[edge(Some(0), 5), edge(Some(1), 4)]).backwards, Noted { count: 1, line: 3 });
    assert!(sound(&inside).doubts()[0].contains("run backwards"), "{:?}", sound(&inside).doubts());
}

#[test]
fn an_exchange_that_is_told_twice_counts_once() {
    let one = exchange(1, 1, 10, 20);
    let twice = [one.clone(), exchange(1, 2, 30, 40), one.clone()];
    let (events, _, soundness) = read(&record(&twice)).expect("a record");
    assert_eq!(events, [one, exchange(1, 2, 30, 40)]);
    assert_eq!(soundness.repeated, Noted { count: 1, line: 4 });
    assert!(!soundness.doubts().is_empty());
}

#[test]
fn lines_that_are_missing_are_missed() {
    let text = record(&[exchange(1, 1, 10, 20), exchange(2, 1, 10, 20)]);
    let lines: Vec<&str> = text.lines().collect();
    let (_, _, soundness) = read(&[lines[0], lines[1], lines[3]].join("\n")).expect("a record");
    assert_eq!(soundness.miscounted, Some((2, 1)));
}

fn merged(texts: &[&str], users_apart: bool) -> (Vec<Event>, Vec<ReadRecord>) {
    let readers = texts.iter().map(|text| Reader::new(text.as_bytes()).expect("a record"));
    let mut merged = merge(readers.collect(), users_apart).expect("records");
    let mut events = Vec::new();
    while let Some(event) = merged.next_event().expect("records") {
        events.push(event);
    }
    (events, merged.finish())
}

#[test]
fn several_records_are_one_by_time_with_numbers_of_their_own() {
    let edge = |at| {
        let at = Duration::from_micros(at);
        Event::Edge(PhaseEdge { phase: Some(0), planned: at, actual: at })
    };
    let named = |id, name| Event::Proxy { id, name: Arc::from(name), forward: true };
    let at = |proxy, conn, end| {
        let Event::Exchange(mut exchange) = exchange(conn, 1, 5, end) else { unreachable!() };
        exchange.proxy = proxy;
        Event::Exchange(exchange)
    };
    let one = record(&[named(0, "a"), edge(3), at(0, 1, 10), at(0, 2, 30)]);
    let two = record(&[named(0, "b"), named(1, "a"), edge(9), at(1, 1, 20), at(0, 2, 40)]);

    let (events, records) = merged(&[&one, &two], false);

    let told: Vec<(u64, u32, u64)> = events
        .iter()
        .filter_map(|event| match event {
            Event::Exchange(exchange) => Some((exchange.conn, exchange.proxy, exchange.user)),
            _ => None,
        })
        .collect();
    let more = 1_000_000_000_000;
    assert_eq!(told, [(1, 0, 7), (1 + more, 0, 7), (2, 0, 7), (2 + more, 1, 7)]);
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Edge(_))).count(), 1);
    assert_eq!(records.iter().map(|record| record.edges_off).collect::<Vec<_>>(), [0, 6]);

    let (events, _) = merged(&[&one, &two], true);
    let users = events.iter().filter_map(|event| match event {
        Event::Exchange(exchange) => Some(exchange.user),
        _ => None,
    });
    assert_eq!(users.collect::<std::collections::HashSet<_>>().len(), 2);
}
