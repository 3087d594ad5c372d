//! `tls`: the handshake goes wrong.
//!
//! ```yaml
//! - tls: expired                  # the certificate was good until yesterday
//! - tls: stall, share: 17% of connections
//! - tls: { stall: 30s }           # hands are shaken after 30 s
//! ```
//!
//! It works where a proxy terminates TLS itself, be it inside of tunnels, and on handshakes that begin
//! while it is in force: connections that are open are open. What the client meets is what it would meet in life: a
//! certificate of these flaws, the alert that a service sends which shares no version or no cipher
//! with it, silence after its first words, a RST in the middle, or an end that TLS says nothing of
//! (`no_close_notify`), by which an answer that ends with the connection cannot be told from one that
//! was cut off. No ticket of an earlier session gets around a flawed certificate.
//!
//! A client that does not look at certificates is served as ever: the record says that the fault was
//! dealt to it, and that is the finding.

use crate::{
    diag::{Code, Diagnostic},
    fault::{
        Cx, Denial, Effect, Fault, Stage,
        catalog::{Entry, Layer, Protocol, Traffic},
    },
    read::{Field, Kind, Reader, Shape},
    units::show_duration,
    yaml::{Node, Spanned},
};
use std::{sync::Arc, time::Duration};

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "tls",
    layer: Layer::Handshake,
    protocols: Protocol::HTTP,
    traffic: Traffic::Tls,
    summary: "the TLS handshake goes wrong: a bad certificate, no agreement, silence",
    about: "It works on proxies with `terminate`, and inside the tunnels of forward proxies with
`intercept`, on the connections that are made while it is in force. The certificate has `expired`, is `not_yet_valid`, is for somebody else (`wrong_name`), or is
signed by somebody whom nobody knows (`untrusted`); the proxy shares `no_common_version` or
`no_common_cipher` with the client, and sends the alert that says so; it says nothing after the
client's first words (`stall`, until the fault lets go, or for a time), or resets the connection
then (`reset`); or all is well until the end, which comes without a word (`no_close_notify`). There is
no request yet, so give a `share` of connections and no `target`. A client that takes a flawed
certificate is served, and the record says so.",
    examples: &["tls: expired", "tls: untrusted", "tls: stall", "tls: { stall: 30s }"],
    kind: Kind::Any(&[Kind::Word(NAMES), Kind::Map(&SHAPE)]),
    read,
};

static SHAPE: Shape = Shape {
    what: "`tls`",
    fields: &[Field::required(
        "stall",
        Kind::Duration,
        "how long nothing is said after the client's first words; then the handshake goes on",
    )],
};

const NAMES: &[&str] = &[
    "expired",
    "not_yet_valid",
    "wrong_name",
    "untrusted",
    "no_common_version",
    "no_common_cipher",
    "stall",
    "reset",
    "no_close_notify",
];

const WORDS: &[(&str, Flaw)] = &[
    ("expired", Flaw::Expired),
    ("not_yet_valid", Flaw::NotYetValid),
    ("wrong_name", Flaw::WrongName),
    ("untrusted", Flaw::Untrusted),
    ("no_common_version", Flaw::NoCommonVersion),
    ("no_common_cipher", Flaw::NoCommonCipher),
    ("stall", Flaw::Stall { limit: None }),
    ("reset", Flaw::Reset),
    ("no_close_notify", Flaw::NoCloseNotify),
];

/// What goes wrong with a handshake, or with TLS after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The certificate was good until yesterday.
    Expired,
    /// The certificate is good from the day after tomorrow on.
    NotYetValid,
    /// The certificate is for somebody else.
    WrongName,
    /// The certificate is signed by somebody whom nobody knows.
    Untrusted,
    /// Both sides share no version.
    NoCommonVersion,
    /// Both sides share no cipher.
    NoCommonCipher,
    /// Nothing is said after the client's first words.
    Stall {
        /// For how long; by default until the fault lets go. Then the handshake goes on.
        limit: Option<Duration>,
    },
    /// The connection is reset after the client's first words.
    Reset,
    /// The end of the connection comes without a word of TLS.
    NoCloseNotify,
}

