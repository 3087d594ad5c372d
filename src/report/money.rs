//! What failures would have cost, in a sentence or two.

use crate::{
    report::{rounded, summary::text::thousands},
    verdict::impact::{Cost, Money},
};
use std::time::Duration;

/// `USD 1,200 to 1,500 at most, in 40m with faults; …`
pub(super) fn told(cost: &Cost) -> String {
    let money = |money: Money| format!("{} {}", cost.currency, range(money));
    let time = Duration::try_from_secs_f64(cost.minutes * 60.0).unwrap_or_default();
    let mut told = format!(
        "{} at most, in {} with faults (buyers who come back later are not subtracted)",
        money(cost.exposure),
        rounded(time)
    );
    if let Some(avoidable) = cost.avoidable {
        told.push_str(&format!("; a better client could have saved {}", money(avoidable)));
    }
    if cost.extra_effects > 0 {
        let effects = thousands(cost.extra_effects);
        told.push_str(&format!("; on top come {effects} effects too many, each to be refunded"));
    }
    told
}

/// `1,200 to 1,500`, or one number if both ends are the same.
pub(super) fn range(money: Money) -> String {
    if money.high - money.low < 0.5 {
        thousands(whole(money.high))
    } else {
        format!("{} to {}", thousands(whole(money.low)), thousands(whole(money.high)))
    }
}

/// Money to the unit.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "money at risk")]
fn whole(money: f64) -> u64 {
    money.round() as u64
}
