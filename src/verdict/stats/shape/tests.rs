use super::*;
use crate::dice::{Dice, Purpose, Seed};
use proptest::prelude::*;
use rand::RngExt;
use rand_pcg::Pcg64Dxsm;

#[track_caller]
fn of(operations: &[&[f64]]) -> Backoff {
    let operations: Vec<Vec<f64>> = operations.iter().map(|gaps| gaps.to_vec()).collect();
    classify(&operations, IMMEDIATE).unwrap()
}

/// Gaps of the `k`-th retry of clients that exist, without what the network adds.
#[derive(Clone, Copy, Debug)]
enum Client {
    Immediate,
    Constant,
    ConstantHalfJitter,
    Wget,
    Curl,
    Grpc,
    EqualJitter,
    FullJitter,
    FullJitterCapped,
    Urllib3,
    Decorrelated,
}

impl Client {
    fn operation(self, retries: u32, rng: &mut Pcg64Dxsm) -> Vec<f64> {
        let mut last = 0.5;
        let mut gap = |k: u32| {
            let doubled = 0.5 * 2_f64.powf(f64::from(k) - 1.0);
            let clean = match self {
                Self::Immediate => 0.0,
                Self::Constant => 1.0,
                Self::ConstantHalfJitter => 2.0 * rng.random_range(0.5..1.5),
                Self::Wget => f64::from(k).min(10.0),
                Self::Curl => 2.0 * doubled,
                Self::Grpc => 1.6_f64.powf(f64::from(k) - 1.0) * rng.random_range(0.8..1.2),
                Self::EqualJitter => doubled * rng.random_range(0.5..1.0),
                Self::FullJitter => doubled * rng.random_range(0.0..1.0),
                Self::FullJitterCapped => doubled.min(4.0) * rng.random_range(0.0..1.0),
                Self::Urllib3 if k == 1 => 0.0,
                Self::Urllib3 => doubled,
                Self::Decorrelated => {
                    last = rng.random_range(0.5..last * 3.0_f64).min(20.0);
                    last
                }
            };
            // Scheduling: 3 ms of two steps, and now and then a hiccup.
            let step = |u: f64| -0.0015 * (1.0 - u).ln();
            let hiccup = if rng.random_range(0.0..1.0) < 0.03 { 0.03 } else { 0.0 };
            let noise = step(rng.random_range(0.0..1.0)) + step(rng.random_range(0.0..1.0));
            clean + noise + hiccup * rng.random_range(0.0..1.0)
        };
        (1..=retries).map(&mut gap).collect()
    }

    fn truth(self) -> Shape {
        match self {
            Self::Immediate => Shape::Immediate,
            Self::Constant | Self::ConstantHalfJitter => Shape::Constant,
            Self::Wget => Shape::Linear,
            _ => Shape::Exponential,
        }
    }

    /// The shares of runs in which its shape was named, and in which a wrong one was.
    fn judged(self, retries: u32, operations: u64, runs: u64) -> (f64, f64) {
        let (mut right, mut wrong) = (0_u32, 0_u32);
        for run in 0..runs {
            let mut rng = Dice::new(Seed(run), "back-off")
                .of(u64::from(retries), operations)
                .rng(Purpose::Delay);
            let all: Vec<_> = (0..operations).map(|_| self.operation(retries, &mut rng)).collect();
            match classify(&all, IMMEDIATE).unwrap().shape {
                shape if shape == self.truth() => right += 1,
                Shape::Ambiguous | Shape::Single => {}
                Shape::Growing if matches!(self.truth(), Shape::Linear | Shape::Exponential) => {}
                _ => wrong += 1,
            }
        }
        (f64::from(right) / runs as f64, f64::from(wrong) / runs as f64)
    }
}

