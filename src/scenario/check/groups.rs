//! The slices of a `one_of`: one draw decides among them, so they share it and fit into it.

use crate::{
    diag::{Code, Diagnostic, Span},
    read::Reader,
    scenario::{
        draft::{DraftEntry, DraftPhase, Reach},
        touched::looks,
    },
    timeline::{Moment, Moving},
    units::{Percent, Quantity, show_duration},
};
use std::time::Duration;

pub(super) fn check(phase: &DraftPhase, reader: &mut Reader<'_>) {
    for (group, span) in phase.groups.iter().enumerate() {
        let slices: Vec<&DraftEntry> = phase
            .entries
            .iter()
            .filter(|e| e.group == Some(group) && e.reach() != Reach::Listener)
            .collect();
        let shares = have_shares(&slices, reader);
        if have_one_unit(&slices, reader) && shares {
            fit(&slices, phase.length.as_ref().map(|length| length.value), *span, reader);
        }
    }
}

fn have_shares(slices: &[&DraftEntry], reader: &mut Reader<'_>) -> bool {
    for slice in slices.iter().filter(|s| s.keys.share.is_none() && !s.keys.broken) {
        let title = format!("the slice `{}` has no share", slice.kind.name);
        let problem = Diagnostic::new(Code::E0504, title, slice.span);
        reader.problem(problem.help("say how large it is: `share: 10%`"));
    }
    slices.iter().all(|slice| slice.keys.share.is_some())
}

fn have_one_unit(slices: &[&DraftEntry], reader: &mut Reader<'_>) -> bool {
    let mut shares =
        slices.iter().filter_map(|s| Some((s.share().unit, s.keys.share.as_ref()?.span)));
    let Some((unit, first)) = shares.next() else { return false };
    let mut same = true;
    for (other, span) in shares.filter(|(other, _)| *other != unit) {
        same = false;
        let title = format!("one slice is counted in {}, another in {}", unit.name(), other.name());
        let problem = Diagnostic::new(Code::E0502, title, span).label(first, "the first slice");
        reader
            .problem(problem.help(format!("count all in one unit, such as `of {}`", unit.name())));
    }
    same
}

/// Shares that move may be large at different times, so what counts is the largest sum; it is
/// found at a corner, since between corners the sum is a straight line.
fn fit(slices: &[&DraftEntry], length: Option<Duration>, group: Span, reader: &mut Reader<'_>) {
    let shares: Vec<_> = slices.iter().map(|slice| slice.share().amount).collect();
    let length = length.unwrap_or(Duration::from_secs(1));
    let sum = |elapsed: Duration| -> f64 {
        let moment = Moment { elapsed, length, run: Duration::ZERO };
        shares.iter().map(|share| share.at(&moment).fraction()).sum()
    };
    let sums = looks(shares.iter(), length, 1).into_iter().map(|at| (at, sum(at)));
    let Some((at, most)) = sums.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0))) else {
        return;
    };
    // Ten slices of 10 % may add up to a hair above the whole.
    if most <= 1.0 + 1e-9 {
        return;
    }
    let total = format!("{:.4}", most * 100.0);
    let total = total.trim_end_matches('0').trim_end_matches('.');
    let mut title = format!("the slices of `one_of` add up to {total}%");
    if shares.iter().any(Moving::moves) {
        title.push_str(&format!(", {} into the phase", show_duration(at)));
    }
    let mut problem = Diagnostic::new(Code::E0503, title, group);
    let moment = Moment { elapsed: at, length, run: Duration::ZERO };
    for (slice, share) in slices.iter().zip(&shares) {
        let now: Percent = share.at(&moment);
        if let Some(written) = &slice.keys.share {
            problem = problem.label(written.span, now.show());
        }
    }
    reader.problem(problem.help("make them smaller: together they are at most `100%`"));
}
