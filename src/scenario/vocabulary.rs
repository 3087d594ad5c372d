//! What `expect:` can ask for, and in which direction each of it is better.

use crate::read::{Field, Kind, Shape};

/// One thing that can be expected of a client.
#[derive(Clone, Copy, Debug)]
pub struct Term {
    /// Its name in a scenario.
    pub name: &'static str,
    /// Which way a limit points, and so in which direction it is better.
    pub side: Side,
    /// What a value is.
    pub measure: Measure,
    /// Whether it is about what a client does while something is wrong, so that a phase without
    /// faults tells nothing.
    pub in_trouble: bool,
    /// What it means.
    pub doc: &'static str,
}

/// Which way a limit points: a client is the better the less there is of what has a most, and the more
/// of what has a least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// From above: a bare value is the most.
    Most,
    /// From below: a bare value is the least.
    Least,
    /// From either; a bare value is the most.
    Both,
    /// Not a limit: the value has to be this.
    Is,
}

/// What a value is.
#[derive(Clone, Copy, Debug)]
pub enum Measure {
    /// A plain number: `0.8`; a percentage is the same.
    Ratio,
    /// `99%`.
    Percent,
    /// `1.5x`.
    Factor,
    /// `30s`.
    Duration,
    /// A whole number.
    Count,
    /// Yes or no.
    Flag,
    /// One of a few words.
    Word(&'static [&'static str]),
    /// A pattern of a path.
    Route,
    /// Money, in the currency of `impact`.
    Money,
    /// The parts of a circuit breaker.
    Breaker,
}

use Measure::{Breaker, Count, Duration, Factor, Flag, Money, Percent, Ratio, Route, Word};
use Side::{Both, Is, Least, Most};

/// The keys of `circuit_breaker` beside its scope.
pub(super) static BREAKER: Shape = Shape {
    what: "`circuit_breaker`",
    fields: &[
        Field::optional("opens_within", Kind::Duration, "how soon it opens at the latest"),
        Field::optional(
            "after_failures",
            Kind::Integer(1, 1_000_000),
            "after how many failures it opens at the latest",
        ),
        Field::optional("probe_interval", Kind::Duration, "how often it probes at the most"),
        Field::optional("closes_within", Kind::Duration, "how soon it closes at the latest"),
        Field::optional("phase", Kind::Text, "only in this phase"),
        Field::optional("target", Kind::Text, "only for this target"),
        Field::optional("client", Kind::Text, "only for this client"),
    ],
};

const fn trouble(name: &'static str, side: Side, measure: Measure, doc: &'static str) -> Term {
    Term { name, side, measure, in_trouble: true, doc }
}

const fn always(name: &'static str, side: Side, measure: Measure, doc: &'static str) -> Term {
    Term { name, side, measure, in_trouble: false, doc }
}

