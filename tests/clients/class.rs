//! The classes of faults, each a scenario: what a client may know differs from one to the other, and
//! with it what it may do.

/// How long traffic is calm first.
pub(crate) const CALM: f64 = 5.0;

/// For how long an answer is held, unless a client is known to wait for longer and then give up.
pub(crate) const HOLD: f64 = 8.5;

/// What a `Retry-After` asks for.
pub(crate) const RETRY_AFTER: f64 = 3.0;

/// One class of faults.
#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) name: &'static str,
    fault: &'static str,
    /// It is about patience: it ends by itself, so that a client without any ends too.
    pub(crate) is_silence: bool,
    /// How many operations of each method are sent into it: enough for a verdict.
    pub(crate) operations: usize,
}

pub(crate) const CLASSES: &[Class] = &[
    class("503", "respond: 503"),
    class("503-after", "respond: { status: 503, retry_after: 3s }"),
    class("429-after", "respond: { status: 429, retry_after: 3s }"),
    class("404", "respond: 404"),
    // The request was read and carried out.
    class("reset", "lose_response: { by: reset }"),
    class("cut", "truncate: 50%"),
    silence("hold", "hang: {}"),
    silence("drip", "dribble: { bytes: 1B, every: 1s }"),
];

const fn class(name: &'static str, fault: &'static str) -> Class {
    Class { name, fault, is_silence: false, operations: 15 }
}

const fn silence(name: &'static str, fault: &'static str) -> Class {
    Class { is_silence: true, operations: 5, ..class(name, fault) }
}

impl Class {
    /// The scenario, with a hold of so many seconds.
    pub(crate) fn scenario(&self, hold: f64) -> String {
        let (name, fault) = (self.name, self.fault);
        let length = if self.is_silence { format!("{hold}s") } else { "10m".to_owned() };
        format!(
            "name: clients-{name}
seed: 1
phases:
  - {{ name: calm, for: {CALM}s }}
  - {{ name: fault, for: {length}, faults: [{{ {fault} }}] }}
"
        )
    }
}
