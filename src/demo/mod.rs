//! An embedded shop and its embedded clients: a drill that needs nothing else.
//!
//! Every client wants the same things of the same shop, through whatever address it is given, so
//! what tells them apart is how they take failure. The clients are a catalogue of what is found in
//! the wild, good and bad, and of each it is known what a judge of clients has to say.

mod client;
mod clients;
mod guard;
mod http;
mod io;
mod ledger;
mod outcome;
mod shop;
mod tally;
#[cfg(test)]
mod tests;
mod user;
mod wire;

pub use client::Policy;
pub use clients::{CATALOGUE, DEFAULT, find};
pub use http::{Dialer, Ending};
pub use io::Stream;
pub use ledger::{Account, Ledger};
pub use outcome::{Outcome, Played};
pub use shop::Shop;
pub use tally::{Attempt, Kind, Operation, Tally};
pub use user::Crowd;

use crate::{demo::user::User, dice::Seed};
use std::{net::SocketAddr, sync::Arc};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

/// Lets every client use the `shop` by way of `target` until `stop`, all at once.
///
/// What is under way when `stop` comes is dropped there and then, connections included.
pub async fn play(
    clients: &[Policy],
    target: SocketAddr,
    shop: &Shop,
    stop: CancellationToken,
    seed: Seed,
) -> Outcome {
    play_by(clients, &[Dialer::tcp(target)], shop, stop, seed).await
}

async fn play_by(
    clients: &[Policy],
    doors: &[Dialer],
    shop: &Shop,
    stop: CancellationToken,
    seed: Seed,
) -> Outcome {
    let visit = shop.visit();
    let lives = clients.iter().map(|policy| lives(*policy, Crowd::DEMO, doors, visit, &stop, seed));
    let lives: Vec<_> = lives.collect();
    let mut tallies = Vec::new();
    for lives in lives {
        let mut sum = Tally::default();
        ended(lives).await.into_iter().for_each(|tally| sum.add(tally));
        tallies.push(sum);
    }
    let ledger = shop.ledger();
    let played = clients.iter().zip(tallies).map(|(policy, tally)| Played {
        account: ledger.account(&policy.orders(visit)),
        policy: *policy,
        tally,
    });
    Outcome { clients: played.collect() }
}

/// Lets a crowd of one client use the `shop` by way of `doors`, its addresses, until `stop`.
/// Returns what each user counted, and what the names of their orders begin with.
pub async fn crowd(
    client: Policy,
    crowd: Crowd,
    doors: &[Dialer],
    shop: &Shop,
    stop: CancellationToken,
    seed: Seed,
) -> (Vec<Tally>, String) {
    let visit = shop.visit();
    let tallies = ended(lives(client, crowd, doors, visit, &stop, seed)).await;
    (tallies, client.orders(visit))
}

/// Sets a crowd going.
fn lives(
    policy: Policy,
    crowd: Crowd,
    doors: &[Dialer],
    visit: u64,
    stop: &CancellationToken,
    seed: Seed,
) -> JoinSet<(u64, Tally)> {
    let (began, doors) = (Instant::now(), Arc::<[Dialer]>::from(doors));
    let mut lives = JoinSet::new();
    for number in 0..crowd.users {
        let user = User { policy, crowd, number, seed, visit };
        let (doors, stop) = (Arc::clone(&doors), stop.clone());
        lives.spawn(async move { (number, user.live(&doors, began, stop).await) });
    }
    lives
}

/// What they counted, in the order of their numbers.
async fn ended(mut lives: JoinSet<(u64, Tally)>) -> Vec<Tally> {
    let mut tallies = Vec::new();
    while let Some(lived) = lives.join_next().await {
        // A user who panicked takes only its own numbers along.
        tallies.extend(lived.ok());
    }
    tallies.sort_by_key(|(number, _)| *number);
    tallies.into_iter().map(|(_, tally)| tally).collect()
}
