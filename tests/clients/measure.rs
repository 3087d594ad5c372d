//! From the attempts of a run to the cells of a row.

use crate::{
    record::Attempt,
    roster::Client,
    row::{Cell, Key, METHODS, Row, Span},
};
use std::collections::{BTreeMap, BTreeSet};

/// A client's row, as long as nothing was measured.
pub(crate) fn nothing_yet(client: &Client) -> Row {
    Row {
        client: client.name.to_owned(),
        version: client.version(),
        from: client.from.name().to_owned(),
        held: client.hold(),
        classes: BTreeMap::new(),
        told: BTreeMap::new(),
        notes: Vec::new(),
    }
}

/// What attempts in one class come to, by method, of so many operations each.
pub(crate) fn methods(attempts: &[Attempt], expected: usize) -> BTreeMap<String, Cell> {
    let of = |method: &str| {
        let mut operations: BTreeMap<u32, Vec<&Attempt>> = BTreeMap::new();
        for attempt in attempts.iter().filter(|attempt| attempt.method == method) {
            operations.entry(attempt.operation).or_default().push(attempt);
        }
        let operations: Vec<_> = operations.into_values().collect();
        assert_eq!(operations.len(), expected, "operations by {method}: {attempts:?}");
        (method.to_owned(), cell(&operations))
    };
    METHODS.map(of).into()
}

fn cell(operations: &[Vec<&Attempt>]) -> Cell {
    let attempts = span(operations.iter().map(Vec::len)).unwrap_or_default();
    let gaps = (1..attempts[1]).filter_map(|at| {
        let later = operations.iter().filter(|operation| operation.len() > at);
        seconds(later.map(|operation| operation[at].begun - operation[at - 1].ended))
    });
    let abandoned = operations.iter().flatten().filter(|attempt| attempt.abandoned);
    Cell {
        attempts,
        gaps: gaps.collect(),
        key: key(operations),
        patience: seconds(abandoned.map(|attempt| attempt.ended - attempt.received)),
    }
}

/// Whether keys tell attempts of an operation as such; `None` if there are none.
fn key(operations: &[Vec<&Attempt>]) -> Option<Key> {
    let is_stable = |operation: &Vec<&Attempt>| {
        operation.iter().map(|attempt| &attempt.key).collect::<BTreeSet<_>>().len() == 1
    };
    let keyed = operations.iter().flatten().any(|attempt| attempt.key.is_some());
    let key = if operations.iter().all(is_stable) { Key::Stable } else { Key::Changing };
    keyed.then_some(key)
}

/// To a hundredth: what is below differs from run to run.
fn seconds(values: impl Iterator<Item = f64>) -> Option<Span<f64>> {
    span(values.map(|value| (value.max(0.0) * 100.0).round() / 100.0))
}

fn span<T: Copy + PartialOrd>(values: impl Iterator<Item = T>) -> Option<Span<T>> {
    values.fold(None, |span, value| {
        let [least, most] = span.unwrap_or([value, value]);
        let least = if value < least { value } else { least };
        Some([least, if value > most { value } else { most }])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(operation: u32, begun: f64, ended: f64) -> Attempt {
        let received = begun + 0.01;
        Attempt {
            method: "POST".into(),
            operation,
            begun,
            received,
            ended,
            abandoned: false,
            key: None,
        }
    }

    #[test]
    fn a_gap_is_from_a_failure_to_the_next_attempt() {
        let first = [attempt(1, 1.0, 1.5), attempt(1, 2.5, 2.6), attempt(1, 4.6, 4.7)];
        let second = [attempt(2, 1.0, 1.1), attempt(2, 2.3, 2.4)];
        let cell = cell(&[first.iter().collect(), second.iter().collect()]);
        assert_eq!(cell.attempts, [2, 3]);
        assert_eq!(cell.gaps, [[1.0, 1.2], [2.0, 2.0]]);
        assert_eq!((cell.key, cell.patience), (None, None));
    }

    #[test]
    fn patience_is_from_the_question_to_going_away() {
        let mut gone = attempt(1, 1.0, 6.0);
        gone.abandoned = true;
        let cell = cell(&[vec![&gone], vec![&attempt(2, 1.0, 9.0)]]);
        assert_eq!(cell.patience, Some([4.99, 4.99]));
    }

    #[test]
    fn a_key_that_is_new_each_time_is_no_key() {
        let with = |operation, key: &str| Attempt {
            key: Some(key.to_owned()),
            ..attempt(operation, 1.0, 2.0)
        };
        let (a, b) = (with(1, "a"), with(1, "b"));
        assert_eq!(key(&[vec![&a, &a], vec![&b]]), Some(Key::Stable));
        assert_eq!(key(&[vec![&a, &b]]), Some(Key::Changing));
        assert_eq!(key(&[vec![&a, &attempt(1, 1.0, 2.0)]]), Some(Key::Changing), "one has none");
        assert_eq!(key(&[vec![&attempt(1, 1.0, 2.0)]]), None);
    }

    #[test]
    #[should_panic(expected = "operations by GET")]
    fn an_operation_that_never_came_is_seen() {
        methods(&[attempt(1, 1.0, 1.5)], 1);
    }
}
