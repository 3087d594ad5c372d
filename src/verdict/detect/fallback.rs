//! D16, fallbacks: routes that a client turns to when another one fails.
//!
//! For each route *r*: the chance that it is called within 5 s of a failure of another route, against
//! that within 5 s of a success of another (Fisher's exact test, one-sided, at 0.01 over the number
//! of routes), and its rate under faults over that in calm (of what was served; the exact interval of two Poisson
//! counts). A fallback is what goes up in both. Of failures and successes of one user at most one per
//! tenth of a second is looked at, and up to 500 users at a time. Least sample: 20 failures.
//!
//! It is told and not graded, for a fallback that is seldom used is a hazard of its own; only if its
//! load is surely more than three times that in calm, which has to have 20 calls of it, it fails.
//!
//! Sources: Amazon Builders' Library, avoiding fallback in distributed systems.

use crate::verdict::{
    attempt::Attempt,
    course::Stage,
    detect::{Cx, Detector, Now},
    finding::{Claim, Finding, Grade, Measured, Weight},
    stats::{Interval, Observed, fisher_exact, rate_ratio},
};
use std::collections::{HashMap, VecDeque};

/// How long after an outcome a call counts as its consequence, in microseconds.
const SOON: u64 = 5_000_000;
/// How long a call may take to be known of, beyond that.
const LATE: u64 = 10_000_000;
/// Outcomes of a user are at least so far apart.
const APART: u64 = 100_000;
/// Outcomes of one user that are remembered.
const OUTCOMES: usize = 64;
/// Users that are remembered.
const USERS: usize = 500;
/// Failures without which nothing is said.
const FAILURES: u64 = 20;
/// The chance to call a route a fallback that is none, over all routes.
const ALPHA: f64 = 0.01;
/// The load of a fallback above which it is an overload of its own.
const OVERLOAD: f64 = 3.0;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Fallback {
    counts: Counts,
    users: HashMap<u64, VecDeque<Trigger>>,
    /// When room for others was last made.
    swept: u64,
}

/// An outcome after which something may come.
#[derive(Clone, Debug)]
struct Trigger {
    end: u64,
    route: u16,
    failed: bool,
    followed_by: Vec<u16>,
}

/// By whether it failed: what came of it.
#[derive(Clone, Debug, Default)]
struct Counts {
    all: [u64; 2],
    routes: Vec<Route>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Route {
    /// Outcomes of its own.
    own: [u64; 2],
    /// Outcomes of others that it followed.
    follows: [u64; 2],
    calm: u64,
    faults: u64,
}

/// A route that stands in for others.
#[derive(Clone, Debug, PartialEq)]
struct Found {
    name: String,
    load: Interval,
    calm: u64,
    after_failure: f64,
    after_success: f64,
}

impl Detector for Fallback {
    fn name(&self) -> &'static str {
        "fallback"
    }

