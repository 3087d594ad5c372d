//! The shop's books: who was charged how often, exactly.

use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

/// How many orders, and how many idempotency keys, the books hold. A full book refuses to sell
/// rather than forget a charge.
const PAGES: usize = 200_000;
/// How many seconds of traffic are kept; what comes later is not counted by the second.
const SECONDS: usize = 3_600;

/// What a customer asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Purchase {
    /// The customer's own name for the order; every order of a demonstration has its own.
    pub(super) order: String,
    /// The price in cents.
    pub(super) amount: u64,
}

/// What a customer gets back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Receipt {
    /// The number of the charge, from 1.
    pub(super) receipt: u64,
    #[serde(flatten)]
    pub(super) purchase: Purchase,
}

/// Why nothing was charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The key belongs to another purchase.
    KeyReused,
    /// The books are full.
    Full,
}

/// Charges by order.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    charges: HashMap<String, u64>,
    receipts: HashMap<String, Receipt>,
    total: u64,
    requests_per_second: Vec<u32>,
}

/// The sums of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Orders charged at least once.
    pub orders: u64,
    /// Charges made.
    pub charges: u64,
}

impl Account {
    /// Charges beyond the first of each order: money to give back.
    pub const fn duplicate_charges(self) -> u64 {
        self.charges - self.orders
    }
}

impl Ledger {
    /// Charges once, or finds the receipt of the charge that `key` already made.
    pub(super) fn charge(
        &mut self,
        key: Option<&str>,
        purchase: Purchase,
    ) -> Result<Receipt, Refusal> {
        if let Some(known) = key.and_then(|key| self.receipts.get(key)) {
            return if known.purchase == purchase {
                Ok(known.clone())
            } else {
                Err(Refusal::KeyReused)
            };
        }
        if self.receipts.len() >= PAGES {
            return Err(Refusal::Full);
        }
        let room = self.charges.len() < PAGES;
        match self.charges.entry(purchase.order.clone()) {
            Entry::Occupied(mut charged) => *charged.get_mut() += 1,
            Entry::Vacant(first) if room => {
                first.insert(1);
            }
            Entry::Vacant(_) => return Err(Refusal::Full),
        }
        self.total += 1;
        let receipt = Receipt { receipt: self.total, purchase };
        if let Some(key) = key {
            self.receipts.insert(key.to_owned(), receipt.clone());
        }
        Ok(receipt)
    }

    /// Counts a request that arrived `at`, since the shop opened.
    pub(super) fn request(&mut self, at: Duration) {
        let second = usize::try_from(at.as_secs()).unwrap_or(usize::MAX);
        if second < SECONDS {
            if self.requests_per_second.len() <= second {
                self.requests_per_second.resize(second + 1, 0);
            }
            self.requests_per_second[second] += 1;
        }
    }

    /// The sums over the orders whose name begins with `prefix`; the empty prefix means all.
    pub fn account(&self, prefix: &str) -> Account {
        let of = self.charges.iter().filter(|(order, _)| order.starts_with(prefix));
        of.fold(Account::default(), |sum, (_, charges)| Account {
            orders: sum.orders + 1,
            charges: sum.charges + charges,
        })
    }

    /// The orders that were charged more than once, of those whose name begins with `prefix`.
    pub fn charged_again(&self, prefix: &str) -> u64 {
        let of = self.charges.iter().filter(|(order, _)| order.starts_with(prefix));
        of.filter(|(_, charges)| **charges > 1).map(|_| 1).sum()
    }

    /// Requests by second since the shop opened, of any kind, for the first hour.
    pub fn requests_per_second(&self) -> &[u32] {
        &self.requests_per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(name: &str) -> Purchase {
        Purchase { order: name.to_owned(), amount: 999 }
    }

    #[test]
    fn a_key_charges_once_however_often_it_comes() {
        let mut ledger = Ledger::default();

        let first = ledger.charge(Some("k"), order("a-1"));
        let again = ledger.charge(Some("k"), order("a-1"));

        assert_eq!(first, again);
        assert_eq!(ledger.account(""), Account { orders: 1, charges: 1 });
    }

    #[test]
    fn without_a_key_every_request_is_a_charge() {
        let mut ledger = Ledger::default();

        for _ in 0..3 {
            ledger.charge(None, order("a-1")).expect("room");
        }
        ledger.charge(None, order("b-1")).expect("room");

        assert_eq!(ledger.account("a-").duplicate_charges(), 2);
        assert_eq!((ledger.charged_again("a-"), ledger.charged_again("b-")), (1, 0));
        assert_eq!(ledger.account("b-").duplicate_charges(), 0);
    }

    #[test]
    fn a_key_of_another_purchase_is_refused_and_charges_nothing() {
        let mut ledger = Ledger::default();
        ledger.charge(Some("k"), order("a-1")).expect("room");

        assert_eq!(ledger.charge(Some("k"), order("a-2")), Err(Refusal::KeyReused));
        assert_eq!(ledger.account("").charges, 1);
    }

    #[test]
    fn full_books_refuse_a_new_order_but_never_lose_a_charge_of_an_old_one() {
        let mut ledger = Ledger::default();
        for n in 0..PAGES {
            ledger.charge(None, order(&n.to_string())).expect("room");
        }

        assert_eq!(ledger.charge(None, order("one more")), Err(Refusal::Full));
        ledger.charge(None, order("7")).expect("it is in the books");
        assert_eq!(ledger.account("").duplicate_charges(), 1);
    }

    #[test]
    fn requests_are_counted_in_their_second_and_only_for_an_hour() {
        let mut ledger = Ledger::default();
        for millis in [0, 999, 2_000, u64::MAX] {
            ledger.request(Duration::from_millis(millis));
        }
        assert_eq!(ledger.requests_per_second(), [2, 0, 1]);
    }
}
