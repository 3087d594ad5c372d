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
            Self::Environment => 5,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