/// What another implementation scored, (named right, named wrong) by gaps and operations. A share
/// of 100 runs has a deviation of at most 0.05, of two such shares 0.07.
#[test]
fn shapes_are_named_as_often_as_they_can_be() {
    let columns = [(2, 10), (3, 10), (3, 30), (5, 10), (5, 20)];
    let always = [(1.0, 0.0); 5];
    let from_three = [(0.0, 0.0), (1.0, 0.0), (1.0, 0.0), (1.0, 0.0), (1.0, 0.0)];
    for (client, scores) in [
        (Client::Immediate, always),
        (Client::Constant, always),
        (
            Client::ConstantHalfJitter,
            [(0.92, 0.08), (0.97, 0.03), (1.0, 0.0), (1.0, 0.0), (1.0, 0.0)],
        ),
        (Client::Wget, from_three),
        (Client::Curl, from_three),
        (Client::Grpc, [(0.0, 0.0), (0.72, 0.03), (0.97, 0.01), (1.0, 0.0), (1.0, 0.0)]),
        (Client::EqualJitter, [(0.0, 0.0), (0.63, 0.03), (0.98, 0.0), (1.0, 0.0), (1.0, 0.0)]),
        (Client::FullJitter, [(0.0, 0.0), (0.04, 0.0), (0.03, 0.0), (0.69, 0.0), (0.95, 0.0)]),
        (
            Client::FullJitterCapped,
            [(0.0, 0.0), (0.04, 0.0), (0.04, 0.0), (0.13, 0.0), (0.33, 0.0)],
        ),
        (Client::Decorrelated, [(0.0, 0.2), (0.0, 0.04), (0.28, 0.0), (0.04, 0.03), (0.06, 0.07)]),
    ] {
        for ((gaps, operations), (right, wrong)) in columns.into_iter().zip(scores) {
            let got = client.judged(gaps, operations, 100);
            let case = format!("{client:?}, {gaps} gaps of {operations}: {got:?}");
            assert!((got.0 - right).abs() <= 0.15, "{case}, not right in {right}");
            // Being wrong in 3 of 100 is not zero, in 20 it may be 10 to 30.
            assert!(got.1 <= wrong + 0.1_f64.min(0.03 + wrong), "{case}, not wrong in {wrong}");
        }
    }
}

/// Without the guards half of these would be wrong.
#[test]
fn one_or_two_jittered_operations_are_no_ground_to_speak() {
    for client in [Client::ConstantHalfJitter, Client::EqualJitter, Client::FullJitter] {
        for operations in [1, 2] {
            assert!(client.judged(2, operations, 100).1 <= 0.0, "{client:?}");
            for gaps in [3, 5] {
                let (_, wrong) = client.judged(gaps, operations, 100);
                assert!(wrong <= 0.1, "{client:?}, {gaps} gaps of {operations}: {wrong}");
            }
        }
    }
}

#[test]
fn a_client_without_jitter_is_known_by_one_operation() {
    let curl = of(&[&[1.0, 2.0, 4.0, 8.0, 16.0]]);
    assert_eq!((curl.shape, curl.capped_from, curl.cv), (Shape::Exponential, None, None));
    assert!((curl.growth.unwrap() - 2.0).abs() < 1e-9);
    assert_eq!((curl.medians.len(), curl.operations), (5, 1));
    assert_eq!(of(&[&[1.0, 2.0, 3.0, 4.0]]).shape, Shape::Linear);
    assert_eq!(of(&[&[0.5, 0.5, 0.51, 0.5]]).shape, Shape::Constant);
    assert_eq!(of(&[&[1.0, 0.3, 2.0, 0.1]]).shape, Shape::Ambiguous, "jitter, and nothing more");
}

#[test]
fn a_cap_is_found_where_it_begins() {
    let exponential = of(&[&[0.5, 1.0, 2.0, 4.0, 4.0, 4.0, 4.0]]);
    assert_eq!((exponential.shape, exponential.capped_from), (Shape::Exponential, Some(4)));
    assert!((exponential.growth.unwrap() - 2.0).abs() < 1e-9);
    let linear = of(&[&[1.0, 2.0, 3.0, 3.0, 3.0, 3.0]]);
    assert_eq!((linear.shape, linear.capped_from), (Shape::Linear, Some(3)));
}

#[test]
fn two_gaps_show_growth_and_not_its_kind() {
    let doubled = of(&[&[1.0, 2.0], &[1.01, 2.0], &[1.0, 2.02]]);
    assert_eq!(doubled.shape, Shape::Growing);
    assert!((doubled.growth.unwrap() - 2.0).abs() < 1e-9);
    assert_eq!(of(&[&[1.0, 1.0], &[1.01, 1.02], &[1.0, 1.0]]).shape, Shape::Constant);
    assert_eq!(of(&[&[1.0, 2.0], &[1.0, 2.0]]).shape, Shape::Ambiguous, "of two operations");
}