    fn code(&self) -> &'static str {
        "D16"
    }

    fn weight(&self) -> Weight {
        Weight::Note
    }

    fn leans_on_links(&self) -> bool {
        false
    }

    fn leans_on_calm(&self, _term: Option<&str>) -> bool {
        true
    }

    fn attempt(&mut self, attempt: &Attempt, now: Now<'_>) {
        let route = self.counts.route(attempt.route);
        // What fails itself stands in for nothing.
        match now.stage {
            Stage::Base if attempt.is_served() => route.calm += 1,
            Stage::Fault if attempt.is_served() => route.faults += 1,
            _ => {}
        }
        if self.users.len() >= USERS && !self.users.contains_key(&attempt.user) {
            if attempt.end > self.swept + 1_000_000 {
                self.swept = attempt.end;
                self.forget(attempt.end);
            }
            if self.users.len() >= USERS {
                return;
            }
        }
        let recent = self.users.entry(attempt.user).or_default();
        while recent.front().is_some_and(|trigger| trigger.end + SOON + LATE < attempt.end) {
            if let Some(trigger) = recent.pop_front() {
                self.counts.settle(&trigger);
            }
        }
        for trigger in recent.iter_mut().filter(|trigger| trigger.route != attempt.route) {
            let is_soon = attempt.start > trigger.end && attempt.start <= trigger.end + SOON;
            if is_soon && !trigger.followed_by.contains(&attempt.route) {
                trigger.followed_by.push(attempt.route);
            }
        }
        let failed = !attempt.is_served();
        let last = recent.iter().rev().find(|trigger| trigger.failed == failed);
        if last.is_none_or(|last| attempt.end >= last.end + APART) {
            if recent.len() == OUTCOMES
                && let Some(trigger) = recent.pop_front()
            {
                self.counts.settle(&trigger);
            }
            let (end, route) = (attempt.end, attempt.route);
            recent.push_back(Trigger { end, route, failed, followed_by: Vec::new() });
        }
    }

    fn finding(&self, cx: &Cx<'_>) -> Finding {
        let counts = self.settled();
        let [_, failures] = counts.all;
        if failures == 0 {
            return Finding::not_applicable("nothing failed that a fallback could stand in for");
        }
        if failures < FAILURES {
            let said = format!("{failures} failures");
            return Finding::inconclusive(said, format!("{FAILURES} failures"));
        }
        let found = counts.fallbacks(cx);
        if found.is_empty() {
            let said = format!("no route stood in for one that failed ({failures} failures)");
            return Finding::new(Grade::Pass, Claim::Informational, said);
        }
        let told: Vec<String> = found.iter().map(Found::said).collect();
        let overload =
            found.iter().any(|found| found.calm >= FAILURES && found.load.low > OVERLOAD);
        let grade = if overload { Grade::Fail } else { Grade::Pass };
        let names: Vec<&str> = found.iter().map(|found| &*found.name).collect();
        let finding = Finding::new(grade, Claim::Informational, told.join("; "))
            .figure("fallbacks", serde_json::json!(names));
        if !overload {
            return finding;
        }
        finding.advice("make sure that the fallback bears the load it gets, or shed it")
    }

    fn measure(&self, term: &str, _phase: Option<usize>, cx: &Cx<'_>) -> Option<Measured> {
        if term != "uses_fallback" {
            return None;
        }
        let counts = self.settled();
        let [_, failures] = counts.all;
        let sample = format!("{failures} failures");
        Some(match failures {
            0 => Measured::NotExercised("nothing failed".to_owned()),
            _ if failures < FAILURES => Measured::too_few(sample, format!("{FAILURES} failures")),
            _ => {
                let routes = counts.fallbacks(cx).into_iter().map(|found| found.name).collect();
                Measured::Routes { routes, sample }
            }
        })
    }
}

impl Fallback {
    /// Lets go of users of whom nothing more can be told.
    fn forget(&mut self, now: u64) {
        let counts = &mut self.counts;
        self.users.retain(|_, recent| {
            let is_over = recent.back().is_none_or(|last| last.end + SOON + LATE < now);
            if is_over {
                for trigger in recent.iter() {
                    counts.settle(trigger);
                }
            }
            !is_over
        });
    }

    /// With what is still open.
    fn settled(&self) -> Counts {
        let mut counts = self.counts.clone();
        for trigger in self.users.values().flatten() {
            counts.settle(trigger);
        }
        counts
    }
}

impl Counts {
    fn route(&mut self, route: u16) -> &mut Route {
        let at = usize::from(route);
        if self.routes.len() <= at {
            self.routes.resize(at + 1, Route::default());
        }
        &mut self.routes[at]
    }

    fn settle(&mut self, trigger: &Trigger) {
        let sort = usize::from(trigger.failed);
        self.all[sort] += 1;
        self.route(trigger.route).own[sort] += 1;
        for route in &trigger.followed_by {
            self.route(*route).follows[sort] += 1;
        }
    }

    fn fallbacks(&self, cx: &Cx<'_>) -> Vec<Found> {
        let (calm, faults) = (cx.course.seconds(Stage::Base), cx.course.seconds(Stage::Fault));
        let alpha = ALPHA / self.routes.len().max(1) as f64;
        let found = self.routes.iter().zip(0_u16..).filter_map(|(route, number)| {
            let [successes, failures] = [0, 1].map(|sort| self.all[sort] - route.own[sort]);
            let [after_success, after_failure] = route.follows;
            if failures < FAILURES {
                return None;
            }
            let p = fisher_exact(after_failure, failures, after_success, successes);
            let during = Observed { events: route.faults, exposure: faults };
            let before = Observed { events: route.calm, exposure: calm };
            let load = rate_ratio(during, before, cx.level)?;
            let share = |hits: u64, all: u64| if all == 0 { 0.0 } else { hits as f64 / all as f64 };
            (p < alpha && load.low > 1.0).then(|| Found {
                name: cx.labels.route_name(number).to_owned(),
                load,
                calm: route.calm,
                after_failure: share(after_failure, failures),
                after_success: share(after_success, successes),
            })
        });
        found.collect()
    }
}

