use super::*;
use crate::{diag::Look, scenario::vocabulary};

fn term(name: &str) -> &'static Term {
    vocabulary::find(name).expect("a term")
}

fn number(low: f64, value: f64, high: f64) -> Measured {
    Measured::Number { low, value, high, sample: "40 operations".to_owned() }
}

fn count(count: u64) -> Measured {
    Measured::count(count, "40 operations")
}

#[expect(clippy::needless_pass_by_value, reason = "they are made to be compared")]
fn changed(name: &str, first: Measured, second: Measured) -> Option<Change> {
    change(term(name), Some(&first), Some(&second))
}

#[test]
fn bounds_that_overlap_are_noise_and_others_are_not() {
    let one = || number(1.2, 1.5, 1.9);
    assert_eq!(changed("retry_amplification", one(), number(1.8, 2.4, 3.0)), Some(Change::Same));
    assert_eq!(changed("retry_amplification", one(), number(2.0, 2.4, 3.0)), Some(Change::Worse));
    assert_eq!(changed("retry_amplification", one(), number(1.0, 1.1, 1.1)), Some(Change::Better));
    // Of these more is better.
    assert_eq!(changed("availability", one(), number(2.0, 2.4, 3.0)), Some(Change::Better));
    assert_eq!(changed("availability", one(), number(1.0, 1.1, 1.1)), Some(Change::Worse));
    // Of these neither is.
    assert_eq!(changed("request_timeout", one(), number(2.0, 2.4, 3.0)), Some(Change::Other));
    // One bound that is not known bounds nothing.
    let open = number(1.0, 1.1, f64::INFINITY);
    assert_eq!(changed("recovery_time", open, number(9.0, 9.0, 9.0)), Some(Change::Same));
}

#[test]
fn counts_are_compared_as_they_are() {
    let duplicates = |one, two| changed("duplicate_side_effects", count(one), count(two));
    assert_eq!(duplicates(0, 1), Some(Change::Worse));
    assert_eq!(duplicates(3, 0), Some(Change::Better));
    assert_eq!(duplicates(3, 3), Some(Change::Same));
}

#[test]
fn a_figure_without_bounds_has_to_differ_by_a_tenth() {
    let exact = |value| Measured::exact(value, "1 client");
    let backoff = |one, two| changed("max_backoff", exact(one), exact(two));
    assert_eq!(backoff(10.0, 10.9), Some(Change::Same));
    // And a time by what a machine does not do by itself.
    assert_eq!(backoff(0.0005, 0.003), Some(Change::Same));
    assert_eq!(backoff(0.01, 0.08), Some(Change::Worse));
    assert_eq!(backoff(10.0, 12.0), Some(Change::Worse));
    assert_eq!(backoff(f64::INFINITY, 12.0), Some(Change::Better));
    assert_eq!(backoff(f64::INFINITY, f64::INFINITY), Some(Change::Same));
}

#[test]
fn words_and_answers_have_a_direction_where_there_is_one() {
    let word = |word| Measured::Word { word, sample: String::new() };
    assert_eq!(changed("backoff", word("constant"), word("growing")), Some(Change::Better));
    assert_eq!(changed("backoff", word("exponential"), word("immediate")), Some(Change::Worse));
    assert_eq!(changed("backoff", word("growing"), word("exponential")), Some(Change::Other));
    assert_eq!(changed("idempotency_key", word("stable"), word("required")), Some(Change::Worse));
    let flag = |is| Measured::Flag { is, sample: String::new() };
    assert_eq!(changed("respects_retry_after", flag(false), flag(true)), Some(Change::Better));
    assert_eq!(changed("first_retry_immediate", flag(false), flag(true)), Some(Change::Other));
}

#[test]
fn what_one_of_them_lacks_is_said_and_what_both_lack_is_not() {
    let none = || Measured::NotExercised("nothing failed".to_owned());
    let few = || Measured::too_few("3 operations", "30");
    assert_eq!(changed("jitter", none(), few()), None);
    assert_eq!(changed("jitter", number(0.1, 0.2, 0.3), few()), Some(Change::OnlyFirst));
    assert_eq!(changed("jitter", none(), number(0.1, 0.2, 0.3)), Some(Change::OnlySecond));
    assert_eq!(change(term("jitter"), None, None), None);
}

/// The more is compared, the surer each statement has to be.
#[test]
fn many_comparisons_make_for_wider_bounds() {
    let at = |value: f64| {
        move |level: f64| {
            let half = 0.1 / (1.0 - level);
            let names = ["retry_amplification", "load_factor", "latency_p50", "latency_p95"];
            let taken = names.map(|name| Taken {
                term: term(name),
                measured: number(value - half, value, value + half),
            });
            taken.to_vec()
        }
    };
    // At 95 % the bounds lie 2 off, at 98.75 % they lie 8 off.
    let compare =
        |other| Comparison::of(Default::default(), 0.95, at(100.0), at(other), Vec::new());
    let near = compare(110.0);
    assert!((near.each - 0.9875).abs() < 1e-9 && near.bounded == 4, "{near:?}");
    assert_eq!((near.count(Change::Worse), near.count(Change::Same)), (0, 4));
    assert_eq!(compare(120.0).count(Change::Worse), 4);
}

#[test]
fn a_comparison_is_a_table_and_an_object() {
    let taken = |value: f64| {
        move |_level: f64| {
            vec![
                Taken {
                    term: term("retry_amplification"),
                    measured: number(value - 0.1, value, value + 0.1),
                },
                Taken { term: term("duplicate_side_effects"), measured: count(0) },
            ]
        }
    };
    let ran = |file: &str| Ran {
        file: file.to_owned(),
        run: "0badcafe".to_owned(),
        seed: 7,
        requests: 640,
    };
    let notes = vec!["they were played at different speeds".to_owned()];
    let compared =
        Comparison::of([ran("a.jsonl"), ran("b.jsonl")], 0.95, taken(3.0), taken(1.2), notes);
    let expected = "A  a.jsonl: run 0badcafe, seed 7, 640 requests
B  b.jsonl: run 0badcafe, seed 7, 640 requests

measure                                      A                       B  B is
retry_amplification     3.00x (2.90x to 3.10x)  1.20x (1.10x to 1.30x)  better
duplicate_side_effects                       0                       0  same

1 better, 0 worse, 1 the same within noise (bounds at 95 %)
note: they were played at different speeds
";
    assert_eq!(compared.text(Look::Plain, 100), expected);
    let json = compared.json();
    assert_eq!((&json["better"], &json["worse"]), (&1.into(), &0.into()));
    assert_eq!(json["measures"][0]["change"], "better");
    assert_eq!(json["measures"][0]["good"], "less");
    assert_eq!(json["measures"][1]["a"]["value"], 0.0);
}
