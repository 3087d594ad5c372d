//! An embedded shop and its embedded clients: a drill that needs nothing else.
//!
//! Every client wants the same things of the same shop, through whatever address it is given, so
//! what tells them apart is how they take failure.

mod careful;
mod client;
mod guard;
mod http;
mod io;
mod ledger;
mod naive;
mod outcome;
mod shop;
mod tally;
#[cfg(test)]
mod tests;

pub use client::Policy;
pub use http::Ending;
pub use ledger::{Account, Ledger};
pub use outcome::{Outcome, Played};
pub use shop::Shop;
pub use tally::{Attempt, Kind, Tally};

use crate::{
    demo::{client::User, http::Dialer},
    dice::Seed,
};
use std::net::SocketAddr;
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

/// The clients, in the order they are shown.
pub const CLIENTS: &[Policy] = &[naive::POLICY, careful::POLICY];

/// How many users each client has: enough that a share of 17 % hurts some and spares some.
const USERS: u64 = 40;

/// Lets every client use the `shop` by way of `target` until `stop`, all at once.
///
/// What is under way when `stop` comes is dropped there and then, connections included.
pub async fn play(target: SocketAddr, shop: &Shop, stop: CancellationToken, seed: Seed) -> Outcome {
    play_by(&Dialer::tcp(target), shop, stop, seed).await
}

async fn play_by(dialer: &Dialer, shop: &Shop, stop: CancellationToken, seed: Seed) -> Outcome {
    let began = Instant::now();
    let visit = shop.visit();
    let mut users = JoinSet::new();
    for (place, policy) in CLIENTS.iter().enumerate() {
        for number in 0..USERS {
            let user = User { policy: *policy, number, seed, visit };
            let life = user.live(dialer.clone(), began, stop.clone());
            users.spawn(async move { (place, life.await) });
        }
    }
    let mut tallies = vec![Tally::default(); CLIENTS.len()];
    while let Some(lived) = users.join_next().await {
        // A user who panicked takes only its own numbers along.
        if let Ok((place, tally)) = lived {
            tallies[place].add(tally);
        }
    }
    let ledger = shop.ledger();
    let played = CLIENTS.iter().zip(tallies).map(|(policy, tally)| Played {
        account: ledger.account(&policy.orders(visit)),
        policy: *policy,
        tally,
    });
    Outcome { clients: played.collect() }
}