impl Flaw {
    /// As a scenario writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::WrongName => "wrong_name",
            Self::Untrusted => "untrusted",
            Self::NoCommonVersion => "no_common_version",
            Self::NoCommonCipher => "no_common_cipher",
            Self::Stall { .. } => "stall",
            Self::Reset => "reset",
            Self::NoCloseNotify => "no_close_notify",
        }
    }

    /// Whether a client with this is denied what it asked for, if it looks at what it is shown.
    pub(super) const fn denies(self) -> Denial {
        match self {
            Self::Stall { limit: Some(_) } | Self::NoCloseNotify => Denial::Never,
            _ => Denial::Always,
        }
    }
}

/// A handshake that goes wrong.
#[derive(Clone, Copy, Debug)]
struct Tls(Flaw);

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    if !matches!(node.value, Node::Map(_)) {
        return Some(Arc::new(Tls(reader.choice(node, WORDS)?)));
    }
    let fields = reader.fields(node, &SHAPE)?;
    let place = fields.get("stall")?;
    let limit = reader.quantity::<Duration>(place)?;
    if limit.is_zero() {
        let title = "a handshake that stalls for `0s` does not stall";
        let help = "write `tls: stall` to stall until the phase ends, or a longer time";
        reader.problem(Diagnostic::new(Code::E0413, title, place.span).help(help));
        return None;
    }
    Some(Arc::new(Tls(Flaw::Stall { limit: Some(limit) })))
}

impl Fault for Tls {
    fn stages(&self) -> &'static [Stage] {
        &[Stage::Connect]
    }

    fn decide(&self, _stage: Stage, _cx: &Cx) -> Effect {
        Effect::Handshake(self.0)
    }

    fn needs_tls(&self) -> bool {
        true
    }

    fn denies(&self) -> Denial {
        self.0.denies()
    }

    fn word(&self) -> Option<String> {
        Some(self.0.name().to_owned())
    }

    fn describe(&self) -> String {
        let what = match self.0 {
            Flaw::Expired => "certificate expired",
            Flaw::NotYetValid => "certificate not yet valid",
            Flaw::WrongName => "certificate for another name",
            Flaw::Untrusted => "certificate of an unknown authority",
            Flaw::NoCommonVersion => "no common TLS version",
            Flaw::NoCommonCipher => "no common cipher",
            Flaw::Stall { limit: None } => "handshake stalls",
            Flaw::Stall { limit: Some(limit) } => {
                return format!("handshake stalls for {}", show_duration(limit));
            }
            Flaw::Reset => "reset in the handshake",
            Flaw::NoCloseNotify => "end without close_notify",
        };
        what.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::support::{codes, effect, fault};

    #[test]
    fn each_word_is_a_flaw_of_its_own() {
        assert!(NAMES.iter().eq(WORDS.iter().map(|(word, _)| word)));
        for (word, flaw) in WORDS {
            let entry = format!("tls: {word}");
            let Effect::Handshake(dealt) = effect(&entry, Stage::Connect) else {
                panic!("{word} is dealt to handshakes")
            };
            assert_eq!(dealt, *flaw);
            assert!(fault(&entry).needs_tls());
        }
    }

    #[test]
    fn a_stall_may_have_an_end() {
        let Effect::Handshake(flaw) = effect("tls: { stall: 30s }", Stage::Connect) else {
            panic!("it is dealt to handshakes")
        };
        assert_eq!(flaw, Flaw::Stall { limit: Some(Duration::from_secs(30)) });
        assert_eq!(fault("tls: { stall: 30s }").denies(), Denial::Never);
        assert_eq!(fault("tls: stall").denies(), Denial::Always);
    }

    #[test]
    fn what_is_no_flaw_is_refused() {
        assert_eq!(codes("tls: expird"), [Code::E0205]);
        assert_eq!(codes("tls: { stall: 0s }"), [Code::E0413]);
        assert_eq!(codes("tls: { stall: 30 }"), [Code::E0201]);
        assert_eq!(codes("tls: {}"), [Code::E0103]);
    }
}