impl Found {
    fn said(&self) -> String {
        let load = match self.load.value {
            value if value.is_finite() => format!("{value:.1}x as much as in calm"),
            _ => "never in calm".to_owned(),
        };
        format!(
            "falls back to {} ({load}; within 5 s of {:.0} % of failures and {:.0} % of successes \
             elsewhere)",
            self.name,
            self.after_failure * 100.0,
            self.after_success * 100.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::tests::traffic::{
        BEGINS, ENDS, OVER, Traffic, chance, graded, judged_as, ok,
    };

    /// Users who view things; what fails is looked up in `instead`, if there is such a thing.
    fn viewing(traffic: &mut Traffic, instead: Option<&str>) {
        for user in 1..=5 {
            for (at, nth) in chance(user, 0.2, 0.0, OVER).zip(0_u32..) {
                let this = ok(user, at).of(&format!("GET /live/{nth}"));
                let fails = (BEGINS..ENDS).contains(&at);
                traffic.add(if fails { this.status(503) } else { this });
                if fails && let Some(route) = instead {
                    traffic.add(ok(user, at + 0.2).of(&format!("GET /{route}/{nth}")));
                }
            }
            // Something else goes on as always.
            traffic.extend(
                chance(user + 100, 0.1, 0.0, OVER)
                    .zip(0_u32..)
                    .map(|(at, nth)| ok(user, at).of(&format!("GET /ping/{nth}"))),
            );
        }
    }

    #[test]
    fn a_route_that_is_taken_instead_is_found() {
        let mut traffic = Traffic::expecting("uses_fallback: /cached/**");
        viewing(&mut traffic, Some("cached"));
        let verdict = traffic.judged();
        judged_as(&verdict.expectations[0], Grade::Pass, "GET /cached/*");
        let mut findings = verdict.parts[0].findings.iter();
        let found = findings.find(|finding| finding.detector == "fallback").unwrap();
        graded(found, Grade::Pass, "falls back to GET /cached/* (never in calm");
        assert_eq!(found.weight, Weight::Note);
    }

    #[test]
    fn another_one_than_was_wanted_does_not_do() {
        let mut traffic = Traffic::expecting("uses_fallback: /cached/**");
        viewing(&mut traffic, Some("old"));
        judged_as(&traffic.expectation(), Grade::Fail, "GET /old/*");
    }

    #[test]
    fn routes_that_go_on_as_always_are_no_fallback() {
        let mut traffic = Traffic::expecting("uses_fallback: /ping/**");
        viewing(&mut traffic, None);
        let verdict = traffic.judged();
        judged_as(&verdict.expectations[0], Grade::Fail, "none");
        let mut findings = verdict.parts[0].findings.iter();
        let found = findings.find(|finding| finding.detector == "fallback").unwrap();
        graded(found, Grade::Pass, "no route stood in");
    }

    /// What always follows, as a purchase does a view, is no consequence of failures.
    #[test]
    fn what_follows_successes_as_well_is_no_fallback() {
        let mut traffic = Traffic::new();
        for user in 1..=5 {
            for (at, nth) in chance(user, 0.1, 0.0, OVER).zip(0_u32..) {
                let this = ok(user, at).of(&format!("GET /live/{nth}"));
                traffic.add(if nth % 2 == 0 { this.really(500) } else { this });
                traffic.add(ok(user, at + 0.2).of(&format!("GET /next/{nth}")));
            }
        }
        graded(&traffic.finding("fallback"), Grade::Pass, "no route stood in");
    }

    #[test]
    fn a_fallback_that_is_overrun_fails() {
        let mut traffic = Traffic::new();
        viewing(&mut traffic, Some("cached"));
        for user in 1..=5 {
            let seldom = chance(user + 200, 0.05, 0.0, BEGINS);
            traffic.extend(
                seldom
                    .zip(0_u32..)
                    .map(|(at, nth)| ok(user, at).of(&format!("GET /cached/0{nth}"))),
            );
            let more = chance(user + 300, 0.4, BEGINS, ENDS);
            traffic.extend(
                more.zip(0_u32..).map(|(at, nth)| ok(user, at).of(&format!("GET /cached/1{nth}"))),
            );
        }
        let finding = traffic.finding("fallback");
        graded(&finding, Grade::Fail, "falls back to GET /cached/*");
        assert!(!finding.advice.is_empty());
    }

    #[test]
    fn few_failures_and_none() {
        let mut traffic = Traffic::expecting("uses_fallback: /cached/**");
        traffic.extend((0..5).map(|n| ok(1, 110.0 + f64::from(n)).status(503)));
        let verdict = traffic.judged();
        judged_as(&verdict.expectations[0], Grade::Inconclusive, "5 failures");
        assert_eq!(verdict.expectations[0].needs.as_deref(), Some("20 failures"));
        let mut traffic = Traffic::new();
        traffic.extend(chance(1, 1.0, 0.0, OVER).map(|at| ok(1, at)));
        graded(&traffic.finding("fallback"), Grade::NotApplicable, "nothing failed");
    }
}
