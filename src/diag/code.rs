//! The table of codes: what `firedrill explain` knows.

use crate::diag::Severity;
use std::{fmt, str::FromStr};

/// What a code stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The code.
    pub code: Code,
    /// One line.
    pub title: &'static str,
    /// The long text: why it is refused, and what to write.
    pub text: &'static str,
}

macro_rules! codes {
    ($($code:ident $severity:ident $title:literal)*) => {
        /// A kind of problem. Codes are never reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each is documented by its own explanation")]
        pub enum Code { $($code),* }

        impl Code {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$code),*];

            /// The text that goes with it: a file of its own in `explain/`.
            pub fn explanation(self) -> Explanation {
                let title = match self { $(Self::$code => $title),* };
                let text = match self {
                    $(Self::$code => include_str!(concat!("explain/", stringify!($code), ".md"))),*
                };
                Explanation { code: self, title, text }
            }

            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self { $(Self::$code => Severity::$severity),* }
            }

            fn name(self) -> &'static str {
                match self { $(Self::$code => stringify!($code)),* }
            }
        }
    };
}

codes! {
E0001 Error "the file is not YAML"
E0002 Error "the file is larger, deeper or more tangled than a scenario may be"
E0003 Error "the value is of the wrong kind"
E0004 Error "the file is not text"
E0101 Error "the key is unknown"
E0102 Error "the key is given twice"
E0103 Error "a key is missing"
E0104 Error "there is no such fault"
E0105 Error "an entry has exactly one fault"
E0106 Error "exactly one key is needed"
E0107 Error "the list or mapping is empty"
E0108 Error "the text is empty"
E0201 Error "the quantity has no unit"
E0202 Error "the quantity cannot be read"
E0203 Error "the quantity is out of range"
E0204 Error "the curve goes backwards"
E0205 Error "the value is not one of those allowed"
E0301 Error "nothing defines this target"
E0302 Error "the name is taken"
E0303 Error "the pattern cannot be read"
E0304 Error "the matcher means every request"
E0307 Error "there are too many targets"
E0308 Error "the scenario has no phases"
E0309 Error "the phase takes no time"
E0310 Error "there is no such phase"
E0401 Error "the fault closes the listener for everybody"
E0402 Error "the fault acts below requests"
E0403 Error "the fault does not know such a unit"
E0404 Error "the fault cannot count"
E0405 Error "the pattern does not fit into its period"
E0411 Error "the jitter is larger than the mean"
E0412 Error "the percentiles are out of order"
E0413 Error "the fault would do nothing"
E0414 Error "the keys do not go together"
E0415 Error "the status is not one that can be answered"
E0416 Error "the header field cannot be sent"
E0417 Error "the header field belongs to the connection"
E0418 Error "the file cannot be used as a body"
E0419 Error "an answer with this status has no body"
E0420 Error "the percentile has no such name"
E0421 Error "the burst does not fit into its period"
E0501 Error "a share cannot be counted in that"
E0502 Error "the slices are counted in different units"
E0503 Error "the slices are more than the whole"
E0504 Error "a slice has no share"
E0505 Error "the key does not belong there in a `one_of`"
E0601 Error "the expectation is unknown"
E0602 Error "the limit points the other way"
E0603 Error "the bounds are the wrong way round"
E0604 Error "the expectation needs `impact`"
E0605 Error "the stop condition cannot work"
E0701 Error "the address cannot be used"
E0702 Error "the address is taken"
E0703 Error "anybody could command the drill"
E0704 Error "the token stands in the file"
E0705 Error "the name cannot be that of a proxy"
E0706 Error "nothing defines this proxy"
E0707 Error "no such proxy can play the fault"
E0708 Error "the file holds neither a scenario nor a config"
E0721 Error "the certificate or key cannot be used"
W0301 Warning "nothing uses the target"
W0302 Warning "no request can be this target"
W0303 Warning "the method is not a common one"
W0401 Warning "an earlier fault leaves nothing for this one"
W0402 Warning "the pattern's period is longer than the phase"
W0403 Warning "a point of the curve lies beyond the phase"
W0411 Warning "the pieces of a body wait for each other"
W0501 Warning "the fault hits nobody"
W0502 Warning "the cohort has one member"
W0601 Warning "the phase puts nothing to the test"
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Code {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let wanted = text.to_uppercase();
        Self::ALL.iter().copied().find(|code| code.name() == wanted).ok_or(())
    }
}