#[test]
fn at_once_is_no_back_off_and_may_come_first() {
    let hasty = of(&[&[0.001, 0.002], &[0.04, 0.001]]);
    assert_eq!((hasty.shape, hasty.growth, hasty.cv), (Shape::Immediate, Some(1.0), None));
    assert!(!hasty.first_immediate);
    let mut rng = Dice::new(Seed(1), "urllib3").rng(Purpose::Delay);
    let urllib3: Vec<_> = (0..10).map(|_| Client::Urllib3.operation(5, &mut rng)).collect();
    let found = classify(&urllib3, IMMEDIATE).unwrap();
    assert!(found.first_immediate);
    assert_eq!(found.shape, Shape::Exponential);
    assert_eq!(of(&[&[0.0, 1.0], &[0.0, 1.0], &[0.0, 1.0]]).shape, Shape::Single);
    // What counts as at once is the caller's.
    let slow = classify(&[vec![0.1, 0.1, 0.1]], 0.2).unwrap();
    assert_eq!(slow.shape, Shape::Immediate);
}

#[test]
fn one_gap_has_no_shape() {
    let single = of(&[&[1.0], &[1.1], &[0.9]]);
    assert_eq!((single.shape, single.growth), (Shape::Single, None));
    assert!((single.cv.unwrap() - 0.1).abs() < 1e-9);
}

/// Theory: 1/√3 of full jitter, 1/(3√3) of half.
#[test]
fn jitter_is_measured_where_there_is_a_wait() {
    let mut rng = Dice::new(Seed(2), "jitter").rng(Purpose::Delay);
    for (client, cv, error) in [
        (Client::FullJitter, 0.577, 0.02),
        (Client::EqualJitter, 0.192, 0.01),
        (Client::Grpc, 0.115, 0.01),
        (Client::Curl, 0.003, 0.003),
    ] {
        let many: Vec<_> = (0..400).map(|_| client.operation(4, &mut rng)).collect();
        let got = classify(&many, IMMEDIATE).unwrap().cv.unwrap();
        assert!((got - cv).abs() <= error, "{client:?}: {got}");
    }
    // The first gaps vary by half, and are noise; the median of the second waits, its mean not.
    let noise = of(&[&[0.01, 1.0, 0.06], &[0.02, 1.0, 0.06], &[0.03, 1.0, 0.01]]);
    assert!(noise.cv.unwrap() < 1e-9, "{noise:?}");
}

/// Operations that were taken for one would pass for a long back-off, and for jitter.
#[test]
fn a_gap_out_of_all_proportion_ends_its_operation() {
    let mut operations = vec![vec![0.5, 1.0, 2.0, 4.0]; 9];
    operations.push(vec![0.5, 30.0, 0.5, 1.0]);
    let found = classify(&operations, IMMEDIATE).unwrap();
    assert_eq!((found.shape, found.operations), (Shape::Exponential, 10));
    assert!(found.cv.unwrap() < 1e-9, "{found:?}");
    // Ten times the median, but within a second.
    operations[9] = vec![0.5, 1.0, 2.0, 4.0];
    let quick: Vec<Vec<f64>> = (0..9).map(|_| vec![0.08]).chain([vec![0.9], vec![1.1]]).collect();
    assert_eq!(classify(&quick, IMMEDIATE).unwrap().operations, 10);
}

#[test]
fn nothing_is_said_of_nothing() {
    assert_eq!(classify(&[], IMMEDIATE), None);
    assert_eq!(classify(&[vec![], vec![f64::NAN, 1.0], vec![-1.0]], IMMEDIATE), None);
    assert_eq!(of(&[&[1.0; 30]]).medians.len(), 8);
}

proptest! {
    #[test]
    fn any_gaps_get_an_answer(
        operations in prop::collection::vec(prop::collection::vec(
            prop_oneof![prop::num::f64::ANY, 0.0..100.0, Just(0.0), Just(1.0)], 0..12), 0..12),
        immediate in prop_oneof![prop::num::f64::ANY, 0.0..1.0],
    ) {
        if let Some(found) = classify(&operations, immediate) {
            prop_assert!((1..=8).contains(&found.medians.len()));
            prop_assert!(found.medians.iter().all(|median| median.is_finite()));
            prop_assert!(found.cv.is_none_or(|cv| cv >= 0.0));
        }
    }
}
