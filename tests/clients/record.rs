//! Attempts as the record has them. Each operation has a path of its own, so nothing is guessed here.

use serde::Deserialize;

/// One request of an operation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Attempt {
    pub(crate) method: String,
    /// The operation's number.
    pub(crate) operation: u32,
    /// When its first byte came, when its last one did, and when the client could know what came of it;
    /// in seconds.
    pub(crate) begun: f64,
    pub(crate) received: f64,
    pub(crate) ended: f64,
    /// The client went away before the answer's end.
    pub(crate) abandoned: bool,
    /// Its idempotency key.
    pub(crate) key: Option<String>,
}

#[derive(Deserialize)]
struct Line {
    r#type: String,
    #[serde(default)]
    phase: Option<String>,
    t: Option<Times>,
    request: Option<Request>,
    #[serde(default)]
    sent: Sent,
    #[serde(default)]
    keys: Keys,
    #[serde(default)]
    outcome: String,
}

#[derive(Deserialize)]
struct Times {
    first: u64,
    received: Option<u64>,
    sent_first: Option<u64>,
    client_gone: Option<u64>,
    end: u64,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    path: String,
}

#[derive(Default, Deserialize)]
struct Sent {
    #[serde(default)]
    complete: bool,
}

#[derive(Default, Deserialize)]
struct Keys {
    idempotency: Option<String>,
}

/// The attempts at the operations of a class, in the order in which they began.
pub(crate) fn attempts(record: &str, class: &str) -> Vec<Attempt> {
    let mut attempts: Vec<Attempt> = record
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .filter(|line: &Line| line.r#type == "exchange")
        .filter_map(|line| attempt(line, class))
        .collect();
    attempts.sort_by(|a, b| a.begun.total_cmp(&b.begun));
    attempts
}

fn attempt(line: Line, class: &str) -> Option<Attempt> {
    let (request, t) = (line.request?, line.t?);
    let (of, number) = request.path.strip_prefix("/op/")?.split_once('/')?;
    if of != class {
        assert_ne!(line.phase.as_deref(), Some("fault"), "{} came late", request.path);
        return None;
    }
    assert_ne!(line.phase.as_deref(), Some("calm"), "{} came early", request.path);
    // A short answer is there with its head, and when its end is noted the client may be busy already.
    let told = t.sent_first.filter(|_| line.sent.complete);
    let seconds = |us: u64| us as f64 / 1e6;
    Some(Attempt {
        method: request.method,
        operation: number.parse().expect("a number"),
        begun: seconds(t.first),
        received: seconds(t.received.unwrap_or(t.first)),
        ended: seconds(t.client_gone.or(told).unwrap_or(t.end)),
        abandoned: line.outcome == "client_gone",
        key: line.keys.idempotency,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(phase: &str, path: &str, outcome: &str) -> String {
        format!(
            r#"{{"type":"exchange","phase":"{phase}","t":{{"first":2000000,"received":2100000,"end":3000000}},"request":{{"method":"GET","path":"{path}"}},"keys":{{"idempotency":"k"}},"outcome":"{outcome}"}}"#
        )
    }

    #[test]
    fn an_attempt_is_read_from_its_line() {
        let calm = line("calm", "/op/calm/1", "ok");
        let fault = line("fault", "/op/503/7", "client_gone");
        let record = format!("{{\"type\":\"phase\",\"phase\":\"calm\"}}\n{calm}\n{fault}\n");
        let expected = Attempt {
            method: "GET".into(),
            operation: 7,
            begun: 2.0,
            received: 2.1,
            ended: 3.0,
            abandoned: true,
            key: Some("k".into()),
        };
        assert_eq!(attempts(&record, "503"), [expected]);
    }

    #[test]
    #[should_panic(expected = "/op/calm/1 came late")]
    fn base_traffic_in_the_fault_is_seen() {
        attempts(&line("fault", "/op/calm/1", "ok"), "503");
    }

    #[test]
    #[should_panic(expected = "/op/503/1 came early")]
    fn an_operation_before_the_fault_is_seen() {
        attempts(&line("calm", "/op/503/1", "ok"), "503");
    }
}
