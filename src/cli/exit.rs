//! Exit codes: an interface for scripts, so they never change their meaning.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything passed.
    Passed,
    /// An expectation or the command under test failed.
    Failed,
    /// The command line or the scenario is wrong.
    Usage,
    /// Something the scenario asked for never happened, so passing would be a lie.
    Inconclusive,
    /// A guardrail, a lease or the API stopped it.
    Aborted,
    /// The environment did not allow it: cannot listen, no upstream, disk full.
    Environment,
    /// Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Inconclusive => 3,
            Self::Aborted => 4,
            Self::Environment => 5,
            Self::Interrupted => 130,
        }
    }
}

impl Exit {
    /// The one to end with if both apply. Nothing was played under a wrong scenario, and an
    /// interrupted drill says nothing; then what kept a drill from its end counts more than what
    /// it found.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        let rank = |exit: Self| match exit {
            Self::Usage => 0,
            Self::Interrupted => 1,
            Self::Environment => 2,
            Self::Aborted => 3,
            Self::Failed => 4,
            Self::Inconclusive => 5,
            Self::Passed => 6,
        };
        if rank(other) < rank(self) { other } else { self }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_outcomes_the_worst_is_told() {
        let order = [Exit::Environment, Exit::Aborted, Exit::Failed, Exit::Inconclusive];
        assert_eq!(order.map(Exit::code), [5, 4, 1, 3]);
        for (at, worse) in order.into_iter().enumerate() {
            for better in order.into_iter().skip(at).chain([Exit::Passed]) {
                assert_eq!(worse.worst(better), worse);
                assert_eq!(better.worst(worse), worse);
            }
        }
    }
}
