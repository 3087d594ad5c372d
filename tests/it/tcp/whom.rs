//! Shares: which connections are hit, and which peers.

use crate::{
    support::Drill,
    tcp::{MS, echoing, round_trip},
};

/// Which of `count` connections of each of some peers are slow.
async fn slow(share: &str, seed: u64, peers: u8, count: usize) -> Vec<bool> {
    let fault = format!("latency: 50ms, share: {share}");
    let drill = echoing(Drill::of(&[&fault]).seed(seed));
    let mut slow = Vec::new();
    for host in 0..peers {
        for _ in 0..count {
            let took = round_trip(&mut drill.memory_client(host)).await;
            assert!(took.is_zero() || took == 50 * MS, "{took:?}");
            slow.push(!took.is_zero());
        }
    }
    slow
}

fn hits(slow: &[bool]) -> usize {
    slow.iter().filter(|slow| **slow).count()
}

#[tokio::test(start_paused = true)]
async fn a_share_of_connections_is_the_same_connections_under_the_same_seed() {
    let first = slow("17% of connections", 1, 20, 50).await;

    // Five standard deviations of a binomial.
    assert!((111..=229).contains(&hits(&first)), "{} of 1000", hits(&first));
    assert_eq!(first, slow("17% of connections", 1, 20, 50).await);
    assert_ne!(first, slow("17% of connections", 2, 20, 50).await);
    // A larger share has the smaller one in it.
    let more = slow("34% of connections", 1, 20, 50).await;
    assert!(first.iter().zip(&more).all(|(small, large)| !small || *large));
}

#[tokio::test(start_paused = true)]
async fn of_none_nobody_is_hit_and_of_all_everybody() {
    for unit in ["connections", "users"] {
        assert_eq!(hits(&slow(&format!("0% -> 0% of {unit}"), 1, 10, 20).await), 0);
        assert_eq!(hits(&slow(&format!("100% of {unit}"), 1, 10, 20).await), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_share_of_users_is_peers_with_all_their_connections() {
    let first = slow("30% of users", 1, 200, 3).await;

    let peers: Vec<&[bool]> = first.chunks(3).collect();
    assert!(peers.iter().all(|peer| peer.iter().all(|slow| *slow == peer[0])), "{peers:?}");
    let hit = peers.iter().filter(|peer| peer[0]).count();
    assert!((28..=92).contains(&hit), "{hit} of 200");
    assert_eq!(first, slow("30% of users", 1, 200, 3).await);
    assert_ne!(first, slow("30% of users", 2, 200, 3).await);
}

/// Sticky for the whole of a phase, and in another one too: the user does not change.
#[tokio::test(start_paused = true)]
async fn a_ramp_only_adds_users() {
    let drill = echoing(Drill::of(&["latency: 1ms, share: 0% -> 100% of users"]));
    let mut clients: Vec<_> = (0..100).map(|host| drill.memory_client(host)).collect();
    let mut hit = [false; 100];
    for minute in 0..10_u64 {
        let mut now = 0;
        for (client, hit) in clients.iter_mut().zip(&mut hit) {
            let slow = !round_trip(client).await.is_zero();
            assert!(slow || !*hit, "who was hit stays hit");
            *hit = slow;
            now += u64::from(slow);
        }
        assert!(now.abs_diff(minute * 10) <= 20, "minute {minute}: {now} of 100");
        tokio::time::sleep(59_900 * MS).await;
    }
}
