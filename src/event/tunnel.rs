//! What became of a connection that switched protocols.

use crate::event::Exchange;

/// A tunnel: what an exchange made of its connection, told when it is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Tunnel {
    /// The exchange that opened it, as it was told, but for what is the tunnel's own: the `phase` in
    /// which it ended, what was `dealt` to it, whether it was `complete` (it ended as its ends wanted),
    /// `ended_by`, `t_client_gone` and `t_end`.
    pub exchange: Exchange,
    /// What the client sent.
    pub up: Flow,
    /// What the upstream sent.
    pub down: Flow,
    /// How it was closed, if it was a WebSocket and said why.
    pub close: Option<SocketClose>,
}

/// One direction of a tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Bytes that came.
    pub bytes: u64,
    /// Of a WebSocket, its frames; none for other protocols, or from where it was no WebSocket.
    pub frames: u64,
    /// The messages that came whole.
    pub messages: u64,
    /// The messages that were passed on.
    pub passed: u64,
}

/// The first close frame of a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketClose {
    /// Its code; 1005 if it had none.
    pub code: u16,
    /// Who sent it.
    pub by: ClosedBy,
}

/// Who closed a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedBy {
    /// The client.
    Client,
    /// The upstream.
    Upstream,
    /// A fault.
    Fault,
}

impl ClosedBy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Client, Self::Upstream, Self::Fault];

    /// As the record writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::Fault => "fault",
        }
    }
}
