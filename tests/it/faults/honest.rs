//! What is counted as hit: what was done, and not what might have been.

use crate::support::{Drill, GET, OK, Upstream, eventually};

/// What each fault was meant for and hit, after so many requests on connections of their own.
async fn counts(faults: &[&str], requests: usize) -> Vec<(u64, u64)> {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(faults).before(&upstream);
    for _ in 0..requests {
        drill.ask(GET).await;
    }
    eventually("all are told of", || (drill.finished().len() == requests).then_some(())).await;
    drill.tallies().iter().map(|tally| (tally.considered, tally.hit)).collect()
}

#[tokio::test]
async fn a_fault_that_found_nothing_to_do_hit_nothing() {
    for fault in ["corrupt: 0.0001%, share: 100% of requests", "limit_data: 1MiB", "slice: 1MiB"] {
        let (meant_for, hit) = counts(&[fault], 3).await[0];
        assert!(meant_for > 0, "{fault}");
        assert_eq!(hit, 0, "{fault}");
    }
}

#[tokio::test]
async fn a_fault_that_did_something_hit_it() {
    for fault in ["corrupt: 100%", "limit_data: 10B", "slice: 8B"] {
        assert_eq!(counts(&[fault], 3).await, [(3, 3)], "{fault}");
    }
}

#[tokio::test]
async fn the_slices_of_one_of_are_meant_for_all_of_it() {
    let slices = "one_of: [{ respond: 500, share: 40% }, { respond: 502, share: 40% }]";
    let told = counts(&[slices], 60).await;

    assert_eq!(told.iter().map(|(meant_for, _)| *meant_for).collect::<Vec<_>>(), [60, 60]);
    assert!(told.iter().all(|(_, hit)| (5..=45).contains(hit)), "{told:?}");
}
