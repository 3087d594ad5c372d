//! Toxics: faults by hand on the bytes of one direction.

use crate::{
    control::{
        Proxied,
        toxiproxy::{
            error::ApiError,
            json::Json,
            wire::{ToxicInput, ToxicOutput, Wired, changed},
        },
    },
    engine::{ByHand, HandError, HandFault, Memo},
    fault::Way,
    scenario::{FaultEntry, Places, Share},
    select::Unit,
    timeline::Moving,
    units::Percent,
};
use std::sync::Arc;

/// Adds one; says what it is now.
pub(super) fn add(proxied: &Proxied, input: &ToxicInput) -> Result<ToxicOutput, ApiError> {
    if proxied.hand.find(&input.name).is_some() {
        return Err(HandError::NameTaken(input.name.clone()).into());
    }
    let wired = input.wired()?;
    let output = ToxicOutput::of(&input.name, &wired);
    proxied.hand.add(fault(&input.name, wired))?;
    Ok(output)
}

/// Toxics that are to be there from the start, in order.
pub(super) fn faults(inputs: &[ToxicInput]) -> Result<Vec<HandFault>, ApiError> {
    inputs.iter().map(|input| Ok(fault(&input.name, input.wired()?))).collect()
}

/// The toxic of this name.
pub(super) fn find(proxied: &Proxied, name: &str) -> Result<ToxicOutput, ApiError> {
    let found = wired(proxied, name)?;
    Ok(ToxicOutput::of(name, &found))
}

/// Changes one, as far as the input says; nothing is changed if a part of it makes no sense.
pub(super) fn change(proxied: &Proxied, name: &str, json: &Json) -> Result<ToxicOutput, ApiError> {
    let new = changed(&wired(proxied, name)?, json)?;
    let output = ToxicOutput::of(name, &new);
    proxied.hand.replace(fault(name, new))?;
    Ok(output)
}

/// Takes one away.
pub(super) fn remove(proxied: &Proxied, name: &str) -> Result<(), ApiError> {
    wired(proxied, name)?;
    proxied.hand.remove(name)?;
    Ok(())
}

/// What a toxic is known by; faults by hand that are none are not found.
fn wired(proxied: &Proxied, name: &str) -> Result<Wired, ApiError> {
    let found: Option<Arc<ByHand>> = proxied.hand.find(name);
    let memo = found.as_ref().and_then(|found| found.fault.memo.as_ref()?.get::<Wired>());
    memo.cloned().ok_or_else(ApiError::no_toxic)
}

fn fault(name: &str, wired: Wired) -> HandFault {
    // Toxiproxy's words are those of the bytes: its upstream toxics act on what goes there.
    let way = if wired.stream.eq_ignore_ascii_case("upstream") { Way::Up } else { Way::Down };
    let share = Percent::from_fraction(f64::from(wired.toxicity).clamp(0.0, 1.0));
    let entry = FaultEntry {
        name: name.to_owned(),
        kind: wired.toxic.kind(),
        fault: wired.toxic.fault(way),
        targets: Vec::new(),
        proxy: None,
        share: Share { amount: Moving::Fixed(share), unit: Unit::Connections },
        pattern: None,
        times: None,
        cohort: None,
        group: None,
        places: Places::default(),
    };
    HandFault { entry, targets: Vec::new(), ttl: None, memo: Some(Memo::new(wired)) }
}
