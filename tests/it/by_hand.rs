//! Faults by hand beside those of a scenario, on requests.

use crate::{
    support::{Drill, GET, OK, Upstream},
    tcp::by_hand,
};
use std::time::Duration;

/// A silence by hand is told apart from one of the scenario by the same name, which hits nobody:
/// otherwise it would be found to be over, and dealt again, for ever.
#[tokio::test]
async fn a_fault_by_hand_may_have_the_name_of_one_of_the_scenario() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["hang: {}, share: 0.0001% of users"]).before(&upstream);
    drill.hand.add(by_hand("hang: {}")).expect("it is put there");

    let mut client = drill.client().await;
    client.send(GET).await;
    client.is_silent_for(Duration::from_millis(200)).await;
    drill.hand.remove("hang").expect("it was there");

    assert_eq!(client.answer().await.status(), 200);
}
