//! Why there is no TLS with a client.

use crate::proxy::{ctl::ConnCtl, upstream::TlsError};
use rustls::{AlertDescription as Alert, Error};
use std::io::{self, ErrorKind};

/// The word for a handshake that a drill had fail.
pub(super) const DEALT: &str = "dealt";

/// Why there is no TLS with a client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It said nothing at all and went, as one does that only looks whether somebody listens.
    #[error("the client said nothing")]
    Silent(#[source] io::Error),
    /// It went, or broke off.
    #[error("the client went")]
    Gone(#[from] io::Error),
    /// It speaks plain HTTP.
    #[error("the client speaks plain HTTP")]
    PlainHttp,
    /// It speaks no TLS, or none that both sides speak, or does not take what it is shown.
    #[error("the handshake failed")]
    Tls(#[source] io::Error),
    /// We have nothing to show it.
    #[error("there is no certificate to show")]
    Ours(#[source] TlsError),
    /// A fault would have it so.
    #[error("a fault ends the handshake")]
    Dealt,
}

impl Failure {
    /// Has the connection know of it.
    pub(super) fn note(&self, ctl: &ConnCtl) {
        if let Some(word) = self.word() {
            // What broke it off from below was not the client.
            ctl.set_tls_error(if ctl.killed().is_some() { DEALT } else { word });
        }
        if self.is_the_clients() {
            ctl.client_gone(false);
        }
        if let Self::Ours(error) = self {
            tracing::warn!(peer = %ctl.peer, %error, cause = ?error, "no certificate for a client");
        }
    }

    /// Whether it is the client that ended it.
    fn is_the_clients(&self) -> bool {
        match self {
            // Our own patience ended, and not the client's.
            Self::Silent(error) | Self::Gone(error) => error.kind() != ErrorKind::TimedOut,
            Self::Tls(error) => error.kind() == ErrorKind::UnexpectedEof || self.alert().is_some(),
            Self::PlainHttp | Self::Ours(_) | Self::Dealt => false,
        }
    }

    /// Whether the client said that it does not trust who signed.
    pub(super) fn is_distrust(&self) -> bool {
        matches!(
            self.alert(),
            Some(
                Alert::UnknownCA
                    | Alert::BadCertificate
                    | Alert::CertificateUnknown
                    | Alert::UnsupportedCertificate
                    | Alert::AccessDenied
            )
        )
    }

    /// One word for the record; none if no handshake was begun.
    fn word(&self) -> Option<&'static str> {
        Some(match self {
            Self::Silent(_) => return None,
            Self::Gone(error) if error.kind() == ErrorKind::TimedOut => "timeout",
            Self::Gone(_) => "left",
            Self::PlainHttp => "plain_http",
            Self::Ours(_) => "nothing_to_show",
            Self::Dealt => DEALT,
            Self::Tls(error) => match (tls_error(error), self.alert()) {
                (_, Some(alert)) => alert_word(alert),
                (Some(Error::NoCertificatesPresented), _) => "no_certificate",
                (Some(Error::InvalidCertificate(_)), _) => "bad_certificate",
                (Some(Error::PeerIncompatible(_) | Error::NoApplicationProtocol), _) => {
                    "nothing_in_common"
                }
                (Some(_), _) => "no_tls",
                (None, _) if error.kind() == ErrorKind::TimedOut => "timeout",
                (None, _) => "left",
            },
        })
    }

    /// What the client said why it went.
    fn alert(&self) -> Option<Alert> {
        let Self::Tls(error) = self else { return None };
        match tls_error(error) {
            Some(Error::AlertReceived(alert)) => Some(*alert),
            _ => None,
        }
    }
}

fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// An alert by its name in RFC 8446, section 6, as far as clients send it in a handshake.
const fn alert_word(alert: Alert) -> &'static str {
    match alert {
        Alert::CloseNotify => "alert_close_notify",
        Alert::HandshakeFailure => "alert_handshake_failure",
        Alert::NoCertificate => "alert_no_certificate",
        Alert::BadCertificate => "alert_bad_certificate",
        Alert::UnsupportedCertificate => "alert_unsupported_certificate",
        Alert::CertificateRevoked => "alert_certificate_revoked",
        Alert::CertificateExpired => "alert_certificate_expired",
        Alert::CertificateUnknown => "alert_certificate_unknown",
        Alert::IllegalParameter => "alert_illegal_parameter",
        Alert::UnknownCA => "alert_unknown_ca",
        Alert::AccessDenied => "alert_access_denied",
        Alert::DecryptError => "alert_decrypt_error",
        Alert::ProtocolVersion => "alert_protocol_version",
        Alert::InsufficientSecurity => "alert_insufficient_security",
        Alert::InternalError => "alert_internal_error",
        Alert::UserCanceled => "alert_user_canceled",
        Alert::NoApplicationProtocol => "alert_no_application_protocol",
        _ => "alert",
    }
}