/// All of them, in the order of the documentation.
pub static VOCABULARY: &[Term] = &[
    trouble("goodput_ratio", Least, Ratio, "successes per second under faults, over those before"),
    always("availability", Least, Percent, "operations that were served in the end"),
    trouble(
        "recoverable_served",
        Least,
        Ratio,
        "of what a patient client could have had, what this one got",
    ),
    always(
        "latency_p50",
        Most,
        Duration,
        "first attempt to final outcome, median of the successes",
    ),
    always("latency_p95", Most, Duration, "first attempt to final outcome, 95 of 100 successes"),
    always("latency_p99", Most, Duration, "first attempt to final outcome, 99 of 100 successes"),
    trouble("retry_amplification", Most, Factor, "attempts per operation under faults"),
    trouble("load_factor", Most, Factor, "attempts per second under faults, over those before"),
    trouble(
        "saturated_amplification",
        Most,
        Factor,
        "attempts per operation when everything fails",
    ),
    trouble(
        "vulnerable_above",
        Least,
        Percent,
        "the load above which retries keep an overload alive",
    ),
    trouble("max_attempts", Most, Count, "attempts for one operation"),
    trouble("max_retry_layers", Most, Count, "retry loops nested in each other"),
    trouble(
        "time_to_give_up",
        Most,
        Duration,
        "first attempt to the last, of operations that fail",
    ),
    trouble("request_timeout", Both, Duration, "how long an attempt waits for an answer"),
    trouble("total_deadline", Most, Duration, "how long an answer may drip before it is cut off"),
    trouble(
        "handshake_timeout",
        Most,
        Duration,
        "how long it waits for hands to be shaken for TLS",
    ),
    trouble(
        "backoff",
        Is,
        Word(&["immediate", "constant", "growing", "exponential"]),
        "how the gaps between attempts develop; `growing` admits exponential",
    ),
    trouble("first_retry_immediate", Is, Flag, "whether the first retry may come at once"),
    trouble("max_backoff", Most, Duration, "the longest gap between two attempts"),
    trouble("jitter", Least, Ratio, "how much equal gaps vary: standard deviation over mean"),
    trouble("herd_100ms", Most, Percent, "retries that arrive within 100 ms of each other"),
    trouble("respects_retry_after", Is, Flag, "whether it waits as long as `Retry-After` says"),
    trouble("retries_final_errors", Most, Count, "retries of answers that will not get better"),
    trouble("duplicate_side_effects", Most, Count, "unsafe operations that were done twice"),
    trouble("unsafe_resends", Most, Count, "unsafe operations sent again without a key"),
    trouble(
        "idempotency_key",
        Is,
        Word(&["required", "stable", "optional"]),
        "whether unsafe requests carry a key, and keep it over attempts",
    ),
    trouble("circuit_breaker", Is, Breaker, "whether it stops calling, and how soon it resumes"),
    trouble("fails_fast", Most, Factor, "load while its circuit breaker is open, over that before"),
    always("recovery_time", Most, Duration, "end of the fault to normal goodput"),
    always("recovery_peak", Most, Factor, "the highest load after the fault, over that before"),
    always("recovery_backlog", Most, Ratio, "extra requests after the fault, over those it hit"),
    always("storm_persists", Most, Duration, "how long a retry storm outlives its fault"),
    always("connection_rate_peak", Most, Factor, "new connections per second, over those before"),
    always(
        "stale_connection_reuse",
        Most,
        Percent,
        "requests sent into connections already closed",
    ),
    trouble("survives_idle_close", Is, Flag, "whether a closed idle connection goes unnoticed"),
    trouble("failover_time", Most, Duration, "first failure to the first use of another endpoint"),
    trouble("uses_fallback", Is, Route, "the path it uses instead"),
    always("hedge_extra_load", Most, Percent, "extra requests from hedging in calm"),
    trouble(
        "deadline_propagates",
        Is,
        Flag,
        "whether requests tell how long their caller will wait",
    ),
    trouble(
        "bad_certificates_taken",
        Most,
        Count,
        "connections used although their certificate was flawed",
    ),
    trouble(
        "handshake_load",
        Most,
        Factor,
        "handshakes that failed per second, over attempts per second before",
    ),
    trouble(
        "revenue_at_risk",
        Most,
        Money,
        "what the failures would have cost, in `impact`'s currency",
    ),
];

/// The term of this name.
pub fn find(name: &str) -> Option<&'static Term> {
    VOCABULARY.iter().find(|term| term.name == name)
}

impl Side {
    /// The keys of its long form.
    pub(super) const fn keys(self) -> &'static [&'static str] {
        match self {
            Most => &["max"],
            Least => &["min"],
            Both => &["min", "max"],
            Is => &["is"],
        }
    }
}

impl Measure {
    /// A value in base units, with its unit: `1.42x`, `3.1s`, `99.2%`.
    pub fn show(self, value: f64) -> String {
        match self {
            Percent => format!("{:.1}%", value * 100.0),
            Factor => format!("{value:.2}x"),
            Duration if !value.is_finite() => "never".to_owned(),
            Duration if value < 1.0 => format!("{:.0}ms", value * 1e3),
            Duration => format!("{value:.1}s"),
            Count => format!("{value:.0}"),
            _ => format!("{value:.2}"),
        }
    }

    /// What the JSON Schema says of it.
    pub(super) const fn kind(self) -> Kind {
        match self {
            Ratio => Kind::Any(&[Kind::Number, Kind::Percent]),
            Percent => Kind::Percent,
            Factor => Kind::Ref("factor"),
            Duration => Kind::Duration,
            Count => Kind::Integer(0, i64::MAX),
            Flag => Kind::Flag,
            Word(words) => Kind::Word(words),
            Route => Kind::Text,
            Money => Kind::Number,
            Breaker => Kind::Map(&BREAKER),
        }
    }
}
